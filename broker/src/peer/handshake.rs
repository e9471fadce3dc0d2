//! How a connection between two nodes begins: each says who it is, and the one that is called may refuse. The format is
//! documented in `docs/formats/peer-connection.md`.
//!
//! Both texts are JSON behind a magic number, a length and a checksum, so that any version can read why another refuses it.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use thalweg_protocol::NodeId;
use uuid::Uuid;

use super::Life;

/// What every connection between nodes begins with.
const MAGIC: [u8; 4] = *b"THWG";

/// Versions of what follows the introductions that this build speaks. The newest that both know is spoken.
pub(super) const VERSIONS: (u16, u16) = (1, 1);

/// Longer texts are not read.
pub(super) const TEXT_MAX_BYTES: usize = 4096;

/// Bytes before the text: magic, length, checksum.
pub(super) const PREFIX_BYTES: usize = 4 + 4 + 4;

/// Reactors that a node may claim to have, as `thalweg.cores`.
const CORES_MAX: usize = 1024;

/// Who a node is.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Facts {
    /// Oldest and newest.
    pub(crate) versions: (u16, u16),
    /// Empty while the node belongs to none.
    pub(crate) cluster: String,
    pub(crate) node: i32,
    pub(crate) directory: Uuid,
    /// Another at each start of the process.
    pub(crate) incarnation: u64,
    pub(crate) cores: usize,
    /// Where it listens for other nodes, as they reach it.
    pub(crate) address: Option<String>,
}

/// What a connection is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Purpose {
    /// Everything that members of one cluster say to each other.
    Lane,
    /// Requests only: nodes that belong to no cluster yet ask those that may.
    Question,
}

/// What the caller says.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct Call {
    pub(super) facts: Facts,
    pub(super) purpose: Purpose,
    /// The caller's core.
    pub(super) from_core: usize,
    /// The core that the connection is for; the called node takes it modulo its own count.
    pub(super) to_core: usize,
}

/// What the called says.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Answer {
    Welcome(Facts),
    /// It cannot be, until somebody changes something. One line that says what.
    Refused(String),
    /// It cannot be now.
    Later(String),
}

/// Why a connection does not begin.
#[derive(Debug, thiserror::Error)]
pub(super) enum HandshakeError {
    #[error("what is there does not speak the protocol between Thalweg's nodes")]
    Magic,
    #[error("an introduction of {0} bytes, more than {TEXT_MAX_BYTES}")]
    TooLong(usize),
    #[error("an introduction with a wrong checksum")]
    Checksum,
    #[error("an introduction that is not understood: {0}")]
    Text(#[from] serde_json::Error),
}

/// The bytes of an introduction.
pub(super) fn encode(said: &impl Serialize) -> Result<Vec<u8>, HandshakeError> {
    let text = serde_json::to_vec(said)?;
    let len = u32::try_from(text.len()).map_err(|_| HandshakeError::TooLong(text.len()))?;
    Ok([MAGIC.as_slice(), &len.to_le_bytes(), &crc32c::crc32c(&text).to_le_bytes(), &text].concat())
}

/// Length and checksum of the text behind this prefix.
pub(super) fn prefix(prefix: [u8; PREFIX_BYTES]) -> Result<(usize, u32), HandshakeError> {
    let [m0, m1, m2, m3, l0, l1, l2, l3, checksum @ ..] = prefix;
    if [m0, m1, m2, m3] != MAGIC {
        return Err(HandshakeError::Magic);
    }
    let len = u32::from_le_bytes([l0, l1, l2, l3]) as usize;
    if len > TEXT_MAX_BYTES { Err(HandshakeError::TooLong(len)) } else { Ok((len, u32::from_le_bytes(checksum))) }
}

/// Reads the text.
pub(super) fn decode<T: DeserializeOwned>(text: &[u8], checksum: u32) -> Result<T, HandshakeError> {
    if crc32c::crc32c(text) != checksum {
        return Err(HandshakeError::Checksum);
    }
    Ok(serde_json::from_slice(text)?)
}

/// Why a caller is turned away.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Refusal {
    /// One line for whoever runs these nodes.
    Wrong(String),
    Later(String),
}

