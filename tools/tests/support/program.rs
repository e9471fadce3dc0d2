//! The program `thalwegd`, for the tests of packages that do not hold it: built, started, and asked whether it serves.
//!
//! The tests of `bench` include this file too: neither package may link the other, or the broker.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU16, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// In the directory in which it runs.
const LOG: &str = "thalwegd.log";

/// `thalwegd` as its sources are now, from the folder that the package's own program was built into: cargo gives a
/// package's tests the path of its own programs only, and does not build another's.
pub(crate) fn thalwegd(own_program: &str) -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        let folder = Path::new(own_program).parent().unwrap();
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

/// Starts it in `dir`, with these settings besides its admin listener, and waits until it serves.
pub(crate) fn launch(program: &Path, dir: &Path, admin: &str, settings: &[String], ready_within: Duration) -> Child {
    let log = File::options().create(true).append(true).open(dir.join(LOG)).unwrap();
    let admin_listener = format!("thalweg.admin.listener={admin}");
    let mut child = Command::new(program)
        .args(settings.iter().chain([&admin_listener]).flat_map(|setting| ["--override", setting]))
        .current_dir(dir)
        .stdin(Stdio::null())
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .spawn()
        .unwrap();
    let deadline = Instant::now() + ready_within;
    while !is_ready(admin) {
        let ended = child.try_wait().unwrap();
        if ended.is_some() || Instant::now() > deadline {
            end(&mut child);
            panic!("thalwegd is not ready ({ended:?}):\n{}", log_in(dir));
        }
        thread::sleep(Duration::from_millis(10));
    }
    child
}

/// SIGKILL.
pub(crate) fn end(child: &mut Child) {
    let _ = child.kill();
    let _ = child.wait();
}

/// What a broker in this directory has printed, over all its starts.
pub(crate) fn log_in(dir: &Path) -> String {
    std::fs::read_to_string(dir.join(LOG)).unwrap_or_default()
}

/// Ports of 127.0.0.1 in this range that nothing listens on now. Where the search starts depends on the process, so that
/// test programs that run side by side seldom look at the same port.
pub(crate) fn free_ports<const N: usize>(range: Range<u16>) -> [u16; N] {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let count = range.end - range.start;
    let first = (std::process::id() * 17 % u32::from(count)) as u16;
    [(); N].map(|()| {
        (0..count)
            .map(|_| range.start + (first + NEXT.fetch_add(1, Ordering::Relaxed) % count) % count)
            .find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
            .unwrap()
    })
}

/// Whether the broker with this admin listener serves.
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
