//! Puts records together from frames and hands those behind the checkpoint on, in order.

use std::path::Path;

use bytes::BytesMut;

use super::frame::{Frame, frames};
use super::gather::RECORD_LEN_MAX;
use super::record::WalRecord;
use super::scan::Block;
use crate::StorageError;
use crate::types::WalSequence;

/// Where a block stands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<'a> {
    pub(crate) file: &'a Path,
    pub(crate) position: u64,
}

impl Place<'_> {
    fn malformed(&self, problem: impl Into<String>) -> StorageError {
        StorageError::WalMalformed { file: self.file.to_path_buf(), position: self.position, problem: problem.into() }
    }
}

/// State of the replay between blocks.
pub(crate) struct Replay<'a> {
    /// Records up to here are in the checkpoint.
    from: WalSequence,
    /// The last whole record seen; `None` before the first block.
    last: Option<WalSequence>,
    /// The record whose last frame has not come yet.
    partial: Option<(WalSequence, BytesMut)>,
    sink: &'a mut dyn FnMut(WalSequence, WalRecord),
}

impl<'a> Replay<'a> {
    pub(crate) fn new(from: WalSequence, sink: &'a mut dyn FnMut(WalSequence, WalRecord)) -> Self {
        Self { from, last: None, partial: None, sink }
    }

    /// The last record of the log, of those found or in the checkpoint.
    pub(crate) fn last_sequence(&self) -> WalSequence {
        self.last.unwrap_or_default().max(self.from)
    }

    /// Takes the next block.
    pub(crate) fn block(&mut self, block: &Block, place: Place<'_>) -> Result<(), StorageError> {
        if block.header.frames == 0 {
            return Ok(()); // a closing mark
        }
        let mut sequence = WalSequence(block.header.first_sequence);
        self.check_begin(sequence, place)?;
        let mut count = 0;
        for frame in frames(&block.payload) {
            let frame = frame.map_err(|problem| place.malformed(problem))?;
            if count > 0 && frame.kind.starts() {
                sequence = sequence.next();
            }
            self.frame(sequence, frame, place)?;
            count += 1;
        }
        if count != block.header.frames || sequence.0 != block.header.last_sequence {
            let problem = format!("{count} frames up to record {sequence}, not as its header says");
            return Err(place.malformed(problem));
        }
        Ok(())
    }

    /// Records follow each other without a hole, except below the checkpoint: a record may be in the checkpoint although
    /// it never became durable here, and then the log went on behind the checkpoint.
    fn check_begin(&self, first: WalSequence, place: Place<'_>) -> Result<(), StorageError> {
        let expected = self.last.map_or(WalSequence(1), WalSequence::next);
        let covered = self.from.next();
        if first > expected.max(covered) {
            let (file, first_missing) = (place.file.to_path_buf(), expected.max(covered));
            return Err(StorageError::WalGap { file, first_missing, last_missing: first.previous() });
        }
        match self.last {
            Some(_) if first < expected => Err(place.malformed(format!("record {first} comes again"))),
            _ => Ok(()),
        }
    }

    fn frame(&mut self, sequence: WalSequence, frame: Frame<'_>, place: Place<'_>) -> Result<(), StorageError> {
        if frame.kind.starts() {
            // An unfinished record before it was cut by an earlier crash; its number was given again.
            self.partial = Some((sequence, BytesMut::new()));
        }
        match &mut self.partial {
            Some((of, bytes)) if *of == sequence => {
                if bytes.len() + frame.bytes.len() > RECORD_LEN_MAX {
                    return Err(place.malformed(format!("record {sequence} is larger than {RECORD_LEN_MAX} bytes")));
                }
                if sequence > self.from {
                    bytes.extend_from_slice(frame.bytes);
                }
            }
            // It began in a file that was recycled since, which only happens to what the checkpoint covers.
            _ if sequence <= self.from => self.partial = Some((sequence, BytesMut::new())),
            _ => return Err(place.malformed(format!("record {sequence} goes on here without a beginning"))),
        }
        if frame.kind.ends() { self.finish(sequence, place) } else { Ok(()) }
    }

    fn finish(&mut self, sequence: WalSequence, place: Place<'_>) -> Result<(), StorageError> {
        let bytes = self.partial.take().map(|(_, bytes)| bytes.freeze()).unwrap_or_default();
        self.last = Some(sequence);
        if sequence <= self.from {
            return Ok(());
        }
        let record =
            WalRecord::decode(bytes).map_err(|error| place.malformed(format!("record {sequence}: {error}")))?;
        (self.sink)(sequence, record);
        Ok(())
    }
}
