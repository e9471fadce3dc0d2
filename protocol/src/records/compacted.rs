//! What compaction leaves of a batch: some of its records, or only its header (`MemoryRecords.filterTo`).
//!
//! Offsets, sequence numbers, the producer and the leader epoch stay what they were, so that nothing moves for readers.

use bytes::{Bytes, BytesMut};

use super::builder::assemble;
use super::compression::{Codec, Compression, compress};
use super::header::{Attributes, BatchHeader, RecordError, TimestampType};
use super::record::{HeaderRef, Record, put_record};
use crate::types::TimestampMs;

/// The batch with these of its records only, compressed as it was. `delete_horizon` is when its tombstones, or the
/// transaction marker that it is, may go (KIP-534).
///
/// # Errors
/// When the records do not fit a batch, or the header names no codec.
pub fn retained_batch(
    header: &BatchHeader,
    records: &[Record],
    delete_horizon: Option<TimestampMs>,
) -> Result<Bytes, RecordError> {
    let first = records.first().ok_or(RecordError::RecordCount { announced: 0, found: 0 })?;
    // The horizon takes the place of the base timestamp; records stay relative to whatever stands there.
    let base_timestamp = delete_horizon.unwrap_or(first.timestamp);
    let mut body = BytesMut::new();
    for record in records {
        let headers: Vec<HeaderRef<'_>> =
            record.headers.iter().map(|(key, value)| (key.as_ref(), value.as_deref())).collect();
        let delta = record.timestamp.0.wrapping_sub(base_timestamp.0);
        put_record(&mut body, delta, record.offset_delta, record.key.as_deref(), record.value.as_deref(), &headers)?;
    }
    let codec = header.attributes.compression()?;
    let body = match codec {
        Compression::None => body,
        _ => BytesMut::from(compress(Codec::from(codec), &body)?.as_slice()),
    };
    let newest = records.iter().map(|record| record.timestamp).max().unwrap_or(TimestampMs::NONE);
    let max_timestamp = match header.attributes.timestamp_type() {
        TimestampType::CreateTime => newest,
        TimestampType::LogAppendTime => header.max_timestamp,
    };
    let records_count = i32::try_from(records.len()).map_err(|_| RecordError::TooLarge { size_bytes: body.len() })?;
    let attributes = header.attributes.with_delete_horizon(delete_horizon.is_some());
    let header = BatchHeader { attributes, base_timestamp, max_timestamp, records_count, ..*header };
    assemble(header, &body).map(|(bytes, _)| bytes.freeze())
}

/// The batch without any record: what tells of its producer's last sequence number, or of its offsets
/// (`DefaultRecordBatch.writeEmptyHeader`).
///
/// # Errors
/// Never in practice: a header fits any batch.
pub fn emptied_batch(header: &BatchHeader) -> Result<Bytes, RecordError> {
    let kept = header.attributes;
    let mut attributes = Attributes::default().with_timestamp_type(kept.timestamp_type());
    if kept.is_transactional() {
        attributes = attributes.transactional();
    }
    if kept.is_control() {
        attributes = attributes.control();
    }
    let header = BatchHeader { attributes, base_timestamp: TimestampMs::NONE, records_count: 0, ..*header };
    assemble(header, &[]).map(|(bytes, _)| bytes.freeze())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::super::{BatchBuilder, BatchView};
    use super::*;
    use crate::types::{KafkaOffset, LeaderEpoch, ProducerEpoch, ProducerId};

    fn batch(codec: Compression, append_time: Option<TimestampMs>) -> Bytes {
        let mut builder = BatchBuilder::new()
            .with_compression(codec)
            .with_base_offset(KafkaOffset(100))
            .with_leader_epoch(LeaderEpoch(7))
            .with_producer(ProducerId(5), ProducerEpoch(2), 40);
        if let Some(now) = append_time {
            builder = builder.with_log_append_time(now);
        }
        for at in 0..5_u8 {
            let timestamp = TimestampMs(1000 - i64::from(at));
            builder.push(timestamp, Some(&[at]), (at != 3).then_some(&[at, at]), &[(b"h", None)]).unwrap();
        }
        builder.build().unwrap().freeze()
    }

    fn records(batch: &Bytes) -> Vec<Record> {
        let view = BatchView::first(batch).unwrap();
        view.check_crc().unwrap();
        assert_eq!(view.bytes.len(), batch.len());
        view.records(1 << 20).unwrap().map(Result::unwrap).collect()
    }

    #[test]
    fn retained_records_are_what_they_were() {
        for codec in Compression::ALL {
            for append_time in [None, Some(TimestampMs(5000))] {
                for horizon in [None, Some(TimestampMs(9_000_000))] {
                    let whole = batch(codec, append_time);
                    let before = BatchHeader::parse(&whole).unwrap();
                    let kept: Vec<Record> = records(&whole).into_iter().skip(1).step_by(2).collect();
                    let after = retained_batch(&before, &kept, horizon).unwrap();
                    assert_eq!(records(&after), kept, "{codec} {horizon:?}");
                    let header = BatchHeader::parse(&after).unwrap();
                    assert_eq!(header.attributes.has_delete_horizon(), horizon.is_some());
                    assert_eq!(header.base_timestamp, horizon.unwrap_or(kept.first().unwrap().timestamp));
                    assert_eq!(header.max_timestamp, append_time.unwrap_or(TimestampMs(999)));
                    let same = |header: BatchHeader| {
                        (header.base_offset, header.last_offset(), header.last_sequence(), header.leader_epoch)
                    };
                    assert_eq!(same(header), same(before));
                    assert_eq!(header.attributes.compression(), Ok(codec));
                }
            }
        }
    }

    #[test]
    fn an_emptied_batch_keeps_its_offsets_and_sequences() {
        let before = BatchHeader::parse(&batch(Compression::Zstd, None)).unwrap();
        let after = emptied_batch(&before).unwrap();
        assert_eq!(after.len(), BatchHeader::LEN);
        assert!(records(&after).is_empty());
        let header = BatchHeader::parse(&after).unwrap();
        assert_eq!(header.attributes.compression(), Ok(Compression::None));
        assert_eq!((header.last_offset(), header.last_sequence()), (KafkaOffset(104), 44));
        assert_eq!((header.records_count, header.max_timestamp), (0, before.max_timestamp));
        let marker = before.attributes.transactional().control();
        let header =
            BatchHeader::parse(&emptied_batch(&BatchHeader { attributes: marker, ..before }).unwrap()).unwrap();
        assert!(header.attributes.is_control() && header.attributes.is_transactional());
    }

    #[test]
    fn a_batch_of_nothing_is_refused() {
        let header = BatchHeader::parse(&batch(Compression::None, None)).unwrap();
        assert!(retained_batch(&header, &[], None).is_err());
    }
}
