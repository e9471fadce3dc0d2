//! The half of `run` that writes blocks.

use std::future::poll_fn;
use std::io;
use std::rc::Rc;
use std::task::Poll;

use futures::StreamExt as _;
use futures::future::LocalBoxFuture;
use futures::stream::FuturesUnordered;

use super::Shared;
use super::state::BlockWrite;
use crate::StorageError;

type Writes = FuturesUnordered<LocalBoxFuture<'static, (u64, io::Result<()>)>>;

pub(super) async fn run(shared: &Shared) -> Result<(), StorageError> {
    let mut writes = Writes::new();
    loop {
        start_writes(shared, &mut writes);
        if writes.is_empty() && finished(shared, &mut writes) {
            shared.filler.ring();
            return Ok(());
        }
        if let Some((block, result)) = next_event(shared, &mut writes).await {
            acknowledge(shared, block, result)?;
        }
    }
}

fn start_writes(shared: &Shared, writes: &mut Writes) {
    let mut state = shared.state.borrow_mut();
    let before = state.current.file.number;
    while let Some(write) = state.next_write(&*shared.disk, &shared.config) {
        writes.push(Box::pin(write_block(write)));
    }
    // On a full disk the filler is woken by flush and trim only: it would fail at once, and wake the writer.
    let needs_file = !state.disk_full && (state.current.file.number != before || state.wants_spare(&shared.config));
    drop(state);
    if needs_file {
        shared.filler.ring();
    }
}

/// All is written and the log was closed. The closing mark, if one is needed, is started here.
fn finished(shared: &Shared, writes: &mut Writes) -> bool {
    let mut state = shared.state.borrow_mut();
    if !state.closed || !state.gather.is_empty() {
        return false;
    }
    match state.closing_mark(&*shared.disk, &shared.config) {
        Some(mark) => writes.push(Box::pin(write_block(mark))),
        None => return true,
    }
    false
}

async fn write_block(write: BlockWrite) -> (u64, io::Result<()>) {
    let BlockWrite { block, file, position, buffer } = write;
    let handle = Rc::clone(&file.handle);
    (block, handle.write_at(position, buffer).await)
}

/// A finished write, or `None` when there may be something to start.
async fn next_event(shared: &Shared, writes: &mut Writes) -> Option<(u64, io::Result<()>)> {
    poll_fn(|context| {
        if let Poll::Ready(Some(done)) = writes.poll_next_unpin(context) {
            return Poll::Ready(Some(done));
        }
        shared.writer.poll_rung(context).map(|()| None)
    })
    .await
}

fn acknowledge(shared: &Shared, block: u64, result: io::Result<()>) -> Result<(), StorageError> {
    let mut state = shared.state.borrow_mut();
    if let Err(error) = result {
        let path = state.current.file.path.clone();
        tracing::error!(%error, block, file = %path.display(), "a durable write failed; this log stops");
        return Err(StorageError::WalPoisoned { source: std::sync::Arc::new(error) });
    }
    let waiting = state.written(block);
    drop(state);
    waiting.into_iter().for_each(std::task::Waker::wake);
    Ok(())
}
