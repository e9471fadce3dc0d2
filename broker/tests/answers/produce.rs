//! Produce: acks, topics, and batches that are none.

use bytes::Bytes;
use thalweg_protocol::TimestampMs;
use thalweg_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use thalweg_protocol::messages::{InitProducerIdRequest, ProduceRequest, ProducerId};
use thalweg_protocol::records::BatchBuilder;
use uuid::Uuid;

use crate::asker::Asker;

/// In the past and in the future of any clock that runs this.
const WHEN: TimestampMs = TimestampMs(1_700_000_000_000);
const TOO_LATE: TimestampMs = TimestampMs(9_000_000_000_000);

pub fn batch(timestamps: &[TimestampMs]) -> Vec<u8> {
    let mut builder = BatchBuilder::new();
    for timestamp in timestamps {
        builder.push(*timestamp, Some(b"key"), Some(b"value"), &[]).unwrap();
    }
    builder.build().unwrap().to_vec()
}

/// A batch with some of its bytes changed, and the CRC that belongs to them.
fn altered(change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut bytes = batch(&[WHEN, WHEN]);
    change(&mut bytes);
    let crc = crc32c(&bytes);
    bytes[17..21].copy_from_slice(&crc.to_be_bytes());
    bytes
}

fn put<const N: usize>(at: usize, value: [u8; N]) -> Vec<u8> {
    altered(|bytes| bytes[at..at + N].copy_from_slice(&value))
}

fn crc32c(batch: &[u8]) -> u32 {
    !batch[21..].iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| if crc & 1 == 1 { (crc >> 1) ^ 0x82f6_3b78 } else { crc >> 1 })
    })
}

pub fn request(partitions: Vec<PartitionProduceData>) -> ProduceRequest {
    let topic = TopicProduceData::default().with_partition_data(partitions);
    ProduceRequest::default()
        .with_transactional_id(None)
        .with_acks(-1)
        .with_timeout_ms(10_000)
        .with_topic_data(vec![topic])
}

pub fn partition(index: i32, records: Vec<u8>) -> PartitionProduceData {
    PartitionProduceData::default().with_index(index).with_records(Some(Bytes::from(records)))
}

pub fn named(mut request: ProduceRequest, asker: &Asker, name: &str) -> ProduceRequest {
    request.topic_data[0].name = asker.topic(name);
    request
}

