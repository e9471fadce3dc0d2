//! The generator against brokers that do what real ones seldom do on demand.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use clap::Parser as _;
use thalweg_protocol::messages::api_versions_response::ApiVersion;
use thalweg_protocol::messages::metadata_response::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use thalweg_protocol::messages::produce_response::{PartitionProduceResponse, TopicProduceResponse};
use thalweg_protocol::messages::{
    ApiKey, ApiVersionsResponse, BrokerId, MetadataRequest, MetadataResponse, ProduceRequest, ProduceResponse,
};
use thalweg_protocol::records::{BatchHeader, batches};
use thalweg_protocol::{StrBytes, decode_request, encode_response, parse_head};

use super::{Args, measure};
use crate::result::{Flow, RunResult};

const PARTITIONS: i32 = 3;

/// What the broker does with a Produce request, given the time since it took its first.
type Behaviour = Arc<dyn Fn(Duration) -> Deed + Send + Sync>;

enum Deed {
    Acknowledge,
    Refuse(i16),
    Hang(Duration),
    Garbage,
    Close,
}

/// A broker that leads every partition of every topic.
struct FakeBroker {
    address: String,
}

impl FakeBroker {
    fn start(behaviour: impl Fn(Duration) -> Deed + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let behaviour: Behaviour = Arc::new(behaviour);
        let port = i32::from(address.port());
        // Ends with the test's process.
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let behaviour = Arc::clone(&behaviour);
                std::thread::spawn(move || serve(stream.unwrap(), port, &behaviour));
            }
        });
        Self { address: address.to_string() }
    }

    fn run(&self, flags: &[&str]) -> (RunResult, Option<String>) {
        #[derive(clap::Parser)]
        struct Line {
            #[command(flatten)]
            args: Args,
        }
        let line = ["run", "--bootstrap", &self.address, "--topic", "t", "--size", "100"];
        let args = Line::parse_from(line.iter().chain(flags)).args;
        let (report, failure) = measure(args.scenario().unwrap(), None, |_| {}).unwrap();
        (report, failure.map(|failure| format!("{failure:#}")))
    }
}

fn serve(mut stream: TcpStream, port: i32, behaviour: &Behaviour) {
    stream.set_nodelay(true).unwrap();
    let mut began = None;
    while let Some(mut frame) = read(&mut stream) {
        let head = parse_head(&mut frame).unwrap();
        let version = head.api_version;
        let answer = if head.api_key == ApiKey::Metadata as i16 {
            let request: MetadataRequest = decode_request(&mut frame, version).unwrap();
            encode_response(head.correlation_id, version, &metadata(&request, port)).unwrap()
        } else if head.api_key == ApiKey::ApiVersions as i16 {
            encode_response(head.correlation_id, version, &api_versions()).unwrap()
        } else {
            let request: ProduceRequest = decode_request(&mut frame, version).unwrap();
            let code = match behaviour(began.get_or_insert_with(Instant::now).elapsed()) {
                Deed::Acknowledge => 0,
                Deed::Refuse(code) => code,
                Deed::Hang(time) => {
                    std::thread::sleep(time);
                    0
                }
                Deed::Garbage => {
                    let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
                    return;
                }
                Deed::Close => return,
            };
            encode_response(head.correlation_id, version, &acknowledge(request, code)).unwrap()
        };
        if stream.write_all(&answer).is_err() {
            return;
        }
    }
}

fn read(stream: &mut TcpStream) -> Option<Bytes> {
    let mut prefix = [0; 4];
    stream.read_exact(&mut prefix).ok()?;
    let mut frame = vec![0; u32::from_be_bytes(prefix) as usize];
    stream.read_exact(&mut frame).ok()?;
    Some(frame.into())
}

fn api_versions() -> ApiVersionsResponse {
    let served = [(ApiKey::Produce, 3, 12), (ApiKey::Metadata, 0, 13), (ApiKey::ApiVersions, 0, 3)];
    let served = served.map(|(api, min, max)| {
        ApiVersion::default().with_api_key(api as i16).with_min_version(min).with_max_version(max)
    });
    ApiVersionsResponse::default().with_api_keys(served.to_vec())
}

fn metadata(request: &MetadataRequest, port: i32) -> MetadataResponse {
    let broker = MetadataResponseBroker::default()
        .with_node_id(BrokerId(1))
        .with_host(StrBytes::from_static_str("127.0.0.1"))
        .with_port(port);
    let partition =
        |index| MetadataResponsePartition::default().with_partition_index(index).with_leader_id(BrokerId(1));
    let topic = MetadataResponseTopic::default()
        .with_name(request.topics.as_ref().unwrap()[0].name.clone())
        .with_partitions((0..PARTITIONS).map(partition).collect());
    MetadataResponse::default().with_brokers(vec![broker]).with_topics(vec![topic])
}

fn flow(result: &RunResult) -> &Flow {
    &result.steps[0].flows[0]
}

