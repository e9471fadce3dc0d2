//! JoinGroup (KIP-345 static members, KIP-394 member id required, KIP-559 protocol in the answer, KIP-814 skip assignment).

use bytes::Bytes;
use thalweg_protocol::messages::JoinGroupRequest;
use thalweg_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use thalweg_protocol::{StrBytes, TimestampMs};

use super::caller::{Caller, own};
use super::classic::Group;
use super::context::Context;
use super::effect::Effect;
use super::limits::{
    GROUP_MEMBERS_MAX, GROUPS_MAX, INSTANCE_ID_LENGTH_MAX, MEMBER_METADATA_SIZE_MAX_BYTES, MEMBER_PROTOCOLS_MAX,
    PENDING_MEMBERS_MAX, STRING_LENGTH_MAX,
};
use super::member::{Member, ParkedJoin, Protocol};
use super::reply::{JoinDetail, MEMBER_ID_NONE, join_error};
use super::shard::GroupShard;
use super::state::GroupState;
use super::{ErrorCode, GroupConfig};

/// From this version on a new dynamic member must come back with the id it was given (KIP-394).
pub(super) const MEMBER_ID_REQUIRED_VERSION: i16 = 4;

/// A JoinGroup whose limits have been checked; it owns what it will leave behind in the group.
#[derive(Clone, Debug)]
pub(super) struct Joining {
    pub(super) member_id: StrBytes,
    pub(super) instance_id: Option<StrBytes>,
    pub(super) protocol_type: StrBytes,
    pub(super) protocols: Vec<Protocol>,
    pub(super) session_timeout_ms: i32,
    pub(super) rebalance_timeout_ms: i32,
    pub(super) client_id: StrBytes,
    pub(super) client_host: StrBytes,
    pub(super) parked: ParkedJoin,
}

impl Joining {
    fn parse(request: &JoinGroupRequest, caller: &Caller, config: &GroupConfig) -> Result<Self, ErrorCode> {
        let session_timeout_ms = request.session_timeout_ms;
        if session_timeout_ms < config.session_timeout_ms_min || session_timeout_ms > config.session_timeout_ms_max {
            return Err(ErrorCode::InvalidSessionTimeout);
        }
        check_sizes(request)?;
        // Version 0 had one timeout for both.
        let rebalance_timeout_ms = if caller.version == 0 { session_timeout_ms } else { request.rebalance_timeout_ms };
        Ok(Self {
            member_id: own(&request.member_id),
            instance_id: request.group_instance_id.as_deref().map(own),
            protocol_type: own(&request.protocol_type),
            protocols: own_protocols(&request.protocols),
            session_timeout_ms,
            rebalance_timeout_ms,
            client_id: own(&caller.client_id),
            client_host: own(&caller.client_host),
            parked: ParkedJoin { token: caller.token, version: caller.version },
        })
    }

    fn into_member(self, id: StrBytes) -> (Member, StrBytes) {
        let member = Member {
            id,
            instance_id: self.instance_id,
            client_id: self.client_id,
            client_host: self.client_host,
            session_timeout_ms: self.session_timeout_ms,
            rebalance_timeout_ms: self.rebalance_timeout_ms,
            protocols: self.protocols,
            assignment: Bytes::new(),
            join: Some(self.parked),
            sync: None,
            is_new: true,
        };
        (member, self.protocol_type)
    }
}

fn check_sizes(request: &JoinGroupRequest) -> Result<(), ErrorCode> {
    let instance_id_length = request.group_instance_id.as_ref().map_or(0, |id| id.len());
    let names_fit = request.protocols.iter().all(|protocol| protocol.name.len() <= STRING_LENGTH_MAX);
    let size_bytes: usize =
        request.protocols.iter().map(|protocol| protocol.name.len() + protocol.metadata.len()).sum();
    let fits = instance_id_length <= INSTANCE_ID_LENGTH_MAX
        && request.protocol_type.len() <= STRING_LENGTH_MAX
        && request.protocols.len() <= MEMBER_PROTOCOLS_MAX
        && names_fit
        && size_bytes <= MEMBER_METADATA_SIZE_MAX_BYTES;
    if fits { Ok(()) } else { Err(ErrorCode::InvalidRequest) }
}

