//! Kafka Streams with exactly_once_v2, beside a broker that is killed and stopped while it works.

use std::time::Duration;

use super::jvm::Jars;
use super::suite::{self, Expected};
use super::support::{Broker, Options};

const LINES: u32 = 6000;

/// After how many written lines something happens to the broker.
const KILLED_AT: [&str; 2] = ["progress 1500\n", "progress 4500\n"];
const STOPPED_AT: &str = "progress 3000\n";

pub fn run(jars: &Jars) {
    let mut broker = Broker::start(Options::default().property("group.initial.rebalance.delay.ms", 0));
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let mut java = jars.java("thalweg.ecosystem.StreamsExact");
    java.arg(broker.bootstrap()).arg(dir.path()).arg(LINES.to_string());
    let expected = Expected { suite: "streams", checks_min: 2, timeout: Duration::from_secs(300) };
    let (mut kills, mut stops) = (0, 0);
    suite::run_beside(expected, java, &suite::log_path("streams"), |said| {
        if KILLED_AT.get(kills).is_some_and(|moment| said.contains(moment)) {
            kills += 1;
            broker.restart();
        }
        if stops == 0 && said.contains(STOPPED_AT) {
            stops += 1;
            broker.stop();
            broker.restart();
        }
    });
    assert_eq!((kills, stops), (KILLED_AT.len(), 1), "the broker was killed and stopped meanwhile");
    broker.stop();
}
