//! From values to places on an axis, and the round values that are written beside it.

use crate::report::units::{count, digits, duration};

/// What an axis shows, and so how its values are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Unit {
    Microseconds,
    PerSecond,
    Seconds,
    /// 1/(1-p), as HdrHistogram's plots have it: each decade is one nine more.
    Nines,
}

impl Unit {
    pub(super) fn label(self, value: f64) -> String {
        match self {
            Self::Microseconds => duration(value),
            Self::PerSecond => count(value),
            Self::Seconds => digits(value),
            Self::Nines => percentile(value),
        }
    }
}

/// `99.9 %` of 1000.
fn percentile(nines: f64) -> String {
    let places = (nines.log10().round() - 2.0).clamp(0.0, 12.0);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 12")]
    let places = places as usize;
    format!("{:.places$} %", 100.0 - 100.0 / nines)
}

#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Scale {
    log: bool,
    low: f64,
    high: f64,
}

impl Scale {
    /// Holds all values; from zero when they come near it.
    pub(super) fn linear(low: f64, high: f64) -> Self {
        let low = if low > 0.0 && low < high * 0.7 { 0.0 } else { low };
        let high = if high > low { high } else { low + 1.0 };
        let step = round_step(high - low);
        Self { log: false, low: (low / step).floor() * step, high: (high / step).ceil() * step }
    }

    /// Holds all values, which are greater than zero; ends at one, two or five of a power of ten.
    pub(super) fn log(low: f64, high: f64) -> Self {
        let below = mantissas(low).rev().find(|round| *round <= low * 1.000_001).unwrap_or(low);
        let above = mantissas(high).find(|round| *round >= high * 0.999_999).unwrap_or(high);
        Self { log: true, low: below, high: if above > below { above } else { below * 10.0 } }
    }

    /// With the ends as they are.
    pub(super) fn exact(log: bool, low: f64, high: f64) -> Self {
        Self { log, low, high: if high > low { high } else { low + 1.0 } }
    }

    /// 0 at the axis' beginning, 1 at its end.
    pub(super) fn place(self, value: f64) -> f64 {
        let on = |value: f64| if self.log { value.log10() } else { value };
        (on(value) - on(self.low)) / (on(self.high) - on(self.low))
    }

    pub(super) fn ticks(self) -> Vec<f64> {
        let inside = |tick: &f64| (self.low * 0.999_999..=self.high * 1.000_001).contains(tick);
        if !self.log {
            let step = round_step(self.high - self.low);
            let first = (self.low / step).ceil();
            return (0..20).map(|n| (first + f64::from(n)) * step).filter(|t| *t <= self.high + step * 1e-6).collect();
        }
        // Decades alone would leave a short axis bare.
        let every = if self.high / self.low > 2000.0 { 3 } else { 1 };
        let (first, last) = (decade(self.low), decade(self.high));
        let all = (first..=last).flat_map(|exponent| [1.0, 2.0, 5.0].map(|m| m * 10f64.powi(exponent)));
        all.enumerate().filter(|(at, tick)| at % every == 0 && inside(tick)).map(|(_, tick)| tick).collect()
    }
}

#[expect(clippy::cast_possible_truncation, reason = "a finite number's decade is between -400 and 400")]
fn decade(value: f64) -> i32 {
    (value.log10() + 1e-9).floor() as i32
}

/// The round values around one, in order.
fn mantissas(value: f64) -> impl DoubleEndedIterator<Item = f64> {
    let exponent = decade(value);
    [(1.0, 0), (2.0, 0), (5.0, 0), (1.0, 1)].into_iter().map(move |(m, more)| m * 10f64.powi(exponent + more))
}

/// One, two or five of a power of ten, so that about six fit.
fn round_step(span: f64) -> f64 {
    let rough = span / 6.0;
    mantissas(rough).find(|step| *step >= rough).unwrap_or(rough)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_linear_axis_has_round_ticks_and_holds_its_values() {
        let scale = Scale::linear(130.0, 970.0);
        assert_eq!(scale.ticks(), [0.0, 200.0, 400.0, 600.0, 800.0, 1000.0]);
        assert_eq!((scale.place(0.0), scale.place(500.0), scale.place(1000.0)), (0.0, 0.5, 1.0));
        assert_eq!(Scale::linear(-5.0, 30.0).ticks(), [-10.0, 0.0, 10.0, 20.0, 30.0]);
        assert_eq!(Scale::linear(7.0, 7.0).ticks().first(), Some(&7.0));
    }

    #[test]
    fn a_logarithmic_axis_has_round_ends_and_a_tick_for_each_decade() {
        let scale = Scale::log(130.0, 970_000.0);
        assert_eq!(scale.ticks(), [1e2, 1e3, 1e4, 1e5, 1e6]);
        assert!((scale.place(1e4) - 0.5).abs() < 1e-9);
        assert_eq!(Scale::log(150.0, 900.0).ticks(), [100.0, 200.0, 500.0, 1000.0]);
        assert_eq!(Scale::log(100.0, 100.0).ticks(), [100.0, 200.0, 500.0, 1000.0]);
    }

    #[test]
    fn nines_are_written_as_percentiles() {
        let labels = [1.0, 2.0, 10.0, 100.0, 1000.0, 1e5].map(|nines| Unit::Nines.label(nines));
        assert_eq!(labels, ["0 %", "50 %", "90 %", "99 %", "99.9 %", "99.999 %"]);
    }
}
