//! How each broker is started: Thalweg with its defaults, Kafka with the values of the files that it ships.

use std::fmt::Write as _;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use super::interrupt::Interrupt;
use super::process::output;
use super::programs::Programs;
use super::systems::Kind;
use crate::ready::Sign;

/// Below the range from which Linux takes ports for clients.
const PORTS: std::ops::Range<u16> = 25_000..31_000;

/// The flags that kafka-server-start.sh and kafka-run-class.sh ship.
const JVM: [&str; 6] = [
    "-server",
    "-XX:+UseG1GC",
    "-XX:MaxGCPauseMillis=20",
    "-XX:InitiatingHeapOccupancyPercent=35",
    "-XX:+ExplicitGCInvokesConcurrent",
    "-Djava.awt.headless=true",
];
const SERVER_LOG: &str = include_str!("../../kafka/log4j2-server.properties");
const TOOLS_LOG: &str = include_str!("../../kafka/log4j2-tools.properties");
/// One node's cluster: any 16 bytes will do.
const CLUSTER_ID: &str = "dGhhbHdlZy1iZW5jaC0wMA";
const FORMAT_LIMIT: Duration = Duration::from_secs(120);

/// A broker's place: started again in it, it finds its data and listens where it did.
pub(super) struct Launch {
    pub(super) kind: Kind,
    pub(super) dir: PathBuf,
    ports: [u16; 3],
    /// Broker settings beyond those that all get.
    settings: Vec<(&'static str, &'static str)>,
}

impl Launch {
    pub(super) fn new(kind: Kind, dir: &Path, settings: &[(&'static str, &'static str)]) -> Result<Self> {
        std::fs::create_dir_all(dir).with_context(|| format!("cannot create {}", dir.display()))?;
        Ok(Self { kind, dir: dir.to_owned(), ports: free_ports()?, settings: settings.to_vec() })
    }

    pub(super) fn bootstrap(&self) -> String {
        let [port, ..] = self.ports;
        format!("127.0.0.1:{port}")
    }

    pub(super) fn log(&self) -> PathBuf {
        self.dir.join("broker.log")
    }

    /// What tells that it serves.
    pub(super) fn sign(&self) -> Sign {
        let [_, second, _] = self.ports;
        match self.kind {
            Kind::Thalweg => Sign::Http(format!("127.0.0.1:{second}")),
            Kind::Kafka | Kind::KafkaDurable => Sign::Metadata(self.bootstrap()),
        }
    }

    /// The command that starts it. What it needs beforehand and only once is done here: Kafka formats its directory.
    pub(super) fn command(&self, programs: &Programs, interrupt: &Interrupt) -> Result<Command> {
        match self.kind {
            Kind::Thalweg => Ok(self.thalweg(programs)),
            Kind::Kafka | Kind::KafkaDurable => self.kafka(programs, interrupt),
        }
    }

    fn thalweg(&self, programs: &Programs) -> Command {
        let [port, admin, rpc] = self.ports;
        let mut command = Command::new(&programs.thalwegd);
        let mut set = |key: &str, value: String| {
            command.args(["--override", &format!("{key}={value}")]);
        };
        set("listeners", format!("PLAINTEXT://127.0.0.1:{port}"));
        set("advertised.listeners", format!("PLAINTEXT://127.0.0.1:{port}"));
        set("thalweg.admin.listener", format!("127.0.0.1:{admin}"));
        set("thalweg.rpc.listener", format!("127.0.0.1:{rpc}"));
        set("log.dirs", self.dir.join("data").display().to_string());
        for (key, value) in &self.settings {
            set(key, (*value).to_owned());
        }
        command
    }

    fn kafka(&self, programs: &Programs, interrupt: &Interrupt) -> Result<Command> {
        let properties = self.dir.join("server.properties");
        let log_config = self.dir.join("log4j2-server.properties");
        if !self.dir.join("data/meta.properties").exists() {
            std::fs::write(&properties, self.server_properties())?;
            std::fs::write(&log_config, SERVER_LOG)?;
            let mut format = tool(programs, &self.dir, "kafka.tools.StorageTool")?;
            format.args(["format", "--standalone", "-t", CLUSTER_ID, "-c"]).arg(&properties);
            output(&mut format, "kafka-storage format", &self.dir, FORMAT_LIMIT, interrupt)?;
        }
        let mut command = java(programs, "1G", &log_config);
        command.arg("-Xms1G").arg("kafka.Kafka").arg(&properties);
        Ok(command)
    }

    /// One combined broker and controller with the values of the shipped server.properties.
    fn server_properties(&self) -> String {
        let [port, controller, _] = self.ports;
        let mut text = format!(
            "process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers=127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
inter.broker.listener.name=PLAINTEXT
controller.listener.names=CONTROLLER
num.network.threads=3
num.io.threads=8
socket.send.buffer.bytes=102400
socket.receive.buffer.bytes=102400
log.dirs={}
num.partitions=1
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
",
            self.dir.join("data").display()
        );
        for (key, value) in &self.settings {
            let _ = writeln!(text, "{key}={value}");
        }
        text
    }
}

fn java(programs: &Programs, heap: &str, log_config: &Path) -> Command {
    let mut java = Command::new("java");
    java.arg(format!("-Xmx{heap}")).args(JVM);
    java.arg(format!("-Dlog4j2.configurationFile={}", log_config.display()));
    java.arg("-cp").arg(programs.libs.join("*"));
    java
}

/// One of Kafka's command line tools.
pub(super) fn tool(programs: &Programs, dir: &Path, class: &str) -> Result<Command> {
    let log_config = dir.join("log4j2-tools.properties");
    std::fs::write(&log_config, TOOLS_LOG).with_context(|| format!("cannot write {}", log_config.display()))?;
    let mut java = java(programs, "512M", &log_config);
    java.arg(class);
    Ok(java)
}

fn free_ports() -> Result<[u16; 3]> {
    let count = PORTS.end - PORTS.start;
    // Runs beside each other begin at different ports.
    let first = u16::try_from(std::process::id().wrapping_mul(31) % u32::from(count))?;
    let mut free = (0..count)
        .map(|step| PORTS.start + (first + step) % count)
        .filter(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok());
    let mut next =
        || free.next().with_context(|| format!("no three ports are free from {} to {}", PORTS.start, PORTS.end));
    Ok([next()?, next()?, next()?])
}
