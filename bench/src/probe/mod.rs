//! What the device and the host take by themselves: the floor under every broker on this machine.

mod buffer;
mod conclude;
mod device;
mod facts;
mod file;
mod floor;
mod host;
mod limits;
mod loopback;
mod measure;
mod plan;
mod ring;
mod scratch;
mod stop;
mod text;
mod verdict;

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, Result};

use self::facts::Others;
pub(crate) use self::file::Micros;
use self::file::{Cell, Device, FORMAT, Measure, ProbeFile};
use self::floor::Floor;
pub(crate) use self::limits::Limits;
use self::measure::Bench;
use self::plan::Selection;
use self::scratch::Scratch;
use self::stop::Stop;
use crate::summary::{Output, print};

#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// A directory on the device to measure. Needs up to 1.5 GiB (--quick: 700 MiB, --full: 4.5 GiB), which are given back
    dir: PathBuf,
    /// Write the result there; a broker finds it as thalweg-probe.json in its data directory
    #[arg(long, conflicts_with = "tsv")]
    out: Option<PathBuf>,
    /// About 15 s instead of a minute: a smaller file, fewer sizes and depths
    #[arg(long, conflicts_with_all = ["full", "tsv"])]
    quick: bool,
    /// Every size, depth, kind of file and way of writing: about ten minutes
    #[arg(long, conflicts_with = "tsv")]
    full: bool,
    /// Of the floor: durable writes, one at a time
    #[arg(long, default_value_t = 5000, value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    writes: u64,
    /// Of the floor: loopback round trips, one at a time
    #[arg(long, default_value_t = 20_000, value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    round_trips: u64,
    /// Ends each of the floor's three measurements after so long, with what was measured until then [default: 30 with --tsv, else 3; 1 with --quick]
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=3600))]
    seconds: Option<u64>,
    /// --json prints the result file; --tsv measures the floor alone, and prints its three lines
    #[command(flatten)]
    output: Output,
}

impl Args {
    fn selection(&self) -> Selection {
        match (self.quick, self.full) {
            (true, _) => Selection::Quick,
            (_, true) => Selection::Full,
            _ => Selection::Default,
        }
    }

    fn floor(&self, stop: &Stop) -> Result<Floor> {
        let seconds = self.seconds.unwrap_or(match (self.output.is_tsv(), self.quick) {
            (true, _) => 30,
            (false, true) => 1,
            (false, false) => 3,
        });
        Floor::measure(&self.dir, self.writes, self.round_trips, Duration::from_secs(seconds), stop)
    }
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let stop = Stop::on_signals()?;
    if args.output.is_tsv() {
        return print(args.output, &args.floor(&stop)?.summaries());
    }
    let selection = args.selection();
    let device = facts::device_of(&args.dir)?;
    if let Some(out) = &args.out {
        writable(out)?;
    }
    let (wanted, fill_time) = selection.filled();
    let file_bytes = scratch::room_for(&args.dir, wanted, FRESH_BYTES)?;
    let others = Others::watch();
    let filled = Scratch::filled(&args.dir, file_bytes, fill_time, &stop)?;
    let bench =
        Bench { dir: &args.dir, filled: &filled, time: selection.cell_time(), fresh_bytes: FRESH_BYTES, stop: &stop };
    let mut cells = Vec::new();
    for spec in selection.cells() {
        cells.push(bench.cell(spec)?);
    }
    let file_bytes = filled.len;
    drop(filled);
    cells.extend(args.floor(&stop)?.cells());
    cells.push(stream(selection)?);
    cells.extend(host::cells(selection.cell_time() / 2, &stop)?);
    let meanwhile = Meanwhile { file_bytes, others_pct: others.percent() };
    let result = result(&args.dir, selection, device, &meanwhile, cells);
    if let Some(out) = &args.out {
        result.save(out)?;
    }
    print!("{}", if args.output.is_json() { result.text() } else { text::render(&result) });
    Ok(())
}

/// Most bytes of a file that is written once.
const FRESH_BYTES: u64 = 64 << 20;

/// Better said before a minute of measuring than behind it.
fn writable(out: &Path) -> Result<()> {
    let dir = out.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let able = rustix::fs::access(dir, rustix::fs::Access::WRITE_OK);
    able.with_context(|| format!("cannot write {}; choose another place with --out", out.display()))
}

fn stream(selection: Selection) -> Result<Cell> {
    const PIECE: usize = 256 << 10;
    let (pieces, took) = loopback::stream(PIECE, selection.cell_time())?;
    Ok(Cell {
        measure: Measure::LoopbackStream,
        extent: None,
        durable: None,
        size_bytes: PIECE as u64,
        depth: 1,
        count: pieces,
        seconds: measure::rounded(took.as_secs_f64(), 1e6),
        bytes_s: measure::bytes_s(pieces, PIECE as u64, took.as_secs_f64()),
        us: None,
    })
}

/// How it was measured.
struct Meanwhile {
    file_bytes: u64,
    others_pct: f64,
}

fn result(dir: &Path, selection: Selection, device: Device, how: &Meanwhile, cells: Vec<Cell>) -> ProbeFile {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let conclusions = conclude::conclude(&cells, &device, how.others_pct);
    ProbeFile {
        format: FORMAT.to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        measured_ms: i64::try_from(now.as_millis()).unwrap_or(i64::MAX),
        selection: selection.name().to_owned(),
        directory: dir.canonicalize().unwrap_or_else(|_| dir.to_owned()).display().to_string(),
        host: crate::host::host(),
        device,
        file_bytes: how.file_bytes,
        others_pct: how.others_pct,
        cells,
        conclusions,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_that_could_not_be_written_is_refused_before_measuring() {
        assert!(writable(Path::new("x.json")).is_ok());
        let error = writable(Path::new("/nonexistent/x.json")).err().map(|error| error.to_string());
        assert!(error.is_some_and(|error| error.contains("/nonexistent/x.json")));
    }
}
