//! Batches that real clients wrote, byte for byte.
//!
//! `java-*` are of kafka-clients 4.3.1 (`golden/Golden.java` writes them), `librdkafka-*` and `sarama-*` were taken from
//! the produce requests of kcat on librdkafka and of sarama 1.46.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::path::Path;

use bytes::Bytes;
use thalweg_protocol::records::{
    BatchBuilder, BatchRules, BatchView, Codec, Compression, ControlRecord, Marker, Record, TimestampType,
    TopicCompression, ValidBatch, batches, control, validate_produced,
};
use thalweg_protocol::{KafkaOffset, ProducerEpoch, ProducerId, TimestampMs};

const LIMIT: usize = 1 << 20;
const NOW: TimestampMs = TimestampMs(1_700_000_000_000);

fn golden(name: &str) -> Bytes {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(format!("{name}.batch"));
    Bytes::from(std::fs::read(path).unwrap())
}

fn records(batch: &[u8]) -> Vec<Record> {
    BatchView::first(batch).unwrap().records(LIMIT).unwrap().map(Result::unwrap).collect()
}

fn rules(compression: TopicCompression) -> BatchRules {
    BatchRules {
        compression,
        timestamp_type: TimestampType::CreateTime,
        timestamp_before_max_ms: i64::MAX,
        timestamp_after_max_ms: i64::MAX,
        message_size_max_bytes: LIMIT,
        compacted: false,
    }
}

/// The record that `Golden.java` puts at this offset.
fn java_record(index: i64) -> Record {
    let key = (index % 3 != 0).then(|| Bytes::from(format!("key-{index}")));
    let value = (index % 7 != 6).then(|| Bytes::from(format!("value {index} of a batch that a real client wrote")));
    let headers = if index % 5 == 0 {
        vec![
            (Bytes::from_static(b"trace"), Some(Bytes::from(format!("t{index}")))),
            (Bytes::from_static(b"empty"), None),
        ]
    } else {
        Vec::new()
    };
    let timestamp = TimestampMs(NOW.0 + index % 4 * 1000 - index);
    Record { offset_delta: i32::try_from(index).unwrap(), offset: KafkaOffset(index), timestamp, key, value, headers }
}

fn check_java(name: &str, codec: Compression, count: i32) {
    let batch = golden(name);
    let view = BatchView::first(&batch).unwrap();
    view.check_crc().unwrap();
    assert_eq!(view.bytes.len(), batch.len());
    assert_eq!(view.header.attributes.compression().unwrap(), codec);
    assert_eq!(view.header.records_count, count);
    assert_eq!(view.header.producer_id, ProducerId(4711));
    assert_eq!(view.header.last_sequence(), 99 + count);
    let read = records(&batch);
    assert_eq!(read.len(), usize::try_from(count).unwrap());
    for (record, index) in read.into_iter().zip(0..) {
        assert_eq!(record, java_record(index));
    }
}

#[test]
fn java_batches_are_read_in_every_codec() {
    for codec in Compression::ALL {
        check_java(&format!("java-{codec}"), codec, 40);
    }
    check_java("java-large-snappy", Compression::Snappy, 1500);
    check_java("java-large-lz4", Compression::Lz4, 1500);
}

#[test]
fn our_batch_of_the_same_records_is_javas() {
    let mut builder = BatchBuilder::new().with_producer(ProducerId(4711), ProducerEpoch(2), 100);
    for record in records(&golden("java-none")) {
        builder.push_record(&record).unwrap();
    }
    assert_eq!(builder.build().unwrap(), golden("java-none"));
}

#[test]
fn our_transaction_marker_is_javas() {
    let marker = control::marker_batch(Marker::Commit, 9, ProducerId(77), ProducerEpoch(3), NOW).unwrap();
    let java = golden("java-commit-marker");
    let view = BatchView::first(&java).unwrap();
    assert!(view.header.attributes.is_control() && view.header.attributes.is_transactional());
    let parsed = ControlRecord::parse(&records(&java)[0]).unwrap();
    assert_eq!(parsed, ControlRecord::TransactionEnd { marker: Marker::Commit, coordinator_epoch: 9 });
    assert_eq!(marker, java);
}

#[test]
fn librdkafka_and_sarama_are_read_in_every_codec() {
    for client in ["librdkafka", "sarama"] {
        for codec in Compression::ALL {
            let batch = golden(&format!("{client}-{codec}"));
            let view = BatchView::first(&batch).unwrap();
            view.check_crc().unwrap();
            assert_eq!(view.header.attributes.compression().unwrap(), codec, "{client} {codec}");
            let read = records(&batch);
            assert_eq!(read.len(), 40, "{client} {codec}");
            for (record, number) in read.iter().zip(1..) {
                assert_eq!(record.key, Some(Bytes::from(format!("key-{number}"))));
                let value = format!("value {number} of a batch that {client} wrote");
                assert_eq!(record.value, Some(Bytes::from(value)));
                assert_eq!(record.headers[0], (Bytes::from_static(b"trace"), Some(Bytes::from_static(b"t1"))));
            }
        }
    }
}

#[test]
fn what_real_clients_produce_is_taken_as_it_is() {
    for client in ["java", "librdkafka", "sarama"] {
        for codec in Compression::ALL {
            let batch = golden(&format!("{client}-{codec}"));
            let ValidBatch { bytes, header } =
                validate_produced(&batch, &rules(TopicCompression::Producer), NOW).unwrap();
            assert_eq!(bytes, batch, "{client} {codec}");
            assert_eq!(header, BatchView::first(&batch).unwrap().header);
        }
    }
}

#[test]
fn topics_with_a_codec_of_their_own_get_it_and_the_same_records() {
    for source in Compression::ALL {
        for target in Compression::ALL {
            let batch = golden(&format!("java-{source}"));
            let rules = rules(TopicCompression::Fixed(Codec::from(target)));
            let valid = validate_produced(&batch, &rules, NOW).unwrap();
            let view = BatchView::first(&valid.bytes).unwrap();
            view.check_crc().unwrap();
            assert_eq!(view.header, valid.header);
            assert_eq!(view.header.attributes.compression().unwrap(), target);
            assert_eq!(records(&valid.bytes), records(&batch), "{source} to {target}");
            if source == target {
                assert_eq!(valid.bytes, batch);
            }
        }
    }
}

#[test]
fn batches_back_to_back_end_where_one_is_cut() {
    let all = [golden("java-none"), golden("java-zstd"), golden("sarama-lz4")].concat();
    assert_eq!(batches(&all).map(Result::unwrap).count(), 3);
    let mut found = batches(&all[..all.len() - 1]);
    assert_eq!(found.by_ref().map(Result::unwrap).count(), 2);
    assert_eq!(found.rest().len(), golden("sarama-lz4").len() - 1);
}
