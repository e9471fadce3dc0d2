//! A classic group: what it is. What it does is in the sibling files, one per flow.

use std::collections::{BTreeMap, BTreeSet};

use indexmap::IndexMap;
use thalweg_protocol::{LeaderEpoch, StrBytes, TimestampMs};
use uuid::Uuid;

use super::consumer::Modern;
use super::member::{Member, Protocol};
use super::pending::{LogOrder, PendingOffsets};
use super::state::GroupState;
use super::subscription;
use super::{ErrorCode, context::Context};

/// The protocol type of consumers; groups of other types (Connect) may carry anything as metadata.
pub(super) const CONSUMER_PROTOCOL_TYPE: &str = "consumer";

/// An offset that a group committed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct CommittedOffset {
    pub(super) offset: i64,
    pub(super) leader_epoch: LeaderEpoch,
    pub(super) metadata: StrBytes,
    /// The topic that the name meant at that time; all zero where that is not known.
    pub(super) topic_id: Uuid,
    pub(super) committed_at: TimestampMs,
    /// Only from requests before OffsetCommit v5, which chose their own retention.
    pub(super) expires_at: Option<TimestampMs>,
    /// Where in the log it was committed. Not part of the record.
    pub(super) order: LogOrder,
}

/// The first rebalance of an empty group is put off so that members that start together join together.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct InitialDelay {
    pub(super) delay_ms: i32,
    pub(super) remaining_ms: i32,
    /// Somebody joined since the delay was last set, so it is worth waiting once more.
    pub(super) member_added: bool,
}

#[derive(Debug)]
pub(super) struct Group {
    pub(super) id: StrBytes,
    state: GroupState,
    /// When it came into this state; unknown if loaded from a record older than version 2.
    pub(super) state_since: Option<TimestampMs>,
    pub(super) protocol_type: Option<StrBytes>,
    pub(super) protocol_name: Option<StrBytes>,
    pub(super) generation: i32,
    pub(super) leader: Option<StrBytes>,
    /// In the order in which they joined.
    pub(super) members: IndexMap<StrBytes, Member>,
    /// Instance id to member id.
    pub(super) static_members: BTreeMap<StrBytes, StrBytes>,
    /// Have been given a member id and are expected to join with it.
    pub(super) pending_joins: BTreeSet<StrBytes>,
    /// Have got their generation and not yet asked for their assignment.
    pub(super) pending_syncs: BTreeSet<StrBytes>,
    pub(super) initial_delay: Option<InitialDelay>,
    /// Topics that consumers subscribe to, where that is known.
    pub(super) subscribed: Option<BTreeSet<String>>,
    /// Durable offsets by topic and partition.
    pub(super) offsets: BTreeMap<StrBytes, BTreeMap<i32, CommittedOffset>>,
    /// Offsets with a write under way, and how many.
    pub(super) offsets_in_flight: BTreeMap<(StrBytes, i32), u32>,
    /// Offsets that wait for the end of their transactions.
    pub(super) pending: PendingOffsets,
    /// A metadata record of this group stands in the log or is under way.
    pub(super) recorded: bool,
    /// The consumer group that this id stands for. There are no members above while there is one.
    pub(super) modern: Modern,
}

impl Group {
    pub(super) fn new(id: StrBytes, now: TimestampMs) -> Self {
        Self {
            id,
            state: GroupState::Empty,
            state_since: Some(now),
            protocol_type: None,
            protocol_name: None,
            generation: 0,
            leader: None,
            members: IndexMap::new(),
            static_members: BTreeMap::new(),
            pending_joins: BTreeSet::new(),
            pending_syncs: BTreeSet::new(),
            initial_delay: None,
            subscribed: None,
            offsets: BTreeMap::new(),
            offsets_in_flight: BTreeMap::new(),
            pending: PendingOffsets::default(),
            recorded: false,
            modern: Modern::default(),
        }
    }

    pub(super) fn state(&self) -> GroupState {
        self.state
    }

    pub(super) fn is(&self, state: GroupState) -> bool {
        self.state == state
    }

    pub(super) fn transition(&mut self, next: GroupState, now: TimestampMs) {
        assert!(self.state.may_become(next), "group {} cannot go from {} to {next}", self.id, self.state);
        self.state = next;
        self.state_since = Some(now);
    }

    /// Sets what a record says, without the rules of [`Self::transition`]: only for loading, and to take back `Dead`.
    pub(super) fn restore_state(&mut self, state: GroupState, since: Option<TimestampMs>) {
        self.state = state;
        self.state_since = since;
    }

    /// Nothing of it is worth keeping or writing down.
    pub(super) fn is_vacant(&self) -> bool {
        self.is(GroupState::Empty)
            && !self.recorded
            && self.pending_joins.is_empty()
            && self.offsets.is_empty()
            && self.offsets_in_flight.is_empty()
            && self.pending.is_empty()
            && self.modern.is_none()
    }

    pub(super) fn is_leader(&self, member: &str) -> bool {
        self.leader.as_deref() == Some(member)
    }

