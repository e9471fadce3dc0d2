//! A kept probe as the measure of other results: "1.3× of the limit".

use std::path::Path;

use anyhow::{Context as _, Result};

use super::file::{Micros, ProbeFile};

/// What the host and the device can do at best, as a probe found it.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Limits {
    /// What it was measured on, to print beside the figures.
    pub(crate) device: String,
    /// One durable write of 4 KiB.
    pub(crate) durable_4k: Micros,
    /// A round trip over loopback.
    pub(crate) round_trip: Micros,
    /// A round trip with that write in between: what no broker can be faster than.
    pub(crate) floor: Micros,
    /// The largest bandwidth of durable writes, in bytes per second.
    pub(crate) durable_bytes_s: f64,
    /// The largest bandwidth of reads, in bytes per second.
    pub(crate) read_bytes_s: f64,
}

impl Limits {
    pub(crate) fn load(path: &Path) -> Result<Self> {
        Self::of(&ProbeFile::load(path)?).with_context(|| format!("{} cannot serve as a limit", path.display()))
    }

    pub(crate) fn of(file: &ProbeFile) -> Result<Self> {
        let found = &file.conclusions;
        let device = &file.device;
        let name = [device.model.as_deref(), device.name.as_deref(), device.file_system.as_deref()];
        let name: Vec<&str> = name.into_iter().flatten().collect();
        Ok(Self {
            device: if name.is_empty() { device.number.clone() } else { name.join(", ") },
            durable_4k: found.durable_4k.context("it has no durable writes of 4 KiB")?,
            round_trip: found.round_trip.context("it has no round trips")?,
            floor: found.floor.context("it has no floor")?,
            durable_bytes_s: found.durable_bytes_s.context("it has no durable writes")?,
            read_bytes_s: found.read_bytes_s.context("it has no reads")?,
        })
    }

    /// A durable request's median latency, in microseconds, against the floor's: `1.11× of the limit (98.0 µs)`.
    pub(crate) fn durable_p50(&self, us: f64) -> String {
        times_of_limit(us, self.floor.p50)
    }

    pub(crate) fn durable_p99(&self, us: f64) -> String {
        times_of_limit(us, self.floor.p99)
    }

    /// A median latency without durability, against a round trip's.
    pub(crate) fn volatile_p50(&self, us: f64) -> String {
        times_of_limit(us, self.round_trip.p50)
    }

    pub(crate) fn volatile_p99(&self, us: f64) -> String {
        times_of_limit(us, self.round_trip.p99)
    }

    /// Durably written bytes per second against the device's most: `0.45× of the limit (432 MB/s)`.
    pub(crate) fn written(&self, bytes_s: f64) -> String {
        share_of_limit(bytes_s, self.durable_bytes_s)
    }

    /// Bytes per second read from the device against its most.
    pub(crate) fn read(&self, bytes_s: f64) -> String {
        share_of_limit(bytes_s, self.read_bytes_s)
    }
}

/// Both in microseconds.
pub(crate) fn times_of_limit(us: f64, limit_us: f64) -> String {
    if limit_us > 0.0 { format!("{:.2}× of the limit ({limit_us:.1} µs)", us / limit_us) } else { "–".to_owned() }
}

/// Both in bytes per second.
pub(crate) fn share_of_limit(bytes_s: f64, limit_bytes_s: f64) -> String {
    if limit_bytes_s > 0.0 {
        format!("{:.2}× of the limit ({:.0} MB/s)", bytes_s / limit_bytes_s, limit_bytes_s / 1e6)
    } else {
        "–".to_owned()
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn figures_are_set_against_what_the_probe_found() {
        let mut file = ProbeFile::parse(include_str!("../../../docs/formats/probe-example.json")).unwrap();
        let limits = Limits::of(&file).unwrap();
        assert_eq!(limits.device, "EXAMPLE SSD 960, nvme0n1, ext4");
        assert_eq!(limits.durable_p50(52.5), "1.50× of the limit (35.0 µs)");
        assert_eq!(limits.durable_p99(61.0), "1.00× of the limit (61.0 µs)");
        assert_eq!(limits.volatile_p50(30.0), "2.00× of the limit (15.0 µs)");
        assert_eq!(limits.volatile_p99(10.5), "0.50× of the limit (21.0 µs)");
        assert_eq!(limits.written(600e6), "0.50× of the limit (1200 MB/s)");
        assert_eq!(limits.read(2.4e9), "1.00× of the limit (2400 MB/s)");
        assert_eq!(times_of_limit(5.0, 0.0), "–");

        file.conclusions.floor = None;
        assert!(Limits::of(&file).unwrap_err().to_string().contains("no floor"));
    }

    #[test]
    fn a_missing_file_is_named() {
        assert!(
            Limits::load(Path::new("/nonexistent/p.json")).unwrap_err().to_string().contains("/nonexistent/p.json")
        );
    }
}
