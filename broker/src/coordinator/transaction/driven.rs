//! The shard of transactions as its driver sees it.

use thalweg_protocol::TimestampMs;

use super::effect::{Effect, Marking, Response};
use super::shard::TransactionShard;
use super::{AppendToken, ErrorCode};
use crate::coordinator::Shard;
use crate::coordinator::load::LoadError;

impl Shard for TransactionShard {
    type Response = Response;
    type Errand = Marking;

    fn load(&mut self, batch: &[u8]) -> Result<(), LoadError> {
        self.load(batch)
    }

    fn loaded(&mut self, now: TimestampMs) -> Vec<Effect> {
        self.loaded(now)
    }

    fn unload(&mut self) -> Vec<Effect> {
        self.unload()
    }

    fn appended(&mut self, token: AppendToken, result: Result<(), ErrorCode>, now: TimestampMs) -> Vec<Effect> {
        self.appended(token, result, now)
    }

    fn next_deadline(&self) -> Option<TimestampMs> {
        self.next_deadline()
    }

    fn tick(&mut self, now: TimestampMs) -> Vec<Effect> {
        self.tick(now)
    }

    fn set_batch_size_max(&mut self, bytes: usize) {
        self.set_batch_size_max(bytes);
    }
}
