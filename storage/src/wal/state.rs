//! What the log knows in memory: the gathered records, the writes in flight, the files.

use std::collections::VecDeque;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Waker;

use super::WalConfig;
use super::block::{BlockHeader, HEADER_LEN, size_bytes};
use super::file::WalFile;
use super::frame::FRAME_HEADER_LEN;
use super::gather::{Gather, Taken};
use super::wait::Waiters;
use crate::io::{BLOCK_SIZE_BYTES, Disk, DmaBuffer};
use crate::types::WalSequence;

pub(crate) struct State {
    pub(crate) gather: Gather,
    pub(crate) durable: WalSequence,
    pub(crate) waiters: Waiters,
    pub(crate) flush_wanted: bool,
    pub(crate) closed: bool,
    /// `run` has returned.
    pub(crate) ended: bool,
    pub(crate) poison: Option<Arc<io::Error>>,
    /// The last attempt to make room on the disk failed; tried again at every flush and trim.
    pub(crate) disk_full: bool,
    next_block: u64,
    durable_block: u64,
    /// `durable_block` of the last block written.
    marked_block: u64,
    /// The closing mark was written.
    marked: bool,
    in_flight: VecDeque<InFlight>,
    in_flight_bytes: usize,
    /// Files left behind that hold records still needed, oldest first.
    sealed: VecDeque<Sealed>,
    pub(crate) current: Current,
    /// Ready to follow the current one; their numbers rise.
    pub(crate) spares: VecDeque<Rc<WalFile>>,
    /// Not needed any more; to be given new numbers.
    pub(crate) recycled: Vec<Rc<WalFile>>,
    pub(crate) next_file_number: u64,
    pub(crate) files_total: usize,
}

pub(crate) struct Current {
    pub(crate) file: Rc<WalFile>,
    pub(crate) position: u64,
    first_block: u64,
    last_sequence: WalSequence,
}

pub(crate) struct Sealed {
    pub(crate) file: Rc<WalFile>,
    /// The last record that has a part in this file.
    pub(crate) last_sequence: WalSequence,
}

struct InFlight {
    block: u64,
    complete: WalSequence,
    len: usize,
    done: bool,
}

/// A block to be written.
pub(crate) struct BlockWrite {
    pub(crate) block: u64,
    pub(crate) file: Rc<WalFile>,
    pub(crate) position: u64,
    pub(crate) buffer: DmaBuffer,
}

/// What recovery found, and where the log goes on.
pub(crate) struct Beginning {
    pub(crate) last_sequence: WalSequence,
    pub(crate) last_block: u64,
    pub(crate) sealed: VecDeque<Sealed>,
    pub(crate) current: Rc<WalFile>,
    pub(crate) spares: VecDeque<Rc<WalFile>>,
    pub(crate) next_file_number: u64,
}

impl State {
    pub(crate) fn new(beginning: Beginning) -> Self {
        let Beginning { last_sequence, last_block, sealed, current, spares, next_file_number } = beginning;
        let files_total = sealed.len() + 1 + spares.len();
        Self {
            gather: Gather::new(last_sequence),
            durable: last_sequence,
            waiters: Waiters::default(),
            flush_wanted: false,
            closed: false,
            ended: false,
            poison: None,
            disk_full: false,
            next_block: last_block + 1,
            durable_block: last_block,
            marked_block: last_block,
            marked: false,
            in_flight: VecDeque::new(),
            in_flight_bytes: 0,
            sealed,
            current: Current { file: current, position: 0, first_block: last_block + 1, last_sequence },
            spares,
            recycled: Vec::new(),
            next_file_number,
            files_total,
        }
    }

    pub(crate) fn gathered_bytes(&self) -> usize {
        self.gather.payload_len() + self.in_flight_bytes
    }

    pub(crate) fn used_bytes(&self, config: &WalConfig) -> u64 {
        self.sealed.len() as u64 * config.file_size_bytes + self.current.position
    }

    /// Bytes of the current file that may be written now.
    fn room(&self, config: &WalConfig) -> u64 {
        let end = self.current.file.zeroed_bytes.get().min(config.file_size_bytes);
        end.saturating_sub(self.current.position)
    }

    pub(crate) fn is_full(&self, config: &WalConfig) -> bool {
        let no_more_files = self.disk_full || self.files_total >= config.files_max;
        self.room(config) < BLOCK_SIZE_BYTES as u64
            && self.spares.is_empty()
            && self.recycled.is_empty()
            && no_more_files
    }

    pub(crate) fn trim(&mut self, sequence: WalSequence) {
        while self.sealed.front().is_some_and(|oldest| oldest.last_sequence <= sequence) {
            self.recycled.extend(self.sealed.pop_front().map(|oldest| oldest.file));
        }
    }

