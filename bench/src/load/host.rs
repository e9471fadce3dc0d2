//! The machine that the load comes from, as its kernel describes it.

use crate::result::Host;

pub(crate) fn host() -> Host {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let kernel = read("/proc/sys/kernel/osrelease").trim().to_owned();
    let cpu = read("/proc/cpuinfo");
    let cpu = cpu.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or_default();
    let memory = read("/proc/meminfo");
    let memory = memory.lines().find_map(|line| line.strip_prefix("MemTotal:")).unwrap_or_default();
    let memory_kib: u64 = memory.trim().trim_end_matches("kB").trim().parse().unwrap_or_default();
    Host {
        kernel,
        cpu: cpu.trim_start_matches([' ', '\t', ':']).to_owned(),
        cores: std::thread::available_parallelism().map_or(0, std::num::NonZero::get),
        memory_mib: memory_kib >> 10,
    }
}
