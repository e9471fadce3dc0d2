//! `thalweg produce`

mod delivery;
mod input;
mod record;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use thalweg_protocol::error::ErrorCode;

use crate::cli::Global;
use crate::client::{property, setup_failure};
use crate::cluster::Cluster;
use crate::encoding::Encoding;
use crate::failure::Failure;
use crate::progress::Progress;

use delivery::{Deliveries, Summary};
use record::Record;

/// How long to wait for room in librdkafka's queue before asking again.
const QUEUE_POLL: Duration = Duration::from_millis(100);

/// Records are the VALUEs; or, without any, the lines of stdin or of a file.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    topic: String,
    /// Values, one record each
    #[arg(value_name = "VALUE", conflicts_with_all = ["file", "json_lines", "whole"])]
    values: Vec<String>,
    /// Read records from this file instead of stdin (`-` is stdin)
    #[arg(short, long)]
    file: Option<PathBuf>,
    /// The whole input is one record
    #[arg(long, conflicts_with_all = ["json_lines", "key_separator"])]
    whole: bool,
    /// Each line is a record as `thalweg consume --json` writes it: key, value, headers, partition, timestamp
    #[arg(long, conflicts_with_all = ["key", "key_separator", "header", "bytes", "empty_is_null"])]
    json_lines: bool,
    /// The key of every record
    #[arg(short, long)]
    key: Option<String>,
    /// What stands between key and value on each line; \t is a tab
    #[arg(short = 'K', long, value_name = "TEXT", conflicts_with = "key", value_parser = separator)]
    key_separator: Option<String>,
    /// A header for every record; may be repeated
    #[arg(short = 'H', long, value_name = "NAME=VALUE", value_parser = property)]
    header: Vec<(String, String)>,
    /// Write to this partition, whatever the key
    #[arg(short, long, value_parser = clap::value_parser!(i32).range(0..))]
    partition: Option<i32>,
    /// Keys and values are given in this encoding
    #[arg(long, value_enum, default_value_t)]
    bytes: Encoding,
    /// An empty value is none at all: a tombstone in a compacted topic
    #[arg(long)]
    empty_is_null: bool,
    /// How batches are compressed
    #[arg(short = 'z', long, value_enum, default_value_t = Compression::None)]
    compression: Compression,
    /// Who must have a record before it counts as written
    #[arg(short, long, value_enum, default_value_t = Acks::All)]
    acks: Acks,
    /// Say nothing when all went well
    #[arg(short, long)]
    quiet: bool,
    /// A property for librdkafka; may be repeated
    #[arg(short = 'X', long, value_name = "KEY=VALUE", value_parser = property)]
    property: Vec<(String, String)>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Compression {
    None,
    Gzip,
    Snappy,
    Lz4,
    Zstd,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Acks {
    /// Every in-sync replica
    All,
    /// The leader
    #[value(name = "1")]
    Leader,
    /// Nobody: nothing is known of the record's fate
    #[value(name = "0")]
    Nobody,
}

impl Acks {
    const fn name(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Leader => "1",
            Self::Nobody => "0",
        }
    }
}

fn separator(text: &str) -> Result<String, String> {
    let text = text.replace("\\t", "\t");
    if text.is_empty() { Err("a separator has at least one character".to_owned()) } else { Ok(text) }
}

pub(crate) fn run(global: &Global, arguments: &Arguments) -> Result<(), Failure> {
    check_target(global, arguments)?;
    let input = input::open(arguments)?;
    let producer = producer(global, arguments)?;
    let mut progress = Progress::new("records", input.size_bytes, !arguments.quiet && input.from_file);
    let sent = send_all(&producer, arguments, input, &mut progress);
    let flushed = producer.flush(global.timeout() + Duration::from_secs(1));
    drop(progress);
    let deliveries = producer.context();
    let summary = deliveries.summary(&arguments.topic);
    if !arguments.quiet && (summary.records > 0 || (sent.is_ok() && !deliveries.failed())) {
        global.output().emit(&summary, Summary::text)?;
    }
    sent?;
    deliveries.failure(&arguments.topic, global)?;
    flushed.map_err(|error| Failure::new(format!("not every record was acknowledged: {error}")))
}

/// A topic or partition that does not exist is better refused here than after librdkafka's retries.
fn check_target(global: &Global, arguments: &Arguments) -> Result<(), Failure> {
    let topic = Cluster::connect(global)?.topic(&arguments.topic)?;
    match arguments.partition {
        Some(wanted) if topic.partitions.iter().all(|partition| partition.index != wanted) => {
            let last = topic.partitions.len().saturating_sub(1);
            Err(Failure::new(format!("topic `{}` has no partition {wanted}", topic.name))
                .with_code(ErrorCode::UnknownTopicOrPartition)
                .hint(format!("its partitions are 0 to {last}")))
        }
        _ => Ok(()),
    }
}

fn producer(global: &Global, arguments: &Arguments) -> Result<BaseProducer<Deliveries>, Failure> {
    let compression =
        arguments.compression.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned());
    let base = [
        ("acks", arguments.acks.name().to_owned()),
        ("compression.type", compression),
        // As Kafka's producer: no record twice, and keys in the partition that Java clients choose.
        ("enable.idempotence", (arguments.acks == Acks::All).to_string()),
        ("partitioner", "murmur2_random".to_owned()),
        ("message.timeout.ms", global.timeout().as_millis().to_string()),
        ("request.timeout.ms", global.timeout().as_millis().to_string()),
        // What is too large is for the topic to say.
        ("message.max.bytes", "1000000000".to_owned()),
    ];
    crate::client::config(global, &base, &arguments.property)
        .create_with_context(Deliveries::default())
        .map_err(|error| setup_failure(&error))
}

fn send_all(
    producer: &BaseProducer<Deliveries>,
    arguments: &Arguments,
    mut input: input::Input,
    progress: &mut Progress,
) -> Result<(), Failure> {
    let (mut count, mut size_bytes) = (0_u64, 0_u64);
    while let Some(record) = input.next(arguments)? {
        size_bytes += record.size_bytes();
        count += 1;
        send(producer, &arguments.topic, &record)?;
        producer.poll(Duration::ZERO);
        if producer.context().failed() {
            break;
        }
        progress.at(count, size_bytes);
    }
    Ok(())
}

fn send(producer: &BaseProducer<Deliveries>, topic: &str, record: &Record) -> Result<(), Failure> {
    let mut message = BaseRecord::<[u8], [u8]>::to(topic);
    message.key = record.key.as_deref();
    message.payload = record.value.as_deref();
    message.partition = record.partition;
    message.timestamp = record.timestamp;
    message.headers = headers(record);
    loop {
        match producer.send(message) {
            Ok(()) => return Ok(()),
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => {
                message = back;
                producer.poll(QUEUE_POLL);
            }
            Err((error, _)) => return Err(delivery::refusal(topic, &error)),
        }
    }
}

fn headers(record: &Record) -> Option<OwnedHeaders> {
    let headers = OwnedHeaders::new_with_capacity(record.headers.len());
    (!record.headers.is_empty()).then(|| {
        record
            .headers
            .iter()
            .fold(headers, |headers, (key, value)| headers.insert(Header { key, value: value.as_deref() }))
    })
}
