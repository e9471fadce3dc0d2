//! Effects as text, with short names for member ids: `M1` is the first that appeared.

use std::collections::HashMap;

use thalweg_protocol::StrBytes;
use thalweg_protocol::messages::describe_groups_response::DescribedGroup;
use thalweg_protocol::records::{self, BatchHeader, ControlRecord, Marker};
use uuid::Uuid;

use crate::coordinator::group::consumer::Kind;
use crate::coordinator::group::record::{GroupRecord, Record};
use crate::coordinator::group::{ErrorCode, Response, record_codec};

#[derive(Default)]
pub(super) struct Names {
    members: HashMap<StrBytes, String>,
    ids: Vec<StrBytes>,
    pub(super) topics: HashMap<Uuid, String>,
}

pub(super) fn error(code: i16) -> &'static str {
    ErrorCode::from_code(code).unwrap().name()
}

/// What a script wrote as text, or how much of something else there is.
fn blob(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) if text.chars().all(|character| character.is_ascii_graphic()) => format!("{text:?}"),
        _ => format!("<{} bytes>", bytes.len()),
    }
}

/// Of which producer's transaction a batch is.
fn transaction(header: &BatchHeader) -> String {
    let is_of_one = header.attributes.is_transactional();
    if is_of_one { format!(" by {} epoch {}", header.producer_id, header.producer_epoch) } else { String::new() }
}

fn end(record: &records::Record) -> &'static str {
    match ControlRecord::parse(record).unwrap() {
        ControlRecord::TransactionEnd { marker: Marker::Commit, .. } => "commit",
        ControlRecord::TransactionEnd { marker: Marker::Abort, .. } => "abort",
        ControlRecord::Other { .. } => "other",
    }
}

impl Names {
    /// The id behind `M1`; anything else is itself.
    pub(super) fn resolve(&self, name: &str) -> StrBytes {
        let number = name.strip_prefix('M').and_then(|number| number.parse::<usize>().ok());
        let id = number.and_then(|number| self.ids.get(number.checked_sub(1)?));
        id.cloned().unwrap_or_else(|| StrBytes::from_string(name.to_owned()))
    }

    pub(super) fn name(&mut self, id: &StrBytes) -> String {
        if id.len() < 36 {
            return format!("{:?}", &**id);
        }
        let next = format!("M{}", self.ids.len() + 1);
        let name = self.members.entry(id.clone()).or_insert_with(|| {
            self.ids.push(id.clone());
            next
        });
        name.clone()
    }

    pub(super) fn response(&mut self, response: &Response) -> String {
        match response {
            Response::JoinGroup(join) if join.error_code != 0 => {
                format!("join {} member={}", error(join.error_code), self.name(&join.member_id))
            }
            Response::JoinGroup(join) => {
                let member = self.name(&join.member_id);
                let leader = self.name(&join.leader);
                let members: Vec<String> = join
                    .members
                    .iter()
                    .map(|member| format!("{}:{}", self.name(&member.member_id), blob(&member.metadata)))
                    .collect();
                let skip = if join.skip_assignment { " skip-assignment" } else { "" };
                let protocol = join.protocol_name.as_deref().unwrap_or("null");
                let members = members.join(" ");
                format!(
                    "join generation={} {protocol} member={member} leader={leader} [{members}]{skip}",
                    join.generation_id
                )
            }
            Response::SyncGroup(sync) if sync.error_code != 0 => format!("sync {}", error(sync.error_code)),
            Response::SyncGroup(sync) => {
                let protocol = sync.protocol_name.as_deref().unwrap_or("null");
                format!("sync {protocol} {}", blob(&sync.assignment))
            }
            Response::Heartbeat(heartbeat) => format!("heartbeat {}", error(heartbeat.error_code)),
            Response::LeaveGroup(leave) => {
                let members: Vec<String> = leave
                    .members
                    .iter()
                    .map(|member| format!(" {}:{}", self.name(&member.member_id), error(member.error_code)))
                    .collect();
                format!("leave {}{}", error(leave.error_code), members.concat())
            }
            Response::OffsetCommit(commit) => {
                let partitions = commit.topics.iter().flat_map(|topic| topic.partitions.iter());
                let partitions: Vec<String> = partitions
                    .map(|partition| format!(" {}:{}", partition.partition_index, error(partition.error_code)))
                    .collect();
                format!("commit{}", partitions.concat())
            }
            Response::OffsetFetch(fetch) if fetch.error_code != 0 => format!("fetch {}", error(fetch.error_code)),
            Response::OffsetFetch(fetch) => {
                let mut text = "fetch".to_owned();
                for topic in &fetch.topics {
                    for partition in &topic.partitions {
                        text +=
                            &format!(" {}-{}={}", &*topic.name, partition.partition_index, partition.committed_offset);
                        if partition.error_code != 0 {
                            text += &format!(" {}", error(partition.error_code));
                        }
                        if partition.committed_leader_epoch >= 0 {
                            text += &format!(" epoch {}", partition.committed_leader_epoch);
                        }
                        if let Some(metadata) = partition.metadata.as_ref().filter(|metadata| !metadata.is_empty()) {
                            text += &format!(" {:?}", &**metadata);
                        }
                    }
                }
                text
            }
            Response::TxnOffsetCommit(commit) => {
                let partitions = commit.topics.iter().flat_map(|topic| topic.partitions.iter());
                let partitions: Vec<String> = partitions
                    .map(|partition| format!(" {}:{}", partition.partition_index, error(partition.error_code)))
                    .collect();
                format!("txn-commit{}", partitions.concat())
            }
            Response::TransactionEnd(code) => format!("end {}", error(*code)),
            Response::OffsetDelete(delete) => {
                let partitions = delete.topics.iter().flat_map(|topic| topic.partitions.iter());
                let partitions: Vec<String> = partitions
                    .map(|partition| format!(" {}:{}", partition.partition_index, error(partition.error_code)))
                    .collect();
                format!("delete-offsets {}{}", error(delete.error_code), partitions.concat())
            }
            Response::ConsumerHeartbeat(beat) => self.beat(beat),
            Response::ShareHeartbeat(beat) => self.share_beat(beat),
            Response::DeleteGroups(results) => {
                let results: Vec<String> = results
                    .iter()
                    .map(|result| format!(" {}:{}", &*result.group_id, error(result.error_code)))
                    .collect();
                format!("delete-groups{}", results.concat())
            }
        }
    }

