//! The broker's program, for tests that compare or verify with a real one.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

pub(crate) const BENCH: &str = env!("CARGO_BIN_EXE_thalweg-bench");

/// `thalwegd` as its sources are now, from the folder that `thalweg-bench` was built into: cargo gives a package's tests
/// the path of its own programs only, and does not build another's.
pub(crate) fn thalwegd() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        let folder = Path::new(BENCH).parent().unwrap();
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
