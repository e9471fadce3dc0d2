//! What a core does for the shards of transactions in particular: producer ids for them, and the markers they ask for.

use std::collections::BTreeMap;
use std::rc::Rc;

use futures::future;
use thalweg_protocol::error::ErrorCode;
use thalweg_protocol::{NodeId, PartitionIndex, TimestampMs};
use thalweg_storage::types::GroupId;

use super::core::{Core, CoreId};
use super::markers::TxnMarker;
use super::mesh::Stopping;
use super::shards::Kind;
use crate::coordinator::transaction::{
    Effect, Marking, Response, TopicPartition, TransactionConfig, TransactionShard, TransactionVersion,
};
use crate::coordinator::{Coordinators, Hosted, ReplyToken};
use crate::handlers::transactions::STATE_TOPIC;
use crate::metadata::{ClusterImage, features};

/// What became of the marker of one partition.
type Marked = (TopicPartition, Result<(), ErrorCode>);

impl Kind for TransactionShard {
    const TOPIC: &'static str = STATE_TOPIC;

    fn of(core: &Core) -> &Coordinators<Self> {
        &core.transactions
    }

    fn open(core: &Core, group: GroupId) -> Self {
        let epoch = core.with_partition(group, |partition| partition.leader_epoch()).unwrap_or_default();
        Self::new(core.transaction_config(group), epoch.0)
    }

    fn run(core: &Rc<Core>, hosted: &Rc<Hosted<Self>>, marking: Marking) {
        let (core, hosted) = (Rc::clone(core), Rc::clone(hosted));
        thalweg_reactor::spawn(async move {
            // What asked for it has other effects to be acted on first.
            thalweg_reactor::yield_now().await;
            // A broker that stops begins nothing: the decision is in the log, and the next start goes on with it.
            if !core.shared.is_stopping() {
                core.write_markers(hosted, marking).await;
            }
        })
        .detach();
    }
}

impl Core {
    /// Has the shard of a partition handle an event that may need a producer id.
    pub async fn ask_transactions(
        self: Rc<Self>,
        group: GroupId,
        handle: impl FnOnce(&mut TransactionShard, ReplyToken, TimestampMs) -> Vec<Effect>,
    ) -> Result<Response, ErrorCode> {
        let hosted = self.shard::<TransactionShard>(group).await?;
        while hosted.shard.borrow().wants_producer_id() {
            self.supply_producer_id(&hosted).await?;
        }
        self.ask_shard(group, handle).await
    }

    async fn supply_producer_id(self: &Rc<Self>, hosted: &Hosted<TransactionShard>) -> Result<(), ErrorCode> {
        let id = self.next_producer_id().await.map_err(|error| {
            tracing::warn!(%error, "no producer id for a transactional id");
            ErrorCode::CoordinatorNotAvailable
        })?;
        hosted.shard.borrow_mut().supply(id);
        Ok(())
    }

    /// Writes the markers of a decision, on the owners of the partitions, and reports as they answer.
    async fn write_markers(self: Rc<Self>, hosted: Rc<Hosted<TransactionShard>>, marking: Marking) {
        let mut by_owner: BTreeMap<CoreId, Vec<(GroupId, TopicPartition)>> = BTreeMap::new();
        let mut by_node: BTreeMap<NodeId, Vec<TopicPartition>> = BTreeMap::new();
        let mut gone = Vec::new();
        for partition in &marking.partitions {
            match self.find_partition(partition).await {
                Ok(Some((group, leader))) if leader == Some(self.shared.config.node_id) => {
                    by_owner.entry(self.owner(group)).or_default().push((group, partition.clone()));
                }
                Ok(Some((_, Some(leader)))) => by_node.entry(leader).or_default().push(partition.clone()),
                // It is tried again when somebody leads.
                Ok(Some((_, None))) => gone.push((partition.clone(), Err(ErrorCode::NotLeaderOrFollower))),
                // Its topic was deleted: there is nobody left who could read what is undecided.
                Ok(None) => gone.push((partition.clone(), Ok(()))),
                Err(Stopping) => gone.push((partition.clone(), Err(ErrorCode::NotLeaderOrFollower))),
            }
        }
        let marker = TxnMarker {
            producer_id: marking.producer.id.0,
            producer_epoch: marking.producer.epoch.0,
            coordinator_epoch: marking.coordinator_epoch,
            commit: marking.commit,
        };
        let (core, hosted, marking) = (&self, &hosted, &marking);
        core.report_marked(hosted, marking, gone);
        let reports = by_owner.into_iter().map(|(owner, partitions)| {
            let asked: Vec<TopicPartition> = partitions.iter().map(|(_, partition)| partition.clone()).collect();
            let version = marking.version;
            let written = core.on(owner, move |core| write_on_owner(core, partitions, marker, version));
            async move {
                let marked = written.await.unwrap_or_else(|Stopping| {
                    asked.into_iter().map(|partition| (partition, Err(ErrorCode::NotLeaderOrFollower))).collect()
                });
                core.report_marked(hosted, marking, marked);
            }
        });
        let version = i8::try_from(marking.version.level()).unwrap_or(i8::MAX);
        let elsewhere = by_node.into_iter().map(|(node, partitions)| async move {
            let named = partitions.iter().map(|partition| (partition.topic.to_string(), partition.index)).collect();
            let asked = crate::cluster::transactions::Marking { marker, version, partitions: named };
            let answers = core.ask_to_mark(node, asked).await;
            core.report_marked(hosted, marking, partitions.into_iter().zip(answers).collect());
        });
        future::join(future::join_all(reports), future::join_all(elsewhere)).await;
    }

