//! What is measured: a file for each phase, and here which of them share a broker.

mod catch_up;
mod idle;
mod java;
mod latency;
mod partitions;
mod rates;
mod recovery;
mod retention;
mod small;
mod start;
mod tail;
mod throughput;
mod transactions;

use anyhow::Result;

use super::results::Line;
use super::session::{Bench, Session};
use super::systems::{Kind, Source, System};

/// In the order in which they are done.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, clap::ValueEnum)]
pub(crate) enum Phase {
    /// Process start to readiness on an empty directory
    Start,
    /// Memory and CPU time without any client
    Idle,
    /// One record at a time, beside what device and loopback take
    Latency,
    /// As much as the broker takes, 1 KiB and 100 B
    Throughput,
    /// Produce latency at fixed rates
    Rates,
    /// As much as it takes in small batches with keys
    Small,
    /// From producer to consumer at a fixed rate
    Tail,
    /// The same while another reads from the beginning
    CatchUp,
    /// Transactions at a fixed rate, to a consumer of what is committed
    Transactions,
    /// Kafka's own performance tools as clients
    Java,
    /// One partition to ten thousand
    Partitions,
    /// A file system four fifths full, from which retention deletes
    Retention,
    /// Start with data, after a stop and after kill -9 under load
    Recovery,
}

impl Phase {
    fn name(self) -> String {
        let value = clap::ValueEnum::to_possible_value(&self);
        value.map_or_else(String::new, |value| value.get_name().to_owned())
    }

    /// Who does it. What flush.messages cannot change is done once per kind of broker, and what restarts a broker only
    /// with those that are started here.
    fn is_for(self, system: &System) -> bool {
        let starts = matches!(self, Self::Start | Self::Idle | Self::Retention | Self::Recovery);
        match &system.source {
            Source::Address { .. } => !starts,
            Source::Start(Kind::KafkaDurable) => !starts && self != Self::Partitions,
            Source::Start(Kind::Thalweg | Kind::Kafka) => true,
        }
    }

    fn run(self, session: &mut Session<'_>) -> Result<()> {
        match self {
            Self::Start => start::run(session),
            Self::Idle => idle::run(session),
            Self::Latency => latency::run(session),
            Self::Throughput => throughput::run(session),
            Self::Rates => rates::run(session),
            Self::Small => small::run(session),
            Self::Tail => tail::run(session),
            Self::CatchUp => catch_up::run(session),
            Self::Transactions => transactions::run(session),
            Self::Java => java::run(session),
            Self::Partitions => partitions::run(session),
            Self::Recovery => recovery::run(session),
            // It brings a session of its own.
            Self::Retention => Ok(()),
        }
    }
}

/// One repetition on one system. What fails is noted, and the rest goes on; only an interruption ends it all.
pub(super) fn repetition(bench: &mut Bench, system: &System, rep: u32, phases: &[Phase]) -> Result<()> {
    let wanted: Vec<Phase> = phases.iter().copied().filter(|phase| phase.is_for(system)).collect();
    // A broker of its own for what leaves one unlike others behind.
    let alone = [Phase::Partitions, Phase::Recovery];
    let (apart, together): (Vec<Phase>, Vec<Phase>) =
        wanted.into_iter().filter(|phase| *phase != Phase::Retention).partition(|phase| alone.contains(phase));
    let groups = std::iter::once(together).chain(apart.into_iter().map(|phase| vec![phase]));
    for group in groups.filter(|group| !group.is_empty()) {
        on_one_broker(bench, system, rep, &group)?;
    }
    if phases.contains(&Phase::Retention) && Phase::Retention.is_for(system) {
        let outcome = retention::run(bench, system, rep);
        note(bench, system, rep, Phase::Retention, outcome)?;
    }
    Ok(())
}

fn on_one_broker(bench: &mut Bench, system: &System, rep: u32, phases: &[Phase]) -> Result<()> {
    let first = phases.first().copied().unwrap_or(Phase::Start);
    let mut session = match Session::begin(bench, system, rep) {
        Ok(session) => session,
        Err(error) => return note(bench, system, rep, first, Err(error)),
    };
    for phase in phases {
        let outcome = phase.run(&mut session);
        note(session.bench, system, rep, *phase, outcome)?;
        if session.broker.is_gone() {
            break;
        }
    }
    // That it is gone has been said.
    let outcome = if session.broker.is_gone() { Ok(()) } else { session.end() };
    note(bench, system, rep, phases.last().copied().unwrap_or(first), outcome)
}

/// Keeps what went wrong among the results.
fn note(bench: &mut Bench, system: &System, rep: u32, phase: Phase, outcome: Result<()>) -> Result<()> {
    bench.interrupt.check()?;
    match outcome {
        Ok(()) => Ok(()),
        Err(error) => bench.missing(&phase.name(), &system.name, rep, format!("{error:#}")),
    }
}

/// What a phase leaves out for want of something that is not the broker's fault.
fn left_out(session: &mut Session<'_>, phase: Phase, why: &str) -> Result<()> {
    let (name, rep) = (session.system.name.clone(), session.rep);
    session.bench.results.add(Line::Missing { phase: phase.name(), system: name, rep, why: format!("left out: {why}") })
}
