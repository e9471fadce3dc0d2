//! PushTelemetry: v0 (KIP-714)
//!
//! Behaviour: takes a client's metrics, compressed or not, as OpenTelemetry's protobuf. They are kept until the client has
//! been silent for three intervals, and `GET /metrics` shows them. What is no such message is INVALID_RECORD, as from
//! Kafka's plugin.

use thalweg_protocol::messages::{PushTelemetryRequest, PushTelemetryResponse};

use super::k71_get_telemetry_subscriptions::about;
use crate::dispatch::Context;
use crate::telemetry::Push;

pub async fn handle(context: Context, request: PushTelemetryRequest) -> PushTelemetryResponse {
    let core = &context.core;
    let subscriptions = &core.image().client_metrics;
    let push = Push {
        id: request.client_instance_id,
        subscription_id: request.subscription_id,
        terminating: request.terminating,
        compression: request.compression_type,
        metrics: &request.metrics,
        size_max_bytes: core.config().telemetry_max_bytes,
    };
    let pushed = core.shared.telemetry.push(subscriptions, about(&context, push.id), &push, core.now());
    PushTelemetryResponse::default().with_error_code(pushed.err().map_or(0, |code| code.code()))
}
