//! How long this machine holds up a thread that nothing should hold up: one for each core, which sleeps half a millisecond
//! at a time. At real-time priority what it finds is the host's doing, and is in every latency that is measured meanwhile.

use std::io::Write as _;
use std::sync::mpsc::{Sender, channel};
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::host::{allowed_cores, keep_to, now_s};

const NAP: Duration = Duration::from_micros(500);
/// What is less is the kernel's timer, or another real-time thread.
const LEAST: Duration = Duration::from_millis(1);

#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    #[arg(long, default_value_t = 60)]
    seconds: u64,
}

/// Prints a line for each: when it ended, in seconds since 1970, and how long it was, in milliseconds.
pub(crate) fn run(args: &Args) -> Result<()> {
    let deadline = Instant::now() + Duration::from_secs(args.seconds);
    let (found, stalls) = channel();
    for core in allowed_cores()? {
        let found = found.clone();
        std::thread::spawn(move || watch(core, deadline, &found));
    }
    drop(found);
    let mut out = std::io::stdout().lock();
    for (at_s, ms) in stalls {
        writeln!(out, "{at_s:.6}\t{ms:.3}")?;
        out.flush()?;
    }
    Ok(())
}

fn watch(core: usize, deadline: Instant, found: &Sender<(f64, f64)>) {
    if keep_to(&[core]).is_err() {
        return;
    }
    while Instant::now() < deadline {
        let began = Instant::now();
        std::thread::sleep(NAP);
        let late = began.elapsed().saturating_sub(NAP);
        if late >= LEAST && found.send((now_s(), late.as_secs_f64() * 1000.0)).is_err() {
            return;
        }
    }
}
