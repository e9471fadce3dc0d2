//! Thalweg beside Apache Kafka on one machine: each alone, on the same cores, disk and load, in turns.

mod about;
mod admin;
mod args;
mod broker;
mod interrupt;
mod launch;
mod load;
mod meter;
mod phases;
mod plots;
mod process;
mod programs;
mod results;
mod scenario;
mod session;
mod sizes;
mod stalls;
mod systems;
mod tables;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

pub(crate) use self::args::Args;
use self::interrupt::Interrupt;
use self::meter::Cores;
use self::phases::Phase;
use self::programs::{Programs, target_dir};
use self::results::{Line, Results};
use self::session::{Bench, Scratch};
use self::systems::{Kind, System, systems};

/// What a broker with ten thousand partitions opens; a process may not allow itself more than its parent may.
const FILES_MAX: u64 = 200_000;

pub(crate) fn run(args: &Args) -> Result<()> {
    if let Some(file) = &args.from {
        print!("{}", tables::markdown(&results::read(file)?));
        return Ok(());
    }
    let phases = args.phases();
    let systems = systems(&args.systems(), &args.address, &args.pid)?;
    let cores = Cores(args.cores()?);
    // Everything that is started from here on stays on these cores.
    meter::stay_on(&cores)?;
    allow_files();
    let interrupt = Interrupt::listen()?;
    let programs = Programs::find(args.thalwegd.as_deref(), args.kafka_libs.as_deref())?;
    let out = out_dir(args)?;
    require(&programs, &systems, &phases, &out, &interrupt)?;
    let scratch = Scratch(
        args.work.clone().map_or_else(target_dir, Ok)?.join(format!("thalweg-bench-work-{}", std::process::id())),
    );
    std::fs::create_dir_all(&scratch.0).with_context(|| format!("cannot create {}", scratch.0.display()))?;
    let results = Results::create(&out.join("results.jsonl"))?;
    let mut bench = Bench {
        sizes: args.sizes(),
        programs,
        cores,
        interrupt,
        results,
        out,
        work: scratch.0.clone(),
        maxima: Vec::new(),
        systems,
        rates: args.rates.clone(),
        failures: 0,
        plots: plots::Plots::default(),
    };
    for text in about::lines(&bench) {
        bench.results.add(Line::About { text })?;
    }
    let ended = repetitions(&mut bench, &phases);
    let tables = tables::markdown(&bench.results.lines);
    std::fs::write(bench.out.join("tables.md"), &tables).context("cannot write the tables")?;
    print!("{tables}");
    bench.plots.write(&bench.out.join("plots"))?;
    eprintln!("raw lines, tables, plots and every load's result: {}", bench.out.display());
    ended?;
    match bench.failures {
        0 => Ok(()),
        failures => bail!("{failures} failed, see above; the rest was measured"),
    }
}

fn repetitions(bench: &mut Bench, phases: &[Phase]) -> Result<()> {
    for rep in 1..=bench.sizes.reps {
        for system in bench.systems.clone() {
            phases::repetition(bench, &system, rep, phases)?;
        }
    }
    Ok(())
}

fn out_dir(args: &Args) -> Result<PathBuf> {
    let dir = match &args.out {
        Some(dir) => dir.clone(),
        None => {
            let now = Command::new("date").arg("+%Y%m%d-%H%M%S").output().context("cannot run `date`")?;
            target_dir()?.join("compare").join(String::from_utf8_lossy(&now.stdout).trim())
        }
    };
    std::fs::create_dir_all(dir.join("runs")).with_context(|| format!("cannot create {}", dir.display()))?;
    Ok(dir)
}

/// What would only be missed after an hour.
fn require(programs: &Programs, systems: &[System], phases: &[Phase], out: &Path, interrupt: &Interrupt) -> Result<()> {
    if systems.iter().any(|system| system.kind() == Some(Kind::Thalweg)) {
        programs.require_thalweg()?;
    }
    let starts_kafka = systems.iter().any(|system| matches!(system.kind(), Some(Kind::Kafka | Kind::KafkaDurable)));
    if starts_kafka || phases == [Phase::Java] {
        programs.require_kafka(out, interrupt)?;
    }
    Ok(())
}

/// As far as the user may; a broker that needs more says so itself.
fn allow_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    for wanted in [Some(FILES_MAX), maximum] {
        if maximum.is_some_and(|maximum| maximum > FILES_MAX) {
            continue;
        }
        if setrlimit(Resource::Nofile, Rlimit { current: wanted, maximum: wanted }).is_ok() {
            return;
        }
    }
}
