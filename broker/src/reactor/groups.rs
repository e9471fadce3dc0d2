//! What a core does for the shards of groups in particular.

use std::rc::Rc;
use std::sync::Arc;

use thalweg_protocol::StrBytes;
use thalweg_storage::types::GroupId;

use super::core::Core;
use super::shards::Kind;
use crate::config::broker::GroupConsumerConfig;
use crate::config::share::ShareSettings;
use crate::coordinator::group::{
    Assignor, ConsumerConfig, Errand, GroupConfig, GroupShard, MigrationPolicy, ShareConfig,
};
use crate::coordinator::{Coordinators, Hosted};
use crate::handlers::groups::OFFSETS_TOPIC;
use crate::metadata::ClusterImage;

impl Kind for GroupShard {
    const TOPIC: &'static str = OFFSETS_TOPIC;

    fn of(core: &Core) -> &Coordinators<Self> {
        &core.groups
    }

    fn open(core: &Core, group: GroupId) -> Self {
        let mut shard = Self::new(core.group_config(group), uuid::Uuid::new_v4().as_u64_pair().1);
        shard.set_image(core.image());
        shard
    }

    fn run(core: &Rc<Core>, hosted: &Rc<Hosted<Self>>, errand: Errand) {
        let group = hosted.group;
        let (token, appended) = match errand {
            Errand::Offsets { token, batch, guard } => (token, core.append_offsets(group, &batch, guard)),
            Errand::End { token, end, commit } => (token, core.append_end(group, &end, commit)),
        };
        let fate = appended.unwrap_or_else(|code| {
            let (sender, fate) = futures::channel::oneshot::channel();
            // It is taken up at once.
            let _ = sender.send(Err(code));
            fate
        });
        // The queue ends with the shard itself.
        let _ = hosted.appends.unbounded_send((token, fate));
    }
}

impl Core {
    /// Settings of this broker were changed.
    pub(super) fn take_group_settings(&self) {
        for hosted in self.groups.all() {
            hosted.shard.borrow_mut().set_config(self.group_config(hosted.group));
        }
    }

    /// The groups learn what the cluster is now.
    pub(super) fn show_image_to_groups(&self, image: &Arc<ClusterImage>) {
        for hosted in self.groups.all() {
            hosted.shard.borrow_mut().set_image(Arc::clone(image));
        }
    }

    /// A topic is gone: so are the offsets that groups committed for it.
    pub(super) fn forget_offsets(self: &Rc<Self>, topic: &str) {
        let topics = [StrBytes::from_string(topic.to_owned())];
        for hosted in self.groups.all().into_iter().filter(|hosted| hosted.loaded.get()) {
            let effects = hosted.shard.borrow_mut().topics_deleted(&topics, self.now());
            self.act_on(&hosted, effects);
        }
    }

    fn group_config(&self, group: GroupId) -> GroupConfig {
        let config = &self.shared.config;
        GroupConfig {
            session_timeout_ms_min: config.group_min_session_timeout_ms,
            session_timeout_ms_max: config.group_max_session_timeout_ms,
            initial_rebalance_delay_ms: config.group_initial_rebalance_delay_ms,
            group_size_max: config.group_max_size,
            offset_metadata_size_max_bytes: config.offset_metadata_max_bytes,
            offsets_retention_ms: i64::from(config.offsets_retention_minutes) * 60_000,
            offsets_retention_check_interval_ms: config.offsets_retention_check_interval_ms,
            batch_size_max_bytes: self.batch_size_max_bytes(group),
            consumer: consumer_config(&self.config().group_consumer),
            share: share_config(&config.share),
            ..GroupConfig::default()
        }
    }
}

fn share_config(config: &ShareSettings) -> ShareConfig {
    ShareConfig {
        session_timeout_ms: config.session_timeout_ms,
        heartbeat_interval_ms: config.heartbeat_interval_ms,
        assignment_interval_ms: config.assignment_interval_ms,
        group_size_max: config.max_size,
    }
}

fn consumer_config(config: &GroupConsumerConfig) -> ConsumerConfig {
    ConsumerConfig {
        session_timeout_ms: config.session_timeout_ms,
        heartbeat_interval_ms: config.heartbeat_interval_ms,
        assignment_interval_ms: config.assignment_interval_ms,
        group_size_max: config.max_size,
        assignors: config.assignors.iter().filter_map(|name| Assignor::named(name)).collect(),
        regex_refresh_interval_ms: i64::from(config.regex_refresh_interval_ms),
        migration: MigrationPolicy::named(&config.migration_policy).unwrap_or_default(),
    }
}
