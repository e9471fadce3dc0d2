//! JoinGroup of a member that speaks the classic protocol, to a consumer group.

use std::rc::Rc;

use thalweg_protocol::StrBytes;

use super::advance::advance;
use super::check;
use super::classic::joined;
use super::draft::Draft;
use super::embedded::Subscription;
use super::member::{ClassicMember, Member, MemberMetadata};
use super::refusal::Refusal;
use crate::coordinator::codec::own;
use crate::coordinator::group::ErrorCode;
use crate::coordinator::group::append::Completion;
use crate::coordinator::group::classic::CONSUMER_PROTOCOL_TYPE;
use crate::coordinator::group::join::{Joining, MEMBER_ID_REQUIRED_VERSION};
use crate::coordinator::group::reply::join_error;
use crate::coordinator::group::shard::GroupShard;
use crate::coordinator::group::timers::{GroupTimer, TimerKey};

impl GroupShard {
    pub(in crate::coordinator::group) fn join_consumer(
        &mut self,
        id: &StrBytes,
        joining: Joining,
    ) -> Result<(), ErrorCode> {
        if self.consumer_group(id).is_err() {
            // A share group has no such members.
            return Err(ErrorCode::InconsistentGroupProtocol);
        }
        self.try_join_consumer(id, joining).map_err(|refusal| refusal.code)
    }

    fn try_join_consumer(&mut self, id: &StrBytes, joining: Joining) -> Result<(), Refusal> {
        let mut opened = self.open_consumer_group(id, false)?;
        let draft = &mut opened.draft;
        if draft.group.is_empty() {
            // Whoever begins a group has no member id yet, and would have ended this one.
            return Err(ErrorCode::UnknownMemberId.into());
        }
        self.check_room(draft, &joining.member_id)?;
        check_protocols(draft, &joining)?;
        let is_new = joining.member_id.is_empty();
        let member_id = if is_new { self.cx.member_ids.bare() } else { joining.member_id.clone() };
        if is_new && joining.instance_id.is_none() && joining.parked.version >= MEMBER_ID_REQUIRED_VERSION {
            let response = join_error(joining.parked.version, member_id, ErrorCode::MemberIdRequired);
            self.cx.reply(joining.parked.token, response);
            return Ok(());
        }
        let replaced = joining.instance_id.as_ref().filter(|_| is_new);
        let replaced = replaced.and_then(|instance| draft.group.static_member(instance)).cloned();
        let others = draft.group.members.len();
        let downgrades = replaced.as_ref().is_some_and(|old| self.may_downgrade(&draft.group, &old.id, others));
        let member = subscribe(draft, &member_id, is_new, joining.instance_id.as_deref())?;
        let first = joining.protocols.first().and_then(|protocol| Subscription::decode(&protocol.metadata));
        let subscription = first.ok_or_else(|| Refusal::from(ErrorCode::InconsistentGroupProtocol))?;
        let terms = self.terms(id);
        let owned = subscription.owned(&terms.cluster);
        let (token, session_timeout_ms) = (joining.parked.token, joining.session_timeout_ms);
        let rebalance_timeout_ms = joining.rebalance_timeout_ms;
        advance(draft, &member, updated(&member.metadata, subscription, joining), Some(&owned), &terms)?;
        let Some(after) = draft.group.member(&member.id).cloned() else {
            return Err(ErrorCode::UnknownServerError.into());
        };
        let response = joined(&after);
        self.cx.timers.cancel(&TimerKey { group: id.clone(), timer: GroupTimer::MemberJoin(after.id.clone()) });
        if downgrades {
            self.downgrade(id, opened, Completion::Reply(token, response));
        } else {
            self.commit_draft(id, opened, token, response);
            self.schedule_session(id, &after.id, session_timeout_ms);
            self.schedule_member(id, GroupTimer::MemberSync(after.id.clone()), rebalance_timeout_ms);
        }
        Ok(())
    }
}

/// All members of the classic protocol must have one assignment protocol in common.
fn check_protocols(draft: &Draft, joining: &Joining) -> Result<(), Refusal> {
    let classic = || draft.group.members.values().filter_map(|member| member.metadata.classic.as_ref());
    let offered = |name: &StrBytes| classic().all(|member| member.protocols.iter().any(|other| other.name == *name));
    let fits = &*joining.protocol_type == CONSUMER_PROTOCOL_TYPE
        && joining.protocols.iter().any(|protocol| offered(&protocol.name));
    if fits { Ok(()) } else { Err(ErrorCode::InconsistentGroupProtocol.into()) }
}

/// The member that joins: a known one, a new one, or a static one under a new id.
fn subscribe(draft: &mut Draft, id: &StrBytes, is_new: bool, instance: Option<&str>) -> Result<Member, Refusal> {
    let known = |draft: &Draft| draft.group.member(id).map_or_else(|| Member::new(id.clone()), |it| Member::clone(it));
    let Some(instance) = instance else { return Ok(known(&*draft)) };
    let existing = draft.group.static_member(instance).cloned();
    if !is_new {
        return check::instance(existing.as_ref(), id, instance).map(|member| Member::clone(member));
    }
    if let Some(existing) = existing {
        draft.replace_member(&existing, id);
    }
    Ok(known(&*draft))
}

fn updated(before: &MemberMetadata, subscription: Subscription, joining: Joining) -> MemberMetadata {
    let same_topics = subscription.topics == *before.topics;
    let classic = ClassicMember { session_timeout_ms: joining.session_timeout_ms, protocols: joining.protocols };
    MemberMetadata {
        instance_id: joining.instance_id.or_else(|| before.instance_id.clone()),
        rack_id: subscription.rack_id.or_else(|| before.rack_id.clone()),
        client_id: own(&joining.client_id),
        client_host: own(&joining.client_host),
        topics: if same_topics { Rc::clone(&before.topics) } else { Rc::new(subscription.topics) },
        regex: before.regex.clone(),
        rebalance_timeout_ms: joining.rebalance_timeout_ms,
        assignor: before.assignor.clone(),
        classic: Some(Rc::new(classic)),
    }
}
