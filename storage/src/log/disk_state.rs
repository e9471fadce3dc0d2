//! How a log's files stand to what the log says.

use thalweg_protocol::KafkaOffset;

use super::copy::Moving;

/// What is not on the device yet although the files have it, or is to be checked before the first write.
#[derive(Default)]
pub(crate) struct DiskState {
    /// The directory exists and holds no files of segments that this log does not know.
    pub(crate) tidy: bool,
    pub(crate) unsynced: Unsynced,
    /// Changed since the files were last completed by a clean shutdown.
    pub(crate) incomplete: bool,
    /// Segments that are no longer part of the log, and whose files are still there; with the generation of those that
    /// compaction wrote and that have not got their places.
    pub(crate) doomed: Vec<(KafkaOffset, Option<u32>)>,
    /// The replica was removed: nothing may be written any more.
    pub(crate) removed: bool,
    /// Its files are being copied to another directory.
    pub(crate) moving: Option<Moving>,
}

/// What was written since the last checkpoint, and is perhaps not on the device.
#[derive(Default)]
pub(crate) struct Unsynced {
    /// Base offsets of segments.
    pub(crate) segments: Vec<KafkaOffset>,
    /// Files were created.
    pub(crate) names: bool,
    /// The directory itself may be new.
    pub(crate) directory: bool,
}

impl Unsynced {
    pub(crate) fn note(&mut self, base: KafkaOffset) {
        if !self.segments.contains(&base) {
            self.segments.push(base);
        }
    }

    pub(crate) fn put_back(&mut self, other: Self) {
        other.segments.into_iter().for_each(|base| self.note(base));
        self.names |= other.names;
        self.directory |= other.directory;
    }
}
