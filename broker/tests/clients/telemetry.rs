//! Kafka's own producer and consumer push their metrics (KIP-714), as kafka-client-metrics asks them to.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::{Broker, Options};

/// Java starts, asks, and pushes a first time.
const PUSHED_WITHIN: Duration = Duration::from_secs(90);

struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn java(libs: &Path, class: &str, arguments: &[&str]) -> Command {
    let mut java = Command::new("java");
    java.args(["-Xmx256M", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp"]);
    java.arg(format!("{}/*", libs.display())).arg(class).args(arguments);
    java.stdin(Stdio::null());
    java
}

/// Values of the metrics page whose line has all of these.
fn found(page: &str, parts: &[&str]) -> Vec<f64> {
    let lines = page.lines().filter(|line| !line.starts_with('#') && parts.iter().all(|part| line.contains(part)));
    lines.map(|line| line.rsplit_once(' ').unwrap().1.parse().unwrap()).collect()
}

pub fn run(libs: &Path) {
    let broker = Broker::start(Options::default());
    let bootstrap = broker.bootstrap();
    let subscribe =
        ["--bootstrap-server", bootstrap, "--alter", "--name", "all", "--metrics", "*", "--interval", "200"];
    let subscribe =
        [&subscribe[..], &["--match", "client_id=pushing-.*,client_software_name=apache-kafka-java"]].concat();
    let output = java(libs, "org.apache.kafka.tools.ClientMetricsCommand", &subscribe).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    // One that is asked, and one that is not.
    let _running: Vec<Running> = ["pushing-one", "silent-one"]
        .map(|client_id| {
            let servers = format!("bootstrap.servers={bootstrap}");
            let client_id = format!("client.id={client_id}");
            let arguments =
                ["--topic", "t", "--num-records", "100000000", "--record-size", "100", "--throughput", "100"];
            let properties = ["--command-property", &servers, &client_id, "acks=all"];
            let mut java =
                java(libs, "org.apache.kafka.tools.ProducerPerformance", &[&arguments[..], &properties].concat());
            Running(java.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
        })
        .into();
    let deadline = Instant::now() + PUSHED_WITHIN;
    let sent = ["thalweg_client_", "record_send_total", "client_id=\"pushing-one\"", "client_software_version=\"4."];
    let mut page = String::new();
    let mut grows = |least: f64| loop {
        page = broker.admin_get("/metrics").unwrap().1;
        match found(&page, &sent).first() {
            Some(count) if *count > least => return *count,
            _ => assert!(Instant::now() < deadline, "nothing was pushed, or it does not grow:\n{page}"),
        }
        std::thread::sleep(Duration::from_millis(100));
    };
    let first = grows(0.0);
    grows(first);
    assert!(page.contains("# TYPE thalweg_client_org_apache_kafka_producer_"), "{page}");
    assert_eq!(found(&page, &["silent-one"]), Vec::<f64>::new());
}