/// The first of several protocols of one name counts, as in Kafka's collection keyed by name.
fn own_protocols(protocols: &[JoinGroupRequestProtocol]) -> Vec<Protocol> {
    let mut owned: Vec<Protocol> = Vec::with_capacity(protocols.len());
    for protocol in protocols {
        if !owned.iter().any(|earlier| earlier.name == protocol.name) {
            let metadata = Bytes::copy_from_slice(&protocol.metadata);
            owned.push(Protocol { name: own(&protocol.name), metadata });
        }
    }
    owned
}

impl GroupShard {
    /// Lets a client join a group; it is answered when the group's next generation begins.
    pub fn join(&mut self, request: &JoinGroupRequest, caller: &Caller, now: TimestampMs) -> Vec<Effect> {
        self.begin(now);
        if let Err(error) = self.try_join(request, caller) {
            let member = match error {
                ErrorCode::GroupMaxSizeReached => MEMBER_ID_NONE,
                _ => request.member_id.clone(),
            };
            self.cx.reply(caller.token, join_error(caller.version, member, error));
        }
        self.remove_if_vacant(&request.group_id);
        self.finish()
    }

    fn try_join(&mut self, request: &JoinGroupRequest, caller: &Caller) -> Result<(), ErrorCode> {
        self.check_group_id(&request.group_id)?;
        let joining = Joining::parse(request, caller, &self.cx.config)?;
        self.check_serving()?;
        if joining.member_id.is_empty() {
            self.end_empty_consumer(&request.group_id);
        }
        if self.is_consumer(&request.group_id) {
            return self.join_consumer(&own(&request.group_id), joining);
        }
        if joining.member_id.is_empty() {
            self.group_for_new_member(&request.group_id)?;
        }
        let (group, cx) = self.group_and_context(&request.group_id);
        let group = group.ok_or(ErrorCode::UnknownMemberId)?;
        group.join(joining, cx)
    }

    /// The group is made where it does not exist, as somebody without a member id may be its first member.
    fn group_for_new_member(&mut self, id: &StrBytes) -> Result<(), ErrorCode> {
        if !self.groups.contains_key(id) {
            if self.groups.len() >= GROUPS_MAX {
                return Err(ErrorCode::CoordinatorNotAvailable);
            }
            self.create_group(id);
        }
        Ok(())
    }
}

impl Group {
    fn join(&mut self, joining: Joining, cx: &mut Context) -> Result<(), ErrorCode> {
        if self.is(GroupState::Dead) {
            return Err(ErrorCode::CoordinatorNotAvailable);
        }
        if !self.has_room_for(&joining.member_id, cx.config.members_max()) {
            self.turn_away(&joining.member_id, cx);
            return Err(ErrorCode::GroupMaxSizeReached);
        }
        if !self.supports(&joining.protocol_type, &joining.protocols) {
            return Err(ErrorCode::InconsistentGroupProtocol);
        }
        if joining.member_id.is_empty() { self.join_new(joining, cx) } else { self.join_known(joining, cx) }
    }

    /// While a rebalance is prepared those who wait count, so that of a group that has grown too large the last to
    /// rejoin are left out; later the members do (Kafka's `acceptJoiningMember`).
    /// Members that are late but keep their place do not count there, so [`GROUP_MEMBERS_MAX`] bounds them all.
    fn has_room_for(&self, member: &str, members_max: usize) -> bool {
        if self.members.len() >= GROUP_MEMBERS_MAX && self.member(member).is_none() {
            return false;
        }
        match self.state() {
            GroupState::Empty | GroupState::Dead => true,
            GroupState::PreparingRebalance => {
                self.member(member).is_some_and(|member| member.join.is_some()) || self.joins_parked() < members_max
            }
            GroupState::CompletingRebalance | GroupState::Stable => {
                self.member(member).is_some() || self.members.len() < members_max
            }
        }
    }

    fn turn_away(&mut self, member: &StrBytes, cx: &mut Context) {
        self.fail_join(member, member.clone(), ErrorCode::GroupMaxSizeReached, cx);
        self.fail_sync(member, ErrorCode::UnknownMemberId, cx);
        self.remove_member(member, cx);
        // It may have been the last that the others were waiting for.
        self.complete_if_all_joined(cx);
    }

