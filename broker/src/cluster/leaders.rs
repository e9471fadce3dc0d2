//! How all nodes learn who leads a partition: leaders tell them, each node once per change.
//!
//! Nothing of it is durable or ordered: a notice says an epoch, and the largest wins. A node that comes back is told all of it.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Instant;

use thalweg_protocol::{LeaderEpoch, NodeId};
use thalweg_storage::types::GroupId;

use super::question::{LeaderNotice, Question, Reply};
use crate::limits::{
    LEADER_NEWS_INTERVAL, LEADER_NOTICES_MAX, LEADERS_KNOWN_INTERVAL, LEADERS_KNOWN_TIME_MAX, PEER_ANSWER_TIME_MAX,
};
use crate::metadata::{ClusterImage, Leader, Topic};
use crate::reactor::{Core, Signal};

/// What this core has to tell, by node. Owned by one core.
#[derive(Default)]
pub(crate) struct LeaderNews {
    untold: RefCell<BTreeMap<NodeId, BTreeSet<GroupId>>>,
    pub(crate) raised: Signal,
}

impl LeaderNews {
    fn add(&self, node: NodeId, groups: impl IntoIterator<Item = GroupId>) {
        self.untold.borrow_mut().entry(node).or_default().extend(groups);
        self.raised.raise();
    }

    /// Up to a message's worth for each node.
    fn take(&self) -> Vec<(NodeId, Vec<GroupId>)> {
        let mut untold = self.untold.borrow_mut();
        let taken = untold.iter_mut().map(|(node, groups)| {
            let part: Vec<GroupId> = groups.iter().take(LEADER_NOTICES_MAX).copied().collect();
            groups.retain(|group| !part.contains(group));
            (*node, part)
        });
        let taken = taken.filter(|(_, groups)| !groups.is_empty()).collect();
        untold.retain(|_, groups| !groups.is_empty());
        taken
    }
}

impl Core {
    /// This core's replica began to lead, or its followers changed: everybody is to know.
    pub(crate) fn leader_changed(&self, group: GroupId) {
        for node in self.other_nodes() {
            self.leader_news.add(node, [group]);
        }
    }

    /// A node came (back): it is told of every partition that this core leads.
    pub(crate) fn tell_all_leaders(&self, node: NodeId) {
        let partitions = self.partitions.borrow();
        let led = partitions.iter().filter(|(_, partition)| partition.borrow().leads()).map(|(group, _)| *group);
        self.leader_news.add(node, led.filter(|group| *group != crate::controller::GROUP));
    }

    /// Gives the leaders of topics a moment to be elected, and to be known here.
    pub(crate) async fn await_known_leaders(&self, wanted: impl Fn(&Topic) -> bool) {
        let known = || {
            let image = self.image();
            let topics = image.topics.values().filter(|topic| wanted(topic));
            topics.flat_map(|topic| &topic.partitions).all(|info| info.leadership.leader().node.is_some())
        };
        let until = Instant::now() + LEADERS_KNOWN_TIME_MAX;
        while !known() && Instant::now() < until && !self.shared.is_stopping() {
            crate::reactor::sleep(LEADERS_KNOWN_INTERVAL).await;
        }
    }

    /// Nodes of the cluster that listen for others.
    pub(crate) fn other_nodes(&self) -> Vec<NodeId> {
        let me = self.shared.config.node_id;
        let image = self.image();
        let others = image.brokers.values().filter(|broker| broker.rpc.is_some()).map(|broker| NodeId(broker.node_id));
        others.filter(|node| *node != me).collect()
    }

    /// Tells what there is to tell, a little gathered.
    pub(crate) async fn run_leader_news(self: Rc<Self>) {
        let mut seen = 0;
        loop {
            seen = self.leader_news.raised.wait(seen).await;
            crate::reactor::sleep(LEADER_NEWS_INTERVAL).await;
            let told = self.leader_news.take().into_iter().map(|(node, groups)| {
                let core = Rc::clone(&self);
                async move { core.tell_leaders(node, groups).await }
            });
            futures::future::join_all(told).await;
        }
    }

    async fn tell_leaders(self: Rc<Self>, node: NodeId, groups: Vec<GroupId>) {
        let notices: Vec<LeaderNotice> = groups.iter().filter_map(|group| self.notice(*group)).collect();
        if notices.is_empty() {
            return;
        }
        match self.ask_question(node, Question::Leaders(notices), PEER_ANSWER_TIME_MAX).await {
            Ok(Reply::Unknown(unknown)) if unknown.is_empty() => {}
            // Its image has not got that far.
            Ok(Reply::Unknown(unknown)) => self.leader_news.add(node, unknown.into_iter().map(GroupId)),
            // When it can be reached again it is told everything.
            Ok(_) | Err(_) => {}
        }
    }

    fn notice(&self, group: GroupId) -> Option<LeaderNotice> {
        let partition = self.partition(group)?;
        let partition = partition.borrow();
        partition.leads().then(|| LeaderNotice {
            group: group.0,
            leader: self.shared.config.node_id.0,
            epoch: partition.leader_epoch().0,
            in_sync: partition.in_sync(),
        })
    }

    /// Takes over what another node tells; gives the groups that this node's image does not have.
    pub(crate) fn learn_leaders(&self, notices: &[LeaderNotice]) -> Vec<u64> {
        let image = self.image();
        notices.iter().filter(|notice| !learn(&image, notice)).map(|notice| notice.group).collect()
    }
}

fn learn(image: &ClusterImage, notice: &LeaderNotice) -> bool {
    let Some(info) = image.partition_of_group(notice.group()) else { return false };
    let told = Leader { node: Some(NodeId(notice.leader)), epoch: LeaderEpoch(notice.epoch) };
    info.leadership.learn(told);
    if info.leadership.leader() == told {
        info.leadership.set_in_sync(&info.replicas, &notice.in_sync);
    }
    true
}