/// Looks at the batches as a broker would.
fn acknowledge(request: ProduceRequest, code: i16) -> ProduceResponse {
    let topics = request.topic_data.into_iter().map(|topic| {
        let partitions = topic.partition_data.into_iter().map(|partition| {
            let records = partition.records.unwrap();
            for batch in batches(&records) {
                let batch = batch.unwrap();
                batch.check_crc().unwrap();
                assert!(batch.header.records_count > 0 && records.len() > BatchHeader::LEN);
            }
            PartitionProduceResponse::default().with_index(partition.index).with_error_code(code)
        });
        TopicProduceResponse::default().with_name(topic.name).with_partition_responses(partitions.collect())
    });
    ProduceResponse::default().with_responses(topics.collect())
}

#[test]
fn a_stall_shows_in_the_percentiles_of_all_who_should_have_been_sent_meanwhile() {
    // A fifth of a second in two: a tenth of all records is late by up to that.
    let stall = Duration::from_millis(200);
    let stalled = std::sync::atomic::AtomicBool::new(false);
    let broker = FakeBroker::start(move |since| {
        if since > Duration::from_millis(800) && !stalled.swap(true, std::sync::atomic::Ordering::Relaxed) {
            Deed::Hang(stall)
        } else {
            Deed::Acknowledge
        }
    });
    let (report, failure) = broker.run(&["--rate", "2000", "--warmup", "0", "--duration", "2", "--in-flight", "1"]);
    assert_eq!(failure, None);
    let latency = flow(&report).latencies["latency"].us;
    assert!(latency.p50 < 50_000.0, "{latency:?}");
    assert!(latency.max > 190_000.0, "{latency:?}");
    // A closed loop would have one late record in thousands: its p99 would show nothing.
    assert!((150_000.0..400_000.0).contains(&latency.p99), "{latency:?}");
    assert!(
        flow(&report).latencies["service"].us.p90 < 150_000.0,
        "few requests were sent meanwhile: {:?}",
        flow(&report).latencies["service"].us
    );
}

#[test]
fn an_offered_rate_is_met() {
    let broker = FakeBroker::start(|_| Deed::Acknowledge);
    for flags in [&["--producers", "1"][..], &["--producers", "3", "--spread", "record", "--linger-ms", "2", "--keys"]]
    {
        let timing = ["--rate", "10000", "--warmup", "1", "--duration", "2", "--ramp", "1"];
        let (report, failure) = broker.run(&[&timing[..], flags].concat());
        assert_eq!((failure, flow(&report).refused.len()), (None, 0));
        assert!((19_800..=20_200).contains(&flow(&report).records), "{} of 20 000", flow(&report).records);
    }
}

#[test]
fn without_a_rate_it_sends_as_fast_as_it_is_answered_and_stops_in_time() {
    let broker = FakeBroker::start(|_| Deed::Hang(Duration::from_millis(10)));
    let began = Instant::now();
    let flags = ["--warmup", "0", "--duration", "1", "--in-flight", "1", "--batch-bytes", "1000", "--buffer-mib", "1"];
    let (report, failure) = broker.run(&flags);
    assert_eq!(failure, None);
    // A request each 10 ms at most, with a batch of ten records for each of three partitions.
    assert!((300..=3300).contains(&flow(&report).records), "{}", flow(&report).records);
    assert!(began.elapsed() < Duration::from_secs(15), "what waits at the end is sent or given up");
}

#[test]
fn refused_records_are_counted_by_error_and_have_no_latency() {
    let broker = FakeBroker::start(|_| Deed::Refuse(19));
    let (report, failure) = broker.run(&["--rate", "1000", "--warmup", "0", "--duration", "1"]);
    assert_eq!((failure, flow(&report).records), (None, 0));
    let refused: Vec<_> = flow(&report).refused.iter().map(|(error, records)| (error.as_str(), *records)).collect();
    assert_eq!(refused, [("NOT_ENOUGH_REPLICAS", 1000)]);
}

#[test]
fn a_target_that_dies_or_answers_garbage_ends_the_run_with_what_was_measured() {
    for (dies, said) in [(true, "no answer came"), (false, "Kafka's protocol")] {
        let deed = move || if dies { Deed::Close } else { Deed::Garbage };
        let broker =
            FakeBroker::start(move |since| if since < Duration::from_millis(500) { Deed::Acknowledge } else { deed() });
        let began = Instant::now();
        let (report, failure) = broker.run(&["--rate", "1000", "--warmup", "0", "--duration", "30"]);
        assert!(began.elapsed() < Duration::from_secs(10), "it does not go on to the end");
        let failure = failure.unwrap();
        assert!(failure.contains(said) && failure.contains(&broker.address), "{failure}");
        assert!((300..=700).contains(&flow(&report).records), "{}", flow(&report).records);
        assert!(report.steps[0].measured_s < 5.0, "{}", report.steps[0].measured_s);
    }
}
