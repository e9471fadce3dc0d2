//! What is read beside a load: processor time, memory, and how much else the machine did.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};

use super::interrupt::Interrupt;
use super::stalls::{Stalled, Stalls, Watch};
use crate::host::{allowed_cores, keep_to, now_s, seconds, used_ticks};

const INTERVAL: Duration = Duration::from_millis(100);

/// Processor time (user and system, all threads) that a process has used, in seconds.
pub(super) fn cpu_s(pid: u32) -> Option<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    used_ticks(&stat).map(seconds)
}

pub(super) fn rss_mib(pid: u32) -> Option<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: f64 = line.trim().trim_end_matches(" kB").parse().ok()?;
    Some(kib / 1024.0)
}

/// The cores that are measured on.
#[derive(Clone, Debug)]
pub(super) struct Cores(pub(super) Vec<usize>);

impl Cores {
    /// Busy time of these cores, in seconds: everything that is not idle or waiting for a device.
    fn busy_s(&self) -> Option<f64> {
        let stat = std::fs::read_to_string("/proc/stat").ok()?;
        let of = |core: &usize| {
            let line = stat.lines().find(|line| line.split(' ').next() == Some(&format!("cpu{core}")))?;
            let ticks: Vec<u64> = line.split(' ').skip(1).map(|field| field.parse().unwrap_or(0)).collect();
            // user, nice, system, irq, softirq, steal
            Some([0, 1, 2, 5, 6, 7].iter().filter_map(|at| ticks.get(*at)).sum::<u64>())
        };
        self.0.iter().map(of).sum::<Option<u64>>().map(seconds)
    }

    #[expect(clippy::cast_precision_loss, reason = "a number of cores")]
    fn count(&self) -> f64 {
        self.0.len() as f64
    }

