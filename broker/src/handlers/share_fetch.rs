//! The owner's part of a ShareFetch: giving records out, and waiting until there are some.

use std::rc::Rc;
use std::time::Instant;

use bytes::Bytes;
use thalweg_protocol::error::ErrorCode;
use thalweg_protocol::records::BatchHeader;
use thalweg_protocol::{KafkaOffset, StrBytes};
use thalweg_storage::log::{AbortedTransaction, LogRef, aborted_transactions};
use thalweg_storage::types::GroupId;

use super::fetch_read::Watch;
use crate::coordinator::share::StateKey;
use crate::errors;
use crate::reactor::{Core, CoreId, within};
use crate::share::hosted::Hosted;
use crate::share::partition::{Acquired, Read};

/// How often a partition is read again when somebody else took what was read.
const ATTEMPTS_MAX: usize = 3;

/// One partition to read.
#[derive(Clone, Debug)]
pub struct Item {
    /// Where in the answer it goes.
    pub slot: usize,
    pub group: GroupId,
    pub key: StateKey,
}

/// What one core is asked for.
#[derive(Clone, Debug)]
pub struct Order {
    pub items: Vec<Item>,
    pub member: StrBytes,
    pub records_max: i64,
    pub size_max_bytes: usize,
}

/// What a partition gave.
#[derive(Clone, Debug, Default)]
pub struct Got {
    pub slot: usize,
    pub error: Option<ErrorCode>,
    pub records: Vec<Bytes>,
    pub acquired: Vec<Acquired>,
}

impl Got {
    pub fn size_bytes(&self) -> usize {
        self.records.iter().map(Bytes::len).sum()
    }

    pub fn record_count(&self) -> i64 {
        self.acquired.iter().map(|acquired| acquired.last - acquired.first + 1).sum()
    }

    pub fn is_news(&self) -> bool {
        self.error.is_some() || !self.acquired.is_empty()
    }
}

/// Gives out what there is, until that is enough. Does not wait.
pub async fn acquire(core: Rc<Core>, order: Order) -> Vec<Got> {
    let (mut records_left, mut bytes_left) = (order.records_max, order.size_max_bytes);
    let mut all = Vec::with_capacity(order.items.len());
    for item in &order.items {
        if records_left <= 0 || bytes_left == 0 {
            break;
        }
        let got = match acquire_one(&core, item, &order.member, records_left, bytes_left).await {
            Ok(got) => got,
            Err(code) => Got { slot: item.slot, error: Some(code), ..Got::default() },
        };
        records_left -= got.record_count();
        bytes_left = bytes_left.saturating_sub(got.size_bytes());
        all.push(got);
    }
    all
}

async fn acquire_one(
    core: &Rc<Core>,
    item: &Item,
    member: &StrBytes,
    records_max: i64,
    size_max_bytes: usize,
) -> Result<Got, ErrorCode> {
    let hosted = core.share_partition(item.group, &item.key).await?;
    let settings = core.share_settings(&item.key.group);
    hosted.with(|share| share.set_limits(settings.limits))?;
    let mut got = Got { slot: item.slot, ..Got::default() };
    for _ in 0..ATTEMPTS_MAX {
        let Some((log, from, end)) = next_read(core, item, &hosted, settings.read_committed)? else { return Ok(got) };
        let read = thalweg_storage::log::read(&log, from, end, size_max_bytes).await;
        let read = read.map_err(|error| errors::of_storage(&error))?;
        let batches = headers(&read.batches);
        let until = batches.last().map_or(end, |batch| batch.next_offset().min(end));
        let aborted = if settings.read_committed {
            aborted_transactions(&log, from, until).await.map_err(|error| errors::of_storage(&error))?
        } else {
            Vec::new()
        };
        let visible = visible(&batches, &aborted);
        let read_offsets = Read { from: from.0, until: until.0, batches: &visible };
        got.acquired = hosted.with(|share| share.acquire(member, &read_offsets, records_max, core.now()))?;
        if let Some(last) = got.acquired.last() {
            got.records = up_to(read.batches, KafkaOffset(last.last));
            return Ok(got);
        }
    }
    Ok(got)
}

