//! The half of `run` that keeps room ahead of the writer: zeroes the rest of the current file, recycles files that were
//! trimmed, makes new ones.

use std::rc::Rc;

use super::Shared;
use super::file::WalFile;
use crate::StorageError;

/// How much is zeroed with one write: enough to be quick, little enough to let a durable write through in between.
pub(super) const ZERO_PIECE_BYTES: u64 = 1 << 20;

/// What to do next, in this order.
enum Task {
    /// The writer is in this file or comes to it next.
    Zero(Rc<WalFile>),
    /// Give it this new number.
    Recycle(Rc<WalFile>, u64),
    /// More files than are allowed (only after a start with all in use).
    Delete(Rc<WalFile>),
    Create(u64),
    Nothing,
    End,
}

pub(super) async fn run(shared: &Shared) -> Result<(), StorageError> {
    loop {
        let result = match next_task(shared) {
            Task::End => return Ok(()),
            Task::Nothing => {
                shared.filler.rung().await;
                continue;
            }
            Task::Zero(file) => file.zero_more(&*shared.disk, ZERO_PIECE_BYTES, shared.config.file_size_bytes).await,
            Task::Recycle(file, number) => recycle(shared, &file, number).await,
            Task::Delete(file) => delete(shared, &file).await,
            Task::Create(number) => create(shared, number).await,
        };
        match result {
            Ok(()) => shared.state.borrow_mut().disk_full = false,
            Err(error) if error.is_disk_full() => {
                tracing::warn!(%error, "no room for the write-ahead log; trying again when there is something to write");
                shared.state.borrow_mut().disk_full = true;
                shared.writer.ring();
                shared.filler.rung().await;
            }
            Err(error) => return Err(error),
        }
        shared.writer.ring();
    }
}

fn next_task(shared: &Shared) -> Task {
    let mut state = shared.state.borrow_mut();
    if state.closed && state.gather.is_empty() {
        return Task::End;
    }
    let unfinished = |file: &Rc<WalFile>| file.zeroed_bytes.get() < shared.config.file_size_bytes;
    if !state.disk_full && unfinished(&state.current.file) {
        return Task::Zero(Rc::clone(&state.current.file));
    }
    if let Some(file) = state.recycled.pop() {
        if state.files_total > shared.config.files_max {
            return Task::Delete(file);
        }
        state.next_file_number += 1;
        return Task::Recycle(file, state.next_file_number - 1);
    }
    if unfinished(&state.current.file) {
        return Task::Zero(Rc::clone(&state.current.file));
    }
    if let Some(spare) = state.spares.iter().find(|spare| unfinished(spare)) {
        return Task::Zero(Rc::clone(spare));
    }
    if state.wants_spare(&shared.config) {
        state.next_file_number += 1;
        return Task::Create(state.next_file_number - 1);
    }
    Task::Nothing
}

/// The new name must be durable before anything is written under it: after a crash the blocks would be in a file of
/// another number. On an error the file stays among those to recycle.
async fn recycle(shared: &Shared, file: &Rc<WalFile>, number: u64) -> Result<(), StorageError> {
    let renamed = file.renumber(&*shared.disk, &shared.config.dir, number).await;
    let keep = renamed.as_ref().map_or_else(|_| Rc::clone(file), Rc::clone);
    offer(shared, keep, renamed.map(|_| ())).await
}

async fn create(shared: &Shared, number: u64) -> Result<(), StorageError> {
    let file = WalFile::create(&*shared.disk, &shared.config.dir, number).await?;
    shared.state.borrow_mut().files_total += 1;
    offer(shared, file, Ok(())).await
}

/// Offers a file to the writer, once its name is durable.
async fn offer(shared: &Shared, file: Rc<WalFile>, named: Result<(), StorageError>) -> Result<(), StorageError> {
    let named = match named {
        Ok(()) => sync_dir(shared).await,
        failed => failed,
    };
    let mut state = shared.state.borrow_mut();
    match &named {
        Ok(()) => state.spares.push_back(file),
        Err(_) => state.recycled.push(file),
    }
    named
}

async fn delete(shared: &Shared, file: &WalFile) -> Result<(), StorageError> {
    shared.disk.remove_file(&file.path).await.map_err(StorageError::io("remove", &file.path))?;
    shared.state.borrow_mut().files_total -= 1;
    sync_dir(shared).await
}

async fn sync_dir(shared: &Shared) -> Result<(), StorageError> {
    let dir = &shared.config.dir;
    shared.disk.sync_dir(dir).await.map_err(StorageError::io("sync", dir))
}
