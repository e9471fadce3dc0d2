//! Memory for direct I/O: aligned, and used again and again, so that neither the allocator nor page faults show.

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::cell::RefCell;
use std::ptr::NonNull;

/// Alignment of addresses, positions and lengths for O_DIRECT, in bytes.
pub const ALIGNMENT_BYTES: usize = 4096;

/// Memory of at most this size is kept for the next buffer of its size.
const POOLED_SIZE_MAX_BYTES: usize = 1 << 20;
/// What one thread keeps at most.
const POOL_MAX_BYTES: usize = 8 << 20;
/// Sizes from one page up, by powers of two.
const CLASSES: usize = (POOLED_SIZE_MAX_BYTES / ALIGNMENT_BYTES).ilog2() as usize + 1;

/// Aligned memory that files are written from and read into.
pub struct AlignedBuffer {
    memory: Memory,
    len: usize,
}

/// One allocation. **Invariant:** the first `initialised` bytes have been written at some time.
struct Memory {
    start: NonNull<u8>,
    capacity: usize,
    initialised: usize,
}

#[expect(unsafe_code, reason = "the memory belongs to its handle alone")]
// SAFETY: a buffer owns its memory, and shared access only reads it.
unsafe impl Send for Memory {}
#[expect(unsafe_code, reason = "the memory belongs to its handle alone")]
// SAFETY: as above.
unsafe impl Sync for Memory {}

impl AlignedBuffer {
    /// A buffer to be filled and written. What is in it is unspecified: an earlier buffer's bytes, or zeros.
    pub fn for_writing(len: usize) -> Self {
        let mut memory = Memory::take(len);
        memory.initialise(len);
        Self { memory, len }
    }

    /// An empty buffer with room for a read of `capacity` bytes, rounded up to whole pages.
    pub fn for_reading(capacity: usize) -> Self {
        Self { memory: Memory::take(capacity.next_multiple_of(ALIGNMENT_BYTES)), len: 0 }
    }

    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub fn capacity(&self) -> usize {
        self.memory.capacity
    }

    #[expect(unsafe_code, reason = "a view of the memory it owns")]
    pub fn as_slice(&self) -> &[u8] {
        // SAFETY: `len <= initialised <= capacity`.
        unsafe { std::slice::from_raw_parts(self.memory.start.as_ptr(), self.len) }
    }

    #[expect(unsafe_code, reason = "a view of the memory it owns")]
    pub fn as_mut_slice(&mut self) -> &mut [u8] {
        // SAFETY: `len <= initialised <= capacity`, and the borrow is exclusive.
        unsafe { std::slice::from_raw_parts_mut(self.memory.start.as_ptr(), self.len) }
    }

    pub(crate) fn as_mut_ptr(&mut self) -> *mut u8 {
        self.memory.start.as_ptr()
    }

    /// The kernel has written the first `len` bytes.
    ///
    /// # Safety
    /// It must have.
    #[expect(unsafe_code, reason = "the caller vouches for the kernel")]
    pub(crate) unsafe fn filled(&mut self, len: usize) {
        assert!(len <= self.memory.capacity, "the kernel cannot have written {len} bytes here");
        self.memory.initialised = self.memory.initialised.max(len);
        self.len = len;
    }
}

impl AsRef<[u8]> for AlignedBuffer {
    fn as_ref(&self) -> &[u8] {
        self.as_slice()
    }
}

impl Memory {
    fn take(len: usize) -> Self {
        let wanted = len.max(ALIGNMENT_BYTES);
        match class_of(wanted) {
            Some(class) => POOL
                .with_borrow_mut(|pool| pool.take(class))
                .unwrap_or_else(|| Self::allocate(ALIGNMENT_BYTES << class)),
            None => Self::allocate(wanted.next_multiple_of(ALIGNMENT_BYTES)),
        }
    }

    fn layout(capacity: usize) -> Layout {
        Layout::from_size_align(capacity, ALIGNMENT_BYTES).unwrap_or_else(|error| panic!("{capacity} bytes: {error}"))
    }

