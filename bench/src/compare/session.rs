//! One broker process and what is done to it: topics, loads beside which it is watched, rows of results.

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};

use super::admin;
use super::broker::Broker;
use super::interrupt::Interrupt;
use super::launch::Launch;
use super::load::{self, Measured};
use super::meter::{Cores, Meter, Samples};
use super::plots::Plots;
use super::process::Tool;
use super::programs::Programs;
use super::results::{Line, Metrics, Results, Row, Side};
use super::scenario::{keyed, plain};
use super::sizes::Sizes;
use super::stalls::Watch;
use super::systems::{Kind, Source, System};
use crate::client::Target;
use crate::load::scenario::{Produce, Scenario, Topics};
use crate::result::Role;
use crate::topic;

const CREATE_LIMIT_S: u64 = 300;

/// What all sessions of a comparison share.
pub(super) struct Bench {
    pub(super) sizes: Sizes,
    pub(super) programs: Programs,
    pub(super) cores: Cores,
    pub(super) interrupt: Interrupt,
    pub(super) results: Results,
    /// For results.
    pub(super) out: PathBuf,
    /// For the brokers' data.
    pub(super) work: PathBuf,
    /// The records of 1 KiB per second that a system took the first time that it was asked.
    pub(super) maxima: Vec<(String, f64)>,
    pub(super) systems: Vec<System>,
    /// Rates to offer instead of shares of a maximum.
    pub(super) rates: Vec<u64>,
    /// What went wrong, by number.
    pub(super) failures: u32,
    pub(super) plots: Plots,
}

impl Bench {
    /// Something failed: it is kept among the results, and the comparison goes on.
    pub(super) fn missing(&mut self, phase: &str, system: &str, rep: u32, why: String) -> Result<()> {
        self.failures += 1;
        self.results.add(Line::Missing { phase: phase.to_owned(), system: system.to_owned(), rep, why })
    }
}

/// A directory that goes when its owner does.
pub(super) struct Scratch(pub(super) PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0)
            && error.kind() != std::io::ErrorKind::NotFound
        {
            eprintln!("thalweg-bench: cannot remove {}: {error}", self.0.display());
        }
    }
}

pub(super) struct Session<'a> {
    pub(super) bench: &'a mut Bench,
    pub(super) system: System,
    pub(super) rep: u32,
    // Before the directory that it lies in.
    pub(super) broker: Broker,
    _scratch: Option<Scratch>,
    topics: Vec<String>,
    warm: bool,
}

impl<'a> Session<'a> {
    /// The system on an empty directory, or where it runs already.
    pub(super) fn begin(bench: &'a mut Bench, system: &System, rep: u32) -> Result<Self> {
        let dir = bench.work.join(format!("{}-{rep}", system.name));
        let scratch = Scratch(dir.clone());
        Self::begin_in(bench, system, rep, dir, &[], Some(scratch))
    }

    /// In a given directory, which must be empty, with settings of its own.
    pub(super) fn begin_in(
        bench: &'a mut Bench,
        system: &System,
        rep: u32,
        dir: PathBuf,
        settings: &[(&'static str, &'static str)],
        scratch: Option<Scratch>,
    ) -> Result<Self> {
        let broker = match &system.source {
            Source::Address { bootstrap, pid } => Broker::foreign(bootstrap, *pid),
            Source::Start(kind) => {
                bench.cores.await_quiet(bench.sizes.quiet_s, &bench.interrupt)?;
                Broker::start(Launch::new(*kind, &dir, settings)?, &bench.programs, &bench.interrupt)?
            }
        };
        let system = system.clone();
        Ok(Self { bench, system, rep, broker, _scratch: scratch, topics: Vec::new(), warm: false })
    }

    /// Takes the topics away from a broker that goes on.
    pub(super) fn end(mut self) -> Result<()> {
        if self.system.kind().is_none() && !self.topics.is_empty() {
            return admin::delete_topics(&self.broker.bootstrap, &self.topics);
        }
        self.broker.stop()
    }

    pub(super) fn is_durable(&self) -> bool {
        self.system.kind() == Some(Kind::KafkaDurable)
    }

    /// The name of a topic: one of its own on a broker that others use too.
    pub(super) fn topic(&self, name: &str) -> String {
        match self.system.kind() {
            Some(_) => name.to_owned(),
            None => format!("thalweg-bench-{}-{}-{name}", std::process::id(), self.rep),
        }
    }

    /// A topic as the system has them for what is measured. How long it took until all its partitions were led.
    pub(super) fn create(&mut self, name: &str, partitions: u64, config: &[(&str, &str)]) -> Result<Duration> {
        let config: Vec<(&str, &str)> = self.system.topic_config().into_iter().chain(config.iter().copied()).collect();
        self.create_plain(name, partitions, &config)
    }

    fn create_plain(&mut self, name: &str, partitions: u64, config: &[(&str, &str)]) -> Result<Duration> {
        let topic = self.topic(name);
        let began = Instant::now();
        let created = topic::create(&topic::Args {
            target: Target { bootstrap: self.broker.bootstrap.clone(), topic: topic.clone() },
            partitions: i32::try_from(partitions)?,
            config: config.iter().map(|(key, value)| format!("{key}={value}")).collect(),
            seconds: CREATE_LIMIT_S,
        });
        self.topics.push(topic.clone());
        let led = match self.system.kind() {
            Some(_) => created.and_then(|_| {
                let limit = Duration::from_secs(CREATE_LIMIT_S);
                admin::await_led(&self.broker.bootstrap, &topic, partitions, limit, &self.bench.interrupt)
            }),
            // Its partitions may be led by any of its brokers.
            None => created.map(drop),
        };
        self.explain(led.map(|()| began.elapsed()))
    }

