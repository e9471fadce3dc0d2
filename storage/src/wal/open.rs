//! Opening the log: which files there are, what they hold, where it goes on.
//!
//! It always goes on in another file, under a number never used before. So nothing is ever written behind a cut, and what
//! lies there stays what it is.

use std::collections::VecDeque;
use std::path::Path;
use std::rc::Rc;

use super::block::BlockHeader;
use super::file::{WalFile, file_number};
use super::filler::ZERO_PIECE_BYTES;
use super::frame::frames;
use super::recovery::{Decision, Later, decide};
use super::replay::{Place, Replay};
use super::scan::{Block, Evidence, Scanner, classify, look_later};
use super::state::{Beginning, Sealed, State};
use super::{WalConfig, WalRecord};
use crate::StorageError;
use crate::io::Disk;
use crate::types::WalSequence;

pub(super) async fn open(
    disk: &dyn Disk,
    config: &WalConfig,
    from: WalSequence,
    sink: &mut dyn FnMut(WalSequence, WalRecord),
) -> Result<State, StorageError> {
    let files = open_files(disk, &config.dir).await?;
    let mut next_file_number = files.last().map_or(1, |file| file.number + 1);
    let found = recover(&files, from, sink).await?;
    for needed in &found.needed {
        // Read is not yet durable: what a killed process had in flight may still be in the device's cache.
        needed.file.handle.fdatasync().await.map_err(StorageError::io("sync", &needed.file.path))?;
    }
    let needed: VecDeque<Sealed> = found.needed.into();
    let mut free = VecDeque::new();
    for file in files.iter().filter(|file| needed.iter().all(|needed| needed.file.number != file.number)) {
        free.push_back(file.renumber(disk, &config.dir, next_file_number).await?);
        next_file_number += 1;
    }
    let current = match free.pop_front() {
        Some(file) => file,
        None => {
            next_file_number += 1;
            WalFile::create(disk, &config.dir, next_file_number - 1).await?
        }
    };
    let first_piece = ZERO_PIECE_BYTES.min(config.file_size_bytes);
    if current.zeroed_bytes.get() < first_piece {
        current.zero_more(disk, first_piece, first_piece).await?;
    }
    disk.sync_dir(&config.dir).await.map_err(StorageError::io("sync", &config.dir))?;
    Ok(State::new(Beginning {
        last_sequence: found.last_sequence,
        last_block: found.last_block,
        sealed: needed,
        current,
        spares: free,
        next_file_number,
    }))
}

/// The log's files, by number. The directory is made if it is missing.
async fn open_files(disk: &dyn Disk, dir: &Path) -> Result<Vec<Rc<WalFile>>, StorageError> {
    let names = match disk.read_dir(dir).await {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            create_dir(disk, dir).await?;
            Vec::new()
        }
        names => names.map_err(StorageError::io("list", dir))?,
    };
    let mut numbers: Vec<u64> = names.iter().filter_map(|name| file_number(name)).collect();
    numbers.sort_unstable();
    let mut files = Vec::with_capacity(numbers.len());
    for number in numbers {
        files.push(WalFile::open(disk, dir, number).await?);
    }
    Ok(files)
}

/// `<log.dir>/thalweg/core-<n>/wal` may be new down from `thalweg`; each name must be durable in its parent.
async fn create_dir(disk: &dyn Disk, dir: &Path) -> Result<(), StorageError> {
    disk.create_dir_all(dir).await.map_err(StorageError::io("create", dir))?;
    for parent in dir.ancestors().skip(1).take(3).filter(|parent| !parent.as_os_str().is_empty()) {
        disk.sync_dir(parent).await.map_err(StorageError::io("sync", parent))?;
    }
    Ok(())
}

struct Found {
    last_sequence: WalSequence,
    last_block: u64,
    /// Files with records behind the checkpoint, oldest first.
    needed: Vec<Sealed>,
}

/// How a file begins, if with a block of its own.
#[derive(Clone, Copy)]
struct First {
    header: BlockHeader,
    /// Its first frame is the start of a record.
    starts_record: bool,
}

impl First {
    /// Nothing before this file is needed, when records up to `from` are in the checkpoint.
    fn reaches_back_to(&self, from: WalSequence) -> bool {
        let first = WalSequence(self.header.first_sequence);
        first <= from || (first == from.next() && self.starts_record)
    }
}

async fn recover(
    files: &[Rc<WalFile>],
    from: WalSequence,
    sink: &mut dyn FnMut(WalSequence, WalRecord),
) -> Result<Found, StorageError> {
    let mut firsts = Vec::with_capacity(files.len());
    for file in files {
        firsts.push(first_block(file).await?);
    }
    let replay = Replay::new(from, sink);
    let begins = |index: &usize| firsts.get(*index).copied().flatten();
    let reaching = (0..files.len()).rev().find(|index| begins(index).is_some_and(|first| first.reaches_back_to(from)));
    match reaching.and_then(|index| Some((index, begins(&index)?))) {
        Some((index, first)) => {
            let walk = Walk { files, firsts: &firsts, replay, needed: Vec::new(), from, expected: first.header.block };
            walk.run(index).await
        }
        None => nothing_reaches_back(files, &firsts, from).await,
    }
}

async fn first_block(file: &Rc<WalFile>) -> Result<Option<First>, StorageError> {
    let found = Scanner::new(file).block(0).await?;
    Ok(found
        .ok()
        .filter(|block| block.header.file == file.number)
        .map(|block| First { header: block.header, starts_record: starts_record(&block) }))
}

