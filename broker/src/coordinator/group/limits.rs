//! How far a client may fill a shard's memory. Kafka bounds these only by the size of a request.

/// Longest string that the record formats of `__consumer_offsets` can hold: an int16 length.
pub(super) const STRING_LENGTH_MAX: usize = i16::MAX as usize;

/// Longest `group.instance.id`; Kafka's clients allow what a topic name may be.
pub(super) const INSTANCE_ID_LENGTH_MAX: usize = 249;

/// Longest topic name, as Kafka's `Topic.MAX_NAME_LENGTH`.
pub(super) const TOPIC_NAME_LENGTH_MAX: usize = 249;

/// As much of a client id as goes into a generated member id.
pub(super) const MEMBER_ID_PREFIX_LENGTH_MAX: usize = 1024;

/// Assignment protocols that one member may offer.
pub(super) const MEMBER_PROTOCOLS_MAX: usize = 64;

/// Names and metadata of all protocols of one member. A member that needs more could not be stored anyway, as the
/// record of the whole group must fit `max.message.bytes` of the topic.
pub(super) const MEMBER_METADATA_SIZE_MAX_BYTES: usize = 4 * 1024 * 1024;

/// Members of one group, however large `group.max.size` is; loops over the members of a group end here.
pub(super) const GROUP_MEMBERS_MAX: usize = 10_000;

/// Members of one group that were given a member id and have not come back with it (KIP-394).
pub(super) const PENDING_MEMBERS_MAX: usize = 10_000;

/// Groups of one shard.
pub(super) const GROUPS_MAX: usize = 1_000_000;

/// Groups that are looked at for expired offsets in one go; the rest follow a moment later, so that the core stays free.
#[cfg(not(test))]
pub(super) const EXPIRY_GROUPS_PER_TICK_MAX: usize = 10_000;
#[cfg(test)]
pub(super) const EXPIRY_GROUPS_PER_TICK_MAX: usize = 2;

/// Tombstones of one batch where the tombstones need not be written together.
pub(super) const TOMBSTONES_PER_BATCH_MAX: usize = 1000;

/// Records of one batch of `__consumer_offsets` that are read at load, and their size once decompressed.
pub(super) const LOAD_BATCH_SIZE_MAX_BYTES: usize = 256 * 1024 * 1024;

const _: () = {
    assert!(INSTANCE_ID_LENGTH_MAX < STRING_LENGTH_MAX);
    assert!(TOPIC_NAME_LENGTH_MAX < STRING_LENGTH_MAX);
    // A generated member id is the prefix, a dash and a UUID.
    assert!(MEMBER_ID_PREFIX_LENGTH_MAX + 37 < STRING_LENGTH_MAX);
};
