//! Finding the aborted transactions in a range of offsets, through the transaction index of each segment (`.txnindex`,
//! Kafka's `TransactionIndex`). An index that is missing or makes no sense is built again.

use std::rc::Rc;

use bytes::Bytes;
use thalweg_protocol::KafkaOffset;

use super::block_tail::BlockTail;
use super::lookup::load_index;
use super::piece::{Scan, SegmentView};
use super::rebuild::replace;
use super::segment::FileKind;
use super::transactions::aborted::TransactionIndex;
use super::transactions::{AbortedTransaction, Part, Transactions};
use super::{LogRef, PartitionLog};
use crate::error::StorageError;
use crate::io::BLOCK_SIZE_BYTES;

const SCAN_CHUNK_BYTES: usize = 256 << 10;

/// The aborted transactions with records from `from` on and before `up_to`, in order of their markers. `up_to` is not
/// behind the last stable offset.
///
/// # Errors
/// When the disk fails or a segment is damaged.
pub async fn aborted_transactions(
    log: &LogRef,
    from: KafkaOffset,
    up_to: KafkaOffset,
) -> Result<Vec<AbortedTransaction>, StorageError> {
    // What is in no segment is looked at first: while the indexes are read it may get into one, and is seen there again.
    // What is aborted meanwhile was open before, and so begins at the last stable offset or behind it.
    let unflushed: Vec<_> = log.borrow().transactions.unflushed().copied().collect();
    let mut search = Search { from, up_to, last: None, found: Vec::new() };
    let mut next = from;
    loop {
        let Some((base, behind)) = log.borrow().next_with_aborted(next) else { break };
        if search.take(load_aborted(log, base).await?) {
            return Ok(search.found);
        }
        next = behind;
    }
    search.take(unflushed);
    Ok(search.found)
}

/// All entries of the index of the segment with this base offset.
pub(super) async fn load_aborted(log: &LogRef, base: KafkaOffset) -> Result<Vec<AbortedTransaction>, StorageError> {
    let bytes = load_index(log, base, FileKind::TransactionIndex).await?;
    Ok(TransactionIndex { base, bytes }.entries().collect())
}

struct Search {
    from: KafkaOffset,
    up_to: KafkaOffset,
    /// Marker of the last one looked at.
    last: Option<KafkaOffset>,
    found: Vec<AbortedTransaction>,
}

impl Search {
    /// Whether no later transaction can begin before the end of the range.
    fn take(&mut self, aborted: impl IntoIterator<Item = AbortedTransaction>) -> bool {
        for aborted in aborted {
            if self.last.is_some_and(|last| aborted.last_offset <= last) {
                continue;
            }
            self.last = Some(aborted.last_offset);
            if aborted.last_offset >= self.from && aborted.first_offset < self.up_to {
                self.found.push(aborted);
            }
            if aborted.last_stable_offset >= self.up_to {
                return true;
            }
        }
        false
    }
}

impl PartitionLog {
    /// The first segment with markers of aborts that reaches behind `from`, and where it ends.
    fn next_with_aborted(&self, from: KafkaOffset) -> Option<(KafkaOffset, KafkaOffset)> {
        let at = self.segments.partition_point(|segment| segment.content.next_offset <= from);
        let found = self.segments.iter().skip(at).find(|segment| segment.content.aborted > 0)?;
        Some((found.base_offset, found.content.next_offset))
    }
}

/// Builds the index of one segment again, from all batches before its end: transactions may begin in earlier segments. The
/// caller is through the log's gate.
pub(super) async fn rebuild_transaction_index(log: &LogRef, base: KafkaOffset) -> Result<Bytes, StorageError> {
    let views: Vec<SegmentView> = {
        let log = log.borrow();
        log.segments.iter().take_while(|segment| segment.base_offset <= base).map(|segment| log.view(segment)).collect()
    };
    let (mut transactions, mut entries) = (Transactions::default(), Vec::new());
    for view in views {
        let is_wanted = view.base_offset == base;
        let mut scan = Scan::new(view, 0, SCAN_CHUNK_BYTES);
        while let Some((header, position)) = scan.next().await? {
            if !header.attributes.is_transactional() {
                continue;
            }
            let batch =
                if header.attributes.is_control() { scan.batch(&header, position).await? } else { Bytes::new() };
            let part = Part::parse(&header, &batch).map_err(|error| scan.damaged(position, error.to_string()))?;
            let aborted = part.and_then(|part| transactions.apply(part, header.base_offset));
            entries.extend(aborted.filter(|_| is_wanted).iter().flat_map(AbortedTransaction::encode));
        }
    }
    put_index(log, base, &Bytes::from(entries)).await
}

/// What was built takes the place of the file, and of what the segment says of it.
async fn put_index(log: &LogRef, base: KafkaOffset, entries: &Bytes) -> Result<Bytes, StorageError> {
    let is_active = log.borrow().segment_at(base).is_some_and(|segment| segment.active.is_some());
    let whole = if is_active { entries.len() - entries.len() % BLOCK_SIZE_BYTES } else { entries.len() };
    replace(log, base, FileKind::TransactionIndex, entries.get(..whole).unwrap_or_default()).await?;
    let mut log = log.borrow_mut();
    let (group, shared) = (log.group, Rc::clone(&log.shared));
    shared.indexes.forget(group, |other| other == base);
    if let Ok(at) = log.segments.binary_search_by_key(&base, |segment| segment.base_offset)
        && let Some(segment) = log.segments.get_mut(at)
    {
        segment.content.aborted = u32::try_from(entries.len() / super::transactions::aborted::ENTRY_LEN).unwrap_or(0);
        if let Some(active) = &mut segment.active {
            let fragment = Bytes::copy_from_slice(entries.get(whole..).unwrap_or_default());
            *active.file_mut(FileKind::TransactionIndex) = BlockTail { written: whole as u64, fragment };
            active.set_prepared(FileKind::TransactionIndex);
        }
    }
    Ok(entries.clone())
}
