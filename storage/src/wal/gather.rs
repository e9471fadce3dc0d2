//! Records that wait for a block. A batch's bytes are shared until they are copied, once, into the block.

use std::collections::VecDeque;

use bytes::Bytes;

use super::frame::{FRAME_HEADER_LEN, FrameKind, put_frame_header};
use super::record::WalRecord;
use crate::types::WalSequence;

/// No record is larger; what the broker takes from the wire is limited far below that.
pub const RECORD_LEN_MAX: usize = 256 << 20;

pub(crate) struct Gather {
    queue: VecDeque<Waiting>,
    /// Bytes of the first record that are in earlier blocks already.
    front_taken: usize,
    /// Payload that all of the queue needs, frame headers included.
    bytes: usize,
    last_sequence: WalSequence,
}

struct Waiting {
    sequence: WalSequence,
    head: Bytes,
    tail: Bytes,
}

impl Waiting {
    fn len(&self) -> usize {
        self.head.len() + self.tail.len()
    }
}

/// What went into one block.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Taken {
    pub(crate) payload_len: usize,
    pub(crate) frames: u32,
    pub(crate) first_sequence: WalSequence,
    pub(crate) last_sequence: WalSequence,
    /// The last record that ends in this block or in one before it.
    pub(crate) complete: WalSequence,
}

impl Gather {
    pub(crate) fn new(last_sequence: WalSequence) -> Self {
        Self { queue: VecDeque::new(), front_taken: 0, bytes: 0, last_sequence }
    }

    pub(crate) fn push(&mut self, record: &WalRecord) -> WalSequence {
        let (head, tail) = record.encode_parts();
        let waiting = Waiting { sequence: self.last_sequence.next(), head: head.freeze(), tail };
        assert!(waiting.len() <= RECORD_LEN_MAX, "a record of {} bytes for the write-ahead log", waiting.len());
        self.bytes += FRAME_HEADER_LEN + waiting.len();
        self.last_sequence = waiting.sequence;
        self.queue.push_back(waiting);
        self.last_sequence
    }

    pub(crate) fn last_sequence(&self) -> WalSequence {
        self.last_sequence
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Payload that a block needs to take everything.
    pub(crate) fn payload_len(&self) -> usize {
        self.bytes
    }

    /// Moves as much as fits into `payload`. There must be something, and room for at least one byte of it.
    pub(crate) fn take(&mut self, payload: &mut [u8]) -> Taken {
        let Some(first_sequence) = self.queue.front().map(|waiting| waiting.sequence) else {
            panic!("nothing to take");
        };
        let capacity = payload.len();
        let mut room = payload;
        let mut taken = Taken {
            payload_len: 0,
            frames: 0,
            first_sequence,
            last_sequence: first_sequence,
            complete: first_sequence.previous(),
        };
        while let Some(front) = self.queue.front() {
            if room.len() <= FRAME_HEADER_LEN {
                break;
            }
            let (starts, left) = (self.front_taken == 0, front.len() - self.front_taken);
            let len = left.min(room.len() - FRAME_HEADER_LEN);
            let ends = len == left;
            copy_part(front, self.front_taken, put_frame_header(room, FrameKind::of(starts, ends), len));
            room = room.get_mut(FRAME_HEADER_LEN + len..).unwrap_or_default();
            taken.frames += 1;
            taken.last_sequence = front.sequence;
            if ends {
                taken.complete = front.sequence;
                self.queue.pop_front();
                self.front_taken = 0;
                self.bytes -= FRAME_HEADER_LEN + len;
            } else {
                self.front_taken += len;
                self.bytes -= len; // its next frame needs a header again
            }
        }
        taken.payload_len = capacity - room.len();
        assert!(taken.frames > 0, "a block without room for a frame: {capacity} bytes");
        taken
    }
}

/// Copies `to.len()` bytes of the record, from its byte `from` on.
fn copy_part(record: &Waiting, from: usize, to: &mut [u8]) {
    let from_head = record.head.get(from..).unwrap_or_default();
    let head_len = from_head.len().min(to.len());
    let (to_head, to_tail) = to.split_at_mut(head_len);
    to_head.copy_from_slice(from_head.get(..head_len).unwrap_or_default());
    let start = from.saturating_sub(record.head.len());
    to_tail.copy_from_slice(record.tail.get(start..start + to_tail.len()).unwrap_or_default());
}
