//! When partitions could not be written to, as producers saw it.

use std::time::Duration;

use serde::Serialize;

/// A time, in seconds since the run began, in which at least one partition waited for at least one producer.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
pub(crate) struct Outage {
    pub(crate) from_s: f64,
    pub(crate) to_s: f64,
}

/// Times that overlap are one: with every addition, so that memory does not grow with producers and partitions.
#[derive(Default, Debug)]
pub(crate) struct Outages(Vec<(Duration, Duration)>);

/// Kept one by one; later ones extend the last.
const KEPT_MAX: usize = 10_000;

impl Outages {
    pub(crate) fn add(&mut self, mut from: Duration, mut to: Duration) {
        self.0.retain(|(begin, end)| {
            let apart = *end < from || to < *begin;
            if !apart {
                (from, to) = (from.min(*begin), to.max(*end));
            }
            apart
        });
        if self.0.len() >= KEPT_MAX {
            from = from.min(self.0.pop().map_or(from, |(begin, _)| begin));
        }
        self.0.push((from, to));
    }

    pub(crate) fn list(&self) -> Vec<Outage> {
        let mut all = self.0.clone();
        all.sort();
        all.iter().map(|(from, to)| Outage { from_s: from.as_secs_f64(), to_s: to.as_secs_f64() }).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_overlaps_is_one() {
        let mut outages = Outages::default();
        for (from, to) in [(10, 12), (1, 2), (11, 15), (3, 4), (2, 3), (20, 21)] {
            outages.add(Duration::from_secs(from), Duration::from_secs(to));
        }
        let expected = [(1.0, 4.0), (10.0, 15.0), (20.0, 21.0)];
        assert_eq!(outages.list(), expected.map(|(from_s, to_s)| Outage { from_s, to_s }));
    }
}
