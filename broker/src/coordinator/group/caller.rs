//! Who asks: what a flow needs of a request besides its body.

use thalweg_protocol::StrBytes;

/// Chosen by the driver; names the request that a reply belongs to.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ReplyToken(pub u64);

/// The origin of a request.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Where the reply goes.
    pub token: ReplyToken,
    /// The API version of the request: several errors depend on it.
    pub version: i16,
    /// `client.id` of the request header, empty if it had none.
    pub client_id: StrBytes,
    /// The address of the connection, in Java's form (`/127.0.0.1`), as DescribeGroups shows it.
    pub client_host: StrBytes,
}

/// A copy that owns exactly its bytes: what is kept must not pin the frame of the request it came in.
pub(super) fn own(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}
