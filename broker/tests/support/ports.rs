//! Free ports for brokers.

use std::net::TcpListener;
use std::sync::atomic::{AtomicU16, Ordering};

/// Below Linux's ephemeral range (32768 and up): a port from that range could become some client's own port while a
/// broker is down between `kill9` and `restart`, and the broker could not come back on it.
const PORT_MIN: u16 = 23_400;
const PORT_COUNT: u16 = 8_000;

static NEXT: AtomicU16 = AtomicU16::new(0);

/// `N` ports of 127.0.0.1 that nothing listens on now. Where the search starts depends on the process, so that test
/// programs that run side by side seldom look at the same port.
pub fn free_ports<const N: usize>() -> [u16; N] {
    let start = (std::process::id().wrapping_mul(37) % u32::from(PORT_COUNT)) as u16;
    let mut found = [0; N];
    for slot in &mut found {
        *slot = (0..PORT_COUNT)
            .map(|_| PORT_MIN + (start + NEXT.fetch_add(1, Ordering::Relaxed) % PORT_COUNT) % PORT_COUNT)
            .find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
            .expect("a free port between 23400 and 31399");
    }
    found
}
