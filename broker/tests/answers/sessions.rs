//! Fetch: sessions out of order (KIP-227), and positions that are none.

use thalweg_protocol::messages::fetch_request::{FetchPartition, FetchTopic, ForgottenTopic};
use thalweg_protocol::messages::{FetchRequest, FetchResponse};
use uuid::Uuid;

use crate::asker::Asker;
use crate::produce;
use thalweg_protocol::TimestampMs;

pub fn ask(asker: &mut Asker) {
    let id = asker.create("read", 2, &[("retention.ms", "-1")]);
    for _ in 0..3 {
        produce::write(asker, "read", TimestampMs(1_700_000_000_000));
    }
    let epoch = asker.await_leaders("read", 2);
    positions(asker, id, epoch);
    sessions(asker, id);
}

fn partition(index: i32, offset: i64) -> FetchPartition {
    FetchPartition::default()
        .with_partition(index)
        .with_fetch_offset(offset)
        .with_partition_max_bytes(1 << 16)
        .with_current_leader_epoch(-1)
        .with_last_fetched_epoch(-1)
}

fn request(id: Uuid, partitions: Vec<FetchPartition>) -> FetchRequest {
    let topic = FetchTopic::default().with_topic_id(id).with_partitions(partitions);
    FetchRequest::default().with_max_wait_ms(50).with_min_bytes(1).with_max_bytes(1 << 20).with_topics(vec![topic])
}

/// Codes, positions and the size of what was read.
fn shown(answer: &FetchResponse) -> String {
    let partitions = answer.responses.iter().flat_map(|topic| &topic.partitions).map(|partition| {
        let size = partition.records.as_ref().map(bytes::Bytes::len);
        let aborted = partition.aborted_transactions.as_ref().filter(|_| partition.error_code == 0).map(Vec::len);
        format!(
            "{} error {} high watermark {} stable {} start {} aborted {aborted:?} bytes {size:?}",
            partition.partition_index,
            partition.error_code,
            partition.high_watermark,
            partition.last_stable_offset,
            partition.log_start_offset,
        )
    });
    let session = if answer.session_id == 0 { "none" } else { "some" };
    format!("error {} session {session} {:?}", answer.error_code, partitions.collect::<Vec<_>>())
}

fn ask_one(asker: &mut Asker, case: &str, version: i16, request: &FetchRequest) -> i32 {
    let answer = asker.quietly(version, request);
    let id = answer.as_ref().map_or(0, |answer| answer.session_id);
    asker.note(&format!("fetch {case}"), &answer.as_ref().map(shown));
    id
}

