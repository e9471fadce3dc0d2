//! Kafka's wire protocol and record batches: bytes to types and back.
//!
//! A thin layer over the `kafka-protocol` crate, which has the message types. Here are the things a broker must do
//! itself: framing with limits, headers, the API table, record batches and their compression.
//!
//! **Invariant:** nothing in this crate does I/O or reads a clock; callers pass `now`.

pub mod api;
pub mod error;
pub mod fetch_response;
pub mod fetch_view;
pub mod frame;
pub mod header;
mod newer;
pub mod records;
pub mod request;
pub mod response;
pub mod types;
mod wire;

pub use api::{announced_versions, known_versions};
pub use error::ErrorCode;
pub use fetch_response::{FetchBody, FetchLayout, FetchPartition, FetchTopic};
pub use fetch_view::{FetchView, FetchedPartition, TopicView};
pub use frame::{FrameError, FrameLimits, frame_len};
pub use header::{HeadError, RequestHead, parse_head};
pub use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, Message, Request, StrBytes, VersionRange};
pub use newer::messages;
pub use request::{DecodeError, decode_request};
pub use response::{EncodeError, encode_response};
pub use types::{
    KafkaOffset, LeaderEpoch, NodeId, PartitionIndex, ProducerEpoch, ProducerId, TimestampMs, parse_uuid, uuid_text,
};
pub use wire::WireError;
