//! Record batches that are none, and names that are none: Kafka's error codes, on connections that live on.

use bytes::Bytes;
use thalweg_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use thalweg_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use thalweg_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use thalweg_protocol::messages::{CreateTopicsRequest, FetchRequest, ProduceRequest, TopicName};
use thalweg_protocol::records::BatchBuilder;
use thalweg_protocol::{StrBytes, TimestampMs};

use crate::wire::Client;

const NOW: TimestampMs = TimestampMs(1_700_000_000_000);

pub fn batch(value: &[u8]) -> Vec<u8> {
    let mut builder = BatchBuilder::new();
    builder.push(NOW, None, Some(value), &[]).unwrap();
    builder.build().unwrap().to_vec()
}

fn name(text: &str) -> TopicName {
    TopicName(StrBytes::from_string(text.to_owned()))
}

pub fn produce(topic: &str, records: Vec<u8>) -> ProduceRequest {
    let partition = PartitionProduceData::default().with_index(0).with_records(Some(Bytes::from(records)));
    let topic = TopicProduceData::default().with_name(name(topic)).with_partition_data(vec![partition]);
    ProduceRequest::default().with_acks(-1).with_timeout_ms(10_000).with_topic_data(vec![topic])
}

pub fn fetch(topic: &str) -> FetchRequest {
    let partition = FetchPartition::default().with_partition(0).with_partition_max_bytes(1 << 16);
    let topic = FetchTopic::default().with_topic(name(topic)).with_partitions(vec![partition]);
    FetchRequest::default().with_max_wait_ms(10).with_max_bytes(1 << 20).with_session_epoch(-1).with_topics(vec![topic])
}

/// The code that one topic's creation is answered with.
pub fn create(client: &mut Client, topic: &str) -> i16 {
    // The records' timestamp is fixed and long past: retention must not take them.
    let config = CreatableTopicConfig::default()
        .with_name(StrBytes::from_static_str("retention.ms"))
        .with_value(Some(StrBytes::from_static_str("-1")));
    let wanted = CreatableTopic::default()
        .with_name(name(topic))
        .with_num_partitions(1)
        .with_replication_factor(1)
        .with_configs(vec![config]);
    let request = CreateTopicsRequest::default().with_topics(vec![wanted]).with_timeout_ms(10_000);
    client.ask(7, &request).topics[0].error_code
}

/// Code and base offset that one batch is answered with.
pub fn produced(client: &mut Client, topic: &str, records: Vec<u8>) -> (i16, i64) {
    let answer = client.ask(9, &produce(topic, records));
    let partition = &answer.responses[0].partition_responses[0];
    (partition.error_code, partition.base_offset)
}

/// A valid batch with some of its bytes changed, and the CRC that belongs to them.
fn altered(change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut bytes = batch(b"value");
    change(&mut bytes);
    let crc = crc32c(&bytes);
    bytes[17..21].copy_from_slice(&crc.to_be_bytes());
    bytes
}

/// CRC32C (Castagnoli, reflected), bit by bit: independent of the code under test.
fn crc32c(batch: &[u8]) -> u32 {
    !batch[21..].iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| if crc & 1 == 1 { (crc >> 1) ^ 0x82f6_3b78 } else { crc >> 1 })
    })
}

pub fn records(client: &mut Client, topic: &str) {
    assert_eq!(create(client, topic), 0);
    let mut wrong = Vec::new();
    let mut expect = |what: &str, records: Vec<u8>, code: i16| {
        let (found, _) = produced(client, topic, records);
        if found != code {
            wrong.push(format!("{what}: {found} instead of {code}"));
        }
    };
    let mut corrupt = batch(b"value");
    *corrupt.last_mut().unwrap() ^= 1;
    expect("a corrupt CRC is CORRUPT_MESSAGE", corrupt, 2);
    expect("no codec 7: UNSUPPORTED_COMPRESSION_TYPE", altered(|bytes| bytes[22] |= 7), 76);
    // The CRC is right: sending it again cannot help, so not the retriable CORRUPT_MESSAGE.
    expect("gzip that is none", altered(|bytes| bytes[22] |= 1), 87);
    // `ProduceRequest.validateRecords` wants format 2 and throws InvalidRecordException.
    expect("format 0 (KIP-724)", altered(|bytes| bytes[16] = 0), 87);
    expect("format 1 (KIP-724)", altered(|bytes| bytes[16] = 1), 87);
    expect("a format that never was", altered(|bytes| bytes[16] = 9), 2);
    expect("two batches", [batch(b"a"), batch(b"b")].concat(), 87);
    expect("a control batch", altered(|bytes| bytes[22] |= 0x20), 87);
    expect("no records", Vec::new(), 87);
    expect("more records than there are", altered(|bytes| bytes[57..61].copy_from_slice(&i32::MAX.to_be_bytes())), 87);
    expect(
        "a batch length beyond its bytes",
        altered(|bytes| bytes[8..12].copy_from_slice(&i32::MAX.to_be_bytes())),
        87,
    );
    expect("larger than max.message.bytes", batch(&vec![7; 2 << 20]), 10);
    assert_eq!(wrong, Vec::<String>::new());
    let (code, offset) = produced(client, topic, batch(b"good"));
    assert_eq!((code, offset), (0, 0), "nothing of all that was appended");
}

pub fn topic_names(client: &mut Client) {
    for bad in ["", ".", "..", "a b", "a/b", "../../etc", "näme", "a\0b", &"x".repeat(250), &"x".repeat(30_000)] {
        assert_eq!(create(client, bad), 17, "{bad:?}");
    }
    assert_eq!(create(client, &"x".repeat(249)), 0);
    // Produce does not look at names, only whether such a topic is there.
    assert_eq!(produced(client, "no/such/name", batch(b"x")).0, 3);
}
