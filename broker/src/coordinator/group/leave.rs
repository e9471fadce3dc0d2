//! LeaveGroup: one member by its id, or several, also by instance id (KIP-345).

use thalweg_protocol::messages::leave_group_request::MemberIdentity;
use thalweg_protocol::messages::leave_group_response::MemberResponse;
use thalweg_protocol::messages::{LeaveGroupRequest, LeaveGroupResponse};
use thalweg_protocol::{StrBytes, TimestampMs};

use super::ErrorCode;
use super::caller::Caller;
use super::classic::Group;
use super::context::Context;
use super::effect::{Effect, Response};
use super::reply::MEMBER_ID_NONE;
use super::shard::GroupShard;
use super::state::GroupState;
use super::wire;

impl GroupShard {
    /// Answers at once; the group rebalances.
    pub fn leave(&mut self, request: &LeaveGroupRequest, caller: &Caller, now: TimestampMs) -> Vec<Effect> {
        self.begin(now);
        let members = wire::leaving_members(request, caller.version);
        if self.check_serving().is_ok() && self.is_consumer(&request.group_id) {
            let version = caller.version;
            let answer = move |results| Response::LeaveGroup(wire::leave_response(results, version));
            if let Err(error) = self.leave_consumer(&request.group_id, &members, answer, caller) {
                let response = LeaveGroupResponse::default().with_error_code(error.code());
                self.cx.reply(caller.token, Response::LeaveGroup(response));
            }
            return self.finish();
        }
        let response = match self.try_leave(request, &members) {
            Ok(results) => wire::leave_response(results, caller.version),
            Err(ErrorCode::UnknownMemberId) => {
                let unknown = |member: &MemberIdentity| result_of(member, Err(ErrorCode::UnknownMemberId));
                wire::leave_response(members.iter().map(unknown).collect(), caller.version)
            }
            Err(error) => LeaveGroupResponse::default().with_error_code(error.code()),
        };
        self.cx.reply(caller.token, Response::LeaveGroup(response));
        self.remove_if_vacant(&request.group_id);
        self.finish()
    }

    fn try_leave(
        &mut self,
        request: &LeaveGroupRequest,
        members: &[MemberIdentity],
    ) -> Result<Vec<MemberResponse>, ErrorCode> {
        self.check_group_id(&request.group_id)?;
        self.check_serving()?;
        let (group, cx) = self.group_and_context(&request.group_id);
        let group = group.ok_or(ErrorCode::UnknownMemberId)?;
        if group.is(GroupState::Dead) {
            return Err(ErrorCode::CoordinatorNotAvailable);
        }
        let results: Vec<MemberResponse> =
            members.iter().map(|member| result_of(member, group.leave(member, cx))).collect();
        if results.iter().any(|result| result.error_code == 0) {
            match group.state() {
                GroupState::Stable | GroupState::CompletingRebalance => group.prepare_rebalance(cx),
                _ => group.complete_if_all_joined(cx),
            }
        }
        Ok(results)
    }
}

fn result_of(member: &MemberIdentity, result: Result<(), ErrorCode>) -> MemberResponse {
    MemberResponse::default()
        .with_member_id(member.member_id.clone())
        .with_group_instance_id(member.group_instance_id.clone())
        .with_error_code(result.map_or_else(|error| error.code(), |()| 0))
}

impl Group {
    fn leave(&mut self, leaving: &MemberIdentity, cx: &mut Context) -> Result<(), ErrorCode> {
        let instance = leaving.group_instance_id.as_deref();
        if leaving.member_id.is_empty() {
            // An administrator removes a static member whose member id it does not know.
            let member = instance.and_then(|instance| self.static_members.get(instance.as_bytes())).cloned();
            let member = member.ok_or(ErrorCode::UnknownMemberId)?;
            self.dismiss(&member, cx);
        } else if self.pending_joins.contains(&leaving.member_id) {
            self.remove_member(&leaving.member_id, cx);
        } else {
            self.check_member(&leaving.member_id, instance)?;
            self.dismiss(&leaving.member_id, cx);
        }
        Ok(())
    }

    fn dismiss(&mut self, member: &StrBytes, cx: &mut Context) {
        self.fail_join(member, MEMBER_ID_NONE, ErrorCode::UnknownMemberId, cx);
        self.fail_sync(member, ErrorCode::UnknownMemberId, cx);
        self.remove_member(member, cx);
    }
}
