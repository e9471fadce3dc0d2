//! Programs of the JVM: their class path, and their processes.

use std::fs::{self, File};
use std::net::TcpStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::{Signal, Target, free_ports, send, tail};

const STARTS_WITHIN: Duration = Duration::from_secs(90);
const STOPS_WITHIN: Duration = Duration::from_secs(60);

/// Where a Maven project put its classes and what they need.
#[derive(Debug)]
pub struct Jars(String);

impl Jars {
    pub fn in_folder(dir: &Path) -> Self {
        Self(format!("{0}/classes:{0}/libs/*", dir.display()))
    }

    /// `java CLASS`, with little memory and only the quick compiler: these programs are short.
    pub fn java(&self, class: &str) -> Command {
        let mut java = Command::new("java");
        java.args(["-Xmx512M", "-XX:TieredStopAtLevel=1", "-cp", &self.0, class]);
        java
    }
}

/// A process of the JVM with what it prints. Dropping it kills it.
#[derive(Debug)]
pub struct Jvm {
    name: &'static str,
    child: Child,
    log: PathBuf,
}

impl Jvm {
    pub fn start(name: &'static str, mut command: Command, log: PathBuf) -> Self {
        let output = File::options().create(true).append(true).open(&log).expect("a log file");
        command.stdin(Stdio::null()).stdout(output.try_clone().expect("dup")).stderr(output).process_group(0);
        let child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        Self { name, child, log }
    }

    /// Waits until `there` holds; panics with the end of the log when the process ends before, or after `patience`.
    pub fn wait_until(&mut self, what: &str, patience: Duration, mut there: impl FnMut() -> bool) {
        let deadline = Instant::now() + patience;
        while !there() {
            let ended = self.child.try_wait().expect("wait");
            let (name, log) = (self.name, || tail(&fs::read_to_string(&self.log).unwrap_or_default(), 80));
            assert!(ended.is_none(), "{name} ended ({ended:?}) before {what}; its log:\n{}", log());
            assert!(Instant::now() < deadline, "{name}: {what}: not after {patience:?}; its log:\n{}", log());
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// SIGTERM, and waits for the end.
    pub fn stop(mut self) {
        send(Signal::Term, Target::Process(self.child.id()));
        let deadline = Instant::now() + STOPS_WITHIN;
        while self.child.try_wait().expect("wait").is_none() {
            assert!(Instant::now() < deadline, "{} still runs {STOPS_WITHIN:?} after SIGTERM", self.name);
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Jvm {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Starts Apache Kafka, one node, as its own `server.properties` has it but for the replication of internal topics.
pub fn start_kafka(jars: &Jars, dir: &Path) -> (Jvm, String) {
    start_kafka_with(jars, dir, "")
}

/// The same, with more lines of properties.
pub fn start_kafka_with(jars: &Jars, dir: &Path, more: &str) -> (Jvm, String) {
    let [port, controller] = free_ports();
    let settings = format!(
        "process.roles=broker,controller\nnode.id=1\ncontroller.quorum.bootstrap.servers=127.0.0.1:{controller}\n\
         listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}\n\
         controller.listener.names=CONTROLLER\nlog.dirs={}\noffsets.topic.replication.factor=1\n\
         transaction.state.log.replication.factor=1\ntransaction.state.log.min.isr=1\n\
         group.initial.rebalance.delay.ms=0\n{more}",
        dir.join("kafka").display()
    );
    let file = dir.join("kafka.properties");
    fs::write(&file, settings).expect("a properties file");
    let mut format = jars.java("kafka.tools.StorageTool");
    format.args(["format", "--standalone", "--cluster-id", "ThalwegMirrorsFromIt00", "--config"]).arg(&file);
    let output = format.stdin(Stdio::null()).output().expect("java");
    assert!(output.status.success(), "kafka-storage: {}", String::from_utf8_lossy(&output.stderr));
    let mut kafka = jars.java("kafka.Kafka");
    kafka.arg(&file);
    let mut kafka = Jvm::start("kafka", kafka, dir.join("kafka.log"));
    let bootstrap = format!("127.0.0.1:{port}");
    let address = bootstrap.parse().expect("an address");
    kafka.wait_until("its port is open", STARTS_WITHIN, || {
        TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_ok()
    });
    (kafka, bootstrap)
}
