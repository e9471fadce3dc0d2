//! The share-partitions of one core, and who waits for them. What drives them is in `reactor/share.rs`.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::{Rc, Weak};

use futures::channel::oneshot;
use thalweg_protocol::StrBytes;
use thalweg_protocol::error::ErrorCode;
use thalweg_storage::types::GroupId;

use super::partition::{KeptState, ShareLimits, SharePartition, StateChange};
use crate::coordinator::share::StateKey;
use crate::reactor::Signal;

/// Changes that go into one write, and who waits for it.
pub type Changes = Vec<(StateChange, oneshot::Sender<Result<(), ErrorCode>>)>;

/// By the partition's Raft group and the share group's id. Owned by one core.
#[derive(Default)]
pub struct SharePartitions {
    hosted: RefCell<HashMap<(GroupId, StrBytes), Rc<Hosted>>>,
}

/// A share-partition on the core that owns the partition.
pub struct Hosted {
    pub key: StateKey,
    /// The partition's Raft group.
    pub group: GroupId,
    state: RefCell<State>,
    pub state_epoch: Cell<i32>,
    /// Raised once it was read, or could not be.
    pub ready: Signal,
    /// What is to be written next. One write is under way at a time: they take effect in this order.
    queue: RefCell<Changes>,
    writing: Cell<bool>,
    /// Fetches that wait for records.
    watchers: RefCell<Vec<Weak<Signal>>>,
}

enum State {
    Loading,
    Here(SharePartition),
    /// Whoever still has it must look for it again.
    Gone(ErrorCode),
}

impl SharePartitions {
    pub fn get(&self, group: GroupId, share_group: &StrBytes) -> Option<Rc<Hosted>> {
        self.hosted.borrow().get(&(group, share_group.clone())).cloned()
    }

    pub fn count(&self) -> usize {
        self.hosted.borrow().len()
    }

    /// Takes in a share-partition that is to be loaded.
    pub fn host(&self, group: GroupId, key: StateKey) -> Rc<Hosted> {
        let hosted = Rc::new(Hosted {
            group,
            state: RefCell::new(State::Loading),
            state_epoch: Cell::new(0),
            ready: Signal::default(),
            queue: RefCell::default(),
            writing: Cell::new(false),
            watchers: RefCell::default(),
            key,
        });
        self.hosted.borrow_mut().insert((group, hosted.key.group.clone()), Rc::clone(&hosted));
        hosted
    }

    pub fn all(&self) -> Vec<Rc<Hosted>> {
        self.hosted.borrow().values().cloned().collect()
    }

    /// Forgets those that `gone` says, and tells who waits for them.
    pub fn remove(&self, code: ErrorCode, gone: impl Fn(&Hosted) -> bool) {
        let removed: Vec<Rc<Hosted>> = {
            let mut hosted = self.hosted.borrow_mut();
            let keys: Vec<_> = hosted.iter().filter(|(_, it)| gone(it)).map(|(key, _)| key.clone()).collect();
            keys.iter().filter_map(|key| hosted.remove(key)).collect()
        };
        removed.iter().for_each(|hosted| hosted.end(code));
    }
}

impl Hosted {
    pub fn is_loading(&self) -> bool {
        matches!(*self.state.borrow(), State::Loading)
    }

    /// Goes on from what was kept.
    pub fn begin(&self, kept: &KeptState, limits: ShareLimits) {
        let mut state = self.state.borrow_mut();
        if matches!(*state, State::Loading) {
            self.state_epoch.set(kept.state_epoch);
            *state = State::Here(SharePartition::new(kept, limits));
        }
        drop(state);
        self.ready.raise();
    }

    fn end(&self, code: ErrorCode) {
        *self.state.borrow_mut() = State::Gone(code);
        self.ready.raise();
        self.wake();
    }

    /// Nobody has records of it, and nothing is being written: it can be read again when somebody asks.
    pub fn is_idle(&self) -> bool {
        let free = matches!(&*self.state.borrow(), State::Here(partition) if partition.next_deadline().is_none());
        free && !self.writing.get()
    }

    /// Runs `act` on the share-partition.
    pub fn with<R>(&self, act: impl FnOnce(&mut SharePartition) -> R) -> Result<R, ErrorCode> {
        match &mut *self.state.borrow_mut() {
            State::Here(partition) => Ok(act(partition)),
            State::Loading => Err(ErrorCode::CoordinatorLoadInProgress),
            State::Gone(code) => Err(*code),
        }
    }

    /// Lets `signal` be raised when records may have become available that were read before.
    pub fn watch(&self, signal: &Rc<Signal>) {
        let mut watchers = self.watchers.borrow_mut();
        if watchers.len() == watchers.capacity() {
            watchers.retain(|watcher| watcher.strong_count() > 0);
        }
        watchers.push(Rc::downgrade(signal));
    }

    pub fn wake(&self) {
        for signal in self.watchers.borrow_mut().drain(..).filter_map(|watcher| watcher.upgrade()) {
            signal.raise();
        }
    }

    /// Puts a change behind those that are to be written. True if nobody is writing: the caller begins to.
    pub fn enqueue(&self, change: StateChange) -> (oneshot::Receiver<Result<(), ErrorCode>>, bool) {
        let (sender, receiver) = oneshot::channel();
        self.queue.borrow_mut().push((change, sender));
        (receiver, !self.writing.replace(true))
    }

    /// What is to be written next; `None` ends the writing.
    pub fn next_changes(&self) -> Option<Changes> {
        let changes = std::mem::take(&mut *self.queue.borrow_mut());
        if changes.is_empty() {
            self.writing.set(false);
            return None;
        }
        Some(changes)
    }
}

/// Several changes as one.
pub fn joined(changes: &Changes) -> StateChange {
    let begin = KeptState { start_offset: i64::MIN, ..KeptState::default() };
    let kept = changes.iter().fold(begin, |kept, (change, _)| kept.merged(change));
    StateChange {
        start_offset: kept.start_offset,
        delivery_complete_count: kept.delivery_complete_count,
        batches: kept.batches,
    }
}
