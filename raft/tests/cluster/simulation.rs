//! Random runs from seeds: everything that can go wrong does, then the network heals and all must agree.

use bytes::Bytes;
use thalweg_raft::{Member, MemberChange, Membership, MembershipChange};
use thalweg_storage::types::RaftIndex;

use crate::harness::{Cluster, GROUP, Seen};
use crate::random::Random;

const STEPS: usize = 2000;

struct Run {
    cluster: Cluster,
    random: Random,
    proposed: u64,
    founders: Membership,
}

impl Run {
    fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let voters = [1, 3, 3, 5][random.below(4)];
        let founders = Membership { voters: (1..=voters).collect(), ..Membership::default() };
        Self { cluster: Cluster::new(seed, voters), random, proposed: 0, founders }
    }

    fn any(&mut self) -> u64 {
        let at = self.random.below(self.cluster.nodes.len());
        *self.cluster.nodes.keys().nth(at).unwrap()
    }

    fn step(&mut self) {
        let id = self.any();
        match self.random.below(100) {
            0..30 => _ = self.cluster.with(id, |raft| raft.tick()),
            30..60 => self.network(),
            60..75 => (0..1 + self.random.below(4)).for_each(|_| _ = self.cluster.flush(id)),
            75..86 => self.propose(),
            86..89 => _ = self.cluster.read(id),
            89..91 => self.cut_or_heal(id),
            91..93 => self.crash_or_restart(id),
            93..96 => self.shorten(id),
            96..97 => self.change_members(),
            97..98 => {
                let to = self.any();
                let _refused_or_down = self.cluster.with(id, |raft| raft.transfer_leader(GROUP, to));
            }
            98..99 => {
                // Said by whoever watches the nodes; it may be wrong.
                let down = self.any();
                _ = self.cluster.with(id, |raft| raft.node_down(down));
            }
            _ => _ = self.cluster.with(id, |raft| raft.unreachable(GROUP, 1 + id % 3)),
        }
    }

    /// Messages arrive in any order, twice, or never.
    fn network(&mut self) {
        if self.cluster.network.is_empty() {
            return;
        }
        for _ in 0..3 {
            let waiting = self.cluster.network.len().max(1);
            let at = if self.random.chance(70) { 0 } else { self.random.below(waiting) };
            if self.random.chance(5) {
                let _lost = self.cluster.network.remove(at);
            } else if self.random.chance(3)
                && let Some(envelope) = self.cluster.network.get(at)
            {
                let (from, to, bytes) = (envelope.from, envelope.to, envelope.bytes.clone());
                self.cluster.network.push_back(crate::harness::Envelope { from, to, bytes });
            } else {
                self.cluster.deliver(at);
            }
        }
    }

    fn propose(&mut self) {
        let id = match self.cluster.leader() {
            Some(leader) if self.random.chance(90) => leader,
            _ => self.any(),
        };
        self.proposed += 1;
        let data = vec![u8::try_from(self.proposed % 251).unwrap(); 1 + self.random.below(120)];
        let _refused_or_down = self.cluster.with(id, |raft| raft.propose(GROUP, Bytes::from(data)));
    }

    fn cut_or_heal(&mut self, id: u64) {
        if self.random.chance(75) {
            return self.cluster.cut.clear();
        }
        let others: Vec<_> = self.cluster.nodes.keys().copied().filter(|other| *other != id).collect();
        for other in others {
            if self.random.chance(70) {
                self.cluster.cut.insert((id, other));
            }
            if self.random.chance(70) {
                self.cluster.cut.insert((other, id));
            }
        }
    }

    fn crash_or_restart(&mut self, id: u64) {
        if self.cluster.nodes[&id].raft.is_none() {
            self.cluster.restart(id);
            return self.cluster.pump(id);
        }
        if self.random.chance(60) {
            return;
        }
        let survive = self.random.below(self.cluster.nodes[&id].disk.pending.len() + 1);
        self.cluster.crash(id, survive);
    }

    /// Entries leave memory, or the log.
    fn shorten(&mut self, id: u64) {
        let applied = self.cluster.nodes[&id].applied.0;
        let up_to = RaftIndex(applied.0.saturating_sub(self.random.below(6) as u64));
        if self.random.chance(70) {
            self.cluster.evict(id, up_to);
        } else {
            self.cluster.compact(id, up_to);
        }
    }

    fn change_members(&mut self) {
        let Some(leader) = self.cluster.leader() else { return };
        let id = 1 + self.random.below(6) as u64;
        let to = [Member::Voter, Member::Voter, Member::Learner, Member::Remove][self.random.below(4)];
        let mut changes = vec![MemberChange { id, to }];
        if self.random.chance(30) {
            changes.push(MemberChange { id: 1 + id % 6, to: Member::Voter });
        }
        let change = MembershipChange { changes };
        let proposed = self.cluster.with(leader, |raft| raft.propose_membership(GROUP, &change));
        if matches!(proposed, Some(Ok(_))) {
            for one in &change.changes {
                if !self.cluster.nodes.contains_key(&one.id) {
                    // A new replica begins empty, with the members that the group began with.
                    self.cluster.add(one.id, self.founders.clone());
                }
            }
        }
    }

    /// Whoever ships snapshots notices that one was lost, and says so: Raft waits for that.
    fn give_up_snapshots(&mut self, id: u64, peers: &[u64]) {
        for peer in peers {
            self.cluster.with(id, |raft| raft.snapshot_sent(GROUP, *peer, false));
        }
    }

    /// Everybody is up, and everything arrives: there must be a leader, and what it is given must be applied by all.
    fn heal(&mut self) {
        self.cluster.cut.clear();
        let ids: Vec<_> = self.cluster.nodes.keys().copied().collect();
        for id in &ids {
            if self.cluster.nodes[id].raft.is_none() {
                self.cluster.restart(*id);
            }
        }
        let mut proposed = None;
        for round in 0..400 {
            for id in &ids {
                self.cluster.with(*id, |raft| raft.tick());
                if round == 20 {
                    self.give_up_snapshots(*id, &ids);
                }
            }
            self.cluster.stabilize();
            let Some(leader) = self.cluster.leader() else { continue };
            let status = self.cluster.status(leader).unwrap();
            match proposed {
                Some((index, term)) if term == status.term => {
                    let members = self.cluster.with(leader, |raft| raft.membership(GROUP)).flatten().unwrap();
                    let mut all = members.voters.iter().chain(&members.learners);
                    if all.all(|id| self.cluster.nodes[id].applied.0 >= index) {
                        return;
                    }
                }
                _ => {
                    let data = Bytes::from_static(b"after healing");
                    proposed = self.cluster.with(leader, |raft| raft.propose(GROUP, data)).unwrap().ok();
                }
            }
        }
        for id in ids {
            let members = self.cluster.with(id, |raft| raft.membership(GROUP)).flatten();
            println!(
                "{id}: {:?} {members:?} {:?}",
                self.cluster.status(id),
                self.cluster.nodes[&id].disk.view().entries
            );
        }
        panic!("no progress after healing");
    }
}

