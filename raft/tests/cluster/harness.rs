//! The cluster: nodes, the network between them, and one step at a time.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};

use bytes::{Bytes, BytesMut};
use thalweg_protocol::NodeId;
use thalweg_raft::{
    GroupReady, GroupStatus, Membership, MessageLimits, MultiRaft, PeerMessage, RaftConfig, Role, decode_message,
    encode_message,
};
use thalweg_storage::types::{GroupId, LogEntry, RaftIndex};

use crate::checker::Checker;
use crate::disk::{Disk, Write};

pub(crate) const GROUP: GroupId = GroupId(9);
const LIMITS: MessageLimits =
    MessageLimits { entries_max: 10_000, entry_size_max_bytes: 1 << 20, snapshot_size_max_bytes: 1 << 20 };

pub(crate) struct Node {
    /// None while it is down.
    pub(crate) raft: Option<MultiRaft>,
    pub(crate) disk: Disk,
    /// State machine: the last index applied, and the hash of everything up to it.
    pub(crate) applied: (RaftIndex, u64),
    hashes: BTreeMap<RaftIndex, u64>,
    pub(crate) reads: VecDeque<(RaftIndex, RaftIndex)>,
}

pub(crate) struct Envelope {
    pub(crate) from: u64,
    pub(crate) to: u64,
    pub(crate) bytes: Bytes,
}

pub(crate) struct Cluster {
    seed: u64,
    pub(crate) nodes: BTreeMap<u64, Node>,
    pub(crate) network: VecDeque<Envelope>,
    /// Pairs between which nothing passes, in this direction.
    pub(crate) cut: BTreeSet<(u64, u64)>,
    pub(crate) checker: Checker,
    /// Everything that happened, in order: the same seed must give the same.
    trace: DefaultHasher,
    pub(crate) seen: Seen,
}

/// How often the rarer things happened: a run without them proves little.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Seen {
    pub(crate) elections: usize,
    pub(crate) truncations: usize,
    pub(crate) snapshots: usize,
    pub(crate) disk_reads: usize,
    pub(crate) membership_changes: usize,
    pub(crate) readies_in_flight_max: usize,
}

impl Cluster {
    pub(crate) fn new(seed: u64, voters: u64) -> Self {
        let mut cluster = Self {
            seed,
            nodes: BTreeMap::new(),
            network: VecDeque::new(),
            cut: BTreeSet::new(),
            checker: Checker::default(),
            trace: DefaultHasher::new(),
            seen: Seen::default(),
        };
        let members = Membership { voters: (1..=voters).collect(), ..Membership::default() };
        (1..=voters).for_each(|id| cluster.add(id, members.clone()));
        cluster
    }

    /// A node that knows these members; it starts at once.
    pub(crate) fn add(&mut self, id: u64, members: Membership) {
        let disk = Disk::new(members);
        let node =
            Node { raft: None, disk, applied: Default::default(), hashes: BTreeMap::new(), reads: VecDeque::new() };
        self.nodes.insert(id, node);
        self.restart(id);
    }

    pub(crate) fn restart(&mut self, id: u64) {
        let mut config = RaftConfig::new(NodeId(i32::try_from(id).unwrap() - 1), self.seed);
        config.message_size_max_bytes = 200;
        config.inflight_messages_max = 4;
        let mut raft = MultiRaft::new(config);
        let node = self.nodes.get_mut(&id).unwrap();
        node.applied = (node.disk.durable.base, node.disk.durable.base_hash);
        node.hashes = BTreeMap::from([node.applied]);
        node.disk.members.retain(|index, _| *index <= node.applied.0);
        raft.open(GROUP, node.disk.restore()).unwrap();
        node.raft = Some(raft);
        self.checker.restarted(id);
        self.note("restart", &id);
    }

    pub(crate) fn crash(&mut self, id: u64, survive: usize) {
        let node = self.nodes.get_mut(&id).unwrap();
        node.raft = None;
        node.reads.clear();
        node.disk.crash(survive);
        self.note("crash", &(id, survive));
    }

