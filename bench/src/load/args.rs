//! The flags of `run`: each is a key of the scenario, and wins over the file.

use std::path::PathBuf;

use anyhow::Result;
use thalweg_protocol::records::Compression;

use super::scenario::{Acks, Consume, Keys, Produce, Scenario, Size, Spread};

#[derive(clap::Args, Clone, Debug, Default)]
pub(crate) struct Args {
    /// The scenario; without it the flags and the defaults are the scenario
    scenario: Option<PathBuf>,
    /// What the run is called in reports
    #[arg(long)]
    name: Option<String>,
    /// host:port of a broker
    #[arg(long)]
    bootstrap: Option<String>,
    /// Seconds before what is measured
    #[arg(long, value_name = "SECONDS")]
    warmup: Option<u64>,
    /// Seconds of each further step that are not counted
    #[arg(long, value_name = "SECONDS")]
    settle: Option<u64>,
    /// Seconds that are measured, of each step
    #[arg(long, value_name = "SECONDS")]
    duration: Option<u64>,
    /// Seconds in which the rate rises to its height, at the beginning of the warm-up
    #[arg(long, value_name = "SECONDS")]
    ramp: Option<u64>,
    /// Milliseconds since 1970 at which to begin, so that several processes begin together
    #[arg(long)]
    start_at_ms: Option<u64>,
    /// The run's number, the same for processes whose consumers are to count each other's records
    #[arg(long, value_name = "NUMBER")]
    run: Option<u32>,
    #[command(flatten)]
    topics: TopicFlags,
    #[command(flatten)]
    produce: ProduceFlags,
    #[command(flatten)]
    consume: ConsumeFlags,
    /// The result as JSON instead of text
    #[arg(long)]
    pub(super) json: bool,
    /// A file for the result as JSON, beside the text
    #[arg(long)]
    pub(super) out: Option<PathBuf>,
    /// A file for the latencies by percentile, in HdrHistogram's text form
    #[arg(long)]
    pub(super) hgrm: Option<PathBuf>,
    /// A file for the latencies second by second, as HdrHistogram's interval log; written while the run goes on
    #[arg(long)]
    pub(super) hlog: Option<PathBuf>,
    /// A file for the report as one HTML page
    #[arg(long)]
    pub(super) report: Option<PathBuf>,
}

#[derive(clap::Args, Clone, Debug, Default)]
struct TopicFlags {
    /// Name of the topic; of several, the beginning of their names
    #[arg(long)]
    topic: Option<String>,
    /// How many topics
    #[arg(long)]
    topics: Option<u32>,
    /// Partitions of each topic that is created
    #[arg(long)]
    partitions: Option<i32>,
    /// Replicas of each topic that is created
    #[arg(long)]
    replication: Option<i16>,
    /// Whether topics that are missing are created
    #[arg(long)]
    create: Option<bool>,
    /// key=value of each topic that is created, as often as needed
    #[arg(long, value_parser = parse_config)]
    config: Vec<(String, String)>,
}

