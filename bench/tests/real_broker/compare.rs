//! `thalweg-bench compare` with a real broker of ours: what it starts, keeps and cleans up.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use crate::BENCH;
use crate::program::thalwegd;

/// For everything that a test waits for.
const LIMIT: Duration = Duration::from_secs(240);

struct Run {
    dir: tempfile::TempDir,
}

impl Run {
    fn new() -> Self {
        // On the target directory's file system, because the system's temporary directory may know no direct I/O.
        Self { dir: tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn start(&self, thalwegd: &Path, args: &[&str]) -> Child {
        let mut command = Command::new(BENCH);
        command.args(["compare", "--systems", "thalweg", "--scale", "quick", "--quiet", "0"]);
        command.arg("--thalwegd").arg(thalwegd);
        command.arg("--out").arg(self.path("out")).arg("--work").arg(self.dir.path());
        command.args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    fn lines(&self) -> Vec<serde_json::Value> {
        let text = std::fs::read_to_string(self.path("out/results.jsonl")).unwrap_or_default();
        // The last line may be under way.
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    fn rows(&self, phase: &str) -> Vec<serde_json::Value> {
        self.lines().into_iter().filter(|line| line["kind"] == "row" && line["phase"] == phase).collect()
    }

    /// No broker of this run, and nothing of its data.
    fn assert_clean(&self) {
        let left: Vec<_> =
            std::fs::read_dir(self.dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert!(!left.iter().any(|name| name.to_string_lossy().contains("-work-")), "{left:?}");
        assert_eq!(self.processes(), Vec::<String>::new());
    }

    /// Those that name this run's directory on their command line.
    fn processes(&self) -> Vec<String> {
        let here = self.dir.path().display().to_string();
        let lines = std::fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| {
            let line = std::fs::read(entry.path().join("cmdline")).ok()?;
            Some(String::from_utf8_lossy(&line).replace('\0', " "))
        });
        lines.filter(|line| line.contains(&here)).collect()
    }
}

fn wait(mut child: Child) -> Output {
    let deadline = Instant::now() + LIMIT;
    while child.try_wait().unwrap().is_none() {
        if Instant::now() > deadline {
            child.kill().unwrap();
            panic!("it goes on: {:?}", child.wait_with_output());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    child.wait_with_output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn phases_are_measured_kept_and_made_into_tables() {
    let run = Run::new();
    let args = ["start", "idle", "throughput", "--warm-records", "1000"];
    let done = wait(run.start(thalwegd(BENCH), &args));
    let (out, err) = (text(&done.stdout), text(&done.stderr));
    assert!(done.status.success(), "{err}");
    assert!(run.rows("start")[0]["metrics"]["ready_ms"].as_f64().unwrap() > 0.0, "{err}");
    assert!(run.rows("idle")[0]["metrics"]["rss_mib"].as_f64().unwrap() > 1.0, "{err}");
    let throughput = run.rows("throughput");
    assert_eq!(throughput.len(), 2, "{err}");
    for row in throughput {
        let metrics = &row["metrics"];
        assert!(metrics["records_s"].as_f64().unwrap() > 100.0, "{row}");
        assert!(metrics["broker_cpu_s_per_million"].as_f64().unwrap() > 0.0, "{row}");
        assert!(metrics.get("refused").is_none(), "{row}");
    }
    assert!(out.contains("### throughput: 1 KiB") && out.contains("thalwegd"), "{out}");
    assert_eq!(std::fs::read_to_string(run.path("out/tables.md")).unwrap(), out);
    let again = Command::new(BENCH).args(["compare", "--from"]).arg(run.path("out/results.jsonl")).output().unwrap();
    assert_eq!(text(&again.stdout), out);
    run.assert_clean();
}

#[test]
fn a_broker_that_dies_is_told_with_the_end_of_its_log_and_the_rest_is_kept() {
    let run = Run::new();
    let dies = run.path("dies.sh");
    // It becomes the broker, and something kills it in the middle of `idle`.
    let script = format!("#!/bin/sh\n(sleep 3; kill -9 $$) &\nexec '{}' \"$@\"\n", thalwegd(BENCH).display());
    std::fs::write(&dies, script).unwrap();
    std::fs::set_permissions(&dies, std::fs::Permissions::from_mode(0o755)).unwrap();
    let done = wait(run.start(&dies, &["start", "idle", "--idle", "4"]));
    let err = text(&done.stderr);
    assert!(!done.status.success(), "{err}");
    assert!(err.contains("idle: thalweg") && err.contains("SIGKILL") && err.contains("the end of its log"), "{err}");
    assert!(err.contains("listen"), "the log of a broker says where it listens: {err}");
    assert_eq!((run.rows("start").len(), run.rows("idle").len()), (1, 0), "{err}");
    assert!(text(&done.stdout).contains("### Missing"), "{err}");
    run.assert_clean();
}

#[test]
fn asked_to_stop_it_leaves_nothing_behind() {
    let run = Run::new();
    let child = run.start(thalwegd(BENCH), &["start", "idle", "--idle", "600"]);
    let deadline = Instant::now() + LIMIT;
    while run.rows("start").is_empty() {
        assert!(Instant::now() < deadline, "{:?}", run.lines());
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(run.processes().len() >= 2, "itself and a broker: {:?}", run.processes());
    rustix::process::kill_process(rustix::process::Pid::from_child(&child), rustix::process::Signal::TERM).unwrap();
    let done = wait(child);
    let err = text(&done.stderr);
    assert!(!done.status.success() && err.contains("interrupted"), "{err}");
    assert!(text(&done.stdout).contains("### start"), "what was measured is told: {err}");
    run.assert_clean();
}

#[test]
fn what_cannot_be_meant_is_refused_before_anything_starts() {
    let refused = |args: &[&str], said: &str| {
        let done = Command::new(BENCH).arg("compare").args(args).output().unwrap();
        let err = text(&done.stderr);
        assert!(!done.status.success() && err.contains(said), "{args:?}: {err}");
    };
    refused(&["nonsense"], "nonsense");
    refused(&["--cores", "x"], "0-3,6");
    refused(&["--cores", "1000"], "core 1000");
    refused(&["--systems", "thalweg", "--thalwegd", "/nowhere/thalwegd"], "cargo build --release");
    refused(&["--address", "x"], "NAME=HOST:PORT");
    refused(&["--from", "/nowhere/results.jsonl"], "/nowhere/results.jsonl");
}
