//! InitProducerId: v0-5
//!
//! Behaviour: ids for idempotent producers, from blocks that the controller hands out, so that no id is ever given twice.
//! A producer that names its id and epoch gets the next epoch of the same id (KIP-360). Transactional ids are not served
//! yet and refused.
//!
//! Version notes:
//! - v3 takes the producer's present id and epoch (KIP-360)
//! - v4 PRODUCER_FENCED, v5 transactions V2 (KIP-890)

use thalweg_protocol::error::ErrorCode;
use thalweg_protocol::messages::{InitProducerIdRequest, InitProducerIdResponse, ProducerId};

use super::creation::Refused;
use crate::controller::{Command, Outcome};
use crate::dispatch::Context;
use crate::limits::PRODUCER_ID_BLOCK_SIZE;

pub async fn handle(context: Context, request: InitProducerIdRequest) -> InitProducerIdResponse {
    match produce_id(&context, &request).await {
        Ok((id, epoch)) => {
            InitProducerIdResponse::default().with_producer_id(ProducerId(id)).with_producer_epoch(epoch)
        }
        Err(code) => InitProducerIdResponse::default()
            .with_error_code(code.code())
            .with_producer_id(ProducerId(-1))
            .with_producer_epoch(-1),
    }
}

async fn produce_id(context: &Context, request: &InitProducerIdRequest) -> Result<(i64, i16), ErrorCode> {
    match &request.transactional_id {
        Some(id) if id.0.is_empty() => return Err(ErrorCode::InvalidRequest),
        Some(_) => return Err(ErrorCode::CoordinatorNotAvailable),
        None => {}
    }
    let (id, epoch) = (request.producer_id.0, request.producer_epoch);
    if (id == -1) != (epoch == -1) || id < -1 || epoch < -1 {
        return Err(ErrorCode::InvalidRequest);
    }
    // Without a transactional id there is nobody to fence: as Kafka, a fresh id is given in any case.
    let id = next_id(context).await.map_err(|refused| refused.code)?;
    Ok((id, 0))
}

/// The next id of this core's block; a new block when that is used up.
async fn next_id(context: &Context) -> Result<i64, Refused> {
    let core = &context.core;
    let ids = core.producer_ids.get();
    if ids.start < ids.end {
        core.producer_ids.set(crate::reactor::IdBlock { start: ids.start + 1, end: ids.end });
        return Ok(ids.start);
    }
    let node_id = core.shared.config.node_id.0;
    let allocate = Command::AllocateProducerIds { node_id, count: PRODUCER_ID_BLOCK_SIZE };
    match core.change(allocate).await? {
        Outcome::ProducerIds(first) => {
            let block = crate::reactor::IdBlock { start: first + 1, end: first + PRODUCER_ID_BLOCK_SIZE };
            core.producer_ids.set(block);
            Ok(first)
        }
        Outcome::Done => Err(Refused::new(ErrorCode::UnknownServerError, "the controller handed out no ids")),
    }
}
