//! A changed number of cores: every group moves to the core that owns it now, before any core opens.
//!
//! All state is gathered in memory and written as one new checkpoint per core into a directory of its own; a marker file
//! makes that final. From then on the move is repeated from there until it has gone through, whatever interrupts it.

use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use bytes::Bytes;

use super::StoreConfig;
use super::checkpoint_file::CheckpointWriter;
use super::open::{Replay, wall_clock};
use crate::error::StorageError;
use crate::io::Disk;
use crate::log::{CoreLimits, CoreShared, LogConfig, LogRef, remove_dir};
use crate::types::WalSequence;
use crate::wal::{Wal, WalConfig};

const MARKER: &str = "complete";

/// Moves groups between the cores' write-ahead logs if another number of cores wrote them. Run alone, before any
/// [`super::Store::open`].
///
/// # Errors
/// When the disk fails, or what it holds is damaged.
pub async fn rehome(disk: Rc<dyn Disk>, log_dirs: &[PathBuf], cores: usize) -> Result<(), StorageError> {
    let Some(first) = log_dirs.first() else { return Ok(()) };
    let staging = first.join("thalweg").join("rehome");
    put_in_place(disk.as_ref(), &staging, log_dirs).await?;
    let old = find_cores(disk.as_ref(), log_dirs).await?;
    if old.is_empty() || old.iter().map(|(core, _)| *core).eq(0..cores) {
        return Ok(());
    }
    tracing::info!(from = old.len(), to = cores, "the number of cores changed: moving every group to its new core");
    let mut logs = Vec::new();
    for (core, dir) in &old {
        logs.extend(recover(&disk, *core, dir, log_dirs).await?);
    }
    stage(disk.as_ref(), &staging, cores, &logs).await?;
    put_in_place(disk.as_ref(), &staging, log_dirs).await
}

/// Core `n`'s directory, as the broker's configuration places it.
fn core_dir(log_dirs: &[PathBuf], core: usize) -> PathBuf {
    let dir = log_dirs.get(core % log_dirs.len().max(1)).cloned().unwrap_or_default();
    dir.join("thalweg").join(format!("core-{core}"))
}

/// The cores that wrote these directories, in order.
async fn find_cores(disk: &dyn Disk, log_dirs: &[PathBuf]) -> Result<Vec<(usize, PathBuf)>, StorageError> {
    let mut cores = Vec::new();
    for log_dir in log_dirs {
        let dir = log_dir.join("thalweg");
        for name in names_in(disk, &dir).await? {
            let core = name.to_str().and_then(|name| name.strip_prefix("core-")).and_then(|number| number.parse().ok());
            cores.extend(core.map(|core: usize| (core, dir.join(&name))));
        }
    }
    cores.sort();
    Ok(cores)
}

async fn names_in(disk: &dyn Disk, dir: &Path) -> Result<Vec<PathBuf>, StorageError> {
    match disk.read_dir(dir).await {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        names => names.map_err(StorageError::io("list", dir)),
    }
}

/// Everything that one core knew.
async fn recover(
    disk: &Rc<dyn Disk>,
    core: usize,
    dir: &Path,
    log_dirs: &[PathBuf],
) -> Result<Vec<LogRef>, StorageError> {
    let config = StoreConfig {
        core,
        log_dirs: log_dirs.to_vec(),
        wal: WalConfig::new(dir.join("wal")),
        ..StoreConfig::default()
    };
    let shared = CoreShared::new(Rc::clone(disk), CoreLimits::default(), wall_clock());
    let mut replay = Replay::new(Rc::new(LogConfig::default()), shared);
    let from = replay.load_checkpoint(&config).await?;
    Wal::open(Rc::clone(disk), config.wal.clone(), from, &mut |_, record| replay.apply(record)).await?;
    Ok(replay.finish(&config)?.logs.into_values().collect())
}

/// Writes the new checkpoints, and then the marker that makes them count.
async fn stage(disk: &dyn Disk, staging: &Path, cores: usize, logs: &[LogRef]) -> Result<(), StorageError> {
    remove_dir(disk, staging).await?;
    disk.create_dir_all(staging).await.map_err(StorageError::io("create", staging))?;
    for core in 0..cores {
        // The new write-ahead log begins empty: nothing of it is covered.
        let mut writer = CheckpointWriter::new(WalSequence::ZERO, core);
        let mine = logs.iter().filter(|log| log.borrow().group().0 % cores as u64 == core as u64);
        mine.for_each(|log| writer.add(&log.borrow()));
        write(disk, &staging.join(core.to_string()), writer.finish()).await?;
    }
    write(disk, &staging.join(MARKER), Bytes::from(cores.to_string())).await
}

async fn write(disk: &dyn Disk, path: &Path, content: Bytes) -> Result<(), StorageError> {
    disk.replace_file(path, content).await.map_err(StorageError::io("write", path))
}

/// Replaces the cores' directories by what was staged, if the marker is there. May be interrupted and repeated.
async fn put_in_place(disk: &dyn Disk, staging: &Path, log_dirs: &[PathBuf]) -> Result<(), StorageError> {
    let marker = staging.join(MARKER);
    let staged = match disk.read_file(&marker).await {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return remove_dir(disk, staging).await,
        read => read.map_err(StorageError::io("read", &marker))?,
    };
    let cores = std::str::from_utf8(&staged).ok().and_then(|number| number.parse::<usize>().ok());
    let problem = || StorageError::FileDamaged { file: marker.clone(), problem: "it does not hold a number".into() };
    let cores = cores.ok_or_else(problem)?;
    for (_, dir) in find_cores(disk, log_dirs).await? {
        remove_dir(disk, &dir).await?;
    }
    for core in 0..cores {
        let from = staging.join(core.to_string());
        let checkpoint = disk.read_file(&from).await.map_err(StorageError::io("read", &from))?;
        let dir = core_dir(log_dirs, core);
        disk.create_dir_all(&dir).await.map_err(StorageError::io("create", &dir))?;
        if let Some(parent) = dir.parent() {
            disk.sync_dir(parent).await.map_err(StorageError::io("sync", parent))?;
        }
        write(disk, &dir.join("checkpoint"), checkpoint).await?;
    }
    disk.remove_file(&marker).await.map_err(StorageError::io("remove", &marker))?;
    disk.sync_dir(staging).await.map_err(StorageError::io("sync", staging))?;
    remove_dir(disk, staging).await
}