fn positions(asker: &mut Asker, id: Uuid, epoch: i32) {
    let once = |partitions| request(id, partitions).with_session_epoch(-1);
    for offset in [0, 1, 3, 4, -1, -2, i64::MAX, i64::MIN] {
        ask_one(asker, &format!("at {offset}"), 16, &once(vec![partition(0, offset)]));
    }
    for index in [9, -1] {
        ask_one(asker, &format!("partition {index}"), 16, &once(vec![partition(index, 0)]));
    }
    for (case, id) in [("an unknown id", Uuid::from_u128(77)), ("no id", Uuid::nil())] {
        let request = request(id, vec![partition(0, 0)]).with_session_epoch(-1);
        ask_one(asker, case, 16, &request);
    }
    for (case, current) in [("the current", epoch), ("a future", epoch + 9), ("a past", epoch - 1)] {
        let request = once(vec![partition(0, 0).with_current_leader_epoch(current)]);
        ask_one(asker, &format!("in {case} epoch"), 16, &request);
    }
    for (case, last) in [("the current", epoch), ("a future", epoch + 9), ("a past", epoch - 1)] {
        let request = once(vec![partition(0, 1).with_last_fetched_epoch(last)]);
        ask_one(asker, &format!("after {case} epoch"), 16, &request);
    }
    for size in [0, 1, -1, 100] {
        let request = once(vec![partition(0, 0).with_partition_max_bytes(size)]);
        ask_one(asker, &format!("at most {size} bytes of a partition"), 16, &request);
        let request = once(vec![partition(0, 0)]).with_max_bytes(size);
        ask_one(asker, &format!("at most {size} bytes"), 16, &request);
    }
    ask_one(asker, "with isolation level 1", 16, &once(vec![partition(0, 0)]).with_isolation_level(1));
    ask_one(asker, "with isolation level 5", 16, &once(vec![partition(0, 0)]).with_isolation_level(5));
    ask_one(asker, "one partition twice", 16, &once(vec![partition(0, 0), partition(0, 1)]));
    ask_one(asker, "nothing", 16, &once(Vec::new()).with_topics(Vec::new()));
    let mut named = once(vec![partition(0, 0)]);
    named.topics[0].topic_id = Uuid::nil();
    named.topics[0].topic = asker.topic("missing");
    ask_one(asker, "an unknown name", 12, &named);
    named.topics[0].topic = asker.topic("read");
    ask_one(asker, "a known name", 12, &named);
    ask_one(asker, "a known name, version 4", 4, &{
        let mut old = named.clone();
        old.session_epoch = -1;
        old.topics[0].partitions[0].log_start_offset = -1;
        old
    });
}

fn sessions(asker: &mut Asker, id: Uuid) {
    let full = |partitions| request(id, partitions).with_session_epoch(0);
    let next = |session, epoch| {
        request(id, Vec::new()).with_topics(Vec::new()).with_session_id(session).with_session_epoch(epoch)
    };
    let session = ask_one(asker, "and begin a session", 16, &full(vec![partition(0, 0), partition(1, 0)]));
    ask_one(asker, "the session's next", 16, &next(session, 1));
    ask_one(asker, "the same epoch again", 16, &next(session, 1));
    ask_one(asker, "an epoch too early", 16, &next(session, 7));
    ask_one(asker, "epoch 0 of a session", 16, &next(session, 0));
    ask_one(asker, "what was a session", 16, &next(session, 2));
    let session = ask_one(asker, "and begin another session", 16, &full(vec![partition(0, 3)]));
    ask_one(asker, "one more partition", 16, &{
        let mut more = request(id, vec![partition(1, 0)]);
        more.session_id = session;
        more.session_epoch = 1;
        more
    });
    let forgotten = ForgottenTopic::default().with_topic_id(id).with_partitions(vec![0, 1]);
    let forget = next(session, 2).with_forgotten_topics_data(vec![forgotten]);
    ask_one(asker, "and forget all", 16, &forget);
    ask_one(asker, "what is left", 16, &next(session, 3));
    ask_one(asker, "and close the session", 16, &next(session, -1));
    ask_one(asker, "a closed session", 16, &next(session, 4));
    ask_one(asker, "a session that never was", 16, &next(12345, 1));
    ask_one(asker, "no session in epoch 5", 16, &next(0, 5));
    ask_one(asker, "a session with nothing in it", 16, &next(0, 0));
    let session = ask_one(asker, "a session of an unknown partition", 16, &full(vec![partition(9, 0)]));
    ask_one(asker, "the unknown partition again", 16, &next(session, 1));
    let session = ask_one(asker, "a session of an unknown id", 16, &{
        let mut unknown = request(Uuid::from_u128(77), vec![partition(0, 0)]);
        unknown.session_epoch = 0;
        unknown
    });
    ask_one(asker, "the unknown id again", 16, &next(session, 1));
    let session = ask_one(asker, "a session with ids", 16, &full(vec![partition(0, 3)]));
    let mut names = next(session, 1);
    names.topics = vec![FetchTopic::default().with_topic(asker.topic("read")).with_partitions(vec![partition(1, 0)])];
    ask_one(asker, "a session with ids by name", 12, &names);
}
