//! A group's log as Raft sees it: the tail in memory, and where terms begin in the part that only the disk holds.

use std::cell::RefCell;
use std::collections::VecDeque;

use raft::eraftpb;
use raft::{GetEntriesContext, RaftState, Storage, StorageError};
use thalweg_storage::types::{LogEntry, RaftIndex};

use crate::convert;
use crate::message::PeerSnapshot;
use crate::queue::pop_front_if;
use crate::terms::TermRuns;

/// Reads that wait for the disk, in one group. There are as many as lagging followers; more are dropped, and asked
/// for again at the follower's next heartbeat.
const READS_MAX: usize = 16;

/// Invariant: `compacted <= evicted <= last`, and `entries` are exactly those at `evicted + 1 ..= last`.
pub(crate) struct Tail {
    initial: RaftState,
    /// Entries up to here are gone for good.
    compacted: u64,
    /// Entries up to here are on the disk only.
    evicted: u64,
    terms: TermRuns,
    entries: VecDeque<LogEntry>,
    /// Behind a `RefCell` because Raft asks through `&self`, and an answer may have to wait.
    asked: RefCell<Asked>,
}

#[derive(Default)]
struct Asked {
    reads: VecDeque<PendingRead>,
    /// What was read, while Raft is told of it.
    fetched: Vec<LogEntry>,
    snapshot_wanted: Option<u64>,
    snapshot: Option<PeerSnapshot>,
}

struct PendingRead {
    low: u64,
    high: u64,
    reported: bool,
    contexts: Vec<GetEntriesContext>,
}

impl Tail {
    pub(crate) fn new(initial: RaftState, compacted: u64, evicted: u64, terms: TermRuns) -> Self {
        Self { initial, compacted, evicted, terms, entries: VecDeque::new(), asked: RefCell::default() }
    }

    pub(crate) fn last(&self) -> u64 {
        self.evicted + self.entries.len() as u64
    }

    pub(crate) fn compacted(&self) -> u64 {
        self.compacted
    }

    pub(crate) fn term_at(&self, index: u64) -> Option<u64> {
        if index > self.last() { None } else { self.terms.at(index) }
    }

    /// Puts an entry at the end, cutting off an old end that conflicts with it.
    pub(crate) fn append(&mut self, entry: LogEntry) {
        let index = entry.index.0;
        assert!(index > self.evicted, "entry {index} is committed: up to {} only the disk has it", self.evicted);
        assert!(index <= self.last() + 1, "entry {index} leaves a hole behind {}", self.last());
        if index <= self.last() {
            self.entries.truncate(self.position(index));
            self.terms.truncate(index);
        }
        self.terms.push(index, entry.term.0);
        self.entries.push_back(entry);
    }

    pub(crate) fn evict(&mut self, up_to: u64) {
        let up_to = up_to.min(self.last());
        if up_to > self.evicted {
            self.entries.drain(..self.position(up_to + 1));
            self.evicted = up_to;
            // A burst's worth of room in each of ten thousand quiet groups is memory that nobody uses.
            if self.entries.len() < self.entries.capacity() / 4 {
                self.entries.shrink_to(self.entries.len() * 2);
            }
        }
    }

    pub(crate) fn compact(&mut self, up_to: u64) {
        let up_to = up_to.min(self.last());
        self.evict(up_to);
        if up_to > self.compacted {
            self.compacted = up_to;
            self.terms.compact(up_to);
            let asked = self.asked.get_mut();
            asked.snapshot.take_if(|snapshot| snapshot.index.0 < up_to);
        }
    }

    /// A snapshot took the log's place.
    pub(crate) fn restart_at(&mut self, index: u64, term: u64) {
        self.compacted = index;
        self.evicted = index;
        self.terms = TermRuns::new(index, term);
        self.entries.clear();
        *self.asked.get_mut() = Asked::default();
    }

    /// Where in `entries` an index that is in memory, or the next one, stands.
    fn position(&self, index: u64) -> usize {
        usize::try_from(index - self.evicted - 1).unwrap_or(usize::MAX)
    }

    /// What must be asked of the application, once.
    pub(crate) fn take_asked(&mut self) -> (Option<(RaftIndex, RaftIndex)>, Option<u64>) {
        let asked = self.asked.get_mut();
        let read = asked.reads.front_mut().filter(|read| !read.reported).map(|read| {
            read.reported = true;
            (RaftIndex(read.low), RaftIndex(read.high))
        });
        (read, asked.snapshot_wanted.take())
    }

    pub(crate) fn has_asked(&self) -> bool {
        let asked = self.asked.borrow();
        asked.snapshot_wanted.is_some() || asked.reads.front().is_some_and(|read| !read.reported)
    }

