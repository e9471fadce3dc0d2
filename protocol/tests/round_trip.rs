//! Whatever is built is read back, in every codec and level.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use bytes::Bytes;
use proptest::prelude::*;
use thalweg_protocol::records::compression::{compress, decompress};
use thalweg_protocol::records::{
    BatchBuilder, BatchRules, BatchView, Codec, Compression, Record, RecordError, RecordRefs, TimestampType,
    TopicCompression, increment_sequence, validate_produced,
};
use thalweg_protocol::{KafkaOffset, LeaderEpoch, TimestampMs};

const LIMIT: usize = 1 << 22;

fn rules() -> BatchRules {
    BatchRules {
        compression: TopicCompression::Producer,
        timestamp_type: TimestampType::CreateTime,
        timestamp_before_max_ms: i64::MAX,
        timestamp_after_max_ms: i64::MAX,
        message_size_max_bytes: LIMIT,
        compacted: false,
    }
}

fn any_bytes() -> impl Strategy<Value = Bytes> {
    prop::collection::vec(any::<u8>(), 0..200).prop_map(Bytes::from)
}

fn any_record() -> impl Strategy<Value = Record> {
    let headers = prop::collection::vec((any_bytes(), prop::option::of(any_bytes())), 0..3);
    (0_i64..4_000_000_000_000, prop::option::of(any_bytes()), prop::option::of(any_bytes()), headers).prop_map(
        |(timestamp, key, value, headers)| Record {
            timestamp: TimestampMs(timestamp),
            key,
            value,
            headers,
            ..Record::default()
        },
    )
}

fn any_codec() -> impl Strategy<Value = Codec> {
    let levels = prop::option::of(1..=9_i32);
    (0_i16..5, levels).prop_map(|(id, level)| Codec { compression: Compression::from_id(id).unwrap(), level })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn batches(records in prop::collection::vec(any_record(), 1..40), codec in any_codec(), base in 0_i64..1 << 40) {
        let mut builder = BatchBuilder::new()
            .with_compression(codec)
            .with_base_offset(KafkaOffset(base))
            .with_leader_epoch(LeaderEpoch(3));
        for record in &records {
            builder.push_record(record).unwrap();
        }
        let bytes = builder.build().unwrap().freeze();
        let view = BatchView::first(&bytes).unwrap();
        view.check_crc().unwrap();
        let header = view.header.encode();
        prop_assert_eq!(&header[..], &bytes[..61]);
        let read: Vec<Record> = view.records(LIMIT).unwrap().map(Result::unwrap).collect();
        prop_assert_eq!(read.len(), records.len());
        for ((read, written), delta) in read.iter().zip(&records).zip(0..) {
            prop_assert_eq!(read.offset, KafkaOffset(base + i64::from(delta)));
            let placed = Record { offset_delta: delta, offset: read.offset, ..written.clone() };
            prop_assert_eq!(read, &placed);
        }
        let body = view.decompressed(LIMIT).unwrap();
        let in_place: Vec<_> = RecordRefs::new(&view.header, &body).map(Result::unwrap).collect();
        prop_assert_eq!(in_place.len(), read.len());
        for (in_place, read) in in_place.iter().zip(&read) {
            prop_assert_eq!((in_place.offset, in_place.key, in_place.value), (read.offset, read.key.as_deref(), read.value.as_deref()));
        }
    }

    /// The walk of validation and the reading of records are two parsers: they must take the same batches.
    #[test]
    fn validation_takes_exactly_what_can_be_read(
        records in prop::collection::vec(any_record(), 1..5),
        flips in prop::collection::vec((any::<u16>(), any::<u8>()), 0..3),
    ) {
        let mut builder = BatchBuilder::new();
        for record in &records {
            builder.push_record(record).unwrap();
        }
        let mut bytes = builder.build().unwrap();
        let body = bytes.len() - 61;
        for (at, value) in flips {
            bytes[61 + usize::from(at) % body] = value;
        }
        let crc = thalweg_protocol::records::compute_crc(&bytes);
        bytes[17..21].copy_from_slice(&crc.to_be_bytes());
        let readable = BatchView::first(&bytes).unwrap().records(LIMIT).unwrap().all(|record| record.is_ok());
        // Reading in place looks at no headers, so it may find less, and never more.
        let view = BatchView::first(&bytes).unwrap();
        let in_place = RecordRefs::new(&view.header, view.body()).all(|record| record.is_ok());
        prop_assert!(in_place || !readable);
        let valid = validate_produced(&bytes.freeze(), &rules(), TimestampMs(0));
        prop_assert_eq!(valid.is_ok(), readable);
    }

    #[test]
    fn codecs(bytes in prop::collection::vec(any::<u8>(), 0..5000), repeat in 1_usize..40, codec in any_codec()) {
        let bytes = bytes.repeat(repeat);
        let packed = compress(codec, &bytes).unwrap();
        prop_assert_eq!(decompress(codec.compression, &packed, bytes.len()).unwrap(), bytes.clone());
        if !bytes.is_empty() && codec.compression != Compression::None {
            let error = decompress(codec.compression, &packed, bytes.len() - 1).unwrap_err();
            let limited = matches!(error, RecordError::DecompressedTooLarge { .. });
            prop_assert!(limited, "{}", error);
            // What is cut is shorter or an error, never more.
            if let Ok(out) = decompress(codec.compression, &packed[..packed.len() / 2], LIMIT) {
                prop_assert!(out.len() <= bytes.len());
            }
        }
    }

    #[test]
    fn garbage_is_no_compressed_data_and_no_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), id in 1_i16..5) {
        if let Ok(out) = decompress(Compression::from_id(id).unwrap(), &bytes, 10_000) {
            prop_assert!(out.len() <= 10_000);
        }
    }
}

