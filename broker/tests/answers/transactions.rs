//! The transaction APIs: every order that a producer may get wrong, of clients of before KIP-890 and since.

use std::time::{Duration, Instant};

use thalweg_protocol::messages::add_partitions_to_txn_request::{
    AddPartitionsToTxnTopic, AddPartitionsToTxnTransaction,
};
use thalweg_protocol::messages::update_features_request::FeatureUpdateKey;
use thalweg_protocol::messages::{
    AddOffsetsToTxnRequest, AddPartitionsToTxnRequest, ApiVersionsRequest, DescribeTransactionsRequest, EndTxnRequest,
    FindCoordinatorRequest, GroupId, InitProducerIdRequest, ListTransactionsRequest, ProducerId, TransactionalId,
    UpdateFeaturesRequest,
};

use crate::asker::{Asker, string};
use crate::wire::PATIENCE;

/// A producer as the broker last called it.
#[derive(Clone)]
pub struct Producer {
    pub transactional_id: TransactionalId,
    pub id: i64,
    pub epoch: i16,
}

pub fn ask(asker: &mut Asker) {
    asker.create("txn", 3, &[]);
    await_coordinator(asker);
    initialising(asker);
    adding(asker);
    ending_v0(asker);
    ending_v2(asker);
    going_on(asker);
    listing(asker);
    features(asker);
}

pub fn transactional(asker: &Asker, name: &str) -> TransactionalId {
    TransactionalId(string(&asker.name(name)))
}

/// Kafka makes the topic of the transactions at the first question, and its partitions are led a moment later.
fn await_coordinator(asker: &mut Asker) {
    let deadline = Instant::now() + PATIENCE;
    let key = asker.name("any");
    let find = FindCoordinatorRequest::default().with_key_type(1).with_coordinator_keys(vec![string(&key)]);
    while asker.quietly(4, &find).unwrap().coordinators[0].error_code != 0 {
        assert!(Instant::now() < deadline, "no coordinator");
        std::thread::sleep(Duration::from_millis(50));
    }
}

pub fn init_request(id: &TransactionalId) -> InitProducerIdRequest {
    InitProducerIdRequest::default()
        .with_transactional_id(Some(id.clone()))
        .with_transaction_timeout_ms(60_000)
        .with_producer_id(ProducerId(-1))
        .with_producer_epoch(-1)
}

