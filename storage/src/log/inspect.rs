//! Looking at a segment file while no broker has it open: for `thalweg log dump|verify`. Plain files, no core needed.

use std::fs;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use thalweg_protocol::records::{BatchHeader, BatchView};
use thalweg_protocol::{KafkaOffset, TimestampMs};

use super::index::{OffsetIndex, TimeIndex};
use super::segment::{FileKind, file_path, parse_file_name};
use crate::error::StorageError;

/// One segment of a partition's directory.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SegmentFile {
    pub dir: PathBuf,
    pub base_offset: KafkaOffset,
}

/// Something in a segment or its indexes that should not be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Problem {
    pub file: PathBuf,
    /// Where in the file, in bytes.
    pub position: u64,
    pub what: String,
}

/// A batch and where it lies.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FoundBatch {
    pub position: u64,
    pub header: BatchHeader,
    /// The whole batch.
    pub bytes: Bytes,
    /// Its checksum is right.
    pub is_sound: bool,
}

/// A segment, read whole.
#[derive(Clone, Debug, Default)]
pub struct Inspection {
    pub batches: Vec<FoundBatch>,
    pub problems: Vec<Problem>,
    /// The offset index: last offset of a batch, position of the batch.
    pub offset_index: Vec<(KafkaOffset, u64)>,
    pub time_index: Vec<(TimestampMs, KafkaOffset)>,
}

/// The segments in a partition's directory, in order.
///
/// # Errors
/// When the directory cannot be listed.
pub fn segments(dir: &Path) -> Result<Vec<SegmentFile>, StorageError> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).map_err(StorageError::io("list", dir))? {
        let name = entry.map_err(StorageError::io("list", dir))?.file_name();
        if let Some((base_offset, FileKind::Log)) = parse_file_name(Path::new(&name)) {
            found.push(SegmentFile { dir: dir.to_path_buf(), base_offset });
        }
    }
    found.sort_by_key(|segment| segment.base_offset);
    Ok(found)
}

impl SegmentFile {
    /// The segment that a `.log` file is, by its name.
    pub fn at(path: &Path) -> Option<Self> {
        let (base_offset, kind) = parse_file_name(Path::new(path.file_name()?))?;
        (kind == FileKind::Log).then(|| Self { dir: path.parent().unwrap_or(Path::new("")).to_path_buf(), base_offset })
    }

    fn path(&self, kind: FileKind) -> PathBuf {
        file_path(&self.dir, self.base_offset, kind)
    }

    /// Reads the segment and its indexes, and checks them against each other.
    ///
    /// # Errors
    /// When the segment cannot be read. Damage is not an error but a [`Problem`].
    pub fn inspect(&self) -> Result<Inspection, StorageError> {
        let path = self.path(FileKind::Log);
        let bytes = Bytes::from(fs::read(&path).map_err(StorageError::io("read", &path))?);
        let mut inspection = Inspection::default();
        inspection.walk(&path, self.base_offset, &bytes);
        self.check_offset_index(&mut inspection);
        self.check_time_index(&mut inspection);
        Ok(inspection)
    }

    fn read_index(&self, kind: FileKind, inspection: &mut Inspection) -> Option<Bytes> {
        match fs::read(self.path(kind)) {
            Ok(bytes) => Some(Bytes::from(bytes)),
            Err(error) => {
                let what = format!("the index cannot be read ({error}); the broker builds it again");
                inspection.problems.push(Problem { file: self.path(kind), position: 0, what });
                None
            }
        }
    }

    fn check_offset_index(&self, inspection: &mut Inspection) {
        let Some(bytes) = self.read_index(FileKind::OffsetIndex, inspection) else { return };
        let index = OffsetIndex { base: self.base_offset, bytes };
        for (at, (offset, position)) in index.entries().enumerate() {
            inspection.offset_index.push((offset, position));
            let batch = inspection.batches.iter().find(|batch| batch.position == position);
            let what = match batch {
                Some(batch) if batch.header.last_offset() == offset => continue,
                Some(batch) => {
                    format!("offset {offset} at {position}, where the batch ends at {}", batch.header.last_offset())
                }
                None => format!("offset {offset} at {position}, where no batch begins"),
            };
            inspection.problems.push(Problem { file: self.path(FileKind::OffsetIndex), position: at as u64 * 8, what });
        }
    }