    pub(crate) fn note(&mut self, what: &str, value: &impl std::fmt::Debug) {
        let line = format!("{what} {value:?}");
        if std::env::var_os("RAFT_TRACE").is_some() {
            println!("{line}");
        }
        line.hash(&mut self.trace);
    }

    pub(crate) fn trace(&self) -> u64 {
        self.trace.finish()
    }

    /// Does something to a node's driver, if it is up, and acts on what comes of it.
    pub(crate) fn with<R>(&mut self, id: u64, act: impl FnOnce(&mut MultiRaft) -> R) -> Option<R> {
        let result = act(self.nodes.get_mut(&id)?.raft.as_mut()?);
        self.pump(id);
        Some(result)
    }

    pub(crate) fn status(&self, id: u64) -> Option<GroupStatus> {
        self.nodes.get(&id)?.raft.as_ref()?.status(GROUP)
    }

    pub(crate) fn leader(&self) -> Option<u64> {
        let leads = |id: &&u64| self.status(**id).is_some_and(|status| status.role == Role::Leader);
        self.nodes.keys().filter(leads).max_by_key(|id| self.status(**id).unwrap().term).copied()
    }

    pub(crate) fn pump(&mut self, id: u64) {
        while let Some(raft) = self.nodes.get_mut(&id).unwrap().raft.as_mut() {
            let readies = raft.take_ready();
            if readies.is_empty() {
                break;
            }
            readies.into_iter().for_each(|ready| self.act(id, ready));
        }
        if let Some(status) = self.status(id) {
            self.checker.commits(id, status.commit).unwrap();
        }
    }

    fn act(&mut self, id: u64, ready: GroupReady) {
        self.note("ready", &(id, &ready));
        let node = self.nodes.get_mut(&id).unwrap();
        self.seen.truncations +=
            usize::from(ready.entries.first().is_some_and(|it| it.index <= node.disk.view().last()));
        if let Some(snapshot) = &ready.snapshot {
            self.seen.snapshots += 1;
            node.applied = (snapshot.index, u64::from_le_bytes(snapshot.data[..].try_into().unwrap()));
            node.hashes = BTreeMap::from([node.applied]);
        }
        if ready.number.0 > 0 {
            node.disk.pending.push_back(Write::of(&ready));
        }
        let in_flight = node.disk.pending.iter().filter(|write| write.must_persist).count();
        self.seen.readies_in_flight_max = self.seen.readies_in_flight_max.max(in_flight);
        if let Some(role) = ready.role.filter(|role| role.is_leader()) {
            let log = node.disk.view();
            self.seen.elections += 1;
            self.checker.leads(id, role.term, &log).unwrap();
        }
        for message in &ready.messages {
            self.send(id, message);
        }
        for entry in &ready.committed {
            self.apply(id, entry);
        }
        let node = self.nodes.get_mut(&id).unwrap();
        for (index, membership) in ready.membership {
            self.seen.membership_changes += 1;
            node.disk.members.insert(index, membership);
        }
        node.reads.extend(ready.read_entries);
        if ready.snapshot_wanted.is_some() {
            let (index, hash) = node.applied;
            let data = Bytes::copy_from_slice(&hash.to_le_bytes());
            // Refused while Raft waits for the device before it applies what the state machine has: it asks again.
            let _later = node.raft.as_mut().unwrap().snapshot_made(GROUP, index, data);
        }
    }

    fn send(&mut self, from: u64, message: &PeerMessage) {
        assert_eq!(message.from, from);
        let mut bytes = BytesMut::new();
        encode_message(GROUP, message, &mut bytes);
        self.network.push_back(Envelope { from, to: message.to, bytes: bytes.freeze() });
    }

