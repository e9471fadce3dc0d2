//! The lanes of one consumer, so that a partition goes from one to another when its leader changes.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::Partition;

/// A partition on its way to its leader's lane, and the offset from which it is read.
pub(super) type Moving = (Partition, i64);

/// By leader, what its lane is to take over.
#[derive(Default)]
pub(super) struct Peers(Mutex<BTreeMap<i32, Vec<Moving>>>);

impl Peers {
    /// There is a lane for this leader from now on.
    pub(super) fn join(&self, leader: i32) {
        self.lock().entry(leader).or_default();
    }

    pub(super) fn has(&self, leader: i32) -> bool {
        self.lock().contains_key(&leader)
    }

    pub(super) fn give(&self, leader: i32, moving: Moving) {
        self.lock().entry(leader).or_default().push(moving);
    }

    pub(super) fn take(&self, leader: i32) -> Vec<Moving> {
        self.lock().get_mut(&leader).map(std::mem::take).unwrap_or_default()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<i32, Vec<Moving>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