    /// The answer to the read that was reported, if `low` is that one's: whom to tell.
    pub(crate) fn fetched(&mut self, low: u64, entries: Vec<LogEntry>) -> Vec<GetEntriesContext> {
        let asked = self.asked.get_mut();
        let Some(read) = pop_front_if(&mut asked.reads, |read| read.reported && read.low == low) else {
            return Vec::new();
        };
        let fits = entries.iter().zip(low..).all(|(entry, index)| {
            entry.index.0 == index && index < read.high && self.terms.at(index) == Some(entry.term.0)
        });
        if entries.is_empty() || !fits || low <= self.compacted {
            return Vec::new();
        }
        asked.fetched = entries;
        read.contexts
    }

    pub(crate) fn forget_fetched(&mut self) {
        self.asked.get_mut().fetched = Vec::new();
    }

    pub(crate) fn set_snapshot(&mut self, snapshot: PeerSnapshot) {
        self.asked.get_mut().snapshot = Some(snapshot);
    }

    /// The members changed: a snapshot from before would tell a new member that it does not belong, and it would refuse.
    pub(crate) fn drop_snapshot(&mut self) {
        self.asked.get_mut().snapshot = None;
    }

    fn ask_read(&self, low: u64, high: u64, context: GetEntriesContext) {
        let mut asked = self.asked.borrow_mut();
        if let Some(read) = asked.reads.iter_mut().find(|read| read.low == low) {
            // The same follower asks again at each heartbeat; a handful of contexts is every follower there is.
            if read.contexts.len() >= READS_MAX {
                read.contexts.remove(0);
            }
            read.contexts.push(context);
        } else if asked.reads.len() < READS_MAX {
            asked.reads.push_back(PendingRead { low, high, reported: false, contexts: vec![context] });
        }
    }
}

/// What fits `size_max` bytes, and always the first.
fn limited<'a>(entries: impl Iterator<Item = &'a LogEntry>, size_max: u64) -> Vec<eraftpb::Entry> {
    let mut size = 0;
    let mut made = Vec::new();
    for entry in entries {
        size += entry.data.len() as u64 + 24;
        if size > size_max && !made.is_empty() {
            break;
        }
        made.push(convert::library_entry(entry));
    }
    made
}

impl Storage for Tail {
    fn initial_state(&self) -> raft::Result<RaftState> {
        Ok(self.initial.clone())
    }

    fn entries(
        &self,
        low: u64,
        high: u64,
        max_size: impl Into<Option<u64>>,
        context: GetEntriesContext,
    ) -> raft::Result<Vec<eraftpb::Entry>> {
        let size_max = max_size.into().unwrap_or(u64::MAX);
        if low <= self.compacted {
            return Err(StorageError::Compacted.into());
        }
        assert!(
            low < high && high <= self.last() + 1,
            "raft asks for {low}..{high} of a log that ends at {}",
            self.last()
        );
        if low > self.evicted {
            let range = self.position(low)..self.position(high);
            return Ok(limited(self.entries.range(range), size_max));
        }
        let high = high.min(self.evicted + 1);
        let asked = self.asked.borrow();
        if asked.fetched.first().is_some_and(|entry| entry.index.0 == low) {
            return Ok(limited(asked.fetched.iter().take_while(|entry| entry.index.0 < high), size_max));
        }
        drop(asked);
        assert!(context.can_async(), "raft needs entries {low}..{high} at once, but they were evicted");
        self.ask_read(low, high, context);
        Err(StorageError::LogTemporarilyUnavailable.into())
    }

    fn term(&self, index: u64) -> raft::Result<u64> {
        if index > self.last() {
            return Err(StorageError::Unavailable.into());
        }
        self.terms.at(index).ok_or_else(|| StorageError::Compacted.into())
    }

    fn first_index(&self) -> raft::Result<u64> {
        Ok(self.compacted + 1)
    }

    fn last_index(&self) -> raft::Result<u64> {
        Ok(self.last())
    }

    /// The snapshot that the application made, if it is new enough; otherwise it is asked for one.
    fn snapshot(&self, request_index: u64, to: u64) -> raft::Result<eraftpb::Snapshot> {
        let mut asked = self.asked.borrow_mut();
        match &asked.snapshot {
            Some(made) if made.index.0 >= request_index && made.index.0 >= self.compacted => {
                Ok(convert::library_snapshot(made))
            }
            _ => {
                asked.snapshot_wanted = Some(to);
                Err(StorageError::SnapshotTemporarilyUnavailable.into())
            }
        }
    }
}
