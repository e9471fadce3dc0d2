//! A partition as its leader serves it: the log, its Raft group, its producers, and who waits for it.
//!
//! What a partition is stands here; each flow is a sibling file: `append` (produce), `apply` (commit and roles), `read`
//! (fetch and offset queries), `transaction` (markers, and who may begin a transaction).
//!
//! Lives on the core that owns its group. **Invariant:** `log start <= high watermark <= next offset`.

mod append;
mod apply;
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
use thalweg_protocol::{KafkaOffset, LeaderEpoch};
use thalweg_storage::log::LogRef;
use thalweg_storage::types::{GroupId, Term};

use crate::config::{Config, TopicConfig};
use crate::metadata::{Leadership, Topic};
use crate::reactor::Signal;

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
    leadership: Arc<Leadership>,
    /// How many replicas the partition has; all of them vote.
    replicas: usize,
    role: Role,
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
    sender: oneshot::Sender<Result<(), ErrorCode>>,
}

impl Partition {
    pub fn open(group: GroupId, log: LogRef, config: &Config) -> PartitionRef {
        let config = config.topic_config_default();
        Rc::new(RefCell::new(Self {
            group,
            log,
            rules: config.batch_rules(),
            config,
            leadership: Arc::default(),
            replicas: 1,
            role: Role::Follower,
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
        self.replicas = info.replicas.len();
        self.leadership.set_epoch(self.leader_epoch());
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
