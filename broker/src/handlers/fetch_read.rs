//! The owner's part of a fetch: read what is there, and wait for more while the client allows it.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Instant;

use bytes::Bytes;
use thalweg_protocol::error::ErrorCode;
use thalweg_protocol::records::BatchHeader;
use thalweg_protocol::{KafkaOffset, LeaderEpoch};
use thalweg_storage::StorageError;
use thalweg_storage::log::{AbortedTransaction, LogRef, aborted_transactions};
use thalweg_storage::types::GroupId;

use super::fetch_session::Wanted;
use crate::errors;
use crate::partition::EpochCheck;
use crate::reactor::{Core, CoreId, Signal, within};

/// One partition to read.
#[derive(Clone, Copy, Debug)]
pub struct Item {
    /// Where in the answer it goes.
    pub slot: usize,
    pub group: GroupId,
    pub wanted: Wanted,
}

/// What one core is asked for.
#[derive(Clone, Debug)]
pub struct Order {
    pub items: Vec<Item>,
    pub size_min_bytes: usize,
    pub size_max_bytes: usize,
    pub read_committed: bool,
    pub deadline: Instant,
    /// Under which the wait can be called off by the core that asked.
    pub watch: (CoreId, u64),
}

/// What was read of a partition.
#[derive(Clone, Debug)]
pub struct Read {
    pub slot: usize,
    pub error: ErrorCode,
    pub high_watermark: i64,
    pub last_stable_offset: i64,
    pub log_start_offset: i64,
    pub divergence: Option<(LeaderEpoch, KafkaOffset)>,
    pub records: Vec<Bytes>,
    pub bytes: usize,
    /// Whose records among these are to be left out, by a reader of committed records.
    pub aborted: Vec<AbortedTransaction>,
}

/// A wait that somebody else can end.
#[derive(Default)]
pub struct Watch {
    pub signal: Rc<Signal>,
    called_off: Cell<bool>,
}

impl Watch {
    pub fn is_called_off(&self) -> bool {
        self.called_off.get()
    }

    pub fn call_off(&self) {
        self.called_off.set(true);
        self.signal.raise();
    }
}

/// Reads until there is enough, or an error, or no time left. The watch is there when this returns, before anything is
/// read: calling it off may follow at once.
pub fn execute(core: Rc<Core>, order: Order) -> impl Future<Output = Vec<Read>> {
    let may_wait = order.size_min_bytes > 0 && Instant::now() < order.deadline;
    let watch = may_wait.then(Rc::<Watch>::default);
    if let Some(watch) = &watch {
        core.watches.borrow_mut().insert(order.watch, Rc::clone(watch));
    }
    async move {
        let Some(watch) = watch else { return read_all(&core, &order).await };
        let reads = wait_and_read(&core, &order, &watch).await;
        core.watches.borrow_mut().remove(&order.watch);
        reads
    }
}

async fn wait_and_read(core: &Rc<Core>, order: &Order, watch: &Watch) -> Vec<Read> {
    loop {
        // Watching begins before reading: what comes in between is not missed.
        let seen = watch.signal.count();
        for item in &order.items {
            core.with_partition(item.group, |partition| partition.watch(&watch.signal));
        }
        let reads = read_all(core, order).await;
        let bytes: usize = reads.iter().map(|read| read.bytes).sum();
        let settled = reads.iter().any(|read| read.error != ErrorCode::None || read.divergence.is_some());
        let left = order.deadline.saturating_duration_since(Instant::now());
        if bytes >= order.size_min_bytes
            || settled
            || left.is_zero()
            || watch.is_called_off()
            || core.shared.is_stopping()
        {
            return reads;
        }
        // Time up is not an error: the next round reads once more and returns.
        let _ = within(left, watch.signal.wait(seen)).await;
    }
}

async fn read_all(core: &Rc<Core>, order: &Order) -> Vec<Read> {
    let mut room = order.size_max_bytes;
    let mut reads = Vec::with_capacity(order.items.len());
    let mut first = true;
    for item in &order.items {
        let read = read_one(core, item, order.read_committed, room, first).await;
        room = room.saturating_sub(read.bytes);
        first = first && read.bytes == 0;
        reads.push(read);
    }
    reads
}

