//! A budget of bytes on one core: who wants some waits until they are there, in order of asking.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

use futures::channel::oneshot;

/// Owned by one core; clones share it.
#[derive(Clone)]
pub struct Budget {
    inner: Rc<Inner>,
}

struct Inner {
    total: usize,
    free: Cell<usize>,
    waiting: RefCell<VecDeque<(usize, oneshot::Sender<Permit>)>>,
}

/// Bytes taken from a budget; they go back when this is dropped.
pub struct Permit {
    budget: Rc<Inner>,
    bytes: usize,
}

impl Budget {
    pub fn new(total: usize) -> Self {
        Self { inner: Rc::new(Inner { total, free: Cell::new(total), waiting: RefCell::default() }) }
    }

    pub fn used_bytes(&self) -> usize {
        self.inner.total - self.inner.free.get()
    }

    /// Takes `bytes`, or all there is if a single request is larger than the budget: it then runs alone.
    pub async fn take(&self, bytes: usize) -> Permit {
        let bytes = bytes.min(self.inner.total);
        if let Some(permit) = self.inner.grant(bytes) {
            return permit;
        }
        let (sender, receiver) = oneshot::channel();
        self.inner.waiting.borrow_mut().push_back((bytes, sender));
        match receiver.await {
            Ok(permit) => permit,
            // The budget itself holds the sender, and it lives as long as `self`.
            Err(_) => Permit { budget: Rc::clone(&self.inner), bytes: 0 },
        }
    }
}

impl Inner {
    fn grant(self: &Rc<Self>, bytes: usize) -> Option<Permit> {
        if !self.waiting.borrow().is_empty() || self.free.get() < bytes {
            return None;
        }
        self.free.set(self.free.get() - bytes);
        Some(Permit { budget: Rc::clone(self), bytes })
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let budget = &self.budget;
        budget.free.set(budget.free.get() + self.bytes);
        assert!(budget.free.get() <= budget.total, "a permit was returned twice");
        loop {
            let next = match budget.waiting.borrow().front() {
                Some((bytes, _)) if *bytes <= budget.free.get() => *bytes,
                _ => return,
            };
            let Some((_, sender)) = budget.waiting.borrow_mut().pop_front() else { return };
            budget.free.set(budget.free.get() - next);
            let permit = Permit { budget: Rc::clone(budget), bytes: next };
            // If the receiver is gone, the permit comes back here and its own drop serves the next in line.
            drop(sender.send(permit));
        }
    }
}
