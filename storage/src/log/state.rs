//! One log as a checkpoint remembers it. Format: `docs/formats/checkpoint.md`.

use std::rc::Rc;

use bytes::{BufMut as _, BytesMut};
use thalweg_protocol::{KafkaOffset, ProducerId, TimestampMs};

use super::block_tail::BlockTail;
use super::segment::{Identity, Rewritten};
use super::shared::CoreShared;
use super::transactions::Transactions;
use super::{Active, Content, LogConfig, LogDescriptor, LogPoint, PartitionLog, ProducerState, RaftOnly, Segment};
use super::{OffsetMap, TermStart, Terms};
use crate::codec::{CodecError, Reader, WriteExt as _};
use crate::types::{EntryKind, GroupId, HardState, LogEntry, RaftIndex, Term};

/// The first version of the checkpoint that knows of transactions.
const WITH_TRANSACTIONS: u16 = 2;

const SEALED: u8 = 0;
const ACTIVE: u8 = 1;
/// Sealed, and written anew by compaction: its generation follows.
const REWRITTEN: u8 = 2;
/// The same, and all before its end was compared with it.
const CLEANED: u8 = 3;

impl PartitionLog {
    /// Everything but the bytes that are in files: fragments and the entries behind them are here.
    pub(crate) fn encode_state(&self, out: &mut BytesMut) {
        out.put_u64_le(self.group.0);
        out.put_prefixed(&self.descriptor.encode());
        encode_hard_state(&self.hard_state, out);
        out.put_i64_le(self.log_start.0);
        self.compacted.encode(out);
        self.flushed.encode(out);
        out.put_u64_le(self.commit.0);
        let flushed_terms = self.terms.starts().iter().filter(|start| start.index <= self.flushed.index);
        out.put_count(flushed_terms.clone().count());
        flushed_terms.for_each(|start| encode_term(start, out));
        out.put_count(self.offset_map.entries().len());
        for held in self.offset_map.entries() {
            encode_entry(&held.entry, out);
            out.put_i64_le(held.offset.0);
        }
        out.put_count(self.segments.len());
        self.segments.iter().for_each(|segment| segment.encode(out));
        self.committed_producers().encode(out);
        let open = self.flushed_transactions.open();
        out.put_count(open.len());
        for (producer, first_offset) in open {
            out.put_i64_le(producer.0);
            out.put_i64_le(first_offset.0);
        }
        let unflushed = self.tail.from(self.flushed.index.next());
        out.put_count(self.tail.len_from(self.flushed.index.next()));
        unflushed.for_each(|entry| encode_entry(&entry.entry, out));
    }

    /// `version` is the checkpoint's.
    pub(crate) fn decode_state(
        reader: &mut Reader,
        version: u16,
        config: &Rc<LogConfig>,
        shared: &Rc<CoreShared>,
    ) -> Result<Self, CodecError> {
        let group = GroupId(reader.u64("group")?);
        let descriptor = LogDescriptor::decode(reader.bytes("descriptor")?)?;
        let mut log = Self::new(group, descriptor, Rc::clone(config), Rc::clone(shared));
        log.hard_state = decode_hard_state(reader)?;
        log.log_start = KafkaOffset(reader.i64("log start")?);
        log.compacted = LogPoint::decode(reader)?;
        log.flushed = LogPoint::decode(reader)?;
        let commit = RaftIndex(reader.u64("commit index")?);
        log.terms = Terms::from_starts(list(reader, 24, "terms", decode_term)?);
        log.offset_map = OffsetMap::from_entries(list(reader, 29, "Raft-only entries", decode_raft_only)?);
        log.segments = list(reader, 73, "segments", |reader| Segment::decode(reader, version))?.into();
        let producers = ProducerState::decode(reader)?;
        let open = if version < WITH_TRANSACTIONS {
            let before = |(_, first): &(ProducerId, KafkaOffset)| *first < log.flushed.next_offset;
            producers.open_transactions().into_iter().filter(before).collect()
        } else {
            list(reader, 16, "open transactions", decode_open)?
        };
        log.flushed_producers = producers.newest_before(log.flushed.next_offset, &open);
        log.flushed_transactions = Transactions::begun(&open);
        log.transactions = log.flushed_transactions.clone();
        log.commit = log.flushed.index;
        log.high_watermark = log.flushed.next_offset;
        let tail = list(reader, 21, "entries", decode_entry)?;
        log.restore_tail(tail, commit, producers)?;
        Ok(log)
    }

