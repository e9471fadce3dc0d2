//! What every request pays on its way from bytes to types and back: frames, and the batches in them.
//!
//! All of it is the crate's public API, called as the broker calls it. `cargo bench -p thalweg-protocol`.

#![expect(clippy::unwrap_used, reason = "a benchmark that cannot begin says why and ends")]

use std::hint::black_box;

use bytes::{BufMut, Bytes, BytesMut};
use criterion::{BatchSize, BenchmarkId, Criterion, Throughput};
use thalweg_protocol::messages::fetch_request::{FetchPartition as WantedPartition, FetchTopic as WantedTopic};
use thalweg_protocol::messages::fetch_response::PartitionData;
use thalweg_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use thalweg_protocol::messages::{ApiKey, FetchRequest, ProduceRequest, RequestHeader, TopicName};
use thalweg_protocol::records::{
    BatchBuilder, BatchRules, BatchView, Compression, TimestampType, TopicCompression, stamp, validate_produced,
};
use thalweg_protocol::{
    Encodable, FetchBody, FetchLayout, FetchPartition, FetchTopic, FrameLimits, HeaderVersion, KafkaOffset,
    LeaderEpoch, Request, StrBytes, TimestampMs, decode_request, frame_len, parse_head,
};

const NOW: TimestampMs = TimestampMs(1_700_000_000_000);
const LIMITS: FrameLimits = FrameLimits { request_size_max_bytes: 100 << 20 };
/// A record's value: half of it does not compress.
const VALUE_LEN: usize = 100;

fn main() {
    let mut criterion = Criterion::default().without_plots().configure_from_args();
    requests(&mut criterion);
    fetch_layout(&mut criterion);
    crc(&mut criterion);
    validate(&mut criterion);
    stamping(&mut criterion);
    criterion.final_summary();
}

/// A batch of at least this many bytes before it is compressed, of records with [`VALUE_LEN`] bytes each.
fn batch(size_bytes: usize, compression: Compression) -> Bytes {
    let mut builder = BatchBuilder::new().with_compression(compression);
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    while builder.is_empty() || builder.size_bytes() + VALUE_LEN < size_bytes {
        let mut value = [b'-'; VALUE_LEN];
        for byte in value.iter_mut().take(VALUE_LEN / 2) {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            *byte = random.to_be_bytes()[0];
        }
        let at = TimestampMs(NOW.0 + i64::from(builder.records_count() / 100));
        builder.push(at, Some(b"key"), Some(&value), &[]).unwrap();
    }
    builder.build().unwrap().freeze()
}

/// A request as it comes from the socket: size, header, body.
fn frame<T: Request + HeaderVersion>(request: &T, version: i16) -> Bytes {
    let header = RequestHeader::default()
        .with_request_api_key(T::KEY)
        .with_request_api_version(version)
        .with_correlation_id(7)
        .with_client_id(Some(StrBytes::from_static_str("rdkafka")));
    let mut bytes = BytesMut::new();
    header.encode(&mut bytes, T::header_version(version)).unwrap();
    request.encode(&mut bytes, version).unwrap();
    let mut frame = BytesMut::new();
    frame.put_i32(i32::try_from(bytes.len()).unwrap());
    frame.put_slice(&bytes);
    frame.freeze()
}

/// What a connection does with a frame before a handler sees it.
fn decode<T: Request>(frame: &Bytes) -> T {
    let len = frame_len(*frame.first_chunk().unwrap(), &LIMITS).unwrap();
    let mut body = frame.slice(4..4 + len);
    let head = parse_head(&mut body).unwrap();
    decode_request(&mut body, head.api_version).unwrap()
}

fn topic_name() -> TopicName {
    TopicName(StrBytes::from_static_str("orders"))
}

fn produce_request(partitions: i32, batch: &Bytes) -> ProduceRequest {
    let data = |index| PartitionProduceData::default().with_index(index).with_records(Some(batch.clone()));
    let topic =
        TopicProduceData::default().with_name(topic_name()).with_partition_data((0..partitions).map(data).collect());
    ProduceRequest::default().with_acks(-1).with_timeout_ms(30_000).with_topic_data(vec![topic])
}

fn fetch_request(partitions: i32) -> FetchRequest {
    let wanted = |index| {
        WantedPartition::default().with_partition(index).with_fetch_offset(4711).with_partition_max_bytes(1 << 20)
    };
    let topic = WantedTopic::default().with_topic(topic_name()).with_partitions((0..partitions).map(wanted).collect());
    FetchRequest::default().with_max_wait_ms(500).with_min_bytes(1).with_max_bytes(50 << 20).with_topics(vec![topic])
}

