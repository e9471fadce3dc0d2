//! A partition as its leader serves it: the log, its Raft group, its producers, and who waits for it.
//!
//! What a partition is stands here; each flow is a sibling file: `append` (produce), `apply` (commit and roles), `read`
//! (fetch and offset queries), `transaction` (markers, and who may begin a transaction).
//!
//! Lives on the core that owns its group. **Invariant:** `log start <= high watermark <= next offset`.

mod append;
mod apply;
mod followers;
mod read;
mod transaction;
mod verification;

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::{Rc, Weak};
use std::sync::Arc;

use futures::channel::oneshot;
use thalweg_protocol::error::ErrorCode;
use thalweg_protocol::records::BatchRules;
use thalweg_protocol::{KafkaOffset, LeaderEpoch, NodeId};
use thalweg_storage::log::LogRef;
use thalweg_storage::types::{GroupId, RaftIndex, Term};

use crate::config::{Config, TopicConfig};
use crate::metadata::{Leader, Leadership, Topic};
use crate::reactor::Signal;

use followers::Followers;
pub(crate) use followers::Moment;

pub use append::{AppendError, Appended, Produced, Sent};
pub use read::EpochCheck;
pub use verification::{Beginning, Guard};

pub type PartitionRef = Rc<RefCell<Partition>>;

/// Owned by one core.
pub struct Partition {
    pub group: GroupId,
    pub log: LogRef,
    pub config: TopicConfig,
    rules: BatchRules,
    node: NodeId,
    leadership: Arc<Leadership>,
    /// Node ids, the preferred leader first.
    replicas: Vec<i32>,
    role: Role,
    /// Who leads, as this replica's Raft group knows it.
    leader: Leader,
    followers: Followers,
    /// Entries up to here are held by as many replicas as `min.insync.replicas` asks for.
    replicated: RaftIndex,
    /// Who waits for the high watermark to reach an offset, in the order in which they were appended.
    acks: VecDeque<Ack>,
    /// Fetches that wait for new records.
    watchers: Vec<Weak<Signal>>,
    /// Producers whose transactions are about to begin here.
    verifications: verification::Verifications,
}

/// What this replica is to its group.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Role {
    Follower,
    /// Elected, but an entry of its own term is not committed yet: it must not serve.
    Elected(Term),
    /// Serves reads and writes.
    Leader(Term),
}

struct Ack {
    /// Committed once the high watermark is here.
    end: KafkaOffset,
    /// With acks=all: the last entry that as many replicas must hold as `min.insync.replicas` says.
    index: Option<RaftIndex>,
    sender: oneshot::Sender<Result<(), ErrorCode>>,
}

impl Partition {
    pub fn open(group: GroupId, log: LogRef, config: &Config) -> PartitionRef {
        let node = config.node_id;
        let config = config.topic_config_default();
        Rc::new(RefCell::new(Self {
            group,
            log,
            rules: config.batch_rules(),
            config,
            node,
            leadership: Arc::default(),
            replicas: vec![node.0],
            role: Role::Follower,
            leader: Leader { node: None, epoch: LeaderEpoch::NONE },
            followers: Followers::default(),
            replicated: RaftIndex::default(),
            acks: VecDeque::new(),
            watchers: Vec::new(),
            verifications: verification::Verifications::default(),
        }))
    }

    /// Takes over what the image says of this partition's topic.
    pub fn attach(&mut self, topic: &Arc<Topic>, config: &Config) {
        let Some(info) = topic.partitions.iter().find(|info| info.group == self.group) else { return };
        self.config = config.topic_config(&topic.configs);
        self.rules = self.config.batch_rules();
        self.log.borrow_mut().set_config(self.config.log_config());
        self.leadership = Arc::clone(&info.leadership);
        self.replicas.clone_from(&info.replicas);
        self.publish_leader();
    }

    /// Whether clients may read and write here.
    pub fn serves(&self) -> bool {
        matches!(self.role, Role::Leader(_))
    }

    /// The epoch in which this replica leads; -1 if it does not.
    pub fn leader_epoch(&self) -> LeaderEpoch {
        match self.role {
            Role::Elected(term) | Role::Leader(term) => term.leader_epoch(),
            Role::Follower => LeaderEpoch::NONE,
        }
    }

    /// Who leads, as far as this replica knows.
    pub fn leader(&self) -> Leader {
        self.leader
    }

    /// Whether this replica is elected, and may serve or is about to.
    pub fn leads(&self) -> bool {
        self.role != Role::Follower
    }

    /// Replicas that are in sync, as the leader last saw it.
    pub fn in_sync(&self) -> Vec<i32> {
        self.leadership.in_sync(&self.replicas)
    }

    /// Looks which replicas are in sync; says whether that is news.
    pub(crate) fn look_at_followers(
        &mut self,
        matched: &[(u64, RaftIndex)],
        moment: Moment<impl Fn(NodeId) -> bool>,
    ) -> bool {
        let before = self.in_sync();
        let end = self.log.borrow().last_index();
        let in_sync = self.followers.look(self.node, matched, end, moment);
        self.leadership.set_in_sync(&self.replicas, &in_sync);
        let now = self.in_sync();
        if now.len() < before.len() {
            self.answer_acks();
        }
        before != now
    }

    /// Whether a majority is not enough for acks=all.
    pub(crate) fn asks_for_more_than_majority(&self) -> bool {
        self.config.min_insync_replicas > self.replicas.len() / 2 + 1
    }

    /// How far each member's log goes, where [`Self::asks_for_more_than_majority`].
    pub(crate) fn note_matched(&mut self, matched: &[(u64, RaftIndex)]) {
        self.replicated = followers::held_by(self.config.min_insync_replicas, matched).max(self.replicated);
        self.answer_acks();
    }

    /// Replicas by node id, the preferred leader first.
    pub fn replicas(&self) -> &[i32] {
        &self.replicas
    }

    pub fn high_watermark(&self) -> KafkaOffset {
        self.log.borrow().high_watermark()
    }

    pub fn log_start_offset(&self) -> KafkaOffset {
        self.log.borrow().log_start_offset()
    }

    /// Offset behind the last record that a `read_committed` consumer may see.
    pub fn last_stable_offset(&self) -> KafkaOffset {
        self.log.borrow().last_stable_offset()
    }

    /// Lets `signal` be raised when the high watermark next moves or the role changes.
    pub fn watch(&mut self, signal: &Rc<Signal>) {
        // Most watchers are gone by the time the next comes: a fetch that found data elsewhere, or ran out of time.
        if self.watchers.len() == self.watchers.capacity() {
            self.watchers.retain(|watcher| watcher.strong_count() > 0);
        }
        self.watchers.push(Rc::downgrade(signal));
    }

    fn wake_watchers(&mut self) {
        for signal in self.watchers.drain(..).filter_map(|watcher| watcher.upgrade()) {
            signal.raise();
        }
    }

    /// The replica leaves this core: everybody who waits is told.
    pub fn close(&mut self) {
        self.role = Role::Follower;
        self.fail_acks(ErrorCode::UnknownTopicOrPartition);
        self.wake_watchers();
    }

    fn fail_acks(&mut self, code: ErrorCode) {
        for ack in self.acks.drain(..) {
            let _ = ack.sender.send(Err(code));
        }
    }
}
