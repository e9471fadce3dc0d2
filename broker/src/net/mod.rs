//! Sockets: who is connected to this core, and how frames come in and answers go out.

mod connection;
mod listener;
mod placement;

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use futures::future::AbortHandle;

use self::placement::Placement;
use crate::reactor::CoreId;

pub use connection::{Arrival, serve};
pub use listener::{bind, run_accept};

/// The connections of one core.
#[derive(Default)]
pub struct Connections {
    open: RefCell<HashMap<u64, Rc<Peer>>>,
    next_id: Cell<u64>,
}

/// One client, as handlers and housekeeping see it.
pub struct Peer {
    pub id: u64,
    pub address: SocketAddr,
    /// Name of the listener it came in by: Metadata answers with that listener's advertised address.
    pub listener: usize,
    /// When the last whole request came in or the last answer went out.
    active: Cell<Instant>,
    /// What the client says it is.
    software: RefCell<Software>,
    /// When the frame that is being received began.
    frame_began: Cell<Option<Instant>>,
    requests_in_flight: Cell<usize>,
    placement: Placement,
    abort: AbortHandle,
}

/// A client library and its version (KIP-511).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Software {
    pub name: String,
    pub version: String,
}

impl Default for Software {
    /// In Kafka's words.
    fn default() -> Self {
        Self { name: "unknown".to_owned(), version: "unknown".to_owned() }
    }
}

impl Connections {
    fn open(&self, address: SocketAddr, listener: usize, placement: Placement, abort: AbortHandle) -> Rc<Peer> {
        let id = self.next_id.get();
        self.next_id.set(id + 1);
        let peer = Rc::new(Peer {
            id,
            address,
            listener,
            active: Cell::new(Instant::now()),
            software: RefCell::default(),
            frame_began: Cell::new(None),
            requests_in_flight: Cell::new(0),
            placement,
            abort,
        });
        self.open.borrow_mut().insert(id, Rc::clone(&peer));
        peer
    }

    fn close(&self, id: u64) {
        self.open.borrow_mut().remove(&id);
    }

    pub fn count(&self) -> usize {
        self.open.borrow().len()
    }

    /// Requests that were read and are not answered yet.
    pub fn requests_in_flight(&self) -> usize {
        self.open.borrow().values().map(|peer| peer.requests_in_flight.get()).sum()
    }

    /// Closes connections that said nothing for `idle_max`, and those that began a frame and never finished it.
    pub fn reap(&self, now: Instant, idle_max: Duration, frame_max: Duration) {
        for peer in self.open.borrow().values() {
            let idle = peer.requests_in_flight.get() == 0 && now.duration_since(peer.active.get()) > idle_max;
            let stuck = peer.frame_began.get().is_some_and(|began| now.duration_since(began) > frame_max);
            if stuck {
                tracing::warn!(client = %peer.address, "closing a connection whose request did not arrive whole within {frame_max:?}");
            }
            if idle || stuck {
                peer.abort.abort();
            }
        }
    }

    /// Closes every connection.
    pub fn close_all(&self) {
        for peer in self.open.borrow().values() {
            peer.abort.abort();
        }
    }
}

impl Peer {
    /// A request of this client, one of many like it, concerns these cores.
    pub fn asks(&self, owners: impl Iterator<Item = CoreId>) {
        self.placement.note(owners);
    }

    /// A fetch that begins a session concerns these cores. True if the connection moves before the next request: a
    /// session that began here would be lost.
    pub fn moves_to_fetch_from(&self, owners: impl Iterator<Item = CoreId>) -> bool {
        self.placement.settle(owners)
    }

    /// The client says what it is.
    pub fn introduce(&self, software: Software) {
        self.software.replace(software);
    }

    pub fn software(&self) -> Software {
        self.software.borrow().clone()
    }

    fn touch(&self) {
        self.active.set(Instant::now());
    }
}
