//! Accepting: one core listens and hands each connection to the core with the fewest.

use std::net::TcpListener as StdListener;
use std::os::fd::{FromRawFd as _, IntoRawFd as _};
use std::rc::Rc;
use std::time::{Duration, Instant};

use glommio::net::{AcceptedTcpStream, TcpListener};

use super::connection::serve;
use crate::reactor::{Core, CoreId};

/// How long a port may still be taken at start: after `kill -9` the kernel closes a ring's sockets a moment later than it
/// reports the process gone.
const BIND_PATIENCE: Duration = Duration::from_millis(1500);

/// Binds a listener before any core starts, or says in one line why not and what to do.
///
/// The standard library's listener rather than glommio's, which sets SO_REUSEPORT: a second broker on the same port
/// would then steal half of the connections instead of being told that the port is in use.
pub fn bind(address: &str, key: &str) -> Result<StdListener, String> {
    let deadline = Instant::now() + BIND_PATIENCE;
    loop {
        match StdListener::bind(address) {
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

#[expect(unsafe_code, reason = "glommio takes a bound socket only as a raw descriptor")]
fn adopt(listener: StdListener) -> TcpListener {
    // SAFETY: the descriptor is a listening socket that nothing else owns any more.
    unsafe { TcpListener::from_raw_fd(listener.into_raw_fd()) }
}

/// Accepts until the process stops.
pub async fn run_accept(core: Rc<Core>, listener: StdListener, index: usize) {
    let listener = adopt(listener);
    loop {
        match listener.shared_accept().await {
            Ok(accepted) if core.shared.is_stopping() => {
                drop(accepted.bind_to_executor());
                return;
            }
            Ok(accepted) => place(&core, accepted, index),
            Err(error) => {
                tracing::warn!(%error, "accepting a connection failed");
                // Out of descriptors, most likely: trying again at once would only spin.
                glommio::timer::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

/// Hands a connection to the least loaded core, or closes it where a limit says so.
fn place(core: &Rc<Core>, accepted: AcceptedTcpStream, listener: usize) {
    let Ok(address) = accepted.peer_addr() else {
        // The client went away already. Only a bound stream closes its descriptor.
        drop(accepted.bind_to_executor());
        return;
    };
    let config = &core.shared.config;
    match core.shared.admission.admit(address.ip(), config.max_connections, config.max_connections_from(address.ip())) {
        Err(refusal) => {
            drop(accepted.bind_to_executor());
            core.shared.metrics.connections_refused.add(1);
            tracing::warn!(client = %address, "connection refused: {refusal}");
        }
        Ok(target) => {
            let handed = core.on(CoreId(target), move |core| {
                glommio::spawn_local(serve(core, accepted, address, listener)).detach();
                async {}
            });
            glommio::spawn_local(async move {
                // A core that is stopping drops the connection.
                let _ = handed.await;
            })
            .detach();
        }
    }
}
