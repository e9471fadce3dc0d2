//! The end of a consumer group without members, and what a new leader of the shard watches.

use thalweg_protocol::StrBytes;

use super::draft::Draft;
use super::member::MemberState;
use super::record::Kind;
use crate::coordinator::group::append::{Change, Completion};
use crate::coordinator::group::classic::Group;
use crate::coordinator::group::shard::GroupShard;
use crate::coordinator::group::timers::{GroupTimer, TimerKey};

impl Group {
    /// Ends the consumer group or share group; its records are to be written.
    pub(in crate::coordinator::group) fn erase_consumer(&mut self) -> Vec<Change> {
        let Some(group) = self.modern.current() else { return Vec::new() };
        let mut draft = Draft::new(group);
        draft.erase();
        let kind = group.kind;
        self.modern.advance(None, draft.records.len());
        let of_group = |record| Change::Modern { group: self.id.clone(), kind, record };
        draft.records.into_iter().map(of_group).collect()
    }
}

impl GroupShard {
    /// A consumer group without members gives its id to a classic one.
    pub(in crate::coordinator::group) fn end_empty_consumer(&mut self, id: &str) {
        let (group, cx) = self.group_and_context(id);
        if let Some(group) =
            group.filter(|group| group.modern.current().is_some_and(|it| it.kind == Kind::Consumer && it.is_empty()))
        {
            let changes = group.erase_consumer();
            cx.append(changes, Completion::Nothing);
        }
    }

    /// Members get a whole session to be heard of, and as long as ever to give up what they have to.
    pub(in crate::coordinator::group) fn watch_consumers(&mut self) {
        let ids: Vec<StrBytes> = self.groups.keys().cloned().collect();
        ids.iter().for_each(|id| self.watch_members(id));
    }

    /// Gives those members timers that have none.
    pub(in crate::coordinator::group) fn watch_members(&mut self, id: &StrBytes) {
        let Some(group) = self.modern_group(id) else { return };
        let members = group.members.clone();
        let terms = if group.kind == Kind::Share { self.share_terms(id) } else { self.terms(id) };
        let of_group_ms = terms.config.session_timeout_ms;
        for member in members.values() {
            let own_ms = member.metadata.classic.as_ref().map(|classic| classic.session_timeout_ms);
            let session = GroupTimer::Session(member.id.clone());
            self.watch_unless_watched(id, session, own_ms.unwrap_or(of_group_ms));
            if member.current.state == MemberState::Unrevoked && own_ms.is_none() {
                let revocation = GroupTimer::Revocation(member.id.clone());
                self.watch_unless_watched(id, revocation, member.metadata.rebalance_timeout_ms);
            }
        }
    }

    fn watch_unless_watched(&mut self, group: &StrBytes, timer: GroupTimer, timeout_ms: i32) {
        let at = self.cx.after(timeout_ms);
        self.cx.timers.schedule_unless(TimerKey { group: group.clone(), timer }, at);
    }
}