/// One whole run: its trace, how many entries were committed, and what it saw.
fn run(seed: u64) -> (u64, u64, Seen) {
    let mut run = Run::new(seed);
    for step in 0..STEPS {
        run.step();
        if step % 50 == 0 {
            run.cluster.check_logs();
        }
    }
    run.heal();
    run.cluster.check_logs();
    (run.cluster.trace(), run.cluster.checker.applied_last().0, run.cluster.seen)
}

fn run_all(seeds: std::ops::Range<u64>) {
    let runs = usize::try_from(seeds.end - seeds.start).unwrap();
    let (mut committed, mut all) = (0, Seen::default());
    for seed in seeds {
        let Ok((_, entries, seen)) = std::panic::catch_unwind(|| run(seed)) else {
            panic!("seed {seed} failed: what it says is above");
        };
        committed += usize::try_from(entries).unwrap();
        all.elections += seen.elections;
        all.truncations += seen.truncations;
        all.snapshots += seen.snapshots;
        all.disk_reads += seen.disk_reads;
        all.membership_changes += seen.membership_changes;
        all.readies_in_flight_max = all.readies_in_flight_max.max(seen.readies_in_flight_max);
    }
    // A simulation in which nothing happens finds nothing.
    println!("{runs} runs: {committed} entries committed, {all:?}");
    assert!(committed > 20 * runs && all.elections > 2 * runs && all.membership_changes > runs, "{all:?}");
    assert!(all.truncations > 0 && all.snapshots > 0 && all.disk_reads > 0, "{all:?}");
    assert!(all.readies_in_flight_max > 3, "{all:?}");
}

/// `RAFT_SEEDS=1000..5000` looks further than a build has time for.
#[test]
fn asked_for_runs_keep_every_promise() {
    let Ok(range) = std::env::var("RAFT_SEEDS") else { return run_all(400..410) };
    let (from, to) = range.split_once("..").expect("RAFT_SEEDS=from..to");
    run_all(from.parse().unwrap()..to.parse().unwrap());
}

#[test]
fn random_runs_keep_every_promise() {
    run_all(0..200);
}

#[test]
fn more_random_runs_keep_every_promise() {
    run_all(200..400);
}

#[test]
fn a_seed_repeats() {
    for seed in [3, 14, 159] {
        assert_eq!(run(seed).0, run(seed).0);
    }
    assert_ne!(run(3).0, run(4).0);
}
