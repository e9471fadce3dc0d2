//! The invariants of ARCHITECTURE.md that can be checked by reading the tree.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

/// Every Rust file below a folder of the repository, with its text.
fn sources(folder: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(root()).unwrap().display().to_string();
                found.push((name, fs::read_to_string(&path).unwrap()));
            }
        }
    }
    assert!(!found.is_empty(), "{folder} has no Rust files");
    found
}

/// Lines of code in which one of the words stands, by file and line; comments and tests do not count.
fn mentions(folder: &str, words: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for (name, text) in sources(folder) {
        if name.contains("/tests") {
            continue;
        }
        let code = text.split("#[cfg(test)]").next().unwrap();
        for (line, content) in code.lines().enumerate() {
            let content = content.split("//").next().unwrap();
            if words.iter().any(|word| content.contains(word)) {
                found.push(format!("{name}:{}: {}", line + 1, content.trim()));
            }
        }
    }
    found
}

#[test]
fn the_reactor_is_named_only_at_the_edge() {
    let allowed = ["storage/reactor/", "storage/src/io/", "broker/src/reactor/", "broker/src/net/", "broker/src/peer/"];
    for folder in ["storage/src", "broker/src", "raft/src", "protocol/src"] {
        let elsewhere: Vec<_> = mentions(folder, &["thalweg_reactor::", "io_uring::"])
            .into_iter()
            .filter(|place| !allowed.iter().any(|folder| place.starts_with(folder)))
            .collect();
        assert_eq!(elsewhere, Vec::<String>::new());
    }
}

#[test]
fn unsafe_code_is_only_where_the_kernel_is_given_pointers() {
    for folder in ["storage", "broker/src", "raft/src", "protocol/src", "tools/src", "bench/src"] {
        let elsewhere: Vec<_> = mentions(folder, &["unsafe {", "unsafe fn", "unsafe impl"])
            .into_iter()
            .filter(|place| {
                !["storage/reactor/src/", "bench/src/probe/ring.rs:"].iter().any(|at| place.starts_with(at))
            })
            .collect();
        assert_eq!(elsewhere, Vec::<String>::new());
    }
}

#[test]
fn protocol_and_raft_touch_nothing_outside() {
    let outside = ["std::fs", "std::net", "std::time", "SystemTime", "Instant::now", "thread_rng", "rand::"];
    for folder in ["protocol/src", "raft/src"] {
        assert_eq!(mentions(folder, &outside), Vec::<String>::new());
    }
}

#[test]
fn bench_never_links_the_broker() {
    let manifest = fs::read_to_string(root().join("bench/Cargo.toml")).unwrap();
    assert!(!manifest.contains("thalweg-broker"), "bench must be able to drive any Kafka");
}

#[test]
fn every_handler_is_numbered_as_kafka_numbers_it() {
    for api in thalweg_broker::dispatch::APIS {
        let number = format!("k{:02}_", api.key as i16);
        let files = fs::read_dir(root().join("broker/src/handlers")).unwrap();
        let mut names = files.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        assert!(names.any(|name| name.starts_with(&number)), "{:?} has no file {number}*", api.key);
    }
}

#[test]
fn every_decision_is_in_the_index() {
    let index = fs::read_to_string(root().join("docs/adr/README.md")).unwrap();
    for entry in fs::read_dir(root().join("docs/adr")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(name == "README.md" || index.contains(&name), "{name} is not in docs/adr/README.md");
    }
}
