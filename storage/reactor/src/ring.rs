//! One io_uring: operations go in, completions come out, and it is where a reactor sleeps.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::future::Future;
use std::io;
use std::os::fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use io_uring::types::{Fd, SubmitArgs, Timespec};
use io_uring::{EnterFlags, IoUring, Probe, opcode, squeue};
use slab::Slab;

use crate::wake::Inbox;

/// Operations that are handed over in one system call; more are handed over in several.
const SUBMISSIONS_MAX: u32 = 256;
/// Completions that find room at once; the kernel keeps more for later.
const COMPLETIONS_MAX: u32 = 4096;

/// Completions that belong to no operation of a task.
const OF_CANCEL: u64 = u64::MAX;
const OF_BELL: u64 = u64::MAX - 1;
const OF_MESSAGE: u64 = u64::MAX - 2;

/// What the kernel reads the bells into. Nobody looks at it; being static, it outlives every ring.
static BELL_COUNT: AtomicU64 = AtomicU64::new(0);

/// Whether entering the kernel may sleep.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Wait {
    No,
    /// Until something completes, at most this long.
    For(Option<Duration>),
}

/// When the kernel may put completions into the queue.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Completing {
    /// Only within a system call of this thread (Linux 6.1).
    OnDemand,
    /// At any system call or interrupt of this thread (Linux 5.19).
    Cooperatively,
    /// By interrupting this thread.
    Anytime,
}

pub(crate) struct Ring {
    uring: RefCell<IoUring>,
    ops: RefCell<Slab<Slot>>,
    /// Kept from one round to the next for its memory only.
    woken: RefCell<Vec<Waker>>,
    bell_armed: Cell<bool>,
    no_iowait: bool,
}

/// An operation, as the ring knows it.
enum Slot {
    Waiting(Option<Waker>),
    Done(i32),
    /// Nobody waits any more. What the kernel may still use is kept until it is done.
    Abandoned(Kept, Gives),
    /// A message that is to wake another reactor.
    WakeUp(Arc<Inbox>),
}

type Kept = Box<dyn Any>;

/// What the result of an operation is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Gives {
    Count,
    /// A descriptor, which somebody must close.
    Descriptor,
}

impl Gives {
    /// Nobody takes this result.
    #[expect(unsafe_code, reason = "the kernel gives a descriptor as a number")]
    fn discard(self, result: i32) {
        if self == Self::Descriptor && result >= 0 {
            // SAFETY: the kernel has just opened it for an operation that nobody waits for.
            drop(unsafe { OwnedFd::from_raw_fd(result) });
        }
    }
}

impl Ring {
    /// A ring that completes in the newest way this kernel has.
    pub(crate) fn new() -> io::Result<Self> {
        Self::completing(Completing::OnDemand)
            .or_else(|_| Self::completing(Completing::Cooperatively))
            .or_else(|_| Self::completing(Completing::Anytime))
    }

    pub(crate) fn completing(when: Completing) -> io::Result<Self> {
        let mut builder = IoUring::builder();
        builder.setup_cqsize(COMPLETIONS_MAX).dontfork();
        match when {
            Completing::OnDemand => builder.setup_single_issuer().setup_defer_taskrun().setup_taskrun_flag(),
            Completing::Cooperatively => builder.setup_coop_taskrun().setup_taskrun_flag(),
            Completing::Anytime => &mut builder,
        };
        let uring = builder.build(SUBMISSIONS_MAX)?;
        let params = uring.params();
        if !(params.is_feature_ext_arg() && params.is_feature_nodrop()) {
            return Err(io::Error::new(
                io::ErrorKind::Unsupported,
                "this kernel's io_uring is too old; 5.11 is needed",
            ));
        }
        let no_iowait = params.is_feature_no_iowait();
        Ok(Self {
            uring: RefCell::new(uring),
            ops: RefCell::default(),
            woken: RefCell::default(),
            bell_armed: Cell::new(false),
            no_iowait,
        })
    }

    /// Where other rings may send messages, if this kernel has them (Linux 5.18).
    #[expect(unsafe_code, reason = "the ring lends its descriptor as a number")]
    pub(crate) fn for_messages(&self) -> io::Result<Option<OwnedFd>> {
        let uring = self.uring.borrow();
        let mut probe = Probe::new();
        if uring.submitter().register_probe(&mut probe).is_err() || !probe.is_supported(opcode::MsgRingData::CODE) {
            return Ok(None);
        }
        // SAFETY: the ring is open while it is borrowed.
        let borrowed = unsafe { BorrowedFd::borrow_raw(uring.as_raw_fd()) };
        borrowed.try_clone_to_owned().map(Some)
    }

