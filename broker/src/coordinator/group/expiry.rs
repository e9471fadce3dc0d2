//! Offsets end `offsets.retention.minutes` after their group was last used (KIP-211), and with the last one their group.

use thalweg_protocol::{StrBytes, TimestampMs};

use super::append::{Change, Completion};
use super::classic::{CommittedOffset, Group};
use super::context::Context;
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

impl GroupShard {
    /// Starts the clock of the next round too.
    pub(super) fn expire(&mut self) {
        self.schedule_expiry();
        let now = self.cx.now;
        for group in self.groups.values_mut() {
            group.expire(&mut self.cx, now);
        }
        let vacant: Vec<StrBytes> =
            self.groups.values().filter(|group| group.is_vacant()).map(|group| group.id.clone()).collect();
        vacant.iter().for_each(|group| self.forget_group(group));
    }

    pub(super) fn schedule_expiry(&mut self) {
        let interval_ms = self.cx.config.offsets_retention_check_interval_ms.max(1);
        self.expiry_at = Some(TimestampMs(self.cx.now.0.saturating_add(interval_ms)));
    }
}

impl Group {
    fn expire(&mut self, cx: &mut Context, now: TimestampMs) {
        let Some(base) = self.retention_base() else { return };
        let retention_ms = cx.config.offsets_retention_ms;
        let mut gone = Vec::new();
        let mut kept = !self.offsets_in_flight.is_empty();
        for (topic, partitions) in &self.offsets {
            let subscribed = self.is_subscribed_to(topic);
            for (index, offset) in partitions {
                // A commit under way renews the offset.
                let renewed = self.offsets_in_flight.contains_key(&(topic.clone(), *index));
                if !subscribed && !renewed && offset.is_expired(base, retention_ms, now) {
                    gone.push((topic.clone(), *index));
                } else {
                    kept = true;
                }
            }
        }
        self.write_tombstones(gone, cx);
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
        if self.protocol_type.is_none() {
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
