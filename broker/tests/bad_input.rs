//! What a hostile or broken client, and a mistaken operator, meet: Kafka's error code, or a closed connection with one
//! line in the log; and everybody else is served meanwhile.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
#![allow(unreachable_pub, reason = "one program of several files")]

mod support;

#[path = "bad_input/body.rs"]
mod body;
#[path = "bad_input/every_api.rs"]
mod every_api;
#[path = "bad_input/exchange.rs"]
mod exchange;
#[path = "bad_input/fields.rs"]
mod fields;
#[path = "bad_input/frames.rs"]
mod frames;
#[path = "bad_input/node.rs"]
mod node;
#[path = "bad_input/nodes.rs"]
mod nodes;
#[path = "bad_input/random.rs"]
mod random;
#[path = "bad_input/records.rs"]
mod records;
#[path = "bad_input/startup.rs"]
mod startup;
#[path = "bad_input/wire.rs"]
mod wire;

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::{Duration, Instant};

use support::{Broker, Options};
use wire::{Client, PATIENCE, Reply};

/// `thalweg.memory.bytes` where mutants are sent.
const MEMORY_BYTES: u64 = 128 << 20;
/// The most that the broker may have had resident at any time: twice that budget, and what it takes besides.
const PEAK_MAX_KIB: u64 = 384 << 10;
const SEED: u64 = 0x7468_616c_7765_6721;

/// One broker, one client that behaves, and all the others.
#[test]
fn other_clients_do_not_notice() {
    let options = Options::default()
        .property("socket.request.max.bytes", frames::REQUEST_MAX_BYTES)
        .property("connections.max.idle.ms", 5000);
    beside_a_healthy_client(options, misbehave);
}

/// What can be decoded and makes no sense. Connections are not reaped here: that would hide an answer that is lost.
#[test]
fn no_field_is_trusted() {
    let options = Options::default()
        .property("thalweg.memory.bytes", MEMORY_BYTES)
        .property("group.initial.rebalance.delay.ms", 0)
        .property("group.min.session.timeout.ms", 100)
        .property("group.max.session.timeout.ms", 6000)
        // Each mutant of a share session's request has a session of its own, and none is closed.
        .property("group.share.max.share.sessions", 100_000);
    beside_a_healthy_client(options, |broker| {
        fields::well_formed(broker);
        let began = Instant::now();
        let mutants = fields::mutants(broker);
        println!("{mutants} mutants in {:?}", began.elapsed());
        random::absurd_counts(broker);
        let readable = random::mutations(broker, SEED);
        assert!(readable > 30, "{readable} % of the random mutations reach a handler");
        let peak = memory_kib(broker.pid(), "VmHWM:");
        println!("{peak} KiB resident at most");
        assert!(peak < PEAK_MAX_KIB, "{peak} KiB resident at most, and {PEAK_MAX_KIB} are allowed");
    });
}

/// Other nodes are somebody else, too: one that behaves as none should does no harm.
#[test]
fn clients_do_not_notice_what_calls_for_other_nodes() {
    let _ = rustix::process::setrlimit(
        rustix::process::Resource::Nofile,
        rustix::process::Rlimit { current: Some(8192), maximum: Some(8192) },
    );
    let [port] = support::free_ports();
    let rpc = format!("127.0.0.1:{port}");
    let options = Options::default().property("thalweg.rpc.listener", &rpc);
    beside_a_healthy_client(options, |broker| {
        let target = nodes::Target::new(broker, &rpc);
        let before = memory_kib(broker.pid(), "VmHWM:");
        nodes::strangers(&target);
        nodes::misconfigured(&target);
        nodes::those_who_do_not_belong_yet(&target);
        nodes::mad_members(&target);
        nodes::half_introductions(&target);
        nodes::flood(&target);
        let grown = memory_kib(broker.pid(), "VmHWM:") - before;
        assert!(grown < 64 << 10, "strangers and nodes took {grown} KiB");
        nodes::greedy(&target);
        let grown = memory_kib(broker.pid(), "VmHWM:") - before;
        println!("{grown} KiB more resident at most");
        assert!(grown < 256 << 10, "one who does not read took {grown} KiB");
    });
}

fn beside_a_healthy_client(options: Options, misbehave: impl Fn(&Broker)) {
    let mut broker = Broker::start(options.property("auto.create.topics.enable", false));
    let (over, rounds) = (AtomicBool::new(false), AtomicI64::new(0));
    std::thread::scope(|scope| {
        let healthy = scope.spawn(|| behave(broker.bootstrap(), &over, &rounds));
        let bad = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| misbehave(&broker)));
        // On a busy machine few rounds fit in between; the broker may have come to harm all the same.
        let deadline = Instant::now() + Duration::from_secs(30);
        while rounds.load(Ordering::Acquire) <= 10 && !healthy.is_finished() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(20));
        }
        over.store(true, Ordering::Release);
        healthy.join().unwrap();
        bad.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        let rounds = rounds.load(Ordering::Acquire);
        assert!(rounds > 10, "{rounds} rounds of the healthy client");
    });
    assert!(!broker.log().contains("panicked"), "{}", broker.log_tail());
    broker.stop();
}

