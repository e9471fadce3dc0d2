//! One member of a group, as the classic protocol has it: what it sends next, and what the answers mean.

use anyhow::{Result, bail};
use bytes::{BufMut as _, Bytes, BytesMut};
use thalweg_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use thalweg_protocol::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use thalweg_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use thalweg_protocol::messages::{
    GroupId, JoinGroupRequest, JoinGroupResponse, OffsetCommitRequest, SyncGroupRequest, SyncGroupResponse,
};
use thalweg_protocol::{ErrorCode, StrBytes};

use crate::client::cluster::topic_name;

/// Flexible, with the member id required (KIP-394), and served by every Kafka from 2.4 on.
pub(super) const JOIN_VERSION: i16 = 6;
pub(super) const SYNC_VERSION: i16 = 4;
pub(super) const COMMIT_VERSION: i16 = 8;

/// Longer than any run: no member needs to send heartbeats. Brokers allow half an hour.
const SESSION_TIMEOUT_MS: i32 = 1_700_000;
const REBALANCE_TIMEOUT_MS: i32 = 300_000;

/// What a member sends next.
#[derive(Debug)]
pub(super) enum Next {
    Join(Box<JoinGroupRequest>),
    Sync(Box<SyncGroupRequest>),
    /// It has its assignment.
    Done,
}

#[derive(Debug)]
pub(super) struct Member {
    /// Which of the groups it is in.
    pub(super) group: usize,
    name: StrBytes,
    topic: String,
    /// How many there are in the group, and so partitions.
    members: u32,
    id: StrBytes,
    generation: i32,
    round: u32,
}

impl Member {
    pub(super) fn new(group: usize, name: StrBytes, topic: &str, members: u32) -> Self {
        Self { group, name, topic: topic.to_owned(), members, id: StrBytes::default(), generation: -1, round: 0 }
    }

    /// Begins a round. What a member says of itself is another in each: else the coordinator would see no reason to
    /// rebalance.
    pub(super) fn begin(&mut self, round: u32) -> Next {
        self.round = round;
        Next::Join(Box::new(self.join()))
    }

    fn join(&self) -> JoinGroupRequest {
        let protocol = JoinGroupRequestProtocol::default()
            .with_name(StrBytes::from_static_str("range"))
            .with_metadata(subscription(&self.topic, self.round));
        JoinGroupRequest::default()
            .with_group_id(GroupId(self.name.clone()))
            .with_session_timeout_ms(SESSION_TIMEOUT_MS)
            .with_rebalance_timeout_ms(REBALANCE_TIMEOUT_MS)
            .with_member_id(self.id.clone())
            .with_protocol_type(StrBytes::from_static_str("consumer"))
            .with_protocols(vec![protocol])
    }

    pub(super) fn joined(&mut self, answer: JoinGroupResponse) -> Result<Next> {
        match ErrorCode::from_code(answer.error_code) {
            Some(ErrorCode::None) => {
                self.id = answer.member_id;
                self.generation = answer.generation_id;
                let members = answer.members.into_iter().enumerate();
                let assignments =
                    members.map(|(at, member)| {
                        SyncGroupRequestAssignment::default()
                            .with_member_id(member.member_id)
                            .with_assignment(assignment(&self.topic, at, self.members))
                    });
                let sync = SyncGroupRequest::default()
                    .with_group_id(GroupId(self.name.clone()))
                    .with_generation_id(self.generation)
                    .with_member_id(self.id.clone())
                    .with_assignments(assignments.collect());
                Ok(Next::Sync(Box::new(sync)))
            }
            Some(ErrorCode::MemberIdRequired) => {
                self.id = answer.member_id;
                Ok(Next::Join(Box::new(self.join())))
            }
            _ => self.again("JoinGroup", answer.error_code),
        }
    }

    pub(super) fn synced(&self, answer: &SyncGroupResponse) -> Result<Next> {
        match ErrorCode::from_code(answer.error_code) {
            Some(ErrorCode::None) => Ok(Next::Done),
            _ => self.again("SyncGroup", answer.error_code),
        }
    }

    /// Others of the group went on to the next generation meanwhile, or the coordinator is starting: join again.
    fn again(&self, what: &str, code: i16) -> Result<Next> {
        match ErrorCode::from_code(code) {
            Some(
                ErrorCode::RebalanceInProgress
                | ErrorCode::IllegalGeneration
                | ErrorCode::CoordinatorLoadInProgress
                | ErrorCode::CoordinatorNotAvailable,
            ) => Ok(Next::Join(Box::new(self.join()))),
            known => bail!(
                "{what} of group {}: the broker answered {}",
                self.name,
                known.map_or_else(|| code.to_string(), |known| known.name().to_owned())
            ),
        }
    }

