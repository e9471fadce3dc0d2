//! Between the library's types and ours. The library speaks protobuf structs; nothing of them leaves this crate.

use bytes::{BufMut, Bytes, BytesMut};
use raft::StateRole;
use raft::eraftpb;
use thalweg_storage::types::{EntryKind, HardState, LogEntry, RaftIndex, Term};

use crate::membership::{Membership, MembershipChange};
use crate::message::{PeerMessage, PeerMessageKind, PeerSnapshot};
use crate::ready::Role;

pub(crate) fn role(state: StateRole) -> Role {
    match state {
        StateRole::Follower => Role::Follower,
        StateRole::PreCandidate => Role::PreCandidate,
        StateRole::Candidate => Role::Candidate,
        StateRole::Leader => Role::Leader,
    }
}

pub(crate) fn leader(id: u64) -> Option<u64> {
    (id != raft::INVALID_ID).then_some(id)
}

pub(crate) fn hard_state(state: &eraftpb::HardState) -> HardState {
    HardState { term: Term(state.term), vote: state.vote, commit: RaftIndex(state.commit) }
}

/// An entry of the library, as ours. A membership change that this node proposed carries our encoding beside the
/// library's (see [`proposal`]); one that the library made itself, to leave a joint configuration, carries nothing.
pub(crate) fn log_entry(entry: eraftpb::Entry) -> LogEntry {
    let (kind, data) = match entry.get_entry_type() {
        eraftpb::EntryType::EntryNormal if entry.data.is_empty() => (EntryKind::Noop, Bytes::new()),
        eraftpb::EntryType::EntryNormal => (EntryKind::Batch, entry.data),
        _ if !entry.context.is_empty() => (EntryKind::Membership, entry.context),
        _ if entry.data.is_empty() => (EntryKind::Membership, MembershipChange::leave_joint().encode()),
        _ => (EntryKind::Membership, entry.data),
    };
    LogEntry { index: RaftIndex(entry.index), term: Term(entry.term), kind, data }
}

/// An entry of ours, as the library wants it.
pub(crate) fn library_entry(entry: &LogEntry) -> eraftpb::Entry {
    let mut made = eraftpb::Entry::default();
    made.index = entry.index.0;
    made.term = entry.term.0;
    made.data = entry.data.clone();
    if entry.kind == EntryKind::Membership {
        made.set_entry_type(eraftpb::EntryType::EntryConfChangeV2);
    }
    made
}

/// A proposal of a membership change. The library parses it, as protobuf, at the one moment when it is proposed; our
/// encoding travels in the context until the entry becomes ours.
pub(crate) fn membership_proposal(change: &MembershipChange) -> eraftpb::Entry {
    let mut made = eraftpb::Entry::default();
    made.set_entry_type(eraftpb::EntryType::EntryConfChangeV2);
    made.data = protobuf(&change.library());
    made.context = change.encode();
    made
}

/// `ConfChangeV2` as protobuf: field 1 the transition, field 2 the changes, each with field 1 the type, field 2 the node.
fn protobuf(change: &eraftpb::ConfChangeV2) -> Bytes {
    let mut out = BytesMut::new();
    out.put_u8(0x08);
    varint(&mut out, change.get_transition() as u64);
    for single in &change.changes {
        let mut inner = BytesMut::new();
        inner.put_u8(0x08);
        varint(&mut inner, single.get_change_type() as u64);
        inner.put_u8(0x10);
        varint(&mut inner, single.node_id);
        out.put_u8(0x12);
        varint(&mut out, inner.len() as u64);
        out.put_slice(&inner);
    }
    out.freeze()
}

fn varint(out: &mut BytesMut, mut value: u64) {
    while value >= 0x80 {
        out.put_u8(u8::try_from(value & 0x7f).unwrap_or(0) | 0x80);
        value >>= 7;
    }
    out.put_u8(u8::try_from(value).unwrap_or(0));
}