    fn join_new(&mut self, joining: Joining, cx: &mut Context) -> Result<(), ErrorCode> {
        let Some(instance) = joining.instance_id.clone() else { return self.join_new_dynamic(joining, cx) };
        let id = cx.member_ids.next(&instance);
        match self.static_members.get(&instance).cloned() {
            Some(current) => self.replace_static_member(joining, &current, id, cx),
            None => self.join_as(joining, id, cx),
        }
        Ok(())
    }

    fn join_new_dynamic(&mut self, joining: Joining, cx: &mut Context) -> Result<(), ErrorCode> {
        let id = cx.member_ids.next(&joining.client_id);
        if joining.parked.version < MEMBER_ID_REQUIRED_VERSION {
            self.join_as(joining, id, cx);
            return Ok(());
        }
        if self.pending_joins.len() >= PENDING_MEMBERS_MAX {
            return Err(ErrorCode::GroupMaxSizeReached);
        }
        self.pending_joins.insert(id.clone());
        self.schedule_session(id.clone(), joining.session_timeout_ms, cx);
        cx.reply(joining.parked.token, join_error(joining.parked.version, id, ErrorCode::MemberIdRequired));
        Ok(())
    }

    fn join_known(&mut self, joining: Joining, cx: &mut Context) -> Result<(), ErrorCode> {
        let id = joining.member_id.clone();
        if self.pending_joins.contains(&id) {
            // Only dynamic members are told to come back with an id.
            if joining.instance_id.is_some() {
                return Err(ErrorCode::UnknownMemberId);
            }
            self.join_as(joining, id, cx);
            return Ok(());
        }
        self.check_member(&id, joining.instance_id.as_deref())?;
        let member = self.member(&id).ok_or(ErrorCode::UnknownMemberId)?;
        let changed = member.protocols != joining.protocols;
        match self.state() {
            GroupState::PreparingRebalance => self.rejoin(&id, joining, cx),
            // An answer was lost; it learns the generation again.
            GroupState::CompletingRebalance if !changed => self.answer_again(&id, joining.parked, cx),
            GroupState::CompletingRebalance => self.rejoin(&id, joining, cx),
            // The leader rejoins when something else has changed that its assignment depends on, as partition counts.
            GroupState::Stable if changed || self.is_leader(&id) => self.rejoin(&id, joining, cx),
            GroupState::Stable => self.answer_again(&id, joining.parked, cx),
            GroupState::Empty | GroupState::Dead => return Err(ErrorCode::UnknownMemberId),
        }
        Ok(())
    }

    fn answer_again(&mut self, id: &str, parked: ParkedJoin, cx: &mut Context) {
        if let Some(member) = self.member(id) {
            cx.reply(parked.token, self.joined(member, parked.version, JoinDetail::Normal));
        }
    }

    /// Adds a member and lets the group react.
    fn join_as(&mut self, joining: Joining, id: StrBytes, cx: &mut Context) {
        if let Some(delay) = self.initial_delay.as_mut() {
            delay.member_added = true;
        }
        let (member, protocol_type) = joining.into_member(id.clone());
        self.add_member(member, protocol_type);
        // It waits for an answer and cannot send heartbeats; if its client is gone, this is how it is noticed.
        self.schedule_session(id, cx.config.new_member_join_timeout_ms, cx);
        self.rebalance_or_complete(cx);
    }

    fn rejoin(&mut self, id: &str, joining: Joining, cx: &mut Context) {
        self.update_member(id, joining, cx);
        self.rebalance_or_complete(cx);
    }

    /// Takes over what a member now says of itself, and parks its JoinGroup.
    pub(super) fn update_member(&mut self, id: &str, joining: Joining, cx: &mut Context) {
        // An older JoinGroup of it was given up by its client, but its connection may still wait.
        self.fail_join(id, joining.member_id.clone(), ErrorCode::RebalanceInProgress, cx);
        if let Some(member) = self.member_mut(id) {
            member.protocols = joining.protocols;
            member.session_timeout_ms = joining.session_timeout_ms;
            member.rebalance_timeout_ms = joining.rebalance_timeout_ms;
            member.join = Some(joining.parked);
        }
    }
}
