//! What the load generator is asked for, as its scenario file says it.

use std::collections::BTreeMap;

use serde::Serialize;

#[derive(Clone, Debug, Serialize)]
pub(super) struct Scenario {
    pub(super) name: String,
    pub(super) bootstrap: String,
    pub(super) warmup_s: u64,
    pub(super) duration_s: u64,
    pub(super) topics: Topics,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) produce: Option<Produce>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) tail: Option<Consume>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) catch_up: Option<Consume>,
}

/// An existing one: topics are created beforehand.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Topics {
    pub(super) name: String,
    pub(super) create: bool,
    pub(super) config: BTreeMap<String, String>,
}

/// What is not said here is as the generator does it by default, which is as Kafka's own producer does it.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Produce {
    pub(super) producers: u32,
    /// None: as many as the broker takes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) rate: Option<u64>,
    pub(super) size: u64,
    pub(super) keys: Keys,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Keys {
    None,
    Uniform,
}

#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Consume {
    pub(super) consumers: u32,
}

impl Produce {
    /// Records without keys: a batch goes to one partition.
    pub(super) fn of(size: u64, rate: Option<u64>) -> Self {
        Self { producers: 2, rate, size, keys: Keys::None }
    }

    /// Records with keys that are spread over all partitions: many small batches.
    pub(super) fn keyed(size: u64, rate: Option<u64>) -> Self {
        Self { keys: Keys::Uniform, ..Self::of(size, rate) }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn a_section_that_is_not_asked_for_is_not_there() {
        let scenario = Scenario {
            name: "x".to_owned(),
            bootstrap: "h:1".to_owned(),
            warmup_s: 1,
            duration_s: 2,
            topics: Topics { name: "t".to_owned(), create: false, config: BTreeMap::new() },
            produce: Some(Produce::keyed(100, Some(50))),
            tail: None,
            catch_up: None,
        };
        let text = toml::to_string(&scenario).unwrap();
        let read: toml::Table = text.parse().unwrap();
        assert!(!read.contains_key("tail") && !read.contains_key("catch_up"), "{text}");
        let produce = read.get("produce").unwrap();
        assert_eq!(produce.get("rate").unwrap().as_integer(), Some(50), "{text}");
        assert_eq!(produce.get("keys").unwrap().as_str(), Some("uniform"), "{text}");
    }
}