/// Size, header and body of a request, dropped again as after its answer. Records are shared, so their size is nothing.
fn requests(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("frame decode");
    let small = batch(200, Compression::None);
    for partitions in [1, 100] {
        let request = produce_request(partitions, &small);
        let bytes = frame(&request, 12);
        assert_eq!(decode::<ProduceRequest>(&bytes), request);
        assert_eq!(parse_head(&mut bytes.slice(4..)).unwrap().known_api(), Some(ApiKey::Produce));
        group.throughput(Throughput::Elements(partitions.unsigned_abs().into()));
        group.bench_with_input(BenchmarkId::new("Produce", partitions), &bytes, |bencher, bytes| {
            bencher.iter(|| decode::<ProduceRequest>(black_box(bytes)));
        });

        let request = fetch_request(partitions);
        let bytes = frame(&request, 12);
        assert_eq!(decode::<FetchRequest>(&bytes), request);
        group.bench_with_input(BenchmarkId::new("Fetch", partitions), &bytes, |bencher, bytes| {
            bencher.iter(|| decode::<FetchRequest>(black_box(bytes)));
        });
    }
    group.finish();
}

/// A fetch response from what the owners read to the pieces that are sent.
fn fetch_layout(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("fetch response layout");
    let records = batch(16 << 10, Compression::None);
    for (partitions, batches) in [(1, 1), (1, 64), (100, 1)] {
        let partition = |index| FetchPartition {
            data: PartitionData::default().with_partition_index(index).with_high_watermark(9),
            records: vec![records.clone(); batches],
        };
        let topic = FetchTopic::new(&topic_name(), uuid::Uuid::nil(), (0..partitions).map(partition).collect());
        let body = FetchBody { topics: vec![topic], ..FetchBody::default() };
        let layout = FetchLayout::new(7, 12, &body).unwrap();
        let batches_all = batches * partitions.unsigned_abs() as usize;
        assert!(layout.size_bytes() > batches_all * records.len() && layout.pieces().len() > batches_all);
        group.throughput(Throughput::Elements(batches_all as u64));
        group.bench_with_input(
            BenchmarkId::from_parameter(format!("{partitions} partitions of {batches} batches")),
            &body,
            |bencher, body| bencher.iter(|| FetchLayout::new(7, 12, black_box(body)).unwrap()),
        );
    }
    group.finish();
}

const SIZES: [(&str, usize); 3] = [("100 B", 100), ("16 KiB", 16 << 10), ("1 MiB", 1 << 20)];

fn crc(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("batch crc");
    for (name, size) in SIZES {
        let bytes = batch(size, Compression::None);
        BatchView::first(&bytes).unwrap().check_crc().unwrap();
        group.throughput(Throughput::Bytes(bytes.len() as u64));
        group.bench_with_input(BenchmarkId::from_parameter(name), &bytes, |bencher, bytes| {
            bencher.iter(|| BatchView::first(black_box(bytes)).unwrap().check_crc());
        });
    }
    group.finish();
}

/// A topic as it is unless told otherwise, but for `max.message.bytes`.
fn rules() -> BatchRules {
    BatchRules {
        compression: TopicCompression::Producer,
        timestamp_type: TimestampType::CreateTime,
        timestamp_before_max_ms: i64::MAX,
        timestamp_after_max_ms: 3_600_000,
        message_size_max_bytes: 2 << 20,
        compacted: false,
    }
}

/// All that a leader checks in a produced batch: its CRC, every record, the copy that becomes the log's. Compressed
/// batches are decompressed to be walked; the throughput is that of the bytes before compression.
fn validate(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("batch validate");
    let rules = rules();
    for (name, size) in SIZES {
        let plain_len = batch(size, Compression::None).len();
        for compression in Compression::ALL {
            let bytes = batch(size, compression);
            let valid = validate_produced(&bytes, &rules, NOW).unwrap();
            assert_eq!(valid.bytes, bytes, "a batch in order is taken as it is");
            assert_eq!(valid.header.attributes.compression(), Ok(compression));
            group.throughput(Throughput::Bytes(plain_len as u64));
            group.bench_with_input(BenchmarkId::new(compression.name(), name), &bytes, |bencher, bytes| {
                bencher.iter(|| validate_produced(black_box(bytes), &rules, NOW).unwrap());
            });
        }
    }
    group.finish();
}

/// Offset and epoch into the header: the same for every size, since the CRC covers neither.
fn stamping(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("batch stamp");
    for (name, size) in SIZES {
        let bytes = BytesMut::from(batch(size, Compression::None));
        let stamped = |mut bytes: BytesMut| {
            stamp(black_box(&mut bytes), black_box(KafkaOffset(4711)), black_box(LeaderEpoch(3)));
            bytes
        };
        let header = BatchView::first(&stamped(bytes.clone())).unwrap().header;
        assert_eq!((header.base_offset, header.leader_epoch), (KafkaOffset(4711), LeaderEpoch(3)));
        group.throughput(Throughput::Elements(1));
        group.bench_with_input(BenchmarkId::from_parameter(name), &bytes, |bencher, bytes| {
            bencher.iter_batched(|| bytes.clone(), stamped, BatchSize::LargeInput);
        });
    }
    group.finish();
}
