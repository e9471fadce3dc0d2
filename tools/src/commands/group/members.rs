//! A group's members and what each reads, whatever the group's protocol.

use bytes::{Buf, Bytes};
use serde::Serialize;
use thalweg_protocol::error::ErrorCode;
use thalweg_protocol::messages::{
    ConsumerGroupDescribeRequest, ConsumerProtocolAssignment, DescribeGroupsRequest, GroupId, ShareGroupDescribeRequest,
};
use thalweg_protocol::{Decodable, Message, StrBytes};

use super::find::Listed;
use crate::cli::Global;
use crate::cluster::{Cluster, text};
use crate::coordinator::{self, said};
use crate::failure::Failure;
use crate::wire::Call;

/// A group as its coordinator describes it.
#[derive(Debug, Serialize)]
pub(crate) struct Described {
    pub(crate) group: String,
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) state: String,
    pub(crate) protocol: Option<String>,
    /// Who shares out the partitions, as the group names it.
    pub(crate) assignor: Option<String>,
    /// Counts changes of the group; classic groups do not tell theirs.
    pub(crate) epoch: Option<i32>,
    pub(crate) assignment_epoch: Option<i32>,
    pub(crate) coordinator: i32,
    pub(crate) members: Vec<Member>,
}

#[derive(Debug, Serialize)]
pub(crate) struct Member {
    pub(crate) member: String,
    pub(crate) instance_id: Option<String>,
    pub(crate) client_id: String,
    pub(crate) host: String,
    pub(crate) epoch: Option<i32>,
    pub(crate) assigned: Vec<Assigned>,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Assigned {
    pub(crate) topic: String,
    pub(crate) partitions: Vec<i32>,
}

impl Member {
    pub(crate) fn reads(&self, topic: &str, partition: i32) -> bool {
        self.assigned.iter().any(|assigned| assigned.topic == topic && assigned.partitions.contains(&partition))
    }
}

pub(crate) fn describe(cluster: &mut Cluster, global: &Global, listed: &Listed) -> Result<Described, Failure> {
    match listed.kind.as_str() {
        "Classic" => classic(cluster, global, listed),
        "Consumer" => consumer(cluster, global, listed),
        "Share" => share(cluster, global, listed),
        other => Err(Failure::new(format!(
            "group `{}` is of a type that this command cannot describe: {other}",
            listed.group
        ))),
    }
}

fn base(listed: &Listed, state: &StrBytes) -> Described {
    Described {
        group: listed.group.clone(),
        kind: listed.kind.clone(),
        state: state.to_string(),
        protocol: (!listed.protocol.is_empty()).then(|| listed.protocol.clone()),
        assignor: None,
        epoch: None,
        assignment_epoch: None,
        coordinator: listed.coordinator,
        members: Vec::new(),
    }
}

fn classic(cluster: &mut Cluster, global: &Global, listed: &Listed) -> Result<Described, Failure> {
    let request = DescribeGroupsRequest::default().with_groups(vec![GroupId(text(&listed.group))]);
    let group = ask(cluster, global, listed, &request, |answer| {
        answer.groups.first().map(|group| (group, group.error_code, group.error_message.as_ref()))
    })?;
    let consumers = group.protocol_type.as_str() == "consumer";
    let members = group.members.iter().map(|member| Member {
        member: member.member_id.to_string(),
        instance_id: member.group_instance_id.as_ref().map(StrBytes::to_string),
        client_id: member.client_id.to_string(),
        host: member.client_host.to_string(),
        epoch: None,
        assigned: if consumers { read_assignment(&member.member_assignment) } else { Vec::new() },
    });
    Ok(Described {
        assignor: (!group.protocol_data.is_empty()).then(|| group.protocol_data.to_string()),
        members: members.collect(),
        ..base(listed, &group.group_state)
    })
}

fn consumer(cluster: &mut Cluster, global: &Global, listed: &Listed) -> Result<Described, Failure> {
    let request = ConsumerGroupDescribeRequest::default().with_group_ids(vec![GroupId(text(&listed.group))]);
    let group = ask(cluster, global, listed, &request, |answer| {
        answer.groups.first().map(|group| (group, group.error_code, group.error_message.as_ref()))
    })?;
    let members = group.members.iter().map(|member| Member {
        member: member.member_id.to_string(),
        instance_id: member.instance_id.as_ref().map(StrBytes::to_string),
        client_id: member.client_id.to_string(),
        host: member.client_host.to_string(),
        epoch: Some(member.member_epoch),
        assigned: assigned(
            member.assignment.topic_partitions.iter().map(|topic| (topic.topic_name.0.as_str(), &topic.partitions)),
        ),
    });
    let epochs = (group.group_epoch, group.assignment_epoch);
    Ok(with_epochs(listed, &group.group_state, &group.assignor_name, epochs, members.collect()))
}

fn share(cluster: &mut Cluster, global: &Global, listed: &Listed) -> Result<Described, Failure> {
    let request = ShareGroupDescribeRequest::default().with_group_ids(vec![GroupId(text(&listed.group))]);
    let group = ask(cluster, global, listed, &request, |answer| {
        answer.groups.first().map(|group| (group, group.error_code, group.error_message.as_ref()))
    })?;
    let members = group.members.iter().map(|member| Member {
        member: member.member_id.to_string(),
        instance_id: None,
        client_id: member.client_id.to_string(),
        host: member.client_host.to_string(),
        epoch: Some(member.member_epoch),
        assigned: assigned(
            member.assignment.topic_partitions.iter().map(|topic| (topic.topic_name.0.as_str(), &topic.partitions)),
        ),
    });
    let epochs = (group.group_epoch, group.assignment_epoch);
    Ok(with_epochs(listed, &group.group_state, &group.assignor_name, epochs, members.collect()))
}

/// A group whose coordinator makes the assignments.
fn with_epochs(
    listed: &Listed,
    state: &StrBytes,
    assignor: &StrBytes,
    (epoch, assignment_epoch): (i32, i32),
    members: Vec<Member>,
) -> Described {
    Described {
        assignor: Some(assignor.to_string()),
        epoch: Some(epoch),
        assignment_epoch: Some(assignment_epoch),
        members,
        ..base(listed, state)
    }
}

/// Asks a group's coordinator to describe it; `group_of` gives the group in the answer, and its error.
fn ask<C: Call, G: Clone>(
    cluster: &mut Cluster,
    global: &Global,
    listed: &Listed,
    request: &C,
    group_of: impl Fn(&C::Response) -> Option<(&G, i16, Option<&StrBytes>)>,
) -> Result<G, Failure> {
    let code_of = |answer: &C::Response| group_of(answer).map_or(0, |(_, code, _)| code);
    let answer = coordinator::call(cluster, global, &listed.group, request, code_of)?;
    let (group, code, message) = group_of(&answer).ok_or_else(|| silent(&listed.group))?;
    check(&listed.group, code, message)?;
    Ok(group.clone())
}

fn check(group: &str, code: i16, message: Option<&StrBytes>) -> Result<(), Failure> {
    if code == ErrorCode::None.code() {
        return Ok(());
    }
    Err(Failure::refused(format!("cannot describe group `{group}`"), code, said(message)))
}

fn silent(group: &str) -> Failure {
    Failure::new(format!("the coordinator of group `{group}` says nothing of it"))
}

fn assigned<'a>(topics: impl Iterator<Item = (&'a str, &'a Vec<i32>)>) -> Vec<Assigned> {
    let mut assigned: Vec<Assigned> = topics
        .map(|(topic, partitions)| {
            let mut partitions = partitions.clone();
            partitions.sort_unstable();
            Assigned { topic: topic.to_owned(), partitions }
        })
        .collect();
    assigned.sort_by(|a, b| a.topic.cmp(&b.topic));
    assigned
}

