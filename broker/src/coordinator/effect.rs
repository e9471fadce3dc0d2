//! What a shard wants done, whatever it coordinates. The driver acts on effects in the order given.

use std::convert::Infallible;

use bytes::Bytes;

/// Chosen by the driver; names the request that a reply belongs to.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ReplyToken(pub u64);

/// Names an append; tokens of one shard grow.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct AppendToken(pub u64);

/// Something for the driver to do.
#[derive(Clone, PartialEq, Debug)]
pub enum Effect<Response, Errand = Infallible> {
    /// Answer a request.
    Reply {
        /// The request.
        token: ReplyToken,
        /// Its answer.
        response: Box<Response>,
    },
    /// Append one record batch to the shard's partition, offsets and epoch not yet stamped, and report with
    /// `Shard::appended` once it is committed.
    Append {
        /// To be given back with the result.
        token: AppendToken,
        /// One record batch of format 2.
        batch: Bytes,
    },
    /// What only this kind of shard asks for.
    Errand(Errand),
}
