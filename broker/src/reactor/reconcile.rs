//! Making a core's partitions what the newest image says: creating, removing, reconfiguring.

use std::rc::Rc;
use std::sync::Arc;

use imbl::ordmap::DiffItem;
use thalweg_protocol::{NodeId, PartitionIndex};
use thalweg_raft::{GroupRestore, raft_id};
use thalweg_storage::log::{LogDescriptor, LogPoint, PartitionLog};
use thalweg_storage::store::RecoveredGroup;
use thalweg_storage::types::{GroupId, HardState, Term};

use super::core::Core;
use super::fatal;
use super::mesh::Stopping;
use crate::metadata::{ClusterImage, PartitionInfo, Topic};
use crate::partition::Partition;

impl Core {
    /// Takes a newer image; the partitions follow in the background.
    pub(crate) fn adopt(&self, image: Arc<ClusterImage>) {
        if image.version >= self.image.borrow().version {
            self.image.replace(image);
            self.adopted.raise();
        }
    }

    /// Waits until every core has carried out an image of at least this version.
    pub(crate) async fn settle(self: &Rc<Self>, version: u64) -> Result<(), Stopping> {
        let waits = self.cores().map(|target| {
            self.on(target, move |core| async move {
                let mut seen = core.settled.count();
                while core.settled_version.get() < version {
                    seen = core.settled.wait(seen).await;
                }
            })
        });
        futures::future::try_join_all(waits).await.map(drop)
    }

    /// Carries out image after image.
    pub(crate) async fn run_reconcile(self: Rc<Self>) {
        let mut done = Arc::new(ClusterImage::default());
        let mut seen = 0;
        loop {
            seen = self.adopted.wait(seen).await;
            let image = self.image();
            self.reconcile(&done, &image).await;
            self.settled_version.set(image.version);
            self.settled.raise();
            done = image;
        }
    }

    async fn reconcile(self: &Rc<Self>, before: &ClusterImage, image: &Arc<ClusterImage>) {
        if before.broker_configs != image.broker_configs {
            self.take_settings(image);
        }
        let mut new = Vec::new();
        for change in before.topics.diff(&image.topics) {
            match change {
                DiffItem::Add(_, topic) => new.extend(self.mine(topic, 0)),
                DiffItem::Remove(_, topic) => self.drop_topic(topic),
                DiffItem::Update { old: (_, old), new: (_, topic) } if old.id != topic.id => {
                    self.drop_topic(old);
                    new.extend(self.mine(topic, 0));
                }
                DiffItem::Update { old: (_, old), new: (_, topic) } => {
                    self.reconfigure(topic);
                    new.extend(self.mine(topic, old.partitions.len()));
                }
            }
        }
        self.show_image_to_groups(image);
        if before.version == 0 {
            self.drop_strays(image);
        }
        for (topic, index) in &new {
            self.host(topic, *index).await;
        }
        let alone =
            new.iter().filter_map(|(topic, index)| topic.partition(*index)).filter(|info| info.replicas.len() == 1);
        self.await_leaders(alone.map(|info| info.group).collect()).await;
        self.set_transaction_version(image);
        self.host_transactions(image);
    }

    /// Brokers' settings were changed while they ran: every topic's defaults may be others now.
    fn take_settings(&self, image: &ClusterImage) {
        let node_id = self.shared.config.node_id.0;
        let set = |resource: Option<i32>| image.broker_configs.get(&resource).cloned().unwrap_or_default();
        match self.shared.config.with_dynamic(set(Some(node_id)), set(None)) {
            Ok(config) => drop(self.live_config.replace(Arc::new(config))),
            Err(error) => return tracing::error!(%error, "a broker setting cannot be taken over"),
        }
        self.store.set_producer_id_expiration(self.config().producer_id_expiration_ms());
        self.store.set_move_rate(self.config().move_bytes_per_second_max / self.shared.cores as f64);
        self.store.set_compaction_budget(self.config().compaction_budget(self.shared.cores));
        self.take_group_settings();
        for topic in image.topics.values() {
            self.reconfigure(topic);
        }
    }

    /// The partitions of a topic, from index `from` on, that this core hosts.
    fn mine(&self, topic: &Arc<Topic>, from: usize) -> Vec<(Arc<Topic>, PartitionIndex)> {
        let me = self.shared.config.node_id.0;
        let hosted = |info: &PartitionInfo| self.owner(info.group) == self.id && info.replicas.contains(&me);
        let indexed = topic.partitions.iter().enumerate().skip(from).filter(|(_, info)| hosted(info));
        indexed.filter_map(|(index, _)| Some((Arc::clone(topic), PartitionIndex(i32::try_from(index).ok()?)))).collect()
    }

