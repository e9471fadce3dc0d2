//! The offsets that a group has committed.

use std::collections::BTreeMap;

use thalweg_protocol::StrBytes;
use thalweg_protocol::error::ErrorCode;
use thalweg_protocol::messages::offset_fetch_request::OffsetFetchRequestGroup;
use thalweg_protocol::messages::{GroupId, OffsetFetchRequest, OffsetFetchResponse};

use crate::cli::Global;
use crate::cluster::{Cluster, known, text};
use crate::coordinator;
use crate::failure::Failure;

/// From this version on, one request asks for several groups (KIP-709).
const VERSION_WITH_GROUPS: i16 = 8;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Committed {
    pub(crate) offset: i64,
    pub(crate) leader_epoch: Option<i32>,
    pub(crate) metadata: Option<String>,
}

/// By topic and partition.
pub(crate) type Offsets = BTreeMap<(String, i32), Committed>;

/// Everything that a group has committed. A group that does not exist has committed nothing.
pub(crate) fn fetch(cluster: &mut Cluster, global: &Global, group: &str) -> Result<Offsets, Failure> {
    let id = GroupId(text(group));
    let several = cluster.any().version::<OffsetFetchRequest>()? >= VERSION_WITH_GROUPS;
    let request = if several {
        let wanted = OffsetFetchRequestGroup::default().with_group_id(id).with_member_epoch(-1).with_topics(None);
        OffsetFetchRequest::default().with_groups(vec![wanted])
    } else {
        OffsetFetchRequest::default().with_group_id(id).with_topics(None)
    };
    let answer = coordinator::call(cluster, global, group, &request, code_of)?;
    match ErrorCode::from_code(code_of(&answer)) {
        Some(ErrorCode::None) => Ok(read(answer)),
        Some(ErrorCode::GroupIdNotFound) => Ok(Offsets::new()),
        _ => Err(Failure::refused(format!("cannot fetch the offsets of group `{group}`"), code_of(&answer), None)),
    }
}

fn code_of(answer: &OffsetFetchResponse) -> i16 {
    answer.groups.first().map_or(answer.error_code, |group| group.error_code)
}

/// Old versions have the topics beside the groups. An offset of -1 is none.
fn read(answer: OffsetFetchResponse) -> Offsets {
    let mut offsets = Offsets::new();
    let mut add = |topic: &str, partition: i32, offset: i64, epoch: i32, metadata: Option<&StrBytes>| {
        if offset >= 0 {
            let metadata = metadata.filter(|text| !text.is_empty()).map(StrBytes::to_string);
            offsets.insert((topic.to_owned(), partition), Committed { offset, leader_epoch: known(epoch), metadata });
        }
    };
    for topic in answer.groups.iter().flat_map(|group| &group.topics) {
        for at in topic.partitions.iter().filter(|at| at.error_code == 0) {
            add(
                &topic.name.0,
                at.partition_index,
                at.committed_offset,
                at.committed_leader_epoch,
                at.metadata.as_ref(),
            );
        }
    }
    for topic in &answer.topics {
        for at in topic.partitions.iter().filter(|at| at.error_code == 0) {
            add(
                &topic.name.0,
                at.partition_index,
                at.committed_offset,
                at.committed_leader_epoch,
                at.metadata.as_ref(),
            );
        }
    }
    offsets
}
