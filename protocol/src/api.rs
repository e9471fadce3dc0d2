//! Which APIs and versions can be decoded at all. What a broker *serves* is its dispatch table's affair.

use kafka_protocol::messages::ApiKey;
use kafka_protocol::protocol::VersionRange;

/// The versions of an API that this crate can read and write: from Kafka 4's oldest to the newest of the message types.
pub fn known_versions(api: ApiKey) -> VersionRange {
    let versions = api.valid_versions();
    match api {
        // The newest version of these was unstable when the message types were generated: they list it and have only
        // its response. Kafka 4.3 serves topic ids in OffsetCommit and OffsetFetch (version 10, KIP-848's follow-up),
        // and still not InitProducerId 6 (KIP-939).
        ApiKey::OffsetCommit | ApiKey::OffsetFetch => VersionRange { max: 9, ..versions },
        ApiKey::InitProducerId => VersionRange { max: 5, ..versions },
        _ => versions,
    }
}

/// The versions that an ApiVersions response names for an API of which `served` is served.
///
/// They differ for Produce alone: librdkafka before 2.8.1 takes a missing Produce v0 to mean that the broker predates
/// record compression, so Kafka 4 announces v0 and up while it refuses v0 to v2 (KAFKA-18659,
/// `ApiKeys.PRODUCE_API_VERSIONS_RESPONSE_MIN_VERSION`).
pub fn announced_versions(api: ApiKey, served: VersionRange) -> VersionRange {
    match api {
        ApiKey::Produce => VersionRange { min: 0, max: served.max },
        _ => served,
    }
}

/// The API and version, if they can be decoded.
pub fn known_api(api_key: i16, api_version: i16) -> Option<ApiKey> {
    let api = ApiKey::try_from(api_key).ok()?;
    let versions = known_versions(api);
    (versions.min <= api_version && api_version <= versions.max).then_some(api)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn produce_is_announced_from_version_0_and_served_from_3() {
        let served = known_versions(ApiKey::Produce);
        assert_eq!(announced_versions(ApiKey::Produce, served), VersionRange { min: 0, max: served.max });
        assert_eq!(known_api(0, 2), None);
        assert_eq!(known_api(0, 3), Some(ApiKey::Produce));
        let fetch = known_versions(ApiKey::Fetch);
        assert_eq!(announced_versions(ApiKey::Fetch, fetch), fetch);
    }

    #[test]
    fn versions_that_only_the_responses_have_are_unknown() {
        assert_eq!(known_api(8, 10), None);
        assert_eq!(known_api(9, 10), None);
        assert_eq!(known_api(22, 6), None);
        assert_eq!(known_api(9, 9), Some(ApiKey::OffsetFetch));
    }
}
