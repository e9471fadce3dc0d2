//! One member of a classic group.

use bytes::Bytes;
use thalweg_protocol::StrBytes;

use super::caller::ReplyToken;

/// An assignment protocol a member offers, with what it says in it (its subscription, for consumers).
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Protocol {
    pub(super) name: StrBytes,
    pub(super) metadata: Bytes,
}

/// A JoinGroup that waits for the others.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct ParkedJoin {
    pub(super) token: ReplyToken,
    pub(super) version: i16,
}

#[derive(Clone, Debug)]
pub(super) struct Member {
    pub(super) id: StrBytes,
    /// Set for static members (KIP-345).
    pub(super) instance_id: Option<StrBytes>,
    pub(super) client_id: StrBytes,
    pub(super) client_host: StrBytes,
    pub(super) session_timeout_ms: i32,
    pub(super) rebalance_timeout_ms: i32,
    /// Most wanted first.
    pub(super) protocols: Vec<Protocol>,
    /// Empty until the leader's assignment is durable.
    pub(super) assignment: Bytes,
    pub(super) join: Option<ParkedJoin>,
    pub(super) sync: Option<ReplyToken>,
    /// Has not got its first generation yet.
    pub(super) is_new: bool,
}

impl Member {
    pub(super) fn is_static(&self) -> bool {
        self.instance_id.is_some()
    }

    pub(super) fn offers(&self, protocol: &str) -> bool {
        self.protocols.iter().any(|offered| &*offered.name == protocol)
    }

    pub(super) fn metadata(&self, protocol: &str) -> Option<&Bytes> {
        self.protocols.iter().find(|offered| &*offered.name == protocol).map(|offered| &offered.metadata)
    }

    /// A member that waits for an answer of ours need not send heartbeats. A new member can be gone even while it
    /// waits, so its waiting does not count (Kafka's `hasSatisfiedHeartbeat`).
    pub(super) fn has_satisfied_heartbeat(&self) -> bool {
        !self.is_new && (self.join.is_some() || self.sync.is_some())
    }
}
