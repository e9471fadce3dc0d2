//! Correctness under load: writes records that name themselves, reads them back while the broker is disturbed, and judges.
//!
//! The judge is [`check`], which does no I/O; producers and readers tell it what they do and see.

mod args;
mod check;
mod disturb;
mod link;
mod outage;
mod places;
mod producer;
mod queue;
mod reader;
mod record;
mod shared;
mod verdict;

use std::hash::{BuildHasher as _, Hasher as _};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, Result, bail};

pub(crate) use args::Args;
use check::{Checker, Rules};
use places::Places;
use producer::Producer;
use reader::Reader;
use shared::Shared;
use verdict::Verdict;

/// Between lines that tell how far the run is.
const PROGRESS: Duration = Duration::from_secs(5);
const NAP: Duration = Duration::from_millis(20);

pub(crate) fn run(args: &Args) -> Result<()> {
    let run = std::hash::RandomState::new().build_hasher().finish();
    let settings = args.settings(run)?;
    let places = Places::prepare(&args.target, args.partitions, args.replication)?;
    let starts = reader::starts(&places)?;
    let rules = Rules {
        idempotent: settings.idempotent,
        ordered: settings.idempotent || settings.in_flight == 1,
        committed: settings.acks == -1,
    };
    let checker = Checker::new(rules, settings.producers, &starts);
    let shared = Arc::new(Shared::new(settings, checker));
    produce_and_read(args, &shared, &places)?;
    let errors = judge(&shared, &places);
    let verdict = Verdict::new(&shared, places.topic(), errors);
    if args.json {
        println!("{}", serde_json::to_string_pretty(&verdict)?);
    } else {
        print!("{}", verdict.text());
    }
    if !verdict.passed {
        bail!("{}", verdict.summary());
    }
    Ok(())
}

/// All threads, from the first record to the last acknowledgement.
fn produce_and_read(args: &Args, shared: &Arc<Shared>, places: &Places) -> Result<()> {
    let producers: Vec<_> = (0..shared.settings.producers)
        .map(|index| {
            let producer = Producer::new(Arc::clone(shared), index, places.clone());
            spawn(shared, move || producer.run())
        })
        .collect();
    let follower = Reader::new(Arc::clone(shared), places.clone());
    let again = Reader::new(Arc::clone(shared), places.clone());
    let mut others = vec![
        spawn(shared, move || {
            follower.follow();
            Ok(())
        }),
        spawn(shared, move || {
            again.read_again_and_again();
            Ok(())
        }),
    ];
    if let Some(command) = args.disturb.clone() {
        let (shared_too, every) = (Arc::clone(shared), Duration::from_secs_f64(args.disturb_every_s));
        others.push(spawn(shared, move || disturb::disturb(&shared_too, &command, every)));
    }
    watch(shared, &producers);
    shared.stop();
    let joined = producers.into_iter().map(JoinHandle::join).filter(Result::is_err).count();
    shared.produced.store(true, Ordering::Release);
    let panicked = joined + others.into_iter().map(JoinHandle::join).filter(Result::is_err).count();
    if panicked > 0 {
        bail!("{panicked} threads of this program panicked");
    }
    Ok(())
}

fn spawn(shared: &Arc<Shared>, work: impl FnOnce() -> Result<()> + Send + 'static) -> JoinHandle<()> {
    let shared = Arc::clone(shared);
    std::thread::spawn(move || {
        if let Err(error) = work() {
            shared.fail(format!("{error:#}"));
        }
    })
}

/// Until all producers have ended: stops them when the time is up or no more can be remembered, and tells how far it is.
fn watch(shared: &Shared, producers: &[JoinHandle<()>]) {
    let mut next = PROGRESS;
    while producers.iter().any(|producer| !producer.is_finished()) {
        std::thread::sleep(NAP);
        let now = shared.now();
        if shared.settings.duration.is_some_and(|duration| now >= duration) || shared.taken() >= shared.settings.records
        {
            shared.stop();
        }
        if now < next {
            continue;
        }
        next += PROGRESS;
        let checker = shared.checker();
        let (acknowledged, seen, violations) =
            (checker.tally.acknowledged, checker.tally.seen, checker.violations.total());
        let full = checker.is_full();
        drop(checker);
        let disturbances = shared.disturbances.load(Ordering::Acquire);
        eprintln!(
            "{:>5} s  {acknowledged} acknowledged, {seen} found, {disturbances} disturbances, {violations} violations",
            now.as_secs()
        );
        if full && !shared.is_stopping() {
            shared.fail(format!(
                "no more than {} batches can be remembered: take larger batches or fewer records",
                check::REMEMBERED_MAX
            ));
        }
    }
}

/// Reads everything a last time and holds what was acknowledged against it; gives what went wrong beside the broker.
fn judge(shared: &Arc<Shared>, places: &Places) -> Vec<String> {
    let mut errors: Vec<String> = shared.failure().into_iter().collect();
    let mut reader = Reader::new(Arc::clone(shared), places.clone());
    for partition in 0..places.partitions() {
        let read = reader.read_whole(partition, |_| true);
        let index = i32::try_from(partition).context("a partition");
        match read.and_then(|end| Ok((index?, end))) {
            Ok((index, end)) => shared.checker().finish(index, end),
            Err(error) => {
                errors.push(format!("the last reading: {error:#}"));
                // Where one partition cannot be read, the others will not be either: what was seen is told now.
                return errors;
            }
        }
    }
    shared.readings.fetch_add(1, Ordering::AcqRel);
    if shared.checker().tally.acknowledged == 0 && errors.is_empty() {
        errors.push("nothing was acknowledged, so nothing was verified".to_owned());
    }
    errors
}
