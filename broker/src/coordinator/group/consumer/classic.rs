//! Members that speak the classic protocol within a consumer group: JoinGroup, SyncGroup, Heartbeat and LeaveGroup of theirs
//! are served out of the group's target assignment (Kafka's `classicGroup…ToConsumerGroup`). Their generation is their
//! member epoch.

use std::rc::Rc;

use thalweg_protocol::StrBytes;
use thalweg_protocol::messages::leave_group_request::MemberIdentity;
use thalweg_protocol::messages::leave_group_response::MemberResponse;
use thalweg_protocol::messages::{HeartbeatRequest, JoinGroupResponse, SyncGroupRequest, SyncGroupResponse};

use super::check;
use super::downgrade::version_of;
use super::embedded::encode_assignment;
use super::group::ConsumerGroup;
use super::member::{Member, MemberState, without_epochs};
use crate::coordinator::group::ErrorCode;
use crate::coordinator::group::caller::{Caller, own};
use crate::coordinator::group::classic::CONSUMER_PROTOCOL_TYPE;
use crate::coordinator::group::effect::Response;
use crate::coordinator::group::shard::GroupShard;
use crate::coordinator::group::timers::{GroupTimer, TimerKey};

impl GroupShard {
    /// Whether requests of the classic protocol for this id go to a consumer group, or to a share group, which refuses them.
    pub(in crate::coordinator::group) fn is_consumer(&self, id: &str) -> bool {
        self.group(id).is_some_and(|group| group.modern.current().is_some())
    }

    pub(in crate::coordinator::group) fn sync_consumer(
        &mut self,
        request: &SyncGroupRequest,
        caller: &Caller,
    ) -> Result<(), ErrorCode> {
        let id = &request.group_id;
        // A share group has no such members.
        let group = self.consumer_group(id).map_err(|_| ErrorCode::UnknownMemberId)?;
        let member = classic_member(group, &request.member_id, request.group_instance_id.as_deref())?;
        check_generation(&member, request.generation_id)?;
        check_protocol(&member, request)?;
        let behind = group.epoch.epoch > member.current.epoch && member.current.state != MemberState::Unrevoked;
        let session_timeout_ms = session_timeout_ms(&member);
        if behind {
            self.expect_rejoin(id, &member);
            return Err(ErrorCode::RebalanceInProgress);
        }
        let assigned = without_epochs(&member.current.assigned);
        let assignment = encode_assignment(version_of(&member), &assigned, &self.cx.cluster);
        let response = SyncGroupResponse::default()
            .with_protocol_type(request.protocol_type.clone())
            .with_protocol_name(request.protocol_name.clone())
            .with_assignment(assignment);
        self.cx.timers.cancel(&TimerKey { group: own(id), timer: GroupTimer::MemberSync(member.id.clone()) });
        self.schedule_session(id, &member.id, session_timeout_ms);
        self.cx.reply_behind_appends(caller.token, Response::SyncGroup(response));
        Ok(())
    }

    pub(in crate::coordinator::group) fn heartbeat_consumer(
        &mut self,
        request: &HeartbeatRequest,
    ) -> Result<(), ErrorCode> {
        let id = &request.group_id;
        // A share group has no such members.
        let group = self.consumer_group(id).map_err(|_| ErrorCode::UnknownMemberId)?;
        let member = classic_member(group, &request.member_id, request.group_instance_id.as_deref())?;
        check_generation(&member, request.generation_id)?;
        let rejoins = member.current.epoch < group.epoch.epoch
            || member.current.state == MemberState::Unrevoked
            || (member.current.state == MemberState::Unreleased && !waits_for_others(group, &member));
        self.schedule_session(id, &member.id, session_timeout_ms(&member));
        if rejoins {
            self.expect_rejoin(id, &member);
            return Err(ErrorCode::RebalanceInProgress);
        }
        Ok(())
    }