#[derive(clap::Args, Clone, Debug, Default)]
struct ProduceFlags {
    /// Each has a connection to each leader
    #[arg(long)]
    producers: Option<u32>,
    /// Records per second, of all producers together; without it as many as the broker takes
    #[arg(long)]
    rate: Option<u64>,
    /// Rates that are offered one after the other, such as 10000,20000
    #[arg(long, value_delimiter = ',', conflicts_with = "rate")]
    steps: Vec<u64>,
    /// Bytes of each record's value
    #[arg(long)]
    size: Option<u32>,
    /// Sizes of values and how often they come, such as 100:9,10000:1
    #[arg(long, value_delimiter = ',', conflicts_with = "size", value_parser = parse_size)]
    sizes: Vec<Size>,
    /// Share of a value, in per cent, that a compressor gets rid of
    #[arg(long)]
    compressible: Option<u8>,
    /// none, gzip, snappy, lz4 or zstd
    #[arg(long, value_parser = parse_compression)]
    compression: Option<Compression>,
    /// Which keys records have
    #[arg(long, value_enum)]
    keys: Option<Keys>,
    /// How many keys there are (uniform, zipf)
    #[arg(long)]
    key_count: Option<u64>,
    /// Bytes of each key
    #[arg(long)]
    key_bytes: Option<u32>,
    #[arg(long, value_enum)]
    spread: Option<Spread>,
    /// Bytes at which a batch is sent without waiting
    #[arg(long)]
    batch_bytes: Option<u32>,
    /// Milliseconds that a batch waits for more records
    #[arg(long)]
    linger_ms: Option<u64>,
    /// Requests under way on each connection
    #[arg(long)]
    in_flight: Option<u32>,
    /// MiB of records that each producer holds at most
    #[arg(long)]
    buffer_mib: Option<u32>,
    /// all (-1): all in-sync replicas; 1: the leader; 0: nobody answers
    #[arg(long, value_parser = Acks::parse, allow_hyphen_values = true)]
    acks: Option<Acks>,
    /// Batches are numbered, and sent again in order where they fail
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    idempotent: Option<bool>,
    /// Records are written in transactions
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    transactional: Option<bool>,
    /// Records after which a transaction ends
    #[arg(long)]
    transaction_records: Option<u64>,
    /// Milliseconds after which a transaction ends
    #[arg(long)]
    transaction_ms: Option<u64>,
    /// Share of transactions, in per cent, that are aborted
    #[arg(long)]
    abort_percent: Option<u8>,
}

#[derive(clap::Args, Clone, Debug, Default)]
struct ConsumeFlags {
    /// Consumers at the tail
    #[arg(long, value_name = "CONSUMERS")]
    tail: Option<u32>,
    /// Consumers that read from the beginning
    #[arg(long, value_name = "CONSUMERS")]
    catch_up: Option<u32>,
    /// Whether those that catch up begin again at the end
    #[arg(long)]
    repeat: Option<bool>,
    /// Of all consumers: bytes that an answer waits for
    #[arg(long)]
    fetch_min_bytes: Option<i32>,
    /// Of all consumers: milliseconds that an answer waits
    #[arg(long)]
    fetch_wait_ms: Option<i32>,
    /// Of all consumers: bytes of an answer
    #[arg(long)]
    fetch_max_bytes: Option<i32>,
    /// Of all consumers: bytes of an answer from one partition
    #[arg(long)]
    partition_max_bytes: Option<i32>,
    /// Of all consumers: only what is committed
    #[arg(long)]
    read_committed: Option<bool>,
}

impl Args {
    /// The file with the flags in it, checked.
    pub(super) fn scenario(&self) -> Result<Scenario> {
        let mut scenario = match &self.scenario {
            Some(path) => Scenario::read(path)?,
            None => Scenario::default(),
        };
        set(&mut scenario.name, self.name.as_ref());
        set(&mut scenario.bootstrap, self.bootstrap.as_ref());
        set(&mut scenario.warmup_s, self.warmup.as_ref());
        set(&mut scenario.settle_s, self.settle.as_ref());
        set(&mut scenario.duration_s, self.duration.as_ref());
        set(&mut scenario.ramp_s, self.ramp.as_ref());
        set(&mut scenario.start_at_ms, self.start_at_ms.as_ref());
        set(&mut scenario.run, self.run.as_ref());
        self.topics.put_into(&mut scenario);
        self.consume.put_into(&mut scenario);
        let flags = self.produce.applied(scenario.produce.clone().unwrap_or_default());
        let asked = flags != Produce::default();
        // Without a file, producing is what a run is for, unless only consumers are named.
        let implied = self.scenario.is_none() && scenario.tail.is_none() && scenario.catch_up.is_none();
        if scenario.produce.is_some() || asked || implied {
            scenario.produce = Some(flags);
        }
        scenario.checked()
    }
}

