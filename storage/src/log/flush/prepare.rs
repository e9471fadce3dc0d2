//! A file of the active segment, made ready for its first write since the log was opened.

use std::io;
use std::path::Path;
use std::rc::Rc;

use bytes::Bytes;

use crate::error::StorageError;
use crate::io::{Disk, DiskFile};
use crate::log::block_tail::Staged;
use crate::log::rebuild::rebuild_active_indexes;
use crate::log::{FileKind, LogDescriptor, LogRef, file_path, parse_file_name};

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
        rebuild_active_indexes(log).await?;
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
pub(super) async fn tidy_directory(log: &LogRef) -> Result<(), StorageError> {
    let (shared, descriptor, tidy) = {
        let log = log.borrow();
        (Rc::clone(&log.shared), Rc::clone(&log.descriptor), log.disk_state.tidy)
    };
    if tidy {
        return Ok(());
    }
    let disk = shared.disk.as_ref();
    let dir = &descriptor.dir;
    disk.create_dir_all(dir).await.map_err(StorageError::io("create", dir))?;
    let names = disk.read_dir(dir).await.map_err(StorageError::io("list", dir))?;
    for name in &names {
        if !is_known(log, name) {
            let path = dir.join(name);
            disk.remove_file(&path).await.map_err(StorageError::io("remove", &path))?;
        }
    }
    if !names.iter().any(|name| name == Path::new("partition.metadata")) {
        write_metadata(disk, &descriptor).await?;
    }
    let mut log = log.borrow_mut();
    log.disk_state.tidy = true;
    log.disk_state.unsynced.names = true;
    log.disk_state.unsynced.directory = true;
    Ok(())
}

/// Files of segments, and producer snapshots of an earlier shutdown; nobody else's are touched.
fn is_known(log: &LogRef, name: &Path) -> bool {
    if name.extension().is_some_and(|suffix| suffix == "deleted" || suffix == "snapshot") {
        return false;
    }
    let log = log.borrow();
    parse_file_name(name).is_none_or(|(base, _)| log.segments.iter().any(|segment| segment.base_offset == base))
}

/// Kafka's `partition.metadata` (`PartitionMetadataFile`): the topic's id, so that a deleted and created topic of the
/// same name is not taken for the old one.
async fn write_metadata(disk: &dyn Disk, descriptor: &LogDescriptor) -> Result<(), StorageError> {
    let path = descriptor.dir.join("partition.metadata");
    let content = format!("version: 0\ntopic_id: {}\n", base64_url(&descriptor.topic_id));
    match disk.replace_file(&path, Bytes::from(content)).await {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        result => result.map_err(StorageError::io("write", &path)),
    }
}

/// Kafka's text form of a uuid: URL-safe base64 without padding.
fn base64_url(bytes: &[u8; 16]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let number = u128::from_be_bytes(*bytes);
    // 21 digits of six bits, and the last two bits with four zeros behind them.
    (0..22)
        .map(|at| {
            let digit =
                if at == 21 { ((number & 0x3) << 4) as usize } else { ((number >> (122 - 6 * at)) & 0x3f) as usize };
            ALPHABET.get(digit).map_or('?', |letter| char::from(*letter))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uuids_as_kafka_writes_them() {
        assert_eq!(base64_url(&[0; 16]), "AAAAAAAAAAAAAAAAAAAAAA");
        assert_eq!(base64_url(&[0xff; 16]), "_____________________w");
        assert_eq!(base64_url(b"0123456789abcdef"), "MDEyMzQ1Njc4OWFiY2RlZg");
    }
}
