//! `thalweg-bench run`: a scenario of producers and consumers, and what came of it.
//!
//! With a rate producing is an open loop: each record has a moment at which it is due, and its latency counts from there,
//! whatever held it up. Without one it is a closed loop, for the largest throughput: there latency says how long
//! records waited in this program's own buffer, and little about the broker.

mod args;
mod consume;
mod moment;
mod plan;
mod producer;
mod recorder;
mod records;
pub(crate) mod scenario;
mod shared;
#[cfg(test)]
mod tests;
mod topics;

use std::sync::Arc;
use std::sync::mpsc::RecvTimeoutError;
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, bail};

pub(crate) use self::args::Args;
use self::plan::SECOND_NS;
use self::producer::Producer;
pub(crate) use self::records::Payload;
use self::scenario::Scenario;
use self::shared::Shared;
use self::topics::Cluster;
use crate::host::host;
use crate::report;
use crate::report::hlog::{HlogFile, HlogWriter};
use crate::result::{FORMAT, Role, RunResult};

pub(crate) fn run(args: &Args) -> Result<()> {
    let hlog = args.hlog.as_deref().map(report::hlog::create).transpose()?;
    let (result, failure) = measure(args.scenario()?, hlog, |line| eprintln!("{line}"))?;
    if let Some(path) = &args.out {
        std::fs::write(path, serde_json::to_vec(&result)?)
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    if let Some(path) = &args.hgrm {
        std::fs::write(path, report::hgrm::hgrm(&result)?)
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    if let Some(path) = &args.report {
        report::write_page(path, std::slice::from_ref(&result), None)?;
    }
    if args.json {
        println!("{}", serde_json::to_string(&result)?);
    } else {
        print!("{}", report::text::text(&result, None));
    }
    failure.map_or(Ok(()), |failure| Err(failure.context("the run ended early; what is above was measured until then")))
}

/// The result, and what ended the run early.
fn measure(
    scenario: Scenario,
    hlog: Option<HlogFile>,
    progress: impl Fn(String),
) -> Result<(RunResult, Option<anyhow::Error>)> {
    let cluster = Arc::new(Cluster::prepare(&scenario)?);
    let shared = Arc::new(Shared::new(scenario));
    let consumers = consume::start(&shared, &cluster)?;
    let producers = start_producers(&shared, &cluster)?;
    await_start(&shared);
    let began_ms = i64::try_from(SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_millis())?;
    if let Some(file) = hlog {
        shared.recorder.log_to(HlogWriter::new(file, &shared.scenario.name, began_ms)?);
    }
    shared.begin();
    let ends_ns = if producers.is_empty() { shared.plan.ends_ns() } else { 0 };
    let producing = |shared: &Shared| {
        producers.iter().any(|producer| !producer.is_finished()) || (shared.now_ns() < ends_ns && !shared.has_failed())
    };
    watch(&shared, producing, &progress)?;
    let ended_ns = shared.now_ns();
    shared.end_producing();
    watch(&shared, |_| consumers.iter().any(|consumer| !consumer.is_finished()), &progress)?;
    for thread in producers.into_iter().chain(consumers) {
        if thread.join().is_err() {
            bail!("a thread of the run panicked");
        }
    }
    let failure = shared.take_failure();
    let mut steps = shared.recorder.finish(ended_ns)?;
    consume::tell_missing(&shared, &mut steps);
    let result = RunResult {
        format: FORMAT.to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        name: shared.scenario.name.clone(),
        began_ms,
        hosts: vec![host()],
        scenario: serde_json::to_value(&shared.scenario)?,
        steps,
        failure: failure.as_ref().map(|failure| format!("{failure:#}")),
    };
    Ok((result, failure))
}

/// Each connects on its own thread; all of them are ready when this returns.
fn start_producers(shared: &Arc<Shared>, cluster: &Cluster) -> Result<Vec<JoinHandle<()>>> {
    let count = shared.scenario.produce.as_ref().map_or(0, |produce| produce.producers);
    let (connected, ready) = std::sync::mpsc::channel();
    let start = |index| {
        let (shared, cluster, connected) = (Arc::clone(shared), cluster.clone(), connected.clone());
        std::thread::spawn(move || {
            let outcome = Producer::new(&shared, index, cluster).and_then(|producer| {
                let _ = connected.send(());
                producer.run()
            });
            if let Err(error) = outcome {
                shared.fail(error);
            }
            drop(connected);
        })
    };
    let threads = (0..count).map(start).collect();
    drop(connected);
    // Fewer come if one fails; that ends the run before it begins.
    for _ in 0..count {
        while let Err(RecvTimeoutError::Timeout) = ready.recv_timeout(Duration::from_millis(10)) {
            if shared.has_failed() {
                return Ok(threads);
            }
        }
    }
    Ok(threads)
}

/// Several processes that are given the same moment begin together.
fn await_start(shared: &Shared) {
    let start_at = SystemTime::UNIX_EPOCH + Duration::from_millis(shared.scenario.start_at_ms);
    while let Ok(wait) = start_at.duration_since(SystemTime::now())
        && !wait.is_zero()
        && !shared.has_failed()
    {
        std::thread::sleep(wait.min(Duration::from_millis(50)));
    }
}

/// Tells the seconds while it runs.
fn watch(shared: &Shared, running: impl Fn(&Shared) -> bool, progress: &impl Fn(String)) -> Result<()> {
    let mut next_s = shared.now_ns() / SECOND_NS + 1;
    while running(shared) {
        std::thread::sleep(Duration::from_millis(20));
        let now_ns = shared.now_ns();
        if now_ns < next_s * SECOND_NS {
            continue;
        }
        let place = shared.plan.place(now_ns - SECOND_NS);
        let phase = match (place.counted, place.step) {
            (true, 0) => "measuring".to_owned(),
            (true, step) => format!("measuring step {step}"),
            (false, 0) => "warm-up".to_owned(),
            (false, _) => "settling".to_owned(),
        };
        for flow in shared.recorder.turn_seconds(now_ns)? {
            let name = match flow.role {
                Role::Produce => "produced",
                Role::Tail => "at the tail",
                Role::CatchUp => "catching up",
            };
            let p99 = Duration::from_nanos((flow.p99_us * 1000.0) as u64);
            progress(format!(
                "{next_s:>4} s  {phase}: {} {name}, p99 {p99:.1?}, {} refused",
                flow.records, flow.refused
            ));
        }
        next_s = now_ns / SECOND_NS + 1;
    }
    Ok(())
}
