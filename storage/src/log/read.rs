//! Reading batches: from memory while they are there, else from a segment, with read-ahead for who reads on.
//!
//! Whole batches are given, from the one that contains the wanted offset: at least one, whatever its size
//! (`LogSegment.read`, KIP-74). What comes from a segment is one contiguous slice.

use bytes::Bytes;
use thalweg_protocol::KafkaOffset;
use thalweg_protocol::records::BatchHeader;

use super::lookup::position_before;
use super::piece::SegmentView;
use super::read_cache::Window;
use super::{LogRef, PartitionLog};
use crate::error::StorageError;
use crate::types::GroupId;

/// The least that is read from a segment at once, in bytes.
const READ_SIZE_MIN_BYTES: usize = 64 << 10;

/// What memory knows of an offset.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum MemoryRead {
    /// Whole batches; none at the high watermark.
    Hit(Vec<Bytes>),
    /// They are in a segment: [`read`] waits for the disk.
    Miss,
    /// Before the log's start or behind its end.
    OutOfRange,
}

/// What [`read`] found.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ReadResult {
    /// Whole batches, possibly several in one slice.
    pub batches: Vec<Bytes>,
    /// The offset is before the log's start or behind its end, perhaps only since the caller looked.
    pub out_of_range: bool,
}

impl ReadResult {
    pub fn size_bytes(&self) -> usize {
        self.batches.iter().map(Bytes::len).sum()
    }
}

impl PartitionLog {
    /// Batches from the one that contains `from`, before `up_to`, as far as they are in memory.
    pub fn read_from_memory(&self, from: KafkaOffset, up_to: KafkaOffset, size_max_bytes: usize) -> MemoryRead {
        if from < self.log_start || from > self.next_offset() {
            return MemoryRead::OutOfRange;
        }
        if from >= up_to {
            return MemoryRead::Hit(Vec::new());
        }
        if self.tail.covers(from) {
            return MemoryRead::Hit(self.tail.read(from, up_to, size_max_bytes));
        }
        if from >= self.next_offset() { MemoryRead::Hit(Vec::new()) } else { MemoryRead::Miss }
    }

    /// The segment that holds `offset`, or the first one behind it.
    fn segment_for(&self, offset: KafkaOffset) -> Option<SegmentView> {
        let at = self.segments.partition_point(|segment| segment.content.next_offset <= offset);
        self.segments.get(at).map(|segment| self.view(segment))
    }
}

/// What a reader wants.
#[derive(Clone, Copy)]
struct Wanted {
    group: GroupId,
    from: KafkaOffset,
    up_to: KafkaOffset,
    size_max_bytes: usize,
}

/// As [`PartitionLog::read_from_memory`], waiting for the disk where needed.
///
/// # Errors
/// When the disk fails or a segment is damaged.
pub async fn read(
    log: &LogRef,
    mut from: KafkaOffset,
    up_to: KafkaOffset,
    size_max_bytes: usize,
) -> Result<ReadResult, StorageError> {
    loop {
        let (memory, segment, wanted) = {
            let log = log.borrow();
            let wanted = Wanted { group: log.group, from, up_to, size_max_bytes };
            (log.read_from_memory(from, up_to, size_max_bytes), log.segment_for(from), wanted)
        };
        match (memory, segment) {
            (MemoryRead::Hit(batches), _) => return Ok(ReadResult { batches, out_of_range: false }),
            (MemoryRead::OutOfRange, _) | (MemoryRead::Miss, None) => {
                return Ok(ReadResult { batches: Vec::new(), out_of_range: true });
            }
            (MemoryRead::Miss, Some(segment)) => match read_segment(log, &segment, wanted).await {
                Ok(Some(batches)) => {
                    let batches = if batches.is_empty() { Vec::new() } else { vec![batches] };
                    return Ok(ReadResult { batches, out_of_range: false });
                }
                // Compaction left nothing between here and the segment's end: on to the next one.
                Ok(None) => from = from.max(segment.next_offset),
                // Retention or compaction took the segment while it was being read: look again.
                Err(StorageError::SegmentReplaced { .. }) => {}
                Err(_) if log.borrow().segment_at(segment.base_offset).is_none() => {}
                Err(error) => return Err(error),
            },
        }
    }
}

