//! Nodes in one process, over real sockets: each is a whole broker on a directory of its own.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod garbage;
mod nodes;
mod replication;

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::Path;
use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use futures::channel::mpsc as futures_mpsc;
use futures::future::LocalBoxFuture;
use thalweg_protocol::NodeId;

use crate::config::Config;
use crate::preflight::{self, Identity};
use crate::reactor::{Core, CoreId, Doors, Node, Shared, start_with};

/// How long a test waits for what should come at once.
const PATIENCE: Duration = Duration::from_secs(60);

type Job = Box<dyn FnOnce(Rc<Core>) -> LocalBoxFuture<'static, ()> + Send>;

/// A node that runs, on a directory that outlives it.
struct TestNode {
    id: NodeId,
    dir: Arc<tempfile::TempDir>,
    shared: Arc<Shared>,
    jobs: futures_mpsc::UnboundedSender<Job>,
    node: Option<Node>,
    _identity: Identity,
}

/// Directories must be on a real file system: `/tmp` may be one without direct I/O.
fn directory() -> Arc<tempfile::TempDir> {
    let parent = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/tmp");
    std::fs::create_dir_all(&parent).unwrap();
    Arc::new(tempfile::Builder::new().prefix("peer-").tempdir_in(parent).unwrap())
}

/// A new directory of a node that belongs to this cluster.
fn prepared(node: i32, cluster: &str) -> Arc<tempfile::TempDir> {
    let dir = directory();
    let directory = thalweg_protocol::uuid_text(uuid::Uuid::new_v4().as_bytes());
    let meta = format!(
        "version=1\nthalweg.format.version=1\ncluster.id={cluster}\nnode.id={node}\ndirectory.id={directory}\n"
    );
    std::fs::write(dir.path().join("meta.properties"), meta).unwrap();
    dir
}

impl TestNode {
    fn start(node: i32, cluster: &str, cores: usize) -> Self {
        Self::start_in(prepared(node, cluster), node, cores, 0)
    }

    /// On a directory that may have been used before; port 0 is any that is free.
    fn start_in(dir: Arc<tempfile::TempDir>, node: i32, cores: usize, port: u16) -> Self {
        let overrides = [
            format!("log.dirs={}", dir.path().display()),
            format!("node.id={node}"),
            format!("thalweg.cores={cores}"),
            format!("thalweg.rpc.listener=127.0.0.1:{port}"),
            "thalweg.admin.listener=".to_owned(),
            "thalweg.wal.file.bytes=4194304".to_owned(),
        ];
        let mut config = Config::load(None, &overrides).unwrap().config;
        let listener = bind(port);
        config.rpc_listener.as_mut().unwrap().port = listener.local_addr().unwrap().port();
        let identity = preflight::claim_directories(&config).unwrap();
        let shared = Arc::new(Shared::new(config, &identity));
        let (jobs, mut taken) = futures_mpsc::unbounded::<Job>();
        let guest = move |core: Rc<Core>| -> LocalBoxFuture<'static, ()> {
            Box::pin(async move {
                while let Some(job) = taken.next().await {
                    job(Rc::clone(&core)).await;
                }
            })
        };
        let doors = Doors { clients: Vec::new(), nodes: Some(listener) };
        let started = start_with(&shared, doors, Box::new(guest)).unwrap();
        Self { id: NodeId(node), dir, shared, jobs, node: Some(started), _identity: identity }
    }

    fn address(&self) -> String {
        self.shared.config.rpc_address().unwrap()
    }

    fn port(&self) -> u16 {
        self.shared.config.rpc_listener.as_ref().unwrap().port
    }

    /// Runs something on one of its cores and waits for what it gives.
    fn on<R, F, Fut>(&self, core: usize, act: F) -> R
    where
        R: Send + 'static,
        F: FnOnce(Rc<Core>) -> Fut + Send + 'static,
        Fut: Future<Output = R> + 'static,
    {
        let (sender, receiver) = mpsc::channel();
        let job: Job = Box::new(move |first| {
            Box::pin(async move {
                let answer = first.on(CoreId(core), act).await.unwrap();
                let _ = sender.send(answer);
            })
        });
        self.jobs.unbounded_send(job).unwrap();
        receiver.recv_timeout(PATIENCE).expect("an answer of the core")
    }

    fn sees_up(&self, other: NodeId) -> bool {
        (0..self.shared.cores).all(|core| self.on(core, move |core| async move { core.peers.is_up(other) }))
    }

    fn stop(mut self) -> Arc<tempfile::TempDir> {
        self.end();
        Arc::clone(&self.dir)
    }

    fn end(&mut self) {
        self.shared.stopping.store(true, Ordering::Release);
        if let Some(node) = self.node.take() {
            node.join().unwrap();
        }
    }
}

impl Drop for TestNode {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.end();
        }
    }
}

/// The port of a node that has just stopped is free a moment later.
fn bind(port: u16) -> TcpListener {
    let address = format!("127.0.0.1:{port}");
    let mut bound = TcpListener::bind(&address);
    let deadline = Instant::now() + PATIENCE;
    while bound.is_err() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(10));
        bound = TcpListener::bind(&address);
    }
    bound.unwrap()
}

/// Tells all of them where all of them listen.
fn introduce(nodes: &[TestNode]) {
    // What a node finds at its start replaces what it is told.
    nodes.iter().for_each(|node| node.on(0, |core| async move { core.settle(1).await.unwrap() }));
    let addresses: BTreeMap<NodeId, String> = nodes.iter().map(|node| (node.id, node.address())).collect();
    nodes.iter().for_each(|node| node.shared.directory.set(addresses.clone()));
}

#[track_caller]
fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "{what}: not within {PATIENCE:?}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// All of them see all others up.
fn await_all_up(nodes: &[TestNode]) {
    for (one, other) in nodes.iter().flat_map(|one| nodes.iter().map(move |other| (one, other))) {
        eventually(&format!("node {} sees node {} up", one.id, other.id), || one.sees_up(other.id));
    }
}
