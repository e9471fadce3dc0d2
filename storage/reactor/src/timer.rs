//! Time: tasks that wait for a moment, ordered by it.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use futures::future::{Either, select};

use crate::executor::Local;

/// The timers of one reactor.
#[derive(Default)]
pub(crate) struct Timers {
    waiting: RefCell<BTreeMap<(Instant, u64), Waker>>,
    next_id: Cell<u64>,
}

impl Timers {
    /// Wakes who waited for a moment that has come.
    pub(crate) fn fire(&self) {
        if self.waiting.borrow().is_empty() {
            return;
        }
        let now = Instant::now();
        loop {
            let mut waiting = self.waiting.borrow_mut();
            match waiting.first_entry() {
                Some(first) if first.key().0 <= now => {
                    let waker = first.remove();
                    drop(waiting);
                    waker.wake();
                }
                _ => return,
            }
        }
    }

    /// How long until the next one is due.
    pub(crate) fn next_in(&self) -> Option<Duration> {
        let waiting = self.waiting.borrow();
        let ((due, _), _) = waiting.first_key_value()?;
        Some(due.saturating_duration_since(Instant::now()))
    }
}

/// Resolves after `time`.
pub fn sleep(time: Duration) -> impl Future<Output = ()> {
    Sleep { due: Instant::now() + time, registered: None }
}

/// What the future gave, or `None` if it took longer than `limit`. Costs no timer where the future is ready at once.
pub async fn within<T>(limit: Duration, future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    if let Poll::Ready(result) = futures::poll!(future.as_mut()) {
        return Some(result);
    }
    match select(future, pin!(sleep(limit))).await {
        Either::Left((result, _)) => Some(result),
        Either::Right(((), _)) => None,
    }
}

struct Sleep {
    due: Instant,
    registered: Option<u64>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if Instant::now() >= self.due {
            return Poll::Ready(());
        }
        let local = Local::current();
        let timers = &local.timers;
        let id = *self.registered.get_or_insert_with(|| {
            let id = timers.next_id.get();
            timers.next_id.set(id + 1);
            id
        });
        timers.waiting.borrow_mut().insert((self.due, id), context.waker().clone());
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(id) = self.registered
            && let Some(local) = Local::try_current()
        {
            local.timers.waiting.borrow_mut().remove(&(self.due, id));
        }
    }
}
