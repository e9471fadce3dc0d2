//! The loads of a comparison. What is not said here is as the generator does it by default, which is as Kafka's own
//! producer and consumer do it.

use crate::load::scenario::{Consume, Keys, Produce};

/// Records without keys: a batch goes to one partition. Without a rate, as many as the broker takes.
pub(super) fn plain(size: u32, rate: Option<u64>) -> Produce {
    Produce { producers: 2, rate, size: Some(size), ..Produce::default() }
}

/// Records with keys that are spread over all partitions: many small batches.
pub(super) fn keyed(size: u32, rate: Option<u64>) -> Produce {
    Produce { keys: Keys::Uniform, ..plain(size, rate) }
}

/// A reader of everything.
pub(super) fn one_reader() -> Consume {
    Consume::default()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::load::scenario::{Scenario, Topics};

    fn scenario() -> Scenario {
        Scenario {
            name: "x".to_owned(),
            bootstrap: "h:1".to_owned(),
            warmup_s: 1,
            duration_s: 2,
            topics: Topics { name: "t".to_owned(), create: false, ..Topics::default() },
            produce: Some(keyed(100, Some(50))),
            ..Scenario::default()
        }
    }

    #[test]
    fn a_section_that_is_not_asked_for_is_not_there() {
        let text = toml::to_string(&scenario()).unwrap();
        let read: toml::Table = text.parse().unwrap();
        assert!(!read.contains_key("tail") && !read.contains_key("catch_up"), "{text}");
        let produce = read.get("produce").unwrap();
        assert_eq!(produce.get("rate").unwrap().as_integer(), Some(50), "{text}");
        assert_eq!(produce.get("keys").unwrap().as_str(), Some("uniform"), "{text}");
    }

    #[test]
    fn the_generator_reads_what_it_is_given() {
        let text = toml::to_string(&Scenario { tail: Some(one_reader()), ..scenario() }).unwrap();
        let read = Scenario::parse(&text).unwrap().checked().unwrap();
        assert_eq!(read.produce.unwrap().sizes.first().map(|size| size.bytes), Some(100), "{text}");
        assert_eq!((read.tail.unwrap().consumers, read.topics.create), (1, false), "{text}");
    }
}
