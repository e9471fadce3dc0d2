//! Which partitions to move, as the command line names them.

use std::collections::{BTreeMap, BTreeSet};

/// `TOPIC`, or `TOPIC:0,2`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Scope {
    topic: String,
    /// `None`: all.
    partitions: Option<BTreeSet<i32>>,
}

pub(crate) fn parse(text: &str) -> Result<Scope, String> {
    let (topic, partitions) = match text.split_once(':') {
        None => (text, None),
        Some((topic, list)) => (topic, Some(list.split(',').map(index).collect::<Result<_, _>>()?)),
    };
    if topic.is_empty() {
        return Err("a topic is missing".to_owned());
    }
    Ok(Scope { topic: topic.to_owned(), partitions })
}

fn index(text: &str) -> Result<i32, String> {
    let index = text.trim().parse().ok().filter(|index: &i32| *index >= 0);
    index.ok_or_else(|| format!("`{text}` is no partition; expected TOPIC or TOPIC:0,1"))
}

/// Topics, each with its partitions; who names a topic once without partitions wants all of it.
pub(crate) fn merge(scopes: &[Scope]) -> BTreeMap<String, Option<BTreeSet<i32>>> {
    let mut merged: BTreeMap<String, Option<BTreeSet<i32>>> = BTreeMap::new();
    for scope in scopes {
        let partitions = merged.entry(scope.topic.clone()).or_insert_with(|| Some(BTreeSet::new()));
        *partitions = match (partitions.take(), &scope.partitions) {
            (Some(known), Some(more)) => Some(known.union(more).copied().collect()),
            _ => None,
        };
    }
    merged
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::{merge, parse};

    #[test]
    fn topics_with_and_without_partitions() {
        let scopes: Vec<_> = ["a:1,0", "b:2", "a:3", "b"].into_iter().map(|text| parse(text).unwrap()).collect();
        let merged = merge(&scopes);
        let expected = BTreeMap::from([("a".to_owned(), Some(BTreeSet::from([0, 1, 3]))), ("b".to_owned(), None)]);
        assert_eq!(merged, expected);
        for bad in ["", ":1", "a:", "a:x", "a:-1", "a:1,,2"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
