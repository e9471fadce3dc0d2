//! Latency of one record at a time: one Produce request in flight over one connection.
//!
//! A closed loop, so a stall delays what follows it instead of adding to it: right for "what does one record take",
//! wrong for "what does a given rate take", which needs an open loop.

use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use thalweg_protocol::TimestampMs;
use thalweg_protocol::messages::ProduceRequest;
use thalweg_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use thalweg_protocol::records::BatchBuilder;

use crate::client::Target;
use crate::client::cluster::{PRODUCE_VERSION, check, metadata, single_leader, topic_name};
use crate::client::wire::Connection;
use crate::load::Payload;
use crate::summary::{Output, Timings, print};

#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    #[command(flatten)]
    target: Target,
    /// A partition, a list such as 0,3,5, or `all`: in turn
    #[arg(long, alias = "partition", default_value = "0")]
    partitions: String,
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    records: u64,
    /// Records sent before the clock counts
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u64).range(0..=1_000_000))]
    warmup: u64,
    /// Bytes of each record's value
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    size: u32,
    /// -1: all in-sync replicas; 1: the leader
    #[arg(long, default_value_t = -1, value_parser = parse_acks, allow_hyphen_values = true)]
    acks: i16,
    /// Ends the run after so long, with what was measured until then
    #[arg(long, default_value_t = 120)]
    seconds: u64,
    #[command(flatten)]
    output: Output,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let timeout = Duration::from_secs(30);
    let mut connection = Connection::open(&args.target.bootstrap, timeout)?;
    let answer = metadata(&mut connection, Some(&args.target.topic))?;
    let (count, leader) = single_leader(&answer).with_context(|| format!("topic {}", args.target.topic))?;
    let partitions = parse_partitions(&args.partitions, count)?;
    // The leader itself, by its advertised address, as any client would.
    let mut connection = Connection::open(&leader, timeout)?;
    let mut payload = Payload::new(args.size as usize, 0, 1);
    let value = payload.next(args.size as usize, &[0; 16]);
    let deadline = Instant::now() + Duration::from_secs(args.seconds);
    let mut timings = Timings::new()?;
    let mut turn = partitions.iter().cycle();
    for sent in 0..args.warmup + args.records {
        let partition = *turn.next().context("no partition to send to")?;
        let took = one(&mut connection, args, partition, value).with_context(|| format!("after {sent} records"))?;
        if sent >= args.warmup {
            timings.record(took);
        }
        if Instant::now() > deadline {
            eprintln!("thalweg-bench: stopped at the limit of {} s, after {} records", args.seconds, sent + 1);
            break;
        }
    }
    let summary = timings.summary(format!("produce {} B acks={} partitions={}", args.size, args.acks, args.partitions));
    if summary.count == 0 {
        bail!("the time limit ended the run before its warm-up did");
    }
    print(args.output, &[summary])
}

/// Sends one record. Building the request and reading the answer's fields are not in the time.
fn one(connection: &mut Connection, args: &Args, partition: i32, value: &[u8]) -> Result<Duration> {
    let data = PartitionProduceData::default().with_index(partition).with_records(Some(batch(value)?));
    let topic = TopicProduceData::default().with_name(topic_name(&args.target.topic)).with_partition_data(vec![data]);
    let request = ProduceRequest::default().with_acks(args.acks).with_timeout_ms(30_000).with_topic_data(vec![topic]);
    let frame = connection.frame(&request, PRODUCE_VERSION)?;
    let began = Instant::now();
    let answer = connection.exchange(&frame)?;
    let took = began.elapsed();
    let answer = connection.open_answer::<ProduceRequest>(answer, PRODUCE_VERSION)?;
    let partition_answer = answer
        .responses
        .first()
        .and_then(|topic| topic.partition_responses.first())
        .context("the broker's answer names no partition")?;
    check(&format!("partition {partition}"), partition_answer.error_code)?;
    Ok(took)
}

fn batch(value: &[u8]) -> Result<Bytes> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
    let mut batch = BatchBuilder::new();
    batch.push(TimestampMs(i64::try_from(now.as_millis())?), None, Some(value), &[])?;
    Ok(batch.build()?.freeze())
}

/// Without acknowledgement there would be no latency to measure.
pub(crate) fn parse_acks(text: &str) -> Result<i16, String> {
    match text {
        "-1" | "all" => Ok(-1),
        "1" => Ok(1),
        _ => Err("acks is -1 (all) or 1".to_owned()),
    }
}

fn parse_partitions(text: &str, count: i32) -> Result<Vec<i32>> {
    if text == "all" {
        return Ok((0..count).collect());
    }
    let parse = |part: &str| {
        let partition: i32 = part.trim().parse().with_context(|| format!("`{part}` is not a partition"))?;
        if !(0..count).contains(&partition) {
            bail!("the topic has partitions 0 to {}, not {partition}", count - 1);
        }
        Ok(partition)
    };
    text.split(',').map(parse).collect()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn partitions_are_one_several_or_all() {
        assert_eq!(parse_partitions("2", 3).unwrap(), [2]);
        assert_eq!(parse_partitions("0, 2", 3).unwrap(), [0, 2]);
        assert_eq!(parse_partitions("all", 3).unwrap(), [0, 1, 2]);
        for wrong in ["3", "-1", "x", "", "0,,1"] {
            parse_partitions(wrong, 3).unwrap_err();
        }
    }

    #[test]
    fn a_target_that_answers_garbage_or_nothing_is_a_clear_error() {
        for (answer, said) in [(&b"HTTP/1.1 400\r\n"[..], "Kafka's protocol"), (&b""[..], "no answer came")] {
            let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            let peer = listener.local_addr().unwrap().to_string();
            let server = std::thread::spawn(move || {
                use std::io::{Read as _, Write as _};
                let (mut stream, _) = listener.accept().unwrap();
                assert!(stream.read(&mut [0; 1024]).unwrap() > 0);
                stream.write_all(answer).unwrap();
            });
            let mut connection = Connection::open(&peer, Duration::from_secs(5)).unwrap();
            let error = metadata(&mut connection, None).unwrap_err();
            server.join().unwrap();
            assert!(format!("{error:#}").contains(said), "{error:#}");
        }
    }
}
