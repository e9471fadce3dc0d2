//! ListConfigResources: v0-1
//!
//! Behaviour: the names of what has settings, of the types asked for; without any, of all types there are.
//!
//! Version notes:
//! - v0 is KIP-1000's ListClientMetricsResources: subscriptions to clients' metrics alone
//! - v1 all types (KIP-1142)

use std::collections::BTreeSet;

use thalweg_protocol::StrBytes;
use thalweg_protocol::error::ErrorCode;
use thalweg_protocol::messages::list_config_resources_response::ConfigResource;
use thalweg_protocol::messages::{ListConfigResourcesRequest, ListConfigResourcesResponse};

use super::configs::{BROKER, BROKER_LOGGER, CLIENT_METRICS, GROUP, TOPIC};
use crate::dispatch::Context;

pub async fn handle(context: Context, request: ListConfigResourcesRequest) -> ListConfigResourcesResponse {
    let wanted: BTreeSet<i8> = match (context.version, request.resource_types.is_empty()) {
        (0, _) => BTreeSet::from([CLIENT_METRICS]),
        (_, true) => BTreeSet::from([TOPIC, BROKER, BROKER_LOGGER, CLIENT_METRICS, GROUP]),
        (_, false) => request.resource_types.into_iter().collect(),
    };
    let mut resources = Vec::new();
    for kind in wanted {
        let Some(names) = names(&context, kind) else {
            return ListConfigResourcesResponse::default().with_error_code(ErrorCode::UnsupportedVersion.code());
        };
        let named = names.into_iter().map(|name| {
            ConfigResource::default().with_resource_name(StrBytes::from_string(name)).with_resource_type(kind)
        });
        resources.extend(named);
    }
    ListConfigResourcesResponse::default().with_config_resources(resources)
}

/// `None` for types that have no resources to list.
fn names(context: &Context, kind: i8) -> Option<Vec<String>> {
    let image = context.core.image();
    Some(match kind {
        TOPIC => image.topics.keys().map(|name| name.to_string()).collect(),
        BROKER | BROKER_LOGGER => image.brokers.keys().map(i32::to_string).collect(),
        CLIENT_METRICS => image.client_metrics.keys().map(|name| name.to_string()).collect(),
        // Groups have no settings of their own yet.
        GROUP => Vec::new(),
        _ => return None,
    })
}