    /// Ends another reactor's sleep, with the next system call that this one makes.
    #[expect(unsafe_code, reason = "an operation is pushed")]
    pub(crate) fn send_wake_up(&self, inbox: Arc<Inbox>) {
        let Some(ring) = inbox.ring() else { return inbox.ring_bell() };
        let message = opcode::MsgRingData::new(Fd(ring.as_raw_fd()), 0, OF_MESSAGE, None).build();
        let key = self.ops.borrow_mut().insert(Slot::WakeUp(Arc::clone(&inbox)));
        // SAFETY: it has no pointers.
        unsafe { self.push(message.user_data(key as u64)) };
    }

    /// Whether the kernel has something of ours.
    pub(crate) fn is_busy(&self) -> bool {
        !self.ops.borrow().is_empty()
    }

    /// Queues an operation; it goes to the kernel with the next [`Ring::enter`].
    ///
    /// # Safety
    /// Every pointer in `entry` must stay valid for as long as `resources` lives, wherever that is moved to.
    #[expect(unsafe_code, reason = "the kernel is given pointers")]
    pub(crate) unsafe fn submit<T: Unpin + 'static>(
        self: &Rc<Self>,
        entry: squeue::Entry,
        resources: T,
        gives: Gives,
    ) -> Op<T> {
        let key = self.ops.borrow_mut().insert(Slot::Waiting(None));
        // SAFETY: the caller's promise, and the op keeps `resources` until the completion.
        unsafe { self.push(entry.user_data(key as u64)) };
        Op { ring: Rc::clone(self), key, resources: Some(resources), gives }
    }

    /// # Safety
    /// As for [`Ring::submit`].
    #[expect(unsafe_code, reason = "the kernel is given pointers")]
    unsafe fn push(&self, entry: squeue::Entry) {
        loop {
            let mut uring = self.uring.borrow_mut();
            // SAFETY: the caller's promise.
            if unsafe { uring.submission().push(&entry) }.is_ok() {
                return;
            }
            let submitted = uring.submit();
            drop(uring);
            match submitted {
                Ok(_) => {}
                // Older kernels take nothing more until there is room for completions.
                Err(error) if is_passing(&error) => self.reap(),
                Err(error) => panic!("the ring takes no operations: {error}"),
            }
        }
    }

    /// Hands over what was queued, waits if asked to, and wakes the tasks whose operations are done. Without anything to
    /// hand over or to wait for this is no system call.
    ///
    /// # Errors
    /// When the kernel refuses the ring itself.
    pub(crate) fn enter(&self, wait: Wait, bell: BorrowedFd<'_>) -> io::Result<()> {
        if matches!(wait, Wait::For(_)) {
            self.arm_bell(bell);
        }
        let entered = self.system_call(wait);
        self.reap();
        match entered {
            Err(error) if !is_passing(&error) => Err(error),
            _ => Ok(()),
        }
    }

    #[expect(unsafe_code, reason = "the crate's safe calls cannot say NO_IOWAIT")]
    fn system_call(&self, wait: Wait) -> io::Result<()> {
        let mut uring = self.uring.borrow_mut();
        let sleeps = wait != Wait::No && uring.completion().is_empty();
        let (queued, must_enter) = {
            let submission = uring.submission();
            (submission.len(), submission.taskrun() || submission.cq_overflow())
        };
        if queued == 0 && !sleeps && !must_enter {
            return Ok(());
        }
        let mut flags = EnterFlags::GETEVENTS | EnterFlags::EXT_ARG;
        if self.no_iowait {
            // A reactor that waits for completions is idle, not waiting for a disk.
            flags |= EnterFlags::NO_IOWAIT;
        }
        let limit = match wait {
            Wait::For(Some(limit)) if sleeps => Some(Timespec::from(limit)),
            _ => None,
        };
        let arguments = SubmitArgs::new();
        let arguments = match &limit {
            Some(limit) => arguments.timespec(limit),
            None => arguments,
        };
        // SAFETY: the flags ask for what `SubmitArgs` is, and it lives through the call.
        unsafe { uring.submitter().enter(queued as u32, u32::from(sleeps), flags.bits(), Some(&arguments)) }?;
        Ok(())
    }

    /// Has the kernel tell when somebody rings the bell. The read that is under way stays so between sleeps.
    #[expect(unsafe_code, reason = "the kernel is given a pointer")]
    fn arm_bell(&self, bell: BorrowedFd<'_>) {
        if self.bell_armed.replace(true) {
            return;
        }
        let read = opcode::Read::new(Fd(bell.as_raw_fd()), BELL_COUNT.as_ptr().cast(), size_of::<u64>() as u32);
        // SAFETY: the counter is static.
        unsafe { self.push(read.build().user_data(OF_BELL)) };
    }

    fn reap(&self) {
        let (mut woken, mut freed) = (self.woken.take(), Vec::new());
        {
            let mut uring = self.uring.borrow_mut();
            let mut ops = self.ops.borrow_mut();
            for done in uring.completion() {
                match done.user_data() {
                    OF_CANCEL | OF_MESSAGE => {}
                    OF_BELL => self.bell_armed.set(false),
                    key => settle(&mut ops, key as usize, done.result(), &mut woken, &mut freed),
                }
            }
        }
        // With nothing borrowed: a wake-up, or the end of what was kept, may itself use the ring.
        drop(freed);
        woken.drain(..).for_each(Waker::wake);
        self.woken.replace(woken);
    }

    /// Nobody wants the result any more: the kernel is asked to stop, and keeps the memory until it has.
    #[expect(unsafe_code, reason = "an operation is pushed")]
    fn abandon(&self, key: usize, resources: Kept, gives: Gives) {
        let mut ops = self.ops.borrow_mut();
        match ops.get_mut(key) {
            Some(slot @ Slot::Waiting(_)) => *slot = Slot::Abandoned(resources, gives),
            // It is done already.
            _ => {
                if let Some(Slot::Done(result)) = ops.try_remove(key) {
                    gives.discard(result);
                }
                return;
            }
        }
        drop(ops);
        // SAFETY: it has no pointers.
        unsafe { self.push(opcode::AsyncCancel::new(key as u64).build().user_data(OF_CANCEL)) };
    }
}