/// What to read, if there may be something.
fn next_read(
    core: &Rc<Core>,
    item: &Item,
    hosted: &Rc<Hosted>,
    read_committed: bool,
) -> Result<Option<(LogRef, KafkaOffset, KafkaOffset)>, ErrorCode> {
    let partition = core.partition(item.group).ok_or(ErrorCode::NotLeaderOrFollower)?;
    let (log, start, end) = {
        let partition = partition.borrow();
        let end = if read_committed { partition.last_stable_offset() } else { partition.high_watermark() };
        (Rc::clone(&partition.log), partition.log_start_offset(), end)
    };
    if let Some(change) = hosted.with(|share| share.log_starts_at(start.0))? {
        drop(core.keep_share(hosted, change));
    }
    let from = hosted.with(|share| share.next_offset())?;
    Ok(from.filter(|from| *from < end.0).map(|from| (log, KafkaOffset(from), end)))
}

fn headers(chunks: &[Bytes]) -> Vec<BatchHeader> {
    let mut headers = Vec::new();
    for chunk in chunks {
        let mut rest = chunk.as_ref();
        while let Ok(header) = BatchHeader::parse(rest) {
            rest = rest.get(header.size_bytes()..).unwrap_or_default();
            headers.push(header);
        }
    }
    headers
}

/// First and last offsets of the batches that hold records for the group: not of markers, nor of aborted transactions.
fn visible(batches: &[BatchHeader], aborted: &[AbortedTransaction]) -> Vec<(i64, i64)> {
    let mut open: Vec<&AbortedTransaction> = aborted.iter().collect();
    let mut visible = Vec::with_capacity(batches.len());
    for batch in batches {
        let (first, last) = (batch.base_offset.0, batch.next_offset().0 - 1);
        if batch.attributes.is_control() {
            // The first of this producer's aborted transactions that is open ends here.
            let ended = open.iter().position(|it| it.producer == batch.producer_id && it.first_offset.0 <= first);
            ended.map(|index| open.remove(index));
            continue;
        }
        let is_aborted = batch.attributes.is_transactional()
            && open.iter().any(|it| it.producer == batch.producer_id && it.first_offset.0 <= first);
        if !is_aborted {
            visible.push((first, last));
        }
    }
    visible
}

/// The batches up to the one with this offset.
fn up_to(chunks: Vec<Bytes>, last: KafkaOffset) -> Vec<Bytes> {
    let mut kept = Vec::with_capacity(chunks.len());
    for chunk in chunks {
        let mut size = 0;
        while let Some(header) = chunk.get(size..).and_then(|rest| BatchHeader::parse(rest).ok()) {
            if header.base_offset > last {
                break;
            }
            size += header.size_bytes();
        }
        if size == 0 {
            break;
        }
        kept.push(chunk.slice(..size.min(chunk.len())));
    }
    kept
}

/// Waits until one of the partitions may have something to give out, or it is time. The watch is there when this returns:
/// calling it off may follow at once.
pub fn wait(core: Rc<Core>, items: Vec<Item>, deadline: Instant, name: (CoreId, u64)) -> impl Future<Output = ()> {
    let watch = Rc::<Watch>::default();
    core.watches.borrow_mut().insert(name, Rc::clone(&watch));
    async move {
        loop {
            // Watching begins before looking: what comes in between is not missed.
            let seen = watch.signal.count();
            let left = deadline.saturating_duration_since(Instant::now());
            let some = items.iter().any(|item| may_give(&core, item, &watch));
            if some || left.is_zero() || watch.is_called_off() || core.shared.is_stopping() {
                break;
            }
            let _ = within(left, watch.signal.wait(seen)).await;
        }
        core.watches.borrow_mut().remove(&name);
    }
}

fn may_give(core: &Rc<Core>, item: &Item, watch: &Watch) -> bool {
    let read_committed = core.share_settings(&item.key.group).read_committed;
    let end = core.with_partition(item.group, |partition| {
        partition.watch(&watch.signal);
        if read_committed { partition.last_stable_offset() } else { partition.high_watermark() }
    });
    // What is not here is looked for again, and what is wrong is told then.
    let (Some(end), Some(hosted)) = (end, core.shares.get(item.group, &item.key.group)) else { return true };
    hosted.watch(&watch.signal);
    hosted.with(|share| share.has_available(end.0)).unwrap_or(true)
}
