#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use bytes::Bytes;
use thalweg_protocol::messages::fetch_response::{AbortedTransaction, PartitionData};
use thalweg_protocol::messages::{ProducerId as MessageProducerId, TopicName};
use thalweg_protocol::records::control::marker_batch;
use thalweg_protocol::records::{BatchBuilder, Compression, stamp};
use thalweg_protocol::{
    FetchBody, FetchLayout, FetchPartition, FetchTopic, FetchView, LeaderEpoch, ProducerEpoch, TimestampMs,
};
use uuid::Uuid;

use super::*;

fn batch(offset: i64, values: &[&str], codec: Compression, producer: Option<i64>) -> Bytes {
    let mut builder = BatchBuilder::new().with_base_offset(KafkaOffset(offset)).with_compression(codec);
    if let Some(id) = producer {
        builder = builder.with_producer(ProducerId(id), ProducerEpoch(0), 0).transactional();
    }
    for value in values {
        builder.push(TimestampMs(1), Some(b"key"), Some(value.as_bytes()), &[(b"h", None)]).unwrap();
    }
    builder.build().unwrap().freeze()
}

fn marker(offset: i64, kind: Marker, producer: i64) -> Bytes {
    let marker = marker_batch(kind, 1, ProducerId(producer), ProducerEpoch(0), TimestampMs(1)).unwrap();
    let mut marker = marker.to_vec();
    stamp(&mut marker, KafkaOffset(offset), LeaderEpoch(0));
    marker.into()
}

/// What a consumer sees of these bytes from an offset on.
fn seen(records: Vec<Bytes>, aborted: &[(i64, i64)], read_committed: bool, from: i64) -> Result<Vec<String>> {
    let aborted = aborted.iter().map(|(producer, first)| {
        AbortedTransaction::default().with_producer_id(MessageProducerId(*producer)).with_first_offset(*first)
    });
    let data = PartitionData::default().with_aborted_transactions(Some(aborted.collect()));
    let partitions = vec![FetchPartition { data, records }];
    let body = FetchBody {
        topics: vec![FetchTopic::new(&TopicName::default(), Uuid::nil(), partitions)],
        ..FetchBody::default()
    };
    let frame = FetchLayout::new(1, 17, &body).unwrap().into_pieces().concat();
    let view = FetchView::parse(&frame[4..], 17).unwrap();
    let partition = view.partitions().next().unwrap().unwrap();
    let mut seen = Vec::new();
    let mut reading = Reading::new(read_committed);
    reading.values(&partition, from, |value| {
        seen.push(String::from_utf8(value.unwrap().to_vec())?);
        Ok(())
    })?;
    Ok(seen)
}

#[test]
fn every_codec_is_read_from_the_offset_asked_for_to_the_last_whole_batch() {
    for codec in Compression::ALL {
        let cut = batch(7, &["never"], codec, None);
        let records = vec![
            batch(0, &["too early"], codec, None),
            batch(3, &["early", "a", "b"], codec, None),
            batch(6, &["c"], codec, None),
            cut.slice(..cut.len() - 1),
        ];
        assert_eq!(next_offset(&records.concat()).unwrap(), Some(7), "{codec}");
        assert_eq!(seen(records, &[], false, 4).unwrap(), ["a", "b", "c"], "{codec}");
    }
    assert_eq!(next_offset(&[1; 10]).unwrap(), None);
}

#[test]
fn aborted_transactions_are_hidden_from_who_reads_what_is_committed() {
    let plain = |offset, value, producer| batch(offset, &[value], Compression::None, producer);
    let records = vec![
        plain(0, "one's, aborted", Some(1)),
        plain(1, "two's, committed", Some(2)),
        plain(2, "nobody's", None),
        marker(3, Marker::Abort, 1),
        plain(4, "one's, committed", Some(1)),
        marker(5, Marker::Commit, 2),
        marker(6, Marker::Commit, 1),
        plain(7, "two's, aborted", Some(2)),
        plain(8, "one's, at last", Some(1)),
        marker(9, Marker::Abort, 2),
    ];
    let aborted = [(2, 7), (1, 0)];
    let committed = ["two's, committed", "nobody's", "one's, committed", "one's, at last"];
    assert_eq!(seen(records.clone(), &aborted, true, 0).unwrap(), committed);
    assert_eq!(seen(records, &[], false, 0).unwrap().len(), 6, "markers are nobody's records");
}

#[test]
fn a_damaged_batch_is_an_error_that_says_where() {
    let mut damaged = batch(41, &["a value"], Compression::None, None).to_vec();
    let last = damaged.len() - 3;
    damaged[last] ^= 1;
    let records = vec![batch(40, &["fine"], Compression::None, None), damaged.into()];
    let error = format!("{:#}", seen(records, &[], false, 0).unwrap_err());
    assert!(error.contains("offset 41") && error.contains("CRC"), "{error}");
    assert!(seen(vec![Bytes::from_static(&[0; 100])], &[], false, 0).is_err(), "an old format");
}