impl Facts {
    pub(crate) fn id(&self) -> NodeId {
        NodeId(self.node)
    }

    pub(super) fn life(&self) -> Life {
        Life { directory: self.directory, incarnation: self.incarnation, cores: self.cores }
    }

    /// Whether both belong to one cluster.
    pub(super) fn is_kin(&self, other: &Self) -> bool {
        !self.cluster.is_empty() && self.cluster == other.cluster
    }

    /// What another node says of itself must at least be possible.
    pub(super) fn check(&self) -> Result<(), String> {
        if self.node < 0 || self.node == i32::MAX {
            return Err(format!("{} is no node id", self.node));
        }
        if !(1..=CORES_MAX).contains(&self.cores) {
            return Err(format!("a node cannot have {} cores", self.cores));
        }
        Ok(())
    }
}

/// Whether the called node `me` takes the call. `known` is the live process that has the caller's node id, if there is one.
pub(super) fn check(me: &Facts, call: &Call, known: Option<Life>) -> Result<(), Refusal> {
    let caller = &call.facts;
    caller.check().map_err(Refusal::Wrong)?;
    if caller.versions.0 > me.versions.1 || caller.versions.1 < me.versions.0 {
        return Err(Refusal::Wrong(format!(
            "node {} speaks versions {} to {} of the protocol between nodes, and node {} versions {} to {}: upgrade the \
             older one first to a release in between",
            caller.node, caller.versions.0, caller.versions.1, me.node, me.versions.0, me.versions.1
        )));
    }
    if !me.cluster.is_empty() && !caller.cluster.is_empty() && me.cluster != caller.cluster {
        return Err(Refusal::Wrong(format!(
            "node {} belongs to cluster {}, and node {} to cluster {}: check controller.quorum.bootstrap.servers, or give \
             the one that is in the wrong cluster empty log.dirs",
            caller.node, caller.cluster, me.node, me.cluster
        )));
    }
    check_identity(me, caller, known)?;
    if call.purpose == Purpose::Lane && !me.is_kin(caller) {
        return Err(Refusal::Later("not both nodes belong to the cluster yet".to_owned()));
    }
    Ok(())
}

/// Two nodes of one id would each undo what the other promised.
fn check_identity(me: &Facts, caller: &Facts, known: Option<Life>) -> Result<(), Refusal> {
    if caller.node == me.node {
        let itself = caller.directory == me.directory && caller.incarnation == me.incarnation;
        return if itself { Ok(()) } else { Err(twin(caller, caller.directory == me.directory)) };
    }
    match known {
        Some(life) if life.incarnation != caller.incarnation => Err(twin(caller, life.directory == caller.directory)),
        _ => Ok(()),
    }
}

