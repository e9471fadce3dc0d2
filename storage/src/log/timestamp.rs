//! Offsets by timestamp, as ListOffsets asks for them.

use bytes::Bytes;
use thalweg_protocol::records::{BatchHeader, BatchView, Record};
use thalweg_protocol::{KafkaOffset, LeaderEpoch, TimestampMs};

use super::lookup::{offset_before, position_before};
use super::piece::Scan;
use super::{FileKind, LogRef, PartitionLog, file_path};
use crate::error::StorageError;

/// The most that one batch may decompress to while it is searched.
const DECOMPRESSED_MAX_BYTES: usize = 256 << 20;
const SCAN_CHUNK_BYTES: usize = 64 << 10;

/// A record's timestamp, offset and leader epoch.
pub type TimestampedOffset = (TimestampMs, KafkaOffset, LeaderEpoch);

/// The first committed record with a timestamp at or after `at` (`UnifiedLog.fetchOffsetByTimestamp`).
///
/// # Errors
/// When the disk fails or a segment is damaged.
pub async fn lookup_timestamp(log: &LogRef, at: TimestampMs) -> Result<Option<TimestampedOffset>, StorageError> {
    loop {
        let (segment, log_start) = {
            let log = log.borrow();
            (log.first_segment_as_new_as(at), log.log_start)
        };
        let Some(base) = segment else { return Ok(log.borrow().lookup_in_memory(at)) };
        match search_segment(log, base, log_start, at).await {
            // Compaction or retention took the segment meanwhile.
            Err(StorageError::SegmentReplaced { .. }) => {}
            Err(_) if log.borrow().segment_at(base).is_none() => {}
            Ok(None) if log.borrow().segment_at(base).is_none() => {}
            // Its newest record is before the log's start: only younger segments and memory are left.
            Ok(None) => match search_behind(log, base, log_start, at).await {
                Err(StorageError::SegmentReplaced { .. }) => {}
                found => return found,
            },
            found => return found,
        }
    }
}

async fn search_behind(
    log: &LogRef,
    base: KafkaOffset,
    log_start: KafkaOffset,
    at: TimestampMs,
) -> Result<Option<TimestampedOffset>, StorageError> {
    let later: Vec<KafkaOffset> = {
        let log = log.borrow();
        let later = log.segments.iter().filter(|segment| segment.base_offset > base);
        later.filter(|segment| segment.content.max_timestamp >= at).map(|segment| segment.base_offset).collect()
    };
    for base in later {
        if let Some(found) = search_segment(log, base, log_start, at).await? {
            return Ok(Some(found));
        }
    }
    Ok(log.borrow().lookup_in_memory(at))
}

/// `LogSegment.findOffsetByTimestamp`: the time index narrows it down, then batches and records are looked at.
async fn search_segment(
    log: &LogRef,
    base: KafkaOffset,
    log_start: KafkaOffset,
    at: TimestampMs,
) -> Result<Option<TimestampedOffset>, StorageError> {
    // Looked at first: if compaction replaces the segment, the places that its indexes gave are not of these files.
    let view = {
        let log = log.borrow();
        let gone = || StorageError::SegmentReplaced { file: file_path(&log.descriptor.dir, base, FileKind::Log) };
        log.view(log.segment_at(base).ok_or_else(gone)?)
    };
    let from = offset_before(log, base, at).await?.max(log_start);
    let position = position_before(log, base, from).await?;
    view.check()?;
    let mut scan = Scan::new(view.clone(), position, SCAN_CHUNK_BYTES);
    while let Some((header, position)) = scan.next().await? {
        if header.max_timestamp < at || header.next_offset() <= log_start {
            continue;
        }
        let batch = scan.batch(&header, position).await?;
        let found = first_record(&header, &batch, log_start, |timestamp| timestamp >= at);
        if let Some(found) = found.map_err(|problem| view.damaged(position, problem))? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// The first record from `from` on whose timestamp is wanted.
fn first_record(
    header: &BatchHeader,
    batch: &Bytes,
    from: KafkaOffset,
    wanted: impl Fn(TimestampMs) -> bool,
) -> Result<Option<TimestampedOffset>, String> {
    let view = BatchView::first(batch).map_err(|error| error.to_string())?;
    for record in view.records(DECOMPRESSED_MAX_BYTES).map_err(|error| error.to_string())? {
        let (timestamp, offset) = place_of(&record.map_err(|error| error.to_string())?, header);
        if offset >= from && wanted(timestamp) {
            return Ok(Some((timestamp, offset, header.leader_epoch)));
        }
    }
    Ok(None)
}

fn place_of(record: &Record, header: &BatchHeader) -> (TimestampMs, KafkaOffset) {
    (record.timestamp, header.base_offset.plus(i64::from(record.offset_delta)))
}

/// The first committed record with the newest timestamp of all (`ListOffsetsRequest.MAX_TIMESTAMP`, KIP-734).
///
/// # Errors
/// When the disk fails or a segment is damaged.
pub async fn lookup_max_timestamp(log: &LogRef) -> Result<Option<TimestampedOffset>, StorageError> {
    let newest = log.borrow().max_timestamp();
    if newest.0 < 0 {
        return Ok(None);
    }
    lookup_timestamp(log, newest).await
}

impl PartitionLog {
    /// Of all committed records that can be read or are in a segment with such; -1 if there is none.
    pub fn max_timestamp(&self) -> TimestampMs {
        let in_segments = self.segments.iter().map(|segment| segment.content.max_timestamp).max();
        let in_memory = self.committed_batches().map(|(header, _)| header.max_timestamp).max();
        in_segments.max(in_memory).unwrap_or(TimestampMs::NONE)
    }

    fn first_segment_as_new_as(&self, at: TimestampMs) -> Option<KafkaOffset> {
        let mut readable = self.segments.iter().filter(|segment| segment.content.next_offset > self.log_start);
        readable.find(|segment| segment.content.max_timestamp >= at).map(|segment| segment.base_offset)
    }

    /// Committed batches that no segment holds yet.
    pub(super) fn committed_batches(&self) -> impl Iterator<Item = (BatchHeader, &Bytes)> {
        let unflushed = self.tail.from(self.flushed.index.next()).take_while(|entry| entry.entry.index <= self.commit);
        let batches = unflushed.filter(|entry| entry.is_batch());
        batches.filter_map(|entry| BatchHeader::parse(&entry.entry.data).ok().map(|header| (header, &entry.entry.data)))
    }

    fn lookup_in_memory(&self, at: TimestampMs) -> Option<TimestampedOffset> {
        let candidates = self.committed_batches().filter(|(header, _)| header.max_timestamp >= at);
        // They were checked before they were appended.
        let mut found = candidates.filter_map(|(header, batch)| {
            first_record(&header, batch, self.log_start, |time| time >= at).ok().flatten()
        });
        found.next()
    }
}
