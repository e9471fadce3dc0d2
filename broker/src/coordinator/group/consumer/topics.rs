//! What a group needs to know of the cluster's topics, out of the newest image.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use thalweg_protocol::StrBytes;
use uuid::Uuid;

use super::hash::TopicsHash;
use crate::metadata::{ClusterImage, Topic};

/// The cluster as the shard's core knows it.
#[derive(Clone, Default)]
pub(in crate::coordinator::group) struct Cluster {
    image: Arc<ClusterImage>,
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cluster({})", self.image.version)
    }
}

impl Cluster {
    pub(in crate::coordinator::group) fn new(image: Arc<ClusterImage>) -> Self {
        Self { image }
    }

    /// Grows with every topic that comes, grows or goes.
    pub(in crate::coordinator::group) fn topics_version(&self) -> u64 {
        self.image.topics_version
    }

    pub(in crate::coordinator::group) fn topic(&self, name: &str) -> Option<&Topic> {
        self.image.topic(name).map(|topic| &**topic)
    }

    pub(in crate::coordinator::group) fn name_of(&self, id: Uuid) -> Option<&str> {
        self.image.topic_by_id(id).map(|topic| &*topic.name)
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.image.topics.keys().map(|name| &**name)
    }

    /// The ids of those topics that exist.
    pub(in crate::coordinator::group) fn ids(&self, names: &BTreeSet<StrBytes>) -> BTreeSet<Uuid> {
        names.iter().filter_map(|name| self.topic(name)).map(|topic| topic.id).collect()
    }

    /// A setting of a group, if somebody set it.
    pub(in crate::coordinator::group) fn group_setting(&self, group: &str, key: &str) -> Option<i32> {
        self.image.group_configs.get(group)?.get(key)?.trim().parse().ok()
    }

    /// Kafka's `ModernGroup.computeMetadataHash`: another one, if anything of these topics is.
    pub(super) fn hash(&self, names: &BTreeSet<StrBytes>) -> i64 {
        let mut hash = TopicsHash::default();
        // Java sorts by UTF-16 units, as the names' own order does: topic names are ASCII.
        for topic in names.iter().filter_map(|name| self.topic(name)) {
            hash.add(topic.id, &topic.name, i32::try_from(topic.partitions.len()).unwrap_or(i32::MAX));
        }
        hash.finish()
    }
}
