//! One `thalwegd` process of a test's own. It speaks over the network only, as any other broker would.

use std::fs::File;
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::{BENCH, program};

const READY_WITHIN: Duration = Duration::from_secs(60);
/// Below the range from which Linux takes ports for clients, and away from those of other packages' tests.
const PORTS: std::ops::Range<u16> = 20_000..23_300;

static NEXT: AtomicU16 = AtomicU16::new(0);

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
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    fn launch(&mut self) {
        let log = File::options().create(true).append(true).open(self.dir.path().join("log")).unwrap();
        let overrides = [
            format!("listeners=PLAINTEXT://{}", self.listener),
            format!("advertised.listeners=PLAINTEXT://{}", self.advertised),
            format!("log.dirs={}", self.dir.path().join("data").display()),
            format!("thalweg.admin.listener={}", self.admin),
            "thalweg.cores=2".to_owned(),
            // Small files, so that a short run goes through rolling, checkpoints and recycling.
            "log.segment.bytes=1048576".to_owned(),
            "thalweg.wal.file.bytes=4194304".to_owned(),
            "thalweg.wal.files.max=3".to_owned(),
            "thalweg.wal.block.bytes=65536".to_owned(),
        ];
        let child = Command::new(program::thalwegd(BENCH))
            .args(overrides.iter().flat_map(|property| ["--override", property]))
            .current_dir(self.dir.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        self.child = Some(child);
        let deadline = Instant::now() + READY_WITHIN;
        while !program::is_ready(&self.admin) {
            let ended = self.child.as_mut().and_then(|child| child.try_wait().unwrap());
            assert!(ended.is_none() && Instant::now() < deadline, "thalwegd is not ready ({ended:?}):\n{}", self.log());
            thread::sleep(Duration::from_millis(10));
        }
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.kill();
        if thread::panicking() {
            eprintln!("thalwegd's log:\n{}", self.log());
        }
    }
}

/// Ports of 127.0.0.1 that nothing listens on now.
pub(crate) fn free_ports<const N: usize>() -> [u16; N] {
    let count = PORTS.end - PORTS.start;
    let first = (std::process::id() * 17 % u32::from(count)) as u16;
    [(); N].map(|()| {
        (0..count)
            .map(|_| PORTS.start + (first + NEXT.fetch_add(1, Ordering::Relaxed) % count) % count)
            .find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
            .unwrap()
    })
}
