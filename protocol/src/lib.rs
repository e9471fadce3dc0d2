//! Kafka's wire protocol and record batches: bytes to types and back.
//!
//! A thin layer over the `kafka-protocol` crate, which has the message types. Here are the things a broker must do
//! itself: framing with limits, headers, the API table, record batches and their compression.
//!
//! **Invariant:** nothing in this crate does I/O or reads a clock; callers pass `now`.

pub mod types;

pub use kafka_protocol::messages;
pub use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, Message, StrBytes, VersionRange};
pub use types::{KafkaOffset, LeaderEpoch, NodeId, PartitionIndex, ProducerEpoch, ProducerId, TimestampMs};
