//! Sending a response: small pieces are gathered, large ones (records) go out from where they lie.

use bytes::{BufMut as _, Bytes, BytesMut};
use futures::{AsyncWrite, AsyncWriteExt as _};

use crate::limits::{RESPONSE_GATHER_BELOW_BYTES, RESPONSE_GATHER_BYTES};

/// Writes the pieces in order, in as few system calls as their sizes allow.
pub(super) async fn send(stream: &mut (impl AsyncWrite + Unpin), pieces: Vec<Bytes>) -> std::io::Result<()> {
    let mut pieces = pieces.into_iter();
    // The common answer is one piece: no copy.
    if pieces.len() == 1
        && let Some(only) = pieces.next()
    {
        return stream.write_all(&only).await;
    }
    let mut gathered = BytesMut::new();
    for piece in pieces {
        if piece.len() < RESPONSE_GATHER_BELOW_BYTES && gathered.len() + piece.len() <= RESPONSE_GATHER_BYTES {
            gathered.put_slice(&piece);
            continue;
        }
        if !gathered.is_empty() {
            stream.write_all(&gathered).await?;
            gathered.clear();
        }
        if piece.len() < RESPONSE_GATHER_BELOW_BYTES {
            gathered.put_slice(&piece);
        } else {
            stream.write_all(&piece).await?;
        }
    }
    if gathered.is_empty() { Ok(()) } else { stream.write_all(&gathered).await }
}
