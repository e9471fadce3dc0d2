//! Any bytes as the records of a produce request. The first byte chooses the topic's rules; the CRC is made right, so
//! that what lies behind it is reached.
#![no_main]

use bytes::{Bytes, BytesMut};
use libfuzzer_sys::fuzz_target;
use thalweg_protocol::TimestampMs;
use thalweg_protocol::records::{
    BatchRules, BatchView, Codec, Compression, ControlRecord, TimestampType, TopicCompression, batches, compute_crc,
    validate_produced,
};

const LIMIT: usize = 1 << 20;

fn rules(choice: u8) -> BatchRules {
    let compression = match Compression::from_id(i16::from(choice & 7)) {
        Some(compression) => TopicCompression::Fixed(Codec::from(compression)),
        None => TopicCompression::Producer,
    };
    let log_append_time = choice & 8 != 0;
    BatchRules {
        compression,
        timestamp_type: if log_append_time { TimestampType::LogAppendTime } else { TimestampType::CreateTime },
        timestamp_before_max_ms: if choice & 16 == 0 { i64::MAX } else { 1000 },
        timestamp_after_max_ms: if choice & 32 == 0 { i64::MAX } else { 1000 },
        message_size_max_bytes: LIMIT,
        compacted: choice & 64 != 0,
    }
}

fuzz_target!(|data: &[u8]| {
    let Some((choice, data)) = data.split_first() else { return };
    for view in batches(data).flatten() {
        let _ = view.check_crc();
        read(&view);
    }

    let mut bytes = BytesMut::from(data);
    if let Ok(view) = BatchView::first(data) {
        let crc = compute_crc(view.bytes);
        bytes[17..21].copy_from_slice(&crc.to_be_bytes());
    }
    if let Ok(valid) = validate_produced(&Bytes::from(bytes), &rules(*choice), TimestampMs(1_700_000_000_000)) {
        let view = BatchView::first(&valid.bytes).expect("a valid batch is a batch");
        assert_eq!(view.header, valid.header);
        assert_eq!(view.bytes.len(), valid.bytes.len());
        view.check_crc().expect("a valid batch has the right CRC");
        if let Ok(records) = view.records(LIMIT) {
            let records: Vec<_> = records.collect::<Result<_, _>>().expect("a valid batch has valid records");
            assert_eq!(records.len(), usize::try_from(valid.header.records_count).expect("a positive count"));
            for (record, index) in records.iter().zip(0..) {
                assert_eq!(record.offset_delta, index);
            }
        }
    }
});

fn read(view: &BatchView<'_>) {
    let Ok(records) = view.records(LIMIT) else { return };
    for record in records.take(1000).flatten() {
        let _ = ControlRecord::parse(&record);
    }
}