/// Writes to partition 0, as soon as its new leader takes it.
pub fn write(asker: &mut Asker, name: &str, timestamp: TimestampMs) {
    let request = named(request(vec![partition(0, batch(&[timestamp]))]), asker, name);
    let deadline = std::time::Instant::now() + crate::wire::PATIENCE;
    while asker.quietly(12, &request).unwrap().responses[0].partition_responses[0].error_code != 0 {
        assert!(std::time::Instant::now() < deadline, "{name} takes no records");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

pub fn ask(asker: &mut Asker) {
    let id = asker.create("written", 2, &[("retention.ms", "-1"), ("message.timestamp.after.max.ms", "1000")]);
    write(asker, "written", WHEN);
    asks(asker, id);
    batches(asker);
    producers(asker);
    let good = named(request(vec![partition(0, batch(&[WHEN]))]), asker, "written");
    asker.ask("produce, and nothing of all that was appended", 12, &good);
}

fn asks(asker: &mut Asker, id: Uuid) {
    let good = || request(vec![partition(0, batch(&[WHEN]))]);
    for acks in [2, -2, i16::MAX] {
        let request = named(good(), asker, "written").with_acks(acks);
        asker.ask(&format!("produce with acks={acks}"), 12, &request);
    }
    asker.ask("produce to an unknown topic", 12, &named(good(), asker, "missing"));
    for (case, id) in [("an unknown id", Uuid::from_u128(77)), ("no id", Uuid::nil())] {
        let mut request = good();
        request.topic_data[0].topic_id = id;
        asker.ask(&format!("produce to {case}"), 13, &request);
    }
    let by_id = |partitions| {
        let mut request = request(partitions);
        request.topic_data[0].topic_id = id;
        request
    };
    asker.ask("produce to an unknown partition", 13, &by_id(vec![partition(9, batch(&[WHEN]))]));
    asker.ask("produce to partition -1", 13, &by_id(vec![partition(-1, batch(&[WHEN]))]));
    asker.ask("produce no partition", 13, &by_id(Vec::new()));
    asker.ask("produce null", 13, &by_id(vec![PartitionProduceData::default()]));
    asker.ask(
        "produce nothing",
        13,
        &ProduceRequest::default().with_transactional_id(None).with_acks(-1).with_timeout_ms(10_000),
    );
}

fn batches(asker: &mut Asker) {
    let mut corrupt = batch(&[WHEN]);
    *corrupt.last_mut().unwrap() ^= 1;
    let cases = [
        ("no records", Vec::new()),
        ("a corrupt CRC", corrupt),
        ("codec 5", altered(|bytes| bytes[22] |= 5)),
        ("codec 6", altered(|bytes| bytes[22] |= 6)),
        ("codec 7", altered(|bytes| bytes[22] |= 7)),
        ("gzip that is none", altered(|bytes| bytes[22] |= 1)),
        ("snappy that is none", altered(|bytes| bytes[22] |= 2)),
        ("lz4 that is none", altered(|bytes| bytes[22] |= 3)),
        ("zstd that is none", altered(|bytes| bytes[22] |= 4)),
        ("format 0", altered(|bytes| bytes[16] = 0)),
        ("format 1", altered(|bytes| bytes[16] = 1)),
        ("format 9", altered(|bytes| bytes[16] = 9)),
        ("format -1", altered(|bytes| bytes[16] = 0xff)),
        ("two batches", [batch(&[WHEN]), batch(&[WHEN])].concat()),
        ("half a batch", batch(&[WHEN])[..40].to_vec()),
        ("ten bytes", vec![0; 10]),
        ("a control batch", altered(|bytes| bytes[22] |= 0x20)),
        ("a batch of a transaction", altered(|bytes| bytes[22] |= 0x10)),
        ("more records than there are", put(57, 3_i32.to_be_bytes())),
        ("fewer records than there are", put(57, 1_i32.to_be_bytes())),
        ("2147483647 records", put(57, i32::MAX.to_be_bytes())),
        ("0 records", put(57, 0_i32.to_be_bytes())),
        ("-1 records", put(57, (-1_i32).to_be_bytes())),
        ("a last offset too high", put(23, 7_i32.to_be_bytes())),
        ("a last offset too low", put(23, 0_i32.to_be_bytes())),
        ("a last offset below 0", put(23, (-1_i32).to_be_bytes())),
        ("a batch length beyond its bytes", put(8, i32::MAX.to_be_bytes())),
        ("a batch length of 0", put(8, 0_i32.to_be_bytes())),
        ("a batch length below 0", put(8, (-1_i32).to_be_bytes())),
        ("a timestamp of the future", batch(&[TOO_LATE])),
        ("a batch of 2 MiB", {
            let mut builder = BatchBuilder::new();
            builder.push(WHEN, None, Some(&vec![7; 2 << 20]), &[]).unwrap();
            builder.build().unwrap().to_vec()
        }),
    ];
    for (case, records) in cases {
        let request = named(request(vec![partition(0, records)]), asker, "written");
        let answer = asker.quietly(12, &request).map(|answer| {
            let partition = &answer.responses[0].partition_responses[0];
            (partition.error_code, partition.base_offset, partition.log_append_time_ms)
        });
        asker.note(&format!("produce {case}"), &answer);
    }
    for version in [3, 6] {
        let request = named(request(vec![partition(0, altered(|bytes| bytes[22] |= 4))]), asker, "written");
        asker.ask(&format!("produce zstd in version {version}"), version, &request);
    }
    let twice = vec![partition(1, batch(&[WHEN])), partition(9, batch(&[WHEN]))];
    asker.ask("produce to one that is there and one that is not", 12, &named(request(twice), asker, "written"));
}

/// A batch of a producer: its id, epoch and first sequence number.
fn of_producer(id: i64, epoch: i16, sequence: i32) -> Vec<u8> {
    altered(|bytes| {
        bytes[43..51].copy_from_slice(&id.to_be_bytes());
        bytes[51..53].copy_from_slice(&epoch.to_be_bytes());
        bytes[53..57].copy_from_slice(&sequence.to_be_bytes());
    })
}

fn producers(asker: &mut Asker) {
    asker.create("sequences", 1, &[("retention.ms", "-1")]);
    write(asker, "sequences", WHEN);
    let init = InitProducerIdRequest::default()
        .with_transactional_id(None)
        .with_transaction_timeout_ms(60_000)
        .with_producer_id(ProducerId(-1));
    // Kafka's broker fetches its first block of ids when it is first asked.
    let deadline = std::time::Instant::now() + crate::wire::PATIENCE;
    let id = loop {
        let answer = asker.quietly(4, &init.clone().with_producer_epoch(-1)).unwrap();
        if answer.error_code == 0 {
            break answer.producer_id.0;
        }
        assert!(std::time::Instant::now() < deadline, "{answer:?}");
        std::thread::sleep(std::time::Duration::from_millis(20));
    };
    asker.hide(format!("producer_id: ProducerId({id})"), "producer_id: ours");
    for (case, epoch, sequence) in [
        ("begins with 5", 0, 5),
        ("begins with 0", 0, 0),
        ("repeats", 0, 0),
        ("leaves a gap", 0, 3),
        ("goes on", 0, 2),
        ("goes back", 0, 1),
        ("begins anew in epoch 1 with 3", 1, 3),
        ("begins anew in epoch 1", 1, 0),
        ("falls back to epoch 0", 0, 4),
        ("has no sequence", 1, -1),
        ("has epoch -1", -1, 2),
    ] {
        let records = of_producer(id, epoch, sequence);
        let request = named(request(vec![partition(0, records)]), asker, "sequences");
        let answer = asker.quietly(12, &request).map(|answer| {
            let partition = &answer.responses[0].partition_responses[0];
            (partition.error_code, partition.base_offset)
        });
        asker.note(&format!("a producer {case}"), &answer);
    }
    for (case, id, epoch) in [("an id and no epoch", 5, -1), ("an epoch and no id", -1, 5), ("id -2", -2, -1)] {
        let request = init.clone().with_producer_id(ProducerId(id)).with_producer_epoch(epoch);
        asker.ask(&format!("a producer id for {case}"), 4, &request);
    }
}
