//! A latency's distribution: a few percentiles to read, and the whole histogram to go on with.

use anyhow::{Context, Result, anyhow};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Deserializer, Serializer as _, V2DeflateSerializer};
use serde::{Deserialize, Serialize};

/// Nothing counts as longer.
const LONGEST_NS: u64 = 3_600_000_000_000;

/// Durations in microseconds.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Percentiles {
    pub(crate) mean: f64,
    pub(crate) p50: f64,
    pub(crate) p90: f64,
    pub(crate) p99: f64,
    pub(crate) p999: f64,
    pub(crate) p9999: f64,
    pub(crate) max: f64,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct Latency {
    pub(crate) count: u64,
    pub(crate) us: Percentiles,
    /// Of nanoseconds, three digits exact, in HdrHistogram's compressed V2 form as base64.
    pub(crate) histogram: String,
}

impl Latency {
    /// An empty histogram that takes any duration, in nanoseconds.
    pub(crate) fn empty() -> Result<Histogram<u64>> {
        Ok(Histogram::new_with_bounds(1, LONGEST_NS, 3)?)
    }

    pub(crate) fn of(histogram: &Histogram<u64>) -> Result<Self> {
        let mut bytes = Vec::new();
        V2DeflateSerializer::new()
            .serialize(histogram, &mut bytes)
            .map_err(|error| anyhow!("a histogram cannot be written: {error}"))?;
        Ok(Self { count: histogram.len(), us: percentiles(histogram), histogram: STANDARD.encode(bytes) })
    }

    /// The whole distribution, to merge or to plot.
    pub(crate) fn histogram(&self) -> Result<Histogram<u64>> {
        let bytes = STANDARD.decode(&self.histogram).context("a histogram is not base64")?;
        Deserializer::new()
            .deserialize(&mut bytes.as_slice())
            .map_err(|error| anyhow!("a histogram cannot be read: {error}"))
    }
}

fn percentiles(of: &Histogram<u64>) -> Percentiles {
    let at = |quantile| micros(of.value_at_quantile(quantile));
    Percentiles {
        mean: (of.mean() / 100.0).round() / 10.0,
        p50: at(0.5),
        p90: at(0.9),
        p99: at(0.99),
        p999: at(0.999),
        p9999: at(0.9999),
        max: micros(of.max()),
    }
}

#[expect(clippy::cast_precision_loss, reason = "an hour in nanoseconds is far below 2^53")]
pub(crate) fn micros(nanoseconds: u64) -> f64 {
    (nanoseconds as f64 / 100.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn a_histogram_comes_back_whole_and_adds_up() {
        let mut one = Latency::empty().unwrap();
        (1..=1000).for_each(|micros| one.record(micros * 1000).unwrap());
        let kept = Latency::of(&one).unwrap();
        assert_eq!((kept.count, kept.us.max), (1000, 1000.4));
        let mut both = kept.histogram().unwrap();
        assert_eq!(both, one);
        both.add(&one).unwrap();
        assert_eq!(Latency::of(&both).unwrap().us.p50, kept.us.p50);
        assert!(Latency { histogram: "%".to_owned(), ..kept }.histogram().is_err());
    }
}
