//! ListOffsets, OffsetForLeaderEpoch, DeleteRecords.

use thalweg_protocol::TimestampMs;
use thalweg_protocol::messages::delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic};
use thalweg_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use thalweg_protocol::messages::offset_for_leader_epoch_request::{OffsetForLeaderPartition, OffsetForLeaderTopic};
use thalweg_protocol::messages::{BrokerId, DeleteRecordsRequest, ListOffsetsRequest, OffsetForLeaderEpochRequest};

use crate::asker::{Asker, topic_name};
use crate::produce;

const BASE: i64 = 1_700_000_000_000;

pub fn ask(asker: &mut Asker) {
    asker.create("empty", 1, &[]);
    asker.create("full", 1, &[("retention.ms", "-1")]);
    for offset in [1000, 3000, 2000] {
        produce::write(asker, "full", TimestampMs(BASE + offset));
    }
    let epoch = asker.await_leaders("full", 1);
    for name in ["full", "empty"] {
        list(asker, name, "");
        epochs(asker, name, "", epoch);
    }
    list_wrongly(asker, epoch);
    delete(asker);
    list(asker, "full", ", emptied,");
    epochs(asker, "full", ", emptied", epoch);
}

fn list_one(name: &str, partition: ListOffsetsPartition) -> ListOffsetsRequest {
    let topic = ListOffsetsTopic::default().with_name(topic_name(name)).with_partitions(vec![partition]);
    ListOffsetsRequest::default().with_replica_id(BrokerId(-1)).with_topics(vec![topic])
}

fn at(timestamp: i64) -> ListOffsetsPartition {
    ListOffsetsPartition::default().with_timestamp(timestamp).with_current_leader_epoch(-1)
}

fn list(asker: &mut Asker, name: &str, state: &str) {
    let topic = asker.name(name);
    for timestamp in
        [-1, -2, -3, -4, -5, -6, -7, -100, i64::MIN, 0, BASE, BASE + 1500, BASE + 2500, BASE + 9000, i64::MAX]
    {
        for version in [11, 10, 9, 8, 7, 6, 1] {
            if version != 10 && !(-7..0).contains(&timestamp) {
                continue;
            }
            let case = format!("offset of {name}{state} at {timestamp}, version {version}");
            asker.ask(&case, version, &list_one(&topic, at(timestamp)));
        }
    }
}

fn list_wrongly(asker: &mut Asker, epoch: i32) {
    let (full, missing) = (asker.name("full"), asker.name("missing"));
    asker.ask("offset of an unknown topic", 10, &list_one(&missing, at(-1)));
    for partition in [9, -1] {
        let request = list_one(&full, at(-1).with_partition_index(partition));
        asker.ask(&format!("offset of partition {partition}"), 10, &request);
    }
    for (case, asked) in
        [("the current", epoch), ("a future", epoch + 9), ("a past", epoch - 1), ("no", -1), ("a strange", -2)]
    {
        let request = list_one(&full, at(-1).with_current_leader_epoch(asked));
        asker.ask(&format!("offset in {case} epoch"), 10, &request);
    }
    let topic = ListOffsetsTopic::default().with_name(topic_name(&full)).with_partitions(vec![at(-1), at(-2)]);
    let twice = ListOffsetsRequest::default().with_replica_id(BrokerId(-1)).with_topics(vec![topic]);
    asker.ask("offset of one partition twice", 10, &twice);
    asker.ask("offset, committed only", 10, &list_one(&full, at(-1)).with_isolation_level(1));
    asker.ask("offset for a follower", 10, &list_one(&full, at(-1)).with_replica_id(BrokerId(7)));
    asker.ask("offset for a debugger", 10, &list_one(&full, at(-1)).with_replica_id(BrokerId(-2)));
    asker.ask("offset of nothing", 10, &ListOffsetsRequest::default().with_replica_id(BrokerId(-1)));
}

fn epochs(asker: &mut Asker, name: &str, state: &str, epoch: i32) {
    let topic = asker.name(name);
    let request = |topic: &str, partition| {
        let topic = OffsetForLeaderTopic::default().with_topic(topic_name(topic)).with_partitions(vec![partition]);
        OffsetForLeaderEpochRequest::default().with_replica_id(BrokerId(-1)).with_topics(vec![topic])
    };
    let partition = |current, asked| {
        OffsetForLeaderPartition::default().with_current_leader_epoch(current).with_leader_epoch(asked)
    };
    for (case, asked) in
        [("the first", epoch), ("a future", epoch + 9), ("a past", epoch - 1), ("no", -1), ("a strange", -2)]
    {
        // Kafka's epochs begin with 0, ours with 1: only what is asked for by number may differ.
        let answer = asker.quietly(4, &request(&topic, partition(-1, asked))).map(|answer| {
            let found = &answer.topics[0].partitions[0];
            let found_epoch = if found.leader_epoch == epoch {
                "the first"
            } else if found.leader_epoch == -1 {
                "none"
            } else {
                "another"
            };
            (found.error_code, found_epoch, found.end_offset)
        });
        asker.note(&format!("end of {case} epoch of {name}{state}"), &answer);
    }
    for (case, current) in [("the current", epoch), ("a future", epoch + 9), ("a past", epoch - 1)] {
        let answer = asker.quietly(4, &request(&topic, partition(current, epoch)));
        let code =
            answer.map(|answer| (answer.topics[0].partitions[0].error_code, answer.topics[0].partitions[0].end_offset));
        asker.note(&format!("end of an epoch of {name}{state}, asked in {case} epoch"), &code);
    }
    asker.ask(
        &format!("end of an epoch of an unknown topic beside {name}{state}"),
        4,
        &request(&asker.name("missing"), partition(-1, 0)),
    );
    asker.ask(
        &format!("end of an epoch of an unknown partition of {name}{state}"),
        4,
        &request(&topic, partition(-1, 0).with_partition(9)),
    );
}

fn delete(asker: &mut Asker) {
    asker.create("compacted", 1, &[("cleanup.policy", "compact")]);
    let request = |topics: Vec<(String, i32, i64)>| {
        let topics = topics.into_iter().map(|(name, partition, offset)| {
            let partition = DeleteRecordsPartition::default().with_partition_index(partition).with_offset(offset);
            DeleteRecordsTopic::default().with_name(topic_name(&name)).with_partitions(vec![partition])
        });
        DeleteRecordsRequest::default().with_topics(topics.collect()).with_timeout_ms(10_000)
    };
    let (full, empty, compacted, missing) =
        (asker.name("full"), asker.name("empty"), asker.name("compacted"), asker.name("missing"));
    for offset in [-2, i64::MIN, 99, i64::MAX, 0, 2, 1] {
        asker.ask(&format!("delete records below {offset}"), 2, &request(vec![(full.clone(), 0, offset)]));
    }
    for (case, name, partition, offset) in [
        ("of an unknown topic", missing, 0, 0),
        ("of an invalid name", "a b".to_owned(), 0, 0),
        ("of an unknown partition", full.clone(), 9, 0),
        ("of a compacted topic", compacted, 0, 0),
        ("of an empty topic up to its end", empty.clone(), 0, -1),
        ("of an empty topic beyond its end", empty, 0, 1),
    ] {
        asker.ask(&format!("delete records {case}"), 2, &request(vec![(name, partition, offset)]));
    }
    let twice = request(vec![(full.clone(), 0, 2), (full.clone(), 0, 3)]);
    asker.ask("delete records of one partition twice", 2, &twice);
    asker.ask("delete no records", 2, &request(Vec::new()));
    asker.ask("delete all records", 2, &request(vec![(full, 0, -1)]));
}
