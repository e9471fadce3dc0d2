//! Starts that must be refused: exit code not 0, and one line that says what is wrong and what to do.

use std::fs;
use std::process::Command;

use crate::support::{Broker, Options, StartError, free_ports};

/// The arguments alone; the process must end by itself.
fn refused(arguments: &[&str], code: i32, says: &[&str]) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_thalwegd"));
    check(command.args(arguments), code, says);
}

fn check(command: &mut Command, code: i32, says: &[&str]) {
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{text}");
    let ours: Vec<&str> = text.lines().filter(|line| line.starts_with("thalwegd: ")).collect();
    assert_eq!(ours.len(), 1, "{text}");
    for part in says {
        assert!(ours[0].contains(part), "{:?} does not say {part:?}", ours[0]);
    }
}

#[test]
fn bad_arguments() {
    refused(&["--bogus"], 2, &["there is no option --bogus"]);
    refused(&["--override"], 2, &["--override needs key=value behind it"]);
    refused(&["a.properties", "b.properties"], 2, &["b.properties is the second"]);
    refused(&["/nonexistent/server.properties"], 1, &["/nonexistent/server.properties"]);
}

#[test]
fn bad_properties() {
    let refused = |setting: &str, says: &[&str]| refused(&["--override", setting], 1, says);
    refused("lisstener=PLAINTEXT://127.0.0.1:1", &["unknown key lisstener", "did you mean listeners?"]);
    refused("num.partitions=-5", &["Invalid value -5 for configuration num.partitions", "at least 1"]);
    refused("log.segment.bytes=abc", &["Invalid value abc for configuration log.segment.bytes"]);
    refused("num.partitions", &["num.partitions must be key=value"]);
}

/// Starts on a directory of the given meta.properties; the answer is the refusal's log.
fn start_on(meta: &str) -> String {
    let mut broker = Broker::prepare(Options::default().cores(1));
    fs::create_dir_all(broker.data_dir()).unwrap();
    fs::write(broker.data_dir().join("meta.properties"), meta).unwrap();
    refusal(&mut broker)
}

fn refusal(broker: &mut Broker) -> String {
    match broker.try_restart() {
        Err(StartError::Exited { status, log }) => {
            assert_eq!(status.code(), Some(1), "{log}");
            assert_eq!(log.lines().filter(|line| line.starts_with("thalwegd: ")).count(), 1, "{log}");
            log
        }
        Err(other) => panic!("{other}"),
        Ok(()) => panic!("the broker started"),
    }
}

#[test]
fn directories_of_somebody_else() {
    let log = start_on("version=1\nthalweg.format.version=1\ncluster.id=abc\nnode.id=77\n");
    assert!(log.contains("belongs to node 77") && log.contains("check node.id and log.dirs"), "{log}");
    let log = start_on("version=1\nthalweg.format.version=99\ncluster.id=abc\nnode.id=1\n");
    assert!(log.contains("format version 99") && log.contains("start the version that wrote it"), "{log}");
    let log = start_on("version=1\ncluster.id=abc\nnode.id=1\n");
    assert!(log.contains("data of another broker") && log.contains("choose another with log.dirs"), "{log}");
}

#[test]
fn a_directory_and_a_port_in_use() {
    let first = Broker::start(Options::default().cores(1));
    let directory = first.data_dir().display().to_string();
    let mut second = Broker::prepare(Options::default().cores(1).property("log.dirs", &directory));
    let log = refusal(&mut second);
    assert!(log.contains("in use by another process") && log.contains("choose another with log.dirs"), "{log}");
    let taken = format!("PLAINTEXT://{}", first.bootstrap());
    let mut third = Broker::prepare(Options::default().cores(1).property("listeners", taken));
    let log = refusal(&mut third);
    assert!(log.contains("address already in use") && log.contains("set `listeners` to another"), "{log}");
}

/// Through the shell's own `ulimit`, which lowers both limits, soft and hard, of the process it becomes.
#[test]
fn limits_that_are_too_low() {
    let [kafka, admin] = free_ports();
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let limited = |limit: &str, says: &[&str]| {
        let script = format!(
            "ulimit {limit} && exec '{}' --override listeners=PLAINTEXT://127.0.0.1:{kafka} \
             --override thalweg.admin.listener=127.0.0.1:{admin} --override thalweg.cores=2",
            env!("CARGO_BIN_EXE_thalwegd")
        );
        check(Command::new("bash").args(["-c", &script]).current_dir(dir.path()), 1, says);
    };
    limited("-n 100", &["open files is 100, and at least 1024 are needed", "`ulimit -n` or LimitNOFILE="]);
    limited("-l 64", &["locked memory is 64 KiB, and 2 core(s) need 1024", "`ulimit -l` or LimitMEMLOCK="]);
}
