//! IncrementalAlterConfigs: v0-1 (KIP-339)
//!
//! Behaviour: sets, deletes, appends to and subtracts from single settings; all of a resource or nothing of it.

use std::collections::HashMap;

use thalweg_protocol::StrBytes;
use thalweg_protocol::error::ErrorCode;
use thalweg_protocol::messages::incremental_alter_configs_request::AlterConfigsResource;
use thalweg_protocol::messages::{IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse};

use super::configs::{self, Wish};
use super::creation::Refused;
use super::twins::Altered;
use crate::config::alter::{AlterOp, Alteration};
use crate::dispatch::Context;

pub async fn handle(context: Context, request: IncrementalAlterConfigsRequest) -> IncrementalAlterConfigsResponse {
    let mut named: HashMap<(i8, StrBytes), usize> = HashMap::new();
    for resource in &request.resources {
        *named.entry((resource.resource_type, resource.resource_name.clone())).or_default() += 1;
    }
    let mut responses = Vec::with_capacity(request.resources.len());
    for resource in &request.resources {
        let twice =
            named.get(&(resource.resource_type, resource.resource_name.clone())).is_some_and(|count| *count > 1);
        let result = if twice {
            Err(Refused::new(ErrorCode::InvalidRequest, "Each resource must appear at most once."))
        } else {
            alter(&context, resource, request.validate_only).await
        };
        let (resource_type, resource_name) = (resource.resource_type, resource.resource_name.clone());
        responses.push(Altered { resource_type, resource_name, result }.into());
    }
    IncrementalAlterConfigsResponse::default().with_responses(responses)
}

async fn alter(context: &Context, resource: &AlterConfigsResource, validate_only: bool) -> Result<(), Refused> {
    let found = configs::find(context, resource.resource_type, &resource.resource_name)?;
    let mut alterations = Vec::with_capacity(resource.configs.len());
    for config in &resource.configs {
        alterations.push(Alteration {
            name: config.name.to_string(),
            op: AlterOp::from_wire(config.config_operation)?,
            value: config.value.as_ref().map(StrBytes::to_string),
        });
    }
    configs::change(context, found, Wish::Alter(alterations), validate_only).await
}
