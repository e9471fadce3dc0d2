//! Which data files a path on the command line means.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::failure::Failure;

/// `<log dir>/<partition>/<file>`, or `<log dir>/thalweg/core-<n>/wal/<file>`; no deeper.
const DEPTH_MAX: usize = 5;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Segment,
    OffsetIndex,
    TimeIndex,
    /// Aborted transactions.
    TransactionIndex,
    /// A file of a core's write-ahead log.
    WriteAhead,
    Checkpoint,
}

impl Kind {
    fn of(path: &Path) -> Option<Self> {
        if path.file_name()? == "checkpoint" {
            return Some(Self::Checkpoint);
        }
        match path.extension()?.to_str()? {
            "log" => Some(Self::Segment),
            "index" => Some(Self::OffsetIndex),
            "timeindex" => Some(Self::TimeIndex),
            "txnindex" => Some(Self::TransactionIndex),
            "wal" => Some(Self::WriteAhead),
            _ => None,
        }
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Segment => "segment",
            Self::OffsetIndex => "offset index",
            Self::TimeIndex => "time index",
            Self::TransactionIndex => "transaction index",
            Self::WriteAhead => "write-ahead log",
            Self::Checkpoint => "checkpoint",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct DataFile {
    pub(super) path: PathBuf,
    pub(super) kind: Kind,
    /// From the file's name: a partition's files are named after their first offset, the write-ahead log's are numbered.
    pub(super) base_offset: i64,
    pub(super) size_bytes: u64,
    /// No newer file of the kind is in the directory: only here may writing have been interrupted.
    pub(super) newest: bool,
}

/// The data files that these paths are or contain, in order.
pub(super) fn find(paths: &[PathBuf]) -> Result<Vec<DataFile>, Failure> {
    let mut found = Vec::new();
    for path in paths {
        let before = found.len();
        collect(path, DEPTH_MAX, &mut found).map_err(|error| unreadable(path, &error))?;
        if found.len() == before {
            return Err(Failure::new(format!("{} is or holds no data file", path.display())).hint(
                "give a segment (00000000000000000000.log), a partition's directory, or a whole log.dirs directory",
            ));
        }
    }
    mark_newest(&mut found);
    Ok(found)
}

pub(super) fn unreadable(path: &Path, error: &io::Error) -> Failure {
    let failure = Failure::new(format!("cannot read {}: {error}", path.display()));
    match error.kind() {
        io::ErrorKind::PermissionDenied => failure.hint("run it as the user that the broker runs as"),
        _ => failure,
    }
}

fn collect(path: &Path, depth: usize, found: &mut Vec<DataFile>) -> io::Result<()> {
    let metadata = fs::metadata(path)?;
    if !metadata.is_dir() {
        found.extend(data_file(path, metadata.len()));
        return Ok(());
    }
    if depth == 0 {
        return Ok(());
    }
    let mut entries: Vec<PathBuf> = fs::read_dir(path)?.map(|entry| Ok(entry?.path())).collect::<io::Result<_>>()?;
    entries.sort();
    for entry in entries {
        // Of a broker that runs, files may vanish between listing and reading.
        match collect(&entry, depth - 1, found) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            result => result?,
        }
    }
    Ok(())
}

fn data_file(path: &Path, size_bytes: u64) -> Option<DataFile> {
    let kind = Kind::of(path)?;
    let base_offset = if kind == Kind::Checkpoint { 0 } else { path.file_stem()?.to_str()?.parse().ok()? };
    Some(DataFile { kind, path: path.to_owned(), base_offset, size_bytes, newest: false })
}

fn mark_newest(files: &mut [DataFile]) {
    let siblings: Vec<_> =
        files.iter().map(|file| (file.path.parent().map(Path::to_owned), file.base_offset)).collect();
    for file in files {
        let parent = file.path.parent();
        file.newest = !siblings.iter().any(|(dir, base)| dir.as_deref() == parent && *base > file.base_offset);
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use super::{Kind, find};
    use std::fs;

    #[test]
    fn a_directory_means_the_data_files_in_it_in_order() {
        let dir = tempfile::tempdir().unwrap();
        let partition = dir.path().join("orders-0");
        fs::create_dir(&partition).unwrap();
        for name in ["00000000000000000007.log", "00000000000000000000.log", "00000000000000000000.index", "notes.log"]
        {
            fs::write(partition.join(name), b"x").unwrap();
        }
        let files = find(&[dir.path().to_owned()]).unwrap();
        let seen: Vec<_> = files.iter().map(|file| (file.base_offset, file.kind, file.newest)).collect();
        assert_eq!(seen, [(0, Kind::OffsetIndex, false), (0, Kind::Segment, false), (7, Kind::Segment, true)]);
        assert_eq!(files[1].size_bytes, 1);
    }

    #[test]
    fn nothing_to_read_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        assert!(find(&[dir.path().to_owned()]).unwrap_err().to_string().contains("no data file"));
        assert!(find(&[dir.path().join("none")]).unwrap_err().to_string().contains("cannot read"));
    }
}
