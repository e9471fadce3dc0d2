//! What needs no broker: wrong command lines, brokers that are not there, completion.

use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::thread;

use serde_json::Value;

use crate::support::thalweg;

/// Nothing listens here: port 1 is privileged and unused.
const NOBODY: &str = "127.0.0.1:1";

#[test]
fn a_wrong_command_line_exits_with_2_and_says_what_is_near() {
    for (command, says) in [
        (&["topic", "lst"][..], "list"),
        (&["topic", "list", "--jsn"], "--json"),
        (&["topic", "create"], "TOPIC"),
        (&["topic", "create", "t", "-p", "0"], "0 is not in"),
        (&["topic", "alter", "t"], "--set"),
        (&["topic", "create", "t", "-c", "retention"], "KEY=VALUE"),
        (&["consume", "t", "--from", "soon"], "expected start, end"),
        (&["consume", "t", "--from", "@soon"], "this is no time"),
        (&["consume", "t", "--format", "%q"], "%q means nothing"),
        (&["consume", "t", "--group", "g", "-p", "1"], "--partition"),
        (&["produce", "t", "v", "--acks", "2"], "possible values"),
        (&["config", "get", "broker", "one"], "is no broker id"),
        (&["config", "get", "tpic", "t"], "topic"),
        (&["completion", "tcsh"], "possible values"),
        (&["-b", "", "cluster", "info"], "bootstrap address is empty"),
        (&["topic"], "Usage"),
    ] {
        let outcome = thalweg(NOBODY, command);
        assert!(outcome.refused().contains(says), "{command:?}: {outcome}");
        assert!(outcome.stdout.is_empty(), "{command:?}: {outcome}");
    }
}

#[test]
fn a_broker_that_is_not_there_is_named() {
    for command in [&["topic", "list"][..], &["produce", "t", "v"], &["consume", "t"], &["cluster", "info"]] {
        let outcome = thalweg(NOBODY, command);
        assert!(outcome.failed().contains("cannot reach a broker at 127.0.0.1:1: connection refused"), "{outcome}");
        assert!(outcome.stderr.contains("-b HOST:PORT"), "{outcome}");
    }
    let json = thalweg(NOBODY, &["topic", "list", "--json"]);
    let error: Value = serde_json::from_str(json.failed()).unwrap();
    assert!(error["error"]["hint"].as_str().unwrap().contains("THALWEG_BOOTSTRAP"));
}

#[test]
fn a_port_that_speaks_something_else_is_no_broker() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        std::io::Write::write_all(&mut stream, b"HTTP/1.1 400 Bad Request\r\n\r\n").unwrap();
    });
    let outcome = thalweg(&address, &["topic", "list"]);
    assert!(outcome.failed().contains("did not answer ApiVersions"), "{outcome}");
    assert!(outcome.stderr.contains("Kafka listener"), "{outcome}");
    server.join().unwrap();
}

#[test]
fn completion_knows_every_shell_and_command() {
    for shell in ["bash", "zsh", "fish"] {
        let script = thalweg(NOBODY, &["completion", shell]).ok();
        for word in ["thalweg", "add-partitions", "consume"] {
            assert!(script.contains(word), "{shell} {word}");
        }
    }
}

#[test]
fn a_reader_that_leaves_early_is_no_failure() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_thalweg"))
        .args(["completion", "bash"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert!(output.stderr.is_empty(), "{output:?}");
}
