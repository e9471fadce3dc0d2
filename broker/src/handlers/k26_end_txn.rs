//! EndTxn: v0-5
//!
//! Behaviour: answered as soon as the decision is durable; the markers follow.
//!
//! Version notes:
//! - v2 PRODUCER_FENCED (KIP-588), v4 TRANSACTION_ABORTABLE
//! - v5 transactions V2: the answer names the producer id and epoch to go on with (KIP-890)

use thalweg_protocol::error::ErrorCode;
use thalweg_protocol::messages::{EndTxnRequest, EndTxnResponse, ProducerId as MessageProducerId};
use thalweg_protocol::{ProducerEpoch, ProducerId};

use super::transactions;
use crate::coordinator::transaction::{Producer, Response, TransactionVersion};
use crate::dispatch::Context;

pub async fn handle(context: Context, request: EndTxnRequest) -> EndTxnResponse {
    match end(&context, &request).await {
        Ok(producer) => EndTxnResponse::default()
            .with_producer_id(MessageProducerId(producer.id.0))
            .with_producer_epoch(producer.epoch.0),
        Err(code) => {
            let code = transactions::fenced_as_known(code, context.version >= 2);
            EndTxnResponse::default()
                .with_error_code(code.code())
                .with_producer_id(MessageProducerId(-1))
                .with_producer_epoch(-1)
        }
    }
}

async fn end(context: &Context, request: &EndTxnRequest) -> Result<Producer, ErrorCode> {
    let version = if context.version > 4 { TransactionVersion::V2 } else { TransactionVersion::V0 };
    let producer = Producer { id: ProducerId(request.producer_id.0), epoch: ProducerEpoch(request.producer_epoch) };
    let (id, commit) = (request.transactional_id.0.as_str(), request.committed);
    let of = id.to_owned();
    let asked = transactions::ask(&context.core, id, move |shard, token, now| {
        shard.end(&of, producer, commit, version, token, now)
    });
    match asked.await? {
        Response::Ended(result) => result,
        _ => Err(ErrorCode::UnknownServerError),
    }
}
