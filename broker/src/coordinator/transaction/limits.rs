//! How far clients may fill a shard's memory. Kafka bounds these only by the size of a request.

/// Longest transactional id: the int16 length of the record's key.
pub(super) const ID_LENGTH_MAX: usize = i16::MAX as usize;

/// Longest topic name, as Kafka's `Topic.MAX_NAME_LENGTH`.
pub(super) const TOPIC_NAME_LENGTH_MAX: usize = 249;

/// Transactional ids of one shard.
#[cfg(not(test))]
pub(super) const TRANSACTIONS_MAX: usize = 1_000_000;
#[cfg(test)]
pub(super) const TRANSACTIONS_MAX: usize = 8;

/// Ids that are looked at for expiry in one go; the rest follow a moment later, so that the core stays free.
#[cfg(not(test))]
pub(super) const EXPIRY_IDS_PER_TICK_MAX: usize = 10_000;
#[cfg(test)]
pub(super) const EXPIRY_IDS_PER_TICK_MAX: usize = 2;

/// Transactions that are aborted in one go because they took too long.
pub(super) const TIMEOUTS_PER_TICK_MAX: usize = 1_000;

/// By how much the record of a decision may be longer than the one before it: its tagged fields. A transaction must not
/// grow so far that its end cannot be written.
pub(super) const DECISION_SIZE_RESERVE_BYTES: usize = 64;

/// How long markers that could not be written wait for the next attempt.
pub(super) const MARKER_RETRY_MS: i64 = 500;

/// Records of one batch of `__transaction_state` that are read at load, and their size once decompressed.
pub(super) const LOAD_BATCH_SIZE_MAX_BYTES: usize = 256 * 1024 * 1024;

const _: () = assert!(TOPIC_NAME_LENGTH_MAX < ID_LENGTH_MAX);