#[test]
fn sequences_wrap_to_zero() {
    assert_eq!(increment_sequence(5, 3), 8);
    assert_eq!(increment_sequence(i32::MAX - 1, 1), i32::MAX);
    assert_eq!(increment_sequence(i32::MAX, 1), 0);
    assert_eq!(increment_sequence(i32::MAX - 1, 4), 2);
}

#[test]
fn lz4_that_kafkas_clients_cannot_read_is_refused() {
    let good = compress(Codec::from(Compression::Lz4), b"some bytes, some bytes").unwrap();
    assert_eq!(good[4] & 0x20, 0x20, "blocks are independent");
    let mut linked = good.clone();
    linked[4] &= !0x20;
    assert!(decompress(Compression::Lz4, &linked, LIMIT).unwrap_err().to_string().contains("depend"));
    let mut wrong_checksum = good.clone();
    wrong_checksum[6] ^= 1;
    assert!(decompress(Compression::Lz4, &wrong_checksum, LIMIT).is_err());
    assert!(decompress(Compression::Lz4, b"\x02\x21\x4c\x18legacy", LIMIT).is_err());
}

#[test]
fn snappy_is_read_raw_framed_and_appended() {
    let framed = compress(Codec::from(Compression::Snappy), &[7; 100_000]).unwrap();
    assert_eq!(&framed[..8], b"\x82SNAPPY\x00");
    assert_eq!(decompress(Compression::Snappy, &framed, LIMIT).unwrap(), [7; 100_000]);
    let twice = [&framed[..], &framed[..]].concat();
    assert_eq!(decompress(Compression::Snappy, &twice, LIMIT).unwrap().len(), 200_000);
    // A raw block: its length, then a literal.
    assert_eq!(decompress(Compression::Snappy, b"\x03\x08abc", LIMIT).unwrap(), b"abc");
    // A block that claims four gigabytes.
    assert!(decompress(Compression::Snappy, b"\xff\xff\xff\xff\x0f\x00a", usize::MAX).is_err());
    for cut in 1..16 {
        assert!(decompress(Compression::Snappy, &framed[..cut], LIMIT).is_err(), "cut at {cut}");
    }
}

#[test]
fn an_empty_batch_is_not_built() {
    assert!(BatchBuilder::new().build().is_err());
}
