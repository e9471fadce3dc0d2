//! Who waits for the log: many for a sequence to be durable, the two halves of `run` for something to do.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::task::{Context, Poll, Waker};

use crate::types::WalSequence;

/// Wakes one task. A call while it does not wait is kept.
#[derive(Default)]
pub(crate) struct Bell {
    rung: Cell<bool>,
    sleeper: RefCell<Option<Waker>>,
}

impl Bell {
    pub(crate) fn ring(&self) {
        self.rung.set(true);
        if let Some(sleeper) = self.sleeper.take() {
            sleeper.wake();
        }
    }

    pub(crate) fn poll_rung(&self, context: &Context<'_>) -> Poll<()> {
        if self.rung.replace(false) {
            return Poll::Ready(());
        }
        *self.sleeper.borrow_mut() = Some(context.waker().clone());
        Poll::Pending
    }

    pub(crate) async fn rung(&self) {
        std::future::poll_fn(|context| self.poll_rung(context)).await;
    }
}

/// Tasks that wait until the durable sequence is above theirs.
#[derive(Default)]
pub(crate) struct Waiters {
    wakers: BTreeMap<(WalSequence, u64), Waker>,
    next_id: u64,
}

impl Waiters {
    pub(crate) fn new_id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    pub(crate) fn register(&mut self, after: WalSequence, id: u64, waker: &Waker) {
        self.wakers.insert((after, id), waker.clone());
    }

    pub(crate) fn forget(&mut self, after: WalSequence, id: u64) {
        self.wakers.remove(&(after, id));
    }

    /// Those who wait for less than `durable`.
    pub(crate) fn satisfied(&mut self, durable: WalSequence) -> Vec<Waker> {
        let still_waiting = self.wakers.split_off(&(durable, 0));
        std::mem::replace(&mut self.wakers, still_waiting).into_values().collect()
    }

    pub(crate) fn all(&mut self) -> Vec<Waker> {
        std::mem::take(&mut self.wakers).into_values().collect()
    }
}
