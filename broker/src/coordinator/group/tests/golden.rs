//! Byte for byte what Kafka writes.
//!
//! `testdata/kafka-4.3.1/consumer_offsets.log` is the segment of a `__consumer_offsets` partition of Apache Kafka 4.3.1:
//! the console consumer as static member `weir` of group `golden` (client id `reader`) read topic `rivers` of two
//! partitions and committed twice; its session ended; then `kafka-consumer-groups --delete` removed the group.

use std::collections::BTreeMap;
use std::fs;

use bytes::Bytes;
use thalweg_protocol::messages::GroupId;
use thalweg_protocol::messages::offset_fetch_request::OffsetFetchRequestGroup;
use thalweg_protocol::records::{self, BatchView, stamp};
use thalweg_protocol::{LeaderEpoch, StrBytes, TimestampMs};
use uuid::Uuid;

use super::testdata;
use crate::coordinator::group::classic::CommittedOffset;
use crate::coordinator::group::consumer::{ConsumerRecord, Kind};
use crate::coordinator::group::pending::LogOrder;
use crate::coordinator::group::record::{OffsetKey, Record};
use crate::coordinator::group::{Caller, Effect, GroupConfig, GroupShard, ReplyToken, Response, batch, record_codec};

/// Of the six batches, the ones behind which something is to be looked at.
const ASSIGNED: usize = 2;
const COMMITTED: usize = 4;

fn kafka_log() -> Vec<u8> {
    fs::read(testdata().join("kafka-4.3.1/consumer_offsets.log")).unwrap()
}

fn views(log: &[u8]) -> Vec<BatchView<'_>> {
    records::batches(log).map(Result::unwrap).collect()
}

fn golden() -> GroupId {
    GroupId(StrBytes::from_static_str("golden"))
}

