//! What a core *is*: the state that one reactor owns. What it does is in the sibling files.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, VecDeque};
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use thalweg_protocol::{PartitionIndex, TimestampMs};
use thalweg_raft::{MultiRaft, ReadyNumber};
use thalweg_reactor::Task;
use thalweg_storage::store::Store;
use thalweg_storage::types::{GroupId, WalSequence};

use super::budget::Budget;
use super::mesh::Mesh;
use super::replicas::EarlyMessages;
use super::shared::Shared;
use super::signal::Signal;
use crate::cluster::LeaderNews;
use crate::config::Config;
use crate::controller::Controller;
use crate::coordinator::Coordinators;
use crate::coordinator::group::GroupShard;
use crate::coordinator::share::ShareStateShard;
use crate::coordinator::transaction::TransactionShard;
use crate::handlers::fetch_memory::FetchMemory;
use crate::handlers::fetch_read::Watch;
use crate::handlers::fetch_session::FetchSessions;
use crate::handlers::share_session::ShareSessions;
use crate::metadata::ClusterImage;
use crate::net::Connections;
use crate::partition::{Partition, PartitionRef};
use crate::peer::Peers;
use crate::share::hosted::SharePartitions;

/// Index of a reactor, from 0. Core 0 also hosts the controller's group and accepts connections.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct CoreId(pub usize);

impl CoreId {
    /// The core that accepts connections and owns group 0.
    pub const FIRST: Self = Self(0);

    /// The core that owns a group on this node.
    pub fn of(group: GroupId, cores: usize) -> Self {
        Self((group.0 % cores as u64) as usize)
    }
}

/// Producer ids that may be given out: from `start` up to, not including, `end`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct IdBlock {
    pub start: i64,
    pub end: i64,
}

/// How large a partition's log is, and where.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LogSize {
    pub dir: PathBuf,
    pub topic: String,
    pub partition: PartitionIndex,
    pub bytes: u64,
    /// The copy in another directory, while it is made.
    pub future: Option<FutureSize>,
}

/// How far a log's copy is, and where.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FutureSize {
    pub dir: PathBuf,
    pub bytes: u64,
    /// Offsets that are in the log and not in the copy.
    pub lag: i64,
}

/// One reactor's state. Exists on its own core only; other cores reach it with [`Core::on`].
///
/// **Invariant:** no borrow of a cell lives across an `.await`.
pub struct Core {
    pub id: CoreId,
    pub shared: Arc<Shared>,
    pub store: Store,
    pub image: RefCell<Arc<ClusterImage>>,
    /// The settings as of the newest image that was carried out: those of the start, and what was set since.
    pub(crate) live_config: RefCell<Arc<Config>>,
    pub connections: Connections,
    pub fetch_sessions: RefCell<FetchSessions>,
    /// Those of the groups whose partition this core owns.
    pub groups: Coordinators<GroupShard>,
    /// Those of the transactional ids whose partition this core owns.
    pub transactions: Coordinators<TransactionShard>,
    /// Those that keep what share groups have done with the partitions whose names fall to partitions of this core.
    pub share_states: Coordinators<ShareStateShard>,
    /// Share groups' views of the partitions of this core.
    pub shares: SharePartitions,
    /// Share sessions whose members fall to this core.
    pub share_sessions: RefCell<ShareSessions>,
    /// The other nodes.
    pub peers: Peers,
    /// Messages for groups that this core does not have yet.
    pub(crate) early: RefCell<EarlyMessages>,
    /// What this core has to tell others of the partitions it leads.
    pub(crate) leader_news: LeaderNews,
    /// Group 0's state machine; on [`CoreId::FIRST`] only.
    pub controller: Option<Controller>,
    /// Bytes of requests that were read and are not answered yet.
    pub request_memory: Budget,
    /// The same for requests of more than [`crate::limits::LARGE_FRAME_BYTES`].
    pub large_request_memory: Budget,
    /// Bytes of answers to fetches that were not taken by their clients yet.
    pub fetch_memory: FetchMemory,
    pub(crate) mesh: Mesh,
    /// What runs for the whole life of this core, and may append to its log.
    pub(crate) background: RefCell<Vec<Task<()>>>,
    /// The write-ahead log's own I/O, which ends after everything else.
    pub(crate) log_io: Cell<Option<Task<()>>>,
    pub(crate) raft: RefCell<MultiRaft>,
    pub(crate) partitions: RefCell<HashMap<GroupId, PartitionRef>>,
    /// Raised when a group has something to be taken up by a turn.
    pub(crate) turn: Signal,
    /// Readies whose entries are in the WAL and not yet known to be on the device, in WAL order.
    pub(crate) unpersisted: RefCell<VecDeque<(WalSequence, GroupId, ReadyNumber)>>,
    /// Raised when the WAL has written something.
    pub(crate) room: Signal,
    /// Raised when a group's role or commit index moved.
    pub(crate) progress: Signal,
    /// Raised when a newer image was adopted.
    pub(crate) adopted: Signal,
    /// Version of the newest image that this core has carried out, and its signal.
    pub(crate) settled_version: Cell<u64>,
    pub(crate) settled: Signal,
    /// Waits of fetches that run elsewhere, so that they can be called off.
    pub(crate) watches: RefCell<HashMap<(CoreId, u64), Rc<Watch>>>,
    pub(crate) next_watch: Cell<u64>,
    /// What is left of this core's block of producer ids.
    pub(crate) producer_ids: Cell<IdBlock>,
}