fn misbehave(broker: &Broker) {
    frames::frames(broker);
    frames::unknown_apis(broker);
    frames::api_versions_of_the_future(broker);
    frames::slow_frames(broker);
    records::records(&mut Client::connect(broker.bootstrap()), "records");
    records::topic_names(&mut Client::connect(broker.bootstrap()));
    flood(broker);
    let peak = memory_kib(broker.pid(), "VmHWM:");
    assert!(peak < PEAK_MAX_KIB, "{peak} KiB resident at most, and {PEAK_MAX_KIB} are allowed");
}

/// Writes and reads until it is told to stop; how often.
fn behave(bootstrap: &str, over: &AtomicBool, rounds: &AtomicI64) {
    let mut client = Client::connect(bootstrap);
    assert_eq!(records::create(&mut client, "healthy"), 0);
    while !over.load(Ordering::Acquire) {
        let (began, round) = (Instant::now(), rounds.load(Ordering::Acquire));
        assert_eq!(records::produced(&mut client, "healthy", records::batch(b"healthy")), (0, round));
        let read = client.ask(12, &records::fetch("healthy"));
        let partition = &read.responses[0].partitions[0];
        assert!(partition.records.as_ref().is_some_and(|records| !records.is_empty()), "round {round}: {partition:?}");
        assert!(began.elapsed() < Duration::from_secs(5), "a round took {:?}", began.elapsed());
        rounds.store(round + 1, Ordering::Release);
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Many connections that claim large frames and send little of them: memory follows what was sent.
fn flood(broker: &Broker) {
    let before = memory_kib(broker.pid(), "VmRSS:");
    let mut clients: Vec<Client> = (0..300).map(|_| Client::connect(broker.bootstrap())).collect();
    for client in &mut clients {
        client.send(&[0, 0x3f, 0, 0, 0, 3, 0]);
    }
    std::thread::sleep(Duration::from_millis(300));
    let grown = memory_kib(broker.pid(), "VmRSS:").saturating_sub(before);
    assert!(grown < 128 << 10, "300 beginnings of frames took {grown} KiB");
}

/// `VmRSS:` is what is resident now, `VmHWM:` the most that ever was.
fn memory_kib(pid: u32, field: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with(field)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn requests_that_do_not_arrive_whole() {
    let receive_max = Duration::from_millis(700);
    let options = Options::default().property("thalweg.request.receive.max.ms", receive_max.as_millis());
    let mut broker = Broker::start(options);
    frames::frames_without_end(&broker, receive_max);
    broker.stop();
}

/// Closed by a limit, with a line, and served again once the others left.
#[test]
fn too_many_connections() {
    for (key, message) in [("max.connections", "connection refused"), ("max.connections.per.ip", "connection refused")]
    {
        let broker = Broker::start(Options::default().cores(1).property(key, 3));
        let mut taken: Vec<Client> = (0..3).map(|_| Client::connect(broker.bootstrap())).collect();
        for client in &mut taken {
            client.ask(3, &thalweg_protocol::messages::ApiVersionsRequest::default());
        }
        let mut refused = Client::connect(broker.bootstrap());
        assert!(matches!(refused.reply(PATIENCE), Reply::Closed));
        frames::one_line(&broker, &refused, message);
        drop(taken);
        recovers(&broker);
    }
}

fn recovers(broker: &Broker) {
    let deadline = Instant::now() + PATIENCE;
    let request = wire::frame(&wire::request_bytes(3, &thalweg_protocol::messages::ApiVersionsRequest::default()));
    loop {
        let mut client = Client::connect(broker.bootstrap());
        if client.send(&request) && matches!(client.reply(PATIENCE), Reply::Answer(_)) {
            return;
        }
        assert!(Instant::now() < deadline, "no connection is served again");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Frames that are announced and never come hold no memory that somebody else waits for.
#[test]
fn announced_lengths_claim_nothing() {
    let broker = Broker::start(Options::default());
    let mut before = Client::connect(broker.bootstrap());
    let hold: Vec<Client> = (0..40)
        .map(|_| {
            let mut client = Client::connect(broker.bootstrap());
            assert!(client.send(&[0x06, 0x00, 0x00, 0x00, 0, 3, 0, 12]));
            client
        })
        .collect();
    std::thread::sleep(Duration::from_millis(200));
    let began = Instant::now();
    for client in [&mut before, &mut Client::connect(broker.bootstrap())] {
        assert_eq!(records::create(client, "a b"), 17);
    }
    assert!(began.elapsed() < Duration::from_secs(5), "others waited {:?}", began.elapsed());
    drop(hold);
}
