//! From one generation to the next: prepare, wait for everybody, begin; and the timers that keep it from waiting forever.

use thalweg_protocol::StrBytes;

use super::ErrorCode;
use super::append::{Change, Completion};
use super::classic::{Group, InitialDelay};
use super::context::Context;
use super::reply::{JoinDetail, MEMBER_ID_NONE};
use super::state::GroupState;
use super::timers::{GroupTimer, TimerKey};

impl Group {
    /// After a member came, changed or went: a new rebalance, or perhaps the end of the one that is prepared.
    pub(super) fn rebalance_or_complete(&mut self, cx: &mut Context) {
        if self.state().may_become(GroupState::PreparingRebalance) {
            self.prepare_rebalance(cx);
        } else {
            self.complete_if_all_joined(cx);
        }
    }

    pub(super) fn prepare_rebalance(&mut self, cx: &mut Context) {
        if self.is(GroupState::CompletingRebalance) {
            self.drop_assignment(ErrorCode::RebalanceInProgress, cx);
        }
        self.pending_syncs.clear();
        self.cancel(GroupTimer::Sync, cx);
        let initial = self.is(GroupState::Empty);
        self.transition(GroupState::PreparingRebalance, cx.now);
        if initial {
            let delay_ms = cx.config.initial_rebalance_delay_ms.max(0);
            let remaining_ms = (self.rebalance_timeout_ms() - delay_ms).max(0);
            self.initial_delay = Some(InitialDelay { delay_ms, remaining_ms, member_added: false });
            self.schedule(GroupTimer::Join, delay_ms, cx);
        } else if self.all_joined() {
            self.complete_join(cx);
        } else {
            self.schedule(GroupTimer::Join, self.rebalance_timeout_ms(), cx);
        }
    }

    pub(super) fn complete_if_all_joined(&mut self, cx: &mut Context) {
        // During the initial delay everybody present has always joined; others are expected.
        if self.is(GroupState::PreparingRebalance) && self.initial_delay.is_none() && self.all_joined() {
            self.complete_join(cx);
        }
    }

    /// Deadline of the join phase.
    pub(super) fn on_join_timeout(&mut self, cx: &mut Context) {
        if !self.is(GroupState::PreparingRebalance) {
            return;
        }
        match self.initial_delay {
            Some(delay) if delay.member_added && delay.remaining_ms > 0 => {
                let delay_ms = cx.config.initial_rebalance_delay_ms.clamp(0, delay.remaining_ms);
                let remaining_ms = (delay.remaining_ms - delay.delay_ms).max(0);
                self.initial_delay = Some(InitialDelay { delay_ms, remaining_ms, member_added: false });
                self.schedule(GroupTimer::Join, delay_ms, cx);
            }
            _ => self.complete_join(cx),
        }
    }

    /// Begins the next generation with those who have joined.
    pub(super) fn complete_join(&mut self, cx: &mut Context) {
        self.cancel(GroupTimer::Join, cx);
        self.remove_not_rejoined(cx);
        if !self.elect_joined_leader() && !self.members.is_empty() {
            // Only static members are left and none came: they keep their place until their sessions end.
            self.schedule(GroupTimer::Join, self.rebalance_timeout_ms(), cx);
            return;
        }
        self.begin_generation(cx);
        if self.is(GroupState::Empty) {
            self.recorded = true;
            let change = Change::group_metadata(self, &|_| None);
            cx.append(vec![change], Completion::Nothing);
        } else {
            self.answer_joins(cx);
            self.schedule(GroupTimer::Sync, self.rebalance_timeout_ms(), cx);
        }
    }

    /// Dynamic members that did not come in time are out; static ones keep their place (KIP-345).
    fn remove_not_rejoined(&mut self, cx: &mut Context) {
        let late = |member: &super::member::Member| member.join.is_none() && !member.is_static();
        let gone: Vec<StrBytes> =
            self.members.values().filter(|member| late(member)).map(|member| member.id.clone()).collect();
        for member in gone {
            self.fail_sync(&member, ErrorCode::UnknownMemberId, cx);
            self.remove_member(&member, cx);
        }
    }

    /// Whether there is a leader that takes part, after choosing another if need be.
    fn elect_joined_leader(&mut self) -> bool {
        let joined = |id: &StrBytes| self.member(id).is_some_and(|member| member.join.is_some());
        if self.leader.as_ref().is_none_or(|leader| !joined(leader)) {
            let Some(member) = self.members.values().find(|member| member.join.is_some()) else { return false };
            self.leader = Some(member.id.clone());
        }
        true
    }

