//! Ten thousand quiet groups on one core: what they hold in memory, and that nothing runs for them.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use thalweg_protocol::NodeId;
use thalweg_raft::{GroupRestore, MultiRaft, RaftConfig, Role};
use thalweg_storage::types::{GroupId, RaftIndex};

const GROUPS: u64 = 10_000;

/// Resident memory of this process, which runs this test alone.
fn resident_kib() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn ten_thousand_single_voters_are_cheap() {
    let before = resident_kib();
    let mut raft = MultiRaft::new(RaftConfig::new(NodeId(0), 1));
    for group in (0..GROUPS).map(GroupId) {
        let restore = GroupRestore { voters: vec![1], first_index: RaftIndex(1), ..GroupRestore::default() };
        raft.open(group, restore).unwrap();
        raft.campaign(group).unwrap();
        let readies = raft.take_ready();
        assert_eq!(readies.len(), 1, "one group at a time is dirty");
        for ready in readies {
            raft.persisted(group, ready.number);
            raft.evict(group, RaftIndex(u64::MAX));
        }
        let committed: usize = raft.take_ready().iter().map(|ready| ready.committed.len()).sum();
        assert_eq!(committed, 1);
        raft.evict(group, RaftIndex(1));
    }
    let held = resident_kib() - before;
    println!("{GROUPS} groups hold {} KiB, {} bytes each", held, held * 1024 / GROUPS as usize);
    assert!(held < 35 * 1024, "{GROUPS} groups hold {held} KiB");

    assert!((0..1000).all(|_| !raft.tick()), "nobody to talk to, so no clock");
    assert!(!raft.has_ready(), "a quiet group does nothing");
    assert!(raft.groups().all(|group| raft.status(group).unwrap().role == Role::Leader));
}
