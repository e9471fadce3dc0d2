//! The machine and its processes, as the kernel describes them.

use std::time::SystemTime;

use anyhow::{Context as _, Result};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use crate::result::Host;

/// The machine that the load comes from.
pub(crate) fn host() -> Host {
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let memory_kib = value("/proc/meminfo", "MemTotal").and_then(|text| text.trim_end_matches(" kB").parse().ok());
    Host {
        kernel: kernel.trim().to_owned(),
        cpu: value("/proc/cpuinfo", "model name").unwrap_or_default(),
        cores: std::thread::available_parallelism().map_or(0, std::num::NonZero::get),
        memory_mib: memory_kib.unwrap_or(0_u64) >> 10,
    }
}

/// The value of a line `name : value` of a file in /proc.
fn value(file: &str, name: &str) -> Option<String> {
    let text = std::fs::read_to_string(file).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

/// Ticks of processor time (user and system, all threads) in a process's `stat`. The name before them may hold anything,
/// even a bracket.
pub(crate) fn used_ticks(stat: &str) -> Option<u64> {
    let mut fields = stat.rsplit_once(") ")?.1.split(' ').skip(11);
    let mut next = || fields.next()?.parse::<u64>().ok();
    Some(next()? + next()?)
}

#[expect(clippy::cast_precision_loss, reason = "processor time in ticks is far below 2^53")]
pub(crate) fn seconds(ticks: u64) -> f64 {
    ticks as f64 / rustix::param::clock_ticks_per_second() as f64
}

/// Seconds since 1970.
pub(crate) fn now_s() -> f64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0.0, |time| time.as_secs_f64())
}

/// The cores that this thread may use.
pub(crate) fn allowed_cores() -> Result<Vec<usize>> {
    let set = sched_getaffinity(None).context("cannot tell which cores this process may use")?;
    Ok((0..CpuSet::MAX_CPU).filter(|core| set.is_set(*core)).collect())
}

/// Keeps this thread, and what it starts from now on, on these cores.
pub(crate) fn keep_to(cores: &[usize]) -> Result<()> {
    let mut set = CpuSet::new();
    cores.iter().for_each(|core| set.set(*core));
    sched_setaffinity(None, &set).context("cannot keep to the given cores")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_has_used_user_and_system_time() {
        assert_eq!(used_ticks("42 (a ) b) S 1 2 3 4 5 6 7 8 9 10 70 5 99 99"), Some(75));
        assert_eq!((used_ticks(""), used_ticks("42 (a) S 1")), (None, None));
    }

    #[test]
    fn this_machine_is_described() {
        let host = host();
        assert!(!host.kernel.is_empty() && host.cores > 0 && host.memory_mib > 0, "{host:?}");
    }
}
