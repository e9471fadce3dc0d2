//! What one node asks another besides Raft, and the answers: bytes to and fro.

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use thalweg_storage::types::GroupId;

use super::frame::FrameError;

/// A file's name in a request: relative to a replica's directory.
const FILE_NAME_MAX_BYTES: usize = 255;

/// The most of a file that is asked for at once.
pub const PIECE_MAX_BYTES: u32 = 4 << 20;

/// What is asked. The texts of the first three are the asking module's own; here they are bytes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PeerRequest {
    /// Who are you? Nodes that belong to no cluster may ask as well.
    Hello(Bytes),
    /// Take me into the cluster. Nodes that belong to none may ask as well.
    Join(Bytes),
    /// Something between members: the controller's commands, news of leaders.
    Question(Bytes),
    /// A whole request of Kafka's protocol, run as if a client had sent it.
    Kafka(Bytes),
    /// A part of a file that a snapshot is made of.
    Piece(PieceRequest),
}

/// Which part of which file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PieceRequest {
    pub group: GroupId,
    /// A plain name, without a way to it.
    pub file: String,
    pub position: u64,
    /// At most [`PIECE_MAX_BYTES`].
    pub length: u32,
}

/// What is answered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PeerResponse {
    /// Whatever the request's kind has for an answer.
    Answer(Bytes),
    /// One line that says why not. Nothing was done.
    Refused(String),
    /// Too much is asked at once. Nothing was done.
    Busy,
}

impl PeerRequest {
    /// Whether only members of the cluster may ask this.
    pub(super) fn is_for_members(&self) -> bool {
        !matches!(self, Self::Hello(_) | Self::Join(_))
    }

    pub(super) fn encode(self) -> Vec<Bytes> {
        let (tag, text) = match self {
            Self::Hello(text) => (1, text),
            Self::Join(text) => (2, text),
            Self::Question(text) => (3, text),
            Self::Kafka(request) => (4, request),
            Self::Piece(piece) => (5, piece.encode()),
        };
        tagged(tag, text)
    }

    pub(super) fn decode(mut body: Bytes) -> Result<Self, FrameError> {
        Ok(match take_tag(&mut body)? {
            1 => Self::Hello(body),
            2 => Self::Join(body),
            3 => Self::Question(body),
            4 => Self::Kafka(body),
            5 => Self::Piece(PieceRequest::decode(body)?),
            _ => return Err(FrameError::Body("a request of an unknown kind")),
        })
    }
}

impl PieceRequest {
    fn encode(&self) -> Bytes {
        let mut out = BytesMut::with_capacity(8 + 8 + 4 + self.file.len());
        out.put_u64_le(self.group.0);
        out.put_u64_le(self.position);
        out.put_u32_le(self.length);
        out.put_slice(self.file.as_bytes());
        out.freeze()
    }

    fn decode(mut body: Bytes) -> Result<Self, FrameError> {
        if body.len() <= 20 || body.len() > 20 + FILE_NAME_MAX_BYTES {
            return Err(FrameError::Body("a request for a piece of a file without a name"));
        }
        let (group, position, length) = (GroupId(body.get_u64_le()), body.get_u64_le(), body.get_u32_le());
        if length > PIECE_MAX_BYTES {
            return Err(FrameError::Body("a request for too large a piece of a file"));
        }
        let file = std::str::from_utf8(&body).ok().filter(|name| is_plain(name));
        let file = file.ok_or(FrameError::Body("a request for a piece of a file elsewhere"))?.to_owned();
        Ok(Self { group, file, position, length })
    }
}

/// Whether it names a file in the directory where it is looked for, and nothing else.
fn is_plain(name: &str) -> bool {
    !matches!(name, "." | "..") && !name.contains(['/', '\\', '\0'])
}

impl PeerResponse {
    pub(super) fn encode(self) -> Vec<Bytes> {
        match self {
            Self::Answer(body) => tagged(1, body),
            Self::Refused(why) => tagged(2, Bytes::from(why)),
            Self::Busy => tagged(3, Bytes::new()),
        }
    }

    pub(super) fn decode(mut body: Bytes) -> Result<Self, FrameError> {
        Ok(match take_tag(&mut body)? {
            1 => Self::Answer(body),
            2 => Self::Refused(String::from_utf8_lossy(&body).into_owned()),
            3 => Self::Busy,
            _ => return Err(FrameError::Body("an answer of an unknown kind")),
        })
    }
}

fn tagged(tag: u8, body: Bytes) -> Vec<Bytes> {
    vec![Bytes::copy_from_slice(&[tag]), body]
}

fn take_tag(body: &mut Bytes) -> Result<u8, FrameError> {
    if body.is_empty() { Err(FrameError::Body("a request or an answer without a kind")) } else { Ok(body.get_u8()) }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn piece(file: &str, length: u32) -> PeerRequest {
        PeerRequest::Piece(PieceRequest { group: GroupId(7), file: file.to_owned(), position: 4096, length })
    }

    #[test]
    fn what_is_asked_and_answered_comes_out_as_it_went_in() {
        let text = Bytes::from_static(b"{}");
        let requests = [
            PeerRequest::Hello(text.clone()),
            PeerRequest::Join(text.clone()),
            PeerRequest::Question(text.clone()),
            PeerRequest::Kafka(Bytes::new()),
            piece("00000000000000000000.log", PIECE_MAX_BYTES),
        ];
        for request in requests {
            assert_eq!(PeerRequest::decode(request.clone().encode().concat().into()).unwrap(), request);
        }
        for response in [PeerResponse::Answer(text), PeerResponse::Refused("no".into()), PeerResponse::Busy] {
            assert_eq!(PeerResponse::decode(response.clone().encode().concat().into()).unwrap(), response);
        }
    }

    #[test]
    fn files_elsewhere_and_absurd_lengths_are_not_asked_for() {
        for bad in [piece("", 1), piece("..", 1), piece("../a", 1), piece("/etc/passwd", 1), piece("a", u32::MAX)] {
            assert!(PeerRequest::decode(bad.encode().concat().into()).is_err());
        }
        let long = piece(&"a".repeat(FILE_NAME_MAX_BYTES + 1), 1);
        assert!(PeerRequest::decode(long.encode().concat().into()).is_err());
        for bad in [&b""[..], b"\x00", b"\x06abc", b"\x05short"] {
            assert!(PeerRequest::decode(Bytes::from_static(bad)).is_err());
        }
        assert!(PeerResponse::decode(Bytes::from_static(b"\x09")).is_err());
    }
}
