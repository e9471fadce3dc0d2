//! Why a request of a consumer group's member is refused: Kafka's code, and a sentence for people.

use thalweg_protocol::StrBytes;

use crate::coordinator::group::ErrorCode;

#[derive(Clone, PartialEq, Eq, Debug)]
pub(in crate::coordinator::group) struct Refusal {
    pub(in crate::coordinator::group) code: ErrorCode,
    message: String,
}

impl Refusal {
    pub(in crate::coordinator::group) fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    pub(in crate::coordinator::group) fn invalid(message: &str) -> Self {
        Self::new(ErrorCode::InvalidRequest, message)
    }

    pub(in crate::coordinator::group) fn fenced(message: &str) -> Self {
        Self::new(ErrorCode::FencedMemberEpoch, message)
    }

    pub(in crate::coordinator::group) fn unknown_member(member: &str, group: &str) -> Self {
        Self::new(ErrorCode::UnknownMemberId, format!("Member {member} is not a member of group {group}."))
    }

    pub(in crate::coordinator::group) fn not_found(group: &str) -> Self {
        Self::new(ErrorCode::GroupIdNotFound, format!("Group {group} not found."))
    }

    pub(in crate::coordinator::group) fn not_consumer(group: &str) -> Self {
        Self::new(ErrorCode::GroupIdNotFound, format!("Group {group} is not a consumer group."))
    }

    pub(in crate::coordinator::group) fn message(&self) -> StrBytes {
        StrBytes::from_string(self.message.clone())
    }
}

impl From<ErrorCode> for Refusal {
    fn from(code: ErrorCode) -> Self {
        Self::new(code, code.name())
    }
}
