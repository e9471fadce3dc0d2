//! A wake-up for tasks of one core: a counter that only grows, and whoever waits for it to pass a value.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::task::{Poll, Waker};

/// Owned by one core. Raising it never runs anything; it only makes waiters ready.
#[derive(Default)]
pub struct Signal {
    raised: Cell<u64>,
    waiting: RefCell<Vec<Waker>>,
}

impl Signal {
    /// How often the signal was raised so far; the `seen` of a later wait.
    pub fn count(&self) -> u64 {
        self.raised.get()
    }

    pub fn raise(&self) {
        self.raised.set(self.raised.get() + 1);
        let waiting = std::mem::take(&mut *self.waiting.borrow_mut());
        for waker in waiting {
            waker.wake();
        }
    }

    /// Resolves once the signal was raised more than `seen` times in all.
    pub async fn wait(&self, seen: u64) -> u64 {
        poll_fn(|context| {
            if self.raised.get() > seen {
                return Poll::Ready(self.raised.get());
            }
            let mut waiting = self.waiting.borrow_mut();
            if !waiting.iter().any(|waker| waker.will_wake(context.waker())) {
                waiting.push(context.waker().clone());
            }
            Poll::Pending
        })
        .await
    }
}
