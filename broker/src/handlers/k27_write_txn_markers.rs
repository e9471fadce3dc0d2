//! WriteTxnMarkers: v1
//!
//! Behaviour: each marker is appended to each of its partitions and answered once it is committed there; in partitions of
//! `__consumer_offsets` the offsets of the transaction become visible with it, or are dropped. Transaction coordinators of
//! other nodes send this, and tools that end a transaction which hangs (KIP-664).

use std::rc::Rc;

use indexmap::IndexMap;
use thalweg_protocol::error::ErrorCode;
use thalweg_protocol::messages::write_txn_markers_response::{
    WritableTxnMarkerPartitionResult, WritableTxnMarkerResult, WritableTxnMarkerTopicResult,
};
use thalweg_protocol::messages::{ProducerId, TopicName, WriteTxnMarkersRequest, WriteTxnMarkersResponse};
use thalweg_storage::types::GroupId;

use super::split::{Asked, ask_owners};
use crate::dispatch::Context;
use crate::reactor::{Core, TxnMarker};

/// The results of one producer id: all its markers of a request are answered together.
type Results = IndexMap<TopicName, IndexMap<i32, ErrorCode>>;

pub async fn handle(context: Context, request: WriteTxnMarkersRequest) -> WriteTxnMarkersResponse {
    let mut asked = Vec::new();
    for marker in &request.markers {
        let question = TxnMarker {
            producer_id: marker.producer_id.0,
            producer_epoch: marker.producer_epoch,
            coordinator_epoch: marker.coordinator_epoch,
            commit: marker.transaction_result,
        };
        for topic in &marker.topics {
            let asks = |partition: &i32| Asked { topic: topic.name.clone(), partition: *partition, question };
            asked.extend(topic.partition_indexes.iter().map(asks));
        }
    }
    let answers = ask_owners(&context, &asked, write).await;
    let mut results: IndexMap<ProducerId, Results> =
        request.markers.iter().map(|marker| (marker.producer_id, Results::new())).collect();
    for (Asked { topic, partition, question }, answer) in asked.into_iter().zip(answers) {
        let code = answer.err().unwrap_or(ErrorCode::None);
        let of_producer = results.entry(ProducerId(question.producer_id)).or_default();
        of_producer.entry(topic).or_default().insert(partition, code);
    }
    WriteTxnMarkersResponse::default().with_markers(results.into_iter().map(of_producer).collect())
}

async fn write(core: Rc<Core>, group: GroupId, marker: TxnMarker) -> Result<(), ErrorCode> {
    core.write_txn_marker(group, marker).await
}

fn of_producer((producer, topics): (ProducerId, Results)) -> WritableTxnMarkerResult {
    let topics = topics.into_iter().map(|(name, partitions)| {
        let partitions = partitions.into_iter().map(|(index, code)| {
            WritableTxnMarkerPartitionResult::default().with_partition_index(index).with_error_code(code.code())
        });
        WritableTxnMarkerTopicResult::default().with_name(name).with_partitions(partitions.collect())
    });
    WritableTxnMarkerResult::default().with_producer_id(producer).with_topics(topics.collect())
}
