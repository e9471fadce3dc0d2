//! Looking at what is dirty before anything is written: how transactions ended, and the newest offset of each key.

use bytes::Bytes;
use thalweg_protocol::KafkaOffset;
use thalweg_protocol::records::{BatchHeader, BatchView};

use super::filter::DECOMPRESSED_MAX_BYTES;
use super::key_map::{Full, KeyMap};
use super::transactions::Decisions;
use super::{Pace, SCAN_CHUNK_BYTES};
use crate::error::StorageError;
use crate::log::LogRef;
use crate::log::piece::{Scan, SegmentView};
use crate::log::transactions::Control;

/// Headers are small and batches often are not: little is read for each.
const HEADER_CHUNK_BYTES: usize = 64 << 10;

/// What a look at the headers gave.
#[derive(Default)]
pub(super) struct Survey {
    pub(super) decisions: Decisions,
    /// Records in dirty batches: as many keys there are at most.
    pub(super) records: u64,
}

impl Survey {
    /// Looks at the dirty segments, and then as far behind them as transactions that began in them go on.
    pub(super) async fn take(
        log: &LogRef,
        dirty: &[SegmentView],
        beyond: &[SegmentView],
        pace: &mut Pace<'_>,
    ) -> Result<Self, StorageError> {
        let mut survey = Self::default();
        for view in dirty {
            survey.segment(view, false, pace).await?;
        }
        for view in beyond {
            if survey.decisions.first_undecided().is_none() {
                return Ok(survey);
            }
            survey.segment(view, true, pace).await?;
        }
        for (header, batch) in log.borrow().committed_batches().filter(|(header, _)| header.attributes.is_control()) {
            survey.decisions.note_control(&header, parse_control(batch, None)?);
        }
        Ok(survey)
    }

    async fn segment(&mut self, view: &SegmentView, beyond: bool, pace: &mut Pace<'_>) -> Result<(), StorageError> {
        let mut scan = Scan::new(view.clone(), 0, HEADER_CHUNK_BYTES);
        while let Some((header, position)) = scan.next().await? {
            pace.spend(BatchHeader::LEN).await?;
            if header.attributes.is_control() {
                let batch = scan.batch(&header, position).await?;
                self.decisions.note_control(&header, parse_control(&batch, Some((view, position)))?);
            } else if !beyond {
                self.decisions.note_data(&header);
                self.records += u64::try_from(header.records_count).unwrap_or(0);
            }
        }
        Ok(())
    }
}

fn parse_control(batch: &Bytes, place: Option<(&SegmentView, u64)>) -> Result<Control, StorageError> {
    match (Control::parse(batch), place) {
        (Ok(control), _) => Ok(control),
        (Err(error), Some((view, position))) => Err(view.damaged(position, error.to_string())),
        // What is in memory was checked before it was appended.
        (Err(_), None) => Ok(Control::Other),
    }
}

/// Puts the keys of dirty records that count into the map, until it is full. The map then knows how far it reaches.
pub(super) async fn map_keys(
    map: &mut KeyMap,
    dirty: &[SegmentView],
    from: KafkaOffset,
    decisions: &Decisions,
    pace: &mut Pace<'_>,
) -> Result<(), StorageError> {
    for view in dirty {
        let mut scan = Scan::new(view.clone(), 0, SCAN_CHUNK_BYTES);
        while let Some((header, position)) = scan.next().await? {
            let batch = scan.batch(&header, position).await?;
            pace.spend(batch.len()).await?;
            let counts = header.next_offset() > from && !header.attributes.is_control();
            if counts && !decisions.is_aborted(&header) {
                let mapped = map_batch(map, &batch, from).map_err(|error| view.damaged(position, error.to_string()))?;
                if mapped == Err(Full) {
                    return Ok(());
                }
            }
            map.set_up_to(header.next_offset().max(from));
        }
        map.set_up_to(view.next_offset);
    }
    Ok(())
}

fn map_batch(
    map: &mut KeyMap,
    batch: &Bytes,
    from: KafkaOffset,
) -> Result<Result<(), Full>, thalweg_protocol::records::RecordError> {
    for record in BatchView::first(batch)?.records(DECOMPRESSED_MAX_BYTES)? {
        let record = record?;
        let Some(key) = record.key.filter(|_| record.offset >= from) else { continue };
        if map.put(&key, record.offset).is_err() {
            // Up to the record before: so that even a batch of more keys than fit is not looked at for ever.
            map.set_up_to(record.offset);
            return Ok(Err(Full));
        }
    }
    Ok(Ok(()))
}