    /// The next block, if there is something to write and a place for it.
    pub(crate) fn next_write(&mut self, disk: &dyn Disk, config: &WalConfig) -> Option<BlockWrite> {
        if !self.flush_wanted || self.gather.is_empty() || self.in_flight.len() >= config.writes_in_flight_max {
            return None;
        }
        let wanted = size_bytes(self.gather.payload_len()).min(config.block_size_max_bytes) as u64;
        let len = self.place(wanted, config)? as usize;
        let mut buffer = disk.allocate(len);
        let payload = buffer.as_mut_slice().get_mut(HEADER_LEN..).unwrap_or_default();
        let taken = self.gather.take(payload);
        payload.get_mut(taken.payload_len..).unwrap_or_default().fill(0);
        if self.gather.is_empty() {
            self.flush_wanted = false;
        }
        Some(self.block(taken, buffer))
    }

    /// A block without records that says the rest of the log is durable; written when the log is closed, so that rot in
    /// the very last block is not taken for a torn tail.
    pub(crate) fn closing_mark(&mut self, disk: &dyn Disk, config: &WalConfig) -> Option<BlockWrite> {
        let page = BLOCK_SIZE_BYTES;
        if self.marked || self.marked_block == self.durable_block || self.room(config) < page as u64 {
            return None;
        }
        self.marked = true;
        let last_sequence = self.gather.last_sequence();
        let first_sequence = last_sequence.next();
        let taken = Taken { payload_len: 0, frames: 0, first_sequence, last_sequence, complete: last_sequence };
        let mut buffer = disk.allocate(page);
        buffer.as_mut_slice().fill(0);
        Some(self.block(taken, buffer))
    }

    /// How many of `wanted` bytes may be written at the current position now; goes to the next file when this one is
    /// used up, or cannot be zeroed further.
    fn place(&mut self, wanted: u64, config: &WalConfig) -> Option<u64> {
        const PAGE: u64 = BLOCK_SIZE_BYTES as u64;
        if self.room(config) < PAGE {
            let at_end = config.file_size_bytes - self.current.position < PAGE;
            let spare_has_room = self.spares.front().is_some_and(|spare| spare.zeroed_bytes.get() >= PAGE);
            if at_end || (self.disk_full && spare_has_room) {
                self.next_file()?;
            }
        }
        let room = self.room(config);
        (room >= PAGE).then_some(wanted.min(room)) // else the filler is on its way
    }

    fn next_file(&mut self) -> Option<()> {
        let file = self.spares.pop_front()?;
        assert!(file.number > self.current.file.number, "file numbers rise");
        let last_sequence = self.current.last_sequence;
        let next = Current { file, position: 0, first_block: self.next_block, last_sequence };
        let left = std::mem::replace(&mut self.current, next);
        self.sealed.push_back(Sealed { file: left.file, last_sequence });
        Some(())
    }

    fn block(&mut self, taken: Taken, mut buffer: DmaBuffer) -> BlockWrite {
        let (block, position) = (self.next_block, self.current.position);
        let header = BlockHeader {
            file: self.current.file.number,
            page: (position / BLOCK_SIZE_BYTES as u64) as u32,
            block,
            file_first_block: self.current.first_block,
            durable_block: self.durable_block,
            first_sequence: taken.first_sequence.0,
            last_sequence: taken.last_sequence.0,
            frames: taken.frames,
            payload_len: taken.payload_len as u32,
        };
        header.seal(buffer.as_mut_slice());
        assert!(header.size_bytes() == buffer.len(), "a block fills its buffer: recovery goes on behind it");
        self.next_block += 1;
        self.marked_block = self.durable_block;
        self.current.position += buffer.len() as u64;
        self.current.last_sequence = self.current.last_sequence.max(taken.last_sequence);
        self.in_flight_bytes += buffer.len();
        self.in_flight.push_back(InFlight { block, complete: taken.complete, len: buffer.len(), done: false });
        BlockWrite { block, file: Rc::clone(&self.current.file), position, buffer }
    }

    /// A block is on the device. Acknowledges it and those behind it that were done before, in order.
    pub(crate) fn written(&mut self, block: u64) -> Vec<Waker> {
        let before = self.durable;
        if let Some(write) = self.in_flight.iter_mut().find(|write| write.block == block) {
            write.done = true;
        }
        while self.in_flight.front().is_some_and(|write| write.done) {
            let Some(first) = self.in_flight.pop_front() else { break };
            assert!(first.block == self.durable_block + 1, "blocks are acknowledged in order");
            self.durable_block = first.block;
            self.durable = self.durable.max(first.complete);
            self.in_flight_bytes -= first.len;
        }
        assert!(self.durable <= self.gather.last_sequence(), "durable before it was appended");
        if self.durable > before { self.waiters.satisfied(self.durable) } else { Vec::new() }
    }

    /// Room that the filler should prepare: the next file, once a quarter of this one is used.
    pub(crate) fn wants_spare(&self, config: &WalConfig) -> bool {
        self.spares.is_empty()
            && self.files_total < config.files_max
            && self.current.position >= config.file_size_bytes / 4
    }
}

const _: () =
    assert!(HEADER_LEN + FRAME_HEADER_LEN < BLOCK_SIZE_BYTES, "a page holds a block with a record's first byte");