/// Reads one partition. The first that has anything gives at least one batch, however large (KIP-74).
async fn read_one(core: &Rc<Core>, item: &Item, read_committed: bool, room: usize, first: bool) -> Read {
    let (mut read, plan) = match prepare(core, item, read_committed) {
        Ok(prepared) => prepared,
        Err(code) => return failed(item.slot, code),
    };
    let Some((log, from, end)) = plan else { return read };
    let limit = usize::try_from(item.wanted.max_bytes).unwrap_or(0).min(room);
    if limit == 0 && !first {
        return read;
    }
    let found = async {
        let result = thalweg_storage::log::read(&log, from, end, limit).await?;
        let bytes = result.size_bytes();
        if bytes <= limit || first {
            if read_committed && let Some(behind) = end_of(&result.batches) {
                read.aborted = aborted_transactions(&log, from, behind.min(end)).await?;
            }
            (read.bytes, read.records) = (bytes, result.batches);
        }
        Ok::<_, StorageError>(())
    };
    match found.await {
        Ok(()) => read,
        Err(error) => failed(item.slot, errors::of_storage(&error)),
    }
}

/// The offset behind the last of these batches.
fn end_of(batches: &[Bytes]) -> Option<KafkaOffset> {
    let (mut rest, mut behind) = (batches.last()?.as_ref(), None);
    while let Ok(header) = BatchHeader::parse(rest) {
        behind = Some(header.next_offset());
        rest = rest.get(header.size_bytes()..).unwrap_or_default();
    }
    behind
}

type Plan = Option<(LogRef, KafkaOffset, KafkaOffset)>;

/// Checks what the client believes, and says what to read, if anything.
fn prepare(core: &Core, item: &Item, read_committed: bool) -> Result<(Read, Plan), ErrorCode> {
    let partition = core.partition(item.group).ok_or(ErrorCode::NotLeaderOrFollower)?;
    let partition = partition.borrow();
    let wanted = &item.wanted;
    partition.check_leader(EpochCheck(LeaderEpoch(wanted.current_leader_epoch)))?;
    let (high_watermark, stable) = (partition.high_watermark(), partition.last_stable_offset());
    let mut read = Read {
        slot: item.slot,
        error: ErrorCode::None,
        high_watermark: high_watermark.0,
        last_stable_offset: stable.0,
        log_start_offset: partition.log_start_offset().0,
        divergence: None,
        records: Vec::new(),
        bytes: 0,
        aborted: Vec::new(),
    };
    let from = KafkaOffset(wanted.fetch_offset);
    read.divergence = partition.divergence(LeaderEpoch(wanted.last_fetched_epoch), from);
    if read.divergence.is_some() {
        return Ok((read, None));
    }
    partition.check_offset(from)?;
    let end = if read_committed { stable } else { high_watermark };
    let plan = (from < end).then(|| (Rc::clone(&partition.log), from, end));
    Ok((read, plan))
}

fn failed(slot: usize, code: ErrorCode) -> Read {
    Read {
        slot,
        error: code,
        high_watermark: -1,
        last_stable_offset: -1,
        log_start_offset: -1,
        divergence: None,
        records: Vec::new(),
        bytes: 0,
        aborted: Vec::new(),
    }
}

/// What an unknown topic or partition is answered with.
pub fn refused(slot: usize, code: ErrorCode) -> Read {
    failed(slot, code)
}

impl Core {
    /// Ends a wait that another core asked for.
    pub(super) fn call_off(&self, watch: (CoreId, u64)) {
        if let Some(watch) = self.watches.borrow().get(&watch) {
            watch.call_off();
        }
    }

    /// Ends all waits: the process is stopping.
    pub(crate) fn wake_all_watches(&self) {
        for watch in self.watches.borrow().values() {
            watch.call_off();
        }
    }
}
