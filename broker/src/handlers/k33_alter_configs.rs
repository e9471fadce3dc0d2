//! AlterConfigs: v0-2
//!
//! Behaviour: what is named is all that is set from then on (the incremental API replaced this one, KIP-339).

use thalweg_protocol::StrBytes;
use thalweg_protocol::messages::{AlterConfigsRequest, AlterConfigsResponse};

use super::configs::{self, Wish};
use super::twins::Altered;
use crate::dispatch::Context;

pub async fn handle(context: Context, request: AlterConfigsRequest) -> AlterConfigsResponse {
    let mut responses = Vec::with_capacity(request.resources.len());
    for resource in &request.resources {
        let entries = resource
            .configs
            .iter()
            .map(|config| (config.name.to_string(), config.value.as_ref().map(StrBytes::to_string)));
        let wish = Wish::Replace(entries.collect());
        let result = match configs::find(&context, resource.resource_type, &resource.resource_name) {
            Ok(found) => configs::change(&context, found, wish, request.validate_only).await,
            Err(refused) => Err(refused),
        };
        let (resource_type, resource_name) = (resource.resource_type, resource.resource_name.clone());
        responses.push(Altered { resource_type, resource_name, result }.into());
    }
    AlterConfigsResponse::default().with_responses(responses)
}
