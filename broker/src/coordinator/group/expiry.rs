//! Offsets end `offsets.retention.minutes` after their group was last used (KIP-211), and with the last one their group.

use thalweg_protocol::TimestampMs;

use super::append::{Change, Completion};
use super::classic::{CommittedOffset, Group};
use super::consumer::Kind;
use super::context::Context;
use super::limits::EXPIRY_GROUPS_PER_TICK_MAX;
use super::shard::GroupShard;
use super::state::GroupState;

/// What the retention of a group's offsets is counted from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum RetentionBase {
    /// Each offset's own commit.
    Commit,
    /// The time at which the last member left.
    Since(TimestampMs),
}

/// How soon a round goes on that could not look at all groups at once.
const ROUND_CONTINUES_MS: i64 = 1;

impl GroupShard {
    /// Looks at some groups, and sets when to go on: at once if there are more, or when the next round is due. It goes from
    /// the end of the table to its beginning: when a group goes, the last one takes its place, and that was seen already.
    pub(super) fn expire(&mut self) {
        let now = self.cx.now;
        let end = self.groups.len().min(self.expiry_left.unwrap_or(usize::MAX));
        let begin = end.saturating_sub(EXPIRY_GROUPS_PER_TICK_MAX);
        for index in (begin..end).rev() {
            let Some((id, group)) = self.groups.get_index_mut(index) else { break };
            group.expire(&mut self.cx, now);
            if group.is_vacant() {
                let id = id.clone();
                self.forget_group(&id);
            }
        }
        if begin > 0 {
            self.expiry_left = Some(begin);
            self.expiry_at = Some(TimestampMs(now.0.saturating_add(ROUND_CONTINUES_MS)));
        } else {
            self.schedule_expiry();
        }
    }

    /// The next round begins after the interval.
    pub(super) fn schedule_expiry(&mut self) {
        self.expiry_left = None;
        let interval_ms = self.cx.config.offsets_retention_check_interval_ms.max(1);
        self.expiry_at = Some(TimestampMs(self.cx.now.0.saturating_add(interval_ms)));
    }
}

impl Group {
    fn expire(&mut self, cx: &mut Context, now: TimestampMs) {
        let Some(base) = self.retention_base() else { return };
        let retention_ms = cx.config.offsets_retention_ms;
        let mut gone = Vec::new();
        let mut kept = !self.offsets_in_flight.is_empty() || !self.pending.is_empty();
        for (topic, partitions) in &self.offsets {
            let subscribed = self.is_subscribed_to(topic);
            for (index, offset) in partitions {
                // A commit under way renews the offset, and so may the end of a transaction.
                let renewed =
                    self.offsets_in_flight.contains_key(&(topic.clone(), *index)) || self.pending.has(topic, *index);
                if !subscribed && !renewed && offset.is_expired(base, retention_ms, now) {
                    gone.push((topic.clone(), *index));
                } else {
                    kept = true;
                }
            }
        }
        self.write_tombstones(gone, cx);
        if !kept && self.modern.current().is_some_and(|group| group.kind == Kind::Consumer && group.is_empty()) {
            let changes = self.erase_consumer();
            cx.append(changes, Completion::Nothing);
        }
        if !kept && self.recorded && self.is(GroupState::Empty) && self.pending_joins.is_empty() {
            self.transition(GroupState::Dead, now);
            cx.append(vec![Change::GroupGone { group: self.id.clone() }], Completion::Nothing);
        }
    }

    /// `None` while nothing of this group may expire (Kafka's `ClassicGroup.offsetExpirationCondition`).
    fn retention_base(&self) -> Option<RetentionBase> {
        if self.is(GroupState::Dead) {
            return None;
        }
        if self.protocol_type.is_none() || self.modern.current().is_some() {
            return Some(RetentionBase::Commit);
        }
        match self.state() {
            GroupState::Empty => Some(self.state_since.map_or(RetentionBase::Commit, RetentionBase::Since)),
            // Of topics it no longer subscribes to.
            GroupState::Stable if self.uses_consumer_protocol() && self.subscribed.is_some() => {
                Some(RetentionBase::Commit)
            }
            _ => None,
        }
    }
}

impl CommittedOffset {
    fn is_expired(&self, base: RetentionBase, retention_ms: i64, now: TimestampMs) -> bool {
        if let Some(expires_at) = self.expires_at {
            return now >= expires_at;
        }
        let since = match base {
            RetentionBase::Commit => self.committed_at,
            RetentionBase::Since(at) => at,
        };
        now.0.saturating_sub(since.0) >= retention_ms
    }
}
