//! When each record is to be sent: a schedule that nothing delays.
//!
//! An open loop measures from here. A broker that stalls does not slow the schedule down: what should have been sent
//! meanwhile is late, and its latency says so (no coordinated omission).

use std::time::Duration;

/// A rate that is reached after a ramp and then held.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Pace {
    records_per_second: f64,
    ramp_seconds: f64,
}

impl Pace {
    pub(crate) fn new(records_per_second: f64, ramp: Duration) -> Self {
        Self { records_per_second, ramp_seconds: ramp.as_secs_f64() }
    }

    /// When record `number` (from 0) is due, counted from the beginning.
    #[expect(clippy::cast_precision_loss, reason = "2^53 records are not sent in one run")]
    pub(crate) fn due(&self, number: u64) -> Duration {
        let (number, ramp) = (number as f64, self.ramp_seconds);
        // While it rises, the rate's integral is a parabola; behind it half of the ramp is lost.
        let in_ramp = self.records_per_second * ramp / 2.0;
        let seconds = if number < in_ramp {
            (2.0 * ramp * number / self.records_per_second).sqrt()
        } else {
            ramp / 2.0 + number / self.records_per_second
        };
        Duration::from_secs_f64(seconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_held_rate_is_evenly_spaced() {
        let pace = Pace::new(1000.0, Duration::ZERO);
        assert_eq!(pace.due(0), Duration::ZERO);
        assert_eq!(pace.due(1), Duration::from_millis(1));
        assert_eq!(pace.due(5000), Duration::from_secs(5));
    }

    #[test]
    fn a_ramp_sends_half_and_goes_over_without_a_jump() {
        let pace = Pace::new(1000.0, Duration::from_secs(10));
        assert_eq!(pace.due(5000), Duration::from_secs(10), "the end of the ramp");
        assert_eq!(pace.due(6000), Duration::from_secs(11));
        assert!(pace.due(4999) < pace.due(5000));
        // A quarter of the records in half of the time.
        assert!(pace.due(1250).abs_diff(Duration::from_secs(5)) < Duration::from_micros(1));
    }
}