    pub(super) fn describe(&mut self, group: &DescribedGroup) -> String {
        let mut text = format!(
            "{} {} {:?} {:?}\n",
            error(group.error_code),
            group.group_state,
            &*group.protocol_type,
            &*group.protocol_data
        );
        for member in &group.members {
            text += &format!(
                "  {} instance={} client={} host={} subscribes {} has {}\n",
                self.name(&member.member_id),
                member.group_instance_id.as_deref().unwrap_or("null"),
                member.client_id,
                member.client_host,
                blob(&member.member_metadata),
                blob(&member.member_assignment)
            );
        }
        text
    }

    /// The records of an append.
    pub(super) fn batch(&mut self, batch: &[u8]) -> String {
        let mut text = String::new();
        for view in records::batches(batch) {
            let view = view.unwrap();
            view.check_crc().unwrap();
            let transaction = transaction(&view.header);
            for record in view.records(1 << 20).unwrap() {
                let record = record.unwrap();
                if view.header.attributes.is_control() {
                    text += &format!("append {}{transaction}\n", end(&record));
                    continue;
                }
                let decoded = record_codec::decode(&record.key.unwrap(), record.value.as_deref()).unwrap();
                text += &format!("append {}{transaction}\n", self.record(&decoded));
            }
        }
        text
    }

    fn record(&mut self, record: &Record) -> String {
        match record {
            Record::Offset(key, value) => {
                let of = format!("offset {} {}-{}", key.group, key.topic, key.partition);
                match value {
                    None => format!("{of} gone"),
                    Some(value) => {
                        let expires =
                            value.expires_at.map_or_else(String::new, |at| format!(" expires {}", at.0 - 1_000_000));
                        format!("{of} = {}{expires}", value.offset)
                    }
                }
            }
            Record::Group(group, None) => format!("group {group} gone"),
            Record::Group(group, Some(value)) => format!("group {group} {}", self.group(value)),
            Record::Modern(group, kind, record) => {
                let kind = if *kind == Kind::Share { "share " } else { "" };
                format!("{kind}{group} {}", self.consumer_record(record))
            }
            Record::Other(version) => format!("other {version}"),
        }
    }

    fn group(&mut self, group: &GroupRecord) -> String {
        let leader = group.leader.as_ref().map_or_else(|| "none".to_owned(), |leader| self.name(leader));
        let members: Vec<String> = group
            .members
            .iter()
            .map(|member| format!("{}:{}", self.name(&member.id), blob(&member.assignment)))
            .collect();
        let protocol = group.protocol.as_deref().unwrap_or("null");
        format!("generation={} {protocol} leader={leader} [{}]", group.generation, members.join(" "))
    }
}
