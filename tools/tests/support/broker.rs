//! One `thalwegd` for all tests that run at the same time; the last of them stops it.
//!
//! `THALWEG_TEST_BOOTSTRAP=HOST:PORT` has the tests talk to a broker that runs already, Apache Kafka for example.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant};

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
        let binary = binary();
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
        while !is_ready(admin) {
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

fn is_ready(admin: u16) -> bool {
    let ask = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", admin))?;
        stream.set_read_timeout(Some(Duration::from_secs(1)))?;
        stream.write_all(b"GET /ready HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    };
    ask().is_ok_and(|answer| answer.starts_with("HTTP/1.1 200"))
}

/// `thalwegd` as its sources are now, from the folder that `thalweg` was built into: cargo gives a package's tests the
/// path of its own programs only, and does not build another's.
fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        let folder = Path::new(env!("CARGO_BIN_EXE_thalweg")).parent().unwrap();
        build(folder);
        folder.join("thalwegd")
    })
}

/// Asks for a test of the broker's, since its program comes with it, and of the whole workspace, since that is how most
/// run this test: features are then resolved alike, and what cargo has built already is not built again.
fn build(folder: &Path) {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| env!("CARGO").into()));
    cargo.args(["test", "--quiet", "--workspace", "--test", "tidy", "--no-run"]);
    match folder.file_name().and_then(|name| name.to_str()) {
        Some("debug") | None => &mut cargo,
        Some(profile) => cargo.args(["--profile", profile]),
    };
    cargo.current_dir(env!("CARGO_MANIFEST_DIR")).env("CARGO_TARGET_DIR", folder.parent().unwrap());
    let status = cargo.stdin(Stdio::null()).stdout(Stdio::null()).status().unwrap();
    assert!(status.success(), "thalwegd could not be built ({status}): run {cargo:?} and see why");
}

fn free_ports() -> [u16; 2] {
    let count = PORTS.end - PORTS.start;
    let first = (std::process::id() * 17 % u32::from(count)) as u16;
    let mut free = (0..count)
        .map(|step| PORTS.start + (first + step) % count)
        .filter(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok());
    [free.next().unwrap(), free.next().unwrap()]
}
