//! Record batches of message format v2 (KIP-98): read in place, checked, built, stamped.
//!
//! See `docs/formats/record-batch.md`. Formats 0 and 1 are not supported, as in Kafka 4 (KIP-724).

mod borrowed;
mod builder;
mod compacted;
pub mod compression;
pub mod control;
mod header;
mod recompress;
mod record;
mod scan;
mod stamp;
pub mod validate;
mod view;

pub use borrowed::{RecordRef, RecordRefs};
pub use builder::BatchBuilder;
pub use compacted::{emptied_batch, retained_batch};
pub use compression::{Codec, Compression};
pub use control::{ControlRecord, Marker};
pub use header::{Attributes, BatchHeader, RecordError, TimestampType, increment_sequence};
pub use record::{Record, Records};
pub use stamp::{compute_crc, stamp};
pub use validate::{
    BatchRules, ProduceRejection, TopicCompression, ValidBatch, check_produce_version, validate_produced,
};
pub use view::{BatchView, Batches, batches};
