//! Who asks: what a flow needs of a request besides its body.

use thalweg_protocol::StrBytes;

pub(super) use super::ReplyToken;
pub(super) use crate::coordinator::codec::own;

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
