//! Kafka Connect, distributed: lines of a file into a topic and into another file, while the broker is killed and the
//! worker is stopped.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rdkafka::Message as _;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

use super::jvm::{Jars, Jvm};
use super::support::{Broker, Options, free_ports, request};

const PATIENCE: Duration = Duration::from_secs(120);
const TOPIC: &str = "lines";

/// A worker of a cluster of one.
struct Worker<'a> {
    jars: &'a Jars,
    dir: &'a Path,
    rest: String,
}

impl Worker<'_> {
    fn configure(&self, bootstrap: &str) {
        // A source exactly once: its records and its offsets are in one transaction.
        let settings = format!(
            "bootstrap.servers={bootstrap}\ngroup.id=connect\nlisteners=http://{}\n\
             exactly.once.source.support=enabled\noffset.flush.interval.ms=500\nscheduled.rebalance.max.delay.ms=0\n\
             key.converter=org.apache.kafka.connect.storage.StringConverter\n\
             value.converter=org.apache.kafka.connect.storage.StringConverter\n\
             config.storage.topic=connect-configs\nconfig.storage.replication.factor=1\n\
             offset.storage.topic=connect-offsets\noffset.storage.replication.factor=1\noffset.storage.partitions=3\n\
             status.storage.topic=connect-status\nstatus.storage.replication.factor=1\nstatus.storage.partitions=2\n",
            self.rest
        );
        fs::write(self.dir.join("worker.properties"), settings).unwrap();
    }

    fn start(&self) -> Jvm {
        let mut java = self.jars.java("org.apache.kafka.connect.cli.ConnectDistributed");
        java.arg(self.dir.join("worker.properties"));
        let mut worker = Jvm::start("connect", java, self.dir.join("connect.log"));
        worker.wait_until("it serves", PATIENCE, || {
            request("GET", &self.rest, "/connectors", "").is_ok_and(|(status, _)| status == 200)
        });
        worker
    }

    /// Asks for a connector until the worker takes it: it refuses while it looks for its group.
    fn connector(&self, worker: &mut Jvm, name: &str, config: &str) {
        let body = format!(r#"{{"name":"{name}","config":{{"tasks.max":"1",{config}}}}}"#);
        let mut said = (0, String::new());
        worker.wait_until(name, PATIENCE, || {
            said = request("POST", &self.rest, "/connectors", &body).unwrap_or_default();
            assert!(said.0 != 400, "{name}: {}", said.1);
            matches!(said.0, 201 | 409) && (said.0 == 201 || said.1.contains("already exists"))
        });
    }
}

/// Lines are appended to a file from here.
struct Input {
    file: File,
    lines: Vec<String>,
}

impl Input {
    fn append(&mut self, count: usize) {
        for _ in 0..count {
            let line = format!("line {} of the river", self.lines.len());
            writeln!(self.file, "{line}").unwrap();
            self.lines.push(line);
        }
        self.file.flush().unwrap();
    }
}

/// The lines that came out, each at its first appearance: a sink is told again what it did not commit.
fn came_out(output: &Path) -> Vec<String> {
    let text = fs::read_to_string(output).unwrap_or_default();
    let mut seen = std::collections::HashSet::new();
    text.lines().filter(|line| seen.insert(line.to_string())).map(str::to_owned).collect()
}

pub fn run(jars: &Jars) {
    let mut broker = Broker::start(Options::default().property("group.initial.rebalance.delay.ms", 0));
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let (from, to): (PathBuf, PathBuf) = (dir.path().join("from.txt"), dir.path().join("to.txt"));
    let mut input = Input { file: File::create(&from).unwrap(), lines: Vec::new() };
    let [rest] = free_ports();
    let worker = Worker { jars, dir: dir.path(), rest: format!("127.0.0.1:{rest}") };
    worker.configure(broker.bootstrap());
    let mut running = worker.start();
    let source = format!(
        r#""connector.class":"org.apache.kafka.connect.file.FileStreamSourceConnector","topic":"{TOPIC}","file":"{}""#,
        from.display()
    );
    let sink = format!(
        r#""connector.class":"org.apache.kafka.connect.file.FileStreamSinkConnector","topics":"{TOPIC}","file":"{}""#,
        to.display()
    );
    worker.connector(&mut running, "source", &source);
    worker.connector(&mut running, "sink", &sink);

    let arrive = |running: &mut Jvm, input: &Input| {
        running.wait_until("all lines come out", PATIENCE, || came_out(&to).len() >= input.lines.len());
        assert_eq!(came_out(&to), input.lines);
    };
    input.append(1000);
    arrive(&mut running, &input);
    input.append(1000);
    broker.restart();
    input.append(1000);
    arrive(&mut running, &input);
    running.stop();
    input.append(500);
    broker.stop();
    broker.restart();
    let mut running = worker.start();
    arrive(&mut running, &input);
    assert_eq!(consumed(broker.bootstrap(), input.lines.len()), input.lines, "the topic has each line once");
    running.stop();
    broker.stop();
}

/// What committed transactions wrote to the topic's only partition.
fn consumed(bootstrap: &str, at_least: usize) -> Vec<String> {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", bootstrap).set("group.id", "look").set("isolation.level", "read_committed");
    config.set("enable.partition.eof", "true");
    let consumer: BaseConsumer = config.create().unwrap();
    let mut places = TopicPartitionList::new();
    places.add_partition_offset(TOPIC, 0, Offset::Beginning).unwrap();
    consumer.assign(&places).unwrap();
    let (mut lines, deadline) = (Vec::new(), Instant::now() + PATIENCE);
    loop {
        assert!(Instant::now() < deadline, "{} lines are in the topic", lines.len());
        match consumer.poll(Duration::from_millis(500)) {
            Some(Ok(record)) => lines.push(String::from_utf8(record.payload().unwrap().to_vec()).unwrap()),
            Some(Err(rdkafka::error::KafkaError::PartitionEOF(_))) if lines.len() >= at_least => return lines,
            _ => {}
        }
    }
}
