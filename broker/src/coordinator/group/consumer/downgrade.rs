//! A consumer group becomes a classic one, as its last member of the consumer protocol leaves or a static member of the
//! classic protocol takes that one's place (Kafka's `convertToClassicGroup`).

use std::rc::Rc;

use bytes::Bytes;
use thalweg_protocol::StrBytes;

use super::draft::Draft;
use super::embedded::{Subscription, encode_assignment};
use super::group::ConsumerGroup;
use super::member::Member;
use super::topics::Cluster;
use crate::coordinator::group::append::Change;
use crate::coordinator::group::classic::{CONSUMER_PROTOCOL_TYPE, Group};
use crate::coordinator::group::context::Context;
use crate::coordinator::group::member::Member as Joined;
use crate::coordinator::group::shard::GroupShard;
use crate::coordinator::group::state::GroupState;

impl ConsumerGroup {
    fn classic_members(&self) -> usize {
        self.members.values().filter(|member| member.is_classic()).count()
    }

    /// All members but this one speak the classic protocol.
    fn is_classic_but_for(&self, member: &str) -> bool {
        self.member(member).is_some_and(|member| !member.is_classic())
            && self.classic_members() + 1 == self.members.len()
    }
}

impl GroupShard {
    /// Whether the group becomes a classic one when `leaving` goes, and `others` are left.
    pub(super) fn may_downgrade(&self, group: &ConsumerGroup, leaving: &str, others: usize) -> bool {
        let config = &self.cx.config;
        group.is_classic_but_for(leaving)
            && others > 0
            && config.consumer.migration.downgrades()
            && others <= config.members_max()
    }
}

impl Group {
    /// Becomes the classic group of those members of `draft` that are left, and ends the draft's group. Gives what is to be
    /// written after the draft's records.
    pub(super) fn become_classic(&mut self, draft: &mut Draft, cluster: &Cluster, cx: &mut Context) -> Change {
        self.end_classic(cx);
        self.generation = draft.group.epoch.epoch;
        for member in draft.group.members.values().filter(|member| member.is_classic()) {
            self.add_member(joined(member), StrBytes::from_static_str(CONSUMER_PROTOCOL_TYPE));
        }
        self.protocol_name = self.select_protocol();
        self.subscribed = self.compute_subscribed();
        let targets: Vec<(StrBytes, Bytes)> =
            self.members.keys().map(|id| (id.clone(), target_of(&draft.group, id, cluster))).collect();
        for (id, target) in targets {
            if let Some(member) = self.member_mut(&id) {
                member.assignment = target;
            }
        }
        self.restore_state(GroupState::Stable, Some(cx.now));
        self.recorded = true;
        draft.erase();
        let change = Change::group_metadata(self, &|member| Some(member.assignment.clone()));
        let sessions: Vec<(StrBytes, i32)> =
            self.members.values().map(|member| (member.id.clone(), member.session_timeout_ms)).collect();
        for (member, session_timeout_ms) in sessions {
            self.schedule_session(member, session_timeout_ms, cx);
        }
        change
    }
}

fn joined(member: &Member) -> Joined {
    let metadata = &member.metadata;
    let classic = metadata.classic.as_deref();
    Joined {
        id: member.id.clone(),
        instance_id: metadata.instance_id.clone(),
        client_id: metadata.client_id.clone(),
        client_host: metadata.client_host.clone(),
        session_timeout_ms: classic.map_or(0, |classic| classic.session_timeout_ms),
        rebalance_timeout_ms: metadata.rebalance_timeout_ms,
        protocols: classic.map(|classic| classic.protocols.clone()).unwrap_or_default(),
        assignment: Bytes::new(),
        join: None,
        sync: None,
        is_new: false,
    }
}

/// What the member is to have, as it will read it.
fn target_of(group: &ConsumerGroup, member: &str, cluster: &Cluster) -> Bytes {
    let Some(of) = group.member(member).map(Rc::clone) else { return Bytes::new() };
    encode_assignment(version_of(&of), &group.target_of(member), cluster)
}

/// The version of the classic protocol's messages that the member spoke when it joined.
pub(super) fn version_of(member: &Member) -> i16 {
    let protocol = member.metadata.classic.as_deref().and_then(|classic| classic.protocols.first());
    protocol
        .and_then(|protocol| Subscription::decode(&protocol.metadata))
        .map_or(0, |subscription| subscription.version)
}
