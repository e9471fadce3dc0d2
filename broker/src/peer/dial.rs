//! The calling side's beginning: an address, a connection, both introductions.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs as _};

use bytes::BytesMut;
use thalweg_reactor::{Stream, unblock, within};

use super::handshake::{Answer, Call, Facts, Purpose};
use super::wire::{Ended, Progress, Wire};
use crate::limits::PEER_CONNECT_TIME_MAX;
use crate::reactor::Shared;

/// Why a node was not reached.
#[derive(Debug, thiserror::Error)]
pub(super) enum CallError {
    #[error("its address is not known")]
    NoAddress,
    #[error("it did not answer within {PEER_CONNECT_TIME_MAX:?}")]
    TimedOut,
    #[error(transparent)]
    Connect(#[from] io::Error),
    #[error(transparent)]
    Ended(#[from] Ended),
    #[error("{0}")]
    Refused(String),
    #[error("{0}")]
    Later(String),
    #[error("its address is that of node {0}")]
    Other(i32),
}

impl CallError {
    /// Nobody listens there: the process is gone, not merely slow.
    pub(super) fn is_refused_by_kernel(&self) -> bool {
        matches!(self, Self::Connect(error) if error.kind() == io::ErrorKind::ConnectionRefused)
    }

    /// Whether somebody has to change something before it can be.
    pub(super) fn is_lasting(&self) -> bool {
        matches!(self, Self::Refused(_) | Self::Other(_) | Self::Ended(Ended::Handshake(_)))
    }
}

/// A connection that is introduced, and who is at its other end. Either introduction says which cores it is between.
pub(super) async fn call(
    shared: &Shared,
    address: String,
    purpose: Purpose,
    (from_core, to_core): (usize, usize),
) -> Result<(Wire, Facts), CallError> {
    let call = Call { facts: shared.facts(), purpose, from_core, to_core };
    let introduced = async {
        let mut wire = Wire::new(connect(address).await?, BytesMut::new());
        wire.introduce(&call).await?;
        match wire.introduction(&Progress::default()).await? {
            Answer::Welcome(facts) => facts.check().map(|()| (wire, facts)).map_err(CallError::Refused),
            Answer::Refused(why) => Err(CallError::Refused(why)),
            Answer::Later(why) => Err(CallError::Later(why)),
        }
    };
    within(PEER_CONNECT_TIME_MAX, introduced).await.unwrap_or(Err(CallError::TimedOut))
}

/// Each of a name's addresses in turn.
async fn connect(address: String) -> io::Result<Stream> {
    let addresses = match address.parse::<SocketAddr>() {
        Ok(address) => vec![address],
        // Asking for a name blocks.
        Err(_) => unblock(move || address.to_socket_addrs().map(Vec::from_iter)).await?,
    };
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    for address in addresses {
        match Stream::connect(address).await {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}
