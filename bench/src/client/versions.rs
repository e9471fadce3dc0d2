//! Which versions of which APIs a broker serves.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use anyhow::{Context, Result, bail};
use thalweg_protocol::StrBytes;
use thalweg_protocol::messages::{ApiKey, ApiVersionsRequest};

use super::cluster::check;
use super::wire::Connection;

/// Served by every Kafka from 2.4 on.
const API_VERSIONS_VERSION: i16 = 3;

/// What one broker answered to ApiVersions.
#[derive(Clone, PartialEq, Debug, Default)]
pub(crate) struct Versions {
    peer: String,
    served: BTreeMap<i16, RangeInclusive<i16>>,
    /// Finalized features and their levels.
    features: BTreeMap<String, i16>,
}

impl Versions {
    pub(crate) fn ask(connection: &mut Connection) -> Result<Self> {
        let request = ApiVersionsRequest::default()
            .with_client_software_name(StrBytes::from_static_str("thalweg-bench"))
            .with_client_software_version(StrBytes::from_static_str(env!("CARGO_PKG_VERSION")));
        let answer = connection.call(&request, API_VERSIONS_VERSION)?;
        check("ApiVersions", answer.error_code)?;
        let served = answer.api_keys.iter();
        let features = answer.finalized_features.iter();
        Ok(Self {
            peer: connection.peer().to_owned(),
            served: served.map(|api| (api.api_key, api.min_version..=api.max_version)).collect(),
            features: features.map(|feature| (feature.name.to_string(), feature.max_version_level)).collect(),
        })
    }

    /// The newest version that both sides know.
    pub(crate) fn pick(&self, api: ApiKey, ours: RangeInclusive<i16>) -> Result<i16> {
        let theirs = self.served.get(&(api as i16)).with_context(|| format!("{} does not serve {api:?}", self.peer))?;
        let newest = *ours.end().min(theirs.end());
        if newest < *ours.start().max(theirs.start()) {
            bail!("{} serves versions {theirs:?} of {api:?}, this program speaks {ours:?}", self.peer);
        }
        Ok(newest)
    }

    /// Whether all producers use the newer transactions (KIP-890), in which a Produce request adds its partitions itself.
    pub(crate) fn transactions_v2(&self) -> bool {
        self.features.get("transaction.version").is_some_and(|level| *level >= 2)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn the_newest_common_version_is_spoken() {
        let served = BTreeMap::from([(ApiKey::Fetch as i16, 4..=13)]);
        let mut versions = Versions { peer: "h:1".to_owned(), served, features: BTreeMap::new() };
        assert_eq!(versions.pick(ApiKey::Fetch, 7..=17).unwrap(), 13);
        assert_eq!(versions.pick(ApiKey::Fetch, 2..=9).unwrap(), 9);
        let error = versions.pick(ApiKey::Fetch, 14..=17).unwrap_err().to_string();
        assert!(error.contains("4..=13") && error.contains("14..=17"), "{error}");
        assert!(versions.pick(ApiKey::EndTxn, 0..=1).unwrap_err().to_string().contains("h:1 does not serve EndTxn"));
        assert!(!versions.transactions_v2());
        versions.features.insert("transaction.version".to_owned(), 2);
        assert!(versions.transactions_v2());
    }
}
