//! What may be asked of a comparison.

use std::path::PathBuf;

use anyhow::Result;

use super::meter::parse_cores;
use super::phases::Phase;
use super::sizes::{Scale, Sizes};
use super::systems::Kind;
use crate::host::allowed_cores;

#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// What to measure; without any: everything
    #[arg(value_enum, value_name = "PHASE")]
    phases: Vec<Phase>,
    /// What to start
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = [Kind::Thalweg, Kind::Kafka, Kind::KafkaDurable])]
    systems: Vec<Kind>,
    /// Start nothing: only what --address names
    #[arg(long, requires = "address")]
    no_systems: bool,
    /// NAME=HOST:PORT of another broker, which runs already and is not stopped; as often as needed
    #[arg(long)]
    pub(super) address: Vec<String>,
    /// NAME=PID of such a broker on this machine: its memory and CPU time are then measured
    #[arg(long, requires = "address")]
    pub(super) pid: Vec<String>,
    /// How much of everything
    #[arg(long, value_enum, default_value_t = Scale::Full)]
    scale: Scale,
    /// Repetitions; the systems take turns
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=100))]
    reps: Option<u32>,
    /// Cores for brokers and load alike, such as 0-3,6; otherwise all
    #[arg(long)]
    cores: Option<String>,
    /// A directory on the disk to measure, in which the brokers' data lies meanwhile
    #[arg(long)]
    pub(super) work: Option<PathBuf>,
    /// A directory for results
    #[arg(long)]
    pub(super) out: Option<PathBuf>,
    /// A directory with Kafka's jars; fetched into Cargo's target directory when there are none
    #[arg(long)]
    pub(super) kafka_libs: Option<PathBuf>,
    /// The broker's program; otherwise what lies beside this one
    #[arg(long)]
    pub(super) thalwegd: Option<PathBuf>,
    /// Makes the tables of a results.jsonl again, and measures nothing
    #[arg(long, exclusive = true)]
    pub(super) from: Option<PathBuf>,
    /// Seconds that each load is measured
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=3600))]
    measure: Option<u64>,
    /// Seconds to wait for a quiet one before each load, at most
    #[arg(long)]
    quiet: Option<u64>,
    /// Seconds that `idle` watches a broker, behind as many, at most five, in which it comes to rest
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=3600))]
    idle: Option<u64>,
    /// Records of the warm-up
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=1_000_000_000))]
    warm_records: Option<u64>,
    /// Records of a run of `latency`
    #[arg(long, value_parser = clap::value_parser!(u64).range(10..=10_000_000))]
    latency_records: Option<u64>,
    /// Records/s for `rates`, instead of shares of what each system takes
    #[arg(long, value_delimiter = ',', value_parser = clap::value_parser!(u64).range(1..=100_000_000))]
    pub(super) rates: Vec<u64>,
    /// Per cent of what each system takes, for `rates`
    #[arg(long, value_delimiter = ',', value_parser = clap::value_parser!(u64).range(1..=200), conflicts_with = "rates")]
    rate_percents: Vec<u64>,
    /// Records/s of `tail` and `catch-up`
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=100_000_000))]
    tail_rate: Option<u64>,
    /// Numbers of partitions for `partitions`, the base first
    #[arg(long, value_delimiter = ',', value_parser = clap::value_parser!(u64).range(1..=100_000))]
    partitions: Vec<u64>,
    /// Records of each run of Kafka's tools
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=1_000_000_000))]
    java_records: Option<u64>,
    /// MiB of the file system of `retention`
    #[arg(long, value_parser = clap::value_parser!(u64).range(256..=1_048_576))]
    image_mib: Option<u64>,
    /// MiB that `recovery` starts with
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=1_048_576))]
    recovery_mib: Option<u64>,
}

impl Args {
    pub(super) fn phases(&self) -> Vec<Phase> {
        let mut phases = self.phases.clone();
        if phases.is_empty() {
            phases = <Phase as clap::ValueEnum>::value_variants().to_vec();
        }
        phases.sort_unstable();
        phases.dedup();
        phases
    }

    pub(super) fn systems(&self) -> Vec<Kind> {
        if self.no_systems { Vec::new() } else { self.systems.clone() }
    }

    pub(super) fn cores(&self) -> Result<Vec<usize>> {
        self.cores.as_deref().map_or_else(allowed_cores, parse_cores)
    }

    pub(super) fn sizes(&self) -> Sizes {
        let mut sizes = Sizes::of(self.scale);
        let set = |size: &mut u64, given: Option<u64>| *size = given.unwrap_or(*size);
        sizes.reps = self.reps.unwrap_or(sizes.reps);
        set(&mut sizes.measure_s, self.measure);
        set(&mut sizes.quiet_s, self.quiet);
        set(&mut sizes.idle_s, self.idle);
        set(&mut sizes.warm_records, self.warm_records);
        set(&mut sizes.latency_records, self.latency_records);
        set(&mut sizes.tail_rate, self.tail_rate);
        set(&mut sizes.java_records, self.java_records);
        set(&mut sizes.image_mib, self.image_mib);
        set(&mut sizes.recovery_mib, self.recovery_mib);
        for (size, given) in
            [(&mut sizes.rate_percents, &self.rate_percents), (&mut sizes.partitions, &self.partitions)]
        {
            if !given.is_empty() {
                size.clone_from(given);
            }
        }
        sizes
    }
}
