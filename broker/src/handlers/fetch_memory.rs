//! Memory for the answers to fetches: a core's connections together hold only so many bytes that no client has taken yet.
//!
//! A connection computes one answer at a time, after the one before is sent, and an answer gets at most a share of the
//! whole: a client that does not read keeps nobody else from reading. Who finds no memory waits for it as long as it
//! would wait for data, and is then answered with less, or with nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::fetch_read::Read;
use crate::dispatch::Answer;
use crate::reactor::sleep;

/// Share of a core's memory that a single answer may take.
const ANSWER_SHARE: usize = 4;

/// How often a fetch that finds no memory looks again.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// Owned by one core. The count is atomic because it is lowered by whoever drops the bytes last.
pub struct FetchMemory {
    total: usize,
    held: Arc<AtomicUsize>,
}

/// Bytes of one answer that is on its way; they go back when this is dropped.
#[derive(Debug)]
pub struct Held {
    count: Arc<AtomicUsize>,
    bytes: usize,
}

impl FetchMemory {
    pub fn new(total: usize) -> Self {
        Self { total, held: Arc::default() }
    }

    pub fn held_bytes(&self) -> usize {
        self.held.load(Ordering::Relaxed)
    }

    /// How large an answer may be now; 0 when there is no memory.
    fn allowance(&self) -> usize {
        self.total.saturating_sub(self.held_bytes()).min(self.total / ANSWER_SHARE)
    }

    /// The same, waiting until the deadline for it to be more than nothing.
    pub async fn wait(&self, deadline: Instant) -> usize {
        while self.allowance() == 0 && Instant::now() < deadline {
            sleep(LOOK_AGAIN).await;
        }
        self.allowance()
    }

    /// Counts what was read, or drops it if there is no memory at all any more. The last answer may go beyond the total:
    /// a batch larger than what was left must get through too.
    pub fn hold(&self, reads: &mut [Option<Read>]) -> Option<Held> {
        let bytes: usize = reads.iter().flatten().map(|read| read.bytes).sum();
        if bytes == 0 {
            return None;
        }
        if self.allowance() == 0 {
            for read in reads.iter_mut().flatten() {
                read.records = Vec::new();
                read.bytes = 0;
            }
            return None;
        }
        self.hold_bytes(bytes)
    }

    /// Counts an answer that is on its way in any case.
    pub fn hold_bytes(&self, bytes: usize) -> Option<Held> {
        if bytes == 0 {
            return None;
        }
        self.held.fetch_add(bytes, Ordering::Relaxed);
        Some(Held { count: Arc::clone(&self.held), bytes })
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.count.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// The answer's last piece, and with it what the whole answer holds.
struct LastPiece {
    bytes: Bytes,
    _held: Held,
}

impl AsRef<[u8]> for LastPiece {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// Gives the memory back when the last piece of the answer was sent, or is dropped unsent.
pub fn until_sent(answer: Answer, held: Option<Held>) -> Answer {
    match (answer, held) {
        (Answer::Send(mut pieces), Some(held)) => {
            let bytes = pieces.pop().unwrap_or_default();
            pieces.push(Bytes::from_owner(LastPiece { bytes, _held: held }));
            Answer::Send(pieces)
        }
        (answer, _) => answer,
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::handlers::fetch_read::refused;
    use thalweg_protocol::error::ErrorCode;

    fn read(bytes: usize) -> [Option<Read>; 2] {
        let mut read = refused(0, ErrorCode::None);
        read.records = vec![Bytes::from(vec![7; bytes])];
        read.bytes = bytes;
        [Some(read), None]
    }

    fn send(pieces: &[&'static [u8]]) -> Answer {
        Answer::Send(pieces.iter().map(|piece| Bytes::from_static(piece)).collect())
    }

    #[test]
    fn memory_is_held_until_the_last_piece_is_gone() {
        let memory = FetchMemory::new(1000);
        let held = memory.hold(&mut read(100));
        let Answer::Send(mut pieces) = until_sent(send(&[b"head", b"records"]), held) else { panic!("sent") };
        assert_eq!(memory.held_bytes(), 100);
        let last = pieces.pop().unwrap();
        assert_eq!((&pieces.concat()[..], &last[..]), (&b"head"[..], &b"records"[..]));
        drop(pieces);
        assert_eq!(memory.held_bytes(), 100);
        drop(last);
        assert_eq!(memory.held_bytes(), 0);
    }

    #[test]
    fn no_answer_takes_more_than_its_share_and_the_last_is_empty() {
        let memory = FetchMemory::new(1000);
        let mut held = Vec::new();
        for left in [250, 250, 250, 250, 240] {
            assert_eq!(memory.allowance(), left);
            held.extend(memory.hold(&mut read(190)));
        }
        assert_eq!(memory.allowance(), 50);
        // A single batch may be larger than what is left.
        held.extend(memory.hold(&mut read(400)));
        assert_eq!((memory.allowance(), memory.held_bytes()), (0, 1350));
        let mut refused = read(1);
        assert!(memory.hold(&mut refused).is_none());
        let [Some(refused), None] = refused else { panic!("one read") };
        assert!(refused.records.is_empty() && refused.bytes == 0);
        held.clear();
        assert_eq!(memory.allowance(), 250);
    }

    #[test]
    fn a_closed_connection_gives_its_memory_back() {
        let memory = FetchMemory::new(1000);
        let held = memory.hold(&mut read(100));
        drop(until_sent(Answer::Close("the layout failed".to_owned()), held));
        assert_eq!(memory.held_bytes(), 0);
    }
}
