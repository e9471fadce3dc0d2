//! What a leader refuses, and with which of Kafka's codes.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use bytes::{Bytes, BytesMut};
use thalweg_protocol::records::{
    BatchBuilder, BatchHeader, BatchRules, BatchView, Codec, Compression, Marker, TimestampType, TopicCompression,
    check_produce_version, compute_crc, control, stamp, validate_produced,
};
use thalweg_protocol::{ErrorCode, KafkaOffset, LeaderEpoch, ProducerEpoch, ProducerId, TimestampMs};

const NOW: TimestampMs = TimestampMs(1_700_000_000_000);

fn rules() -> BatchRules {
    BatchRules {
        compression: TopicCompression::Producer,
        timestamp_type: TimestampType::CreateTime,
        timestamp_before_max_ms: i64::MAX,
        timestamp_after_max_ms: 3_600_000,
        message_size_max_bytes: 1 << 20,
        compacted: false,
    }
}

fn builder(count: i64, compression: Compression) -> BatchBuilder {
    let mut builder = BatchBuilder::new().with_compression(compression);
    for index in 0..count {
        let key = format!("key-{index}");
        builder.push(TimestampMs(NOW.0 - index), Some(key.as_bytes()), Some(b"value"), &[]).unwrap();
    }
    builder
}

fn batch(count: i64, compression: Compression) -> BytesMut {
    builder(count, compression).build().unwrap()
}

/// The batch with other bytes at a position, and the CRC that belongs to them.
fn with(mut batch: BytesMut, position: usize, field: &[u8]) -> Bytes {
    batch[position..position + field.len()].copy_from_slice(field);
    let crc = compute_crc(&batch);
    batch[17..21].copy_from_slice(&crc.to_be_bytes());
    batch.freeze()
}

fn code(records: &Bytes, rules: &BatchRules) -> ErrorCode {
    validate_produced(records, rules, NOW).map_or_else(|rejection| rejection.code, |_| ErrorCode::None)
}

const ATTRIBUTES: usize = 21;
const LAST_OFFSET_DELTA: usize = 23;
const MAX_TIMESTAMP: usize = 35;
const PRODUCER_ID: usize = 43;
const RECORDS_COUNT: usize = 57;

#[test]
fn a_good_batch_is_taken_unchanged_and_stamped_without_touching_the_crc() {
    for compression in Compression::ALL {
        let records = batch(20, compression).freeze();
        let mut valid = validate_produced(&records, &rules(), NOW).unwrap();
        assert_eq!(valid.bytes, records);
        stamp(&mut valid.bytes, KafkaOffset(4096), LeaderEpoch(7));
        let view = BatchView::first(&valid.bytes).unwrap();
        view.check_crc().unwrap();
        assert_eq!(view.header.base_offset, KafkaOffset(4096));
        assert_eq!(view.header.leader_epoch, LeaderEpoch(7));
        assert_eq!(view.header.last_offset(), KafkaOffset(4115));
        assert_eq!(view.header.next_offset(), KafkaOffset(4116));
        assert_eq!(
            BatchHeader { base_offset: KafkaOffset(0), leader_epoch: LeaderEpoch(-1), ..view.header },
            valid.header
        );
    }
}

#[test]
fn there_must_be_exactly_one_whole_batch() {
    let one = batch(2, Compression::None).freeze();
    assert_eq!(code(&Bytes::new(), &rules()), ErrorCode::InvalidRecord);
    assert_eq!(code(&one.slice(..one.len() - 1), &rules()), ErrorCode::InvalidRecord);
    assert_eq!(code(&Bytes::from([one.clone(), one.clone()].concat()), &rules()), ErrorCode::InvalidRecord);
    // A cut batch behind the first is ignored, and not kept.
    let trailing = Bytes::from([&one[..], &one[..40]].concat());
    assert_eq!(validate_produced(&trailing, &rules(), NOW).unwrap().bytes, one);
}

