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
    Ok(print(&all))
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn print(of: &Histogram<u64>) -> String {
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