fn starts_record(block: &Block) -> bool {
    // A closing mark has no frame; it begins no record, but continues none either.
    frames(&block.payload).next().is_none_or(|frame| frame.is_ok_and(|frame| frame.kind.starts()))
}

/// No file begins at the checkpoint or before it. Either the log holds nothing that was ever acknowledged, or its
/// beginning is gone; a block that was written knowing its predecessors durable tells.
async fn nothing_reaches_back(
    files: &[Rc<WalFile>],
    firsts: &[Option<First>],
    from: WalSequence,
) -> Result<Found, StorageError> {
    let (mut lowest, mut last_block) = (None, 0);
    for file in files {
        let mut scanner = Scanner::new(file);
        if let Some((_, header)) = scanner.next_own(0, super::scan::SPARE_SCAN_BYTES).await? {
            lowest.get_or_insert((Rc::clone(file), header));
            last_block = last_block.max(header.block);
        }
    }
    let Some((file, header)) = lowest else {
        return Ok(Found { last_sequence: from, last_block: 0, needed: Vec::new() });
    };
    // The block that is missing: this file's first, or the one before this file.
    let begins = firsts.iter().flatten().any(|first| first.header.file == file.number);
    let missing = if begins { header.file_first_block.saturating_sub(1) } else { header.file_first_block };
    let later: Vec<_> = files.iter().filter(|other| other.number > file.number).cloned().collect();
    let evidence = look_later(&mut Scanner::new(&file), 0, &later, missing).await?;
    if missing > 0 && evidence.later != Later::Silent {
        if begins {
            let (first_missing, last_missing) = (from.next(), WalSequence(header.first_sequence).previous());
            return Err(StorageError::WalGap { file: file.path.clone(), first_missing, last_missing });
        }
        return Err(corrupt(&file.path, 0, missing, "no whole block begins there", evidence));
    }
    Ok(Found { last_sequence: from, last_block, needed: Vec::new() })
}

fn corrupt(file: &Path, position: u64, expected_block: u64, found: &str, evidence: Evidence) -> StorageError {
    let (file, found) = (file.to_path_buf(), found.to_owned());
    StorageError::WalCorrupt { file, position, expected_block, found, evidence: evidence.text }
}

/// The way through the files, block by block.
struct Walk<'a> {
    files: &'a [Rc<WalFile>],
    firsts: &'a [Option<First>],
    replay: Replay<'a>,
    needed: Vec<Sealed>,
    from: WalSequence,
    /// Number of the next block.
    expected: u64,
}

impl Walk<'_> {
    async fn run(mut self, mut index: usize) -> Result<Found, StorageError> {
        while let Some(file) = self.files.get(index) {
            let next = self.file(index, file).await?;
            match next {
                Some(next) => index = next,
                None => break,
            }
        }
        let (last_sequence, last_block) = (self.replay.last_sequence(), self.expected - 1);
        Ok(Found { last_sequence, last_block, needed: self.needed })
    }

    /// Replays one file; gives the one that goes on, or `None` at the log's end.
    async fn file(&mut self, index: usize, file: &Rc<WalFile>) -> Result<Option<usize>, StorageError> {
        let mut scanner = Scanner::new(file);
        let (mut position, mut last_sequence) = (0, WalSequence::ZERO);
        let next = self.next_begun(index);
        let goes_on = loop {
            let found = scanner.block(position).await?;
            let here = classify(&found, file.number, self.expected);
            let continues = next.is_some_and(|(_, first)| first.header.block == self.expected);
            let evidence = match (continues, &found) {
                (true, _) => Evidence { later: Later::Continues, text: String::new() },
                (false, Ok(_)) if here == super::recovery::Here::Expected => {
                    Evidence { later: Later::Silent, text: String::new() }
                }
                (false, _) => {
                    let later = self.files.get(index + 1..).unwrap_or_default();
                    look_later(&mut scanner, position, later, self.expected).await?
                }
            };
            match (decide(here, evidence.later), found) {
                (Decision::Accept, Ok(block)) => {
                    self.replay.block(&block, Place { file: &file.path, position })?;
                    position += block.header.size_bytes() as u64;
                    last_sequence = last_sequence.max(WalSequence(block.header.last_sequence));
                    self.expected += 1;
                }
                (Decision::NextFile, _) => break next.map(|(next, _)| next),
                (Decision::Cut, found) => {
                    report_cut(file, position, self.expected, &found);
                    break None;
                }
                (Decision::Corrupt | Decision::Accept, found) => {
                    let found = match found {
                        Ok(block) => format!("{here:?}: block {} of file {}", block.header.block, block.header.file),
                        Err(none) => none.to_string(),
                    };
                    return Err(corrupt(&file.path, position, self.expected, &found, evidence));
                }
            }
        };
        if last_sequence > self.from {
            self.needed.push(Sealed { file: Rc::clone(file), last_sequence });
        }
        Ok(goes_on)
    }

    /// The next file that begins with a block of its own.
    fn next_begun(&self, index: usize) -> Option<(usize, First)> {
        let later = self.firsts.iter().enumerate().skip(index + 1);
        later.filter_map(|(index, first)| Some((index, (*first)?))).next()
    }
}

fn report_cut(file: &WalFile, position: u64, expected: u64, found: &Result<Block, super::block::NoBlock>) {
    if !matches!(found, Err(super::block::NoBlock::Blank | super::block::NoBlock::EndOfFile)) {
        let file = file.path.display();
        tracing::info!(%file, position, block = expected, "the write-ahead log ends in an unfinished write, which was cut");
    }
}
