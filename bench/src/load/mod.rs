//! `thalweg-bench run`: records at a given rate, or as fast as the broker takes them.
//!
//! With a rate it is an open loop: each record has a moment at which it is due, and its latency counts from there,
//! whatever held it up. Without one it is a closed loop, for the largest throughput: there latency says how long
//! records waited in this program's own buffer, and little about the broker.

mod backlog;
mod lane;
mod measured;
mod pace;
mod payload;
mod producer;
mod report;
mod run;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use thalweg_protocol::records::Compression;

use self::measured::Measured;
use self::pace::Pace;
pub(crate) use self::payload::Payload;
use self::producer::Producer;
use self::report::Report;
use self::run::{Settings, Shared, Spread};
use crate::client::Target;
use crate::client::cluster::{check, metadata};
use crate::client::wire::Connection;

#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Args {
    #[command(flatten)]
    target: Target,
    /// Records per second, of all producers together; without it as many as the broker takes
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=100_000_000))]
    rate: Option<u64>,
    /// Seconds in which the rate rises to its height, at the beginning of the warm-up
    #[arg(long, default_value_t = 0, requires = "rate")]
    ramp: u64,
    /// Seconds before what is measured
    #[arg(long, default_value_t = 5)]
    warmup: u64,
    /// Seconds that are measured
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    duration: u64,
    /// Each has a connection to each leader
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=1000))]
    producers: u64,
    /// Bytes of each record's value
    #[arg(long, default_value_t = 1024, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    size: u32,
    /// Share of a value, in per cent, that a compressor gets rid of
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u8).range(0..=100))]
    compressible: u8,
    /// none, gzip, snappy, lz4 or zstd
    #[arg(long, default_value = "none", value_parser = parse_compression)]
    compression: Compression,
    /// Give each record a key of 8 bytes
    #[arg(long)]
    keys: bool,
    #[arg(long, value_enum, default_value_t = Spread::Batch)]
    spread: Spread,
    /// Bytes at which a batch is sent without waiting
    #[arg(long, default_value_t = 16_384, value_parser = clap::value_parser!(u32).range(1..=16_000_000))]
    batch_bytes: u32,
    /// Milliseconds that a batch waits for more records
    #[arg(long, default_value_t = 0)]
    linger_ms: u64,
    /// Requests under way on each connection
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1000))]
    in_flight: u32,
    /// MiB of records that each producer holds at most
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u32).range(1..=65_536))]
    buffer_mib: u32,
    /// -1: all in-sync replicas; 1: the leader
    #[arg(long, default_value_t = -1, value_parser = crate::latency::parse_acks, allow_hyphen_values = true)]
    acks: i16,
    /// One JSON object instead of text
    #[arg(long)]
    json: bool,
    /// A file for the latencies by percentile, in HdrHistogram's text form
    #[arg(long)]
    hgrm: Option<PathBuf>,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let (report, failure) = measure(args, |line| eprintln!("{line}"))?;
    report.print(args.json, args.hgrm.as_deref())?;
    failure.map_or(Ok(()), |failure| Err(failure.context("the run ended early; what is above was measured until then")))
}

/// The report, and what ended the run early.
fn measure(args: &Args, progress: impl Fn(String)) -> Result<(Report, Option<anyhow::Error>)> {
    let leaders = leaders(args)?;
    let shared = Arc::new(Shared::new(settings(args))?);
    let pace = args.rate.map(|rate| Pace::new(rate as f64, Duration::from_secs(args.ramp)));
    let producers: Vec<_> = (0..args.producers)
        .map(|index| {
            let (shared, leaders) = (Arc::clone(&shared), leaders.clone());
            let producer = Producer { shared: Arc::clone(&shared), index, count: args.producers, pace, leaders };
            std::thread::spawn(move || {
                if let Err(error) = producer.run() {
                    shared.fail(error);
                }
            })
        })
        .collect();
    watch(&shared, &producers, &progress);
    for producer in producers {
        if producer.join().is_err() {
            bail!("a producer's thread panicked");
        }
    }
    let mut measured = Measured::new()?;
    measured.add(&shared.measured.lock().unwrap_or_else(PoisonError::into_inner))?;
    let ran = shared.now().min(shared.settings.end()).saturating_sub(shared.settings.warmup);
    Ok((Report::new(args.rate, ran, &measured), shared.take_failure()))
}

/// A line per second while it runs.
fn watch(shared: &Shared, producers: &[std::thread::JoinHandle<()>], progress: &impl Fn(String)) {
    let mut next = Duration::from_secs(1);
    let mut before = 0;
    while producers.iter().any(|producer| !producer.is_finished()) {
        std::thread::sleep(Duration::from_millis(20));
        let now = shared.now();
        if now < next {
            continue;
        }
        next += Duration::from_secs(1);
        let (records, errors, p99) = {
            let measured = shared.measured.lock().unwrap_or_else(PoisonError::into_inner);
            (measured.records, measured.refused_records(), measured.latency.value_at_quantile(0.99))
        };
        let phase = if now < shared.settings.warmup { "warm-up" } else { "measuring" };
        let p99 = Duration::from_nanos(p99);
        progress(format!(
            "{:>4} s  {phase}: {} records/s, p99 so far {p99:.1?}, {errors} refused",
            now.as_secs(),
            records - before
        ));
        before = records;
    }
}

fn settings(args: &Args) -> Settings {
    Settings {
        topic: args.target.topic.clone(),
        open_loop: args.rate.is_some(),
        acks: args.acks,
        size: args.size as usize,
        compressible: args.compressible,
        compression: args.compression,
        keys: args.keys,
        spread: args.spread,
        batch_bytes: args.batch_bytes as usize,
        linger: Duration::from_millis(args.linger_ms),
        in_flight: args.in_flight as usize,
        buffer_bytes: (args.buffer_mib as usize) << 20,
        warmup: Duration::from_secs(args.warmup),
        duration: Duration::from_secs(args.duration),
    }
}

/// The leader of each partition, and its address.
fn leaders(args: &Args) -> Result<Vec<(i32, String)>> {
    let mut connection = Connection::open(&args.target.bootstrap, Duration::from_secs(30))?;
    let answer = metadata(&mut connection, Some(&args.target.topic))?;
    let topic = answer.topics.first().context("the broker says nothing about the topic")?;
    check(&format!("topic {}", args.target.topic), topic.error_code)?;
    let mut partitions: Vec<_> = topic.partitions.iter().collect();
    partitions.sort_by_key(|partition| partition.partition_index);
    let address = |leader| {
        let broker = answer.brokers.iter().find(|broker| broker.node_id == leader);
        broker.map(|broker| format!("{}:{}", broker.host.as_str(), broker.port))
    };
    let leaders = partitions.iter().map(|partition| {
        let address = address(partition.leader_id);
        let address = address.with_context(|| format!("partition {} has no leader", partition.partition_index))?;
        Ok((partition.leader_id.0, address))
    });
    let leaders: Vec<(i32, String)> = leaders.collect::<Result<_>>()?;
    if leaders.is_empty() {
        bail!("topic {} has no partitions", args.target.topic);
    }
    Ok(leaders)
}

fn parse_compression(name: &str) -> Result<Compression, String> {
    Compression::from_name(name).ok_or_else(|| "it is none, gzip, snappy, lz4 or zstd".to_owned())
}
