//! What all cores may read: fixed at start, or counted with atomics. Nothing here is waited for.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock};

use uuid::Uuid;

use crate::cluster::ClusterIdentity;
use crate::config::Config;
use crate::metrics::Metrics;
use crate::peer::Directory;
use crate::preflight::Identity;
use crate::telemetry::Telemetry;

/// Shared by all cores and the admin thread.
pub struct Shared {
    pub config: Config,
    pub cores: usize,
    /// The cluster that this node belongs to; nothing while it is forming or joining one.
    pub cluster: OnceLock<ClusterIdentity>,
    /// Of the first data directory, where the controller's log is.
    pub directory_id: Uuid,
    /// Another at each start of the process.
    pub incarnation: u64,
    /// Where the nodes of the cluster listen for each other.
    pub directory: Directory,
    pub metrics: Metrics,
    /// What clients pushed (KIP-714).
    pub telemetry: Telemetry,
    /// Set once the node serves; `GET /ready` reads it.
    pub ready: AtomicBool,
    /// Set when the process is to stop.
    pub stopping: AtomicBool,
    /// Cores that have answered all they were asked, when the process is to stop.
    pub drained_cores: AtomicUsize,
    pub admission: Admission,
}

/// Counts connections: per core, so that a new one goes where there are fewest, and per address, for the limits.
pub struct Admission {
    per_core: Vec<AtomicUsize>,
    per_address: Mutex<HashMap<IpAddr, usize>>,
}

/// Why a connection is not taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Refusal {
    #[error("max.connections ({0}) is reached")]
    Total(usize),
    #[error("max.connections.per.ip ({0}) is reached for this address")]
    Address(usize),
}

impl Admission {
    pub fn new(cores: usize) -> Self {
        Self { per_core: (0..cores).map(|_| AtomicUsize::new(0)).collect(), per_address: Mutex::default() }
    }

    /// Takes a place for a connection from `address` and says which core should have it.
    pub fn admit(&self, address: IpAddr, total_max: usize, per_address_max: usize) -> Result<usize, Refusal> {
        let counts = self.per_core.iter().map(|count| count.load(Ordering::Relaxed));
        if counts.clone().sum::<usize>() >= total_max {
            return Err(Refusal::Total(total_max));
        }
        let mut addresses = self.lock();
        let here = addresses.entry(address).or_default();
        if *here >= per_address_max {
            return Err(Refusal::Address(per_address_max));
        }
        *here += 1;
        let core = counts.enumerate().min_by_key(|(_, count)| *count).map_or(0, |(core, _)| core);
        if let Some(count) = self.per_core.get(core) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        Ok(core)
    }

    /// A connection goes from one core to another.
    pub fn move_to(&self, from: usize, to: usize) {
        if let (Some(from), Some(to)) = (self.per_core.get(from), self.per_core.get(to)) {
            // First the new one, so that the sum is never too small for the limit.
            to.fetch_add(1, Ordering::Relaxed);
            from.fetch_sub(1, Ordering::Relaxed);
        }
    }

    pub fn release(&self, core: usize, address: IpAddr) {
        if let Some(count) = self.per_core.get(core) {
            count.fetch_sub(1, Ordering::Relaxed);
        }
        let mut addresses = self.lock();
        if let Some(here) = addresses.get_mut(&address) {
            *here -= 1;
            if *here == 0 {
                addresses.remove(&address);
            }
        }
    }

    pub fn connections(&self) -> usize {
        self.per_core.iter().map(|count| count.load(Ordering::Relaxed)).sum()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<IpAddr, usize>> {
        // A panic on another thread ends the process; counts are still whole.
        self.per_address.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Shared {
    /// As a node begins: nothing is served yet.
    pub fn new(config: Config, identity: &Identity) -> Self {
        Self {
            cores: config.cores,
            cluster: identity.cluster.clone().map_or_else(OnceLock::new, OnceLock::from),
            directory_id: identity.directory_id,
            incarnation: Uuid::new_v4().as_u64_pair().0,
            directory: Directory::default(),
            metrics: Metrics::new(config.cores),
            telemetry: Telemetry::default(),
            ready: AtomicBool::new(false),
            stopping: AtomicBool::new(false),
            drained_cores: AtomicUsize::new(0),
            admission: Admission::new(config.cores),
            config,
        }
    }

    /// The id of the cluster; empty while there is none.
    pub fn cluster_id(&self) -> &str {
        self.cluster.get().map_or("", |cluster| &cluster.id)
    }

    pub fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }
}
