//! Real clients, unmodified, against the real process: the outer door. See `clients/README.md`.
//!
//! Each test is one suite: a program in the client's own language under `clients/`, or, for the `rdkafka` crate, a
//! module here. With `THALWEG_TEST_BOOTSTRAP=host:port` the suites run against whatever listens there instead, which is
//! how their expectations are kept Kafka's: they pass against Apache Kafka.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, unreachable_pub, reason = "tests")]

mod support;

#[path = "clients/compaction.rs"]
mod compaction;
#[path = "clients/connect.rs"]
mod connect;
#[path = "clients/dump/mod.rs"]
mod dump;
#[path = "clients/jvm.rs"]
mod jvm;
#[path = "clients/members.rs"]
mod members;
#[path = "clients/mirror.rs"]
mod mirror;
#[path = "clients/mixed.rs"]
mod mixed;
#[path = "clients/rust.rs"]
mod rust;
#[path = "clients/share.rs"]
mod share;
#[path = "clients/streams.rs"]
mod streams;
#[path = "clients/suite.rs"]
mod suite;
#[path = "clients/telemetry.rs"]
mod telemetry;
#[path = "clients/toolchain.rs"]
mod toolchain;
#[path = "clients/transactions.rs"]
mod transactions;
#[path = "bad_input/wire.rs"]
#[allow(dead_code, reason = "another program's, which uses all of it")]
mod wire;

use std::process::Command;
use std::sync::Mutex;
use std::time::{Duration, SystemTime};

use suite::Expected;
use support::{Broker, Options};
use toolchain::{GO, JAVA, KCAT, MAVEN, NODE, NPM, PYTHON, Tool, have, install, source_dir};

const TIMEOUT: Duration = Duration::from_secs(300);

/// Suites run one after the other: each is given both cores, and times out by the clock on the wall.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Runs `body` with a bootstrap address and a prefix for names; the broker's whole life is around it.
fn with_broker(body: impl FnOnce(&str, &str)) {
    with_dirs(1, body);
}

/// The same, with so many data directories.
fn with_dirs(log_dirs: usize, body: impl FnOnce(&str, &str)) {
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let prefix = format!("t{:x}-", since.as_millis());
    if let Ok(external) = std::env::var("THALWEG_TEST_BOOTSTRAP") {
        return body(&external, &prefix);
    }
    // Kafka waits three seconds for more members before a group's first assignment; there is only one here.
    let mut options = Options::default()
        .property("group.initial.rebalance.delay.ms", 0)
        // Members of consumer groups learn what changed with their heartbeats: every 5 s, unless told otherwise.
        .property("group.consumer.min.heartbeat.interval.ms", 200)
        .property("group.consumer.heartbeat.interval.ms", 200)
        .property("group.share.min.heartbeat.interval.ms", 200)
        .property("group.share.heartbeat.interval.ms", 200)
        // What a member of a share group holds too long is waited for.
        .property("group.share.min.record.lock.duration.ms", 1_000)
        // Some suites write records of long ago, which retention would take.
        .property("log.initial.task.delay.ms", 3_600_000)
        // A transaction that takes too long is waited for.
        .property("transaction.abort.timed.out.transaction.cleanup.interval.ms", 200);
    options.log_dirs = log_dirs;
    let mut broker = Broker::start(options);
    body(broker.bootstrap(), &prefix);
    // A client must not be able to leave the broker in a state that it cannot be stopped from.
    broker.stop();
}

/// One external suite, whose program is made by `command` once its tools are there and installed.
fn external(suite: &'static str, checks_min: usize, tools: &[Tool], command: impl FnOnce() -> Command) {
    if have(suite, tools) {
        with_broker(|bootstrap, prefix| run_suite(suite, checks_min, command(), [bootstrap, prefix]));
    }
}

fn run_suite(suite: &'static str, checks_min: usize, mut command: Command, arguments: [&str; 2]) {
    command.args(arguments);
    suite::run(Expected { suite, checks_min, timeout: TIMEOUT }, command, &suite::log_path(suite));
}

