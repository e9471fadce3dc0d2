//! AddOffsetsToTxn: v0-4
//!
//! Behaviour: adds the partition of `__consumer_offsets` that a group belongs to, so that the transaction's end reaches the
//! offsets that TxnOffsetCommit writes there. Clients of transactions V2 do not send it: TxnOffsetCommit adds it.
//!
//! Version notes:
//! - v2 PRODUCER_FENCED (KIP-588), v4 TRANSACTION_ABORTABLE (KIP-890)

use thalweg_protocol::error::ErrorCode;
use thalweg_protocol::messages::{AddOffsetsToTxnRequest, AddOffsetsToTxnResponse};
use thalweg_protocol::{ProducerEpoch, ProducerId, StrBytes};

use super::groups::OFFSETS_TOPIC;
use super::{coordinators, transactions};
use crate::coordinator::transaction::{Producer, TopicPartition, TransactionVersion};
use crate::dispatch::Context;

pub async fn handle(context: Context, request: AddOffsetsToTxnRequest) -> AddOffsetsToTxnResponse {
    let code = add(&context, &request).await;
    let code = transactions::fenced_as_known(code, context.version >= 2);
    AddOffsetsToTxnResponse::default().with_error_code(code.code())
}

async fn add(context: &Context, request: &AddOffsetsToTxnRequest) -> ErrorCode {
    // The group's coordinator is looked for only after this: its topic may be still to be made.
    if let Err(code) = coordinators::ensure_topic(context, OFFSETS_TOPIC).await {
        return code;
    }
    let Some((index, _)) = coordinators::partition_of(&context.core, OFFSETS_TOPIC, &request.group_id.0) else {
        return ErrorCode::CoordinatorNotAvailable;
    };
    let producer = Producer { id: ProducerId(request.producer_id.0), epoch: ProducerEpoch(request.producer_epoch) };
    let partition = TopicPartition { topic: StrBytes::from_static_str(OFFSETS_TOPIC), index };
    let id = request.transactional_id.0.as_str();
    transactions::add_partitions(&context.core, id, producer, vec![partition], TransactionVersion::V0).await
}
