//! From nothing to serving: opening each core's storage, electing, reading the controller's log, registering the node.

use std::cell::{Cell, RefCell};
use std::net::TcpListener;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use futures::future::LocalBoxFuture;
use thalweg_protocol::PartitionIndex;
use thalweg_raft::MultiRaft;
use thalweg_reactor::{Thread, sleep, spawn, spawn_thread};
use thalweg_storage::log::{LogDescriptor, LogPoint};
use thalweg_storage::store::{RecoveredGroup, Store};

use super::budget::Budget;
use super::core::{Core, CoreId};
use super::mesh::{Ends, Mesh, connect};
use super::shared::Shared;
use super::signal::Signal;
use super::{fatal, stop};
use crate::controller::{Command, Controller, ControllerError, GROUP, LOG_TOPIC};
use crate::metadata::ClusterImage;
use crate::{net, peer};

/// The running reactors.
pub struct Node {
    threads: Vec<Thread<()>>,
}

impl Node {
    /// Waits until every core has stopped.
    pub fn join(self) -> Result<(), String> {
        for thread in self.threads {
            thread.join().map_err(|_| "a reactor panicked".to_owned())?;
        }
        Ok(())
    }
}

/// What runs on the first core from when the node serves until it stops.
type Guest = Box<dyn FnOnce(Rc<Core>) -> LocalBoxFuture<'static, ()> + Send>;

/// What the first core listens on; bound already.
#[derive(Default)]
pub struct Doors {
    /// In the order of `listeners`.
    pub clients: Vec<TcpListener>,
    /// `thalweg.rpc.listener`
    pub nodes: Option<TcpListener>,
}

/// Starts a reactor per core.
pub fn start(shared: &Arc<Shared>, doors: Doors) -> Result<Node, String> {
    start_with(shared, doors, Box::new(|_| Box::pin(std::future::ready(()))))
}

/// As [`start`], and lets a guest onto the first core: the microbenchmark of the mesh, which can only be measured from
/// within a core.
#[doc(hidden)]
pub fn start_with(shared: &Arc<Shared>, doors: Doors, guest: Guest) -> Result<Node, String> {
    let mut first = Some((doors, guest));
    let mut threads = Vec::with_capacity(shared.cores);
    for (core, ends) in connect(shared.cores).into_iter().enumerate() {
        let cpu = shared.config.cpu_pin.then_some(core);
        let shared = Arc::clone(shared);
        let first = first.take();
        let thread = spawn_thread(&format!("core-{core}"), cpu, move || run(shared, CoreId(core), ends, first))
            .map_err(|error| format!("cannot start the reactor of core {core}: {error}; {}", crate::preflight::HINT))?;
        threads.push(thread);
    }
    Ok(Node { threads })
}

/// Where an earlier run had another number of cores, gives every replica to the core that has it now.
pub fn rehome(shared: &Shared) -> Result<(), String> {
    let config = &shared.config;
    if !config.log_dirs.iter().any(|dir| dir.join("thalweg").exists()) {
        return Ok(());
    }
    let (dirs, cores) = (config.log_dirs.clone(), shared.cores);
    let moved = thalweg_reactor::run(async move {
        thalweg_storage::store::rehome(thalweg_storage::io::direct_disk(), &dirs, cores).await
    });
    moved
        .map_err(|error| format!("cannot start a reactor: {error}; {}", crate::preflight::HINT))?
        .map_err(|error| format!("the data of an earlier run with another thalweg.cores cannot be taken over: {error}"))
}

/// A core's whole life. `first` is what only the first core is given.
async fn run(shared: Arc<Shared>, id: CoreId, ends: Ends, first: Option<(Doors, Guest)>) {
    let (store, recovered) = open_store(&shared, id).await;
    let (mesh, receivers) = Mesh::new(id, ends);
    let core = Rc::new(make_core(id, Arc::clone(&shared), store, mesh));
    // Before anything else runs: an image that came first would find no replicas and make them anew. A task that is
    // spawned here runs at once, not at the next await.
    core.open_groups(recovered);
    core.run_mesh(receivers);
    core.run_background();
    if let Some((doors, guest)) = first {
        core.lead_the_way(doors).await;
        core.in_background(guest(Rc::clone(&core)));
    }
    core.serve_until_stopped().await;
}

async fn open_store(shared: &Arc<Shared>, id: CoreId) -> (Store, Vec<RecoveredGroup>) {
    let disk = thalweg_storage::io::direct_disk();
    match Store::open(disk, shared.config.store_config(id.0, shared.cores)).await {
        Ok(opened) => opened,
        Err(error) => fatal(&format!("core {} cannot open its storage: {error}", id.0)),
    }
}

fn make_core(id: CoreId, shared: Arc<Shared>, store: Store, mesh: Mesh) -> Core {
    let config = &shared.config;
    let raft = MultiRaft::new(config.raft_config(id.0));
    Core {
        id,
        store,
        image: RefCell::new(Arc::new(ClusterImage::default())),
        live_config: RefCell::new(Arc::new(config.clone())),
        connections: net::Connections::default(),
        fetch_sessions: RefCell::new(crate::handlers::fetch_session::FetchSessions::new(
            id,
            shared.cores,
            config.fetch_session_slots / shared.cores,
        )),
        groups: crate::coordinator::Coordinators::default(),
        transactions: crate::coordinator::Coordinators::default(),
        share_states: crate::coordinator::Coordinators::default(),
        shares: crate::share::hosted::SharePartitions::default(),
        share_sessions: RefCell::new(crate::handlers::share_session::ShareSessions::new(
            config.share.max_share_sessions.div_ceil(shared.cores),
        )),
        peers: peer::Peers::new(id, Arc::clone(&shared)),
        early: RefCell::default(),
        leader_news: crate::cluster::LeaderNews::default(),
        controller: (id == CoreId::FIRST).then(Controller::default),
        request_memory: Budget::new(config.request_memory_bytes_per_core(shared.cores) / 2),
        fetch_memory: crate::handlers::fetch_memory::FetchMemory::new(config.fetch_memory_bytes_per_core(shared.cores)),
        large_request_memory: Budget::new(config.request_memory_bytes_per_core(shared.cores) / 2),
        mesh,
        background: RefCell::default(),
        log_io: Cell::default(),
        raft: RefCell::new(raft),
        partitions: RefCell::default(),
        turn: Signal::default(),
        unpersisted: RefCell::default(),
        room: Signal::default(),
        progress: Signal::default(),
        adopted: Signal::default(),
        settled_version: Cell::new(0),
        settled: Signal::default(),
        watches: RefCell::default(),
        next_watch: Cell::new(0),
        producer_ids: Cell::default(),
        shared,
    }
}

