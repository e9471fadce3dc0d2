//! Numbers of the replicated log and of the write-ahead log, each its own type; conversions live in this file only.

use std::fmt;

use thalweg_protocol::LeaderEpoch;

macro_rules! number {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
        pub struct $name(pub u64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl From<u64> for $name {
            fn from(value: u64) -> Self {
                Self(value)
            }
        }

        impl $name {
            /// Zero: before the first.
            pub const ZERO: Self = Self(0);

            /// The one after this.
            #[must_use]
            pub const fn next(self) -> Self {
                Self(self.0 + 1)
            }

            /// The one before this; zero stays zero.
            #[must_use]
            pub const fn previous(self) -> Self {
                Self(self.0.saturating_sub(1))
            }
        }
    };
}

number! {
    /// A Raft group. Group 0 is the controller; every partition is a group of its own, numbered by the controller.
    GroupId
}
number! {
    /// Index of an entry in one group's Raft log; the first entry has index 1.
    RaftIndex
}
number! {
    /// Raft term. Kafka's leader epoch is one less.
    Term
}
number! {
    /// Sequence number of a record in one core's write-ahead log, counted from 1 over the log's whole life.
    WalSequence
}

impl Term {
    /// The Kafka leader epoch of a leader of this term. Kafka counts from 0, Raft's first elected term is 1; term 0, in
    /// which nobody led, is -1: no epoch.
    ///
    /// # Panics
    /// When the term does not fit 31 bits: two thousand million elections of one group.
    pub fn leader_epoch(self) -> LeaderEpoch {
        match i32::try_from(self.0) {
            Ok(term) => LeaderEpoch(term - 1),
            Err(_) => panic!("term {self} is beyond Kafka's leader epochs"),
        }
    }
}

impl From<LeaderEpoch> for Term {
    fn from(epoch: LeaderEpoch) -> Self {
        Self(u64::try_from(i64::from(epoch.0) + 1).unwrap_or(0))
    }
}

/// What a Raft entry holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
#[repr(u8)]
pub enum EntryKind {
    /// One Kafka record batch, stamped with its base offset and leader epoch. The only kind that takes Kafka offsets.
    Batch = 0,
    /// The empty entry a new leader appends.
    Noop = 1,
    /// A membership change (`ConfChangeV2`, encoded by the `raft/` crate).
    Membership = 2,
}

/// One entry of one group's Raft log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LogEntry {
    pub index: RaftIndex,
    pub term: Term,
    pub kind: EntryKind,
    /// The batch; empty for a no-op.
    pub data: bytes::Bytes,
}

/// What Raft must never forget, besides entries. A commit index is a hint: it is written along, never waited for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct HardState {
    pub term: Term,
    /// Raft id of whom this node voted for in `term`; 0 for nobody.
    pub vote: u64,
    pub commit: RaftIndex,
}
