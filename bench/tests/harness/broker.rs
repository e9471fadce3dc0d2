//! One `thalwegd` process of a test's own. It speaks over the network only, as any other broker would.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU16, Ordering};
use std::thread;
use std::time::{Duration, Instant};

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
        let child = Command::new(binary())
            .args(overrides.iter().flat_map(|property| ["--override", property]))
            .current_dir(self.dir.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        self.child = Some(child);
        let deadline = Instant::now() + READY_WITHIN;
        while !is_ready(&self.admin) {
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

fn is_ready(admin: &str) -> bool {
    let ask = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect(admin)?;
        stream.set_read_timeout(Some(Duration::from_secs(1)))?;
        stream.write_all(b"GET /ready HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    };
    ask().is_ok_and(|answer| answer.starts_with("HTTP/1.1 200"))
}

/// `thalwegd` as its sources are now, from the folder that `thalweg-bench` was built into: cargo gives a package's tests
/// the path of its own programs only, and does not build another's.
fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        let folder = Path::new(env!("CARGO_BIN_EXE_thalweg-bench")).parent().unwrap();
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