    /// Waits for a second in which these cores are at most a fifth busy, for so many seconds at most.
    pub(super) fn await_quiet(&self, seconds: u64, interrupt: &Interrupt) -> Result<()> {
        for _ in 0..seconds {
            let before = self.busy_s().unwrap_or(0.0);
            interrupt.sleep(Duration::from_secs(1))?;
            if self.busy_s().unwrap_or(0.0) - before <= 0.2 * self.count() {
                break;
            }
        }
        Ok(())
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Sample {
    at_s: f64,
    broker_s: f64,
    /// Of the load and of this process, which is part of the measuring.
    load_s: f64,
    busy_s: f64,
    rss_mib: f64,
}

/// What was used between two moments.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Usage {
    /// None of a broker whose process is not known.
    pub(super) broker: Option<BrokerUsage>,
    /// Where it could be watched.
    pub(super) stalled: Option<Stalled>,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct BrokerUsage {
    pub(super) cpu_s: f64,
    /// The most that was seen.
    pub(super) rss_mib: f64,
    /// Share of the cores that neither broker nor load used.
    pub(super) others_pct: f64,
}

/// Samples until it is asked for what it saw.
pub(super) struct Meter {
    thread: JoinHandle<Vec<Sample>>,
    ends: Arc<AtomicBool>,
    cores: Cores,
    broker_known: bool,
    stalls: Option<Watch>,
}

impl Meter {
    pub(super) fn start(broker: Option<u32>, load: u32, cores: &Cores, stalls: Option<Watch>) -> Self {
        let ends = Arc::new(AtomicBool::new(false));
        let (flag, of) = (Arc::clone(&ends), cores.clone());
        let thread = std::thread::spawn(move || {
            let mut samples = Vec::new();
            let mut last = Sample::default();
            loop {
                last = take(broker, load, &of, last);
                samples.push(last);
                if flag.load(Ordering::Relaxed) {
                    return samples;
                }
                std::thread::sleep(INTERVAL);
            }
        });
        Self { thread, ends, cores: cores.clone(), broker_known: broker.is_some(), stalls }
    }

    pub(super) fn finish(self) -> Result<Samples> {
        self.ends.store(true, Ordering::Relaxed);
        let samples = self.thread.join().map_err(|_| anyhow!("the thread that samples panicked"))?;
        let stalls = self.stalls.map(Watch::finish);
        Ok(Samples { samples, cores: self.cores.count(), broker_known: self.broker_known, stalls })
    }
}

/// Counters of a process that has ended stay at what was last seen.
fn take(broker: Option<u32>, load: u32, cores: &Cores, last: Sample) -> Sample {
    let own = cpu_s(std::process::id()).unwrap_or(0.0);
    Sample {
        at_s: now_s(),
        broker_s: broker.and_then(cpu_s).unwrap_or(last.broker_s),
        load_s: cpu_s(load).map_or(last.load_s, |load| load + own),
        busy_s: cores.busy_s().unwrap_or(last.busy_s),
        rss_mib: broker.and_then(rss_mib).unwrap_or(0.0),
    }
}

pub(super) struct Samples {
    samples: Vec<Sample>,
    cores: f64,
    broker_known: bool,
    stalls: Option<Stalls>,
}

impl Samples {
    pub(super) fn whole(&self) -> Usage {
        self.between(f64::NEG_INFINITY, f64::INFINITY)
    }

    /// Between two moments in seconds since 1970; what lies between two samples is taken as even.
    pub(super) fn between(&self, from_s: f64, to_s: f64) -> Usage {
        let (Some(from), Some(to)) = (self.at(from_s), self.at(to_s)) else { return Usage::default() };
        let (cpu_s, time_s) = (to.broker_s - from.broker_s, to.at_s - from.at_s);
        let others_s = (to.busy_s - from.busy_s) - cpu_s - (to.load_s - from.load_s);
        let inside = self.samples.iter().filter(|sample| (from.at_s..=to.at_s).contains(&sample.at_s));
        let broker = BrokerUsage {
            cpu_s,
            rss_mib: inside.map(|sample| sample.rss_mib).fold(from.rss_mib, f64::max),
            others_pct: 100.0 * others_s / time_s.max(0.001) / self.cores,
        };
        let stalled = self.stalls.as_ref().map(|stalls| stalls.between(from.at_s, to.at_s, self.cores));
        Usage { broker: self.broker_known.then_some(broker), stalled }
    }

    fn at(&self, time_s: f64) -> Option<Sample> {
        let after = self.samples.iter().position(|sample| sample.at_s >= time_s);
        let after = after.unwrap_or(self.samples.len().saturating_sub(1));
        let (right, left) = (*self.samples.get(after)?, *self.samples.get(after.saturating_sub(1))?);
        let span = right.at_s - left.at_s;
        let share = if span > 0.0 { ((time_s - left.at_s) / span).clamp(0.0, 1.0) } else { 1.0 };
        let mix = |a: f64, b: f64| a + (b - a) * share;
        Some(Sample {
            at_s: mix(left.at_s, right.at_s),
            broker_s: mix(left.broker_s, right.broker_s),
            load_s: mix(left.load_s, right.load_s),
            busy_s: mix(left.busy_s, right.busy_s),
            rss_mib: right.rss_mib,
        })
    }
}

/// Keeps this process, and what it starts from now on, on these cores.
pub(super) fn stay_on(cores: &Cores) -> Result<()> {
    let allowed = allowed_cores()?;
    if let Some(core) = cores.0.iter().find(|core| !allowed.contains(core)) {
        anyhow::bail!("core {core} is not among those that this process may use: {allowed:?}");
    }
    keep_to(&cores.0)
}

/// Cores as a list says: `0-3,6`.
pub(super) fn parse_cores(text: &str) -> Result<Vec<usize>> {
    let mut cores = Vec::new();
    for part in text.trim().split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let parse = |number: &str| {
            number
                .trim()
                .parse::<usize>()
                .ok()
                .filter(|core| *core < 1024)
                .with_context(|| format!("`{part}` names no core; cores are given like 0-3,6"))
        };
        cores.extend(parse(first)?..=parse(last)?);
    }
    cores.sort_unstable();
    cores.dedup();
    if cores.is_empty() {
        anyhow::bail!("`{text}` names no core");
    }
    Ok(cores)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn cores_are_single_or_ranges() {
        assert_eq!(parse_cores("0-2,5,1").unwrap(), [0, 1, 2, 5]);
        for wrong in ["", "a", "1-", "3-1", "0,,1", "5000"] {
            parse_cores(wrong).unwrap_err();
        }
    }

    #[test]
    fn what_is_used_between_samples_is_shared_out_evenly() {
        let sample = |at_s, broker_s, load_s, busy_s| Sample { at_s, broker_s, load_s, busy_s, rss_mib: at_s };
        let samples = vec![sample(10.0, 1.0, 0.0, 5.0), sample(12.0, 2.0, 1.0, 8.0), sample(14.0, 2.0, 1.0, 8.0)];
        let samples = Samples { samples, cores: 2.0, broker_known: true, stalls: None };
        let used = samples.between(11.0, 12.0).broker.unwrap();
        // 1.5 s of all, 0.5 of the broker, 0.5 of the load: 0.5 s of others in 1 s of two cores.
        assert!((used.cpu_s - 0.5).abs() < 1e-9 && (used.others_pct - 25.0).abs() < 1e-9, "{used:?}");
        let all = samples.whole().broker.unwrap();
        assert!((all.cpu_s - 1.0).abs() < 1e-9 && (all.rss_mib - 14.0).abs() < 1e-9, "{all:?}");
    }

    #[test]
    fn a_process_that_works_is_seen_to() {
        let (own, cores) = (std::process::id(), Cores(vec![0]));
        assert!(rss_mib(own).unwrap() > 0.5);
        let before = cpu_s(own).unwrap();
        let deadline = std::time::Instant::now() + Duration::from_secs(20);
        while cpu_s(own).unwrap() - before < 0.05 {
            assert!(std::time::Instant::now() < deadline);
            std::hint::black_box((0..100_000).sum::<u64>());
        }
        assert!(cores.busy_s().unwrap() > 0.0);
        assert_eq!((cpu_s(u32::MAX), rss_mib(u32::MAX)), (None, None));
    }
}
