//! Reading a log offline, for tools: with plain files, read only, reporting what it finds instead of stopping.
//!
//! The broker may run meanwhile; the end of the log then moves under the reader, who sees an unfinished block at most.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use super::WalRecord;
use super::block::{BlockHeader, HEADER_LEN, NoBlock, VERSION, check_payload};
use super::file::{file_number, file_path};
use super::frame::frames;
use crate::StorageError;
use crate::io::BLOCK_SIZE_BYTES;
use crate::types::WalSequence;

/// A file of the log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WalFileName {
    pub number: u64,
    pub path: PathBuf,
}

/// One thing found in a file, in order of position.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Finding {
    /// A whole block of this file's present life.
    Block { position: u64, header: BlockHeader },
    /// A whole record; one that spans blocks is told where it ends.
    Record { position: u64, sequence: WalSequence, record: WalRecord },
    /// A whole block left over from the file's earlier life; never replayed.
    Stale { position: u64, header: BlockHeader },
    /// No block where one could be: `pages` pages of 4 KiB, for this reason. Only zeros is what an unused file holds.
    NoBlock { position: u64, pages: u64, reason: NoBlock },
    /// Whole by its checksum, yet it makes no sense.
    Malformed { position: u64, problem: String },
}

impl Finding {
    /// Something a healthy log never has anywhere: reported by `verify`. Torn blocks are not: a killed broker leaves them.
    pub fn is_damage(&self) -> bool {
        matches!(self, Self::Malformed { .. })
    }
}

/// The files of a log's directory, by number.
pub fn wal_files(dir: &Path) -> Result<Vec<WalFileName>, StorageError> {
    let entries = std::fs::read_dir(dir).map_err(StorageError::io("list", dir))?;
    let mut files = Vec::new();
    for entry in entries {
        let name = entry.map_err(StorageError::io("list", dir))?.file_name();
        if let Some(number) = file_number(Path::new(&name)) {
            files.push(WalFileName { number, path: file_path(dir, number) });
        }
    }
    files.sort_by_key(|file| file.number);
    Ok(files)
}

/// Reads one file from its start and hands over what it finds. A record that began in an earlier file is not told.
pub fn inspect_file(file: &WalFileName, found: &mut dyn FnMut(Finding)) -> Result<(), StorageError> {
    inspect_behind(file, &mut None, found)
}

/// Reads all files of a log's directory, in order, and hands over what it finds, with the file it is in.
pub fn inspect(dir: &Path, found: &mut dyn FnMut(&WalFileName, Finding)) -> Result<(), StorageError> {
    let mut partial = None;
    for file in wal_files(dir)? {
        inspect_behind(&file, &mut partial, &mut |finding| found(&file, finding))?;
    }
    Ok(())
}

/// `partial` is the record that the files before left unfinished.
fn inspect_behind(
    file: &WalFileName,
    partial: &mut Option<Vec<u8>>,
    found: &mut dyn FnMut(Finding),
) -> Result<(), StorageError> {
    let open = File::open(&file.path).map_err(StorageError::io("open", &file.path))?;
    let len = open.metadata().map_err(StorageError::io("measure", &file.path))?.len();
    let mut inspector = Inspector { number: file.number, partial, hole: None, found };
    let mut position = 0;
    while position < len {
        let block = read_block(&open, position).map_err(StorageError::io("read", &file.path))?;
        position += inspector.block(position, block);
    }
    inspector.end_hole();
    Ok(())
}

/// What recovery would make of the directory, without changing anything: holes between blocks that were durable.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Summary {
    pub files: usize,
    pub blocks: u64,
    pub records: u64,
    pub first_sequence: Option<WalSequence>,
    pub last_sequence: Option<WalSequence>,
    /// What is wrong, a sentence each.
    pub problems: Vec<String>,
}

/// Reads the whole log and checks that no durable block is missing behind the first one found.
pub fn verify(dir: &Path) -> Result<Summary, StorageError> {
    let mut summary = Summary { files: wal_files(dir)?.len(), ..Summary::default() };
    let mut numbers: Vec<(u64, u64)> = Vec::new();
    inspect(dir, &mut |file, finding| summary.count(&file.path.display().to_string(), &mut numbers, finding))?;
    numbers.sort_unstable();
    let durable = numbers.iter().map(|(_, durable)| *durable).max().unwrap_or(0);
    for pair in numbers.windows(2) {
        if let [(before, _), (behind, _)] = pair
            && *behind > before + 1
            && *before < durable
        {
            summary.problems.push(format!("blocks {} to {} were durable and are missing", before + 1, behind - 1));
        }
    }
    Ok(summary)
}