    /// The snapshot of the producers is as of the commit index; what lies behind is recorded again.
    fn restore_tail(
        &mut self,
        tail: Vec<LogEntry>,
        commit: RaftIndex,
        producers: ProducerState,
    ) -> Result<(), CodecError> {
        self.producers = producers.clone();
        let mut is_committed = true;
        for entry in tail {
            let index = entry.index;
            if is_committed && index > commit {
                is_committed = false;
                self.producers = producers.clone();
            }
            self.try_append(entry).map_err(|_| CodecError::BadValue { what: "entry", found: index.0 })?;
        }
        if commit > self.last_index() || commit < self.flushed.index {
            return Err(CodecError::BadValue { what: "commit index", found: commit.0 });
        }
        self.commit(commit);
        if is_committed {
            self.producers = producers;
        }
        self.disk_state.incomplete = false;
        Ok(())
    }
}

impl Segment {
    fn encode(&self, out: &mut BytesMut) {
        out.put_i64_le(self.base_offset.0);
        out.put_u64_le(self.base_index.0);
        out.put_i64_le(self.created.0);
        let content = &self.content;
        out.put_i64_le(content.next_offset.0);
        out.put_u64_le(content.size_bytes);
        out.put_i64_le(content.first_timestamp.0);
        out.put_i64_le(content.max_timestamp.0);
        out.put_i64_le(content.max_timestamp_offset.0);
        out.put_u64_le(content.unindexed_bytes);
        out.put_i64_le(content.indexed_timestamp.0);
        out.put_u32_le(content.aborted);
        let Some(active) = &self.active else {
            let Rewritten { generation, cleaned, .. } = self.rewritten;
            if generation == 0 {
                return out.put_u8(SEALED);
            }
            out.put_u8(if cleaned { CLEANED } else { REWRITTEN });
            return out.put_u32_le(generation);
        };
        out.put_u8(ACTIVE);
        for file in &active.files {
            out.put_u64_le(file.written);
            out.put_prefixed(&file.fragment);
        }
    }

    fn decode(reader: &mut Reader, version: u16) -> Result<Self, CodecError> {
        let base_offset = KafkaOffset(reader.i64("base offset")?);
        let base_index = RaftIndex(reader.u64("base index")?);
        let created = TimestampMs(reader.i64("creation time")?);
        let content = Content {
            next_offset: KafkaOffset(reader.i64("next offset")?),
            size_bytes: reader.u64("segment size")?,
            first_timestamp: TimestampMs(reader.i64("first timestamp")?),
            max_timestamp: TimestampMs(reader.i64("newest timestamp")?),
            max_timestamp_offset: KafkaOffset(reader.i64("offset of the newest timestamp")?),
            unindexed_bytes: reader.u64("bytes not indexed")?,
            indexed_timestamp: TimestampMs(reader.i64("indexed timestamp")?),
            aborted: if version < WITH_TRANSACTIONS { 0 } else { reader.u32("aborted transactions")? },
        };
        let mut rewritten = Rewritten::default();
        let active = match reader.u8("segment kind")? {
            SEALED => None,
            kind @ (REWRITTEN | CLEANED) => {
                let generation = reader.u32("segment generation")?;
                rewritten = Rewritten { generation, cleaned: kind == CLEANED, in_place: false };
                None
            }
            ACTIVE => Some(Box::new(decode_active(reader, content.size_bytes, version)?)),
            other => return Err(CodecError::BadValue { what: "segment kind", found: u64::from(other) }),
        };
        let identity = Identity::default();
        Ok(Self { base_offset, base_index, created, content, active, rewritten, identity })
    }
}

