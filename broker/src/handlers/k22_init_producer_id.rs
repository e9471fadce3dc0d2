//! InitProducerId: v0-5
//!
//! Behaviour: ids for producers, from blocks that the controller hands out, so that no id is ever given twice. With a
//! transactional id its coordinator answers: the epoch is raised, which fences whoever had the id before, and a transaction
//! that is ongoing is aborted first (CONCURRENT_TRANSACTIONS: ask again).
//!
//! v6 (two-phase commit, KIP-939) is unstable in Kafka 4.3 and not served.
//!
//! Version notes:
//! - v3 takes the producer's present id and epoch (KIP-360)
//! - v4 PRODUCER_FENCED, v5 transactions V2 (KIP-890)

use thalweg_protocol::error::ErrorCode;
use thalweg_protocol::messages::{InitProducerIdRequest, InitProducerIdResponse, ProducerId as MessageProducerId};
use thalweg_protocol::{ProducerEpoch, ProducerId};

use super::creation::Refused;
use super::transactions;
use crate::coordinator::transaction::{Producer, Response};
use crate::dispatch::Context;

pub async fn handle(context: Context, request: InitProducerIdRequest) -> InitProducerIdResponse {
    let response = InitProducerIdResponse::default();
    match produce_id(&context, &request).await {
        Ok(Producer { id, epoch }) => response.with_producer_id(MessageProducerId(id.0)).with_producer_epoch(epoch.0),
        Err(code) => response
            .with_error_code(transactions::fenced_as_known(code, context.version >= 4).code())
            .with_producer_id(MessageProducerId(-1))
            .with_producer_epoch(-1),
    }
}

async fn produce_id(context: &Context, request: &InitProducerIdRequest) -> Result<Producer, ErrorCode> {
    let (id, epoch) = (request.producer_id.0, request.producer_epoch);
    if (id == -1) != (epoch == -1) || id < -1 || epoch < -1 {
        return Err(ErrorCode::InvalidRequest);
    }
    let Some(transactional_id) = &request.transactional_id else {
        // There is nobody to fence: as Kafka, a fresh id is given in any case.
        let id = context.core.next_producer_id().await.map_err(|error| Refused::from(error).code)?;
        return Ok(Producer { id, epoch: ProducerEpoch(0) });
    };
    let expected = (id != -1).then_some(Producer { id: ProducerId(id), epoch: ProducerEpoch(epoch) });
    let (of, timeout_ms) = (transactional_id.0.to_string(), request.transaction_timeout_ms);
    let asked = transactions::ask(&context.core, &transactional_id.0, move |shard, token, now| {
        shard.init_producer_id(&of, timeout_ms, expected, token, now)
    });
    match asked.await? {
        Response::Init(result) => result,
        _ => Err(ErrorCode::UnknownServerError),
    }
}
