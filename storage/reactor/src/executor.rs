//! The loop of a reactor: run what is ready, then ask the kernel, then sleep if there is nothing left to do.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::{Arc, mpsc};
use std::task::{Poll, Waker};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use async_task::Runnable;
use slab::Slab;

use crate::ring::{Ring, Wait};
use crate::timer::Timers;
use crate::wake::Inbox;

/// Tasks that run before the kernel is asked again.
const TASKS_PER_ROUND: usize = 32;

/// How long the end of a reactor waits for the kernel to let go of what operations use.
const DRAIN_TIME_MAX: Duration = Duration::from_secs(5);

thread_local! {
    static CURRENT: RefCell<Option<Rc<Local>>> = const { RefCell::new(None) };
}

/// A reactor, on its own thread.
pub(crate) struct Local {
    ready: RefCell<VecDeque<Runnable>>,
    /// Every task that is not done, so that the end of the reactor can drop them.
    alive: RefCell<Slab<Waker>>,
    pub(crate) timers: Timers,
    pub(crate) ring: Rc<Ring>,
    inbox: Arc<Inbox>,
}

impl Local {
    /// # Panics
    /// When the thread has no reactor.
    pub(crate) fn current() -> Rc<Self> {
        Self::try_current().unwrap_or_else(|| panic!("this thread has no reactor"))
    }

    /// `None` on other threads, and while a reactor's thread is going away.
    pub(crate) fn try_current() -> Option<Rc<Self>> {
        CURRENT.try_with(|current| current.borrow().clone()).ok().flatten()
    }

    fn new() -> io::Result<Self> {
        Self::over(Ring::new()?)
    }

    fn over(ring: Ring) -> io::Result<Self> {
        let ring = Rc::new(ring);
        let inbox = Arc::new(Inbox::new(&ring)?);
        Ok(Self { ready: RefCell::default(), alive: RefCell::default(), timers: Timers::default(), ring, inbox })
    }

    /// Runs tasks until `done` says so.
    fn run_until(&self, done: &Cell<bool>) -> io::Result<()> {
        while !done.get() {
            for _ in 0..TASKS_PER_ROUND {
                let Some(task) = self.next() else { break };
                task.run();
                if done.get() {
                    return Ok(());
                }
            }
            self.turn()?;
        }
        Ok(())
    }

    fn next(&self) -> Option<Runnable> {
        self.ready.borrow_mut().pop_front()
    }

    /// The kernel, time, other threads; sleeps if nothing is ready. A timer that is due already makes it a short sleep.
    fn turn(&self) -> io::Result<()> {
        let asleep = self.ready.borrow().is_empty() && self.inbox.fall_asleep();
        let wait = if asleep { Wait::For(self.timers.next_in()) } else { Wait::No };
        let entered = self.ring.enter(wait, self.inbox.bell());
        if asleep {
            self.inbox.awake();
        }
        self.timers.fire();
        self.take_inbox();
        entered
    }

    fn take_inbox(&self) {
        while let Some(task) = self.inbox.pop() {
            self.ready.borrow_mut().push_back(task);
        }
    }

    /// Drops every task, which cancels their operations, and waits until the kernel uses none of their memory.
    fn shut_down(&self) {
        let began = Instant::now();
        // Again and again: a task's drop may spawn or wake others, and another thread may be waking one just now.
        while !self.alive.borrow().is_empty() && began.elapsed() < DRAIN_TIME_MAX {
            let wakers: Vec<Waker> = self.alive.borrow().iter().map(|(_, waker)| waker.clone()).collect();
            wakers.into_iter().for_each(Waker::wake);
            self.take_inbox();
            while let Some(task) = self.next() {
                drop(task);
                self.take_inbox();
            }
        }
        while self.ring.is_busy() && began.elapsed() < DRAIN_TIME_MAX {
            if self.ring.enter(Wait::For(Some(Duration::from_millis(10))), self.inbox.bell()).is_err() {
                break;
            }
        }
    }
}

/// Puts a woken task where its reactor finds it.
fn schedule(inbox: &Arc<Inbox>, task: Runnable) {
    match Local::try_current() {
        Some(local) if Arc::ptr_eq(&local.inbox, inbox) => local.ready.borrow_mut().push_back(task),
        local => inbox.push(task, local.as_ref().map(|local| &*local.ring)),
    }
}

/// A running task. Dropping it cancels the task; [`Task::detach`] lets it go on alone.
pub struct Task<T>(async_task::Task<T>);

impl<T> Task<T> {
    pub fn detach(self) {
        self.0.detach();
    }
}

impl<T> Future for Task<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, context: &mut std::task::Context<'_>) -> Poll<T> {
        Pin::new(&mut self.0).poll(context)
    }
}

