//! What a partition replica is: written once into the write-ahead log when it is created, and into every checkpoint.

use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::PathBuf;

use bytes::{BufMut as _, Bytes, BytesMut};
use thalweg_protocol::{KafkaOffset, PartitionIndex, TimestampMs};

use crate::codec::{CodecError, Reader, WriteExt as _};
use crate::types::{RaftIndex, Term};

const VERSION: u16 = 1;

/// Identity and place of one partition replica. Format: `docs/formats/checkpoint.md`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LogDescriptor {
    pub topic_id: [u8; 16],
    pub topic: String,
    pub partition: PartitionIndex,
    /// The partition's own directory, `<log.dir>/<topic>-<partition>`.
    pub dir: PathBuf,
    /// Raft ids of the group's first voters.
    pub voters: Vec<u64>,
    pub created: TimestampMs,
    /// Where the log begins: the last entry that a snapshot replaced. Zeros for a log with its whole history.
    pub start: LogPoint,
}

/// The end of a prefix of the log: its last entry, and the offset of the first record behind it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct LogPoint {
    pub index: RaftIndex,
    pub term: Term,
    pub next_offset: KafkaOffset,
}

impl LogDescriptor {
    pub fn encode(&self) -> Bytes {
        let mut out = BytesMut::new();
        out.put_u16_le(VERSION);
        out.put_slice(&self.topic_id);
        out.put_prefixed(self.topic.as_bytes());
        out.put_i32_le(self.partition.0);
        out.put_prefixed(self.dir.as_os_str().as_bytes());
        out.put_count(self.voters.len());
        for voter in &self.voters {
            out.put_u64_le(*voter);
        }
        out.put_i64_le(self.created.0);
        self.start.encode(&mut out);
        out.freeze()
    }

    /// # Errors
    /// When the bytes are of another version or damaged.
    pub fn decode(bytes: Bytes) -> Result<Self, CodecError> {
        let mut reader = Reader::new(bytes);
        let found = reader.u16("descriptor version")?;
        if found != VERSION {
            return Err(CodecError::BadVersion { found, known: VERSION });
        }
        let topic_id = reader.array("topic id")?;
        let topic = reader.string("topic")?;
        let partition = PartitionIndex(reader.i32("partition")?);
        let dir = PathBuf::from(std::ffi::OsString::from_vec(reader.bytes("directory")?.to_vec()));
        let count = reader.count(8, "voters")?;
        let voters = (0..count).map(|_| reader.u64("voter")).collect::<Result<_, _>>()?;
        let created = TimestampMs(reader.i64("creation time")?);
        let start = LogPoint::decode(&mut reader)?;
        reader.end()?;
        Ok(Self { topic_id, topic, partition, dir, voters, created, start })
    }
}

impl LogPoint {
    pub(crate) fn encode(&self, out: &mut BytesMut) {
        out.put_u64_le(self.index.0);
        out.put_u64_le(self.term.0);
        out.put_i64_le(self.next_offset.0);
    }

    pub(crate) fn decode(reader: &mut Reader) -> Result<Self, CodecError> {
        Ok(Self {
            index: RaftIndex(reader.u64("index")?),
            term: Term(reader.u64("term")?),
            next_offset: KafkaOffset(reader.i64("offset")?),
        })
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn descriptor() -> LogDescriptor {
        LogDescriptor {
            topic_id: *b"0123456789abcdef",
            topic: "orders".into(),
            partition: PartitionIndex(3),
            dir: PathBuf::from("/data/orders-3"),
            voters: vec![1],
            created: TimestampMs(1_700_000_000_000),
            start: LogPoint::default(),
        }
    }

    #[test]
    fn encodes_and_decodes() {
        assert_eq!(LogDescriptor::decode(descriptor().encode()).unwrap(), descriptor());
    }

    #[test]
    fn every_cut_is_an_error() {
        let whole = descriptor().encode();
        for len in 0..whole.len() {
            assert!(LogDescriptor::decode(whole.slice(..len)).is_err(), "cut at {len}");
        }
    }

    #[test]
    fn golden_bytes() {
        let expected = "0100303132333435363738396162636465660600000\
                        06f7264657273030000000e0000002f646174612f6f72646572732d33010000000100000000000000006\
                        8e5cf8b010000000000000000000000000000000000000000000000000000";
        let hex: String = descriptor().encode().iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, expected.replace(' ', ""));
    }
}
