//! SyncGroup: the leader brings the assignment, everybody gets theirs once it is durable (KIP-345, KIP-559).

use bytes::Bytes;
use indexmap::IndexMap;
use thalweg_protocol::messages::SyncGroupRequest;
use thalweg_protocol::{StrBytes, TimestampMs};

use super::ErrorCode;
use super::append::{Change, Completion};
use super::caller::{Caller, own};
use super::classic::Group;
use super::context::Context;
use super::effect::Effect;
use super::reply::sync_error;
use super::shard::GroupShard;
use super::state::GroupState;
use super::timers::GroupTimer;

/// From this version on a member must say which protocol it believes to be chosen (KIP-559).
const PROTOCOL_REQUIRED_VERSION: i16 = 5;

/// The leader's assignment while it is being written.
#[derive(Clone, Debug)]
pub(super) struct Assigned {
    pub(super) group: StrBytes,
    generation: i32,
    assignments: IndexMap<StrBytes, Bytes>,
}

impl GroupShard {
    /// Answers with the caller's assignment, at once or when the leader's is durable.
    pub fn sync(&mut self, request: &SyncGroupRequest, caller: &Caller, now: TimestampMs) -> Vec<Effect> {
        self.begin(now);
        if let Err(error) = self.try_sync(request, caller) {
            self.cx.reply(caller.token, sync_error(error));
        }
        self.finish()
    }

    fn try_sync(&mut self, request: &SyncGroupRequest, caller: &Caller) -> Result<(), ErrorCode> {
        // Kafka's `KafkaApis` looks at this first of all.
        let names_protocol = request.protocol_type.is_some() && request.protocol_name.is_some();
        if caller.version >= PROTOCOL_REQUIRED_VERSION && !names_protocol {
            return Err(ErrorCode::InconsistentGroupProtocol);
        }
        self.check_group_id(&request.group_id)?;
        self.check_serving()?;
        if self.is_consumer(&request.group_id) {
            return self.sync_consumer(request, caller);
        }
        let (group, cx) = self.group_and_context(&request.group_id);
        let group = group.ok_or(ErrorCode::UnknownMemberId)?;
        group.check_sync(request)?;
        match group.state() {
            GroupState::Empty => Err(ErrorCode::UnknownMemberId),
            GroupState::Dead => Err(ErrorCode::CoordinatorNotAvailable),
            GroupState::PreparingRebalance => Err(ErrorCode::RebalanceInProgress),
            GroupState::CompletingRebalance => {
                group.await_assignment(request, caller, cx);
                Ok(())
            }
            GroupState::Stable => {
                group.answer_sync(request, caller, cx);
                Ok(())
            }
        }
    }
}

impl Group {
    fn check_sync(&self, request: &SyncGroupRequest) -> Result<(), ErrorCode> {
        if self.is(GroupState::Dead) {
            return Err(ErrorCode::CoordinatorNotAvailable);
        }
        self.check_member(&request.member_id, request.group_instance_id.as_deref())?;
        self.check_generation(request.generation_id)?;
        let differs = |theirs: &Option<StrBytes>, ours: &Option<StrBytes>| matches!((theirs, ours), (Some(theirs), Some(ours)) if theirs != ours);
        if differs(&request.protocol_type, &self.protocol_type) || differs(&request.protocol_name, &self.protocol_name)
        {
            return Err(ErrorCode::InconsistentGroupProtocol);
        }
        Ok(())
    }

    fn await_assignment(&mut self, request: &SyncGroupRequest, caller: &Caller, cx: &mut Context) {
        self.park_sync(&request.member_id, caller.token, cx);
        self.sync_arrived(&request.member_id, cx);
        if self.is_leader(&request.member_id) {
            self.write_assignment(request, cx);
        }
    }

    fn answer_sync(&mut self, request: &SyncGroupRequest, caller: &Caller, cx: &mut Context) {
        self.sync_arrived(&request.member_id, cx);
        if let Some(member) = self.member(&request.member_id) {
            cx.reply(caller.token, self.synced(member.assignment.clone()));
        }
    }

    fn sync_arrived(&mut self, member: &str, cx: &mut Context) {
        self.pending_syncs.remove(member.as_bytes());
        if self.pending_syncs.is_empty() {
            self.cancel(GroupTimer::Sync, cx);
        }
    }

    fn write_assignment(&mut self, request: &SyncGroupRequest, cx: &mut Context) {
        // Only members count, so what is kept is bounded by them; what the leader left out is empty.
        let mut assignments: IndexMap<StrBytes, Bytes> = IndexMap::new();
        for given in &request.assignments {
            if self.member(&given.member_id).is_some() {
                assignments.insert(own(&given.member_id), Bytes::copy_from_slice(&given.assignment));
            }
        }
        self.recorded = true;
        let change = Change::group_metadata(self, &|member| assignments.get(&member.id).cloned());
        let assigned = Assigned { group: self.id.clone(), generation: self.generation, assignments };
        cx.append(vec![change], Completion::Assignment(Box::new(assigned)));
    }

    /// The write that [`Self::write_assignment`] asked for is done. A rebalance may have begun meanwhile.
    pub(super) fn on_assignment_written(
        &mut self,
        assigned: Assigned,
        result: Result<(), ErrorCode>,
        cx: &mut Context,
    ) {
        if !self.is(GroupState::CompletingRebalance) || self.generation != assigned.generation {
            return;
        }
        match result {
            Ok(()) => self.stabilize(assigned, cx),
            Err(error) => {
                self.drop_assignment(error, cx);
                self.prepare_rebalance(cx);
            }
        }
    }

    fn stabilize(&mut self, mut assigned: Assigned, cx: &mut Context) {
        let ids: Vec<StrBytes> = self.members.keys().cloned().collect();
        for id in ids {
            let assignment = assigned.assignments.swap_remove(&id).unwrap_or_default();
            let Some(member) = self.member_mut(&id) else { continue };
            member.assignment = assignment.clone();
            let (parked, session_timeout_ms) = (member.sync.take(), member.session_timeout_ms);
            if let Some(token) = parked {
                cx.reply(token, self.synced(assignment));
                // Its session may have run out while it waited for us.
                self.schedule_session(id, session_timeout_ms, cx);
            }
        }
        self.transition(GroupState::Stable, cx.now);
    }
}