/// A producer that is initialised, whatever stands in the way for a moment.
pub fn init(asker: &mut Asker, name: &str) -> Producer {
    let transactional_id = transactional(asker, name);
    let deadline = Instant::now() + PATIENCE;
    loop {
        let answer = asker.quietly(4, &init_request(&transactional_id)).unwrap();
        if answer.error_code == 0 {
            asker.hide(format!("producer_id: {},", answer.producer_id.0), "producer_id: PID,");
            return Producer { transactional_id, id: answer.producer_id.0, epoch: answer.producer_epoch };
        }
        assert!(Instant::now() < deadline, "{answer:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn topics(asker: &Asker, partitions: &[i32]) -> Vec<AddPartitionsToTxnTopic> {
    vec![AddPartitionsToTxnTopic::default().with_name(asker.topic("txn")).with_partitions(partitions.to_vec())]
}

fn add(asker: &mut Asker, case: &str, producer: &Producer, partitions: &[i32]) {
    let request = AddPartitionsToTxnRequest::default()
        .with_v3_and_below_transactional_id(producer.transactional_id.clone())
        .with_v3_and_below_producer_id(ProducerId(producer.id))
        .with_v3_and_below_producer_epoch(producer.epoch)
        .with_v3_and_below_topics(topics(asker, partitions));
    asker.ask(&format!("add {case}"), 3, &request);
}

fn end(asker: &mut Asker, version: i16, case: &str, producer: &Producer, commit: bool) {
    let request = EndTxnRequest::default()
        .with_transactional_id(producer.transactional_id.clone())
        .with_producer_id(ProducerId(producer.id))
        .with_producer_epoch(producer.epoch)
        .with_committed(commit);
    let what = if commit { "commit" } else { "abort" };
    asker.ask(&format!("{what} {case}, version {version}"), version, &request);
}

fn describe(asker: &mut Asker, id: &TransactionalId) -> Option<String> {
    let request = DescribeTransactionsRequest::default().with_transactional_ids(vec![id.clone()]);
    let answer = asker.quietly(0, &request).unwrap();
    let state = &answer.transaction_states[0];
    Some(format!(
        "error {} {} epoch {} timeout {} begun {} topics {:?}",
        state.error_code,
        state.transaction_state,
        state.producer_epoch,
        state.transaction_timeout_ms,
        state.transaction_start_time_ms > 0,
        state.topics.iter().map(|topic| &topic.partitions).collect::<Vec<_>>()
    ))
}

/// The markers are written after the decision is answered.
fn await_complete(asker: &mut Asker, producer: &Producer) {
    let deadline = Instant::now() + PATIENCE;
    while !describe(asker, &producer.transactional_id).unwrap().contains("Complete") {
        assert!(Instant::now() < deadline, "never complete");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn note_described(asker: &mut Asker, case: &str, producer: &Producer) {
    let described = describe(asker, &producer.transactional_id);
    asker.note(&format!("described {case}"), &described);
}

fn initialising(asker: &mut Asker) {
    let id = transactional(asker, "wrong");
    let request = init_request(&id);
    for (case, request) in [
        ("an empty transactional id", init_request(&TransactionalId(string("")))),
        ("a timeout of 0", request.clone().with_transaction_timeout_ms(0)),
        ("a timeout below 0", request.clone().with_transaction_timeout_ms(-1)),
        ("a timeout above the longest", request.clone().with_transaction_timeout_ms(900_001)),
        ("an id and no epoch", request.clone().with_producer_id(ProducerId(5))),
    ] {
        asker.ask(&format!("initialise with {case}"), 4, &request);
    }
    let known = init(asker, "known");
    let request = init_request(&known.transactional_id);
    for version in [2, 3, 4] {
        let stranger = request.clone().with_producer_id(ProducerId(if version < 3 { -1 } else { 1 << 40 }));
        let stranger = stranger.with_producer_epoch(if version < 3 { -1 } else { 3 });
        let answer = asker.quietly(version, &stranger).map(|answer| (answer.error_code, answer.producer_epoch));
        asker.note(&format!("initialise as another producer, version {version}"), &answer);
    }
    let unknown = transactional(asker, "unknown");
    let described = describe(asker, &unknown);
    asker.note("described an unknown transactional id", &described);
    let described = describe(asker, &TransactionalId(string("")));
    asker.note("described an empty transactional id", &described);
}

fn adding(asker: &mut Asker) {
    let producer = init(asker, "adding");
    let with =
        |id: &TransactionalId, producer_id, epoch| Producer { transactional_id: id.clone(), id: producer_id, epoch };
    let id = producer.transactional_id.clone();
    let unknown = transactional(asker, "unknown");
    add(asker, "to an unknown id", &with(&unknown, producer.id, 0), &[0]);
    add(asker, "to an empty id", &with(&TransactionalId(string("")), producer.id, 0), &[0]);
    add(asker, "as another producer", &with(&id, 1 << 40, 0), &[0]);
    add(asker, "with an epoch of the future", &with(&id, producer.id, 7), &[0]);
    add(asker, "a partition that does not exist", &producer, &[0, 9]);
    let nothing = init(asker, "nothing");
    add(asker, "no partitions", &nothing, &[]);
    add(asker, "a partition", &producer, &[0]);
    add(asker, "it again", &producer, &[0]);
    note_described(asker, "with a partition", &producer);
    let one = |verify, of: &Producer, partitions: &[i32], asker: &Asker| {
        AddPartitionsToTxnTransaction::default()
            .with_transactional_id(of.transactional_id.clone())
            .with_producer_id(ProducerId(of.id))
            .with_producer_epoch(of.epoch)
            .with_verify_only(verify)
            .with_topics(topics(asker, partitions))
    };
    let stranger = with(&unknown, producer.id, 0);
    let future = with(&id, producer.id, 7);
    for (case, transactions) in [
        ("one that is in and one that is not", vec![one(true, &producer, &[0, 1], asker)]),
        ("one that does not exist", vec![one(true, &producer, &[0, 9], asker)]),
        ("of an unknown id", vec![one(true, &stranger, &[0], asker)]),
        ("with an epoch of the future", vec![one(true, &future, &[0], asker)]),
    ] {
        let request = AddPartitionsToTxnRequest::default().with_transactions(transactions);
        for version in [4, 5] {
            let mut answer = asker.quietly(version, &request);
            // Kafka answers in the order of a hash table.
            let results = answer.iter_mut().flat_map(|answer| &mut answer.results_by_transaction);
            for topic in results.flat_map(|result| &mut result.topic_results) {
                topic.results_by_partition.sort_by_key(|partition| partition.partition_index);
            }
            asker.note(&format!("verify {case}, version {version}"), &answer);
        }
    }
    let request = AddOffsetsToTxnRequest::default()
        .with_transactional_id(id.clone())
        .with_producer_id(ProducerId(producer.id))
        .with_group_id(GroupId(string("group")));
    asker.ask("add offsets", 3, &request.clone().with_producer_epoch(producer.epoch));
    for version in [1, 2, 3, 4] {
        asker.ask(&format!("add offsets fenced, version {version}"), version, &request.clone().with_producer_epoch(9));
    }
}

fn ending_v0(asker: &mut Asker) {
    let producer = init(asker, "ending-v0");
    let stale = |epoch| Producer { epoch, ..producer.clone() };
    end(asker, 3, "nothing", &producer, true);
    end(asker, 3, "nothing", &producer, false);
    add(asker, "a first partition", &producer, &[0]);
    end(asker, 1, "with a wrong epoch", &stale(7), true);
    end(asker, 3, "with a wrong epoch", &stale(7), true);
    end(asker, 3, "what is ongoing", &producer, true);
    await_complete(asker, &producer);
    end(asker, 3, "what is committed", &producer, true);
    end(asker, 3, "what is committed", &producer, false);
    note_described(asker, "once committed", &producer);
    add(asker, "a second partition", &producer, &[1]);
    end(asker, 3, "the second transaction", &producer, false);
    await_complete(asker, &producer);
    end(asker, 3, "what is aborted", &producer, true);
    end(asker, 3, "what is aborted", &producer, false);
    let unknown = Producer { transactional_id: transactional(asker, "unknown"), ..producer.clone() };
    end(asker, 3, "an unknown id", &unknown, true);
    end(asker, 3, "as another producer", &Producer { id: 1 << 40, ..producer.clone() }, true);
}

fn ending_v2(asker: &mut Asker) {
    let producer = init(asker, "ending-v2");
    let at = |epoch| Producer { epoch, ..producer.clone() };
    end(asker, 5, "nothing", &at(0), true);
    end(asker, 5, "nothing", &at(0), false);
    await_complete(asker, &producer);
    note_described(asker, "after an empty abort", &producer);
    end(asker, 5, "nothing again", &at(0), false);
    end(asker, 5, "nothing the second time", &at(0), true);
    end(asker, 5, "nothing, as the next", &at(1), true);
    add(asker, "for version 2", &at(1), &[0, 2]);
    end(asker, 5, "with the epoch before", &at(0), true);
    end(asker, 5, "with the epoch behind", &at(2), true);
    end(asker, 5, "with the right epoch", &at(1), true);
    await_complete(asker, &producer);
    end(asker, 5, "once more", &at(1), true);
    end(asker, 5, "once more", &at(1), false);
    end(asker, 5, "with a new epoch and nothing", &at(2), true);
    add(asker, "with the old epoch", &at(1), &[0]);
    note_described(asker, "after the commit", &producer);
}

fn going_on(asker: &mut Asker) {
    let producer = init(asker, "going-on");
    let named = |epoch| {
        init_request(&producer.transactional_id).with_producer_id(ProducerId(producer.id)).with_producer_epoch(epoch)
    };
    for (case, epoch) in [("named", 0), ("named again", 0), ("with the new epoch", 1), ("with an old epoch", 0)] {
        asker.ask(&format!("initialise {case}"), 4, &named(epoch));
    }
    add(asker, "and be taken over", &Producer { epoch: 2, ..producer.clone() }, &[1]);
    let taken = asker.quietly(4, &init_request(&producer.transactional_id)).map(|answer| answer.error_code);
    asker.note("initialise while a transaction is ongoing", &taken);
    let fresh = init(asker, "going-on");
    asker.note("the epoch after a fence", &Some(fresh.epoch));
    end(asker, 5, "as the fenced one", &Producer { epoch: 2, ..producer.clone() }, true);
    end(asker, 3, "as the fenced one", &Producer { epoch: 2, ..producer.clone() }, true);
    add(asker, "as the fenced one", &Producer { epoch: 2, ..producer }, &[1]);
}

fn listing(asker: &mut Asker) {
    let producer = init(asker, "listed");
    add(asker, "to be listed", &producer, &[0]);
    let list = |asker: &mut Asker, case: &str, version, request: ListTransactionsRequest| {
        let prefix = asker.name("");
        let answer = asker.quietly(version, &request).map(|answer| {
            let ids = answer.transaction_states.iter().filter(|state| state.transactional_id.0.starts_with(&*prefix));
            let mut ids: Vec<_> =
                ids.map(|state| (state.transactional_id.0.to_string(), state.transaction_state.to_string())).collect();
            ids.sort();
            (answer.error_code, answer.unknown_state_filters, ids)
        });
        asker.note(&format!("list {case}"), &answer);
    };
    let request = ListTransactionsRequest::default().with_duration_filter(-1);
    let ongoing = request.clone().with_state_filters(vec![string("Ongoing"), string("Lost")]);
    list(asker, "what is ongoing", 0, ongoing);
    list(asker, "what is lost", 0, request.clone().with_state_filters(vec![string("Lost")]));
    let of_producer = request.clone().with_producer_id_filters(vec![ProducerId(producer.id)]);
    list(asker, "of a producer", 1, of_producer.clone());
    list(asker, "of a producer, running for long", 1, of_producer.clone().with_duration_filter(3_600_000));
    let pattern = |text: String| of_producer.clone().with_transactional_id_pattern(Some(string(&text)));
    list(asker, "by a pattern", 2, pattern(asker.name("lis.*")));
    list(asker, "by a part of it", 2, pattern("lis".to_owned()));
    list(asker, "by an empty pattern", 2, pattern(String::new()));
    list(asker, "by no pattern at all", 2, pattern("(".to_owned()));
}

fn features(asker: &mut Asker) {
    let request = ApiVersionsRequest::default()
        .with_client_software_name(string("answers"))
        .with_client_software_version(string("1"));
    for version in [3, 4] {
        let answer = asker.quietly(version, &request).map(|answer| {
            let supported: Vec<_> = answer
                .supported_features
                .iter()
                .map(|feature| (feature.name.to_string(), feature.min_version, feature.max_version))
                .collect();
            let finalized: Vec<_> = answer
                .finalized_features
                .iter()
                .map(|feature| (feature.name.to_string(), feature.min_version_level, feature.max_version_level))
                .collect();
            (sorted(supported), sorted(finalized), answer.finalized_features_epoch > 0)
        });
        asker.note(&format!("features, version {version}"), &answer);
    }
    let update = |name: &str, level, kind| {
        FeatureUpdateKey::default().with_feature(string(name)).with_max_version_level(level).with_upgrade_type(kind)
    };
    for (case, updates) in [
        ("none", vec![]),
        ("what is", vec![update("transaction.version", 2, 1)]),
        ("down as an upgrade", vec![update("transaction.version", 1, 1)]),
        ("down safely", vec![update("transaction.version", 1, 2)]),
        ("down unsafely", vec![update("transaction.version", 0, 3)]),
        ("beyond the highest", vec![update("transaction.version", 3, 1)]),
        ("below 0", vec![update("transaction.version", -1, 2)]),
        ("in an unknown way", vec![update("transaction.version", 1, 9)]),
        ("an unknown feature", vec![update("no.such.version", 1, 1)]),
        ("metadata down far", vec![update("metadata.version", 7, 2)]),
        ("one right and one wrong", vec![update("group.version", 0, 2), update("share.version", 7, 1)]),
    ] {
        for version in [1, 2] {
            let request =
                UpdateFeaturesRequest::default().with_feature_updates(updates.clone()).with_validate_only(true);
            asker.ask(&format!("update features: {case}, version {version}"), version, &request);
        }
    }
}

fn sorted<T: Ord>(mut values: Vec<T>) -> Vec<T> {
    values.sort();
    values
}