    fn report_marked(self: &Rc<Self>, hosted: &Rc<Hosted<TransactionShard>>, marking: &Marking, marked: Vec<Marked>) {
        for (partition, result) in &marked {
            if let Err(code) = result {
                let id = &*marking.transactional_id;
                let (topic, index) = (&*partition.topic, partition.index);
                tracing::warn!(transactional_id = id, %code, "a transaction marker for {topic}-{index} was not written");
            }
        }
        if !marked.is_empty() && !self.shared.is_stopping() {
            let effects = hosted.shard.borrow_mut().marked(marking, marked, self.now());
            self.act_on(hosted, effects);
        }
    }

    /// The group of a partition and who leads it, if it exists. This core's image may lag behind the one that the partition was added by:
    /// what is not in it is looked for in the controller's.
    async fn find_partition(
        self: &Rc<Self>,
        partition: &TopicPartition,
    ) -> Result<Option<(GroupId, Option<NodeId>)>, Stopping> {
        let find = |image: &ClusterImage, topic: &str, index: i32| {
            let info = image.topic(topic)?.partition(PartitionIndex(index))?;
            Some((info.group, info.leadership.leader().node))
        };
        if let Some(found) = find(&self.image(), &partition.topic, partition.index) {
            return Ok(Some(found));
        }
        let TopicPartition { topic, index } = partition.clone();
        let asked = self.on(CoreId::FIRST, move |core| async move {
            core.controller.as_ref().and_then(|controller| find(&controller.image(), &topic, index))
        });
        asked.await
    }

    /// Transactions go on by themselves: their shards are here as soon as this core leads their partitions.
    pub(super) fn host_transactions(self: &Rc<Self>, image: &ClusterImage) {
        let Some(topic) = image.topic(STATE_TOPIC) else { return };
        for info in topic.partitions.iter().filter(|info| self.owner(info.group) == self.id) {
            // Another node leads it, or will: then it hosts the shard.
            let _ = self.host_shard::<TransactionShard>(info.group);
        }
    }

    /// This core begins to serve a partition.
    pub(super) fn host_transactions_of(self: &Rc<Self>, group: GroupId) {
        let image = self.image();
        let is_ours = image.groups.get(&group).is_some_and(|(topic, _)| &**topic == STATE_TOPIC);
        if is_ours {
            let _ = self.host_shard::<TransactionShard>(group);
        }
    }

    /// The level of `transaction.version` may be another now.
    pub(super) fn set_transaction_version(&self, image: &ClusterImage) {
        let version = TransactionVersion::from_level(image.feature(features::TRANSACTION_VERSION));
        for hosted in self.transactions.all() {
            hosted.shard.borrow_mut().set_version(version);
        }
    }

    /// Where a shard has no producer id in stock, gets one: what the clock decides may need it.
    pub(super) fn stock_producer_ids(self: &Rc<Self>) {
        let short = |hosted: &Rc<Hosted<TransactionShard>>| {
            let shard = hosted.shard.borrow();
            shard.wants_producer_id() && shard.has_ongoing()
        };
        for hosted in self.transactions.all().into_iter().filter(short) {
            let core = Rc::clone(self);
            thalweg_reactor::spawn(async move {
                // Said in the log where it fails; the next round tries again.
                let _ = core.supply_producer_id(&hosted).await;
            })
            .detach();
        }
    }

    fn transaction_config(&self, group: GroupId) -> TransactionConfig {
        let config = &self.shared.config.transactions;
        TransactionConfig {
            version: TransactionVersion::from_level(self.image().feature(features::TRANSACTION_VERSION)),
            timeout_ms_max: config.timeout_ms_max,
            abort_interval_ms: config.abort_interval_ms,
            expiration_ms: config.expiration_ms,
            expiry_interval_ms: config.expiry_interval_ms,
            batch_size_max_bytes: self.batch_size_max_bytes(group),
        }
    }
}

/// On the owner of the partitions.
async fn write_on_owner(
    core: Rc<Core>,
    partitions: Vec<(GroupId, TopicPartition)>,
    marker: TxnMarker,
    version: TransactionVersion,
) -> Vec<Marked> {
    let version = i8::try_from(version.level()).unwrap_or(i8::MAX);
    let written = partitions.into_iter().map(|(group, partition)| {
        let core = Rc::clone(&core);
        async move { (partition, core.end_transaction(group, marker, version).await) }
    });
    future::join_all(written).await
}
