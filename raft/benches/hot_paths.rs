//! What a batch pays for going through Raft on a node that leads alone: proposed, taken to be written, known to be on
//! the device, committed. The device itself is left out: it is done in no time.
//!
//! The public API, called as the broker's turn calls it. `cargo bench -p thalweg-raft`.

#![expect(clippy::unwrap_used, reason = "a benchmark that cannot begin says why and ends")]

use std::hint::black_box;

use bytes::Bytes;
use criterion::{BenchmarkId, Criterion, Throughput};
use thalweg_protocol::NodeId;
use thalweg_raft::{GroupRestore, MultiRaft, RaftConfig};
use thalweg_storage::types::{GroupId, RaftIndex};

/// Entries that gather before they are dropped from memory, as a flush into segments lets them be.
const EVICT_EVERY: u64 = 64;

fn main() {
    let mut criterion = Criterion::default().without_plots().configure_from_args();
    commit(&mut criterion);
    criterion.final_summary();
}

/// So many groups, each with this node as its only voter and leader.
fn lead(groups: u64) -> MultiRaft {
    let mut raft = MultiRaft::new(RaftConfig::new(NodeId(0), 1));
    for group in (0..groups).map(GroupId) {
        let restore = GroupRestore { voters: vec![1], first_index: RaftIndex(1), ..GroupRestore::default() };
        raft.open(group, restore).unwrap();
        raft.campaign(group).unwrap();
    }
    // The entry with which each leader begins.
    assert_eq!(turn(&mut raft), groups);
    raft
}

/// One turn with its write: all readies, on the device, and what that commits. Gives the number of committed entries.
fn turn(raft: &mut MultiRaft) -> u64 {
    let readies = raft.take_ready();
    for ready in &readies {
        raft.persisted(ready.group, ready.number);
    }
    let mut committed = readies.iter().map(|ready| ready.committed.len()).sum::<usize>();
    committed += raft.take_ready().iter().map(|ready| ready.committed.len()).sum::<usize>();
    committed as u64
}

/// `each` proposals in every group, and the turn that commits them all.
fn propose_to_commit(raft: &mut MultiRaft, groups: u64, each: u64, batch: &Bytes) -> u64 {
    let mut last = RaftIndex::ZERO;
    for group in (0..groups).map(GroupId) {
        for _ in 0..each {
            last = raft.propose(group, batch.clone()).unwrap().0;
        }
    }
    let committed = turn(raft);
    if last.0 % EVICT_EVERY < each {
        (0..groups).for_each(|group| raft.evict(GroupId(group), last));
    }
    committed
}

fn commit(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("raft propose to commit");
    let batch = Bytes::from_static(&[7; 200]);
    for (groups, each) in [(1, 1), (1, 64), (1000, 1)] {
        let mut raft = lead(groups);
        assert_eq!(propose_to_commit(&mut raft, groups, each, &batch), groups * each, "all that was proposed");
        group.throughput(Throughput::Elements(groups * each));
        group.bench_function(BenchmarkId::new(format!("{groups} groups"), format!("{each} each")), |bencher| {
            bencher.iter(|| propose_to_commit(&mut raft, groups, each, black_box(&batch)));
        });
        assert!(!raft.has_ready(), "nothing is left over");
    }
    group.finish();
}
