//! One `thalwegd` process of a test's own. It speaks over the network only, as any other broker would.

use std::process::Child;
use std::thread;
use std::time::Duration;

use crate::BENCH;
use crate::program::{self, thalwegd};

const READY_WITHIN: Duration = Duration::from_secs(60);
/// Below the range from which Linux takes ports for clients, and away from those of other packages' tests.
const PORTS: std::ops::Range<u16> = 20_000..23_300;

pub(crate) struct Broker {
    child: Option<Child>,
    dir: tempfile::TempDir,
    listener: String,
    /// What clients are told to connect to.
    advertised: String,
    admin: String,
}

impl Broker {
    pub(crate) fn start() -> Self {
        Self::start_behind(None)
    }

    /// A broker that sends clients to another address: that of a proxy.
    pub(crate) fn start_behind(advertised: Option<&str>) -> Self {
        let [port, admin] = free_ports();
        let listener = format!("127.0.0.1:{port}");
        let advertised = advertised.unwrap_or(&listener).to_owned();
        // On the target directory's file system, because the system's temporary directory may know no direct I/O.
        let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let mut broker = Self { child: None, dir, listener, advertised, admin: format!("127.0.0.1:{admin}") };
        broker.launch();
        broker
    }

    /// `host:port` of the broker itself; stays the same over restarts.
    pub(crate) fn address(&self) -> &str {
        &self.listener
    }

    /// SIGKILL, and a new process on the same data.
    pub(crate) fn kill_and_restart(&mut self) {
        self.kill();
        self.launch();
    }

    /// SIGKILL.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            program::end(&mut child);
        }
    }

    fn launch(&mut self) {
        let settings = [
            format!("listeners=PLAINTEXT://{}", self.listener),
            format!("advertised.listeners=PLAINTEXT://{}", self.advertised),
            format!("log.dirs={}", self.dir.path().join("data").display()),
            "thalweg.cores=2".to_owned(),
            // Small files, so that a short run goes through rolling, checkpoints and recycling.
            "log.segment.bytes=1048576".to_owned(),
            "thalweg.wal.file.bytes=4194304".to_owned(),
            "thalweg.wal.files.max=3".to_owned(),
            "thalweg.wal.block.bytes=65536".to_owned(),
        ];
        let child = program::launch(thalwegd(BENCH), self.dir.path(), &self.admin, &settings, READY_WITHIN);
        self.child = Some(child);
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.kill();
        if thread::panicking() {
            eprintln!("thalwegd's log:\n{}", program::log_in(self.dir.path()));
        }
    }
}

/// Ports of 127.0.0.1 that nothing listens on now.
pub(crate) fn free_ports<const N: usize>() -> [u16; N] {
    program::free_ports(PORTS)
}
