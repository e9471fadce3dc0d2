//! The checkpoint file of one core: head, the state of every group, checksum. Format: `docs/formats/checkpoint.md`.

use std::path::Path;
use std::rc::Rc;

use bytes::{BufMut as _, Bytes, BytesMut};

use crate::codec::{CodecError, Reader};
use crate::error::StorageError;
use crate::log::{CoreShared, LogConfig, PartitionLog};
use crate::types::WalSequence;

/// "THALWEGC", little-endian.
const MAGIC: u64 = u64::from_le_bytes(*b"THALWEGC");
/// Version 1 knows nothing of transactions.
const VERSION: u16 = 2;
const OLDEST_VERSION: u16 = 1;
const CHECKSUM_LEN: usize = 4;

/// What a checkpoint says besides its groups.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CheckpointHead {
    /// Every record of the write-ahead log up to here is covered.
    pub sequence: WalSequence,
    pub core: u32,
    pub groups: u32,
}

/// A checkpoint while its groups are being gathered.
pub(super) struct CheckpointWriter {
    out: BytesMut,
}

const GROUPS_AT: usize = 22;

impl CheckpointWriter {
    pub(super) fn new(sequence: WalSequence, core: usize) -> Self {
        let mut out = BytesMut::new();
        out.put_u64_le(MAGIC);
        out.put_u16_le(VERSION);
        out.put_u64_le(sequence.0);
        out.put_u32_le(core as u32);
        debug_assert_eq!(out.len(), GROUPS_AT);
        out.put_u32_le(0);
        Self { out }
    }

    pub(super) fn add(&mut self, log: &PartitionLog) {
        log.encode_state(&mut self.out);
        if let Some(field) = self.out.get_mut(GROUPS_AT..GROUPS_AT + 4)
            && let Some(count) = field.first_chunk_mut::<4>()
        {
            *count = (u32::from_le_bytes(*count) + 1).to_le_bytes();
        }
    }

    pub(super) fn finish(mut self) -> Bytes {
        let checksum = crc32c::crc32c(&self.out);
        self.out.put_u32_le(checksum);
        self.out.freeze()
    }
}

/// Reads a whole checkpoint.
pub(super) fn decode(
    path: &Path,
    file: &Bytes,
    config: &Rc<LogConfig>,
    shared: &Rc<CoreShared>,
) -> Result<(CheckpointHead, Vec<PartitionLog>), StorageError> {
    let damaged =
        |error: CodecError| StorageError::FileDamaged { file: path.to_path_buf(), problem: error.to_string() };
    let (head, version, mut reader) = decode_head(file).map_err(damaged)?;
    let mut logs = Vec::with_capacity(head.groups.min(1 << 20) as usize);
    for _ in 0..head.groups {
        logs.push(PartitionLog::decode_state(&mut reader, version, config, shared).map_err(damaged)?);
    }
    reader.end().map_err(damaged)?;
    Ok((head, logs))
}

/// Reads a checkpoint's head and checks the whole file's checksum: for `thalweg log dump|verify`, with no core at hand.
///
/// # Errors
/// When the file cannot be read, or is not a whole checkpoint of this version.
pub fn inspect_checkpoint(path: &Path) -> Result<CheckpointHead, StorageError> {
    let file = Bytes::from(std::fs::read(path).map_err(StorageError::io("read", path))?);
    let damaged =
        |error: CodecError| StorageError::FileDamaged { file: path.to_path_buf(), problem: error.to_string() };
    decode_head(&file).map(|(head, ..)| head).map_err(damaged)
}

fn decode_head(file: &Bytes) -> Result<(CheckpointHead, u16, Reader), CodecError> {
    let covered = file.len().checked_sub(CHECKSUM_LEN).ok_or(CodecError::Truncated { what: "checkpoint" })?;
    let mut reader = Reader::new(file.slice(..covered));
    // Magic and version first: another version may have its checksum elsewhere.
    let found = reader.u64("magic")?;
    if found != MAGIC {
        return Err(CodecError::BadMagic { found });
    }
    let version = reader.u16("version")?;
    if !(OLDEST_VERSION..=VERSION).contains(&version) {
        return Err(CodecError::BadVersion { found: version, known: VERSION });
    }
    let stored = Reader::new(file.slice(covered..)).u32("checksum")?;
    let computed = crc32c::crc32c(&file.slice(..covered));
    if stored != computed {
        return Err(CodecError::ChecksumMismatch { stored, computed });
    }
    let sequence = WalSequence(reader.u64("sequence")?);
    let core = reader.u32("core")?;
    let groups = reader.u32("groups")?;
    Ok((CheckpointHead { sequence, core, groups }, version, reader))
}
