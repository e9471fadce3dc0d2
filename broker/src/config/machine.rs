//! What defaults depend on: the CPUs, the memory and the name of the machine, read once at start.

use std::fs::read_to_string;
use std::path::Path;

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Machine {
    /// CPUs that the process may run on.
    pub cpus: usize,
    /// What the process may use: the machine's memory, or the least that a control group of it allows.
    pub memory_bytes: usize,
    /// What other machines call this one.
    pub host_name: String,
    /// How many writes in flight its drives do best with, where that was measured.
    pub wal_writes_in_flight: Option<usize>,
}

/// Taken where the kernel does not tell.
const MEMORY_BYTES: usize = 1 << 30;

impl Machine {
    /// A machine without a name is reached as `localhost`, if at all.
    pub fn this() -> Self {
        let cpus = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let name = read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        let name = name.trim();
        let host_name = if name.is_empty() { "localhost".to_owned() } else { name.to_owned() };
        let group = read_to_string("/proc/self/cgroup").unwrap_or_default();
        let allowed = control_group_memory(Path::new("/sys/fs/cgroup"), &group);
        let there = read_to_string("/proc/meminfo").ok().and_then(|text| total_memory(&text));
        let memory_bytes = there.into_iter().chain(allowed).min().unwrap_or(MEMORY_BYTES);
        Self { cpus, memory_bytes, host_name, wal_writes_in_flight: None }
    }
}

/// Of `/proc/meminfo`.
fn total_memory(meminfo: &str) -> Option<usize> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: usize = line.trim().strip_suffix(" kB")?.parse().ok()?;
    kib.checked_mul(1024)
}

/// The least `memory.max` from the process' control group (v2) up to the root; `of_process` is `/proc/self/cgroup`.
fn control_group_memory(root: &Path, of_process: &str) -> Option<usize> {
    let path = of_process.lines().find_map(|line| line.strip_prefix("0::/"))?;
    let group = root.join(path);
    let groups = group.ancestors().take_while(|group| group.starts_with(root));
    groups.filter_map(|group| read_to_string(group.join("memory.max")).ok()?.trim().parse().ok()).min()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use std::fs::{create_dir_all, write};

    use super::*;

    #[test]
    fn memory_is_what_the_kernel_says() {
        assert_eq!(total_memory("MemTotal:       24683524 kB\nMemFree:  1 kB\n"), Some(24_683_524 << 10));
        assert_eq!(total_memory("MemFree: 1 kB\n"), None);
        let machine = Machine::this();
        assert!(machine.memory_bytes > 64 << 20 && machine.cpus > 0, "{machine:?}");
    }

    #[test]
    fn the_least_that_a_control_group_allows() {
        let root = tempfile::tempdir().unwrap();
        let group = root.path().join("system.slice/thalwegd.service");
        create_dir_all(&group).unwrap();
        let memory = || control_group_memory(root.path(), "1:cpu:/other\n0::/system.slice/thalwegd.service\n");
        assert_eq!(memory(), None);
        write(group.join("memory.max"), "max\n").unwrap();
        assert_eq!(memory(), None);
        write(group.join("memory.max"), "8589934592\n").unwrap();
        assert_eq!(memory(), Some(8 << 30));
        write(root.path().join("system.slice/memory.max"), "4294967296\n").unwrap();
        assert_eq!(memory(), Some(4 << 30));
        assert_eq!(control_group_memory(root.path(), "1:cpu:/other\n"), None, "control groups v1");
    }
}
