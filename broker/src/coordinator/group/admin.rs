//! ListGroups, DescribeGroups, DeleteGroups.

use thalweg_protocol::messages::delete_groups_response::DeletableGroupResult;
use thalweg_protocol::messages::describe_groups_response::{DescribedGroup, DescribedGroupMember};
use thalweg_protocol::messages::list_groups_response::ListedGroup;
use thalweg_protocol::messages::{GroupId, ListGroupsRequest};
use thalweg_protocol::{StrBytes, TimestampMs};

use super::ErrorCode;
use super::append::{Change, Completion};
use super::caller::Caller;
use super::classic::{CONSUMER_PROTOCOL_TYPE, Group};
use super::consumer::Kind;
use super::effect::{Effect, Response};
use super::member::Member;
use super::shard::GroupShard;
use super::state::GroupState;

/// Kafka's names of the types of groups.
const CLASSIC_TYPE: &str = "classic";
const CONSUMER_TYPE: &str = "consumer";
/// Also the protocol type.
const SHARE_TYPE: &str = "share";

/// From this version on DescribeGroups says that a group does not exist (KIP-1043); before, that it is dead.
const GROUP_ID_NOT_FOUND_VERSION: i16 = 6;

impl GroupShard {
    /// This shard's part of a ListGroups.
    pub fn list(&self, request: &ListGroupsRequest) -> Result<Vec<ListedGroup>, ErrorCode> {
        self.check_serving()?;
        let wanted = |filter: &[StrBytes], name: &str| {
            filter.is_empty() || filter.iter().any(|wanted| wanted.trim().eq_ignore_ascii_case(name))
        };
        let groups = self.groups.values().map(Group::listed);
        let matching = groups.filter(|group| {
            wanted(&request.types_filter, &group.group_type) && wanted(&request.states_filter, &group.group_state)
        });
        Ok(matching.collect())
    }

    /// One group of a DescribeGroups.
    #[must_use]
    pub fn describe(&self, id: &GroupId, version: i16) -> DescribedGroup {
        let described = DescribedGroup::default().with_group_id(id.clone());
        if let Err(error) = self.check_serving() {
            return described.with_error_code(error.code());
        }
        match self.group(id) {
            Some(group) if !group.is(GroupState::Dead) && group.modern.current().is_none() => {
                group.described(described)
            }
            found => {
                let dead = described.with_group_state(StrBytes::from_static_str(GroupState::Dead.name()));
                if version < GROUP_ID_NOT_FOUND_VERSION {
                    return dead;
                }
                let known = found.is_some_and(|group| group.modern.current().is_some());
                let what = if known { "is not a classic group" } else { "not found" };
                let message = StrBytes::from_string(format!("Group {} {what}.", id.0));
                dead.with_error_code(ErrorCode::GroupIdNotFound.code()).with_error_message(Some(message))
            }
        }
    }

    /// Removes groups without members, with their offsets; answered once that is durable.
    pub fn delete_groups(&mut self, ids: &[GroupId], caller: &Caller, now: TimestampMs) -> Vec<Effect> {
        self.begin(now);
        let mut changes = Vec::new();
        let mut results = Vec::with_capacity(ids.len());
        for id in ids {
            let result = self.delete_group(id, &mut changes);
            let code = result.map_or_else(|error| error.code(), |()| 0);
            results.push(DeletableGroupResult::default().with_group_id(id.clone()).with_error_code(code));
        }
        let response = Response::DeleteGroups(results);
        if changes.is_empty() {
            self.cx.reply(caller.token, response);
        } else {
            self.cx.append(changes, Completion::Reply(caller.token, response));
        }
        self.finish()
    }

    fn delete_group(&mut self, id: &GroupId, changes: &mut Vec<Change>) -> Result<(), ErrorCode> {
        self.check_serving()?;
        let (group, cx) = self.group_and_context(id);
        let group = group.filter(|group| !group.is(GroupState::Dead)).ok_or(ErrorCode::GroupIdNotFound)?;
        if !group.is(GroupState::Empty) || group.modern.current().is_some_and(|consumer| !consumer.is_empty()) {
            return Err(ErrorCode::NonEmptyGroup);
        }
        for (topic, index) in group.known_offsets(|_| true) {
            *group.offsets_in_flight.entry((topic.clone(), index)).or_default() += 1;
            changes.push(group.tombstone(topic, index));
        }
        if group.modern.current().is_some() {
            changes.extend(group.erase_consumer());
        } else {
            group.transition(GroupState::Dead, cx.now);
            changes.push(Change::GroupGone { group: group.id.clone() });
        }
        Ok(())
    }
}

impl Group {
    fn listed(&self) -> ListedGroup {
        let listed = ListedGroup::default().with_group_id(GroupId(self.id.clone()));
        if let Some(modern) = self.modern.durable() {
            let (protocol_type, group_type) = match modern.kind {
                Kind::Consumer => (CONSUMER_PROTOCOL_TYPE, CONSUMER_TYPE),
                Kind::Share => (SHARE_TYPE, SHARE_TYPE),
            };
            return listed
                .with_protocol_type(StrBytes::from_static_str(protocol_type))
                .with_group_state(StrBytes::from_static_str(modern.state_name()))
                .with_group_type(StrBytes::from_static_str(group_type));
        }
        listed
            .with_protocol_type(self.protocol_type.clone().unwrap_or_default())
            .with_group_state(StrBytes::from_static_str(self.state().name()))
            .with_group_type(StrBytes::from_static_str(CLASSIC_TYPE))
    }

    /// Between generations only who is there is known, not what they read.
    fn described(&self, described: DescribedGroup) -> DescribedGroup {
        let protocol = self.protocol_name.as_deref().filter(|_| self.is(GroupState::Stable));
        described
            .with_group_state(StrBytes::from_static_str(self.state().name()))
            .with_protocol_type(self.protocol_type.clone().unwrap_or_default())
            .with_protocol_data(protocol.map_or_else(StrBytes::default, super::caller::own))
            .with_members(self.members.values().map(|member| member.described(protocol)).collect())
    }
}

impl Member {
    fn described(&self, protocol: Option<&str>) -> DescribedGroupMember {
        let described = DescribedGroupMember::default()
            .with_member_id(self.id.clone())
            .with_group_instance_id(self.instance_id.clone())
            .with_client_id(self.client_id.clone())
            .with_client_host(self.client_host.clone());
        match protocol {
            Some(protocol) => described
                .with_member_metadata(self.metadata(protocol).cloned().unwrap_or_default())
                .with_member_assignment(self.assignment.clone()),
            None => described,
        }
    }
}