/// A message of the library's, as ours; none for a kind that never travels.
pub(crate) fn peer_message(mut message: eraftpb::Message) -> Option<PeerMessage> {
    use eraftpb::MessageType as M;
    let kind = match message.get_msg_type() {
        M::MsgAppend => PeerMessageKind::Append,
        M::MsgAppendResponse => PeerMessageKind::AppendResponse,
        M::MsgRequestPreVote => PeerMessageKind::PreVote,
        M::MsgRequestPreVoteResponse => PeerMessageKind::PreVoteResponse,
        M::MsgRequestVote => PeerMessageKind::Vote,
        M::MsgRequestVoteResponse => PeerMessageKind::VoteResponse,
        M::MsgHeartbeat => PeerMessageKind::Heartbeat,
        M::MsgHeartbeatResponse => PeerMessageKind::HeartbeatResponse,
        M::MsgSnapshot => PeerMessageKind::Snapshot,
        M::MsgTransferLeader => PeerMessageKind::TransferLeader,
        M::MsgTimeoutNow => PeerMessageKind::TimeoutNow,
        M::MsgHup
        | M::MsgBeat
        | M::MsgPropose
        | M::MsgUnreachable
        | M::MsgSnapStatus
        | M::MsgCheckQuorum
        | M::MsgReadIndex
        | M::MsgReadIndexResp => return None,
    };
    let snapshot = (kind == PeerMessageKind::Snapshot).then(|| {
        let mut snapshot = message.take_snapshot();
        let meta = snapshot.take_metadata();
        PeerSnapshot {
            index: RaftIndex(meta.index),
            term: Term(meta.term),
            membership: Membership::from_library(meta.get_conf_state()),
            data: snapshot.data,
        }
    });
    Some(PeerMessage {
        kind,
        from: message.from,
        to: message.to,
        term: Term(message.term),
        log_term: Term(message.log_term),
        index: RaftIndex(message.index),
        commit: RaftIndex(message.commit),
        commit_term: Term(message.commit_term),
        reject: message.reject,
        reject_hint: RaftIndex(message.reject_hint),
        transfer: message.context == raft::CAMPAIGN_TRANSFER,
        entries: message.take_entries().into_iter().map(log_entry).collect(),
        snapshot,
    })
}

/// A peer's message, as the library wants it. It was admitted before: see `admit.rs`.
pub(crate) fn library_message(message: PeerMessage) -> eraftpb::Message {
    use eraftpb::MessageType as M;
    let mut made = eraftpb::Message::default();
    made.set_msg_type(match message.kind {
        PeerMessageKind::Append => M::MsgAppend,
        PeerMessageKind::AppendResponse => M::MsgAppendResponse,
        PeerMessageKind::PreVote => M::MsgRequestPreVote,
        PeerMessageKind::PreVoteResponse => M::MsgRequestPreVoteResponse,
        PeerMessageKind::Vote => M::MsgRequestVote,
        PeerMessageKind::VoteResponse => M::MsgRequestVoteResponse,
        PeerMessageKind::Heartbeat => M::MsgHeartbeat,
        PeerMessageKind::HeartbeatResponse => M::MsgHeartbeatResponse,
        PeerMessageKind::Snapshot => M::MsgSnapshot,
        PeerMessageKind::TransferLeader => M::MsgTransferLeader,
        PeerMessageKind::TimeoutNow => M::MsgTimeoutNow,
    });
    made.from = message.from;
    made.to = message.to;
    made.term = message.term.0;
    made.log_term = message.log_term.0;
    made.index = message.index.0;
    made.commit = message.commit.0;
    made.commit_term = message.commit_term.0;
    made.reject = message.reject;
    made.reject_hint = message.reject_hint.0;
    if message.transfer {
        made.context = Bytes::from_static(raft::CAMPAIGN_TRANSFER);
    }
    made.set_entries(message.entries.iter().map(library_entry).collect::<Vec<_>>().into());
    if let Some(snapshot) = message.snapshot {
        made.set_snapshot(library_snapshot(&snapshot));
    }
    made
}

pub(crate) fn library_snapshot(snapshot: &PeerSnapshot) -> eraftpb::Snapshot {
    let mut made = eraftpb::Snapshot::default();
    made.data = snapshot.data.clone();
    let meta = made.mut_metadata();
    meta.index = snapshot.index.0;
    meta.term = snapshot.term.0;
    meta.set_conf_state(snapshot.membership.library());
    made
}
