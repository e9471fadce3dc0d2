//! The program `thalwegd`, for the tests of packages that do not hold it: built, and asked whether it serves.
//!
//! The tests of `bench` include this file too: neither package may link the other, or the broker.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

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

/// Whether the broker with this admin listener serves.
pub(crate) fn is_ready(admin: &str) -> bool {
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
