//! Two tiny meeting points for tasks of one core: a signal, and a gate that one task at a time passes.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};

/// Wakes whoever waits. A signal given while nobody waits is kept for the next one who does.
#[derive(Default)]
pub(crate) struct Signal {
    given: Cell<bool>,
    waiting: RefCell<Vec<Waker>>,
}

impl Signal {
    pub(crate) fn give(&self) {
        self.given.set(true);
        for waker in self.waiting.take() {
            waker.wake();
        }
    }

    pub(crate) async fn wait(&self) {
        poll_fn(|context| {
            if self.given.replace(false) {
                return Poll::Ready(());
            }
            let mut waiting = self.waiting.borrow_mut();
            // The same task waits again and again, beside a clock: it is noted once.
            if !waiting.iter().any(|waker| waker.will_wake(context.waker())) {
                waiting.push(context.waker().clone());
            }
            Poll::Pending
        })
        .await;
    }
}

/// Lets one task at a time through.
#[derive(Clone, Default)]
pub(crate) struct Gate {
    inner: Rc<GateState>,
}

#[derive(Default)]
struct GateState {
    closed: Cell<bool>,
    waiting: RefCell<Vec<Waker>>,
}

/// Whoever holds this is through the gate; dropping it lets the next one through.
pub(crate) struct Passage {
    gate: Rc<GateState>,
}

impl Gate {
    pub(crate) async fn pass(&self) -> Passage {
        poll_fn(|context| {
            if !self.inner.closed.replace(true) {
                return Poll::Ready(());
            }
            self.inner.waiting.borrow_mut().push(context.waker().clone());
            Poll::Pending
        })
        .await;
        Passage { gate: Rc::clone(&self.inner) }
    }
}

impl Drop for Passage {
    fn drop(&mut self) {
        self.gate.closed.set(false);
        for waker in self.gate.waiting.take() {
            waker.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;
    use futures::executor::block_on;

    use super::*;

    #[test]
    fn a_signal_given_early_is_not_lost() {
        let signal = Signal::default();
        signal.give();
        block_on(signal.wait());
        assert!(signal.wait().now_or_never().is_none());
    }

    #[test]
    fn one_at_a_time() {
        let gate = Gate::default();
        let first = block_on(gate.pass());
        let mut second = Box::pin(gate.pass());
        assert!((&mut second).now_or_never().is_none());
        drop(first);
        assert!((&mut second).now_or_never().is_some());
    }
}
