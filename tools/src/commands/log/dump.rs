//! `thalweg log dump`

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;

use super::batch::BatchLine;
use super::files::{self, DataFile, Kind, unreadable};
use super::index;
use super::segment::{Next, Reader};
use super::wal;
use crate::cli::Global;
use crate::failure::Failure;

/// Segments (.log), their indexes (.index, .timeindex, .txnindex), the write-ahead log (.wal) and its checkpoint. With --json, one line of JSON for each batch or entry.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Data files, or directories with some
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    /// Also every record
    #[arg(short, long)]
    records: bool,
    /// Only batches that hold this offset or later ones
    #[arg(long, value_name = "OFFSET")]
    from: Option<i64>,
    /// Stop after so many batches or entries of each file
    #[arg(short = 'n', long, value_name = "N")]
    count: Option<usize>,
}

/// One line of JSON.
#[derive(Serialize)]
struct Line<'a, T: Serialize> {
    file: &'a Path,
    #[serde(flatten)]
    item: T,
}

#[derive(Serialize)]
struct End<'a> {
    position: u64,
    end: &'a str,
}

pub(crate) fn run(global: &Global, arguments: &Arguments) -> Result<(), Failure> {
    let mut out = Out { out: io::BufWriter::new(io::stdout().lock()), json: global.json };
    let mut damaged = 0_usize;
    for file in files::find(&arguments.paths)? {
        out.heading(&file)?;
        damaged += match file.kind {
            Kind::Segment => segment(&file, arguments, &mut out)?,
            Kind::OffsetIndex | Kind::TimeIndex | Kind::TransactionIndex => entries(&file, arguments, &mut out)?,
            Kind::WriteAhead => write_ahead(&file, arguments, &mut out)?,
            Kind::Checkpoint => checkpoint(&file, &mut out)?,
        };
    }
    out.out.flush().map_err(|error| Failure::output(&error))?;
    if damaged > 0 {
        return Err(Failure::new("there are damaged batches").hint("`thalweg log verify` lists them all"));
    }
    Ok(())
}

struct Out {
    out: io::BufWriter<io::StdoutLock<'static>>,
    json: bool,
}

impl Out {
    fn heading(&mut self, file: &DataFile) -> Result<(), Failure> {
        if self.json {
            return Ok(());
        }
        self.line(&format!("{} ({}, {} B)", file.path.display(), file.kind.name(), file.size_bytes))
    }

    fn item<T: Serialize>(&mut self, file: &DataFile, item: T, text: impl FnOnce(&T) -> String) -> Result<(), Failure> {
        if !self.json {
            return self.line(&text(&item));
        }
        let line = serde_json::to_string(&Line { file: &file.path, item });
        self.line(&line.map_err(|error| Failure::new(format!("cannot write JSON: {error}")))?)
    }

    fn line(&mut self, text: &str) -> Result<(), Failure> {
        writeln!(self.out, "{text}").map_err(|error| Failure::output(&error))
    }
}

/// Shows a segment; gives how many damaged batches it met.
fn segment(file: &DataFile, arguments: &Arguments, out: &mut Out) -> Result<usize, Failure> {
    let mut reader = Reader::open(file)?;
    let (mut shown, mut damaged) = (0, 0);
    while arguments.count.is_none_or(|count| shown < count) {
        let position = reader.position;
        let end = match reader.next().map_err(|error| unreadable(&file.path, &error))? {
            Next::Batch(batch) => {
                if arguments.from.is_some_and(|from| batch.header.last_offset().0 < from) {
                    continue;
                }
                let line = BatchLine::new(&batch, arguments.records);
                damaged += usize::from(line.is_damaged());
                out.item(file, line, BatchLine::text)?;
                shown += 1;
                continue;
            }
            Next::End => break,
            Next::Cut { bytes } => format!("the file ends inside a batch, {bytes} B long so far"),
            Next::Zeros { bytes } => format!("{bytes} B of zeros until the end"),
            Next::Damaged(error) => {
                damaged += 1;
                format!("DAMAGED: {error}")
            }
        };
        out.item(file, End { position, end: &end }, |end| format!("  at {:<10} {}", end.position, end.end))?;
        break;
    }
    Ok(damaged)
}

fn entries(file: &DataFile, arguments: &Arguments, out: &mut Out) -> Result<usize, Failure> {
    let entries = index::read(file)?;
    for entry in entries.iter().take(arguments.count.unwrap_or(usize::MAX)) {
        out.item(file, *entry, |entry| entry.text())?;
    }
    Ok(0)
}

/// Shows a file of the write-ahead log; gives how many damaged places it met.
fn write_ahead(file: &DataFile, arguments: &Arguments, out: &mut Out) -> Result<usize, Failure> {
    let (mut shown, mut damaged, mut result) = (0, 0, Ok(()));
    wal::read(file, &mut |finding| {
        let line = wal::FindingLine::new(&finding);
        if arguments.count.is_some_and(|count| shown >= count) || result.is_err() || !line.is_shown(arguments.records) {
            return;
        }
        shown += 1;
        damaged += usize::from(finding.is_damage());
        result = out.item(file, line, wal::FindingLine::text);
    })?;
    result.map(|()| damaged)
}

fn checkpoint(file: &DataFile, out: &mut Out) -> Result<usize, Failure> {
    let (line, damaged) = wal::CheckpointLine::of(file);
    out.item(file, line, wal::CheckpointLine::text)?;
    Ok(usize::from(damaged))
}