#[test]
fn old_message_formats_and_unknown_ones_have_kafkas_codes() {
    for (magic, expected) in [
        (0, ErrorCode::InvalidRecord),
        (1, ErrorCode::InvalidRecord),
        (3, ErrorCode::CorruptMessage),
        (0xff, ErrorCode::CorruptMessage),
    ] {
        let mut records = batch(1, Compression::None);
        records[16] = magic;
        assert_eq!(code(&records.freeze(), &rules()), expected, "magic {magic}");
    }
}

#[test]
fn damage_is_a_corrupt_message() {
    let good = batch(3, Compression::None);
    for position in [17, 25, 62, good.len() - 1] {
        let mut damaged = good.clone();
        damaged[position] ^= 0x10;
        assert_eq!(code(&damaged.freeze(), &rules()), ErrorCode::CorruptMessage, "position {position}");
    }
    let mut short = good.clone();
    short[8..12].copy_from_slice(&48_i32.to_be_bytes());
    assert_eq!(code(&short.freeze(), &rules()), ErrorCode::CorruptMessage);
    let mut negative = good;
    negative[8..12].copy_from_slice(&(-1_i32).to_be_bytes());
    assert_eq!(code(&negative.freeze(), &rules()), ErrorCode::CorruptMessage);
}

#[test]
fn too_large_is_said_before_anything_is_read() {
    let records = batch(3, Compression::None).freeze();
    let limited = |message_size_max_bytes| BatchRules { message_size_max_bytes, ..rules() };
    assert_eq!(code(&records, &limited(records.len())), ErrorCode::None);
    assert_eq!(code(&records, &limited(records.len() - 1)), ErrorCode::MessageTooLarge);
    let mut damaged = BytesMut::from(&records[..]);
    damaged[17] ^= 1;
    assert_eq!(code(&damaged.freeze(), &limited(10)), ErrorCode::MessageTooLarge);
}

#[test]
fn a_batch_that_grows_too_large_when_compressed_anew_is_refused() {
    let mut builder = BatchBuilder::new().with_compression(Compression::Zstd);
    builder.push(NOW, None, Some(&[0; 100_000]), &[]).unwrap();
    let records = builder.build().unwrap().freeze();
    let compression = TopicCompression::Fixed(Codec::from(Compression::None));
    let grown = BatchRules { compression, message_size_max_bytes: 50_000, ..rules() };
    assert_eq!(code(&records, &grown), ErrorCode::MessageTooLarge);
    assert_eq!(code(&records, &BatchRules { compression, ..rules() }), ErrorCode::None);
}

#[test]
fn what_the_header_says_must_agree_with_itself_and_with_the_records() {
    let good = || batch(3, Compression::None);
    assert_eq!(code(&with(good(), 0, &5_i64.to_be_bytes()), &rules()), ErrorCode::InvalidRecord);
    for (delta, count) in [(2, 4), (2, 2), (-1, 0), (0, 0), (-2, -1), (i32::MAX, i32::MIN)] {
        let changed = BytesMut::from(&with(good(), LAST_OFFSET_DELTA, &i32::to_be_bytes(delta))[..]);
        let changed = with(changed, RECORDS_COUNT, &i32::to_be_bytes(count));
        assert_eq!(code(&changed, &rules()), ErrorCode::InvalidRecord, "delta {delta} count {count}");
    }
    // They agree with each other, and not with the records that are there.
    for compression in Compression::ALL {
        for count in [2, 4, i32::MAX] {
            let changed =
                BytesMut::from(&with(batch(3, compression), LAST_OFFSET_DELTA, &i32::to_be_bytes(count - 1))[..]);
            let changed = with(changed, RECORDS_COUNT, &i32::to_be_bytes(count));
            assert_eq!(code(&changed, &rules()), ErrorCode::InvalidRecord, "{compression} count {count}");
        }
    }
}

#[test]
fn clients_write_no_control_records() {
    let marker = control::marker_batch(Marker::Abort, 1, ProducerId(5), ProducerEpoch(0), NOW).unwrap();
    assert_eq!(code(&marker, &rules()), ErrorCode::InvalidRecord);
}

