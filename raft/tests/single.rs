//! Single-voter groups, as a broker alone runs them.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use bytes::Bytes;
use thalweg_protocol::NodeId;
use thalweg_raft::{GroupReady, GroupRestore, MultiRaft, ProposeError, RaftConfig, RaftError, Role};
use thalweg_storage::types::{EntryKind, GroupId, HardState, LogEntry, RaftIndex, Term};

fn new_group() -> GroupRestore {
    GroupRestore { voters: vec![1], first_index: RaftIndex(1), ..GroupRestore::default() }
}

fn leader(group: GroupId) -> MultiRaft {
    let mut raft = MultiRaft::new(RaftConfig::new(NodeId(0), 1));
    raft.open(group, new_group()).unwrap();
    raft.campaign(group).unwrap();
    raft
}

fn drain(raft: &mut MultiRaft) -> Vec<GroupReady> {
    let mut all = Vec::new();
    while raft.has_ready() {
        all.extend(raft.take_ready());
    }
    all
}

#[test]
fn a_batch_is_committed_once_it_is_persisted() {
    let group = GroupId(7);
    let mut raft = leader(group);
    assert_eq!(raft.status(group).unwrap().role, Role::Leader);
    let elected = drain(&mut raft);
    assert_eq!(elected.len(), 1);
    assert!(elected[0].must_persist && elected[0].committed.is_empty());
    assert!(elected[0].role.unwrap().is_leader());
    assert_eq!(elected[0].hard_state.unwrap().term, Term(1));
    assert_eq!(elected[0].entries[0].kind, EntryKind::Noop);

    let batch = Bytes::from(vec![5; 100]);
    assert_eq!(raft.propose(group, batch.clone()).unwrap(), (RaftIndex(2), Term(1)));
    let second = drain(&mut raft);
    assert_eq!(second[0].entries[0].data.as_ptr(), batch.as_ptr(), "the batch is not copied");
    assert!(second[0].committed.is_empty());

    raft.persisted(group, elected[0].number);
    let first = drain(&mut raft);
    assert_eq!(first.iter().map(|ready| ready.committed.len()).sum::<usize>(), 1);
    assert!(first.iter().all(|ready| !ready.must_persist));
    // The broker may say so for a ready that asked for nothing; it must not count for the write still in flight.
    raft.persisted(group, first[0].number);
    assert!(drain(&mut raft).is_empty());

    raft.persisted(group, second[0].number);
    let last = drain(&mut raft);
    assert_eq!(last[0].committed[0].data, batch);
    assert_eq!(raft.status(group).unwrap().applied, RaftIndex(2));
}

#[test]
fn a_restarted_group_goes_on_behind_what_it_found() {
    let group = GroupId(3);
    let entry = |index, term, data: &'static [u8]| LogEntry {
        index: RaftIndex(index),
        term: Term(term),
        kind: EntryKind::Batch,
        data: Bytes::from_static(data),
    };
    let restore = GroupRestore {
        hard_state: HardState { term: Term(4), vote: 1, commit: RaftIndex(11) },
        first_index: RaftIndex(5),
        previous_term: Term(1),
        terms: vec![(RaftIndex(7), Term(2))],
        entries: vec![entry(11, 3, b"a"), entry(12, 4, b"b")],
        applied: RaftIndex(10),
        ..new_group()
    };
    let mut raft = MultiRaft::new(RaftConfig::new(NodeId(0), 1));
    raft.open(group, restore).unwrap();
    let found = drain(&mut raft);
    assert_eq!(found[0].committed, vec![entry(11, 3, b"a")], "the commit hint is enough to go on applying");
    raft.campaign(group).unwrap();
    let elected = drain(&mut raft);
    assert_eq!((elected[0].entries[0].index, elected[0].entries[0].term), (RaftIndex(13), Term(5)));
    raft.persisted(group, elected[0].number);
    let committed: Vec<_> = drain(&mut raft).into_iter().flat_map(|ready| ready.committed).collect();
    assert_eq!(committed.iter().map(|entry| entry.index.0).collect::<Vec<_>>(), [12, 13]);
}

#[test]
fn what_cannot_be_is_refused() {
    let mut raft = MultiRaft::new(RaftConfig::new(NodeId(0), 1));
    let group = GroupId(1);
    assert_eq!(raft.campaign(group), Err(RaftError::UnknownGroup(group)));
    let bad = [
        GroupRestore { voters: vec![], ..new_group() },
        GroupRestore { first_index: RaftIndex(0), ..new_group() },
        GroupRestore { applied: RaftIndex(9), ..new_group() },
        GroupRestore {
            entries: vec![LogEntry { index: RaftIndex(1), term: Term(2), kind: EntryKind::Noop, data: Bytes::new() }],
            ..new_group()
        },
    ];
    for restore in bad {
        assert!(matches!(raft.open(group, restore), Err(RaftError::BadRestore { .. })));
    }
    raft.open(group, new_group()).unwrap();
    assert_eq!(raft.open(group, new_group()), Err(RaftError::AlreadyOpen(group)));
    let refused = raft.propose(group, Bytes::from_static(b"x"));
    assert_eq!(refused, Err(ProposeError::NotLeader { leader: None, term: Term(0) }));
    raft.campaign(group).unwrap();
    assert_eq!(raft.propose(group, Bytes::new()), Err(ProposeError::Empty));
    raft.close(group);
    assert!(drain(&mut raft).is_empty());
}

#[test]
fn proposals_stop_at_the_limit_and_go_on_after_commit() {
    let group = GroupId(1);
    let mut config = RaftConfig::new(NodeId(0), 1);
    config.message_size_max_bytes = 1000;
    config.uncommitted_size_max_bytes = 1000;
    let mut raft = MultiRaft::new(config);
    raft.open(group, new_group()).unwrap();
    raft.campaign(group).unwrap();
    let batch = Bytes::from(vec![0; 400]);
    raft.propose(group, batch.clone()).unwrap();
    raft.propose(group, batch.clone()).unwrap();
    assert_eq!(raft.propose(group, batch.clone()), Err(ProposeError::TooMuchUncommitted));
    let number = drain(&mut raft)[0].number;
    raft.persisted(group, number);
    drain(&mut raft);
    raft.propose(group, batch).unwrap();
}
