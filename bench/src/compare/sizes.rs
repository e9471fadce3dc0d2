//! How much of everything: for figures to keep, or for a look whether it works.

#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
pub(crate) enum Scale {
    /// A few minutes: its figures say little
    Quick,
    /// About an hour with three repetitions
    Full,
}

#[derive(Clone, Debug)]
pub(super) struct Sizes {
    pub(super) reps: u32,
    /// Before each load, at most so many seconds until the machine is quiet.
    pub(super) quiet_s: u64,
    pub(super) idle_s: u64,
    /// Records of 1 KiB, and a third as many of 100 B, before anything is measured.
    pub(super) warm_records: u64,
    /// Of each load: behind its own warm-up, what is measured.
    pub(super) measure_s: u64,
    pub(super) settle_s: u64,
    pub(super) latency_records: u64,
    /// Shares of a maximum, in per cent.
    pub(super) rate_percents: Vec<u64>,
    /// Records of 1 KiB per second.
    pub(super) tail_rate: u64,
    /// Of 100 B.
    pub(super) partitions_rate: u64,
    pub(super) partitions: Vec<u64>,
    pub(super) small_partitions: Vec<u64>,
    pub(super) catch_up_mib: u64,
    pub(super) java_records: u64,
    pub(super) java_durable_records: u64,
    /// Of the file system of `retention`.
    pub(super) image_mib: u64,
    pub(super) retention_s: u64,
    pub(super) recovery_mib: u64,
}

impl Sizes {
    pub(super) fn of(scale: Scale) -> Self {
        match scale {
            Scale::Full => Self {
                reps: 3,
                quiet_s: 20,
                idle_s: 15,
                warm_records: 1_500_000,
                measure_s: 8,
                settle_s: 2,
                latency_records: 10_000,
                rate_percents: vec![30, 70, 90],
                tail_rate: 5_000,
                partitions_rate: 5_000,
                partitions: vec![1, 100, 1_000, 10_000],
                small_partitions: vec![100, 1_000],
                catch_up_mib: 256,
                java_records: 500_000,
                java_durable_records: 150_000,
                image_mib: 4_096,
                retention_s: 20,
                recovery_mib: 2_048,
            },
            Scale::Quick => Self {
                reps: 1,
                quiet_s: 2,
                idle_s: 2,
                warm_records: 20_000,
                measure_s: 2,
                settle_s: 1,
                latency_records: 500,
                rate_percents: vec![70],
                tail_rate: 1_000,
                partitions_rate: 1_000,
                partitions: vec![1, 100, 1_000],
                small_partitions: vec![100],
                catch_up_mib: 16,
                java_records: 20_000,
                java_durable_records: 5_000,
                image_mib: 2_048,
                retention_s: 5,
                recovery_mib: 64,
            },
        }
    }
}
