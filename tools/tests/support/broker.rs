//! One `thalwegd` for all tests that run at the same time; the last of them stops it.
//!
//! `THALWEG_TEST_BOOTSTRAP=HOST:PORT` has the tests talk to a broker that runs already, Apache Kafka for example.

use std::path::PathBuf;
use std::process::Child;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread;
use std::time::Duration;

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
        let program = program::thalwegd(env!("CARGO_BIN_EXE_thalweg"));
        let [port, admin] = program::free_ports(PORTS);
        let bootstrap = format!("127.0.0.1:{port}");
        // On the target directory's file system, because the system's temporary directory may know no direct I/O.
        let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let settings = [
            format!("listeners=PLAINTEXT://{bootstrap}"),
            format!("log.dirs={}", dir.path().join("data").display()),
            "thalweg.cores=2".to_owned(),
        ];
        let child = program::launch(program, dir.path(), &format!("127.0.0.1:{admin}"), &settings, READY_WITHIN);
        Self { bootstrap, process: Some(Process { child, dir }) }
    }

    /// Where the broker that the test started keeps its data.
    pub(crate) fn data_dir(&self) -> Option<PathBuf> {
        self.process.as_ref().map(|process| process.dir.path().join("data"))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        program::end(&mut self.child);
        if thread::panicking() {
            eprintln!("thalwegd's log:\n{}", program::log_in(self.dir.path()));
        }
    }
}
