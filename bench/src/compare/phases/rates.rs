//! Produce latency at fixed rates, shares of what a system takes at most: an open loop.
//!
//! Ours is offered the shares of every other system's maximum, each other one those of its own.

use anyhow::Result;

use super::throughput;
use crate::compare::results::Metrics;
use crate::compare::scenario::plain;
use crate::compare::session::Session;
use crate::compare::systems::Kind;
use crate::result::Role;

pub(super) fn run(session: &mut Session<'_>) -> Result<()> {
    session.warm_up()?;
    session.create("rates", 6, &[])?;
    for (case, rate) in cases(session)? {
        let scenario = session.scenario("rates", "rates", plain(1024, Some(rate)));
        let done = session.load(&scenario)?;
        #[expect(clippy::cast_precision_loss, reason = "a rate")]
        let mut metrics: Metrics = vec![("offered_s".to_owned(), rate as f64)];
        metrics.extend(done.throughput(Role::Produce, ""));
        metrics.extend(done.latency(Role::Produce, "latency", ""));
        metrics.extend(done.refused());
        metrics.extend(done.cost());
        session.row("rates", &case, metrics)?;
    }
    Ok(())
}

fn cases(session: &mut Session<'_>) -> Result<Vec<(String, u64)>> {
    let title = |of: &str, rate: u64| format!("1 KiB, 6 partitions, acks=all, {of}{rate} records/s");
    if !session.bench.rates.is_empty() {
        return Ok(session.bench.rates.iter().map(|rate| (title("", *rate), *rate)).collect());
    }
    let mut cases = Vec::new();
    for (name, maximum) in maxima(session)? {
        for percent in &session.bench.sizes.rate_percents {
            let rate = share(maximum, *percent);
            cases.push((title(&format!("{percent} % of {name}'s maximum, "), rate), rate));
        }
    }
    Ok(cases)
}

/// Whose shares this system is offered.
fn maxima(session: &mut Session<'_>) -> Result<Vec<(String, f64)>> {
    let own = session.system.name.clone();
    if session.system.kind() == Some(Kind::Thalweg) {
        let others: Vec<_> = session.bench.maxima.iter().filter(|(name, _)| *name != own).cloned().collect();
        if !others.is_empty() {
            return Ok(others);
        }
    }
    Ok(vec![(own, throughput::maximum(session)?)])
}

/// In whole hundreds of records per second.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "a rate")]
fn share(maximum: f64, percent: u64) -> u64 {
    ((maximum * percent as f64 / 10_000.0).round() as u64).max(1) * 100
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_share_is_in_whole_hundreds_and_never_nothing() {
        assert_eq!(super::share(18_731.0, 70), 13_100);
        assert_eq!(super::share(10.0, 1), 100);
    }
}