    /// A load on an existing topic.
    pub(super) fn scenario(&self, name: &str, topic: &str, produce: Produce) -> Scenario {
        Scenario {
            name: name.to_owned(),
            bootstrap: self.broker.bootstrap.clone(),
            warmup_s: self.bench.sizes.settle_s,
            duration_s: self.bench.sizes.measure_s,
            topics: Topics { name: self.topic(topic), create: false, ..Topics::default() },
            produce: Some(produce),
            ..Scenario::default()
        }
    }

    pub(super) fn load(&mut self, scenario: &Scenario) -> Result<Measured> {
        self.settle()?;
        load::run(self, scenario)
    }

    /// A load that only writes what others read: nobody waits for a quiet moment.
    pub(super) fn write_for(&mut self, topic: &str, produce: &Produce, seconds: u64) -> Result<Measured> {
        let mut scenario = self.scenario(load::FILL, topic, produce.clone());
        (scenario.warmup_s, scenario.duration_s) = (0, seconds);
        load::run(self, &scenario)
    }

    /// Writes until so many records of this size are acknowledged.
    pub(super) fn fill(&mut self, topic: &str, records: u64, produce: &Produce) -> Result<()> {
        const PIECE_S: u64 = 2;
        let mut left = records;
        let mut seconds = PIECE_S;
        while left > 0 {
            let done = self.write_for(topic, produce, seconds)?;
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a number of records")]
            let (taken, rate) = (done.records(Role::Produce) as u64, done.records_s(Role::Produce) as u64);
            left = left.saturating_sub(taken);
            seconds = (left / rate.max(1)).clamp(1, 60);
        }
        Ok(())
    }

    /// Kafka's compilers need work before their broker is at its speed (its processor time per record halves over the
    /// first million and a half): every system gets the same, unrecorded, once.
    pub(super) fn warm_up(&mut self) -> Result<()> {
        if self.warm {
            return Ok(());
        }
        self.warm = true;
        let records = self.bench.sizes.warm_records;
        // Not durable where a system can do without: the work is the same, and takes a fifth of the time.
        self.create_plain("warm", 6, &[])?;
        self.fill("warm", records, &plain(1024, None))?;
        self.create_plain("warm-small", 100, &[])?;
        self.fill("warm-small", records / 3, &keyed(100, None))
    }

    /// Writes to the device what other loads have left in memory, and gives the machine time to come to rest.
    pub(super) fn settle(&self) -> Result<()> {
        rustix::fs::sync();
        let Bench { cores, interrupt, sizes, .. } = &*self.bench;
        cores.await_quiet(sizes.quiet_s, interrupt)
    }

    /// Runs a program while the broker is watched.
    pub(super) fn beside(&mut self, command: &mut Command, what: &str, limit: Duration) -> Result<Watched> {
        let Bench { cores, interrupt, out, programs, .. } = &*self.bench;
        let stalls = Watch::start(&programs.bench, out);
        let tool = Tool::start(command, what, out)?;
        let meter = Meter::start(self.broker.pid(), tool.pid(), cores, stalls);
        let broker = &mut self.broker;
        let done = tool.finish(limit, || interrupt.check().and_then(|()| broker.check()));
        let samples = meter.finish()?;
        let (text, failure) = self.explain(done)?;
        let outcome = self.explain(failure.map_or(Ok(()), |failure| Err(anyhow!(failure))));
        Ok(Watched { text, outcome, samples })
    }

    /// A failure that the broker's end explains is told as that.
    pub(super) fn explain<T>(&mut self, outcome: Result<T>) -> Result<T> {
        outcome.map_err(|error| self.broker.check().err().unwrap_or(error))
    }

    pub(super) fn restart(&mut self) -> Result<()> {
        self.broker.stop()?;
        self.broker.start_again(&self.bench.programs, &self.bench.interrupt)
    }

    pub(super) fn row(&mut self, phase: &str, case: &str, metrics: Metrics) -> Result<()> {
        let (name, side) = (self.system.name.clone(), self.system.side());
        self.row_of(phase, case, &name, side, metrics)
    }

    pub(super) fn row_of(&mut self, phase: &str, case: &str, system: &str, side: Side, metrics: Metrics) -> Result<()> {
        let text = |text: &str| text.to_owned();
        let row = Row { phase: text(phase), case: text(case), system: text(system), side, rep: self.rep, metrics };
        self.bench.results.add(Line::Row(row))
    }

    /// A fresh name for a file that keeps what a run found.
    pub(super) fn run_file(&self, name: &str) -> PathBuf {
        let dir = self.bench.out.join("runs");
        let free = |number: &u32| {
            let file = dir.join(format!("{}-{}-{name}-{number}.toml", self.rep, self.system.name));
            !file.exists()
        };
        let number = (1..).find(free).unwrap_or_default();
        dir.join(format!("{}-{}-{name}-{number}.toml", self.rep, self.system.name))
    }

    pub(super) fn pid(&self) -> Result<u32> {
        self.broker.pid().context("the broker's process is not known: give --pid")
    }
}

/// What a program did beside a broker.
pub(super) struct Watched {
    /// What it printed.
    pub(super) text: String,
    /// Why it failed.
    pub(super) outcome: Result<()>,
    pub(super) samples: Samples,
}

impl Watched {
    pub(super) fn successful(self) -> Result<(String, Samples)> {
        self.outcome.map(|()| (self.text, self.samples))
    }
}
