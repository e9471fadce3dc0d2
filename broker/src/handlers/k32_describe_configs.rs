//! DescribeConfigs: v1-4
//!
//! Version notes:
//! - v1 synonyms (KIP-226), v3 types and documentation (KIP-569)

use thalweg_protocol::StrBytes;
use thalweg_protocol::messages::describe_configs_request::DescribeConfigsResource;
use thalweg_protocol::messages::describe_configs_response::{
    DescribeConfigsResourceResult, DescribeConfigsResult, DescribeConfigsSynonym,
};
use thalweg_protocol::messages::{DescribeConfigsRequest, DescribeConfigsResponse};

use super::configs;
use crate::config::describe::{Described, Wanted};
use crate::dispatch::Context;

pub async fn handle(context: Context, request: DescribeConfigsRequest) -> DescribeConfigsResponse {
    let results = request.resources.iter().map(|resource| {
        let keys: Option<Vec<String>> =
            resource.configuration_keys.as_ref().map(|keys| keys.iter().map(StrBytes::to_string).collect());
        let wanted = Wanted {
            keys: keys.as_deref(),
            synonyms: request.include_synonyms,
            documentation: request.include_documentation,
        };
        describe(&context, resource, wanted)
    });
    let results = results.collect();
    DescribeConfigsResponse::default().with_results(results)
}

fn describe(context: &Context, resource: &DescribeConfigsResource, wanted: Wanted<'_>) -> DescribeConfigsResult {
    let result = DescribeConfigsResult::default()
        .with_resource_type(resource.resource_type)
        .with_resource_name(resource.resource_name.clone());
    match configs::find(context, resource.resource_type, &resource.resource_name) {
        Ok(found) => result.with_configs(configs::describe(context, &found, wanted).into_iter().map(entry).collect()),
        Err(refused) => {
            result.with_error_code(refused.code.code()).with_error_message(Some(StrBytes::from_string(refused.message)))
        }
    }
}

fn entry(described: Described) -> DescribeConfigsResourceResult {
    let synonyms = described.synonyms.into_iter().map(|synonym| {
        DescribeConfigsSynonym::default()
            .with_name(StrBytes::from_string(synonym.name))
            .with_value(synonym.value.map(StrBytes::from_string))
            .with_source(synonym.source as i8)
    });
    DescribeConfigsResourceResult::default()
        .with_synonyms(synonyms.collect())
        .with_name(StrBytes::from_string(described.name))
        .with_value(described.value.map(StrBytes::from_string))
        .with_read_only(described.read_only)
        .with_config_source(described.source as i8)
        .with_is_sensitive(described.sensitive)
        .with_config_type(described.config_type)
        .with_documentation(described.documentation.map(StrBytes::from_static_str))
}
