//! Indexes of segments that were searched lately, whole, within a budget per core.

use std::cell::RefCell;
use std::collections::VecDeque;

use bytes::Bytes;
use thalweg_protocol::KafkaOffset;

use super::segment::FileKind;
use crate::types::GroupId;

/// Which index of which segment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct IndexKey {
    pub(crate) group: GroupId,
    pub(crate) base: KafkaOffset,
    pub(crate) kind: FileKind,
}

pub(crate) struct IndexCache {
    budget_bytes: usize,
    /// The most recently used last. Few: one per segment that somebody reads from behind.
    held: RefCell<VecDeque<(IndexKey, Bytes)>>,
}

impl IndexCache {
    pub(super) fn new(budget_bytes: usize) -> Self {
        Self { budget_bytes, held: RefCell::default() }
    }

    /// An index of at least `len` bytes: the active segment's grows.
    pub(super) fn get(&self, key: IndexKey, len: u64) -> Option<Bytes> {
        let mut held = self.held.borrow_mut();
        let at = held.iter().rposition(|(other, bytes)| *other == key && bytes.len() as u64 >= len)?;
        let found = held.remove(at)?;
        let bytes = found.1.clone();
        held.push_back(found);
        Some(bytes)
    }

    pub(super) fn put(&self, key: IndexKey, bytes: Bytes) {
        let mut held = self.held.borrow_mut();
        held.retain(|(other, _)| *other != key);
        held.push_back((key, bytes));
        let mut total: usize = held.iter().map(|(_, bytes)| bytes.len()).sum();
        while total > self.budget_bytes && held.len() > 1 {
            total -= held.pop_front().map_or(0, |(_, bytes)| bytes.len());
        }
    }

    pub(crate) fn forget(&self, group: GroupId, gone: impl Fn(KafkaOffset) -> bool) {
        self.held.borrow_mut().retain(|(key, _)| key.group != group || !gone(key.base));
    }
}