    #[expect(unsafe_code, reason = "the standard library has no aligned box")]
    fn allocate(capacity: usize) -> Self {
        let layout = Self::layout(capacity);
        // SAFETY: the size is at least one page.
        let start = unsafe { alloc(layout) };
        let Some(start) = NonNull::new(start) else { handle_alloc_error(layout) };
        Self { start, capacity, initialised: 0 }
    }

    /// Makes sure that the first `len` bytes may be looked at.
    #[expect(unsafe_code, reason = "it writes behind what is initialised")]
    fn initialise(&mut self, len: usize) {
        assert!(len <= self.capacity, "a buffer of {} bytes has no {len}", self.capacity);
        if let Some(missing) = len.checked_sub(self.initialised) {
            // SAFETY: `initialised + missing <= capacity`.
            unsafe { self.start.add(self.initialised).write_bytes(0, missing) };
            self.initialised = len;
        }
    }
}

impl Drop for AlignedBuffer {
    fn drop(&mut self) {
        let nothing = Memory { start: NonNull::dangling(), capacity: 0, initialised: 0 };
        let memory = std::mem::replace(&mut self.memory, nothing);
        let Some(class) = class_of(memory.capacity) else { return };
        // Memory that is dropped on another core serves that core; at a thread's end there is no pool any more.
        let _ = POOL.try_with(|pool| pool.borrow_mut().put(class, memory));
    }
}

impl Drop for Memory {
    #[expect(unsafe_code, reason = "the standard library has no aligned box")]
    fn drop(&mut self) {
        if self.capacity > 0 {
            // SAFETY: allocated with this layout, and dropped once.
            unsafe { dealloc(self.start.as_ptr(), Self::layout(self.capacity)) };
        }
    }
}

/// Which free list serves this size; none does for large ones.
fn class_of(len: usize) -> Option<usize> {
    let size = (ALIGNMENT_BYTES..=POOLED_SIZE_MAX_BYTES).contains(&len).then(|| len.next_power_of_two())?;
    Some((size / ALIGNMENT_BYTES).ilog2() as usize)
}

thread_local! {
    static POOL: RefCell<Pool> = RefCell::default();
}

#[derive(Default)]
struct Pool {
    free: [Vec<Memory>; CLASSES],
    bytes: usize,
}

impl Pool {
    fn take(&mut self, class: usize) -> Option<Memory> {
        let memory = self.free.get_mut(class)?.pop()?;
        self.bytes -= memory.capacity;
        Some(memory)
    }

    fn put(&mut self, class: usize, memory: Memory) {
        if self.bytes + memory.capacity > POOL_MAX_BYTES {
            return;
        }
        if let Some(free) = self.free.get_mut(class) {
            self.bytes += memory.capacity;
            free.push(memory);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_aligned_and_used_again() {
        let mut first = AlignedBuffer::for_writing(8192);
        assert!(first.as_mut_ptr().addr().is_multiple_of(ALIGNMENT_BYTES));
        first.as_mut_slice().fill(7);
        let address = first.as_mut_ptr();
        drop(first);
        let mut again = AlignedBuffer::for_writing(6000);
        assert_eq!(again.as_mut_ptr(), address);
        assert_eq!((again.len(), again.capacity()), (6000, 8192));
        assert_eq!(again.as_slice().first(), Some(&7));
    }

    #[test]
    fn a_thread_keeps_only_so_much() {
        let many: Vec<_> = (0..32).map(|_| AlignedBuffer::for_writing(POOLED_SIZE_MAX_BYTES)).collect();
        drop(many);
        assert_eq!(POOL.with_borrow(|pool| pool.bytes), POOL_MAX_BYTES);
        drop(AlignedBuffer::for_writing(POOLED_SIZE_MAX_BYTES + 1));
        assert_eq!(POOL.with_borrow(|pool| pool.bytes), POOL_MAX_BYTES, "large ones are not kept");
    }

    #[test]
    fn every_size_has_its_class() {
        assert_eq!(class_of(0), None);
        assert_eq!(class_of(4096), Some(0));
        assert_eq!(class_of(4097), Some(1));
        assert_eq!(class_of(1 << 20), Some(CLASSES - 1));
        assert_eq!(class_of((1 << 20) + 1), None);
    }
}
