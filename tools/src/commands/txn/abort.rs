//! `thalweg txn abort`
//!
//! Either by transactional id: the coordinator aborts the ongoing transaction and fences its producer, as a new producer
//! with the same id would. Or by partition: a marker is written into it, for a transaction that no coordinator knows any
//! more (`thalweg txn hanging`).

use std::thread;
use std::time::{Duration, Instant};

use clap::{ArgGroup, Args};
use serde::Serialize;
use thalweg_protocol::error::ErrorCode;
use thalweg_protocol::messages::describe_producers_response::ProducerState;
use thalweg_protocol::messages::write_txn_markers_request::{WritableTxnMarker, WritableTxnMarkerTopic};
use thalweg_protocol::messages::{
    InitProducerIdRequest, InitProducerIdResponse, ProducerId, TransactionalId, WriteTxnMarkersRequest,
};

use super::{find, producers};
use crate::cli::Global;
use crate::cluster::{Cluster, text, topic_name};
use crate::coordinator::{self, Coordinates};
use crate::failure::Failure;

/// While the transaction is being aborted, the coordinator asks to come back.
const PAUSE: Duration = Duration::from_millis(50);

#[derive(Debug, Args)]
#[command(group(ArgGroup::new("which").required(true).args(["id", "topic"])))]
pub(crate) struct Arguments {
    /// Abort what this transactional id has under way, and fence its producer
    #[arg(value_name = "TRANSACTIONAL_ID")]
    id: Option<String>,
    /// Abort a hanging transaction in a partition of this topic
    #[arg(long, requires = "partition", requires = "start_offset")]
    topic: Option<String>,
    #[arg(long)]
    partition: Option<i32>,
    /// Where the hanging transaction begins, as `txn hanging` shows it
    #[arg(long, value_name = "OFFSET")]
    start_offset: Option<i64>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Aborted {
    Id { transactional_id: String, state: String, was_running: bool },
    Partition { topic: String, partition: i32, start_offset: i64, producer_id: i64, producer_epoch: i32 },
}

pub(crate) fn run(global: &Global, arguments: &Arguments) -> Result<(), Failure> {
    let mut cluster = Cluster::connect(global)?;
    let aborted = match (&arguments.id, &arguments.topic, arguments.partition, arguments.start_offset) {
        (Some(id), ..) => by_id(&mut cluster, global, id)?,
        (None, Some(topic), Some(partition), Some(start_offset)) => {
            by_partition(&mut cluster, topic, partition, start_offset)?
        }
        _ => return Err(Failure::usage("name a transactional id, or --topic, --partition and --start-offset")),
    };
    global.output().emit(&aborted, text_of)
}

/// A producer with the same id is initialised; nobody ever uses it.
fn by_id(cluster: &mut Cluster, global: &Global, id: &str) -> Result<Aborted, Failure> {
    // Without this, the id would come into being by the attempt.
    let before = find::describe(cluster, global, id)?;
    let was_running = matches!(&*before.transaction_state, "Ongoing" | "PrepareAbort");
    let request = InitProducerIdRequest::default()
        .with_transactional_id(Some(TransactionalId(text(id))))
        .with_transaction_timeout_ms(before.transaction_timeout_ms.max(1))
        .with_producer_id(ProducerId(-1))
        .with_producer_epoch(-1);
    let deadline = Instant::now() + global.timeout();
    loop {
        let code_of = |answer: &InitProducerIdResponse| answer.error_code;
        let answer = coordinator::call_of(Coordinates::Transaction, cluster, global, id, &request, code_of)?;
        match ErrorCode::from_code(answer.error_code) {
            Some(ErrorCode::None) => break,
            Some(ErrorCode::ConcurrentTransactions) if Instant::now() < deadline => thread::sleep(PAUSE),
            _ => {
                let what = format!("cannot abort the transaction of `{id}`");
                return Err(Failure::refused(what, answer.error_code, None));
            }
        }
    }
    let state = before.transaction_state.to_string();
    Ok(Aborted::Id { transactional_id: id.to_owned(), state, was_running })
}

fn by_partition(cluster: &mut Cluster, topic: &str, partition: i32, start_offset: i64) -> Result<Aborted, Failure> {
    let producers = producers::of(cluster, topic, partition)?;
    let found = producers.iter().find(|producer| producer.current_txn_start_offset == start_offset);
    let producer = found.ok_or_else(|| {
        Failure::new(format!("no open transaction of {topic}-{partition} begins at offset {start_offset}"))
            .hint(format!("thalweg txn hanging --topic {topic} --partition {partition}"))
    })?;
    let request = WriteTxnMarkersRequest::default().with_markers(vec![marker(producer, topic, partition)]);
    let leader = producers::leader(cluster, topic, partition)?;
    let answer = cluster.node(leader)?.call(&request)?;
    let results = answer.markers.into_iter().flat_map(|marker| marker.topics).flat_map(|topic| topic.partitions);
    let code = results.map(|result| result.error_code).next().unwrap_or(ErrorCode::UnknownServerError.code());
    if code != ErrorCode::None.code() {
        return Err(Failure::refused(format!("cannot write a marker into {topic}-{partition}"), code, None));
    }
    Ok(Aborted::Partition {
        topic: topic.to_owned(),
        partition,
        start_offset,
        producer_id: producer.producer_id.0,
        producer_epoch: producer.producer_epoch,
    })
}

/// As Kafka's own tool writes it: with the producer's epoch, and the coordinator's that the partition has seen.
fn marker(producer: &ProducerState, topic: &str, partition: i32) -> WritableTxnMarker {
    let topic = WritableTxnMarkerTopic::default().with_name(topic_name(topic)).with_partition_indexes(vec![partition]);
    WritableTxnMarker::default()
        .with_producer_id(producer.producer_id)
        .with_producer_epoch(i16::try_from(producer.producer_epoch).unwrap_or(i16::MAX))
        .with_coordinator_epoch(producer.coordinator_epoch.max(0))
        .with_transaction_result(false)
        .with_topics(vec![topic])
}

fn text_of(aborted: &Aborted) -> String {
    match aborted {
        Aborted::Id { transactional_id, was_running: true, .. } => {
            format!("aborted the transaction of {transactional_id} and fenced its producer\n")
        }
        Aborted::Id { transactional_id, state, .. } => {
            format!("{transactional_id} had no transaction to abort ({state}); its producer is fenced\n")
        }
        Aborted::Partition { topic, partition, start_offset, producer_id, .. } => {
            format!(
                "aborted the transaction of producer {producer_id} in {topic}-{partition} from offset {start_offset} on\n"
            )
        }
    }
}
