//! The records of a fetched partition that a consumer may see.

use anyhow::{Context as _, Result};
use thalweg_protocol::records::{BatchView, ControlRecord, Marker, RecordError, RecordRefs, batches};
use thalweg_protocol::{FetchedPartition, KafkaOffset, ProducerId};

/// What one batch may decompress to.
const DECOMPRESSED_MAX_BYTES: usize = 64 << 20;

/// The offset behind the last whole batch, from the batches' headers alone; `None` if there is none.
pub(crate) fn next_offset(records: &[u8]) -> Result<Option<i64>, RecordError> {
    let mut next = None;
    for batch in batches(records) {
        next = Some(batch?.header.next_offset().0);
    }
    Ok(next)
}

/// Reads partitions one after the other, with memory that is used again.
#[derive(Default)]
pub(crate) struct Reading {
    read_committed: bool,
    /// Aborted transactions that begin further on, the next one last.
    ahead: Vec<(KafkaOffset, ProducerId)>,
    /// Producers within a transaction that was aborted.
    aborted: Vec<ProducerId>,
    hidden: u64,
}

impl Reading {
    pub(crate) fn new(read_committed: bool) -> Self {
        Self { read_committed, ..Self::default() }
    }

    /// Records of aborted transactions that were kept from sight so far.
    pub(crate) const fn hidden(&self) -> u64 {
        self.hidden
    }

    /// Shows `visit` the value of each record from offset `from` on. Every batch's CRC is checked, those that nobody
    /// sees included.
    pub(crate) fn values(
        &mut self,
        partition: &FetchedPartition<'_>,
        from: i64,
        mut visit: impl FnMut(Option<&[u8]>) -> Result<()>,
    ) -> Result<()> {
        self.aborted.clear();
        self.ahead.clear();
        self.ahead.extend(partition.aborted.map(|(producer, first)| (first, producer)));
        self.ahead.sort_unstable_by_key(|(first, _)| std::cmp::Reverse(*first));
        for batch in batches(partition.records) {
            let batch = batch?;
            self.batch(&batch, from, &mut visit)
                .with_context(|| format!("the batch at offset {}", batch.header.base_offset))?;
        }
        Ok(())
    }

    fn batch(
        &mut self,
        batch: &BatchView<'_>,
        from: i64,
        visit: &mut impl FnMut(Option<&[u8]>) -> Result<()>,
    ) -> Result<()> {
        batch.check_crc()?;
        if self.is_hidden(batch)? || batch.header.last_offset().0 < from {
            return Ok(());
        }
        let body = batch.decompressed(DECOMPRESSED_MAX_BYTES)?;
        for record in RecordRefs::new(&batch.header, &body) {
            let record = record?;
            if record.offset.0 >= from {
                visit(record.value)?;
            }
        }
        Ok(())
    }

    /// Markers are nobody's records; those of aborted transactions are hidden from who reads what is committed, as
    /// Kafka's `CompletedFetch` hides them: a producer's are from where its transaction begins to its abort marker.
    fn is_hidden(&mut self, batch: &BatchView<'_>) -> Result<bool> {
        let header = &batch.header;
        if !self.read_committed || !header.has_producer_id() {
            return Ok(header.attributes.is_control());
        }
        while let Some((_, producer)) = self.ahead.pop_if(|(first, _)| *first <= header.last_offset()) {
            self.aborted.push(producer);
        }
        if header.attributes.is_control() {
            if is_abort(batch)? {
                self.aborted.retain(|producer| *producer != header.producer_id);
            }
            return Ok(true);
        }
        let hidden = header.attributes.is_transactional() && self.aborted.contains(&header.producer_id);
        self.hidden += if hidden { u64::try_from(header.records_count).unwrap_or(0) } else { 0 };
        Ok(hidden)
    }
}

fn is_abort(batch: &BatchView<'_>) -> Result<bool> {
    let Some(record) = batch.records(DECOMPRESSED_MAX_BYTES)?.next() else { return Ok(false) };
    let control = ControlRecord::parse(&record?)?;
    Ok(matches!(control, ControlRecord::TransactionEnd { marker: Marker::Abort, .. }))
}

#[cfg(test)]
mod tests;