    /// Creates the replica, or gives the recovered one its topic.
    async fn host(&self, topic: &Arc<Topic>, index: PartitionIndex) {
        let Some(info) = topic.partition(index) else { return };
        if self.with_partition(info.group, |partition| partition.attach(topic, &self.config())).is_some() {
            return;
        }
        if !info.is_home(self.shared.config.node_id.0, self.shared.directory_id) {
            // Its group may have promises of an earlier replica that this directory knows nothing of.
            tracing::warn!(topic = %topic.name, partition = index.0, "this replica was lost with its data directory");
            return;
        }
        let voters: Vec<u64> = info.replicas.iter().map(|node| raft_id(NodeId(*node))).collect();
        let is_preferred = info.replicas.first() == Some(&self.shared.config.node_id.0);
        let descriptor = LogDescriptor {
            topic_id: *topic.id.as_bytes(),
            topic: topic.name.to_string(),
            partition: index,
            dir: self.shared.place(&topic.name, index),
            voters,
            created: self.now(),
            start: LogPoint::default(),
        };
        self.create_group(info.group, descriptor).await;
        self.with_partition(info.group, |partition| partition.attach(topic, &self.config()));
        if is_preferred {
            self.campaign(info.group);
        }
        self.deliver_early(info.group);
    }

    /// Creates a new, empty group on this core; one that is alone leads at once.
    pub(crate) async fn create_group(&self, group: GroupId, descriptor: LogDescriptor) {
        let log = match self.store.create(group, descriptor.clone(), self.config().log_config_unattached()).await {
            Ok(log) => log,
            Err(error) => {
                fatal(&format!("cannot create {}-{}: {error}", descriptor.topic, descriptor.partition));
            }
        };
        self.open_group(RecoveredGroup { group, descriptor, hard_state: HardState::default(), log });
    }

    /// Puts a group, new or recovered, under Raft.
    pub(crate) fn open_group(&self, recovered: RecoveredGroup) {
        let RecoveredGroup { group, descriptor, hard_state, log } = recovered;
        let (voters, learners) = match self.shared.cluster.get().filter(|_| group == crate::controller::GROUP) {
            Some(cluster) => cluster.first_members(self.shared.config.node_id),
            None => (descriptor.voters.clone(), Vec::new()),
        };
        let is_alone = voters == [raft_id(self.shared.config.node_id)];
        let restore = GroupRestore { hard_state, voters, learners, ..restore_of(&log.borrow()) };
        self.partitions.borrow_mut().insert(group, Partition::open(group, log, &self.config()));
        if let Err(error) = self.raft.borrow_mut().open(group, restore) {
            fatal(&format!("the Raft group of {}-{} cannot start: {error}", descriptor.topic, descriptor.partition));
        }
        if is_alone {
            self.campaign(group);
        }
        self.turn.raise();
    }

    /// Has a group's replica on this core stand for election now. One that cannot waits for its clock.
    pub(crate) fn campaign(&self, group: GroupId) {
        if let Err(error) = self.raft.borrow_mut().campaign(group) {
            tracing::debug!(%group, %error, "no election");
        }
        self.turn.raise();
    }

    /// Waits until the groups lead and have applied an entry of their own term.
    pub(crate) async fn await_leaders(&self, mut groups: Vec<GroupId>) {
        let mut seen = self.progress.count();
        loop {
            groups.retain(|group| self.with_partition(*group, |partition| !partition.serves()).unwrap_or(false));
            if groups.is_empty() {
                return;
            }
            seen = self.progress.wait(seen).await;
        }
    }

    fn reconfigure(&self, topic: &Arc<Topic>) {
        for (topic, index) in self.mine(topic, 0) {
            if let Some(info) = topic.partition(index) {
                self.with_partition(info.group, |partition| partition.attach(&topic, &self.config()));
                self.reconfigure_shards(info.group);
            }
        }
    }

    fn drop_topic(self: &Rc<Self>, topic: &Arc<Topic>) {
        self.forget_offsets(&topic.name);
        self.forget_share_state(topic.id);
        for (topic, index) in self.mine(topic, 0) {
            if let Some(info) = topic.partition(index) {
                self.drop_group(info.group);
            }
        }
    }

    /// Replicas found on disk that the image knows nothing of: their topic was deleted while this node was down.
    fn drop_strays(self: &Rc<Self>, image: &ClusterImage) {
        let known: std::collections::HashSet<GroupId> =
            image.topics.values().flat_map(|topic| topic.partitions.iter().map(|info| info.group)).collect();
        let here: Vec<GroupId> = self.partitions.borrow().keys().copied().collect();
        for group in here.into_iter().filter(|group| *group != crate::controller::GROUP && !known.contains(group)) {
            tracing::info!(%group, "removing a replica whose topic is gone");
            self.drop_group(group);
        }
    }

    fn drop_group(self: &Rc<Self>, group: GroupId) {
        self.drop_shards(group);
        self.raft.borrow_mut().close(group);
        if let Some(partition) = self.partitions.borrow_mut().remove(&group) {
            partition.borrow_mut().close();
        }
        self.store.remove(group);
    }
}

/// What Raft is told of a log: all of it can be read, the end from memory.
fn restore_of(log: &PartitionLog) -> GroupRestore {
    let entries: Vec<_> = log.entries_in_memory().cloned().collect();
    let on_disk = entries.first().map_or(log.last_index(), |entry| entry.index.previous());
    let first_index = log.first_index();
    let starts = log.term_starts().iter().filter(|start| start.index >= first_index && start.index <= on_disk);
    GroupRestore {
        first_index,
        previous_term: log.term_at(first_index.previous()).unwrap_or(Term::ZERO),
        terms: starts.map(|start| (start.index, start.term)).collect(),
        last_index: log.last_index(),
        entries,
        // The rest is applied when it is known to be committed.
        applied: on_disk,
        ..GroupRestore::default()
    }
}