impl Core {
    /// Runs a future for the whole life of this core: until it stops and closes its log.
    pub(crate) fn in_background(&self, future: impl Future<Output = ()> + 'static) {
        let task = spawn(future);
        self.background.borrow_mut().push(task);
    }

    fn run_background(self: &Rc<Self>) {
        self.store.set_move_rate(self.config().move_bytes_per_second_max / self.shared.cores as f64);
        let store = self.store.clone();
        let wal = store.wal().clone();
        let this = Rc::clone(self);
        self.log_io.set(Some(spawn(async move {
            if let Err(error) = wal.run().await
                && !this.shared.is_stopping()
            {
                fatal(&format!("the write-ahead log of core {} failed: {error}", this.id.0));
            }
        })));
        let this = Rc::clone(self);
        // The store closes itself, and its loop ends with that.
        spawn(async move {
            if let Err(error) = store.run().await
                && !this.shared.is_stopping()
            {
                fatal(&format!("the storage of core {} failed: {error}", this.id.0));
            }
        })
        .detach();
        self.in_background(Rc::clone(self).run_turns());
        self.in_background(Rc::clone(self).run_persisted());
        self.in_background(Rc::clone(self).run_ticks());
        self.in_background(Rc::clone(self).run_reconcile());
        self.in_background(Rc::clone(self).run_leader_news());
        self.in_background(Rc::clone(self).run_peer_events());
        self.in_background(Rc::clone(self).run_housekeeping());
    }

    /// Opens what was found on disk.
    fn open_groups(&self, recovered: Vec<RecoveredGroup>) {
        for group in recovered {
            self.open_group(group);
        }
    }

    /// On the first core: makes the controller's group where the node has none yet.
    async fn open_controller(&self) {
        let Some(cluster) = self.shared.cluster.get() else { return };
        if self.partition(GROUP).is_none() {
            let index = PartitionIndex(0);
            let descriptor = LogDescriptor {
                topic_id: *uuid::Uuid::from_u128(1).as_bytes(),
                topic: LOG_TOPIC.to_owned(),
                partition: index,
                dir: self.shared.place(LOG_TOPIC, index),
                voters: cluster.first_members(self.shared.config.node_id).0,
                created: self.now(),
                start: LogPoint::default(),
            };
            self.create_group(GROUP, descriptor).await;
        }
    }

    /// The first core's part: the controller, this broker's registration, and the doors.
    async fn lead_the_way(self: &Rc<Self>, doors: Doors) {
        if let Some(listener) = doors.nodes {
            self.in_background(peer::run_accept(Rc::clone(self), listener));
        }
        self.begin_cluster().await;
        self.refresh_directory();
        self.in_background(Rc::clone(self).run_pulses());
        self.open_controller().await;
        if self.shared.is_stopping() {
            return;
        }
        self.load_controller().await;
        self.register().await;
        // Only now: an image of half the log would have the cores remove what the other half created.
        self.in_background(Rc::clone(self).run_publisher());
        if let Some(controller) = &self.controller {
            let version = controller.image().version;
            // Only a core that stops does not get there.
            let _ = self.settle(version).await;
        }
        // The first client to ask should not hear that nobody leads.
        self.await_known_leaders(|_| true).await;
        for (index, listener) in doors.clients.into_iter().enumerate() {
            self.in_background(net::run_accept(Rc::clone(self), listener, index));
        }
        self.shared.ready.store(true, Ordering::Release);
        tracing::info!(
            topics = self.image().topics.len(),
            partitions = self.image().partition_count(),
            "serving clients"
        );
    }

    /// Tells the controller that this broker is up, until it is heard, and waits until this node has read as much.
    async fn register(self: &Rc<Self>) {
        let config = &self.shared.config;
        let register = Command::RegisterBroker {
            node_id: config.node_id.0,
            endpoints: config.endpoints(),
            rack: config.broker_rack.clone(),
            rpc: config.rpc_address(),
            directory_id: self.shared.directory_id,
        };
        while !self.shared.is_stopping() {
            match self.command(vec![register.clone()]).await {
                Ok((_, version)) => {
                    if let Some(controller) = &self.controller {
                        controller.await_version(version).await;
                    }
                    return;
                }
                Err(ControllerError::NotController | ControllerError::Unheard | ControllerError::TimedOut(_)) => {
                    tracing::info!("waiting for a controller to register with");
                }
                Err(error) => fatal(&format!("this broker cannot register with the controller: {error}")),
            }
        }
    }

    async fn serve_until_stopped(self: &Rc<Self>) {
        while !self.shared.is_stopping() {
            sleep(stop::LOOK_INTERVAL).await;
        }
        self.stop().await;
    }
}
