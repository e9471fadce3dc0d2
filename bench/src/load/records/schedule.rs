//! When each record is to be sent: a schedule that nothing delays.
//!
//! An open loop measures from here. A broker that stalls does not slow the schedule down: what should have been sent
//! meanwhile is late, and its latency says so (no coordinated omission).

use crate::load::plan::Plan;

/// One step's records: a rate that is reached after a ramp and then held.
#[derive(Clone, Copy, PartialEq, Debug)]
struct Piece {
    /// Number of its first record.
    first: u64,
    begins_ns: u64,
    records_per_ns: f64,
    ramp_ns: f64,
}

/// The records of all producers together, numbered from 0.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Schedule {
    pieces: Vec<Piece>,
    /// How many there are in all.
    records: u64,
    /// The piece that the last record asked for lies in: numbers are asked for in order.
    at: usize,
}

impl Schedule {
    /// `None` in a closed loop.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "2^53 records are not sent in one run"
    )]
    pub(crate) fn new(plan: &Plan, ramp_ns: u64) -> Option<Self> {
        let mut pieces = Vec::new();
        let mut first = 0;
        for (step, stretch) in plan.stretches().iter().enumerate() {
            let records_per_ns = stretch.rate? as f64 / 1e9;
            let ramp_ns = if step == 0 { ramp_ns as f64 } else { 0.0 };
            let length_ns = (stretch.ends_ns - stretch.begins_ns) as f64;
            pieces.push(Piece { first, begins_ns: stretch.begins_ns, records_per_ns, ramp_ns });
            // Half of the ramp is lost. What falls onto the end by rounding belongs to the next.
            first += (((length_ns - ramp_ns / 2.0) * records_per_ns) - 1e-6).ceil() as u64;
        }
        Some(Self { pieces, records: first, at: 0 })
    }

    /// When this record is due; `None` behind the last one.
    pub(crate) fn due_ns(&mut self, number: u64) -> Option<u64> {
        if number >= self.records {
            return None;
        }
        while self.pieces.get(self.at + 1).is_some_and(|next| next.first <= number) {
            self.at += 1;
        }
        self.pieces.get(self.at).map(|piece| piece.due_ns(number))
    }
}

impl Piece {
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "2^53 records are not sent in one run, and a run has fewer nanoseconds"
    )]
    fn due_ns(&self, number: u64) -> u64 {
        let number = (number - self.first) as f64;
        // While it rises, the rate's integral is a parabola; behind it half of the ramp is lost.
        let in_ramp = self.records_per_ns * self.ramp_ns / 2.0;
        let since_ns = if number < in_ramp {
            (2.0 * self.ramp_ns * number / self.records_per_ns).sqrt()
        } else {
            self.ramp_ns / 2.0 + number / self.records_per_ns
        };
        self.begins_ns + since_ns as u64
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::load::plan::SECOND_NS;
    use crate::load::scenario::{Produce, Scenario};

    const MS: u64 = 1_000_000;

    fn schedule(steps: &[u64], ramp_s: u64) -> Schedule {
        let produce = Produce { steps: steps.to_vec(), ..Produce::default() };
        let scenario =
            Scenario { warmup_s: 20, settle_s: 1, duration_s: 10, produce: Some(produce), ..Scenario::default() };
        Schedule::new(&Plan::new(&scenario), ramp_s * SECOND_NS).unwrap()
    }

    #[test]
    fn a_held_rate_is_evenly_spaced() {
        let mut schedule = schedule(&[1000], 0);
        let due: Vec<_> = [0, 1, 5000, 29_999, 30_000].map(|number| schedule.due_ns(number)).into();
        assert_eq!(due, [Some(0), Some(MS), Some(5000 * MS), Some(29_999 * MS), None]);
    }

    #[test]
    fn a_ramp_sends_half_and_goes_over_without_a_jump() {
        let mut schedule = schedule(&[1000], 10);
        let mut due = |number| schedule.due_ns(number).unwrap();
        assert!(due(1250).abs_diff(5000 * MS) < 1000, "a quarter of the records in half of the time");
        assert!(due(4999) < due(5000));
        assert_eq!(due(5000), 10_000 * MS, "the end of the ramp");
        assert_eq!(due(6000), 11_000 * MS);
        assert_eq!((due(24_999), schedule.due_ns(25_000)), (29_999 * MS, None));
    }

    #[test]
    fn steps_follow_each_other_with_their_own_rates() {
        let mut schedule = schedule(&[1000, 300], 0);
        let mut due = |number| schedule.due_ns(number);
        assert_eq!(due(29_999), Some(29_999 * MS));
        assert_eq!(due(30_000), Some(30_000 * MS), "the second step begins");
        assert_eq!(due(30_003), Some(30_010 * MS));
        assert_eq!(due(33_300), None);
    }

    #[test]
    fn a_closed_loop_has_no_schedule() {
        let scenario = Scenario { produce: Some(Produce::default()), ..Scenario::default() };
        assert_eq!(Schedule::new(&Plan::new(&scenario), 0), None);
    }
}