fn loaded(batches: &[BatchView<'_>]) -> GroupShard {
    let mut shard = GroupShard::new(GroupConfig::default(), 1);
    for view in batches {
        shard.load(view.bytes).unwrap();
    }
    assert!(shard.loaded(TimestampMs(0)).is_empty());
    shard
}

#[test]
fn kafkas_batches_come_out_of_their_records_again() {
    let log = kafka_log();
    let views = views(&log);
    assert_eq!(views.len(), 6);
    for view in views {
        let decoded: Vec<Record> = view
            .records(1 << 20)
            .unwrap()
            .map(|record| {
                let record = record.unwrap();
                record_codec::decode(&record.key.unwrap(), record.value.as_deref()).unwrap()
            })
            .collect();
        let built = batch::build(None, decoded.into_iter(), 1 << 20, view.header.base_timestamp).unwrap();
        let mut built = built.to_vec();
        stamp(&mut built, view.header.base_offset, view.header.leader_epoch);
        assert_eq!(Bytes::from(built), Bytes::copy_from_slice(view.bytes), "at {}", view.header.base_offset);
    }
}

/// Segments of Apache Kafka 4.3.1 with consumer groups: one of two members; one whose member subscribes by an expression; one
/// that a consumer joins while it is a classic group, and leaves again.
#[test]
fn records_of_kafkas_consumer_groups_come_out_of_what_was_read_again() {
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    for name in ["consumer_group_of_two.log", "consumer_group_with_pattern.log", "consumer_group_migrates.log"] {
        let log = fs::read(testdata().join("kafka-4.3.1").join(name)).unwrap();
        for view in views(&log) {
            for record in view.records(1 << 20).unwrap().map(Result::unwrap) {
                let (key, value) = (record.key.unwrap(), record.value);
                let decoded = record_codec::decode(&key, value.as_deref());
                let decoded = decoded.unwrap_or_else(|error| panic!("{name}: {error}: {key:?} {value:?}"));
                let kind = match &decoded {
                    Record::Offset(..) => "offset",
                    Record::Group(..) => "classic group",
                    Record::Modern(_, Kind::Consumer, ConsumerRecord::Current(_, Some(current))) => {
                        match current.state.number() {
                            0 => "stable",
                            1 => "unrevoked",
                            2 => "unreleased",
                            other => panic!("a member's state is {other}"),
                        }
                    }
                    Record::Modern(_, Kind::Consumer, _) => "consumer group",
                    // The tombstone of what Kafka before 4.1 kept of topics.
                    Record::Other(4) if value.is_none() => continue,
                    // Share groups are in these partitions, too.
                    Record::Modern(_, Kind::Share, _) | Record::Other(15) => continue,
                    Record::Other(version) => panic!("a key of version {version}"),
                };
                *seen.entry(kind).or_default() += 1;
                let (again_key, again) = record_codec::encode(&decoded).unwrap();
                assert_eq!((&*again_key, again.as_deref()), (&*key, value.as_deref()), "{name}: {decoded:?}");
            }
        }
        loaded(&views(&log));
    }
    for kind in ["offset", "classic group", "stable", "unrevoked", "unreleased", "consumer group"] {
        assert!(seen.contains_key(kind), "no {kind} among {seen:?}");
    }
}

/// `testdata/kafka-4.3.1/share_group.log` is the segment of a partition with share groups. What they begin to read, which Kafka
/// keeps here too, is not.
#[test]
fn records_of_kafkas_share_groups_come_out_of_what_was_read_again() {
    let log = fs::read(testdata().join("kafka-4.3.1/share_group.log")).unwrap();
    let (mut shares, mut others) = (0, 0);
    for view in views(&log).into_iter().filter(|view| !view.header.attributes.is_control()) {
        for record in view.records(1 << 20).unwrap().map(Result::unwrap) {
            let (key, value) = (record.key.unwrap(), record.value);
            let decoded = record_codec::decode(&key, value.as_deref()).unwrap();
            match &decoded {
                Record::Other(version) => {
                    assert_eq!(*version, 15, "the key's version");
                    others += 1;
                    continue;
                }
                // Another group commits here too.
                Record::Offset(..) => continue,
                Record::Modern(_, Kind::Share, _) => shares += 1,
                other => panic!("{other:?}"),
            }
            let (again_key, again) = record_codec::encode(&decoded).unwrap();
            assert_eq!((&*again_key, again.as_deref()), (&*key, value.as_deref()), "{decoded:?}");
        }
    }
    assert!(shares >= 10 && others >= 1, "{shares} {others}");
    let mut shard = GroupShard::new(GroupConfig::default(), 1);
    shard.load(&log).unwrap();
    shard.loaded(TimestampMs(0));
    let listed = shard.list(&thalweg_protocol::messages::ListGroupsRequest::default()).unwrap();
    let share = listed.iter().find(|group| group.group_id.0.ends_with("s-implicit")).unwrap();
    assert_eq!((&*share.group_state, &*share.group_type), ("Empty", "share"));
}

#[test]
fn kafkas_group_is_loaded_as_it_was() {
    let log = kafka_log();
    let views = views(&log);
    let shard = loaded(&views[..ASSIGNED]);
    let group = shard.describe(&golden(), 6);
    assert_eq!((&*group.group_state, &*group.protocol_type, &*group.protocol_data), ("Stable", "consumer", "range"));
    let [member] = group.members.as_slice() else { panic!("{group:?}") };
    assert_eq!(member.group_instance_id.as_deref(), Some("weir"));
    assert_eq!((&*member.client_id, &*member.client_host), ("reader", "/127.0.0.1"));
    // Version 0, one topic, its two partitions, no user data: what the consumer protocol makes of the assignment.
    let rivers = [&[0, 3, 0, 0, 0, 1, 0, 6][..], b"rivers", &[0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 1], &[255; 4]].concat();
    assert_eq!(member.member_assignment[2..], rivers[2..]);
}

#[test]
fn kafkas_offsets_are_loaded_and_the_tombstones_remove_them() {
    let log = kafka_log();
    let views = views(&log);
    assert_eq!(offsets(&mut loaded(&views[..COMMITTED])), [("rivers".to_owned(), 0, 0), ("rivers".to_owned(), 1, 3)]);
    assert_eq!(offsets(&mut loaded(&views)), []);
    assert_eq!(loaded(&views).groups_count(), 0);
}

fn offsets(shard: &mut GroupShard) -> Vec<(String, i32, i64)> {
    let caller =
        Caller { token: ReplyToken(1), version: 9, client_id: StrBytes::default(), client_host: StrBytes::default() };
    let request = OffsetFetchRequestGroup::default().with_group_id(golden()).with_topics(None);
    let effects = shard.fetch(&request, false, &caller, TimestampMs(0));
    let [Effect::Reply { response, .. }] = effects.as_slice() else { panic!("{effects:?}") };
    let Response::OffsetFetch(response) = response.as_ref() else { panic!("{response:?}") };
    let of = |topic: &str, index, offset| (topic.to_owned(), index, offset);
    let topics = response.topics.iter();
    topics
        .flat_map(|topic| topic.partitions.iter().map(|partition| (&topic.name, partition)))
        .map(|(topic, partition)| of(topic, partition.partition_index, partition.committed_offset))
        .collect()
}

/// Bytes laid out by hand after Kafka's `OffsetCommitValue.json`, for the versions that Kafka 4.3 only reads, and the
/// one that it writes for requests with a retention of their own.
#[test]
fn older_offset_values_are_read() {
    let key = [&[0, 1, 0, 1][..], b"g", &[0, 1], b"t", &[0, 0, 0, 7]].concat();
    let head = [0, 0, 0, 0, 0, 0, 0, 42];
    let tail = [0, 0, 0, 0, 0, 0, 0, 9];
    let value = |version: u8, epoch: &[u8], expiry: &[u8]| {
        [&[0, version][..], &head, epoch, &[0, 2], b"hi", &tail, expiry].concat()
    };
    let read = |value: &[u8]| match record_codec::decode(&key, Some(value)).unwrap() {
        Record::Offset(key, Some(offset)) => (key, offset),
        other => panic!("{other:?}"),
    };
    let of = OffsetKey { group: StrBytes::from_static_str("g"), topic: StrBytes::from_static_str("t"), partition: 7 };
    let mut expected = CommittedOffset {
        offset: 42,
        leader_epoch: LeaderEpoch::NONE,
        metadata: StrBytes::from_static_str("hi"),
        topic_id: Uuid::nil(),
        committed_at: TimestampMs(9),
        expires_at: None,
        order: LogOrder::default(),
    };
    assert_eq!(read(&value(0, &[], &[])), (of.clone(), expected.clone()));
    assert_eq!(read(&value(2, &[], &[])), (of.clone(), expected.clone()));
    expected.expires_at = Some(TimestampMs(5));
    let with_expiry = value(1, &[], &[0, 0, 0, 0, 0, 0, 0, 5]);
    assert_eq!(read(&with_expiry), (of.clone(), expected.clone()));
    let written = record_codec::encode(&Record::Offset(of.clone(), Some(expected.clone()))).unwrap();
    assert_eq!(written, (Bytes::from(key.clone()), Some(Bytes::from(with_expiry))));
    (expected.expires_at, expected.leader_epoch) = (None, LeaderEpoch(3));
    assert_eq!(read(&value(3, &[0, 0, 0, 3], &[])), (of, expected));
}

/// Every prefix of every record, and every byte of it turned over, gives a record or an error.
#[test]
fn damaged_records_do_not_panic() {
    let log = kafka_log();
    let mut errors = 0;
    for record in views(&log).iter().flat_map(|view| view.records(1 << 20).unwrap()) {
        let record = record.unwrap();
        let (key, value) = (record.key.unwrap(), record.value.unwrap_or_default());
        for cut in 0..value.len() {
            errors += usize::from(record_codec::decode(&key, Some(&value[..cut])).is_err());
        }
        for at in 0..value.len() {
            let mut damaged = value.to_vec();
            damaged[at] ^= 0xFF;
            errors += usize::from(record_codec::decode(&key, Some(&damaged)).is_err());
        }
        for cut in 0..key.len() {
            errors += usize::from(record_codec::decode(&key[..cut], Some(&value)).is_err());
        }
    }
    assert!(errors > 100, "{errors}");
}
