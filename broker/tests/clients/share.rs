//! A share group of a Java member, whose broker is killed: what was acknowledged does not come again, and everything else does.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::suite::{self, Expected};
use crate::support::{Broker, Options};

const TIMEOUT: Duration = Duration::from_secs(90);

pub fn run(java: &Path) {
    let options = Options::default()
        .property("group.share.min.heartbeat.interval.ms", 200)
        .property("group.share.heartbeat.interval.ms", 200);
    let mut broker = Broker::start(options);
    step(&broker, java, "before");
    broker.kill9();
    broker.restart();
    step(&broker, java, "after");
    broker.stop();
}

fn step(broker: &Broker, java: &Path, name: &str) {
    let mut program = Command::new("java");
    program.args(["-Xmx256M", "-XX:TieredStopAtLevel=1", "-cp"]);
    program.arg(format!("{0}/classes:{0}/libs/*", java.display())).arg("thalweg.clients.ShareRestart");
    program.args([broker.bootstrap(), name]);
    let suite = "share-restart";
    suite::run(
        Expected { suite, checks_min: 1, timeout: TIMEOUT },
        program,
        &suite::log_path(&format!("{suite}-{name}")),
    );
}