    /// Takes out members that go, and gives an answer for each.
    pub(in crate::coordinator::group) fn leave_consumer(
        &mut self,
        id: &str,
        leaving: &[MemberIdentity],
        answer: impl FnOnce(Vec<MemberResponse>) -> Response,
        caller: &Caller,
    ) -> Result<(), ErrorCode> {
        // A share group has no such members.
        let group = self.consumer_group(id).map_err(|_| ErrorCode::UnknownMemberId)?;
        let mut gone: Vec<StrBytes> = Vec::new();
        let mut results = Vec::with_capacity(leaving.len());
        for identity in leaving {
            let found = leaving_member(group, identity);
            let code = found.as_ref().map_or_else(|error| error.code(), |_| 0);
            let member = found.as_ref().map_or_else(|_| identity.member_id.clone(), |member| member.id.clone());
            let result = MemberResponse::default()
                .with_member_id(member)
                .with_group_instance_id(identity.group_instance_id.clone())
                .with_error_code(code);
            results.push(result);
            if let Ok(member) = found
                && !gone.contains(&member.id)
            {
                gone.push(member.id.clone());
            }
        }
        let response = answer(results);
        if gone.is_empty() {
            self.cx.reply(caller.token, response);
            return Ok(());
        }
        self.dismiss_members(id, &gone, Some((caller.token, response))).map_err(|refusal| refusal.code)
    }

    /// The member was told to join again, and has its rebalance timeout to do so.
    fn expect_rejoin(&mut self, group: &str, member: &Member) {
        let at = self.cx.after(member.metadata.rebalance_timeout_ms);
        let key = TimerKey { group: own(group), timer: GroupTimer::MemberJoin(member.id.clone()) };
        self.cx.timers.schedule_unless(key, at);
    }
}

/// The answer to a JoinGroup that has worked out. Nobody leads: the coordinator assigns.
pub(super) fn joined(member: &Member) -> Response {
    let protocol = member.metadata.classic.as_deref().and_then(|classic| classic.protocols.first());
    Response::JoinGroup(
        JoinGroupResponse::default()
            .with_member_id(member.id.clone())
            .with_generation_id(member.current.epoch)
            .with_protocol_type(Some(StrBytes::from_static_str(CONSUMER_PROTOCOL_TYPE)))
            .with_protocol_name(Some(protocol.map(|protocol| protocol.name.clone()).unwrap_or_default())),
    )
}

fn session_timeout_ms(member: &Member) -> i32 {
    member.metadata.classic.as_deref().map_or(0, |classic| classic.session_timeout_ms)
}

/// The caller, if it is who it says it is and speaks the classic protocol.
fn classic_member(group: &ConsumerGroup, member: &str, instance: Option<&str>) -> Result<Rc<Member>, ErrorCode> {
    let found = match instance {
        None => group.member(member).ok_or(ErrorCode::UnknownMemberId)?,
        Some(instance) => check::instance(group.static_member(instance), member, instance).map_err(|it| it.code)?,
    };
    if found.is_classic() { Ok(Rc::clone(found)) } else { Err(ErrorCode::UnknownMemberId) }
}

/// An administrator removes static members without knowing their member ids.
fn leaving_member(group: &ConsumerGroup, leaving: &MemberIdentity) -> Result<Rc<Member>, ErrorCode> {
    match leaving.group_instance_id.as_deref() {
        Some(instance) if leaving.member_id.is_empty() => {
            let found = group.static_member(instance).filter(|member| member.is_classic());
            found.map(Rc::clone).ok_or(ErrorCode::UnknownMemberId)
        }
        instance => classic_member(group, &leaving.member_id, instance),
    }
}

fn check_generation(member: &Member, generation: i32) -> Result<(), ErrorCode> {
    if generation == member.current.epoch { Ok(()) } else { Err(ErrorCode::IllegalGeneration) }
}

fn check_protocol(member: &Member, request: &SyncGroupRequest) -> Result<(), ErrorCode> {
    let protocol = member.metadata.classic.as_deref().and_then(|classic| classic.protocols.first());
    let named = |given: &Option<StrBytes>, known: Option<&str>| given.is_none() || given.as_deref() == known;
    let fits = named(&request.protocol_type, Some(CONSUMER_PROTOCOL_TYPE))
        && named(&request.protocol_name, protocol.map(|protocol| &*protocol.name));
    if fits { Ok(()) } else { Err(ErrorCode::InconsistentGroupProtocol) }
}

/// Somebody else still has a partition that the member is to get.
fn waits_for_others(group: &ConsumerGroup, member: &Member) -> bool {
    group.target_of(&member.id).iter().any(|(topic, partitions)| {
        let has = member.current.assigned.get(topic);
        partitions.iter().any(|index| has.is_none_or(|has| !has.contains_key(index)) && !group.is_free(*topic, *index))
    })
}
