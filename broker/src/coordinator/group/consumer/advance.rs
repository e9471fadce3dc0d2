//! What a member's request makes of its group: its subscription, the group's epoch, the target, the member's next step
//! towards it. Shared by members of both protocols (Kafka's `GroupMetadataManager.consumerGroupHeartbeat` and
//! `classicGroupJoinToConsumerGroup`).

use std::collections::BTreeSet;
use std::rc::Rc;

use thalweg_protocol::{StrBytes, TimestampMs};

use super::config::Terms;
use super::draft::Draft;
use super::group::ConsumerGroup;
use super::member::{Member, MemberMetadata, Partitions};
use super::reconcile::{Situation, reconcile};
use super::record::{ConsumerRecord, ResolvedRegex};
use super::refusal::Refusal;
use super::{regex, target};

/// Topics that come in quick succession are looked for once (Kafka's `REGEX_BATCH_REFRESH_MIN_INTERVAL_MS`).
const REGEX_REFRESH_INTERVAL_MS_MIN: i64 = 10_000;

/// Takes what `member`, which may be new, now says of itself and of what it has.
pub(super) fn advance(
    draft: &mut Draft,
    member: &Member,
    metadata: MemberMetadata,
    owned: Option<&Partitions>,
    terms: &Terms,
) -> Result<(), Refusal> {
    // A group never stays at epoch 0, which means that there is none.
    let is_new = draft.group.epoch.epoch == 0;
    let subscription_changed = update_subscription(draft, member, metadata, terms)?;
    let rematched = refresh_regexes(draft, terms)?;
    update_epoch(draft, is_new || subscription_changed || rematched, terms);
    update_target(draft, terms);
    step(draft, &member.id, subscription_changed, owned, terms)
}

/// Whether the member reads other topics now.
fn update_subscription(
    draft: &mut Draft,
    member: &Member,
    metadata: MemberMetadata,
    terms: &Terms,
) -> Result<bool, Refusal> {
    let topics_changed = member.metadata.topics != metadata.topics;
    let regex_changed = member.metadata.regex != metadata.regex;
    let known = draft.group.member(&member.id).is_some();
    if let Some(regex) = metadata.regex().filter(|regex| regex_changed && !draft.group.resolved.contains_key(*regex)) {
        // Refused before anything is written down.
        regex::compile(regex)?;
    }
    if !known || *member.metadata != metadata {
        draft.write_metadata(&member.id, Rc::new(metadata));
    }
    if regex_changed {
        if let Some(old) = member.metadata.regex() {
            draft.drop_unused(old.clone());
        }
        resolve_missing(draft, terms)?;
    }
    Ok(topics_changed || regex_changed)
}

/// Finds the topics of expressions that were not resolved yet.
fn resolve_missing(draft: &mut Draft, terms: &Terms) -> Result<(), Refusal> {
    let missing: Vec<StrBytes> =
        draft.group.regexes.keys().filter(|regex| !draft.group.resolved.contains_key(*regex)).cloned().collect();
    for regex in missing {
        resolve(draft, &regex, terms)?;
    }
    Ok(())
}

/// Resolves one expression; whether it means other topics than before.
fn resolve(draft: &mut Draft, regex: &StrBytes, terms: &Terms) -> Result<bool, Refusal> {
    let topics = regex::matches(&regex::compile(regex)?, terms.cluster.names());
    let changed = draft.group.resolved.get(regex).is_none_or(|resolved| resolved.topics != topics);
    let version = i64::try_from(terms.cluster.topics_version()).unwrap_or(i64::MAX);
    let resolved = ResolvedRegex { topics, version, resolved_at: terms.now };
    draft.write(ConsumerRecord::Regex(regex.clone(), Some(Rc::new(resolved))));
    Ok(changed)
}

/// Topics may have come or gone since the expressions were resolved; whether that changes what the group reads.
fn refresh_regexes(draft: &mut Draft, terms: &Terms) -> Result<bool, Refusal> {
    if !regexes_are_due(&draft.group, terms) {
        return Ok(false);
    }
    let regexes: Vec<StrBytes> = draft.group.regexes.keys().cloned().collect();
    let mut changed = false;
    for regex in regexes {
        changed |= resolve(draft, &regex, terms)?;
    }
    Ok(changed)
}

fn regexes_are_due(group: &ConsumerGroup, terms: &Terms) -> bool {
    let of_members = |of: fn(&ResolvedRegex) -> i64| group.resolved.values().map(move |resolved| of(resolved));
    let Some(last) = of_members(|resolved| resolved.resolved_at.0).max() else { return false };
    let waited_ms = terms.now.0.saturating_sub(last);
    let oldest = of_members(|resolved| resolved.version).min().unwrap_or(0);
    let outdated = u64::try_from(oldest).unwrap_or(0) < terms.cluster.topics_version();
    (outdated && waited_ms > REGEX_REFRESH_INTERVAL_MS_MIN) || waited_ms > terms.config.regex_refresh_interval_ms
}

/// A new epoch, if something changed or the topics themselves did.
pub(in crate::coordinator::group) fn update_epoch(draft: &mut Draft, changed: bool, terms: &Terms) {
    if !changed && draft.group.checked_version == terms.cluster.topics_version() {
        return;
    }
    let hash = terms.cluster.hash(&draft.group.subscribed());
    if changed || hash != draft.group.epoch.metadata_hash {
        draft.bump(hash);
    }
    draft.group.checked_version = terms.cluster.topics_version();
}

fn update_target(draft: &mut Draft, terms: &Terms) {
    let group = &draft.group;
    if group.epoch.epoch <= group.target_epoch.epoch || !may_assign(group.target_epoch.computed_at, terms) {
        return;
    }
    let assignor = target::preferred_assignor(group, &terms.config.assignors);
    target::retarget(draft, assignor, &terms.cluster, terms.now);
}

/// Members that come one after the other do not each get a target of their own.
pub(in crate::coordinator::group) fn may_assign(last: TimestampMs, terms: &Terms) -> bool {
    let interval_ms = i64::from(terms.config.assignment_interval_ms);
    last.0 == 0 || interval_ms == 0 || terms.now.0 >= last.0.saturating_add(interval_ms)
}

fn step(
    draft: &mut Draft,
    id: &StrBytes,
    subscription_changed: bool,
    owned: Option<&Partitions>,
    terms: &Terms,
) -> Result<(), Refusal> {
    let Some(member) = draft.group.member(id).cloned() else { return Ok(()) };
    let group = &draft.group;
    let nothing_to_do = !subscription_changed && member.is_reconciled_to(group.target_epoch.epoch);
    let topics = if nothing_to_do { BTreeSet::new() } else { terms.cluster.ids(&group.topics_of(&member.metadata)) };
    let target = group.target_of(id);
    let situation = Situation {
        target_epoch: group.target_epoch.epoch,
        target: &target,
        topics: &topics,
        subscription_changed,
        owned,
        is_free: &|topic, partition| group.is_free(topic, partition),
    };
    let next = reconcile(&member, &situation)?;
    if next != member.current {
        draft.write_current(id, next);
    }
    Ok(())
}
