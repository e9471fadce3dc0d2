//! What a request takes at least whose answer waits for one durable write.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Result;

use super::file::{Cell, Measure};
use super::measure::{bytes_s, rounded};
use super::stop::Stop;
use super::{device, loopback};
use crate::summary::{Summary, Timings};

/// Percentiles do not add up, so the third is measured and not computed.
pub(super) struct Floor {
    write: Summary,
    round_trip: (Summary, Duration),
    both: (Summary, Duration),
}

impl Floor {
    /// So many of each, or as many as `time` allows.
    pub(super) fn measure(dir: &Path, writes: u64, trips: u64, time: Duration, stop: &Stop) -> Result<Self> {
        let mut file = device::ZeroedFile::create(dir, stop)?;
        let (write, _) = timed(writes, time, stop, || file.write_block())?;
        let mut echo = loopback::Echo::start(|| Ok(()))?;
        let (round_trip, trips_took) = timed(trips, time, stop, || echo.round_trip())?;
        echo.stop()?;
        let mut echo = loopback::Echo::start(move || file.write_block())?;
        let both = timed(writes, time, stop, || echo.round_trip());
        // First the server ends, and the file is removed.
        echo.stop()?;
        let (both, both_took) = both?;
        Ok(Self {
            write: write.summary("device: durable 4 KiB write"),
            round_trip: (round_trip.summary("loopback: round trip of 150 B and 60 B"), trips_took),
            both: (both.summary("floor: round trip with that write in between"), both_took),
        })
    }

    pub(super) fn summaries(self) -> [Summary; 3] {
        [self.write, self.round_trip.0, self.both.0]
    }

    /// The write by itself is among the device's cells.
    pub(super) fn cells(self) -> [Cell; 2] {
        let trip_bytes = (loopback::REQUEST_LEN + loopback::RESPONSE_LEN) as u64;
        [cell(Measure::LoopbackRoundTrip, trip_bytes, self.round_trip), cell(Measure::Floor, 4096, self.both)]
    }
}

fn cell(measure: Measure, size_bytes: u64, (summary, took): (Summary, Duration)) -> Cell {
    let seconds = took.as_secs_f64().max(1e-9);
    Cell {
        measure,
        extent: None,
        durable: None,
        size_bytes,
        depth: 1,
        count: summary.count,
        seconds: rounded(seconds, 1e6),
        bytes_s: bytes_s(summary.count, size_bytes, seconds),
        us: Some(summary.into()),
    }
}

/// A tenth of `count`, or of `time`, unmeasured, then `count` measured, within `time`; and how long those that were measured took.
fn timed(count: u64, time: Duration, stop: &Stop, mut act: impl FnMut() -> Result<()>) -> Result<(Timings, Duration)> {
    let (mut timings, mut took) = (Timings::new()?, Duration::ZERO);
    let (start, warmup) = (Instant::now(), count / 10);
    for done in 0..warmup + count {
        stop.check()?;
        let began = Instant::now();
        act()?;
        if done >= warmup || began - start > time / 10 {
            let one = began.elapsed();
            timings.record(one);
            took += one;
        }
        if start.elapsed() > time {
            eprintln!("thalweg-bench: a measurement stopped at its limit of {} s", time.as_secs());
            break;
        }
    }
    Ok((timings, took))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn a_loopback_server_answers_every_request_and_passes_its_error_on() {
        let mut served = 0;
        let mut echo = loopback::Echo::start(move || {
            served += 1;
            if served > 10 {
                anyhow::bail!("the eleventh")
            }
            Ok(())
        })
        .unwrap();
        for _ in 0..10 {
            echo.round_trip().unwrap();
        }
        echo.round_trip().unwrap_err();
        assert!(echo.stop().unwrap_err().to_string().contains("the eleventh"));
    }

    #[test]
    fn a_stream_arrives_whole() {
        let (pieces, took) = loopback::stream(1000, Duration::from_millis(5)).unwrap();
        assert!(pieces > 0 && took >= Duration::from_millis(5));
    }

    #[test]
    fn time_bounds_a_measurement() {
        let slow = || {
            std::thread::sleep(Duration::from_millis(1));
            Ok(())
        };
        let (timings, _) = timed(1_000_000, Duration::ZERO, &Stop::default(), slow).unwrap();
        assert!(timings.summary("x").count <= 1);
    }

    #[test]
    fn an_interrupted_floor_leaves_nothing_behind() {
        let dir = tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR")).unwrap();
        let stop = Stop::default();
        stop.raise();
        assert!(Floor::measure(dir.path(), 1, 1, Duration::from_secs(1), &stop).is_err());
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_missing_directory_is_named() {
        let error = device::ZeroedFile::create(Path::new("/nonexistent/x"), &Stop::default()).err().unwrap();
        assert!(format!("{error:#}").contains("/nonexistent/x"), "{error:#}");
    }
}
