//! What the standard library's queue learns in Rust 1.93, for the version that this workspace promises.

use std::collections::VecDeque;

/// Takes the oldest, if it is as asked.
pub(crate) fn pop_front_if<T>(queue: &mut VecDeque<T>, is: impl FnOnce(&T) -> bool) -> Option<T> {
    if is(queue.front()?) { queue.pop_front() } else { None }
}