    fn begin_generation(&mut self, cx: &Context) {
        // Generations are compared for equality only, but a negative one means "none" on the wire.
        self.generation = self.generation.checked_add(1).unwrap_or(0);
        self.protocol_name = self.select_protocol();
        self.subscribed = self.compute_subscribed();
        self.initial_delay = None;
        self.pending_syncs.clear();
        let next = if self.members.is_empty() { GroupState::Empty } else { GroupState::CompletingRebalance };
        self.transition(next, cx.now);
    }

    fn answer_joins(&mut self, cx: &mut Context) {
        let ids: Vec<StrBytes> = self.members.keys().cloned().collect();
        for id in ids {
            let Some(member) = self.member_mut(&id) else { continue };
            member.is_new = false;
            let (parked, session_timeout_ms) = (member.join.take(), member.session_timeout_ms);
            if let (Some(parked), Some(member)) = (parked, self.member(&id)) {
                cx.reply(parked.token, self.joined(member, parked.version, JoinDetail::Normal));
            }
            self.schedule_session(id.clone(), session_timeout_ms, cx);
            self.pending_syncs.insert(id);
        }
    }

    /// Deadline of the sync phase: who has not asked for its assignment is out.
    pub(super) fn on_sync_timeout(&mut self, cx: &mut Context) {
        if !matches!(self.state(), GroupState::CompletingRebalance | GroupState::Stable)
            || self.pending_syncs.is_empty()
        {
            return;
        }
        for member in std::mem::take(&mut self.pending_syncs) {
            self.fail_join(&member, MEMBER_ID_NONE, ErrorCode::UnknownMemberId, cx);
            self.remove_member(&member, cx);
        }
        self.prepare_rebalance(cx);
    }

    /// Deadline of a member's session.
    pub(super) fn on_session_timeout(&mut self, id: &StrBytes, cx: &mut Context) {
        if self.is(GroupState::Dead) {
            return;
        }
        if self.pending_joins.contains(id) {
            self.remove_member(id, cx);
            self.complete_if_preparing(cx);
        } else if self.member(id).is_some_and(|member| !member.has_satisfied_heartbeat()) {
            self.fail_join(id, MEMBER_ID_NONE, ErrorCode::UnknownMemberId, cx);
            self.fail_sync(id, ErrorCode::UnknownMemberId, cx);
            self.remove_member(id, cx);
            match self.state() {
                GroupState::Stable | GroupState::CompletingRebalance => self.prepare_rebalance(cx),
                _ => self.complete_if_preparing(cx),
            }
        }
    }

    /// Unlike [`Self::complete_if_all_joined`] this ends the initial delay too: with the last one gone there is nobody
    /// left to wait with, and with others present Kafka goes ahead as well.
    fn complete_if_preparing(&mut self, cx: &mut Context) {
        if self.is(GroupState::PreparingRebalance) && self.all_joined() {
            self.complete_join(cx);
        }
    }

    /// Whoever waits for this generation's assignment will not get it.
    pub(super) fn drop_assignment(&mut self, error: ErrorCode, cx: &mut Context) {
        let ids: Vec<StrBytes> = self.members.keys().cloned().collect();
        for id in ids {
            let Some(member) = self.member_mut(&id) else { continue };
            member.assignment.clear();
            let session_timeout_ms = member.session_timeout_ms;
            if member.sync.is_some() {
                self.fail_sync(&id, error, cx);
                self.schedule_session(id, session_timeout_ms, cx);
            }
        }
    }

    pub(super) fn schedule_session(&self, member: StrBytes, timeout_ms: i32, cx: &mut Context) {
        self.schedule(GroupTimer::Session(member), timeout_ms, cx);
    }

    pub(super) fn cancel_session(&self, member: &str, cx: &mut Context) {
        self.cancel(GroupTimer::Session(super::caller::own(member)), cx);
    }

    pub(super) fn schedule(&self, timer: GroupTimer, delay_ms: i32, cx: &mut Context) {
        let at = cx.after(delay_ms);
        cx.timers.schedule(TimerKey { group: self.id.clone(), timer }, at);
    }

    pub(super) fn cancel(&self, timer: GroupTimer, cx: &mut Context) {
        cx.timers.cancel(&TimerKey { group: self.id.clone(), timer });
    }
}
