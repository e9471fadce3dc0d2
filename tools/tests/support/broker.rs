//! One `thalwegd` for all tests that run at the same time; the last of them stops it.
//!
//! `THALWEG_TEST_BOOTSTRAP=HOST:PORT` has the tests talk to a broker that runs already, Apache Kafka for example.

use std::fs::File;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant};

use super::program;

const READY_WITHIN: Duration = Duration::from_secs(30);
/// Below the range from which Linux takes ports for clients, and away from that of the broker's own tests.
const PORTS: std::ops::Range<u16> = 31_400..32_700;

static SHARED: Mutex<Weak<Broker>> = Mutex::new(Weak::new());
static NAMES: AtomicU32 = AtomicU32::new(0);

pub(crate) struct Broker {
    pub(crate) bootstrap: String,
    /// `None` for one that was running already.
    process: Option<Process>,
}

struct Process {
    child: Child,
    dir: tempfile::TempDir,
}

/// A name that no other test uses, also on a broker that outlives this run.
pub(crate) fn unique(name: &str) -> String {
    format!("{name}-{}-{}", std::process::id(), NAMES.fetch_add(1, Ordering::Relaxed))
}

pub(crate) fn broker() -> Arc<Broker> {
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    shared.upgrade().unwrap_or_else(|| {
        let broker = Arc::new(Broker::start());
        *shared = Arc::downgrade(&broker);
        broker
    })
}

impl Broker {
    fn start() -> Self {
        if let Ok(bootstrap) = std::env::var("THALWEG_TEST_BOOTSTRAP") {
            return Self { bootstrap, process: None };
        }
        let binary = program::thalwegd(env!("CARGO_BIN_EXE_thalweg"));
        let [port, admin] = free_ports();
        let bootstrap = format!("127.0.0.1:{port}");
        // On the target directory's file system, because the system's temporary directory may know no direct I/O.
        let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let log = File::create(dir.path().join("thalwegd.log")).unwrap();
        let overrides = [
            format!("listeners=PLAINTEXT://{bootstrap}"),
            format!("log.dirs={}", dir.path().join("data").display()),
            format!("thalweg.admin.listener=127.0.0.1:{admin}"),
            "thalweg.cores=2".to_owned(),
        ];
        let child = Command::new(binary)
            .args(overrides.iter().flat_map(|property| ["--override", property]))
            .current_dir(dir.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut process = Process { child, dir };
        process.wait_ready(admin);
        Self { bootstrap, process: Some(process) }
    }

    /// Where the broker that the test started keeps its data.
    pub(crate) fn data_dir(&self) -> Option<PathBuf> {
        self.process.as_ref().map(|process| process.dir.path().join("data"))
    }
}

impl Process {
    fn wait_ready(&mut self, admin: u16) {
        let deadline = Instant::now() + READY_WITHIN;
        while !program::is_ready(&format!("127.0.0.1:{admin}")) {
            let ended = self.child.try_wait().unwrap();
            assert!(ended.is_none() && Instant::now() < deadline, "thalwegd is not ready ({ended:?}):\n{}", self.log());
            thread::sleep(Duration::from_millis(10));
        }
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("thalwegd.log")).unwrap_or_default()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            eprintln!("thalwegd's log:\n{}", self.log());
        }
    }
}

fn free_ports() -> [u16; 2] {
    let count = PORTS.end - PORTS.start;
    let first = (std::process::id() * 17 % u32::from(count)) as u16;
    let mut free = (0..count)
        .map(|step| PORTS.start + (first + step) % count)
        .filter(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok());
    [free.next().unwrap(), free.next().unwrap()]
}
