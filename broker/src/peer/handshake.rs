//! How a connection between two nodes begins: each says who it is, and the one that is called may refuse.
//!
//! Both texts are JSON behind a magic number and a length, so that any version can read why another refuses it.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// What every connection between nodes begins with.
const MAGIC: [u8; 4] = *b"THWG";

/// Versions of the protocol between nodes that this build speaks.
pub(super) const VERSIONS: (u16, u16) = (1, 1);

/// Longer texts are not read.
const TEXT_MAX_BYTES: usize = 4096;

/// Bytes before the text.
pub(super) const PREFIX_BYTES: usize = 4 + 4;

/// Who a node is.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Facts {
    pub(crate) versions: (u16, u16),
    /// Empty while the node belongs to none.
    pub(crate) cluster: String,
    pub(crate) node: i32,
    pub(crate) directory: Uuid,
    /// Another at each start of the process.
    pub(crate) incarnation: u64,
    pub(crate) cores: usize,
    /// Where it listens for other nodes.
    pub(crate) address: Option<String>,
}

/// What the caller says.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct Call {
    pub(super) facts: Facts,
    /// The core that the connection is for; the called node takes it modulo its own count.
    pub(super) core: usize,
}

/// What the called says.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Answer {
    Welcome(Facts),
    /// One line that says what is wrong.
    Refused(String),
}

#[derive(Debug, thiserror::Error)]
pub(super) enum HandshakeError {
    #[error(
        "it does not speak the protocol between nodes; check thalweg.rpc.listener and controller.quorum.bootstrap.servers"
    )]
    Magic,
    #[error("an introduction of {0} bytes, more than {TEXT_MAX_BYTES}")]
    TooLong(usize),
    #[error("an introduction that is not understood: {0}")]
    Text(#[from] serde_json::Error),
}

/// The bytes of an introduction.
pub(super) fn encode(said: &impl Serialize) -> Result<Vec<u8>, HandshakeError> {
    let text = serde_json::to_vec(said)?;
    let len = u32::try_from(text.len()).map_err(|_| HandshakeError::TooLong(text.len()))?;
    Ok([MAGIC.as_slice(), &len.to_le_bytes(), &text].concat())
}

/// How long the text behind this prefix is.
pub(super) fn text_len(prefix: [u8; PREFIX_BYTES]) -> Result<usize, HandshakeError> {
    let [a, b, c, d, len @ ..] = prefix;
    if [a, b, c, d] != MAGIC {
        return Err(HandshakeError::Magic);
    }
    let len = u32::from_le_bytes(len) as usize;
    if len > TEXT_MAX_BYTES { Err(HandshakeError::TooLong(len)) } else { Ok(len) }
}

pub(super) fn decode<'a, T: Deserialize<'a>>(text: &'a [u8]) -> Result<T, HandshakeError> {
    Ok(serde_json::from_slice(text)?)
}

/// Whether the called node takes the call. `known` is the directory of the live process that has the caller's node id, if
/// there is one.
pub(super) fn check(me: &Facts, caller: &Facts, known: Option<(Uuid, u64)>) -> Result<(), String> {
    if caller.versions.0 > me.versions.1 || caller.versions.1 < me.versions.0 {
        return Err(format!(
            "node {} speaks versions {} to {} of the protocol between nodes, node {} versions {} to {}; upgrade the older one \
             to a release in between",
            caller.node, caller.versions.0, caller.versions.1, me.node, me.versions.0, me.versions.1
        ));
    }
    if !me.cluster.is_empty() && !caller.cluster.is_empty() && me.cluster != caller.cluster {
        return Err(format!(
            "node {} belongs to cluster {}, node {} to {}; check controller.quorum.bootstrap.servers, or give the node \
             empty log.dirs",
            caller.node, caller.cluster, me.node, me.cluster
        ));
    }
    if caller.node == me.node && caller.directory != me.directory {
        return Err(format!("two nodes have node.id {}; give each its own", me.node));
    }
    match known {
        Some((directory, incarnation)) if directory != caller.directory && incarnation != caller.incarnation => {
            Err(format!("a node with node.id {} and other data is alive; give each node its own node.id", caller.node))
        }
        _ => Ok(()),
    }
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
            address: None,
        }
    }

    #[test]
    fn introductions_come_out_as_they_went_in() {
        let said = Answer::Welcome(facts(3));
        let bytes = encode(&said).unwrap();
        let len = text_len(bytes[..PREFIX_BYTES].try_into().unwrap()).unwrap();
        assert_eq!(len, bytes.len() - PREFIX_BYTES);
        assert_eq!(decode::<Answer>(&bytes[PREFIX_BYTES..]).unwrap(), said);
    }

    #[test]
    fn strangers_are_recognised_before_anything_is_allocated() {
        assert!(matches!(text_len(*b"GET / HT"), Err(HandshakeError::Magic)));
        assert!(matches!(text_len(*b"THWG\xff\xff\xff\xff"), Err(HandshakeError::TooLong(_))));
        assert!(decode::<Call>(b"{}").is_err());
    }

    #[test]
    fn who_does_not_belong_is_refused_with_the_reason() {
        let refused = |caller: Facts, known| check(&facts(1), &caller, known).unwrap_err();
        assert!(check(&facts(1), &facts(2), None).is_ok());
        assert!(check(&facts(1), &facts(1), None).is_ok(), "itself");
        assert!(check(&facts(1), &Facts { cluster: String::new(), ..facts(2) }, None).is_ok());
        assert!(refused(Facts { cluster: "d".into(), ..facts(2) }, None).contains("belongs to cluster d"));
        assert!(refused(Facts { versions: (2, 3), ..facts(2) }, None).contains("upgrade"));
        assert!(refused(Facts { directory: Uuid::from_u128(9), ..facts(1) }, None).contains("node.id 1"));
        assert!(refused(facts(2), Some((Uuid::from_u128(9), 8))).contains("is alive"));
        assert!(check(&facts(1), &facts(2), Some((facts(2).directory, 6))).is_ok(), "it was started again");
    }
}
