#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use super::*;
use crate::client::cluster::topic_name;

const LIMITS: FetchLimits =
    FetchLimits { wait_ms: 500, min_bytes: 1, max_bytes: 1000, partition_max_bytes: 100, read_committed: true };

fn session(topics: u128) -> Session {
    let topic = |id| FetchedTopic { name: topic_name(&format!("t{id}")), id: Uuid::from_u128(id) };
    Session::new((1..=topics).map(topic).collect())
}

/// Topic, partition and offset of everything that a request names, in order.
fn named(request: &FetchRequest) -> Vec<(u128, i32, i64)> {
    let topics = request.topics.iter();
    let mut named: Vec<_> = topics
        .flat_map(|topic| topic.partitions.iter().map(|p| (topic.topic_id.as_u128(), p.partition, p.fetch_offset)))
        .collect();
    named.sort_unstable();
    named
}

#[test]
fn the_first_request_names_all_and_later_ones_what_has_changed() {
    let mut session = session(2);
    let slots = [session.add(0, 0, 5), session.add(0, 1, 6), session.add(1, 0, 7)];
    let full = session.request(17, &LIMITS);
    assert_eq!(named(&full), [(1, 0, 5), (1, 1, 6), (2, 0, 7)]);
    assert_eq!((full.session_id, full.session_epoch, full.isolation_level), (0, 0, 1));
    session.answered(0, 99);

    let nothing = session.request(17, &LIMITS);
    assert_eq!((named(&nothing).len(), nothing.session_id, nothing.session_epoch), (0, 99, 1));
    session.answered(0, 99);

    session.seek(slots[1], 60);
    session.seek(slots[1], 61);
    let moved = session.request(17, &LIMITS);
    assert_eq!((named(&moved), moved.session_epoch), (vec![(1, 1, 61)], 2));
    session.answered(0, 99);
    assert!(named(&session.request(17, &LIMITS)).is_empty(), "it is told once");
}

#[test]
fn removed_partitions_are_forgotten_once_and_can_come_back() {
    let mut session = session(1);
    let slots = [session.add(0, 0, 5), session.add(0, 1, 6)];
    session.request(17, &LIMITS);
    session.answered(0, 99);
    session.seek(slots[0], 50);
    session.remove(slots[0]);
    assert_eq!(session.len(), 1);
    assert!(!session.is_live(slots[0]));
    let request = session.request(17, &LIMITS);
    assert!(named(&request).is_empty(), "what is forgotten is not asked for");
    assert_eq!(request.forgotten_topics_data[0].partitions, [0]);
    session.answered(0, 99);
    assert!(session.request(17, &LIMITS).forgotten_topics_data.is_empty());
    session.answered(0, 99);

    session.remove(slots[1]);
    assert_eq!(session.add(0, 1, 9), slots[1]);
    let request = session.request(17, &LIMITS);
    assert_eq!((named(&request), request.forgotten_topics_data.len()), (vec![(1, 1, 9)], 0));
    assert_eq!(session.find(TopicView::Id(Uuid::from_u128(1)), PartitionIndex(1)), Some(slots[1]));
}

#[test]
fn a_session_that_is_lost_begins_anew_with_everything() {
    let lost = [
        (ErrorCode::FetchSessionIdNotFound.code(), 0, 0),
        (ErrorCode::InvalidFetchSessionEpoch.code(), 0, 99),
        (0, 0, 0), // The broker keeps no session any more.
    ];
    for (code, id, kept) in lost {
        let mut session = session(1);
        let slot = session.add(0, 0, 5);
        session.add(0, 1, 6);
        session.request(17, &LIMITS);
        session.answered(0, 99);
        session.seek(slot, 50);
        session.request(17, &LIMITS);
        session.answered(code, id);
        let full = session.request(17, &LIMITS);
        assert_eq!(named(&full), [(1, 0, 50), (1, 1, 6)], "nothing that was said in the lost request is lost");
        assert_eq!((full.session_id, full.session_epoch), (kept, 0));
    }
}

#[test]
fn a_broker_without_sessions_is_asked_for_everything_in_turn() {
    let mut session = session(1);
    for index in 0..3 {
        session.add(0, index, 0);
    }
    let mut first = Vec::new();
    for _ in 0..3 {
        let request = session.request(12, &LIMITS);
        let partitions: Vec<_> = request.topics.iter().flat_map(|topic| &topic.partitions).collect();
        assert_eq!(partitions.len(), 3);
        assert_eq!((request.session_epoch, request.topics[0].topic.as_str()), (0, "t1"));
        first.push(partitions.first().unwrap().partition);
        session.answered(0, 0);
    }
    first.sort_unstable();
    assert_eq!(first, [0, 1, 2]);
}

#[test]
fn epochs_wrap_to_one() {
    let mut session = session(1);
    session.add(0, 0, 0);
    session.request(17, &LIMITS);
    session.answered(0, 99);
    session.epoch = i32::MAX;
    session.answered(0, 99);
    assert_eq!(session.epoch, 1);
}