#[test]
fn an_idempotent_producer_has_a_sequence() {
    let idempotent = |sequence| {
        builder(2, Compression::None).with_producer(ProducerId(9), ProducerEpoch(0), sequence).build().unwrap().freeze()
    };
    assert_eq!(code(&idempotent(-1), &rules()), ErrorCode::InvalidRecord);
    assert_eq!(code(&idempotent(0), &rules()), ErrorCode::None);
    let wrapped = validate_produced(&idempotent(i32::MAX), &rules(), NOW).unwrap();
    assert_eq!(wrapped.header.last_sequence(), 0);
    // Without a producer id the sequence means nothing.
    assert_eq!(
        code(&with(batch(1, Compression::None), PRODUCER_ID, &(-1_i64).to_be_bytes()), &rules()),
        ErrorCode::None
    );
}

#[test]
fn codecs_that_do_not_exist_or_do_not_match_are_refused() {
    for id in 5..8 {
        let changed = with(batch(2, Compression::None), ATTRIBUTES, &i16::to_be_bytes(id));
        assert_eq!(code(&changed, &rules()), ErrorCode::UnsupportedCompressionType);
    }
    for claimed in Compression::ALL.into_iter().skip(1) {
        let changed = with(batch(2, Compression::None), ATTRIBUTES, &claimed.id().to_be_bytes());
        assert_eq!(code(&changed, &rules()), ErrorCode::InvalidRecord, "uncompressed bytes as {claimed}");
        let changed = with(batch(2, claimed), ATTRIBUTES, &[0, 0]);
        assert_eq!(code(&changed, &rules()), ErrorCode::InvalidRecord, "{claimed} bytes as uncompressed");
    }
}

#[test]
fn zstd_needs_produce_version_7() {
    let zstd = batch(1, Compression::Zstd).freeze();
    assert_eq!(check_produce_version(6, &zstd).unwrap_err().code, ErrorCode::UnsupportedCompressionType);
    assert!(check_produce_version(7, &zstd).is_ok());
    assert!(check_produce_version(3, &batch(1, Compression::Lz4).freeze()).is_ok());
}

#[test]
fn timestamps_out_of_range_are_named_one_by_one() {
    for compression in Compression::ALL {
        let mut builder = BatchBuilder::new().with_compression(compression);
        for timestamp in [NOW.0, NOW.0 - 1001, NOW.0 + 501, NOW.0 - 1000, NOW.0 + 500, -1] {
            builder.push(TimestampMs(timestamp), None, Some(b"v"), &[]).unwrap();
        }
        let records = builder.build().unwrap().freeze();
        let narrow = BatchRules { timestamp_before_max_ms: 1000, timestamp_after_max_ms: 500, ..rules() };
        let rejection = validate_produced(&records, &narrow, NOW).unwrap_err();
        assert_eq!(rejection.code, ErrorCode::InvalidTimestamp);
        let refused: Vec<i32> = rejection.record_errors.iter().map(|(index, _)| *index).collect();
        assert_eq!(refused, [1, 2], "{compression}");
    }
}

#[test]
fn extreme_timestamps_do_not_overflow() {
    for timestamp in [i64::MIN, i64::MIN + 1, i64::MAX, 0] {
        let mut builder = BatchBuilder::new();
        builder.push(NOW, None, None, &[]).unwrap();
        builder.push(TimestampMs(timestamp), None, None, &[]).unwrap();
        let records = builder.build().unwrap().freeze();
        let narrow = BatchRules { timestamp_before_max_ms: 10, timestamp_after_max_ms: 10, ..rules() };
        assert_eq!(code(&records, &narrow), ErrorCode::InvalidTimestamp, "{timestamp}");
    }
}

#[test]
fn log_append_time_replaces_the_producers() {
    let rules = BatchRules { timestamp_type: TimestampType::LogAppendTime, ..rules() };
    for compression in Compression::ALL {
        let valid = validate_produced(&batch(3, compression).freeze(), &rules, TimestampMs(99)).unwrap();
        let view = BatchView::first(&valid.bytes).unwrap();
        view.check_crc().unwrap();
        assert_eq!(view.header, valid.header);
        assert_eq!(view.header.max_timestamp, TimestampMs(99));
        for record in view.records(1 << 20).unwrap() {
            assert_eq!(record.unwrap().timestamp, TimestampMs(99));
        }
    }
    let claimed = builder(1, Compression::None).with_log_append_time(NOW).build().unwrap().freeze();
    assert_eq!(code(&claimed, &rules), ErrorCode::InvalidTimestamp);
}

