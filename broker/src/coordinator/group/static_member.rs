//! A static member that comes back without its member id: after a restart of its process (KIP-345).

use thalweg_protocol::StrBytes;

use super::ErrorCode;
use super::append::{Change, Completion};
use super::classic::Group;
use super::context::Context;
use super::join::Joining;
use super::member::Member;
use super::reply::{JoinDetail, MEMBER_ID_NONE, join_error};
use super::state::GroupState;

/// From this version on the leader can be told that the assignment stands (KIP-814).
const SKIP_ASSIGNMENT_VERSION: i16 = 9;

/// What to go back to if the new member id cannot be written.
#[derive(Clone, Debug)]
pub(super) struct Replaced {
    pub(super) group: StrBytes,
    pub(super) new_id: StrBytes,
    old: Member,
    old_leader: Option<StrBytes>,
}

impl Group {
    /// Gives the place of `old_id` to the same instance under `new_id`.
    pub(super) fn replace_static_member(&mut self, joining: Joining, old_id: &str, new_id: StrBytes, cx: &mut Context) {
        // Whoever still waits under the old id is another process with the same instance id.
        self.fail_join(old_id, super::caller::own(old_id), ErrorCode::FencedInstanceId, cx);
        self.fail_sync(old_id, ErrorCode::FencedInstanceId, cx);
        let Some(old) = self.member(old_id).cloned() else { return };
        let replaced =
            Replaced { group: self.id.clone(), new_id: new_id.clone(), old, old_leader: self.leader.clone() };
        self.rename_member(old_id, new_id.clone(), cx);
        self.update_member(&new_id, joining, cx);
        if let Some(member) = self.member(&new_id) {
            self.schedule_session(new_id, member.session_timeout_ms, cx);
        }
        match self.state() {
            GroupState::Stable if self.select_protocol() == self.protocol_name => self.keep_generation(replaced, cx),
            // In CompletingRebalance the leader may already be computing an assignment for the old id.
            GroupState::Stable | GroupState::CompletingRebalance => self.prepare_rebalance(cx),
            GroupState::PreparingRebalance | GroupState::Empty | GroupState::Dead => self.complete_if_all_joined(cx),
        }
    }

    /// The assignment stands; only the new id must be durable before it is told.
    fn keep_generation(&mut self, replaced: Replaced, cx: &mut Context) {
        self.recorded = true;
        let change = Change::group_metadata(self, &|member| Some(member.assignment.clone()));
        cx.append(vec![change], Completion::StaticMember(Box::new(replaced)));
    }

    /// The write that [`Self::keep_generation`] asked for is done.
    pub(super) fn on_static_member_written(
        &mut self,
        replaced: Replaced,
        result: Result<(), ErrorCode>,
        cx: &mut Context,
    ) {
        match result {
            Ok(()) => self.answer_returned(&replaced, cx),
            Err(error) => self.take_back(replaced, error, cx),
        }
    }

    fn answer_returned(&mut self, replaced: &Replaced, cx: &mut Context) {
        // If a rebalance began meanwhile, its JoinGroup takes part in that.
        if !self.is(GroupState::Stable) {
            return;
        }
        let Some(parked) = self.member_mut(&replaced.new_id).and_then(|member| member.join.take()) else { return };
        let Some(member) = self.member(&replaced.new_id) else { return };
        let detail = if parked.version >= SKIP_ASSIGNMENT_VERSION {
            JoinDetail::SkipAssignment
        } else {
            JoinDetail::Follower { leader: replaced.old_leader.clone().unwrap_or_default() }
        };
        cx.reply(parked.token, self.joined(member, parked.version, detail));
    }

    fn take_back(&mut self, replaced: Replaced, error: ErrorCode, cx: &mut Context) {
        let Some(parked) = self.member_mut(&replaced.new_id).and_then(|member| member.join.take()) else { return };
        cx.reply(parked.token, join_error(parked.version, MEMBER_ID_NONE, error));
        let old_id = replaced.old.id.clone();
        self.rename_member(&replaced.new_id, old_id.clone(), cx);
        self.schedule_session(old_id.clone(), replaced.old.session_timeout_ms, cx);
        if let Some(member) = self.member_mut(&old_id) {
            *member = replaced.old;
        }
    }

    /// Keeps the member's place in the order, and its leadership.
    fn rename_member(&mut self, from: &str, to: StrBytes, cx: &mut Context) {
        self.cancel_session(from, cx);
        let Some((place, _, mut member)) = self.members.shift_remove_full(from.as_bytes()) else { return };
        member.id = to.clone();
        member.is_new = false;
        if let Some(instance) = &member.instance_id {
            self.static_members.insert(instance.clone(), to.clone());
        }
        if self.is_leader(from) {
            self.leader = Some(to.clone());
        }
        if self.pending_syncs.remove(from.as_bytes()) {
            self.pending_syncs.insert(to.clone());
        }
        self.members.shift_insert(place, to, member);
    }
}
