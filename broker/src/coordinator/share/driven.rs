//! The shard of share-partitions as its driver sees it.

use std::convert::Infallible;

use thalweg_protocol::TimestampMs;

use super::shard::ShareStateShard;
use super::{AppendToken, Effect, ErrorCode, Response};
use crate::coordinator::Shard;
use crate::coordinator::load::LoadError;

impl Shard for ShareStateShard {
    type Response = Response;
    type Errand = Infallible;

    fn load(&mut self, batch: &[u8]) -> Result<(), LoadError> {
        self.load(batch)
    }

    fn loaded(&mut self, _: TimestampMs) -> Vec<Effect> {
        self.loaded();
        Vec::new()
    }

    fn unload(&mut self) -> Vec<Effect> {
        self.unload()
    }

    fn appended(&mut self, token: AppendToken, result: Result<(), ErrorCode>, _: TimestampMs) -> Vec<Effect> {
        self.appended(token, result)
    }

    fn next_deadline(&self) -> Option<TimestampMs> {
        None
    }

    fn tick(&mut self, _: TimestampMs) -> Vec<Effect> {
        Vec::new()
    }

    fn set_batch_size_max(&mut self, bytes: usize) {
        self.config.batch_size_max_bytes = bytes;
    }
}
