//! Which APIs and versions can be decoded at all. What a broker *serves* is its dispatch table's affair.

use kafka_protocol::protocol::VersionRange;

use crate::messages::ApiKey;

/// The versions of an API that this crate can read and write: from Kafka 4's oldest to the newest of Kafka 4.3 where that
/// is served by brokers.
pub fn known_versions(api: ApiKey) -> VersionRange {
    let versions = api.valid_versions();
    match api {
        // Unstable in Kafka 4.3 still (KIP-939).
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
    fn the_newest_versions_are_those_of_kafka_4_3() {
        assert_eq!(known_api(22, 6), None);
        for (key, version) in [(2, 11), (8, 10), (9, 10), (27, 2), (35, 5), (78, 2), (79, 2), (88, 0), (89, 0), (90, 1)]
        {
            assert!(known_api(key, version).is_some(), "API {key} version {version}");
            assert_eq!(known_api(key, version + 1), None, "API {key} version {}", version + 1);
        }
    }
}
