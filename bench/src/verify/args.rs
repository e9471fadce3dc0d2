//! The command line of a correctness run.

use std::time::Duration;

use anyhow::{Result, bail};
use thalweg_protocol::records::Compression;

use super::record::{Format, HEAD_BYTES};
use super::shared::Settings;
use crate::client::Target;
use crate::latency::parse_acks;

/// More cannot be told apart from a run without an end.
const RECORDS_MAX: u64 = 10_000_000_000;
/// Behind a broken connection a broker knows the last five batches of a producer again, and no more.
const IDEMPOTENT_IN_FLIGHT_MAX: u32 = 5;

#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(super) target: Target,
    /// Of the topic, which is created if there is none; one otherwise
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=10_000))]
    pub(super) partitions: Option<u16>,
    /// Of the topic if it is created; -1 is the broker's default
    #[arg(long, default_value_t = -1, allow_hyphen_values = true)]
    pub(super) replication: i16,
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=256))]
    producers: u32,
    /// Seconds of writing; 30 if neither this nor --records is given
    #[arg(long)]
    duration: Option<u64>,
    /// Ends writing after so many records
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=RECORDS_MAX))]
    records: Option<u64>,
    /// Bytes of each record's value; 32 of them name the record
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(HEAD_BYTES as i64..=1_000_000))]
    size: u32,
    /// Records per second of all producers; otherwise as many as the broker takes
    #[arg(long)]
    rate: Option<f64>,
    /// Records of a batch at most; each batch has a random number up to that
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    batch_records: u32,
    /// -1: all in-sync replicas; 1: the leader
    #[arg(long, default_value_t = -1, value_parser = parse_acks, allow_hyphen_values = true)]
    acks: i16,
    /// Idempotent producers: nothing may stand twice
    #[arg(long)]
    idempotent: bool,
    /// Requests under way to each leader; 5 with --idempotent, 1 without. Without, more than 1 promises no order
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=100))]
    in_flight: Option<u32>,
    /// none, gzip, snappy, lz4 or zstd
    #[arg(long, default_value = "none", value_parser = parse_compression)]
    compression: Compression,
    /// Gives each record a key
    #[arg(long)]
    keys: bool,
    /// Seconds between readings of everything from the beginning
    #[arg(long, default_value_t = 5.0)]
    read_every_s: f64,
    /// A shell command that disturbs the broker: kills it and starts it again, for example
    #[arg(long, value_name = "CMD")]
    pub(super) disturb: Option<String>,
    /// Seconds between the end of one disturbance and the next
    #[arg(long, default_value_t = 5.0, requires = "disturb")]
    pub(super) disturb_every_s: f64,
    /// Seconds for which a partition may be unavailable before the run fails
    #[arg(long, default_value_t = 60)]
    unavailable_max_s: u64,
    /// The verdict as JSON
    #[arg(long)]
    pub(super) json: bool,
}

impl Args {
    /// `run` tells this run's records from others.
    pub(super) fn settings(&self, run: u64) -> Result<Settings> {
        let in_flight = self.in_flight.unwrap_or(if self.idempotent { IDEMPOTENT_IN_FLIGHT_MAX } else { 1 });
        if self.idempotent && in_flight > IDEMPOTENT_IN_FLIGHT_MAX {
            bail!("--in-flight is at most {IDEMPOTENT_IN_FLIGHT_MAX} with --idempotent");
        }
        if self.idempotent && self.acks != -1 {
            bail!("--idempotent needs --acks -1");
        }
        let batch_bytes = u64::from(self.batch_records) * u64::from(self.size);
        if batch_bytes > BATCH_BYTES_MAX && self.batch_records > 1 {
            bail!("a batch would have up to {batch_bytes} bytes: take a smaller --size or --batch-records");
        }
        for (flag, seconds) in [("--read-every-s", self.read_every_s), ("--disturb-every-s", self.disturb_every_s)] {
            if !(0.0..=86_400.0).contains(&seconds) {
                bail!("{flag} is between 0 and 86400");
            }
        }
        if let Some(rate) = self.rate.filter(|rate| !(0.001..=1e9).contains(rate)) {
            bail!("--rate is between 0.001 and 1000000000 records per second, not {rate}");
        }
        let endless = self.duration.is_none() && self.records.is_none();
        Ok(Settings {
            producers: self.producers,
            records: self.records.unwrap_or(RECORDS_MAX),
            duration: if endless { Some(Duration::from_secs(30)) } else { self.duration.map(Duration::from_secs) },
            rate: self.rate,
            batch_records: u64::from(self.batch_records),
            acks: self.acks,
            idempotent: self.idempotent,
            in_flight: in_flight as usize,
            compression: self.compression,
            read_every: Duration::from_secs_f64(self.read_every_s),
            unavailable_max: Duration::from_secs(self.unavailable_max_s),
            format: Format { run, size: self.size as usize, keys: self.keys },
        })
    }
}

/// Brokers take batches of 1 MiB by default.
const BATCH_BYTES_MAX: u64 = 900_000;

fn parse_compression(name: &str) -> Result<Compression, String> {
    Compression::from_name(name).ok_or_else(|| "it is none, gzip, snappy, lz4 or zstd".to_owned())
}