/// `at` is not in the line: it is to be said once, and comes from another port each time.
fn twin(caller: &Facts, same_directory: bool) -> Refusal {
    let (node, address) = (caller.node, caller.address.as_deref().unwrap_or("an unknown address"));
    Refusal::Wrong(if same_directory {
        format!(
            "node.id {node} of {address} is in use by another live node with a copy of the same data: stop one of them"
        )
    } else {
        format!("node.id {node} of {address} is in use by another live node: each node needs its own node.id")
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

    use super::*;

    fn facts(node: i32) -> Facts {
        Facts {
            versions: VERSIONS,
            cluster: "c".into(),
            node,
            directory: Uuid::from_u128(node as u128),
            incarnation: 7,
            cores: 2,
            address: Some(format!("10.0.0.{node}:9094")),
        }
    }

    fn call(facts: Facts, purpose: Purpose) -> Call {
        Call { facts, purpose, from_core: 0, to_core: 1 }
    }

    fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, HandshakeError> {
        let (len, checksum) = prefix(bytes[..PREFIX_BYTES].try_into().unwrap())?;
        assert_eq!(len, bytes.len() - PREFIX_BYTES);
        decode(&bytes[PREFIX_BYTES..], checksum)
    }

    #[test]
    fn introductions_come_out_as_they_went_in() {
        let welcome = Answer::Welcome(facts(3));
        assert_eq!(read::<Answer>(&encode(&welcome).unwrap()).unwrap(), welcome);
        let call = call(facts(2), Purpose::Question);
        assert_eq!(read::<Call>(&encode(&call).unwrap()).unwrap(), call);
    }

    /// What another release of this format must still read; more fields may be there.
    #[test]
    fn the_bytes_are_frozen() {
        let text = br#"{"facts":{"versions":[1,1],"cluster":"c","node":3,"directory":"00000000-0000-0000-0000-000000000003","incarnation":7,"cores":2,"address":"10.0.0.3:9094"},"purpose":"lane","from_core":0,"to_core":1}"#;
        let call = call(facts(3), Purpose::Lane);
        let bytes = encode(&call).unwrap();
        assert_eq!(String::from_utf8_lossy(&bytes[PREFIX_BYTES..]), String::from_utf8_lossy(text));
        assert_eq!(bytes[..8], *b"THWG\xc5\0\0\0");
        let more = String::from_utf8_lossy(text).replace("\"cores\"", "\"rack\":\"a\",\"cores\"");
        assert_eq!(decode::<Call>(more.as_bytes(), crc32c::crc32c(more.as_bytes())).unwrap(), call);
    }

    #[test]
    fn strangers_are_recognised_before_anything_is_allocated() {
        assert!(matches!(prefix(*b"GET / HTTP/1"), Err(HandshakeError::Magic)));
        assert!(matches!(prefix(*b"THWG\xff\xff\xff\xff\0\0\0\0"), Err(HandshakeError::TooLong(_))));
        let mut damaged = encode(&call(facts(2), Purpose::Lane)).unwrap();
        damaged[20] ^= 1;
        assert!(matches!(read::<Call>(&damaged), Err(HandshakeError::Checksum)));
        assert!(matches!(decode::<Call>(b"{}", crc32c::crc32c(b"{}")), Err(HandshakeError::Text(_))));
    }

    #[test]
    fn who_does_not_belong_is_refused_with_the_reason() {
        let refused = |caller: Facts, known| match check(&facts(1), &call(caller, Purpose::Lane), known) {
            Err(Refusal::Wrong(why)) => why,
            other => panic!("{other:?}"),
        };
        assert!(refused(Facts { cluster: "d".into(), ..facts(2) }, None).contains("belongs to cluster d"));
        assert!(refused(Facts { versions: (2, 3), ..facts(2) }, None).contains("upgrade"));
        assert!(refused(Facts { directory: Uuid::from_u128(9), ..facts(1) }, None).contains("needs its own node.id"));
        assert!(refused(Facts { incarnation: 9, ..facts(1) }, None).contains("copy of the same data"));
        let other = Life { directory: Uuid::from_u128(9), incarnation: 8, cores: 1 };
        assert!(refused(facts(2), Some(other)).contains("needs its own node.id"));
        let copy = Life { directory: facts(2).directory, ..other };
        assert!(refused(facts(2), Some(copy)).contains("copy of the same data"));
        assert!(refused(facts(-1), None).contains("no node id"));
        assert!(refused(Facts { cores: 0, ..facts(2) }, None).contains("0 cores"));
    }

    #[test]
    fn members_get_lanes_and_others_may_only_ask() {
        let blank = Facts { cluster: String::new(), ..facts(2) };
        assert_eq!(check(&facts(1), &call(facts(2), Purpose::Lane), None), Ok(()));
        assert_eq!(check(&facts(1), &call(facts(2), Purpose::Lane), Some(facts(2).life())), Ok(()));
        assert_eq!(check(&facts(1), &call(facts(1), Purpose::Question), None), Ok(()), "itself");
        for (me, caller) in [(facts(1), blank.clone()), (blank.clone(), facts(1)), (blank.clone(), blank_of(3))] {
            assert_eq!(check(&me, &call(caller.clone(), Purpose::Question), None), Ok(()));
            assert!(matches!(check(&me, &call(caller, Purpose::Lane), None), Err(Refusal::Later(_))));
        }
    }

    fn blank_of(node: i32) -> Facts {
        Facts { cluster: String::new(), ..facts(node) }
    }
}
