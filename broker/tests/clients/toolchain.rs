//! The programs that the suites need, and what is installed for them, once, under the target directory.

use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::suite::say;

/// A program that must be there, and the Debian package that brings it.
#[derive(Debug, Clone, Copy)]
pub struct Tool {
    pub program: &'static str,
    pub version_arg: &'static str,
    pub package: &'static str,
}

pub const JAVA: Tool = Tool { program: "javac", version_arg: "-version", package: "openjdk-17-jdk-headless" };
pub const MAVEN: Tool = Tool { program: "mvn", version_arg: "-version", package: "maven" };
pub const GO: Tool = Tool { program: "go", version_arg: "version", package: "golang" };
pub const PYTHON: Tool = Tool { program: "python3", version_arg: "--version", package: "python3" };
pub const NODE: Tool = Tool { program: "node", version_arg: "--version", package: "nodejs" };
pub const NPM: Tool = Tool { program: "npm", version_arg: "--version", package: "npm" };
pub const KCAT: Tool = Tool { program: "kcat", version_arg: "-V", package: "kcat" };
/// `venv` alone is in Python without it; `ensurepip` is what Debian puts into a package of its own.
const VENV_PROBE: [&str; 2] = ["-c", "import venv, ensurepip"];

/// True when every tool is there. Otherwise: fails where `CI=true`, and says loudly what is skipped elsewhere.
#[must_use]
pub fn have(suite: &str, tools: &[Tool]) -> bool {
    let mut missing: Vec<_> =
        tools.iter().filter(|tool| version(tool).is_none()).map(|tool| (tool.program, tool.package)).collect();
    if tools.iter().any(|tool| tool.program == PYTHON.program) && !succeeds("python3", &VENV_PROBE) {
        missing.push(("python3's venv", "python3-venv"));
    }
    if missing.is_empty() {
        return true;
    }
    let programs: Vec<_> = missing.iter().map(|(program, _)| *program).collect();
    let packages: Vec<_> = missing.iter().map(|(_, package)| *package).collect();
    let why =
        format!("{} missing: apt-get install {} (or run .ci/toolchains.sh)", programs.join(", "), packages.join(" "));
    assert!(!in_ci(), "{suite} cannot run, and with CI=true nothing may be skipped: {why}");
    say(&format!("\n*** SKIPPED the {suite} suite because of {why} ***\n"));
    false
}

fn in_ci() -> bool {
    std::env::var("CI").is_ok_and(|value| value == "true")
}

fn succeeds(program: &str, args: &[&str]) -> bool {
    Command::new(program).args(args).stdin(Stdio::null()).output().is_ok_and(|output| output.status.success())
}

fn version(tool: &Tool) -> Option<Vec<u8>> {
    let output = Command::new(tool.program).arg(tool.version_arg).stdin(Stdio::null()).output().ok()?;
    output.status.success().then(|| [output.stdout, output.stderr].concat())
}

/// `target/clients`: shared by all profiles, kept between runs, gone with `cargo clean`.
pub fn clients_dir() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("the target directory").join("clients")
}

/// `broker/tests/clients/<name>`.
pub fn source_dir(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients").join(name)
}

/// Installs what a suite needs into `target/clients/<name>`, unless what stands there came from the same sources (files
/// or folders in `clients/<name>`) and tools. `steps` gets the directory and gives the commands to run in it. Two test
/// runs take turns.
pub fn install(name: &str, tools: &[Tool], sources: &[&str], steps: impl FnOnce(&Path) -> Vec<Command>) -> PathBuf {
    let root = clients_dir();
    fs::create_dir_all(&root).expect("target/clients");
    let lock = File::create(root.join(format!("{name}.lock"))).expect("a lock file");
    lock.lock().expect("the lock");
    let dir = root.join(name);
    let stamp = dir.join("stamp");
    let wanted = fingerprint(&source_dir(name), sources, tools);
    if fs::read_to_string(&stamp).is_ok_and(|found| found == wanted) {
        return dir;
    }
    if dir.exists() {
        fs::remove_dir_all(&dir).expect("the old install");
    }
    fs::create_dir_all(&dir).expect("a directory to install into");
    say(&format!("{name}: installing into {}", dir.display()));
    for mut command in steps(&dir) {
        let output = command.stdin(Stdio::null()).process_group(0).output();
        let output = output.unwrap_or_else(|error| panic!("{command:?}: {error}"));
        assert!(
            output.status.success(),
            "{command:?} ended with {}:\n{}\n{}",
            output.status,
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
    }
    fs::write(stamp, wanted).expect("the stamp");
    dir
}

/// Changes with any of the source files, and with the versions of the tools.
fn fingerprint(root: &Path, sources: &[&str], tools: &[Tool]) -> String {
    let mut hasher = DefaultHasher::new();
    for tool in tools {
        version(tool).hash(&mut hasher);
    }
    for path in sources.iter().flat_map(|source| files(&root.join(source))) {
        path.strip_prefix(root).expect("below the root").hash(&mut hasher);
        fs::read(&path).expect("a source file").hash(&mut hasher);
    }
    format!("{:016x}", hasher.finish())
}

/// This file, or every file below this directory, sorted.
fn files(path: &Path) -> Vec<PathBuf> {
    if !path.is_dir() {
        return vec![path.to_owned()];
    }
    let entries = fs::read_dir(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut entries: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    entries.sort();
    entries.iter().flat_map(|path| files(path)).collect()
}
