//! A file of the active segment, made ready for its first write since the log was opened.

use std::path::Path;
use std::rc::Rc;

use thalweg_protocol::KafkaOffset;

use super::aids::write_metadata;
use crate::error::StorageError;
use crate::io::DiskFile;
use crate::log::block_tail::Staged;
use crate::log::rebuild::rebuild_active_indexes;
use crate::log::segment::{parse_cleaned_name, parse_snapshot_name};
use crate::log::transaction_index::rebuild_transaction_index;
use crate::log::{FileKind, LogRef, file_path, parse_file_name};

/// The file, ending where this log believes it to end.
///
/// A crash can leave more in it than the checkpoint knew: that is cut. Less means that it was damaged.
pub(super) async fn file_for_writing(log: &LogRef, kind: FileKind) -> Result<Rc<dyn DiskFile>, StorageError> {
    tidy_directory(log).await?;
    let (shared, path) = {
        let log = log.borrow();
        let base = log.segments.back().map_or(log.flushed.next_offset, |segment| segment.base_offset);
        (Rc::clone(&log.shared), file_path(&log.descriptor.dir, base, kind))
    };
    let opened = shared.files.open_or_create(shared.disk.as_ref(), &path).await;
    let (file, existed) = opened.map_err(StorageError::io("open", &path))?;
    if !existed {
        log.borrow_mut().disk_state.unsynced.names = true;
    }
    let Some(written) = unprepared_len(log, kind) else { return Ok(file) };
    let len = file.len().await.map_err(StorageError::io("inspect", &path))?;
    if len < written && kind != FileKind::Log {
        if kind == FileKind::TransactionIndex {
            let base = log.borrow().segments.back().map_or(KafkaOffset::ZERO, |segment| segment.base_offset);
            rebuild_transaction_index(log, base).await?;
        } else {
            rebuild_active_indexes(log).await?;
        }
        return shared.files.open(shared.disk.as_ref(), &path).await.map_err(StorageError::io("open", &path));
    }
    if len < written {
        let problem = format!("the file ends here, {written} bytes were written");
        return Err(StorageError::SegmentDamaged { file: path, position: len, problem });
    }
    if len > written {
        file.truncate(written).await.map_err(StorageError::io("truncate", &path))?;
    }
    if let Some(active) = active(&mut log.borrow_mut()) {
        active.set_prepared(kind);
    }
    Ok(file)
}

fn active(log: &mut crate::log::PartitionLog) -> Option<&mut crate::log::Active> {
    log.segments.back_mut()?.active.as_deref_mut()
}

/// How long the file should be, if that was not checked yet.
fn unprepared_len(log: &LogRef, kind: FileKind) -> Option<u64> {
    let log = log.borrow();
    let active = log.segments.back()?.active.as_deref()?;
    (!active.is_prepared(kind)).then(|| active.file(kind).written)
}

pub(super) async fn write_staged(
    log: &LogRef,
    kind: FileKind,
    file: &Rc<dyn DiskFile>,
    staged: &mut Staged,
) -> Result<(), StorageError> {
    let written = staged.write(file).await;
    written.map_err(|error| {
        let log = log.borrow();
        let base = log.segments.back().map_or(log.flushed.next_offset, |segment| segment.base_offset);
        StorageError::io("write", &file_path(&log.descriptor.dir, base, kind))(error)
    })
}

/// Once per opened log: the directory exists, says whose it is, and holds no segments that this log does not know
/// (begun after the checkpoint that a crash went back to, or deleted while the broker stopped).
pub(in crate::log) async fn tidy_directory(log: &LogRef) -> Result<(), StorageError> {
    let (shared, dir, tidy) = {
        let log = log.borrow();
        (Rc::clone(&log.shared), log.descriptor.dir.clone(), log.disk_state.tidy)
    };
    if tidy {
        return Ok(());
    }
    let disk = shared.disk.as_ref();
    let dir = dir.as_path();
    disk.create_dir_all(dir).await.map_err(StorageError::io("create", dir))?;
    let names = disk.read_dir(dir).await.map_err(StorageError::io("list", dir))?;
    for name in &names {
        if !is_known(log, name) {
            let path = dir.join(name);
            disk.remove_file(&path).await.map_err(StorageError::io("remove", &path))?;
        }
    }
    // Anew each time: a directory of an earlier topic of this name may have been left behind.
    write_metadata(log).await;
    let mut log = log.borrow_mut();
    log.disk_state.tidy = true;
    log.disk_state.unsynced.names = true;
    log.disk_state.unsynced.directory = true;
    Ok(())
}

/// Files of segments, and producer snapshots that no segment begins at; nobody else's are touched.
fn is_known(log: &LogRef, name: &Path) -> bool {
    if name.extension().is_some_and(|suffix| suffix == "deleted") {
        return false;
    }
    let log = log.borrow();
    if let Some((base, generation)) = parse_cleaned_name(name) {
        return log.segment_at(base).is_some_and(|segment| segment.rewritten.generation == generation);
    }
    let is_segment = |base| log.segments.iter().any(|segment| segment.base_offset == base);
    if let Some(offset) = parse_snapshot_name(name) {
        // The last segment is sealed: what comes next begins one here.
        let begins_next = log.active_segment().is_none() && offset == log.flushed.next_offset;
        return begins_next || is_segment(offset);
    }
    // What a crash took back may have been the only abort of its segment.
    let has_aborts = |base| log.segment_at(base).is_some_and(|segment| segment.content.aborted > 0);
    parse_file_name(name).is_none_or(|(base, kind)| match kind {
        FileKind::TransactionIndex => has_aborts(base),
        _ => is_segment(base),
    })
}