impl TopicFlags {
    fn put_into(&self, scenario: &mut Scenario) {
        let topics = &mut scenario.topics;
        set(&mut topics.name, self.topic.as_ref());
        set(&mut topics.count, self.topics.as_ref());
        set(&mut topics.partitions, self.partitions.as_ref());
        set(&mut topics.replication, self.replication.as_ref());
        set(&mut topics.create, self.create.as_ref());
        topics.config.extend(self.config.iter().cloned());
    }
}

impl ProduceFlags {
    fn applied(&self, mut to: Produce) -> Produce {
        set(&mut to.producers, self.producers.as_ref());
        if self.rate.is_some() {
            (to.rate, to.steps) = (self.rate, Vec::new());
        }
        if !self.steps.is_empty() {
            (to.rate, to.steps) = (None, self.steps.clone());
        }
        if self.size.is_some() {
            (to.size, to.sizes) = (self.size, Vec::new());
        }
        if !self.sizes.is_empty() {
            (to.size, to.sizes) = (None, self.sizes.clone());
        }
        set(&mut to.compressible, self.compressible.as_ref());
        set(&mut to.compression, self.compression.as_ref());
        set(&mut to.keys, self.keys.as_ref());
        set(&mut to.key_count, self.key_count.as_ref());
        set(&mut to.key_bytes, self.key_bytes.as_ref());
        to.spread = self.spread.or(to.spread);
        set(&mut to.batch_bytes, self.batch_bytes.as_ref());
        set(&mut to.linger_ms, self.linger_ms.as_ref());
        set(&mut to.in_flight, self.in_flight.as_ref());
        set(&mut to.buffer_mib, self.buffer_mib.as_ref());
        set(&mut to.acks, self.acks.as_ref());
        set(&mut to.idempotent, self.idempotent.as_ref());
        set(&mut to.transactional, self.transactional.as_ref());
        set(&mut to.transaction_records, self.transaction_records.as_ref());
        set(&mut to.transaction_ms, self.transaction_ms.as_ref());
        set(&mut to.abort_percent, self.abort_percent.as_ref());
        to
    }
}

impl ConsumeFlags {
    fn put_into(&self, scenario: &mut Scenario) {
        if let Some(consumers) = self.tail {
            scenario.tail.get_or_insert_default().consumers = consumers;
        }
        if let Some(consumers) = self.catch_up {
            scenario.catch_up.get_or_insert_default().consumers = consumers;
        }
        if let Some(catch_up) = &mut scenario.catch_up {
            catch_up.repeat = self.repeat.or(catch_up.repeat);
        }
        for consume in [&mut scenario.tail, &mut scenario.catch_up].into_iter().flatten() {
            self.apply(consume);
        }
    }

    fn apply(&self, to: &mut Consume) {
        set(&mut to.fetch_min_bytes, self.fetch_min_bytes.as_ref());
        set(&mut to.fetch_wait_ms, self.fetch_wait_ms.as_ref());
        set(&mut to.fetch_max_bytes, self.fetch_max_bytes.as_ref());
        set(&mut to.partition_max_bytes, self.partition_max_bytes.as_ref());
        set(&mut to.read_committed, self.read_committed.as_ref());
    }
}

fn set<T: Clone>(to: &mut T, flag: Option<&T>) {
    if let Some(flag) = flag {
        to.clone_from(flag);
    }
}

fn parse_compression(name: &str) -> Result<Compression, String> {
    Compression::from_name(name).ok_or_else(|| "it is none, gzip, snappy, lz4 or zstd".to_owned())
}

fn parse_config(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("it is not key=value")?;
    Ok((key.to_owned(), value.to_owned()))
}

fn parse_size(text: &str) -> Result<Size, String> {
    let (bytes, weight) = text.split_once(':').unwrap_or((text, "1"));
    let number = |text: &str| text.parse().map_err(|_| "it is bytes, or bytes:weight".to_owned());
    Ok(Size { bytes: number(bytes)?, weight: number(weight)? })
}