fn java_installed() -> std::path::PathBuf {
    maven("java")
}

/// The Maven project in `clients/<name>`, built: `classes` and `libs`.
fn maven(name: &str) -> std::path::PathBuf {
    install(name, &[JAVA, MAVEN], &["pom.xml", "src"], |dir| {
        let mut maven = Command::new("mvn");
        maven.args(["-B", "-q", "-f"]).arg(source_dir(name).join("pom.xml"));
        maven.arg(format!("-Dthalweg.build={}", dir.display())).arg("process-classes");
        vec![maven]
    })
}

/// A suite of Kafka's own frameworks, with brokers of its own that are killed.
fn ecosystem(suite: &str, run: impl FnOnce(&jvm::Jars)) {
    if !have(suite, &[JAVA, MAVEN]) {
        return;
    }
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    run(&jvm::Jars::in_folder(&maven("ecosystem")));
}

#[test]
fn streams_with_exactly_once_v2_through_kills() {
    ecosystem("streams", streams::run);
}

#[test]
fn connect_across_restarts() {
    ecosystem("connect", connect::run);
}

#[test]
fn mirror_maker_from_one_broker_to_another() {
    ecosystem("mirror", mirror::from_thalweg);
}

#[test]
fn mirror_maker_from_apache_kafka() {
    ecosystem("mirror-kafka", mirror::from_kafka);
}

/// Needs a broker of its own, which is killed; Kafka's jars are there to read its segments with.
#[test]
fn compacted_topic() {
    if !have("compaction", &[JAVA, MAVEN]) {
        return;
    }
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    compaction::run(&java_installed().join("libs"));
}

/// Kafka's jars are there to read segments and their indexes with.
#[test]
fn transaction_index() {
    if !have("transaction-index", &[JAVA, MAVEN]) {
        return;
    }
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    transactions::run(&java_installed().join("libs"));
}

/// Needs a broker of its own, whose files are read.
#[test]
fn dump_of_coordinators() {
    if !have("dump", &[JAVA, MAVEN]) {
        return;
    }
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    dump::run(&jvm::Jars::in_folder(&java_installed()));
}

/// Needs a broker of its own, which is killed.
#[test]
fn share_group_whose_broker_is_killed() {
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if have("share-restart", &[JAVA, MAVEN]) {
        share::run(&java_installed());
    }
}

/// Needs a broker of its own, which is killed.
#[test]
fn mixed_group_whose_broker_is_killed() {
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    mixed::run();
}

/// What a Java client pushes is on the metrics page.
#[test]
fn client_telemetry() {
    if !have("telemetry", &[JAVA, MAVEN]) {
        return;
    }
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    telemetry::run(&java_installed().join("libs"));
}

#[test]
fn java_client() {
    external("java-client", 143, &[JAVA, MAVEN], || {
        let dir = java_installed();
        let mut java = Command::new("java");
        java.args(["-Xmx512M", "-XX:TieredStopAtLevel=1", "-cp"]);
        java.arg(format!("{0}/classes:{0}/libs/*", dir.display())).arg("thalweg.clients.Main");
        java
    });
}

#[test]
fn java_command_line_tools() {
    let suite = "java-tools";
    if have(suite, &[JAVA, MAVEN]) {
        let mut bash = Command::new("bash");
        bash.arg(source_dir("tools").join("run.sh")).env("KAFKA_LIBS", java_installed().join("libs"));
        // Two, so that there is somewhere to move a replica to.
        with_dirs(2, |bootstrap, prefix| run_suite(suite, 49, bash, [bootstrap, prefix]));
    }
}

#[test]
fn java_tools_of_groups_and_transactions() {
    external("java-tools-frozen", 98, &[JAVA, MAVEN], || {
        let mut bash = Command::new("bash");
        bash.arg(source_dir("tools").join("groups.sh")).env("KAFKA_LIBS", java_installed().join("libs"));
        bash
    });
}

#[test]
fn kcat() {
    external("kcat", 13, &[KCAT], || {
        let mut bash = Command::new("bash");
        bash.arg(source_dir("kcat").join("run.sh"));
        bash
    });
}

