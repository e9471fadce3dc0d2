//! GetTelemetrySubscriptions: v0 (KIP-714)
//!
//! Behaviour: which metrics are wanted of this client, from the CLIENT_METRICS resources that fit it, and how often it is
//! to push them. A client without an id is given one. Kafka offers this only where a plugin takes the metrics; here
//! `GET /metrics` always does.

use thalweg_protocol::StrBytes;
use thalweg_protocol::messages::{GetTelemetrySubscriptionsRequest, GetTelemetrySubscriptionsResponse};
use thalweg_protocol::records::Compression;

use crate::dispatch::Context;
use crate::telemetry::About;

pub async fn handle(context: Context, request: GetTelemetrySubscriptionsRequest) -> GetTelemetrySubscriptionsResponse {
    let core = &context.core;
    let subscriptions = &core.image().client_metrics;
    let id = request.client_instance_id;
    let id = if id.is_nil() { uuid::Uuid::new_v4() } else { id };
    match core.shared.telemetry.get(subscriptions, id, about(&context, id), core.now()) {
        Ok(wanted) => GetTelemetrySubscriptionsResponse::default()
            .with_client_instance_id(id)
            .with_subscription_id(wanted.subscription_id)
            .with_accepted_compression_types(accepted())
            .with_push_interval_ms(wanted.interval_ms)
            .with_telemetry_max_bytes(i32::try_from(core.config().telemetry_max_bytes).unwrap_or(i32::MAX))
            .with_delta_temporality(true)
            .with_requested_metrics(wanted.metrics.into_iter().map(StrBytes::from_string).collect()),
        Err(code) => GetTelemetrySubscriptionsResponse::default().with_error_code(code.code()),
    }
}

/// In Kafka's order of preference (`ClientMetricsManager.SUPPORTED_COMPRESSION_TYPES`).
fn accepted() -> Vec<i8> {
    [Compression::Zstd, Compression::Lz4, Compression::Gzip, Compression::Snappy].map(|codec| codec.id() as i8).into()
}

/// Who asks, as far as the connection tells.
pub fn about(context: &Context, id: uuid::Uuid) -> About {
    let peer = &context.peer;
    let software = peer.software();
    let client_id = context.client_id.as_ref().map_or("", |id| id.as_str());
    About::new(id, client_id, (&software.name, &software.version), peer.address)
}