impl Core {
    /// The time, read at the edge and passed inward.
    pub fn now(&self) -> TimestampMs {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        TimestampMs(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
    }

    pub fn cores(&self) -> impl Iterator<Item = CoreId> + use<> {
        (0..self.shared.cores).map(CoreId)
    }

    pub fn owner(&self, group: GroupId) -> CoreId {
        CoreId::of(group, self.shared.cores)
    }

    /// The settings that hold now.
    pub fn config(&self) -> Arc<Config> {
        Arc::clone(&self.live_config.borrow())
    }

    /// The newest image of the cluster that this core knows.
    pub fn image(&self) -> Arc<ClusterImage> {
        Arc::clone(&self.image.borrow())
    }

    pub fn partition(&self, group: GroupId) -> Option<PartitionRef> {
        self.partitions.borrow().get(&group).cloned()
    }

    /// Runs `act` on a partition of this core, if it is here.
    pub fn with_partition<R>(&self, group: GroupId, act: impl FnOnce(&mut Partition) -> R) -> Option<R> {
        let partition = self.partition(group)?;
        let result = act(&mut partition.borrow_mut());
        Some(result)
    }

    /// A name for a wait on another core, unique on this one.
    pub fn next_watch(&self) -> (CoreId, u64) {
        let id = self.next_watch.get();
        self.next_watch.set(id + 1);
        (self.id, id)
    }

    /// Sizes of the logs of this core's partitions, the controller's left out.
    pub fn log_sizes(&self) -> Vec<LogSize> {
        let partitions = self.partitions.borrow();
        let logs = partitions.iter().filter(|(group, _)| **group != crate::controller::GROUP);
        logs.map(|(_, partition)| {
            let partition = partition.borrow();
            let log = partition.log.borrow();
            let descriptor = log.descriptor();
            LogSize {
                dir: descriptor.dir.parent().map(ToOwned::to_owned).unwrap_or_default(),
                topic: descriptor.topic.clone(),
                partition: descriptor.partition,
                bytes: log.size_bytes(),
                future: log.moving().map(|moving| FutureSize {
                    dir: moving.dir.parent().map(ToOwned::to_owned).unwrap_or_default(),
                    bytes: moving.copied_bytes,
                    lag: log.next_offset().since(moving.copied_offset).max(0),
                }),
            }
        })
        .collect()
    }
}