    fn apply(&mut self, id: u64, entry: &LogEntry) {
        let node = self.nodes.get_mut(&id).unwrap();
        assert_eq!(entry.index, node.applied.0.next(), "node {id} applies in order, and nothing twice");
        let durable = node.disk.durable.term_at(entry.index);
        assert_eq!(durable, Some(entry.term), "node {id} applies {} before it is on its device", entry.index);
        let mut hasher = DefaultHasher::new();
        (node.applied.1, entry.index.0, entry.term.0, entry.kind, &entry.data[..]).hash(&mut hasher);
        node.applied = (entry.index, hasher.finish());
        node.hashes.insert(node.applied.0, node.applied.1);
        self.checker.applies(id, entry.index, entry.term, node.applied.1).unwrap();
    }

    /// The oldest write of a node reaches its device, and its driver hears of it.
    pub(crate) fn flush(&mut self, id: u64) -> bool {
        let Some(write) = self.nodes.get_mut(&id).and_then(|node| node.disk.flush_one()) else { return false };
        self.note("flush", &(id, write.number));
        if write.must_persist {
            self.with(id, |raft| raft.persisted(GROUP, write.number));
        }
        if let Some(snapshot) = write.snapshot {
            self.with(snapshot.from, |raft| raft.snapshot_sent(GROUP, id, true));
        }
        true
    }

    /// The message at this place in the network arrives, unless the way is cut or nobody is there.
    pub(crate) fn deliver(&mut self, at: usize) {
        let Some(envelope) = self.network.remove(at) else { return };
        self.note("deliver", &(envelope.from, envelope.to, &envelope.bytes));
        if self.cut.contains(&(envelope.from, envelope.to)) {
            return;
        }
        let (group, message) = decode_message(envelope.bytes, &LIMITS).unwrap();
        self.with(envelope.to, |raft| raft.step(group, message).unwrap());
    }

    /// A read from the disk comes back.
    pub(crate) fn read(&mut self, id: u64) -> bool {
        let Some(node) = self.nodes.get_mut(&id) else { return false };
        let Some((low, high)) = node.reads.pop_front() else { return false };
        let entries = (low.0..high.0).map_while(|index| node.disk.durable.entry(RaftIndex(index)).cloned()).collect();
        self.note("read", &(id, low, high));
        self.seen.disk_reads += 1;
        self.with(id, |raft| raft.entries_read(GROUP, low, entries));
        true
    }

    pub(crate) fn evict(&mut self, id: u64, up_to: RaftIndex) {
        self.with(id, |raft| raft.evict(GROUP, up_to));
    }

    /// Cuts off the log of a node, up to what it applied and wrote.
    pub(crate) fn compact(&mut self, id: u64, up_to: RaftIndex) {
        let Some(status) = self.status(id) else { return };
        let node = self.nodes.get_mut(&id).unwrap();
        let up_to = up_to.min(status.applied);
        if node.disk.pending.iter().any(|write| write.snapshot.is_some()) || up_to <= node.disk.durable.base {
            return;
        }
        node.disk.compact(up_to, node.hashes[&up_to]);
        self.with(id, |raft| raft.compact(GROUP, up_to));
    }

    /// Everything that is under way arrives, until nothing is.
    pub(crate) fn stabilize(&mut self) {
        let ids: Vec<_> = self.nodes.keys().copied().collect();
        for round in 0.. {
            assert!(round < 10_000, "the cluster does not come to rest");
            ids.iter().for_each(|id| self.pump(*id));
            let mut moved = false;
            for id in &ids {
                moved |= self.flush(*id) | self.read(*id);
            }
            if !self.network.is_empty() {
                self.deliver(0);
                moved = true;
            }
            if !moved {
                break;
            }
        }
    }

    pub(crate) fn check_logs(&self) {
        let logs: Vec<_> = self.nodes.values().map(|node| node.disk.view()).collect();
        for (at, one) in logs.iter().enumerate() {
            logs.iter().skip(at + 1).for_each(|other| self.checker.logs_match(one, other).unwrap());
        }
    }
}
