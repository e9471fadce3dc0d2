//! Members that go: by their own will, or because they were not heard of or did not give up in time.

use std::rc::Rc;

use thalweg_protocol::StrBytes;
use thalweg_protocol::messages::{ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse};

use super::check;
use super::draft::Draft;
use super::member::{CurrentAssignment, EPOCH_LEFT_FOR_NOW, Member, MemberState, Owned};
use super::refusal::Refusal;
use crate::coordinator::group::append::Completion;
use crate::coordinator::group::caller::Caller;
use crate::coordinator::group::effect::Response;
use crate::coordinator::group::shard::GroupShard;
use crate::coordinator::group::state::GroupState;

impl GroupShard {
    pub(super) fn consumer_leave(
        &mut self,
        request: &ConsumerGroupHeartbeatRequest,
        caller: &Caller,
    ) -> Result<(), Refusal> {
        let group = self.consumer_group(&request.group_id)?;
        let member = match &request.instance_id {
            None => group
                .member(&request.member_id)
                .ok_or_else(|| Refusal::unknown_member(&request.member_id, &request.group_id))?,
            Some(instance) => check::instance(group.static_member(instance), &request.member_id, instance)?,
        };
        let member = Rc::clone(member);
        let response = ConsumerGroupHeartbeatResponse::default()
            .with_member_id(Some(member.id.clone()))
            .with_member_epoch(request.member_epoch);
        let response = Response::ConsumerHeartbeat(response);
        if request.instance_id.is_some() && request.member_epoch == EPOCH_LEFT_FOR_NOW {
            let mut opened = self.open_consumer_group(&request.group_id, false)?;
            leave_for_now(&mut opened.draft, &member);
            self.commit_draft(&request.group_id, opened, caller.token, response);
            return Ok(());
        }
        self.dismiss_members(&request.group_id, std::slice::from_ref(&member.id), Some((caller.token, response)))
    }

    /// Takes members out. Where only members of the classic protocol are left, the group may become a classic one.
    pub(in crate::coordinator::group) fn dismiss_members(
        &mut self,
        id: &str,
        members: &[StrBytes],
        reply: Option<(crate::coordinator::group::ReplyToken, Response)>,
    ) -> Result<(), Refusal> {
        let mut opened = self.open_modern_group(id)?;
        let others = opened.draft.group.members.len().saturating_sub(members.len());
        let downgrades = matches!(members, [one] if self.may_downgrade(&opened.draft.group, one, others));
        let draft = &mut opened.draft;
        members.iter().for_each(|member| draft.remove_member(member));
        if !downgrades {
            let hash = self.cx.cluster.hash(&draft.group.subscribed());
            draft.bump(hash);
        }
        for member in members {
            self.cancel_member(id, member);
        }
        if downgrades {
            let completion = reply.map_or(Completion::Nothing, |(token, response)| Completion::Reply(token, response));
            self.downgrade(id, opened, completion);
            let (group, cx) = self.group_and_context(id);
            if let Some(group) = group.filter(|group| group.is(GroupState::Stable)) {
                group.prepare_rebalance(cx);
            }
        } else {
            self.commit_records(id, opened, reply);
        }
        Ok(())
    }

    /// A member's session has ended, or it did not do in time what it was asked to.
    pub(in crate::coordinator::group) fn fence_consumer(&mut self, group: &str, member: &StrBytes) {
        let known = self.modern_group(group).is_some_and(|group| group.member(member).is_some());
        if known {
            // The group was just found, so this cannot be refused.
            let fenced = self.dismiss_members(group, std::slice::from_ref(member), None);
            debug_assert!(fenced.is_ok());
        }
    }

    /// Deadline for a member to give up what it has to.
    pub(in crate::coordinator::group) fn on_revocation_timeout(&mut self, group: &str, member: &StrBytes) {
        let late = self.consumer_group(group).is_ok_and(|group| {
            group
                .member(member)
                .is_some_and(|member| member.current.state == MemberState::Unrevoked && member.current.epoch >= 0)
        });
        if late {
            self.fence_consumer(group, member);
        }
    }
}

/// A static member that will be back keeps what it has; since when does not matter to who takes its place, and is not kept
/// (as Kafka 4.3 writes it).
fn leave_for_now(draft: &mut Draft, member: &Member) {
    let mut assigned = Owned::clone(&member.current.assigned);
    assigned.values_mut().flat_map(|partitions| partitions.values_mut()).for_each(|since| *since = 0);
    let (epoch, assigned, revoking) = (EPOCH_LEFT_FOR_NOW, Rc::new(assigned), Rc::new(Owned::new()));
    let current = CurrentAssignment { epoch, assigned, revoking, ..member.current.clone() };
    draft.write_current(&member.id, current);
}
