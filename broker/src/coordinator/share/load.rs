//! Building a shard from its partition's log.

use super::codec;
use super::shard::{ShareStateShard, replay};
use crate::coordinator::Phase;
use crate::coordinator::load::{LoadError, LogOf};

/// The largest batch, once decompressed, that is looked into.
const LOAD_BATCH_SIZE_MAX_BYTES: usize = 64 * 1024 * 1024;

const LOG: LogOf = LogOf { topic: "__share_group_state", batch_size_max_bytes: LOAD_BATCH_SIZE_MAX_BYTES };

impl ShareStateShard {
    /// Replays record batches of the partition, in order, from its start.
    pub fn load(&mut self, batch: &[u8]) -> Result<(), LoadError> {
        LOG.each_record(batch, codec::decode, |record| replay(&mut self.durable, &record))
    }

    /// The log has been replayed: begins to serve.
    pub fn loaded(&mut self) {
        self.current = self.durable.clone();
        self.phase = Phase::Serving;
    }
}