/// What a classic consumer was given, as the consumers wrote it themselves: the broker does not look into it. Bytes that
/// are not an assignment are none.
fn read_assignment(bytes: &Bytes) -> Vec<Assigned> {
    let mut bytes = bytes.clone();
    if bytes.len() < 2 {
        return Vec::new();
    }
    // Consumers of the future only add to the end.
    let version = bytes.get_i16().min(ConsumerProtocolAssignment::VERSIONS.max);
    // The decoder makes room for what the first length claims, and no assignment has more topics than bytes.
    let claimed = bytes.get(..4).and_then(|length| length.try_into().ok()).map_or(0, i32::from_be_bytes);
    if usize::try_from(claimed).is_ok_and(|topics| topics > bytes.len()) {
        return Vec::new();
    }
    let decoded = ConsumerProtocolAssignment::decode(&mut bytes, version).ok();
    let topics = decoded.map(|decoded| decoded.assigned_partitions).unwrap_or_default();
    assigned(topics.iter().map(|topic| (topic.topic.0.as_str(), &topic.partitions)))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::{Assigned, read_assignment};

    #[test]
    fn what_consumers_wrote_is_read_and_what_is_not_theirs_is_none() {
        let bytes = b"\0\x01\0\0\0\x01\0\x01t\0\0\0\x02\0\0\0\x03\0\0\0\x01\xff\xff\xff\xff";
        let assigned = [Assigned { topic: "t".to_owned(), partitions: vec![1, 3] }];
        assert_eq!(read_assignment(&Bytes::from_static(bytes)), assigned);
        for bytes in [&b""[..], b"\0", b"\0\0\x7f\xff\xff\xff", b"\0\x01\0\0\0\x01\0\x01t"] {
            assert_eq!(read_assignment(&Bytes::copy_from_slice(bytes)), [], "{bytes:?}");
        }
    }
}
