//! The files of a segment and their names, which are Kafka's.

use std::path::{Path, PathBuf};

use thalweg_protocol::KafkaOffset;

/// The files of a segment, by their suffix.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub(crate) enum FileKind {
    Log,
    OffsetIndex,
    TimeIndex,
    /// Only where transactions were aborted.
    TransactionIndex,
}

impl FileKind {
    pub(crate) const ALL: [Self; 4] = [Self::Log, Self::OffsetIndex, Self::TimeIndex, Self::TransactionIndex];

    pub(crate) fn suffix(self) -> &'static str {
        match self {
            Self::Log => "log",
            Self::OffsetIndex => "index",
            Self::TimeIndex => "timeindex",
            Self::TransactionIndex => "txnindex",
        }
    }

    /// What there is of this kind, where there is one of each in the order of [`Self::ALL`].
    pub(super) fn of<T>(self, [log, offsets, times, transactions]: &[T; Self::ALL.len()]) -> &T {
        match self {
            Self::Log => log,
            Self::OffsetIndex => offsets,
            Self::TimeIndex => times,
            Self::TransactionIndex => transactions,
        }
    }

    pub(super) fn of_mut<T>(self, [log, offsets, times, transactions]: &mut [T; Self::ALL.len()]) -> &mut T {
        match self {
            Self::Log => log,
            Self::OffsetIndex => offsets,
            Self::TimeIndex => times,
            Self::TransactionIndex => transactions,
        }
    }
}

/// Of files with the producers as of an offset.
pub(crate) const SNAPSHOT_SUFFIX: &str = "snapshot";

/// `<dir>/<base offset, 20 digits>.<suffix>` (`LogFileUtils.filenamePrefixFromOffset`).
pub(crate) fn file_path(dir: &Path, base_offset: KafkaOffset, kind: FileKind) -> PathBuf {
    dir.join(file_name(base_offset, kind.suffix()))
}

/// Of files that compaction wrote and that have not yet taken the place of those before them. Kafka removes what it finds
/// under this suffix when it starts, and so does this log unless its checkpoint names the generation.
const CLEANED_SUFFIX: &str = "cleaned";

/// `<dir>/<base offset>.<suffix>.<generation>.cleaned`
pub(crate) fn cleaned_path(dir: &Path, base_offset: KafkaOffset, kind: FileKind, generation: u32) -> PathBuf {
    dir.join(format!("{:020}.{}.{generation}.{CLEANED_SUFFIX}", base_offset.0, kind.suffix()))
}

/// Base offset and generation in such a name.
pub(crate) fn parse_cleaned_name(name: &Path) -> Option<(KafkaOffset, u32)> {
    let (offset, rest) = parse_name(name)?;
    let (rest, suffix) = rest.rsplit_once('.')?;
    let (_, generation) = rest.rsplit_once('.').filter(|_| suffix == CLEANED_SUFFIX)?;
    generation.parse().ok().map(|generation| (offset, generation))
}

pub(crate) fn file_name(base_offset: KafkaOffset, suffix: &str) -> String {
    format!("{:020}.{suffix}", base_offset.0)
}

/// The base offset in a segment file's name.
pub(crate) fn parse_file_name(name: &Path) -> Option<(KafkaOffset, FileKind)> {
    let (offset, suffix) = parse_name(name)?;
    FileKind::ALL.into_iter().find(|kind| kind.suffix() == suffix).map(|kind| (offset, kind))
}

/// The offset in a producer snapshot's name.
pub(crate) fn parse_snapshot_name(name: &Path) -> Option<KafkaOffset> {
    parse_name(name).filter(|(_, suffix)| *suffix == SNAPSHOT_SUFFIX).map(|(offset, _)| offset)
}

fn parse_name(name: &Path) -> Option<(KafkaOffset, &str)> {
    let (digits, suffix) = name.to_str()?.split_once('.')?;
    if digits.len() != 20 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    digits.parse().ok().map(|offset| (KafkaOffset(offset), suffix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_cleaned_files() {
        let path = cleaned_path(Path::new("/d"), KafkaOffset(7), FileKind::OffsetIndex, 12);
        assert_eq!(path, Path::new("/d/00000000000000000007.index.12.cleaned"));
        let name = Path::new("00000000000000000007.index.12.cleaned");
        assert_eq!(parse_cleaned_name(name), Some((KafkaOffset(7), 12)));
        for other in
            ["00000000000000000007.log", "00000000000000000007.log.cleaned", "00000000000000000007.log.x.cleaned"]
        {
            assert_eq!(parse_cleaned_name(Path::new(other)), None, "{other}");
        }
    }

    #[test]
    fn names_are_kafkas() {
        let path = file_path(Path::new("/d/t-0"), KafkaOffset(42), FileKind::TimeIndex);
        assert_eq!(path, Path::new("/d/t-0/00000000000000000042.timeindex"));
        let name = Path::new("00000000000000000042.index");
        assert_eq!(parse_file_name(name), Some((KafkaOffset(42), FileKind::OffsetIndex)));
        for other in
            ["42.log", "00000000000000000042.log.deleted", "leader-epoch-checkpoint", "0000000000000000004x.log"]
        {
            assert_eq!(parse_file_name(Path::new(other)), None, "{other}");
        }
    }
}
