//! Latency by percentile, as HdrHistogram's own tools print and plot it, in microseconds.

use std::fmt::Write as _;

use anyhow::{Context, Result};
use hdrhistogram::Histogram;

use crate::result::{Latency, RunResult};

/// Of all steps together: of the first flow's first latency, a producer's from when a record was due.
pub(crate) fn hgrm(result: &RunResult) -> Result<String> {
    let mut all = Latency::empty()?;
    for step in &result.steps {
        let flow = step.flows.first().context("nothing was measured")?;
        let name = ["latency", "end_to_end", "fetch"].into_iter().find_map(|name| flow.latencies.get(name));
        all.add(&name.context("a flow has no latency")?.histogram()?)?;
    }
    Ok(distribution(&all))
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
pub(super) fn distribution(of: &Histogram<u64>) -> String {
    let mut text = format!("{:>12} {:>14} {:>10} {:>14}\n\n", "Value", "Percentile", "TotalCount", "1/(1-Percentile)");
    for step in of.iter_quantiles(5) {
        let (value, quantile) = (step.value_iterated_to() as f64 / 1000.0, step.quantile_iterated_to());
        let count = of.count_between(0, step.value_iterated_to());
        let _ = if quantile < 1.0 {
            writeln!(text, "{value:>12.3} {quantile:>14.12} {count:>10} {:>14.2}", 1.0 / (1.0 - quantile))
        } else {
            writeln!(text, "{value:>12.3} {quantile:>14.12} {count:>10}")
        };
    }
    let (mean, deviation) = (of.mean() / 1000.0, of.stdev() / 1000.0);
    let _ = writeln!(text, "#[Mean    = {mean:>12.3}, StdDeviation   = {deviation:>12.3}]");
    let _ = writeln!(text, "#[Max     = {:>12.3}, Total count    = {:>12}]", of.max() as f64 / 1000.0, of.len());
    let _ = writeln!(text, "#[Buckets = {:>12}, SubBuckets     = {:>12}]", of.buckets(), 2048);
    text
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

    use super::*;

    #[test]
    fn a_distribution_reads_back_as_what_was_recorded() {
        let mut histogram = Latency::empty().unwrap();
        (1..=10_000).for_each(|us| histogram.record(us * 1000).unwrap());
        let text = distribution(&histogram);
        let (head, rest) = text.split_once("\n\n").unwrap();
        assert_eq!(head, "       Value     Percentile TotalCount 1/(1-Percentile)");
        let (rows, notes): (Vec<&str>, Vec<&str>) = rest.lines().partition(|line| !line.starts_with('#'));
        assert!(notes[1].contains("Total count    =        10000]") && notes.len() == 3, "{notes:?}");
        let mut before = 0.0;
        for row in &rows[..rows.len() - 1] {
            let fields: Vec<f64> = row.split_whitespace().map(|field| field.parse().unwrap()).collect();
            let [value, percentile, count, nines] = fields[..] else { panic!("{row}") };
            assert!((value - percentile * 10_000.0).abs() <= 15.0 || percentile == 0.0, "{row}");
            assert!((count - value).abs() <= 10.0 && value >= before, "{row}");
            assert!((nines * (1.0 - percentile) - 1.0).abs() < 0.01, "{row}");
            before = value;
        }
        let last: Vec<&str> = rows[rows.len() - 1].split_whitespace().collect();
        assert_eq!((last.len(), last[1], last[2]), (3, "1.000000000000", "10000"));
        assert!(rows.len() > 20, "{text}");
    }
}
