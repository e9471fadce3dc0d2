//! The share coordinator: keeps what share groups are done with, and how often they were given the rest (KIP-932).
//!
//! One [`ShareStateShard`] is all share-partitions of one partition of `__share_group_state`. It belongs to the core that owns
//! that partition; the core that owns a share-partition's topic partition asks it ([`crate::share`]). It does no I/O and reads
//! no clock: a request goes in with the time, [`Effect`]s come out.
//!
//! A share-partition is written down whole now and then (`ShareSnapshot`), and as what changed in between (`ShareUpdate`), as
//! Kafka's `ShareCoordinatorShard` does.
//!
//! **Invariant:** what was read, or answered as written, is durable.

mod codec;
mod driven;
mod load;
mod shard;
#[cfg(test)]
mod tests;

use thalweg_protocol::StrBytes;
use uuid::Uuid;

pub use codec::Record;
pub use shard::{ShareStateConfig, ShareStateShard, State};

pub use super::effect::{AppendToken, ReplyToken};
pub use thalweg_protocol::error::ErrorCode;

/// A partition as one share group reads it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct StateKey {
    pub group: StrBytes,
    pub topic: Uuid,
    pub partition: i32,
}

impl StateKey {
    /// What its partition of `__share_group_state` is chosen by: Kafka's `SharePartitionKey.asCoordinatorKey`. Topic ids are
    /// written as Kafka writes them.
    #[must_use]
    pub fn coordinator_key(&self) -> String {
        format!("{}:{}:{}", &*self.group, topic_text(self.topic), self.partition)
    }
}

/// Kafka's text of a topic id: URL-safe base 64 without padding.
#[must_use]
pub fn topic_text(topic: Uuid) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::with_capacity(22);
    for three in topic.as_bytes().chunks(3) {
        let bits = three.iter().fold(0_u32, |bits, byte| (bits << 8) | u32::from(*byte)) << (8 * (3 - three.len()));
        for digit in 0..=three.len() {
            let index = (bits >> (18 - 6 * digit)) & 0x3F;
            text.extend(DIGITS.get(index as usize).map(|digit| char::from(*digit)));
        }
    }
    text
}

/// Something for the driver to do.
pub type Effect = crate::coordinator::Effect<Response>;

/// The answer to a request.
#[derive(Clone, PartialEq, Debug)]
pub enum Response {
    /// What is kept, if anything is.
    Read(Result<Option<State>, ErrorCode>),
    Written(Result<(), ErrorCode>),
}
