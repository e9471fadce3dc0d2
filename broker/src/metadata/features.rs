//! The features of Kafka 4.3 and their levels (KIP-584, KIP-1022).
//!
//! Only `group.version`, `transaction.version` and `share.version` change what this broker does. The others say what a client
//! may expect of a Kafka of this version; the APIs that are served are what ApiVersions lists.

/// What a client of transactions V2 looks for.
pub const TRANSACTION_VERSION: &str = "transaction.version";
/// Whether groups of KIP-848 are served.
pub const GROUP_VERSION: &str = "group.version";
/// Whether share groups are served.
pub const SHARE_VERSION: &str = "share.version";
pub const METADATA_VERSION: &str = "metadata.version";
pub const KRAFT_VERSION: &str = "kraft.version";

/// A feature and the levels of it that this version knows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Feature {
    pub name: &'static str,
    pub min: i16,
    pub max: i16,
    /// The level of a new cluster.
    pub initial: i16,
    /// What level 1 depends on.
    pub requires: Option<(&'static str, i16)>,
}

const fn feature(name: &'static str, min: i16, max: i16) -> Feature {
    Feature { name, min, max, initial: max, requires: None }
}

/// `metadata.version` 4.0-IV1, before which there were no eligible leader replicas.
const ELIGIBLE_LEADER_REPLICAS_SINCE: i16 = 23;

/// By name, with the levels that Kafka 4.3.1 shows of a new cluster.
pub static SUPPORTED: &[Feature] = &[
    Feature {
        requires: Some((METADATA_VERSION, ELIGIBLE_LEADER_REPLICAS_SINCE)),
        ..feature("eligible.leader.replicas.version", 0, 1)
    },
    feature(GROUP_VERSION, 0, 1),
    feature(KRAFT_VERSION, 0, 1),
    // 3.3-IV3 to 4.3-IV0.
    feature(METADATA_VERSION, 7, 30),
    feature(SHARE_VERSION, 0, 1),
    feature("streams.version", 0, 1),
    feature(TRANSACTION_VERSION, 0, 2),
];

/// The feature of this name.
pub fn find(name: &str) -> Option<&'static Feature> {
    SUPPORTED.iter().find(|feature| feature.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_order_and_every_level_is_supported() {
        assert!(SUPPORTED.is_sorted_by(|a, b| a.name < b.name));
        for Feature { min, max, initial, requires, .. } in SUPPORTED {
            assert!(min <= initial && initial <= max);
            assert!(requires.is_none_or(|(name, level)| find(name).is_some_and(|feature| feature.max >= level)));
        }
    }
}
