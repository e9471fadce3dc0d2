//! How another thread makes a reactor run a task: the task goes into a queue, and a completion ends the reactor's sleep.
//!
//! Another reactor posts that completion with its own next system call (MSG_RING); any other thread writes to an eventfd.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering, fence};

use async_task::Runnable;
use crossbeam_queue::SegQueue;
use rustix::event::{EventfdFlags, eventfd};

use crate::ring::Ring;

/// What other threads see of a reactor.
pub(crate) struct Inbox {
    tasks: SegQueue<Runnable>,
    /// The reactor sleeps, or is about to: whoever adds a task must end that.
    asleep: AtomicBool,
    bell: OwnedFd,
    /// The reactor's ring, where it takes messages.
    ring: Option<OwnedFd>,
}

impl Inbox {
    pub(crate) fn new(ring: &Ring) -> io::Result<Self> {
        // Not non-blocking: the ring's read of it is to wait.
        let bell = eventfd(0, EventfdFlags::CLOEXEC)?;
        let ring = ring.for_messages()?;
        Ok(Self { tasks: SegQueue::new(), asleep: AtomicBool::new(false), bell, ring })
    }

    /// Called on other threads; `sender` is the reactor that this thread is, if it is one.
    pub(crate) fn push(self: &Arc<Self>, task: Runnable, sender: Option<&Ring>) {
        self.tasks.push(task);
        // Before the look at `asleep`, as the reactor's own fence is before its look at `tasks`: one of them sees the other.
        fence(Ordering::SeqCst);
        if self.asleep.load(Ordering::Relaxed) && self.asleep.swap(false, Ordering::AcqRel) {
            match sender {
                Some(sender) if self.ring.is_some() => sender.send_wake_up(Arc::clone(self)),
                _ => self.ring_bell(),
            }
        }
    }

    pub(crate) fn ring_bell(&self) {
        // It fails only if the counter is at its end, and then the bell rings already.
        let _ = rustix::io::write(&self.bell, &1_u64.to_ne_bytes());
    }

    pub(crate) fn ring(&self) -> Option<BorrowedFd<'_>> {
        self.ring.as_ref().map(AsFd::as_fd)
    }

    pub(crate) fn pop(&self) -> Option<Runnable> {
        self.tasks.pop()
    }

    /// Announces that the reactor is going to sleep; false if it must not, because there is something to do.
    pub(crate) fn fall_asleep(&self) -> bool {
        self.asleep.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        let may_sleep = self.tasks.is_empty();
        if !may_sleep {
            self.awake();
        }
        may_sleep
    }

    pub(crate) fn awake(&self) {
        self.asleep.store(false, Ordering::Relaxed);
    }

    /// Readable once somebody ended the sleep.
    pub(crate) fn bell(&self) -> BorrowedFd<'_> {
        self.bell.as_fd()
    }
}