/// Notes the result of an operation: who waits for it is to be woken, what was kept for it is to be freed.
fn settle(ops: &mut Slab<Slot>, key: usize, result: i32, woken: &mut Vec<Waker>, freed: &mut Vec<Kept>) {
    match ops.get_mut(key) {
        Some(slot @ Slot::Waiting(_)) => {
            if let Slot::Waiting(waker) = std::mem::replace(slot, Slot::Done(result)) {
                woken.extend(waker);
            }
        }
        Some(Slot::Abandoned(..) | Slot::WakeUp(_)) => match ops.remove(key) {
            Slot::Abandoned(kept, gives) => {
                gives.discard(result);
                freed.push(kept);
            }
            Slot::WakeUp(inbox) if result < 0 => inbox.ring_bell(), // or that reactor would sleep on
            _ => {}
        },
        Some(Slot::Done(_)) | None => debug_assert!(false, "operation {key} completed twice"),
    }
}

/// The sleep was interrupted, its time is over, or the kernel is short of something for now: the loop tries again.
fn is_passing(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EINTR | libc::ETIME | libc::EAGAIN | libc::EBUSY))
}

/// An operation under way, with the memory it uses. Resolves to the kernel's answer and that memory.
pub(crate) struct Op<T: 'static> {
    ring: Rc<Ring>,
    key: usize,
    resources: Option<T>,
    gives: Gives,
}

impl<T: Unpin + 'static> Future for Op<T> {
    type Output = (io::Result<u32>, T);

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        assert!(this.resources.is_some(), "an operation was polled after its end");
        let mut ops = this.ring.ops.borrow_mut();
        let result = match ops.get_mut(this.key) {
            Some(Slot::Done(result)) => *result,
            Some(Slot::Waiting(waker)) => {
                if !waker.as_ref().is_some_and(|waker| waker.will_wake(context.waker())) {
                    *waker = Some(context.waker().clone());
                }
                return Poll::Pending;
            }
            Some(Slot::Abandoned(..) | Slot::WakeUp(_)) | None => panic!("an operation was polled after its end"),
        };
        ops.remove(this.key);
        drop(ops);
        let Some(resources) = this.resources.take() else { panic!("an operation was polled after its end") };
        let result = u32::try_from(result).map_err(|_| io::Error::from_raw_os_error(-result));
        Poll::Ready((result, resources))
    }
}

impl<T: 'static> Drop for Op<T> {
    fn drop(&mut self) {
        if let Some(resources) = self.resources.take() {
            self.ring.abandon(self.key, Box::new(resources), self.gives);
        }
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        let ops = self.ops.get_mut();
        if !ops.is_empty() {
            // The kernel did not let go of these in time: leaked rather than freed under its hands.
            std::mem::forget(std::mem::take(ops));
        }
    }
}