#[test]
fn a_wrong_maximum_timestamp_is_put_right() {
    let lying = with(batch(3, Compression::Lz4), MAX_TIMESTAMP, &1_i64.to_be_bytes());
    let valid = validate_produced(&lying, &rules(), NOW).unwrap();
    assert_eq!(valid.header.max_timestamp, NOW);
    assert_eq!(valid.bytes, batch(3, Compression::Lz4));
}

#[test]
fn compacted_topics_want_keys() {
    let compacted = BatchRules { compacted: true, ..rules() };
    let mut builder = BatchBuilder::new().with_compression(Compression::Gzip);
    builder.push(NOW, Some(b"k"), None, &[]).unwrap();
    builder.push(NOW, None, Some(b"v"), &[]).unwrap();
    builder.push(NOW, Some(b""), Some(b"v"), &[]).unwrap();
    let records = builder.build().unwrap().freeze();
    let rejection = validate_produced(&records, &compacted, NOW).unwrap_err();
    assert_eq!(rejection.code, ErrorCode::InvalidRecord);
    assert_eq!(rejection.record_errors.iter().map(|(index, _)| *index).collect::<Vec<_>>(), [1]);
    assert_eq!(code(&records, &rules()), ErrorCode::None);
}

#[test]
fn refused_records_are_named_up_to_a_limit() {
    let mut builder = BatchBuilder::new().with_compression(Compression::Zstd);
    for _ in 0..5000 {
        builder.push(NOW, None, None, &[]).unwrap();
    }
    let compacted = BatchRules { compacted: true, ..rules() };
    let rejection = validate_produced(&builder.build().unwrap().freeze(), &compacted, NOW).unwrap_err();
    assert_eq!(rejection.record_errors.len(), 1000);
    assert!(rejection.message.contains("5000"), "{}", rejection.message);
}

#[test]
fn records_at_wrong_offsets_are_written_anew() {
    // An uncompressed batch of two records of 11 bytes, whose offset deltas stand at their fourth byte.
    let mut builder = BatchBuilder::new().with_producer(ProducerId(3), ProducerEpoch(1), 50);
    for _ in 0..2 {
        builder.push(NOW, None, Some(b"abcd"), &[]).unwrap();
    }
    let good = builder.build().unwrap();
    assert_eq!((good[61 + 3], good[61 + 11 + 3]), (0, 2));
    let wrong = with(good.clone(), 61 + 11 + 3, &[0]);
    assert_eq!(validate_produced(&wrong, &rules(), NOW).unwrap().bytes, good);
}

#[test]
fn bombs_are_stopped_by_the_limit_and_not_by_memory() {
    for compression in Compression::ALL.into_iter().skip(1) {
        let mut builder = BatchBuilder::new().with_compression(compression);
        builder.push(NOW, None, Some(&vec![0; 8 << 20]), &[]).unwrap();
        let records = builder.build().unwrap();
        let error = BatchView::first(&records).unwrap().records(1 << 20).unwrap_err();
        let message = error.to_string();
        assert!(message.contains("more than 1048576 bytes"), "{compression}: {message}");
    }
}

#[test]
fn a_bomb_is_refused_by_its_decompressed_size() {
    let mut builder = BatchBuilder::new().with_compression(Compression::Zstd);
    builder.push(NOW, None, Some(&vec![0; 70 << 20]), &[]).unwrap();
    let records = builder.build().unwrap().freeze();
    assert!(records.len() < 10_000);
    let small = BatchRules { message_size_max_bytes: 10_000, ..rules() };
    assert_eq!(code(&records, &small), ErrorCode::InvalidRecord);
    // A topic with large batches has a larger limit.
    assert_eq!(code(&records, &BatchRules { message_size_max_bytes: 2 << 20, ..rules() }), ErrorCode::None);
}
