//! Who belongs to a group, and changes of that. See `docs/formats/peer-message.md` for the bytes.

use bytes::{BufMut, Bytes, BytesMut};
use raft::eraftpb;

use crate::error::MessageError;
use crate::message::Reader;

const VERSION: u8 = 1;
/// More members of one kind than any group may have: a length on the wire meets it before anything is allocated.
const MEMBERS_MAX: usize = 64;

/// The members of a group. While a joint change is under way, decisions need a majority of `voters` and one of
/// `voters_outgoing`.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Membership {
    pub voters: Vec<u64>,
    pub learners: Vec<u64>,
    pub voters_outgoing: Vec<u64>,
    pub learners_next: Vec<u64>,
    /// The joint configuration is left by itself as soon as it is applied.
    pub auto_leave: bool,
}

impl Membership {
    pub(crate) fn from_library(state: &eraftpb::ConfState) -> Self {
        let sorted = |ids: &[u64]| {
            let mut ids = ids.to_vec();
            ids.sort_unstable();
            ids
        };
        Self {
            voters: sorted(&state.voters),
            learners: sorted(&state.learners),
            voters_outgoing: sorted(&state.voters_outgoing),
            learners_next: sorted(&state.learners_next),
            auto_leave: state.auto_leave,
        }
    }

    pub(crate) fn library(&self) -> eraftpb::ConfState {
        let mut state = eraftpb::ConfState::default();
        state.voters = self.voters.clone();
        state.learners = self.learners.clone();
        state.voters_outgoing = self.voters_outgoing.clone();
        state.learners_next = self.learners_next.clone();
        state.auto_leave = self.auto_leave;
        state
    }

    /// Whether Raft can start from these members: somebody votes, nobody is 0, and nobody is twice in one list or
    /// both a voter and a learner.
    pub fn check(&self) -> Result<(), MessageError> {
        for ids in [&self.voters, &self.learners, &self.voters_outgoing, &self.learners_next] {
            let twice = ids.iter().enumerate().any(|(at, id)| ids.iter().skip(at + 1).any(|other| other == id));
            if ids.len() > MEMBERS_MAX || twice || ids.contains(&0) {
                return Err(MessageError::Range("members"));
            }
        }
        let votes = |id: &u64| self.voters.contains(id) || self.voters_outgoing.contains(id);
        let unfit_next = self.learners_next.iter().any(|id| !self.voters_outgoing.contains(id));
        let stray_joint = self.voters_outgoing.is_empty() && self.auto_leave;
        if self.voters.is_empty() || self.learners.iter().any(votes) || unfit_next || stray_joint {
            return Err(MessageError::Range("members"));
        }
        Ok(())
    }

    /// The bytes of a membership, as snapshots carry them.
    pub fn encode(&self) -> Bytes {
        let mut out = BytesMut::new();
        out.put_u8(VERSION);
        out.put_u8(u8::from(self.auto_leave));
        for ids in [&self.voters, &self.learners, &self.voters_outgoing, &self.learners_next] {
            assert!(ids.len() <= MEMBERS_MAX, "a group has at most {MEMBERS_MAX} members of a kind");
            out.put_u8(u8::try_from(ids.len()).unwrap_or(u8::MAX));
            ids.iter().for_each(|id| out.put_u64_le(*id));
        }
        out.freeze()
    }

    pub fn decode(bytes: &Bytes) -> Result<Self, MessageError> {
        let mut reader = Reader::new(bytes.clone());
        version(&mut reader)?;
        let auto_leave = reader.flag("auto leave")?;
        let mut list = || {
            let count = usize::from(reader.u8()?);
            if count > MEMBERS_MAX {
                return Err(MessageError::TooMuch { what: "members", found: count, max: MEMBERS_MAX });
            }
            (0..count).map(|_| reader.u64()).collect::<Result<Vec<_>, _>>()
        };
        let made =
            Self { voters: list()?, learners: list()?, voters_outgoing: list()?, learners_next: list()?, auto_leave };
        reader.end()?;
        made.check()?;
        Ok(made)
    }
}

fn version(reader: &mut Reader) -> Result<(), MessageError> {
    match reader.u8()? {
        VERSION => Ok(()),
        other => Err(MessageError::Version(other)),
    }
}

/// What to do with one member.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Member {
    Voter = 0,
    Remove = 1,
    Learner = 2,
}

/// One member's change, by Raft id.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MemberChange {
    pub id: u64,
    pub to: Member,
}

/// A change of members, as a Raft entry carries it. Several at once go through a joint configuration, which is left by
/// itself. No changes at all: leave the joint configuration now.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MembershipChange {
    pub changes: Vec<MemberChange>,
}

impl MembershipChange {
    pub(crate) fn leave_joint() -> Self {
        Self { changes: Vec::new() }
    }

    pub(crate) fn library(&self) -> eraftpb::ConfChangeV2 {
        let mut change = eraftpb::ConfChangeV2::default();
        change.set_transition(eraftpb::ConfChangeTransition::Auto);
        for one in &self.changes {
            let mut single = eraftpb::ConfChangeSingle::default();
            single.node_id = one.id;
            single.set_change_type(match one.to {
                Member::Voter => eraftpb::ConfChangeType::AddNode,
                Member::Remove => eraftpb::ConfChangeType::RemoveNode,
                Member::Learner => eraftpb::ConfChangeType::AddLearnerNode,
            });
            change.mut_changes().push(single);
        }
        change
    }

    /// The data of an entry of kind `Membership`.
    pub fn encode(&self) -> Bytes {
        assert!(self.changes.len() <= MEMBERS_MAX, "at most {MEMBERS_MAX} members change at once");
        let mut out = BytesMut::with_capacity(2 + 9 * self.changes.len());
        out.put_u8(VERSION);
        out.put_u8(u8::try_from(self.changes.len()).unwrap_or(u8::MAX));
        for one in &self.changes {
            out.put_u8(one.to as u8);
            out.put_u64_le(one.id);
        }
        out.freeze()
    }

    pub fn decode(bytes: &Bytes) -> Result<Self, MessageError> {
        let mut reader = Reader::new(bytes.clone());
        version(&mut reader)?;
        let count = usize::from(reader.u8()?);
        if count > MEMBERS_MAX {
            return Err(MessageError::TooMuch { what: "changes", found: count, max: MEMBERS_MAX });
        }
        let mut changes = Vec::with_capacity(count);
        for _ in 0..count {
            let to = match reader.u8()? {
                0 => Member::Voter,
                1 => Member::Remove,
                2 => Member::Learner,
                value => return Err(MessageError::Unknown { what: "member change", value }),
            };
            let id = reader.u64()?;
            if id == 0 {
                return Err(MessageError::Range("member id"));
            }
            changes.push(MemberChange { id, to });
        }
        reader.end()?;
        Ok(Self { changes })
    }
}