    pub(super) fn uses_consumer_protocol(&self) -> bool {
        self.protocol_type.as_deref() == Some(CONSUMER_PROTOCOL_TYPE)
    }

    pub(super) fn member(&self, id: &str) -> Option<&Member> {
        self.members.get(id.as_bytes())
    }

    pub(super) fn member_mut(&mut self, id: &str) -> Option<&mut Member> {
        self.members.get_mut(id.as_bytes())
    }

    pub(super) fn joins_parked(&self) -> usize {
        self.members.values().filter(|member| member.join.is_some()).count()
    }

    pub(super) fn all_joined(&self) -> bool {
        self.pending_joins.is_empty() && self.members.values().all(|member| member.join.is_some())
    }

    /// The longest that any member asks to be waited for.
    pub(super) fn rebalance_timeout_ms(&self) -> i32 {
        self.members.values().map(|member| member.rebalance_timeout_ms).max().unwrap_or(0).max(0)
    }

    /// Whether the caller is who it says it is (Kafka's `validateMember`).
    pub(super) fn check_member(&self, member: &str, instance: Option<&str>) -> Result<(), ErrorCode> {
        if let Some(instance) = instance {
            let current = self.static_members.get(instance.as_bytes()).ok_or(ErrorCode::UnknownMemberId)?;
            if &**current != member {
                return Err(ErrorCode::FencedInstanceId);
            }
        }
        self.member(member).map(|_| ()).ok_or(ErrorCode::UnknownMemberId)
    }

    /// The current generation is the caller's.
    pub(super) fn check_generation(&self, generation: i32) -> Result<(), ErrorCode> {
        if generation == self.generation { Ok(()) } else { Err(ErrorCode::IllegalGeneration) }
    }

    pub(super) fn add_member(&mut self, member: Member, protocol_type: StrBytes) {
        debug_assert!(!self.members.contains_key(&member.id));
        if self.members.is_empty() {
            self.protocol_type = Some(protocol_type);
        }
        if let Some(instance) = &member.instance_id {
            self.static_members.insert(instance.clone(), member.id.clone());
        }
        if self.leader.is_none() {
            self.leader = Some(member.id.clone());
        }
        self.pending_joins.remove(&member.id);
        self.members.insert(member.id.clone(), member);
    }

    /// Takes a member (or one that was to become one) out. Whoever waits in it must have been answered before.
    pub(super) fn remove_member(&mut self, id: &str, cx: &mut Context) {
        self.cancel_session(id, cx);
        self.pending_joins.remove(id.as_bytes());
        self.pending_syncs.remove(id.as_bytes());
        let Some(member) = self.members.shift_remove(id.as_bytes()) else { return };
        debug_assert!(member.join.is_none());
        if let Some(instance) = &member.instance_id {
            self.static_members.remove(instance);
        }
        if self.is_leader(id) {
            self.leader = self.members.keys().next().cloned();
        }
    }

    /// Whether a member with these protocols can be in the group with the others.
    pub(super) fn supports(&self, protocol_type: &str, protocols: &[Protocol]) -> bool {
        if self.is(GroupState::Empty) {
            return !protocol_type.is_empty() && !protocols.is_empty();
        }
        self.protocol_type.as_deref() == Some(protocol_type)
            && protocols.iter().any(|wanted| self.members.values().all(|member| member.offers(&wanted.name)))
    }

    /// The protocol that most members prefer among those that all of them offer; the first of equals in joining order.
    pub(super) fn select_protocol(&self) -> Option<StrBytes> {
        let (_, first) = self.members.first()?;
        let common: BTreeSet<&StrBytes> = first
            .protocols
            .iter()
            .map(|protocol| &protocol.name)
            .filter(|name| self.members.values().all(|member| member.offers(name)))
            .collect();
        let mut votes: IndexMap<&StrBytes, usize> = IndexMap::new();
        for member in self.members.values() {
            if let Some(choice) =
                member.protocols.iter().map(|offered| &offered.name).find(|name| common.contains(name))
            {
                *votes.entry(choice).or_default() += 1;
            }
        }
        let most = votes.values().copied().max()?;
        votes.into_iter().find(|(_, count)| *count == most).map(|(name, _)| name.clone())
    }

    /// The topics of all members' subscriptions, if the group is one of consumers and they can be read.
    pub(super) fn compute_subscribed(&self) -> Option<BTreeSet<String>> {
        if !self.uses_consumer_protocol() {
            return None;
        }
        let mut topics = BTreeSet::new();
        for member in self.members.values() {
            let metadata = member.metadata(self.protocol_name.as_deref()?)?;
            topics.extend(subscription::topics(metadata)?);
        }
        Some(topics)
    }

    /// A group of consumers whose subscription is not known counts as subscribed to everything.
    pub(super) fn is_subscribed_to(&self, topic: &str) -> bool {
        if let Some(consumer) = self.modern.current() {
            return consumer.is_subscribed_to(topic);
        }
        self.subscribed.as_ref().map_or_else(|| self.uses_consumer_protocol(), |topics| topics.contains(topic))
    }
}
