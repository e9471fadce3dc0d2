//! A core's event loop: one thread, one io_uring, and everything on it.
//!
//! A *reactor* runs tasks that never leave their thread. Each round it runs what is ready, hands all new operations to
//! the kernel and takes all completions in **one** system call, which is also where it sleeps when nothing is ready. Other
//! threads reach it only by waking a task (an eventfd, and only while it sleeps) or through a [`queue`] between two cores.
//!
//! Memory that the kernel reads or writes is owned by the operation until its completion: dropping a future cancels the
//! operation and leaves its memory with the ring until the kernel has let go of it. That is what [`ops`] and [`buffer`]
//! guard; they and the sleeping in [`ring`] are the only unsafe code.
//!
//! **Invariant:** nothing here waits except in [`ring::Ring::enter`]; what blocks goes to [`unblock`]'s threads.

mod buffer;
mod executor;
mod file;
mod ops;
pub mod queue;
mod ring;
mod socket;
mod timer;
mod wake;

pub use self::buffer::{ALIGNMENT_BYTES, AlignedBuffer};
pub use self::executor::{Task, Thread, run, spawn, spawn_thread, yield_now};
pub use self::file::File;
pub use self::socket::{Listener, Stream};
pub use self::timer::{sleep, within};

/// Runs what may block on a thread of its own, and gives its result back to the caller's core.
pub async fn unblock<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    blocking::unblock(work).await
}
