//! Topic settings that Kafka keeps undocumented, for tests.

use crate::config::schema::{Check::Any, ConfigKey, DefaultValue::Unset, Use::Used, keys};

pub(super) const KEYS: &[ConfigKey] = keys! {
    internal = true;
    "internal.segment.bytes": Int = Unset, Any, Medium, ClusterWide, Used;
        "Overrides `segment.bytes`, below its least value too."
};
