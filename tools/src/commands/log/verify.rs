//! `thalweg log verify`

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;

use super::batch::check;
use super::files::{self, DataFile, Kind, unreadable};
use super::index;
use super::segment::{Batch, Next, Reader};
use super::wal;
use crate::cli::Global;
use crate::failure::Failure;
use crate::output::{bytes, count};
use crate::progress::Progress;

/// Every batch's checksum, compression, records and place in the order of offsets; every index entry's order. Exit code 1
/// when something is wrong. A broker that runs is still writing: what its newest segments lack is in its write-ahead log.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Data files, or directories with some: a partition's, or all of log.dirs
    #[arg(required = true)]
    paths: Vec<PathBuf>,
}

#[derive(Serialize)]
struct Report {
    files: usize,
    batches: u64,
    records: u64,
    /// In write-ahead logs.
    wal_records: u64,
    size_bytes: u64,
    problems: Vec<Problem>,
    /// Nothing wrong, but worth knowing.
    notes: Vec<Problem>,
}

#[derive(Serialize)]
struct Problem {
    file: PathBuf,
    position: u64,
    problem: String,
}

pub(crate) fn run(global: &Global, arguments: &Arguments) -> Result<(), Failure> {
    let files = files::find(&arguments.paths)?;
    let size_bytes = files.iter().map(|file| file.size_bytes).sum();
    let mut report = Report {
        files: files.len(),
        batches: 0,
        records: 0,
        wal_records: 0,
        size_bytes,
        problems: Vec::new(),
        notes: Vec::new(),
    };
    let mut progress = Progress::new("batches", Some(size_bytes), true);
    let mut done_bytes = 0;
    let mut ends: HashMap<Option<&Path>, i64> = HashMap::new();
    for file in &files {
        match file.kind {
            Kind::Segment => {
                let end = ends.entry(file.path.parent()).or_insert(0);
                let mut segment = Segment { file, report: &mut report, next_offset: file.base_offset.max(*end) };
                segment.verify(&mut progress, done_bytes)?;
                *end = segment.next_offset;
            }
            Kind::OffsetIndex | Kind::TimeIndex | Kind::TransactionIndex => verify_index(file, &mut report)?,
            Kind::WriteAhead => {}
            Kind::Checkpoint => verify_checkpoint(file, &mut report),
        }
        done_bytes += file.size_bytes;
    }
    drop(progress);
    verify_write_ahead(&files, &mut report)?;
    global.output().emit(&report, text_of)?;
    match report.problems.len() {
        0 => Ok(()),
        number => Err(Failure::new(format!("{} found", count(number as u64, "problem")))
            .hint("keep a copy of the files; with other replicas, delete the damaged one and let it be built again")),
    }
}

struct Segment<'a> {
    file: &'a DataFile,
    report: &'a mut Report,
    /// The lowest offset that the next batch may begin with.
    next_offset: i64,
}

impl Segment<'_> {
    fn verify(&mut self, progress: &mut Progress, done_bytes: u64) -> Result<(), Failure> {
        let mut reader = Reader::open(self.file)?;
        loop {
            let position = reader.position;
            match reader.next().map_err(|error| unreadable(&self.file.path, &error))? {
                Next::Batch(batch) => {
                    self.batch(&batch);
                    progress.at(self.report.batches, done_bytes + reader.position);
                    continue;
                }
                Next::End => {}
                Next::Cut { bytes } => self.unfinished(position, format!("{bytes} B of a batch that is cut")),
                Next::Zeros { bytes } => self.unfinished(position, format!("{bytes} B of zeros at the end")),
                Next::Damaged(error) => self.problem(position, error.to_string()),
            }
            return Ok(());
        }
    }

    fn batch(&mut self, batch: &Batch) {
        self.report.batches += 1;
        match check(batch) {
            Ok(()) => self.report.records += u64::try_from(batch.header.records_count).unwrap_or(0),
            Err(error) => self.problem(batch.position, error.to_string()),
        }
        let (offset, expected) = (batch.header.base_offset.0, self.next_offset);
        if offset < expected {
            self.problem(batch.position, format!("offset {offset} where none below {expected} can be"));
        }
        self.next_offset = expected.max(batch.header.next_offset().0);
    }

    /// Normal in the newest segment of a broker that runs or was killed: the write-ahead log has the rest.
    fn unfinished(&mut self, position: u64, what: String) {
        if self.file.newest {
            let problem = format!("{what}: written so far; the write-ahead log has the rest");
            self.report.notes.push(Problem { file: self.file.path.clone(), position, problem });
        } else {
            self.problem(position, what);
        }
    }

    fn problem(&mut self, position: u64, problem: String) {
        self.report.problems.push(Problem { file: self.file.path.clone(), position, problem });
    }
}

fn verify_checkpoint(file: &DataFile, report: &mut Report) {
    if let (wal::CheckpointLine { problem: Some(problem), .. }, _) = wal::CheckpointLine::of(file) {
        report.problems.push(Problem { file: file.path.clone(), position: 0, problem });
    }
}

/// Records may go from one file into the next, so a write-ahead log is read by its directory.
fn verify_write_ahead(files: &[DataFile], report: &mut Report) -> Result<(), Failure> {
    let logs: BTreeSet<&Path> = files
        .iter()
        .filter(|file| file.kind == Kind::WriteAhead)
        .map(|file| file.path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new(".")))
        .collect();
    for dir in logs {
        let found = wal::verify(dir)?;
        report.wal_records += found.records;
        let name = |(file, position, problem)| Problem { file, position, problem };
        report.problems.extend(found.problems.into_iter().map(name));
        report.notes.extend(found.notes.into_iter().map(name));
    }
    Ok(())
}

fn verify_index(file: &DataFile, report: &mut Report) -> Result<(), Failure> {
    let entries = index::read(file)?;
    let problem = index::problem(&entries).or(match file.kind {
        Kind::OffsetIndex => index::problem_in_segment(file, &entries),
        _ => None,
    });
    report.problems.extend(problem.map(|problem| Problem { file: file.path.clone(), position: 0, problem }));
    Ok(())
}

fn text_of(report: &Report) -> String {
    let line = |word: &str, problem: &Problem| {
        format!("{word}: {} at {}: {}\n", problem.file.display(), problem.position, problem.problem)
    };
    let problems = report.problems.iter().map(|problem| line("problem", problem));
    let notes = report.notes.iter().map(|note| line("note", note));
    let lines: String = problems.chain(notes).collect();
    format!(
        "{lines}{}, {}, {}, {}: {}\n",
        count(report.files as u64, "file"),
        if report.batches == 1 { "1 batch".to_owned() } else { format!("{} batches", report.batches) },
        count(report.records, "record"),
        bytes(report.size_bytes),
        if report.problems.is_empty() { "good" } else { "DAMAGED" },
    )
}
