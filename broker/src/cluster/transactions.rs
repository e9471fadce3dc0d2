//! Transactions that reach over several nodes: the coordinator is on one, and partitions of the transaction are on others.

use std::collections::BTreeMap;
use std::rc::Rc;

use futures::future;
use serde::{Deserialize, Serialize};
use thalweg_protocol::error::ErrorCode;
use thalweg_protocol::messages::TopicName;
use thalweg_protocol::{NodeId, PartitionIndex, StrBytes};
use thalweg_storage::types::GroupId;

use super::question::{Question, Reply};
use crate::coordinator::transaction::{Producer, TransactionVersion};
use crate::handlers::transactions;
use crate::limits::PEER_ANSWER_TIME_MAX;
use crate::reactor::{Core, CoreId, TxnMarker};

/// Asks the coordinator whether partitions are in a transaction, or to take them in (KIP-890).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Vouching {
    pub id: String,
    pub producer_id: i64,
    pub producer_epoch: i16,
    pub partitions: Vec<(String, i32)>,
    pub add: bool,
}

/// Asks leaders to write how a transaction ended into their partitions.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Marking {
    pub marker: TxnMarker,
    /// Of `transaction.version`.
    pub version: i8,
    pub partitions: Vec<(String, i32)>,
}

impl Core {
    /// The answer for each partition; the same for all where the coordinator is not reached.
    pub(crate) async fn ask_to_vouch(
        self: &Rc<Self>,
        node: NodeId,
        vouching: Vouching,
        count: usize,
    ) -> Vec<ErrorCode> {
        match self.ask_question(node, Question::Vouch(vouching), PEER_ANSWER_TIME_MAX).await {
            Ok(Reply::Codes(codes)) if codes.len() == count => from_wire(&codes),
            _ => vec![ErrorCode::CoordinatorNotAvailable; count],
        }
    }

    pub(super) async fn vouch(self: &Rc<Self>, vouching: Vouching) -> Vec<i16> {
        let Vouching { id, producer_id, producer_epoch, partitions, add } = vouching;
        let producer = Producer {
            id: thalweg_protocol::ProducerId(producer_id),
            epoch: thalweg_protocol::ProducerEpoch(producer_epoch),
        };
        let count = partitions.len();
        let named: Vec<_> = partitions.into_iter().map(|(topic, index)| (name(topic), index)).collect();
        let partitions: Vec<_> = named.iter().map(|(topic, index)| transactions::partition(topic, *index)).collect();
        let codes = if add {
            let code = transactions::add_partitions(self, &id, producer, partitions, TransactionVersion::V2).await;
            vec![code; count]
        } else {
            transactions::verify_partitions(self, &id, producer, partitions).await
        };
        codes.iter().map(|code| code.code()).collect()
    }

    /// Has another node write a marker into partitions that it leads; the answers are in the partitions' order.
    pub(crate) async fn ask_to_mark(self: &Rc<Self>, node: NodeId, marking: Marking) -> Vec<Result<(), ErrorCode>> {
        let count = marking.partitions.len();
        match self.ask_question(node, Question::Mark(marking), PEER_ANSWER_TIME_MAX).await {
            Ok(Reply::Codes(codes)) if codes.len() == count => from_wire(&codes).into_iter().map(result).collect(),
            _ => vec![Err(ErrorCode::NotLeaderOrFollower); count],
        }
    }

    pub(super) async fn mark(self: &Rc<Self>, marking: Marking) -> Vec<i16> {
        let Marking { marker, version, partitions } = marking;
        let image = self.image();
        let mut codes = vec![ErrorCode::UnknownTopicOrPartition; partitions.len()];
        let mut by_owner = BTreeMap::<CoreId, Vec<(usize, GroupId)>>::new();
        for (slot, (topic, index)) in partitions.iter().enumerate() {
            if let Some(info) = image.topic(topic).and_then(|topic| topic.partition(PartitionIndex(*index))) {
                by_owner.entry(self.owner(info.group)).or_default().push((slot, info.group));
            }
        }
        let written = by_owner.into_iter().map(|(owner, groups)| {
            self.on(owner, move |core| async move {
                let ends = groups.into_iter().map(|(slot, group)| {
                    let core = Rc::clone(&core);
                    async move { (slot, core.end_transaction(group, marker, version).await) }
                });
                future::join_all(ends).await
            })
        });
        for (slot, ended) in future::join_all(written).await.into_iter().flatten().flatten() {
            if let Some(code) = codes.get_mut(slot) {
                *code = ended.err().unwrap_or(ErrorCode::None);
            }
        }
        codes.iter().map(|code| code.code()).collect()
    }
}

fn name(topic: String) -> TopicName {
    TopicName(StrBytes::from_string(topic))
}

fn from_wire(codes: &[i16]) -> Vec<ErrorCode> {
    codes.iter().map(|code| ErrorCode::from_code(*code).unwrap_or(ErrorCode::UnknownServerError)).collect()
}

fn result(code: ErrorCode) -> Result<(), ErrorCode> {
    if code == ErrorCode::None { Ok(()) } else { Err(code) }
}
