//! What all coordinators are to their driver: state machines that live in a partition of an internal topic.

use thalweg_protocol::TimestampMs;
use thalweg_protocol::error::ErrorCode;

use super::effect::{AppendToken, Effect};
use super::load::LoadError;

/// What handling an event gave.
pub type Effects<S> = Vec<Effect<<S as Shard>::Response, <S as Shard>::Errand>>;

/// All that one partition of an internal topic coordinates. Does no I/O and reads no clock; the core that owns the
/// partition drives it (`reactor/shards.rs`).
pub trait Shard: Sized + 'static {
    /// The body of an answer.
    type Response: 'static;
    /// What it asks for besides answers and writes.
    type Errand: 'static;

    /// Replays record batches of the partition, in order, from its start.
    fn load(&mut self, batch: &[u8]) -> Result<(), LoadError>;

    /// The log was replayed: begins to serve.
    fn loaded(&mut self, now: TimestampMs) -> Effects<Self>;

    /// The partition is led elsewhere: everybody who waits is told, and all is forgotten.
    fn unload(&mut self) -> Effects<Self>;

    /// Reports the fate of an append. Appends are reported in the order of their tokens: that is the order of the log.
    fn appended(&mut self, token: AppendToken, result: Result<(), ErrorCode>, now: TimestampMs) -> Effects<Self>;

    /// When [`Self::tick`] is to be called next.
    fn next_deadline(&self) -> Option<TimestampMs>;

    /// Does what has become due. Early calls do nothing.
    fn tick(&mut self, now: TimestampMs) -> Effects<Self>;

    /// The largest batch that its log takes from now on.
    fn set_batch_size_max(&mut self, bytes: usize);
}

/// How far a shard is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Phase {
    /// Reads the partition.
    Loading,
    Serving,
    /// The partition is led elsewhere.
    Unloaded,
}

impl Phase {
    /// Whether requests are answered with more than an error.
    pub(super) fn check_serving(self) -> Result<(), ErrorCode> {
        match self {
            Self::Serving => Ok(()),
            Self::Loading => Err(ErrorCode::CoordinatorLoadInProgress),
            Self::Unloaded => Err(ErrorCode::NotCoordinator),
        }
    }
}
