//! Answers to JoinGroup and SyncGroup, which come from many places.

use bytes::Bytes;
use thalweg_protocol::StrBytes;
use thalweg_protocol::messages::join_group_response::JoinGroupResponseMember;
use thalweg_protocol::messages::{JoinGroupResponse, SyncGroupResponse};

use super::ErrorCode;
use super::caller::ReplyToken;
use super::classic::Group;
use super::context::Context;
use super::effect::Response;
use super::member::{Member, ParkedJoin};

/// The generation and the empty member id that stand for "none" on the wire.
pub(super) const GENERATION_NONE: i32 = -1;
pub(super) const MEMBER_ID_NONE: StrBytes = StrBytes::from_static_str("");

/// Before version 7 a protocol name cannot be null.
fn protocol_name(name: Option<StrBytes>, version: i16) -> Option<StrBytes> {
    if version < 7 { Some(name.unwrap_or_default()) } else { name }
}

/// A JoinGroup that failed.
pub(super) fn join_error(version: i16, member: StrBytes, error: ErrorCode) -> Response {
    Response::JoinGroup(
        JoinGroupResponse::default()
            .with_error_code(error.code())
            .with_generation_id(GENERATION_NONE)
            .with_protocol_type(None)
            .with_protocol_name(protocol_name(None, version))
            .with_member_id(member),
    )
}

/// A SyncGroup that failed.
pub(super) fn sync_error(error: ErrorCode) -> Response {
    Response::SyncGroup(
        SyncGroupResponse::default().with_error_code(error.code()).with_protocol_type(None).with_protocol_name(None),
    )
}

/// What a JoinGroup answer says besides the generation.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum JoinDetail {
    /// The leader gets everybody's subscription and computes the assignment.
    Normal,
    /// The leader gets the subscriptions, but the assignment stands (KIP-814).
    SkipAssignment,
    /// Somebody else is named as leader, and no subscriptions are sent: before KIP-814 this is how a leader that came
    /// back under a new member id is kept from assigning anew.
    Follower { leader: StrBytes },
}

impl Group {
    /// The current generation, as a member learns it.
    pub(super) fn joined(&self, member: &Member, version: i16, detail: JoinDetail) -> Response {
        let skip_assignment = detail == JoinDetail::SkipAssignment;
        let leader = match detail {
            JoinDetail::Normal | JoinDetail::SkipAssignment => self.leader.clone().unwrap_or_default(),
            JoinDetail::Follower { leader } => leader,
        };
        let leads = leader == member.id;
        let members = if leads { self.members_for_leader() } else { Vec::new() };
        Response::JoinGroup(
            JoinGroupResponse::default()
                .with_generation_id(self.generation)
                .with_protocol_type(self.protocol_type.clone())
                .with_protocol_name(protocol_name(self.protocol_name.clone(), version))
                .with_leader(leader)
                .with_skip_assignment(leads && skip_assignment)
                .with_member_id(member.id.clone())
                .with_members(members),
        )
    }

    fn members_for_leader(&self) -> Vec<JoinGroupResponseMember> {
        let protocol = self.protocol_name.as_deref().unwrap_or_default();
        let member = |member: &Member| {
            JoinGroupResponseMember::default()
                .with_member_id(member.id.clone())
                .with_group_instance_id(member.instance_id.clone())
                .with_metadata(member.metadata(protocol).cloned().unwrap_or_default())
        };
        self.members.values().map(member).collect()
    }

    /// A member's assignment in the current generation.
    pub(super) fn synced(&self, assignment: Bytes) -> Response {
        Response::SyncGroup(
            SyncGroupResponse::default()
                .with_protocol_type(self.protocol_type.clone())
                .with_protocol_name(self.protocol_name.clone())
                .with_assignment(assignment),
        )
    }

    /// Answers the JoinGroup that `member` waits in, if it does, with an error.
    pub(super) fn fail_join(&mut self, member: &str, as_member: StrBytes, error: ErrorCode, cx: &mut Context) {
        if let Some(ParkedJoin { token, version }) = self.member_mut(member).and_then(|member| member.join.take()) {
            cx.reply(token, join_error(version, as_member, error));
        }
    }

    /// Answers the SyncGroup that `member` waits in, if it does, with an error.
    pub(super) fn fail_sync(&mut self, member: &str, error: ErrorCode, cx: &mut Context) {
        if let Some(token) = self.member_mut(member).and_then(|member| member.sync.take()) {
            cx.reply(token, sync_error(error));
        }
    }

    /// Parks a SyncGroup. A member has at most one: an older one's caller has given up, but its connection may live.
    pub(super) fn park_sync(&mut self, member: &str, token: ReplyToken, cx: &mut Context) {
        self.fail_sync(member, ErrorCode::RebalanceInProgress, cx);
        if let Some(member) = self.member_mut(member) {
            member.sync = Some(token);
        }
    }
}
