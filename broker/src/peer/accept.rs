//! The door: taking calls on `thalweg.rpc.listener`, hearing who it is, and giving the connection to the core it is for.
//!
//! Anybody can call. Until it is clear that it is a node of this cluster, a caller gets little time and little memory; when
//! too many are at that point the one that came first goes, so that a flood of strangers keeps no node out for long.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::rc::Rc;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use futures::future::{AbortHandle, abortable};
use thalweg_reactor::{Listener, Stream, sleep, spawn, within};

use super::Life;
use super::handshake::{Answer, Call, Purpose, Refusal, check};
use super::serve::{Arrival, serve};
use super::wire::{Ended, Progress, Wire};
use crate::limits::{PEER_HANDSHAKE_TIME_MAX, PEER_HANDSHAKES_MAX};
use crate::reactor::{Core, CoreId};

/// After a failed accept: out of descriptors, most likely.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Introductions under way, in the order in which they began.
#[derive(Default)]
pub(super) struct Greetings {
    under_way: RefCell<VecDeque<(u64, AbortHandle)>>,
    next: Cell<u64>,
}

impl Greetings {
    /// One more begins; says whether another had to go for it.
    fn begin(&self, abort: AbortHandle) -> (u64, bool) {
        let mut under_way = self.under_way.borrow_mut();
        let oldest = if under_way.len() >= PEER_HANDSHAKES_MAX { under_way.pop_front() } else { None };
        let id = self.next.get();
        self.next.set(id + 1);
        under_way.push_back((id, abort));
        (id, oldest.inspect(|(_, abort)| abort.abort()).is_some())
    }

    fn end(&self, id: u64) {
        self.under_way.borrow_mut().retain(|(other, _)| *other != id);
    }
}

/// Takes calls for as long as the core runs.
pub(crate) async fn run_accept(core: Rc<Core>, listener: TcpListener) {
    let listener = match Listener::new(listener) {
        Ok(listener) => listener,
        Err(error) => crate::reactor::fatal(&format!("the listener for other nodes cannot be used: {error}")),
    };
    loop {
        match listener.accept().await {
            Ok(accepted) => {
                // One that went away already has no address.
                if let Ok(address) = accepted.peer_addr() {
                    begin(&core, accepted, address);
                }
            }
            Err(error) => {
                tracing::warn!(%error, "accepting a connection of another node failed");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

fn begin(core: &Rc<Core>, accepted: TcpStream, address: SocketAddr) {
    let this = Rc::clone(core);
    let greeting = within(PEER_HANDSHAKE_TIME_MAX, async move { greet(&this, accepted, address).await });
    let (greeting, abort) = abortable(greeting);
    let (id, another_went) = core.peers.inner.greetings.begin(abort);
    if another_went {
        core.shared.metrics.peer_refused.add(1);
    }
    let core = Rc::clone(core);
    spawn(async move {
        let greeted = greeting.await;
        core.peers.inner.greetings.end(id);
        match greeted {
            Ok(Some(Ok(Some((arrival, to))))) => core.tell(to, move |core| spawn(serve(core, arrival)).detach()),
            Ok(Some(Ok(None))) => core.shared.metrics.peer_refused.add(1),
            Ok(Some(Err(Ended::Closed))) => {}
            Ok(Some(Err(error))) => core.turned_away(address, &error.to_string()),
            Ok(None) => core.turned_away(address, "it did not introduce itself in time"),
            // Another came; it is counted already.
            Err(_) => {}
        }
    })
    .detach();
}

/// Hears who calls, and answers. `None` if the caller was refused.
async fn greet(core: &Rc<Core>, stream: TcpStream, address: SocketAddr) -> Result<Option<(Arrival, CoreId)>, Ended> {
    stream.set_nodelay(true)?;
    let mut wire = Wire::new(Stream::new(stream), BytesMut::new());
    let call: Call = wire.introduction(&Progress::default()).await?;
    let me = core.shared.facts();
    if let Err(refusal) = check(&me, &call, core.live_twin(&call)) {
        wire.introduce(&core.refuse(address, refusal)).await?;
        return Ok(None);
    }
    wire.introduce(&Answer::Welcome(me.clone())).await?;
    let Call { facts, purpose, from_core, to_core } = call;
    let lane = (purpose == Purpose::Lane).then_some((from_core, to_core));
    let is_kin = me.is_kin(&facts);
    if lane.is_some() {
        core.met(&facts);
    }
    let Wire { stream, buffer } = wire;
    let arrival = Arrival { stream: stream.into_inner()?, address, received: buffer, facts, lane, is_kin };
    Ok(Some((arrival, CoreId(to_core % core.shared.cores))))
}

impl Core {
    /// The process that has the caller's node id and is another, if that one is alive: it was heard of lately, and is
    /// connected still.
    fn live_twin(&self, call: &Call) -> Option<Life> {
        let (node, peers) = (call.facts.id(), &self.peers.inner);
        let life = peers.liveness.borrow().life(node)?;
        let is_connected = peers.callers.has(node, life.incarnation);
        (life.incarnation != call.facts.incarnation && is_connected).then_some(life)
    }

    fn refuse(&self, address: SocketAddr, refusal: Refusal) -> Answer {
        match refusal {
            Refusal::Wrong(why) => {
                if self.peers.inner.said.is_news(&why, Instant::now()) {
                    tracing::error!(from = %address.ip(), "refusing a node: {why}");
                }
                Answer::Refused(why)
            }
            Refusal::Later(why) => {
                tracing::debug!(from = %address.ip(), "refusing a node for now: {why}");
                Answer::Later(why)
            }
        }
    }

    fn turned_away(&self, address: SocketAddr, why: &str) {
        self.shared.metrics.peer_refused.add(1);
        let line = format!("closing a connection of {} to thalweg.rpc.listener: {why}", address.ip());
        if self.peers.inner.said.is_news(&line, Instant::now()) {
            tracing::warn!("{line}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_introduction_makes_room() {
        let greetings = Greetings::default();
        let handles: Vec<AbortHandle> = (0..=PEER_HANDSHAKES_MAX).map(|_| AbortHandle::new_pair().0).collect();
        let begun: Vec<(u64, bool)> = handles.iter().map(|handle| greetings.begin(handle.clone())).collect();
        assert!(begun.iter().take(PEER_HANDSHAKES_MAX).all(|(_, another_went)| !another_went));
        assert_eq!(begun.last(), Some(&(PEER_HANDSHAKES_MAX as u64, true)));
        let aborted: Vec<bool> = handles.iter().map(AbortHandle::is_aborted).collect();
        assert_eq!(aborted.iter().filter(|aborted| **aborted).count(), 1);
        assert_eq!(aborted.first(), Some(&true));
        greetings.end(5);
        assert!(!greetings.begin(AbortHandle::new_pair().0).1, "there is room");
    }
}
