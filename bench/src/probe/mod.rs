//! What the device and the host take by themselves: the floor under every broker on this machine.

mod device;
#[cfg_attr(not(test), expect(dead_code, reason = "the measurements are about to fill it in"))]
mod file;
mod limits;
mod loopback;
#[cfg_attr(not(test), expect(dead_code, reason = "the measurements are about to fill it in"))]
mod verdict;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Result;

pub(crate) use self::file::Micros;
pub(crate) use self::limits::Limits;
use crate::summary::{Output, Timings, print};

#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// A directory on the device to measure; needs 64 MiB, which are given back
    dir: PathBuf,
    /// Durable writes, one at a time
    #[arg(long, default_value_t = 5000, value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    writes: u64,
    /// Loopback round trips, one at a time
    #[arg(long, default_value_t = 20_000, value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    round_trips: u64,
    /// Ends each of the three measurements after so long, with what was measured until then
    #[arg(long, default_value_t = 30)]
    seconds: u64,
    #[command(flatten)]
    output: Output,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let mut file = device::ZeroedFile::create(&args.dir)?;
    let writes = timed(args.writes, args.seconds, || file.write_block())?;
    let mut echo = loopback::Echo::start(|| Ok(()))?;
    let trips = timed(args.round_trips, args.seconds, || echo.round_trip())?;
    echo.stop()?;
    // A broker's floor: what a request takes whose answer waits for one durable write. Percentiles do not add up, so
    // this is measured and not computed.
    let mut echo = loopback::Echo::start(move || file.write_block())?;
    let both = timed(args.writes, args.seconds, || echo.round_trip())?;
    echo.stop()?;
    let summaries = [
        writes.summary("device: durable 4 KiB write"),
        trips.summary("loopback: round trip of 150 B and 60 B"),
        both.summary("floor: round trip with that write in between"),
    ];
    print(args.output, &summaries)
}

/// A tenth of `count` unmeasured, then `count` measured, within `seconds`.
fn timed(count: u64, seconds: u64, mut act: impl FnMut() -> Result<()>) -> Result<Timings> {
    let mut timings = Timings::new()?;
    let deadline = Instant::now() + Duration::from_secs(seconds);
    let warmup = count / 10;
    for done in 0..warmup + count {
        let began = Instant::now();
        act()?;
        if done >= warmup {
            timings.record(began.elapsed());
        }
        if Instant::now() > deadline {
            eprintln!("thalweg-bench: a measurement stopped at its limit of {seconds} s");
            break;
        }
    }
    Ok(timings)
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
    fn time_bounds_a_measurement() {
        let slow = || {
            std::thread::sleep(Duration::from_millis(1));
            Ok(())
        };
        assert!(timed(1_000_000, 0, slow).unwrap().summary("x").count <= 1);
    }

    #[test]
    fn a_missing_directory_is_named() {
        let error = device::ZeroedFile::create(std::path::Path::new("/nonexistent/x")).err().unwrap();
        assert!(format!("{error:#}").contains("/nonexistent/x"), "{error:#}");
    }
}
