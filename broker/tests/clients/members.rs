//! Members of every client in one group: they join one after the other while records are written, work, and leave again, and
//! nothing is lost, and nothing comes again that was committed.
//!
//! Each member is a program in its client's language that takes records one by one and commits each. It says what it has
//! `seen` and `committed`, and when, to the microsecond or millisecond. Beside the group, members of a share group read the
//! same topic. (A broker that keeps the offset before the one that was committed lets 127 records come again.)

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use futures::executor::block_on;
use rdkafka::admin::{AdminClient, AdminOptions, AlterConfig, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::producer::{FutureProducer, FutureRecord};

use crate::support::{Broker, Options, Signal, Target, send};

const TOPIC: &str = "worked-on";
const PARTITIONS: i32 = 12;
/// For a member to join and be given work, on a machine that has other things to do.
const PATIENCE: Duration = Duration::from_secs(90);
/// Some clocks are read to the millisecond.
const CLOCK_STEP_US: u64 = 1_000;

/// What starts a member, all but `BOOTSTRAP TOPIC GROUP`.
pub struct Program {
    pub name: &'static str,
    pub command: Command,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum What {
    Seen,
    /// Everything below this offset.
    Committed,
    /// Of a share group: this offset.
    Acknowledged,
}

#[derive(Clone, Debug)]
struct Event {
    member: &'static str,
    what: What,
    at_us: u64,
    partition: i32,
    offset: i64,
    value: String,
}

type Events = Arc<Mutex<Vec<Event>>>;

fn parse(member: &'static str, line: &str) -> Option<Event> {
    let mut words = line.split(' ');
    let what = match words.next()? {
        "seen" => What::Seen,
        "committed" => What::Committed,
        "acknowledged" => What::Acknowledged,
        _ => return None,
    };
    let at_us = words.next()?.parse().ok()?;
    let (partition, offset) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    Some(Event { member, what, at_us, partition, offset, value: words.next().unwrap_or_default().to_owned() })
}

/// A running member. Dropping it kills it.
struct Member {
    name: &'static str,
    child: Child,
    reader: Option<JoinHandle<()>>,
}

impl Member {
    fn start(program: &mut Program, bootstrap: &str, group: &str, events: &Events) -> Self {
        let name = program.name;
        let command = program.command.args([bootstrap, TOPIC, group]).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.process_group(0).spawn().unwrap_or_else(|error| panic!("{name}: {error}"));
        let (output, events) = (BufReader::new(child.stdout.take().unwrap()), Arc::clone(events));
        let reader = std::thread::spawn(move || {
            let lines = output.lines().map_while(Result::ok);
            lines.filter_map(|line| parse(name, &line)).for_each(|event| events.lock().unwrap().push(event));
        });
        Self { name, child, reader: Some(reader) }
    }

    /// SIGTERM: it leaves its group, and ends.
    fn leave(mut self) {
        send(Signal::Term, Target::Process(self.child.id()));
        let deadline = Instant::now() + PATIENCE;
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(Instant::now() < deadline, "{} does not end", self.name);
            std::thread::sleep(Duration::from_millis(20));
        };
        // A JVM that was told to end says so.
        assert!(status.success() || status.code() == Some(143), "{} ended with {status}", self.name);
        self.reader.take().unwrap().join().unwrap();
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn config(bootstrap: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", bootstrap);
    config
}

fn prepare(bootstrap: &str, share_group: &str) {
    let admin: AdminClient<DefaultClientContext> = config(bootstrap).create().unwrap();
    let topic = NewTopic::new(TOPIC, PARTITIONS, TopicReplication::Fixed(1));
    let created = block_on(admin.create_topics([&topic], &AdminOptions::new())).unwrap();
    assert!(created.iter().all(Result::is_ok), "{created:?}");
    let earliest = AlterConfig::new(ResourceSpecifier::Group(share_group)).set("share.auto.offset.reset", "earliest");
    let altered = block_on(admin.alter_configs([&earliest], &AdminOptions::new())).unwrap();
    assert!(altered.iter().all(Result::is_ok), "{altered:?}");
}

/// Writes numbers, in turn over the partitions, until told to stop.
fn write(bootstrap: &str, stop: &AtomicBool, written: &AtomicUsize) {
    let producer: FutureProducer = config(bootstrap).create().unwrap();
    while !stop.load(Ordering::Relaxed) {
        let number = written.load(Ordering::Relaxed);
        let (payload, partition) = (number.to_string(), number as i32 % PARTITIONS);
        let record: FutureRecord<'_, str, str> = FutureRecord::to(TOPIC).partition(partition).payload(&payload);
        block_on(producer.send(record, PATIENCE)).unwrap();
        written.store(number + 1, Ordering::Relaxed);
        std::thread::sleep(Duration::from_millis(15));
    }
}

struct Work<'a> {
    bootstrap: &'a str,
    group: &'static str,
    events: Events,
}

impl Work<'_> {
    fn count(&self, of: impl Fn(&Event) -> bool) -> usize {
        self.events.lock().unwrap().iter().filter(|event| of(event)).count()
    }

    fn until(&self, what: &str, holds: impl Fn() -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !holds() {
            assert!(Instant::now() < deadline, "{what}: not after {PATIENCE:?}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Each of them gets something to do from now on.
    fn all_work(&self, members: &[Member]) {
        let before = self.events.lock().unwrap().len();
        for name in members.iter().map(|member| member.name) {
            self.until(&format!("{name} works, among {} in {}", members.len(), self.group), || {
                let events = self.events.lock().unwrap();
                events[before..].iter().any(|event| event.member == name && event.what != What::Seen)
            });
        }
    }
}

/// Records that came again although they were committed.
fn repeated(events: &[Event]) -> Vec<String> {
    let mut commits: BTreeMap<i32, Vec<(u64, i64)>> = BTreeMap::new();
    for event in events.iter().filter(|event| event.what == What::Committed) {
        commits.entry(event.partition).or_default().push((event.at_us, event.offset));
    }
    let of_partition = |partition| commits.get(&partition).map(Vec::as_slice).unwrap_or_default();
    let seen = events.iter().filter(|event| event.what == What::Seen);
    let again = seen.filter_map(|event| {
        let mut before = of_partition(event.partition).iter();
        let commit = before.find(|(at_us, end)| at_us + CLOCK_STEP_US < event.at_us && *end > event.offset)?;
        Some(format!("{event:?} came again; {commit:?} was committed"))
    });
    again.collect()
}

/// Numbers that nobody has seen.
fn lost(events: &[Event], written: usize) -> Vec<usize> {
    let mut seen = vec![false; written];
    for event in events.iter().filter(|event| event.what == What::Seen) {
        seen[event.value.parse::<usize>().unwrap()] = true;
    }
    (0..written).filter(|number| !seen[*number]).collect()
}

pub fn run(mut programs: Vec<Program>, mut sharing: Vec<Program>) {
    let options = Options::default()
        .property("group.initial.rebalance.delay.ms", 0)
        .property("group.consumer.min.heartbeat.interval.ms", 200)
        .property("group.consumer.heartbeat.interval.ms", 200)
        .property("group.share.min.heartbeat.interval.ms", 200)
        .property("group.share.heartbeat.interval.ms", 200);
    let mut broker = Broker::start(options);
    let bootstrap = broker.bootstrap().to_owned();
    prepare(&bootstrap, "sharing");
    let (stop, written) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let writer = {
        let (bootstrap, stop, written) = (bootstrap.clone(), Arc::clone(&stop), Arc::clone(&written));
        std::thread::spawn(move || write(&bootstrap, &stop, &written))
    };
    let everybody = Work { bootstrap: &bootstrap, group: "everybody", events: Events::default() };
    let sharers = Work { bootstrap: &bootstrap, group: "sharing", events: Events::default() };
    let start =
        |work: &Work<'_>, program: &mut Program| Member::start(program, work.bootstrap, work.group, &work.events);
    let shared: Vec<Member> = sharing.iter_mut().map(|program| start(&sharers, program)).collect();
    let mut members = Vec::new();
    for program in &mut programs {
        members.push(start(&everybody, program));
        everybody.all_work(&members);
    }
    sharers.all_work(&shared);
    // They leave in the order in which they came, so that the leader goes first; the last one is left with everything.
    while members.len() > 1 {
        members.remove(0).leave();
        everybody.all_work(&members);
    }
    stop.store(true, Ordering::Relaxed);
    writer.join().unwrap();
    let written = written.load(Ordering::Relaxed);
    everybody.until("all is read", || lost(&everybody.events.lock().unwrap(), written).is_empty());
    sharers.until("all is acknowledged", || sharers.count(|event| event.what == What::Acknowledged) >= written);
    members.into_iter().chain(shared).for_each(Member::leave);
    let again = repeated(&everybody.events.lock().unwrap());
    assert!(again.is_empty(), "{} records came again, the first: {:#?}", again.len(), &again[..again.len().min(5)]);
    let events = sharers.events.lock().unwrap();
    let mut acknowledged: Vec<_> = events
        .iter()
        .filter(|event| event.what == What::Acknowledged)
        .map(|event| (event.partition, event.offset))
        .collect();
    acknowledged.sort_unstable();
    acknowledged.dedup();
    assert_eq!((acknowledged.len(), events.len()), (written, 2 * written), "each is seen and acknowledged once");
    drop(events);
    broker.stop();
}

mod tests {
    use super::*;

    #[test]
    fn what_comes_again_is_found() {
        let event =
            |what, at_us, offset| Event { member: "one", what, at_us, partition: 0, offset, value: offset.to_string() };
        let committed = [event(What::Seen, 0, 0), event(What::Committed, 5_000, 1)];
        assert!(repeated(&committed).is_empty());
        assert_eq!(lost(&committed, 2), [1]);
        let again = [committed.to_vec(), vec![event(What::Seen, 9_000, 0)]].concat();
        assert_eq!(repeated(&again).len(), 1);
        // What was not committed may come again.
        assert!(repeated(&[event(What::Seen, 0, 0), event(What::Seen, 9_000, 0)]).is_empty());
    }
}