    fn check_time_index(&self, inspection: &mut Inspection) {
        let Some(bytes) = self.read_index(FileKind::TimeIndex, inspection) else { return };
        let index = TimeIndex { base: self.base_offset, bytes };
        for (at, (timestamp, offset)) in index.entries().enumerate() {
            inspection.time_index.push((timestamp, offset));
            let up_to = inspection.batches.iter().filter(|batch| batch.header.last_offset() <= offset);
            let newest = up_to.map(|batch| batch.header.max_timestamp).max();
            if newest != Some(timestamp) {
                let what = format!("timestamp {timestamp} at offset {offset}, up to which the newest is {newest:?}");
                inspection.problems.push(Problem {
                    file: self.path(FileKind::TimeIndex),
                    position: at as u64 * 12,
                    what,
                });
            }
        }
    }
}

impl Inspection {
    fn walk(&mut self, path: &Path, base_offset: KafkaOffset, bytes: &Bytes) {
        let mut expected = base_offset;
        let mut position = 0;
        while position < bytes.len() {
            let problem = |what: String| Problem { file: path.to_path_buf(), position: position as u64, what };
            let rest = bytes.slice(position..);
            let view = match BatchView::first(&rest) {
                Ok(view) => view,
                Err(error) => return self.problems.push(problem(error.to_string())),
            };
            let header = view.header;
            let sound = view.check_crc();
            self.problems.extend(sound.as_ref().err().map(|error| problem(error.to_string())));
            if header.base_offset < expected || (position == 0 && header.base_offset != base_offset) {
                self.problems
                    .push(problem(format!("the batch begins at offset {} instead of {expected}", header.base_offset)));
            }
            let len = view.bytes.len();
            self.batches.push(FoundBatch {
                position: position as u64,
                header,
                bytes: rest.slice(..len),
                is_sound: sound.is_ok(),
            });
            expected = header.next_offset();
            position += len;
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

    use thalweg_protocol::records::BatchBuilder;

    use super::*;

    fn segment(dir: &Path) -> SegmentFile {
        let mut bytes = Vec::new();
        for at in 0..3 {
            let mut builder = BatchBuilder::new().with_base_offset(KafkaOffset(10 + at));
            builder.push(TimestampMs(1000 + at), None, Some(b"value"), &[]).unwrap();
            bytes.extend_from_slice(&builder.build().unwrap());
        }
        let found = SegmentFile { dir: dir.to_path_buf(), base_offset: KafkaOffset(10) };
        let second = bytes.len() as u32 / 3;
        fs::write(found.path(FileKind::Log), bytes).unwrap();
        fs::write(found.path(FileKind::OffsetIndex), [1_u32.to_be_bytes(), second.to_be_bytes()].concat()).unwrap();
        fs::write(found.path(FileKind::TimeIndex), [&1001_i64.to_be_bytes()[..], &1_i32.to_be_bytes()].concat())
            .unwrap();
        found
    }

    #[test]
    fn a_good_segment_has_no_problems() {
        let dir = tempfile::tempdir().unwrap();
        let written = segment(dir.path());
        assert_eq!(segments(dir.path()).unwrap(), std::slice::from_ref(&written));
        assert_eq!(SegmentFile::at(&written.path(FileKind::Log)), Some(written.clone()));
        let inspection = written.inspect().unwrap();
        assert_eq!(inspection.problems, []);
        assert_eq!(inspection.batches.len(), 3);
        assert_eq!(inspection.offset_index.len() + inspection.time_index.len(), 2);
    }

    #[test]
    fn rot_cuts_and_wrong_indexes_are_told() {
        let dir = tempfile::tempdir().unwrap();
        let written = segment(dir.path());
        let path = written.path(FileKind::Log);
        let mut bytes = fs::read(&path).unwrap();
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
        bytes.extend_from_slice(&[0; 5]);
        fs::write(&path, &bytes).unwrap();
        fs::write(written.path(FileKind::OffsetIndex), [9_u32.to_be_bytes(), 7_u32.to_be_bytes()].concat()).unwrap();
        fs::remove_file(written.path(FileKind::TimeIndex)).unwrap();
        let inspection = written.inspect().unwrap();
        assert_eq!(inspection.problems.len(), 4, "{:?}", inspection.problems);
        assert!(!inspection.batches[2].is_sound && inspection.batches[1].is_sound);
    }
}
