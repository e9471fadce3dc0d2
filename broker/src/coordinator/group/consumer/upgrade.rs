//! A classic group of consumers becomes a consumer group, as its first member of the consumer protocol joins: its members go
//! on with what they have, as members of the classic protocol (Kafka's `convertToConsumerGroup`).

use std::rc::Rc;

use thalweg_protocol::{StrBytes, TimestampMs};

use super::config::Terms;
use super::draft::Draft;
use super::embedded::{Subscription, decode_assignment};
use super::group::ConsumerGroup;
use super::member::{ClassicMember, CurrentAssignment, MemberMetadata, MemberState, Owned, Partitions};
use super::record::{ConsumerRecord, GroupEpoch, TargetEpoch};
use super::refusal::Refusal;
use crate::coordinator::group::ErrorCode;
use crate::coordinator::group::classic::Group;
use crate::coordinator::group::context::Context;
use crate::coordinator::group::limits::GROUP_MEMBERS_MAX;
use crate::coordinator::group::member::Member as Joined;
use crate::coordinator::group::reply::MEMBER_ID_NONE;
use crate::coordinator::group::state::GroupState;
use crate::coordinator::group::timers::GroupTimer;

/// The consumer group that `classic` becomes.
pub(super) fn upgraded(classic: &Group, terms: &Terms) -> Result<Draft, Refusal> {
    let members_max = terms.config.group_size_max.min(GROUP_MEMBERS_MAX);
    let may =
        terms.config.migration.upgrades() && classic.uses_consumer_protocol() && classic.members.len() <= members_max;
    if !may {
        return Err(Refusal::not_consumer(&classic.id));
    }
    let mut members = Vec::with_capacity(classic.members.len());
    for member in classic.members.values() {
        let converted = convert(classic, member, terms).ok_or_else(|| malformed(&classic.id))?;
        members.push((member.id.clone(), converted));
    }
    let mut draft = Draft::new(&ConsumerGroup::default());
    for (id, converted) in &members {
        draft.write_metadata(id, Rc::clone(&converted.metadata));
    }
    let metadata_hash = terms.cluster.hash(&draft.group.subscribed());
    draft.write(ConsumerRecord::Epoch(Some(GroupEpoch { epoch: classic.generation, metadata_hash })));
    for (id, converted) in &members {
        draft.write(ConsumerRecord::Target(id.clone(), Some(Rc::clone(&converted.target))));
    }
    let computed_at = TimestampMs(0);
    draft.write(ConsumerRecord::TargetEpoch(Some(TargetEpoch { epoch: classic.generation, computed_at })));
    for (id, converted) in members {
        draft.write_current(&id, converted.current);
    }
    Ok(draft)
}

fn malformed(group: &str) -> Refusal {
    let message = format!(
        "Cannot upgrade the classic group {group} to consumer group because the embedded consumer protocol is malformed."
    );
    Refusal::new(ErrorCode::GroupIdNotFound, message)
}

struct Converted {
    metadata: Rc<MemberMetadata>,
    target: Rc<Partitions>,
    current: CurrentAssignment,
}

fn convert(group: &Group, member: &Joined, terms: &Terms) -> Option<Converted> {
    let chosen = group.protocol_name.as_deref().and_then(|protocol| member.metadata(protocol));
    let subscription = Subscription::decode(chosen.or_else(|| Some(&member.protocols.first()?.metadata))?)?;
    let partitions = decode_assignment(&member.assignment, &terms.cluster)?;
    let since = |index: &i32| (*index, group.generation);
    let assigned: Owned =
        partitions.iter().map(|(topic, partitions)| (*topic, partitions.iter().map(since).collect())).collect();
    let classic = ClassicMember { session_timeout_ms: member.session_timeout_ms, protocols: member.protocols.clone() };
    let metadata = MemberMetadata {
        instance_id: member.instance_id.clone(),
        rack_id: subscription.rack_id,
        client_id: member.client_id.clone(),
        client_host: member.client_host.clone(),
        topics: Rc::new(subscription.topics),
        regex: StrBytes::default(),
        rebalance_timeout_ms: member.rebalance_timeout_ms,
        assignor: None,
        classic: Some(Rc::new(classic)),
    };
    let current = CurrentAssignment {
        epoch: group.generation,
        previous_epoch: group.generation,
        state: MemberState::Stable,
        assigned: Rc::new(assigned),
        revoking: Rc::default(),
    };
    Some(Converted { metadata: Rc::new(metadata), target: Rc::new(partitions), current })
}

impl Group {
    /// Its members are a consumer group's now, or are gone. Whoever waits joins again; sessions go on.
    pub(in crate::coordinator::group) fn end_classic(&mut self, cx: &mut Context) {
        let members: Vec<_> = self.members.keys().cloned().collect();
        for member in members {
            self.fail_join(&member, MEMBER_ID_NONE, ErrorCode::RebalanceInProgress, cx);
            self.fail_sync(&member, ErrorCode::RebalanceInProgress, cx);
        }
        for pending in std::mem::take(&mut self.pending_joins) {
            self.cancel_session(&pending, cx);
        }
        self.cancel(GroupTimer::Join, cx);
        self.cancel(GroupTimer::Sync, cx);
        let emptied = Self::new(self.id.clone(), cx.now);
        let ended = std::mem::replace(self, emptied);
        self.offsets = ended.offsets;
        self.offsets_in_flight = ended.offsets_in_flight;
        self.pending = ended.pending;
        self.modern = ended.modern;
        debug_assert!(self.is(GroupState::Empty));
    }
}