fn decode_active(reader: &mut Reader, size_bytes: u64, version: u16) -> Result<Active, CodecError> {
    let mut active = Active::default();
    let files = if version < WITH_TRANSACTIONS { 3 } else { active.files.len() };
    for file in active.files.iter_mut().take(files) {
        let written = reader.u64("written bytes")?;
        if !written.is_multiple_of(crate::io::BLOCK_SIZE_BYTES as u64) {
            return Err(CodecError::BadValue { what: "written bytes", found: written });
        }
        // Memory of its own: the whole checkpoint must not stay because of it.
        let fragment = bytes::Bytes::copy_from_slice(&reader.bytes("fragment")?);
        *file = BlockTail { written, fragment };
    }
    let found = active.file(super::FileKind::Log).len();
    if found != size_bytes {
        return Err(CodecError::BadValue { what: "size of the active segment", found });
    }
    Ok(active)
}

fn decode_open(reader: &mut Reader) -> Result<(ProducerId, KafkaOffset), CodecError> {
    Ok((ProducerId(reader.i64("producer id")?), KafkaOffset(reader.i64("transaction offset")?)))
}

fn encode_hard_state(state: &HardState, out: &mut BytesMut) {
    out.put_u64_le(state.term.0);
    out.put_u64_le(state.vote);
    out.put_u64_le(state.commit.0);
}

fn decode_hard_state(reader: &mut Reader) -> Result<HardState, CodecError> {
    Ok(HardState {
        term: Term(reader.u64("term")?),
        vote: reader.u64("vote")?,
        commit: RaftIndex(reader.u64("commit hint")?),
    })
}

fn encode_term(start: &TermStart, out: &mut BytesMut) {
    out.put_u64_le(start.term.0);
    out.put_u64_le(start.index.0);
    out.put_i64_le(start.offset.0);
}

fn decode_term(reader: &mut Reader) -> Result<TermStart, CodecError> {
    Ok(TermStart {
        term: Term(reader.u64("term")?),
        index: RaftIndex(reader.u64("first index of a term")?),
        offset: KafkaOffset(reader.i64("first offset of a term")?),
    })
}

fn encode_entry(entry: &LogEntry, out: &mut BytesMut) {
    out.put_u64_le(entry.index.0);
    out.put_u64_le(entry.term.0);
    out.put_u8(entry.kind as u8);
    out.put_prefixed(&entry.data);
}

fn decode_entry(reader: &mut Reader) -> Result<LogEntry, CodecError> {
    Ok(LogEntry {
        index: RaftIndex(reader.u64("entry index")?),
        term: Term(reader.u64("entry term")?),
        kind: decode_kind(reader.u8("entry kind")?)?,
        data: bytes::Bytes::copy_from_slice(&reader.bytes("entry data")?),
    })
}

fn decode_kind(kind: u8) -> Result<EntryKind, CodecError> {
    [EntryKind::Batch, EntryKind::Noop, EntryKind::Membership]
        .into_iter()
        .find(|known| *known as u8 == kind)
        .ok_or(CodecError::BadValue { what: "entry kind", found: u64::from(kind) })
}

fn decode_raft_only(reader: &mut Reader) -> Result<RaftOnly, CodecError> {
    Ok(RaftOnly { entry: decode_entry(reader)?, offset: KafkaOffset(reader.i64("offset")?) })
}

fn list<T>(
    reader: &mut Reader,
    least_bytes: usize,
    what: &'static str,
    decode: impl Fn(&mut Reader) -> Result<T, CodecError>,
) -> Result<Vec<T>, CodecError> {
    let count = reader.count(least_bytes, what)?;
    (0..count).map(|_| decode(reader)).collect()
}
