//! The group shard as its driver sees it.

use thalweg_protocol::TimestampMs;

use super::ErrorCode;
use super::effect::{AppendToken, Effect, Errand, Response};
use super::shard::GroupShard;
use crate::coordinator::Shard;
use crate::coordinator::load::LoadError;

impl Shard for GroupShard {
    type Response = Response;
    type Errand = Errand;

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