/// `None` when no batch of the segment reaches the wanted offset.
async fn read_segment(log: &LogRef, segment: &SegmentView, wanted: Wanted) -> Result<Option<Bytes>, StorageError> {
    let shared = std::rc::Rc::clone(&log.borrow().shared);
    if let Some(window) = shared.windows.covering(wanted.group, wanted.from) {
        return carve(segment, &window, wanted).map(Some);
    }
    let reads_on = shared.windows.ending_at(wanted.group, wanted.from);
    let reads_on = reads_on.filter(|window| window.segment == segment.base_offset);
    let read_ahead = shared.limits.read_ahead_bytes;
    let (position, len) = match reads_on {
        Some(window) => (window.next_position, read_ahead.max(wanted.size_max_bytes.min(read_ahead))),
        None => {
            let position = position_before(log, segment.base_offset, wanted.from).await?;
            (position, wanted.size_max_bytes.clamp(READ_SIZE_MIN_BYTES.min(read_ahead), read_ahead))
        }
    };
    let window = read_window(segment, position, len, wanted).await?;
    // Also where nothing was read: the position may be of other files.
    segment.check()?;
    let Some(window) = window else { return Ok(None) };
    shared.windows.put(window.clone());
    carve(segment, &window, wanted).map(Some)
}

/// Reads a window that begins with the batch that contains the wanted offset, or the first behind it: compaction leaves
/// gaps, also at a segment's end. `position` is of a batch at or before it.
async fn read_window(
    segment: &SegmentView,
    mut position: u64,
    len: usize,
    wanted: Wanted,
) -> Result<Option<Window>, StorageError> {
    let mut bytes = segment.read(position, len).await?;
    loop {
        match skip_to(segment, &bytes, position, wanted.from)? {
            Place::Found { at, size } if at + size <= bytes.len() => {
                return window(segment, bytes.slice(at..), position + at as u64, wanted).map(Some);
            }
            // The batch is larger than the window, or cut by its end.
            Place::Found { at, size } => {
                position += at as u64;
                bytes = segment.read(position, size.max(len)).await?;
            }
            Place::Behind { at } => {
                if position + at as u64 >= segment.size_bytes {
                    return segment.nothing_from(wanted.from);
                }
                position += at as u64;
                bytes = segment.read(position, len.max(BatchHeader::LEN)).await?;
            }
        }
    }
}

impl SegmentView {
    /// The segment's batches ended before the offset: only compaction makes that so.
    fn nothing_from(&self, offset: KafkaOffset) -> Result<Option<Window>, StorageError> {
        if self.is_rewritten {
            return Ok(None);
        }
        Err(self.damaged(self.size_bytes, format!("offset {offset} is missing")))
    }
}

enum Place {
    /// The batch with the offset begins here.
    Found { at: usize, size: usize },
    /// It is further on than these bytes; the first batch not looked at begins here.
    Behind { at: usize },
}

fn skip_to(segment: &SegmentView, bytes: &[u8], position: u64, offset: KafkaOffset) -> Result<Place, StorageError> {
    let mut at = 0;
    while let Some(header) = segment.header(bytes, at, position + at as u64)? {
        if header.next_offset() > offset {
            return Ok(Place::Found { at, size: header.size_bytes() });
        }
        at += header.size_bytes();
    }
    Ok(Place::Behind { at })
}

/// Notes which offsets the bytes hold whole. They begin with the batch that contains the wanted offset or, where compaction
/// left a gap, with the first behind it.
fn window(segment: &SegmentView, bytes: Bytes, position: u64, wanted: Wanted) -> Result<Window, StorageError> {
    let (mut at, mut from, mut up_to) = (0, wanted.from, wanted.from);
    while let Some(header) = segment.header(&bytes, at, position + at as u64)? {
        if at + header.size_bytes() > bytes.len() {
            break;
        }
        from = from.min(header.base_offset);
        up_to = header.next_offset();
        at += header.size_bytes();
    }
    let next_position = position + at as u64;
    let group = wanted.group;
    Ok(Window { group, segment: segment.base_offset, position, bytes: bytes.slice(..at), from, up_to, next_position })
}

/// The slice of the window that the reader wanted.
fn carve(segment: &SegmentView, window: &Window, wanted: Wanted) -> Result<Bytes, StorageError> {
    let (mut start, mut at) = (None, 0);
    while let Some(header) = segment.header(&window.bytes, at, window.position + at as u64)? {
        let end = at + header.size_bytes();
        if header.next_offset() > wanted.from {
            let begin = *start.get_or_insert(at);
            let too_much = at > begin && end - begin > wanted.size_max_bytes;
            if header.base_offset >= wanted.up_to || too_much {
                break;
            }
        }
        at = end;
    }
    let start = start.unwrap_or(at);
    Ok(window.bytes.slice(start..at))
}
