//! A replica moves to another of the data directories while it serves (KIP-113).
//!
//! Its files are copied beside ever new records, under a name that ends in `-future` as Kafka's does. Then nothing is
//! written for as long as the last few bytes take, the copy gets the replica's name, and the log goes on there. A
//! checkpoint makes that final: until it is durable, recovery finds the old directory, which has all that it needs, and
//! from then on the new one. Whichever the checkpoint does not name is removed, at the latest by the next start.

use std::path::{Path, PathBuf};

use super::{Inner, Store};
use crate::error::StorageError;
use crate::log::{LogCopy, LogRef, Moving, remove_dir};
use crate::types::GroupId;

/// How the names of unfinished copies end (`UnifiedLog.FUTURE_DIR_SUFFIX`).
pub(super) const FUTURE_SUFFIX: &str = "-future";

/// A rest so small is copied while nothing is written.
const REST_SIZE_MAX_BYTES: u64 = 4 << 20;
/// A log that grows faster than it is copied is held up at last.
const PASSES_MAX: usize = 16;

/// What asking for a move came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MoveAsked {
    /// [`Store::carry_out_move`] is to be run, with this token.
    Begun(u64),
    /// It is there, or on its way there.
    Nothing,
    /// There is no such replica on this core.
    UnknownGroup,
}

impl Store {
    /// Bytes per second that moves take on this core, from the next piece on.
    pub fn set_move_rate(&self, bytes_per_second: f64) {
        self.inner.shared.move_rate.set(bytes_per_second);
    }

    /// Asks for a replica to be in `log_dir`. A move to somewhere else that is under way is called off.
    pub fn ask_move(&self, group: GroupId, log_dir: &Path) -> MoveAsked {
        let Some(log) = self.log(group) else { return MoveAsked::UnknownGroup };
        let mut log = log.borrow_mut();
        let Some(name) = log.descriptor.dir.file_name() else { return MoveAsked::UnknownGroup };
        let dir = log_dir.join(name);
        if log.disk_state.moving.as_ref().is_some_and(|moving| moving.dir == dir) {
            return MoveAsked::Nothing;
        }
        log.disk_state.moving = None;
        if log.descriptor.dir == dir {
            return MoveAsked::Nothing;
        }
        let token = self.inner.moves.get() + 1;
        self.inner.moves.set(token);
        let copied_offset = log.log_start_offset();
        log.disk_state.moving = Some(Moving { dir, copied_bytes: 0, copied_offset, token });
        MoveAsked::Begun(token)
    }

    /// Copies and changes over, or leaves everything as it was: when the move is called off, when the disk refuses, when
    /// the store is closed. True if the replica has moved.
    ///
    /// # Errors
    /// As [`Store::run`]: when the checkpoint fails.
    pub async fn carry_out_move(&self, group: GroupId, token: u64) -> Result<bool, StorageError> {
        let inner = &self.inner;
        let _passage = inner.moving.pass().await;
        let Some(log) = self.log(group) else { return Ok(false) };
        let asked = log.borrow().disk_state.moving.clone().filter(|moving| moving.token == token);
        let Some(Moving { dir, .. }) = asked else { return Ok(false) };
        let old = log.borrow().descriptor.dir.clone();
        let future = future_dir(&dir, group, token);
        match inner.copy_and_change_over(&log, &dir, &future, token).await {
            Ok(false) => return Ok(false),
            Ok(true) => {}
            Err(error) => {
                inner.give_up_move(&log, &future, token, &error).await;
                return Ok(false);
            }
        }
        tracing::info!(%group, from = %old.display(), to = %dir.display(), "a replica moved to another directory");
        if inner.closing.get() {
            // The checkpoint of the end says where it is, and the next start removes the old directory.
            return Ok(true);
        }
        inner.tolerate_full_disk(inner.checkpoint().await)?;
        if !inner.shared.is_disk_full() {
            inner.deleter.remove_directory(inner, &old, group).await?;
        }
        Ok(true)
    }
}

impl Inner {
    async fn copy_and_change_over(
        &self,
        log: &LogRef,
        dir: &Path,
        future: &Path,
        token: u64,
    ) -> Result<bool, StorageError> {
        let mut copy = LogCopy::begin(LogRef::clone(log), future.to_path_buf(), token).await?;
        for _ in 0..PASSES_MAX {
            let copied_bytes = copy.pass().await?;
            if copy.is_called_off() || self.closing.get() {
                copy.abandon().await?;
                return Ok(false);
            }
            if copied_bytes <= REST_SIZE_MAX_BYTES {
                break;
            }
        }
        // In the order in which compaction and checkpoints pass these gates.
        let _compaction = self.compactor.pause().await;
        let _checkpoints = self.checkpointing.pass().await;
        let writing = log.borrow().writing.clone();
        let _writing = writing.pass().await;
        if copy.is_called_off() || self.closing.get() {
            copy.abandon().await?;
            return Ok(false);
        }
        // Left behind by a move that was cut short, or by a topic of this name that is gone.
        let group = log.borrow().group();
        self.deleter.remove_directory(self, dir, group).await?;
        copy.finish(dir).await
    }

    async fn give_up_move(&self, log: &LogRef, future: &Path, token: u64, error: &StorageError) {
        let group = log.borrow().group();
        tracing::error!(%group, %error, "a replica stays where it is: it cannot be copied");
        {
            let mut log = log.borrow_mut();
            if log.disk_state.moving.as_ref().is_some_and(|moving| moving.token == token) {
                log.disk_state.moving = None;
            }
        }
        if let Err(error) = remove_dir(self.shared.disk.as_ref(), future).await {
            tracing::warn!(%group, %error, "the next start removes the unfinished copy");
        }
    }
}

/// `<topic>-<partition>.<unique>-future` in the same directory.
fn future_dir(dir: &Path, group: GroupId, token: u64) -> PathBuf {
    let name = dir.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    dir.with_file_name(format!("{name}.{:016x}{token:016x}{FUTURE_SUFFIX}", group.0))
}
