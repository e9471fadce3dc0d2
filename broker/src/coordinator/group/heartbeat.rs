//! Heartbeat: keeps a member's session, and tells it of a rebalance.

use thalweg_protocol::TimestampMs;
use thalweg_protocol::messages::{HeartbeatRequest, HeartbeatResponse};

use super::ErrorCode;
use super::caller::Caller;
use super::classic::Group;
use super::context::Context;
use super::effect::{Effect, Response};
use super::shard::GroupShard;
use super::state::GroupState;

impl GroupShard {
    /// Answers at once.
    pub fn heartbeat(&mut self, request: &HeartbeatRequest, caller: &Caller, now: TimestampMs) -> Vec<Effect> {
        self.begin(now);
        let code = match self.try_heartbeat(request) {
            // Nothing is known yet that could contradict the member; an error would make it rejoin for nothing.
            Ok(()) | Err(ErrorCode::CoordinatorLoadInProgress) => 0,
            Err(error) => error.code(),
        };
        self.cx.reply(caller.token, Response::Heartbeat(HeartbeatResponse::default().with_error_code(code)));
        self.finish()
    }

    fn try_heartbeat(&mut self, request: &HeartbeatRequest) -> Result<(), ErrorCode> {
        self.check_group_id(&request.group_id)?;
        self.check_serving()?;
        if self.is_consumer(&request.group_id) {
            return self.heartbeat_consumer(request);
        }
        let (group, cx) = self.group_and_context(&request.group_id);
        group.ok_or(ErrorCode::UnknownMemberId)?.heartbeat(request, cx)
    }
}

impl Group {
    fn heartbeat(&mut self, request: &HeartbeatRequest, cx: &mut Context) -> Result<(), ErrorCode> {
        if self.is(GroupState::Dead) {
            return Err(ErrorCode::CoordinatorNotAvailable);
        }
        self.check_member(&request.member_id, request.group_instance_id.as_deref())?;
        self.check_generation(request.generation_id)?;
        self.keep_session(&request.member_id, cx);
        // In CompletingRebalance it may already beat, having got its JoinGroup answer.
        if self.is(GroupState::PreparingRebalance) { Err(ErrorCode::RebalanceInProgress) } else { Ok(()) }
    }

    /// The member was heard of.
    pub(super) fn keep_session(&self, member: &str, cx: &mut Context) {
        if let Some(member) = self.member(member) {
            self.schedule_session(member.id.clone(), member.session_timeout_ms, cx);
        }
    }
}