    /// Commits an offset of one partition.
    pub(super) fn commit(&self, partition: i32, offset: i64) -> OffsetCommitRequest {
        let partition = OffsetCommitRequestPartition::default()
            .with_partition_index(partition)
            .with_committed_offset(offset)
            .with_committed_metadata(Some(StrBytes::default()));
        let topic =
            OffsetCommitRequestTopic::default().with_name(topic_name(&self.topic)).with_partitions(vec![partition]);
        OffsetCommitRequest::default()
            .with_group_id(GroupId(self.name.clone()))
            .with_generation_id_or_member_epoch(self.generation)
            .with_member_id(self.id.clone())
            .with_topics(vec![topic])
    }

    pub(super) fn members(&self) -> u32 {
        self.members
    }
}

/// `ConsumerProtocolSubscription`, version 0: the topic, and the round as the assignor's own data.
fn subscription(topic: &str, round: u32) -> Bytes {
    let mut bytes = BytesMut::new();
    bytes.put_i16(0);
    bytes.put_i32(1);
    put_string(&mut bytes, topic);
    bytes.put_i32(4);
    bytes.put_u32(round);
    bytes.freeze()
}

/// `ConsumerProtocolAssignment`, version 0: one partition for each.
fn assignment(topic: &str, at: usize, members: u32) -> Bytes {
    let mut bytes = BytesMut::new();
    bytes.put_i16(0);
    bytes.put_i32(1);
    put_string(&mut bytes, topic);
    bytes.put_i32(1);
    bytes.put_u32(at as u32 % members);
    bytes.put_i32(-1);
    bytes.freeze()
}

fn put_string(bytes: &mut BytesMut, text: &str) {
    // Topics' names are short: the broker took this one.
    bytes.put_i16(i16::try_from(text.len()).unwrap_or(i16::MAX));
    bytes.put_slice(text.as_bytes());
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use thalweg_protocol::messages::join_group_response::JoinGroupResponseMember;

    use super::*;

    fn member() -> Member {
        Member::new(3, StrBytes::from_static_str("g"), "t", 2)
    }

    fn text(text: &'static str) -> StrBytes {
        StrBytes::from_static_str(text)
    }

    #[test]
    fn a_member_takes_its_name_joins_leads_and_is_done() {
        let mut member = member();
        let Next::Join(first) = member.begin(0) else { panic!("a round begins with a join") };
        assert!(first.member_id.is_empty());
        let named =
            JoinGroupResponse::default().with_error_code(ErrorCode::MemberIdRequired.code()).with_member_id(text("m"));
        let Next::Join(second) = member.joined(named).unwrap() else { panic!("it joins under its name") };
        assert_eq!(second.member_id.as_str(), "m");
        let others = ["m", "n"].map(|id| JoinGroupResponseMember::default().with_member_id(text(id)));
        let joined =
            JoinGroupResponse::default().with_member_id(text("m")).with_generation_id(7).with_members(others.to_vec());
        let Next::Sync(sync) = member.joined(joined).unwrap() else { panic!("then it syncs") };
        assert_eq!((sync.generation_id, sync.assignments.len()), (7, 2));
        assert_eq!(
            sync.assignments.last().unwrap().assignment.as_ref(),
            b"\0\0\0\0\0\x01\0\x01t\0\0\0\x01\0\0\0\x01\xff\xff\xff\xff"
        );
        assert!(matches!(member.synced(&SyncGroupResponse::default()).unwrap(), Next::Done));
        let commit = member.commit(1, 5);
        assert_eq!((commit.generation_id_or_member_epoch, commit.member_id.as_str()), (7, "m"));
    }

    #[test]
    fn who_is_overtaken_joins_again_and_what_is_wrong_ends_the_run() {
        let mut member = member();
        let Next::Join(first) = member.begin(1) else { panic!("a round begins with a join") };
        let Next::Join(second) = member.begin(2) else { panic!("a round begins with a join") };
        let metadata = |join: &JoinGroupRequest| join.protocols.first().unwrap().metadata.clone();
        assert_ne!(metadata(&first), metadata(&second));
        let code = |code: ErrorCode| SyncGroupResponse::default().with_error_code(code.code());
        assert!(matches!(member.synced(&code(ErrorCode::RebalanceInProgress)).unwrap(), Next::Join(_)));
        let refused = JoinGroupResponse::default().with_error_code(ErrorCode::GroupMaxSizeReached.code());
        assert!(member.joined(refused).unwrap_err().to_string().contains("GROUP_MAX_SIZE_REACHED"));
    }
}