fn go_installed() -> std::path::PathBuf {
    install("go", &[GO], &["."], |dir| {
        let mut build = Command::new("go");
        build.args(["build", "-buildvcs=false", "-mod=readonly", "-o"]).arg(dir.join("suite")).arg(".");
        build.current_dir(source_dir("go"));
        vec![build]
    })
}

fn go(suite: &'static str, client: &str, checks_min: usize) {
    external(suite, checks_min, &[GO], || {
        let mut program = Command::new(go_installed().join("suite"));
        program.arg(client);
        program
    });
}

#[test]
fn franz_go() {
    go("franz-go", "franz", 26);
}

#[test]
fn sarama() {
    go("sarama", "sarama", 21);
}

/// A program of the Python suites, in the environment that their clients are installed in.
fn python_program(program: &str) -> Command {
    let dir = install("python", &[PYTHON], &["requirements.txt"], |dir| {
        let mut venv = Command::new("python3");
        venv.args(["-m", "venv"]).arg(dir.join("venv"));
        let mut pip = Command::new(dir.join("venv/bin/pip"));
        pip.args(["install", "--quiet", "--only-binary=:all:", "--requirement"]);
        pip.arg(source_dir("python").join("requirements.txt"));
        vec![venv, pip]
    });
    let mut python = Command::new(dir.join("venv/bin/python"));
    // No compiled files beside the sources.
    python.args(["-B", "-u"]).arg(source_dir("python").join(program));
    python
}

fn python(suite: &'static str, program: &str, checks_min: usize) {
    external(suite, checks_min, &[PYTHON], || python_program(program));
}

#[test]
fn confluent_kafka_python() {
    python("confluent-kafka", "confluent.py", 21);
}

#[test]
fn kafka_python() {
    python("kafka-python", "kafka_python.py", 21);
}

#[test]
fn aiokafka() {
    python("aiokafka", "aio.py", 18);
}

fn node_program(program: &str) -> Command {
    let source = source_dir("node");
    let dir = install("node", &[NODE, NPM], &["package.json", "package-lock.json"], |dir| {
        for file in ["package.json", "package-lock.json"] {
            std::fs::copy(source.join(file), dir.join(file)).unwrap();
        }
        let mut npm = Command::new("npm");
        npm.args(["ci", "--no-audit", "--no-fund", "--ignore-scripts"]).current_dir(dir);
        vec![npm]
    });
    let mut node = Command::new("node");
    node.arg(source.join(program)).env("NODE_PATH", dir.join("node_modules"));
    node
}

#[test]
fn kafkajs() {
    external("kafkajs", 19, &[NODE, NPM], || node_program("main.js"));
}

/// Needs a broker of its own, and every client.
#[test]
fn mixed_group_of_every_client() {
    if !have("members", &[JAVA, MAVEN, GO, PYTHON, NODE, NPM]) {
        return;
    }
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let member = |name, mut command: Command, arguments: &[&str]| {
        command.args(arguments);
        members::Program { name, command }
    };
    let java =
        |name, kind| member(name, jvm::Jars::in_folder(&java_installed()).java("thalweg.clients.Member"), &[kind]);
    let go = |name, kind| member(name, Command::new(go_installed().join("suite")), &[kind]);
    let python = |name| member(name, python_program("member.py"), &[name]);
    let programs = vec![
        python("confluent"),
        go("sarama", "member-sarama"),
        java("java-classic", "classic"),
        python("kafka-python"),
        member("kafkajs", node_program("member.js"), &[]),
        go("franz-go", "member-franz"),
        // From here on it is a consumer group (KIP-848), until both have left.
        java("java-consumer", "consumer"),
        python("confluent-modern"),
        python("aiokafka"),
    ];
    members::run(programs, vec![java("java-share", "share"), java("java-share-too", "share")]);
}

#[test]
fn librdkafka_through_the_rdkafka_crate() {
    with_broker(|bootstrap, prefix| {
        rust::run(Expected { suite: "rdkafka", checks_min: 32, timeout: TIMEOUT }, bootstrap, prefix);
    });
}
