//! Accepting: one core listens and hands each connection to the core with the fewest.

use std::net::{TcpListener, TcpStream};
use std::rc::Rc;
use std::time::{Duration, Instant};

use thalweg_reactor::{Listener, sleep, spawn};

use super::connection::{Arrival, serve};
use crate::reactor::{Core, CoreId};

/// How long a port may still be taken at start: after `kill -9` the kernel closes a ring's sockets a moment later than it
/// reports the process gone.
const BIND_PATIENCE: Duration = Duration::from_millis(1500);

/// Binds a listener before any core starts, or says in one line why not and what to do.
pub fn bind(address: &str, key: &str) -> Result<TcpListener, String> {
    let deadline = Instant::now() + BIND_PATIENCE;
    loop {
        match TcpListener::bind(address) {
            Ok(listener) => return Ok(listener),
            Err(error) if error.kind() == std::io::ErrorKind::AddrInUse && Instant::now() < deadline => {
                std::thread::sleep(Duration::from_millis(10));
            }
            Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {
                return Err(format!(
                    "cannot listen on {address}: address already in use; stop what uses it, or set `{key}` to another"
                ));
            }
            Err(error) => return Err(format!("cannot listen on {address}: {error}; check `{key}`")),
        }
    }
}

/// Accepts until the process stops.
pub async fn run_accept(core: Rc<Core>, listener: TcpListener, index: usize) {
    let listener = match Listener::new(listener) {
        Ok(listener) => listener,
        Err(error) => crate::reactor::fatal(&format!("a listener cannot be used: {error}")),
    };
    loop {
        match listener.accept().await {
            Ok(_) if core.shared.is_stopping() => return,
            Ok(accepted) => place(&core, accepted, index),
            Err(error) => {
                tracing::warn!(%error, "accepting a connection failed");
                // Out of descriptors, most likely: trying again at once would only spin.
                sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

/// Hands a connection to the least loaded core, or closes it where a limit says so.
fn place(core: &Rc<Core>, accepted: TcpStream, listener: usize) {
    let Ok(address) = accepted.peer_addr() else {
        return; // the client went away already
    };
    let config = &core.shared.config;
    match core.shared.admission.admit(address.ip(), config.max_connections, config.max_connections_from(address.ip())) {
        Err(refusal) => {
            drop(accepted);
            core.shared.metrics.connections_refused.add(1);
            tracing::warn!(client = %address, "connection refused: {refusal}");
        }
        Ok(target) => {
            let arrival = Arrival::new(accepted, address, listener);
            core.tell(CoreId(target), move |core| spawn(serve(core, arrival)).detach());
        }
    }
}
