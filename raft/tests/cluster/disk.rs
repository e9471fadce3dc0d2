//! One node's device: what was flushed survives a crash, in order; what was only written may not.

use std::collections::{BTreeMap, VecDeque};

use thalweg_raft::{GroupReady, GroupRestore, GroupSnapshot, Membership, ReadyNumber};
use thalweg_storage::types::{HardState, LogEntry, RaftIndex, Term};

/// What one ready wants on the device.
pub(crate) struct Write {
    pub(crate) number: ReadyNumber,
    pub(crate) must_persist: bool,
    pub(crate) snapshot: Option<GroupSnapshot>,
    entries: Vec<LogEntry>,
    hard_state: Option<HardState>,
}

impl Write {
    pub(crate) fn of(ready: &GroupReady) -> Self {
        Self {
            number: ready.number,
            must_persist: ready.must_persist,
            snapshot: ready.snapshot.clone(),
            entries: ready.entries.clone(),
            hard_state: ready.hard_state,
        }
    }
}

/// A log with its beginning cut off at `base`, and the hash of everything that was applied up to there.
#[derive(Clone)]
pub(crate) struct Image {
    pub(crate) base: RaftIndex,
    pub(crate) base_term: Term,
    pub(crate) base_hash: u64,
    pub(crate) membership: Membership,
    pub(crate) entries: Vec<LogEntry>,
    pub(crate) hard_state: HardState,
}

impl Image {
    pub(crate) fn new(membership: Membership) -> Self {
        Self {
            base: RaftIndex(0),
            base_term: Term(0),
            base_hash: 0,
            membership,
            entries: Vec::new(),
            hard_state: HardState::default(),
        }
    }

    pub(crate) fn write(&mut self, write: &Write) {
        if let Some(snapshot) = &write.snapshot {
            self.base = snapshot.index;
            self.base_term = snapshot.term;
            self.base_hash = u64::from_le_bytes(snapshot.data[..].try_into().unwrap());
            self.membership = snapshot.membership.clone();
            self.entries.clear();
        }
        for entry in &write.entries {
            let position = usize::try_from(entry.index.0 - self.base.0 - 1).unwrap();
            assert!(position <= self.entries.len(), "entry {} leaves a hole", entry.index);
            self.entries.truncate(position);
            self.entries.push(entry.clone());
        }
        self.hard_state = write.hard_state.unwrap_or(self.hard_state);
    }

    pub(crate) fn term_at(&self, index: RaftIndex) -> Option<Term> {
        if index == self.base {
            return Some(self.base_term);
        }
        self.entry(index).map(|entry| entry.term)
    }

    pub(crate) fn entry(&self, index: RaftIndex) -> Option<&LogEntry> {
        self.entries.get(usize::try_from(index.0.checked_sub(self.base.0 + 1)?).unwrap())
    }

    pub(crate) fn last(&self) -> RaftIndex {
        RaftIndex(self.base.0 + self.entries.len() as u64)
    }
}

pub(crate) struct Disk {
    pub(crate) durable: Image,
    pub(crate) pending: VecDeque<Write>,
    /// Members, by the index at which they were applied.
    pub(crate) members: BTreeMap<RaftIndex, Membership>,
}

impl Disk {
    pub(crate) fn new(membership: Membership) -> Self {
        let members = BTreeMap::from([(RaftIndex(0), membership.clone())]);
        Self { durable: Image::new(membership), pending: VecDeque::new(), members }
    }

    /// The oldest write reaches the device.
    pub(crate) fn flush_one(&mut self) -> Option<Write> {
        let write = self.pending.pop_front()?;
        self.durable.write(&write);
        if let Some(snapshot) = &write.snapshot {
            self.members = BTreeMap::from([(snapshot.index, snapshot.membership.clone())]);
        }
        Some(write)
    }

    /// Power fails: of the writes under way the first few reached the device, although nobody was told.
    pub(crate) fn crash(&mut self, survive: usize) {
        for _ in 0..survive {
            self.flush_one();
        }
        self.pending.clear();
    }

    /// The log with what is still being written.
    pub(crate) fn view(&self) -> Image {
        let mut view = self.durable.clone();
        self.pending.iter().for_each(|write| view.write(write));
        view
    }

    /// Cuts the log off behind `index`, of which `hash` is the state.
    pub(crate) fn compact(&mut self, index: RaftIndex, hash: u64) {
        let Some(term) = self.durable.term_at(index).filter(|_| index > self.durable.base) else { return };
        let gone = usize::try_from(index.0 - self.durable.base.0).unwrap();
        self.durable.entries.drain(..gone);
        self.durable.base = index;
        self.durable.base_term = term;
        self.durable.base_hash = hash;
        self.durable.membership = self.members.range(..=index).next_back().unwrap().1.clone();
    }

    /// What a restarted node finds. Only the last `in_memory` entries are handed over; the others can be read.
    pub(crate) fn restore(&self) -> GroupRestore {
        let Image { base, base_term, membership, entries, hard_state, .. } = self.durable.clone();
        GroupRestore {
            hard_state,
            voters: membership.voters,
            learners: membership.learners,
            voters_outgoing: membership.voters_outgoing,
            learners_next: membership.learners_next,
            auto_leave: membership.auto_leave,
            first_index: base.next(),
            previous_term: base_term,
            terms: Vec::new(),
            last_index: self.durable.last(),
            entries,
            applied: base,
        }
    }
}