impl Summary {
    fn count(&mut self, path: &str, numbers: &mut Vec<(u64, u64)>, finding: Finding) {
        match finding {
            Finding::Block { header, .. } => {
                self.blocks += 1;
                numbers.push((header.block, header.durable_block));
            }
            Finding::Record { sequence, .. } => {
                self.records += 1;
                self.first_sequence = Some(self.first_sequence.map_or(sequence, |first| first.min(sequence)));
                self.last_sequence = self.last_sequence.max(Some(sequence));
            }
            Finding::Malformed { position, problem } => {
                self.problems.push(format!("{path} at byte {position}: {problem}"));
            }
            Finding::Stale { .. } | Finding::NoBlock { .. } => {}
        }
    }
}

type Read = Result<(BlockHeader, u16, Vec<u8>), NoBlock>;

/// The block at a position: its header, version and payload.
fn read_block(file: &File, position: u64) -> io::Result<Read> {
    let head = read_at(file, position, HEADER_LEN)?;
    let len = match BlockHeader::parse(&head) {
        Ok((header, _)) => header.size_bytes(), // limited by `parse`
        Err(none) => return Ok(Err(none)),
    };
    let mut bytes = read_at(file, position, len)?;
    Ok(check_payload(&bytes, position).map(|(header, raw)| {
        bytes.truncate(HEADER_LEN + header.payload_len as usize);
        (header, raw.version, bytes.split_off(HEADER_LEN))
    }))
}

/// Up to `len` bytes; fewer at the end of the file.
fn read_at(file: &File, position: u64, len: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; len];
    let mut read = 0;
    while let Some(rest) = bytes.get_mut(read..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, position + read as u64)? {
            0 => break,
            more => read += more,
        }
    }
    bytes.truncate(read);
    Ok(bytes)
}

struct Inspector<'a> {
    number: u64,
    partial: &'a mut Option<Vec<u8>>,
    /// Where pages without a block began, how many, and why the first was none.
    hole: Option<(u64, u64, NoBlock)>,
    found: &'a mut dyn FnMut(Finding),
}

impl Inspector<'_> {
    /// Tells about one position; gives how far to go on.
    fn block(&mut self, position: u64, block: Read) -> u64 {
        let (header, version, payload) = match block {
            Ok(block) => block,
            Err(reason) => {
                match &mut self.hole {
                    Some((_, pages, _)) => *pages += 1,
                    None => self.hole = Some((position, 1, reason)),
                }
                return BLOCK_SIZE_BYTES as u64;
            }
        };
        self.end_hole();
        if header.file < self.number {
            (self.found)(Finding::Stale { position, header });
        } else if header.file > self.number || version != VERSION {
            let problem = format!("a block of format {version}, of file {}", header.file);
            (self.found)(Finding::Malformed { position, problem });
        } else {
            (self.found)(Finding::Block { position, header });
            self.records(position, &header, &payload);
        }
        header.size_bytes() as u64
    }

    fn end_hole(&mut self) {
        if let Some((position, pages, reason)) = self.hole.take() {
            (self.found)(Finding::NoBlock { position, pages, reason });
        }
    }

    fn records(&mut self, position: u64, header: &BlockHeader, payload: &[u8]) {
        let mut sequence = WalSequence(header.first_sequence);
        for (count, frame) in frames(payload).enumerate() {
            let frame = match frame {
                Ok(frame) => frame,
                Err(problem) => return (self.found)(Finding::Malformed { position, problem }),
            };
            if frame.kind.starts() {
                *self.partial = Some(Vec::new());
                sequence = if count > 0 { sequence.next() } else { sequence };
            }
            if let Some(partial) = self.partial.as_mut() {
                partial.extend_from_slice(frame.bytes);
            }
            if frame.kind.ends()
                && let Some(bytes) = self.partial.take()
            {
                (self.found)(match WalRecord::decode(bytes.into()) {
                    Ok(record) => Finding::Record { position, sequence, record },
                    Err(error) => Finding::Malformed { position, problem: format!("record {sequence}: {error}") },
                });
            }
        }
    }
}