/// Runs a future on this core beside everything else. Its first step is taken before this returns.
///
/// # Panics
/// When the thread has no reactor.
pub fn spawn<F: Future + 'static>(future: F) -> Task<F::Output>
where
    F::Output: 'static,
{
    let local = Local::current();
    let mut alive = local.alive.borrow_mut();
    let place = alive.vacant_entry();
    let done = Alive(place.key());
    let future = async move {
        let _done = done;
        future.await
    };
    let inbox = Arc::clone(&local.inbox);
    let (task, handle) = async_task::spawn_local(future, move |task| schedule(&inbox, task));
    place.insert(task.waker());
    drop(alive);
    task.run();
    Task(handle)
}

/// Strikes a task off the list when its future is dropped.
struct Alive(usize);

impl Drop for Alive {
    fn drop(&mut self) {
        if let Some(local) = Local::try_current() {
            local.alive.borrow_mut().try_remove(self.0);
        }
    }
}

/// Lets everything that is ready run first.
pub async fn yield_now() {
    let mut yielded = false;
    poll_fn(|context| {
        if yielded {
            return Poll::Ready(());
        }
        yielded = true;
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Makes this thread a reactor until the future is done; what else was spawned is dropped then.
///
/// # Errors
/// When the kernel gives no ring.
///
/// # Panics
/// When the thread is a reactor already, or the ring fails later: nothing can go on without it.
pub fn run<F: Future + 'static>(future: F) -> io::Result<F::Output>
where
    F::Output: 'static,
{
    Ok(enter(Rc::new(Local::new()?), future))
}

fn enter<F: Future + 'static>(local: Rc<Local>, future: F) -> F::Output
where
    F::Output: 'static,
{
    let before = CURRENT.with(|current| current.replace(Some(Rc::clone(&local))));
    assert!(before.is_none(), "this thread is a reactor already");
    let (output, done) = (Rc::new(RefCell::new(None)), Rc::new(Cell::new(false)));
    let (out, finished) = (Rc::clone(&output), Rc::clone(&done));
    spawn(async move {
        let result = future.await;
        *out.borrow_mut() = Some(result);
        finished.set(true);
    })
    .detach();
    let ran = local.run_until(&done);
    local.shut_down();
    CURRENT.with(|current| current.replace(None));
    let result = output.borrow_mut().take();
    match (ran, result) {
        (Ok(()), Some(result)) => result,
        (ran, _) => panic!("the ring failed: {ran:?}"),
    }
}

/// Starts a thread that is a reactor until the future that `make` gives is done.
///
/// # Errors
/// When there can be no thread, the CPU cannot be had, or the kernel gives no ring.
pub fn spawn_thread<F, T>(
    name: &str,
    cpu: Option<usize>,
    make: impl FnOnce() -> F + Send + 'static,
) -> io::Result<Thread<T>>
where
    F: Future<Output = T> + 'static,
    T: Send + 'static,
{
    let (report, started) = mpsc::channel();
    let body = move || {
        let local = pin_to(cpu).and_then(|()| Local::new());
        let local = match local {
            Ok(local) => Rc::new(local),
            Err(error) => {
                let _ = report.send(Err(error));
                return None;
            }
        };
        let _ = report.send(Ok(()));
        // The future is made on its own thread: what it holds may stay there.
        Some(enter(local, async move { make().await }))
    };
    let thread = std::thread::Builder::new().name(name.to_owned()).spawn(body)?;
    match started.recv() {
        Ok(Ok(())) => {}
        Ok(Err(error)) => return Err(error),
        Err(_) => return Err(io::Error::other("the reactor's thread ended before it began")),
    }
    Ok(Thread(thread))
}

/// A thread that is a reactor.
pub struct Thread<T>(JoinHandle<Option<T>>);

impl<T> Thread<T> {
    /// Waits for its end.
    ///
    /// # Errors
    /// When it panicked.
    pub fn join(self) -> std::thread::Result<T> {
        self.0.join().map(|result| match result {
            Some(result) => result,
            None => unreachable!("a reactor that began has a result"),
        })
    }
}

fn pin_to(cpu: Option<usize>) -> io::Result<()> {
    let Some(cpu) = cpu else { return Ok(()) };
    let mut set = rustix::thread::CpuSet::new();
    set.set(cpu);
    Ok(rustix::thread::sched_setaffinity(None, &set)?)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::file::File;
    use crate::ring::Completing;
    use crate::{sleep, unblock};

    /// What older kernels do is there on newer ones as well.
    #[test]
    fn every_way_of_completing_serves_files_timers_and_other_threads() {
        for when in [Completing::OnDemand, Completing::Cooperatively, Completing::Anytime] {
            let Ok(ring) = Ring::completing(when) else {
                assert_ne!(when, Completing::Anytime, "every kernel has this");
                println!("this kernel cannot complete {when:?}: left out");
                continue;
            };
            let file = tempfile::tempfile().unwrap();
            file.set_len(8192).unwrap();
            let read = enter(Rc::new(Local::over(ring).unwrap()), async move {
                let file = File::new(file);
                let mut read = 0;
                for _ in 0..100 {
                    read += file.read_at(0, 8192).await.unwrap().len();
                    sleep(Duration::from_micros(50)).await;
                    read += unblock(|| 1).await;
                }
                read
            });
            assert_eq!(read, 100 * 8193, "{when:?}");
        }
    }
}
