//! Pieces of segments that were read from the disk: what read-ahead fetched waits here for the reader to come.

use std::cell::RefCell;
use std::collections::VecDeque;

use bytes::Bytes;
use thalweg_protocol::KafkaOffset;

use crate::types::GroupId;

/// A piece of one segment that begins with a whole batch.
#[derive(Clone, Debug)]
pub(crate) struct Window {
    pub(crate) group: GroupId,
    pub(crate) segment: KafkaOffset,
    /// Of the first byte, in the segment.
    pub(crate) position: u64,
    pub(crate) bytes: Bytes,
    /// Offsets of the whole batches in it.
    pub(crate) from: KafkaOffset,
    pub(crate) up_to: KafkaOffset,
    /// Where in the segment the batch with offset `up_to` begins: a reader who comes for it is reading on.
    pub(crate) next_position: u64,
}

/// The windows of one core, within a budget.
pub(crate) struct ReadCache {
    budget_bytes: usize,
    /// The most recently used last; few, since each is large.
    windows: RefCell<VecDeque<Window>>,
}

impl ReadCache {
    pub(super) fn new(budget_bytes: usize) -> Self {
        Self { budget_bytes, windows: RefCell::default() }
    }

    pub(super) fn covering(&self, group: GroupId, offset: KafkaOffset) -> Option<Window> {
        self.find(|window| window.group == group && window.from <= offset && offset < window.up_to)
    }

    /// The window that ends where a reader goes on.
    pub(super) fn ending_at(&self, group: GroupId, offset: KafkaOffset) -> Option<Window> {
        self.find(|window| window.group == group && window.up_to == offset)
    }

    fn find(&self, wanted: impl Fn(&Window) -> bool) -> Option<Window> {
        let mut windows = self.windows.borrow_mut();
        let at = windows.iter().rposition(wanted)?;
        let window = windows.remove(at)?;
        windows.push_back(window.clone());
        Some(window)
    }

    pub(super) fn put(&self, window: Window) {
        let mut windows = self.windows.borrow_mut();
        windows.push_back(window);
        let mut total: usize = windows.iter().map(|window| window.bytes.len()).sum();
        while total > self.budget_bytes && windows.len() > 1 {
            total -= windows.pop_front().map_or(0, |window| window.bytes.len());
        }
    }

    #[cfg(test)]
    pub(crate) fn total_bytes(&self) -> usize {
        self.windows.borrow().iter().map(|window| window.bytes.len()).sum()
    }

    pub(crate) fn forget(&self, group: GroupId, gone: impl Fn(KafkaOffset) -> bool) {
        self.windows.borrow_mut().retain(|window| window.group != group || !gone(window.segment));
    }
}
