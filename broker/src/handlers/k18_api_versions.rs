//! ApiVersions: v0-4
//!
//! Behaviour: answers from the one table in `dispatch`. A version we do not know is answered in v0 with
//! UNSUPPORTED_VERSION and the whole table, so that any client can come down to what we speak (KIP-511).
//!
//! Version notes:
//! - v3 is flexible and carries the client's software name, which must be well-formed; its response header stays v0
//! - v4 lists features with minimum version 0 (KIP-584)

use bytes::Bytes;
use futures::FutureExt as _;
use futures::future::{self, LocalBoxFuture};
use thalweg_protocol::error::ErrorCode;
use thalweg_protocol::messages::api_versions_response::{ApiVersion, FinalizedFeatureKey, SupportedFeatureKey};
use thalweg_protocol::messages::{ApiVersionsRequest, ApiVersionsResponse};
use thalweg_protocol::{StrBytes, announced_versions};

use crate::dispatch::{APIS, Answer, Context, decode, encode};
use crate::metadata::ClusterImage;
use crate::metadata::features::{self, Feature};
use crate::net::Software;

pub fn start(context: Context, mut body: Bytes) -> LocalBoxFuture<'static, Answer> {
    let answer = match decode::<ApiVersionsRequest>(&context, &mut body) {
        Err(close) => close,
        Ok(request) => {
            let code = if well_formed(&request, context.version) { ErrorCode::None } else { ErrorCode::InvalidRequest };
            if context.version >= 3 && code == ErrorCode::None {
                context.peer.introduce(Software {
                    name: request.client_software_name.to_string(),
                    version: request.client_software_version.to_string(),
                });
            }
            encode(context.correlation_id, context.version, &response(&context, code))
        }
    };
    future::ready(answer).boxed_local()
}

/// The answer to a version that is not ours.
pub async fn unsupported(context: Context) -> Answer {
    encode(context.correlation_id, 0, &response(&context, ErrorCode::UnsupportedVersion))
}

fn response(context: &Context, code: ErrorCode) -> ApiVersionsResponse {
    let keys = APIS.iter().map(|api| {
        let versions = announced_versions(api.key, api.versions);
        ApiVersion::default().with_api_key(api.key as i16).with_min_version(versions.min).with_max_version(versions.max)
    });
    let image = context.core.image();
    ApiVersionsResponse::default()
        .with_error_code(code.code())
        .with_api_keys(keys.collect())
        .with_supported_features(supported(context.version))
        .with_finalized_features_epoch(i64::try_from(image.version).unwrap_or(i64::MAX))
        .with_finalized_features(finalized(&image))
}

/// Older clients stop at a least level of 0: for them such features do not exist (KAFKA-17011).
fn supported(version: i16) -> Vec<SupportedFeatureKey> {
    let shown = features::SUPPORTED.iter().filter(|feature| version >= 4 || feature.min > 0);
    let key = |feature: &Feature| {
        SupportedFeatureKey::default()
            .with_name(StrBytes::from_static_str(feature.name))
            .with_min_version(feature.min)
            .with_max_version(feature.max)
    };
    shown.map(key).collect()
}

/// The levels that everybody goes by; a level of 0 is the same as none.
fn finalized(image: &ClusterImage) -> Vec<FinalizedFeatureKey> {
    let levels = features::SUPPORTED.iter().map(|feature| (feature.name, image.feature(feature.name)));
    let key = |(name, level)| {
        let key = FinalizedFeatureKey::default().with_name(StrBytes::from_static_str(name));
        key.with_min_version_level(level).with_max_version_level(level)
    };
    levels.filter(|(_, level)| *level > 0).map(key).collect()
}

/// Kafka's rule for software names and versions (`ApiVersionsRequest.SOFTWARE_NAME_VERSION_PATTERN`).
fn well_formed(request: &ApiVersionsRequest, version: i16) -> bool {
    version < 3 || [&request.client_software_name, &request.client_software_version].iter().all(|text| matches(text))
}

/// `[a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])?`
fn matches(text: &str) -> bool {
    let ends_well = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = text.as_bytes();
    ends_well(bytes.first())
        && ends_well(bytes.last())
        && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.'))
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn software_names() {
        for good in ["apache-kafka-java", "a", "4.3.1", "librdkafka"] {
            assert!(matches(good), "{good}");
        }
        for bad in ["", "-a", "a-", "a b", "a_b"] {
            assert!(!matches(bad), "{bad}");
        }
    }
}
