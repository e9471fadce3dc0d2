//! The result file of `probe`; `docs/formats/probe.md` says what each field means, and the broker reads it too.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use serde::{Deserialize, Serialize};

use super::verdict::Drive;
use crate::result::Host;

/// The format's name and version, first in every file.
pub(crate) const FORMAT: &str = "thalweg-bench probe 1";

/// No result is larger: `--full` makes a few hundred cells of some 300 bytes.
const SIZE_MAX_BYTES: u64 = 1 << 20;

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct ProbeFile {
    pub(crate) format: String,
    /// Version of this program.
    pub(crate) version: String,
    /// When it was measured, in milliseconds since 1970.
    pub(crate) measured_ms: i64,
    /// quick, default or full
    pub(crate) selection: String,
    pub(crate) directory: String,
    pub(crate) host: Host,
    pub(crate) device: Device,
    /// Length of the file that was read from and written over.
    pub(crate) file_bytes: u64,
    /// What others used of the processors meanwhile, in per cent of all of them.
    pub(crate) others_pct: f64,
    pub(crate) cells: Vec<Cell>,
    pub(crate) conclusions: Conclusions,
}

/// What the kernel says of the device that holds the directory. What it does not say is null.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Device {
    /// Of the file system, as `stat` gives it: `major:minor`.
    pub(crate) number: String,
    /// Of the whole disk, as in `/sys/block`.
    pub(crate) name: Option<String>,
    pub(crate) model: Option<String>,
    pub(crate) size_bytes: Option<u64>,
    pub(crate) rotational: Option<bool>,
    /// `write back` or `write through`: what the kernel goes by.
    pub(crate) write_cache: Option<String>,
    /// The same as the drive itself reports it, where the kernel keeps the two apart (SCSI, SATA, virtio).
    pub(crate) drive_cache: Option<String>,
    /// Whether the drive takes single writes past its cache.
    pub(crate) fua: Option<bool>,
    pub(crate) scheduler: Option<String>,
    pub(crate) nr_requests: Option<u64>,
    pub(crate) file_system: Option<String>,
    pub(crate) mount_options: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Measure {
    Write,
    /// At random multiples of the size.
    ReadRandom,
    ReadSequential,
    LoopbackRoundTrip,
    LoopbackStream,
    /// A loopback round trip with a durable 4 KiB write between request and answer.
    Floor,
    Crc32c,
    MemoryCopy,
}

/// What a file is like before it is written to.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Extent {
    /// Empty: each write makes it longer.
    Growing,
    /// Its blocks are reserved, but marked as never written.
    Fallocated,
    /// Written from end to end before, as the files of a write-ahead log are.
    Prezeroed,
}

/// How a write is made durable.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Durable {
    /// Not at all: it is done when the device has taken it.
    No,
    /// The file is opened with `O_DSYNC`.
    ODsync,
    /// Each write has the flag `RWF_DSYNC`.
    RwfDsync,
    /// `fdatasync` once the write is done.
    Fdatasync,
    /// The write and its `fdatasync` are handed to the kernel at once, linked.
    Linked,
}

/// One thing measured with one size and one depth.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct Cell {
    pub(crate) measure: Measure,
    /// Of writes only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) extent: Option<Extent>,
    /// Of writes only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) durable: Option<Durable>,
    pub(crate) size_bytes: u64,
    /// Operations under way at once; threads for what the processor does.
    pub(crate) depth: u32,
    /// Operations measured.
    pub(crate) count: u64,
    pub(crate) seconds: f64,
    /// Bytes per second, of all threads together.
    pub(crate) bytes_s: f64,
    /// None for what is a stream.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) us: Option<Micros>,
}

/// A latency's percentiles in microseconds.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Micros {
    pub(crate) p50: f64,
    pub(crate) p90: f64,
    pub(crate) p99: f64,
    pub(crate) p999: f64,
    pub(crate) max: f64,
}

/// What follows from the cells. Null where they are missing, or were measured on a busy machine.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct Conclusions {
    pub(crate) wal_writes_in_flight: Option<u32>,
    /// A write of 4 KiB with `O_DSYNC` over a pre-zeroed file, one at a time.
    pub(crate) durable_4k: Option<Micros>,
    pub(crate) round_trip: Option<Micros>,
    pub(crate) floor: Option<Micros>,
    /// The largest bandwidths that any cell had, in bytes per second.
    pub(crate) durable_bytes_s: Option<f64>,
    pub(crate) read_bytes_s: Option<f64>,
    pub(crate) drive: Drive,
}

impl ProbeFile {
    pub(crate) fn load(path: &Path) -> Result<Self> {
        let mut text = String::new();
        let read = File::open(path).and_then(|file| file.take(SIZE_MAX_BYTES + 1).read_to_string(&mut text));
        read.with_context(|| format!("cannot read {}", path.display()))?;
        if text.len() as u64 > SIZE_MAX_BYTES {
            bail!("{} is larger than {SIZE_MAX_BYTES} bytes: it is not a result of `probe`", path.display());
        }
        Self::parse(&text).with_context(|| format!("{} is not a result of `probe`", path.display()))
    }

    /// Another version is named as such, whatever else it holds.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        #[derive(Deserialize)]
        struct Head {
            format: String,
        }
        let head: Head = serde_json::from_str(text)?;
        if head.format != FORMAT {
            bail!("its format is \"{}\", and this program reads \"{FORMAT}\"", head.format);
        }
        Ok(serde_json::from_str(text)?)
    }

    /// A reader, as a broker at its start, sees the old file or the new one whole.
    pub(crate) fn save(&self, path: &Path) -> Result<()> {
        let name = path.file_name().with_context(|| format!("{} is not a file's name", path.display()))?;
        let temporary = path.with_file_name(format!("{}.tmp", name.to_string_lossy()));
        let write = || {
            let mut file = File::create(&temporary)?;
            file.write_all(self.text().as_bytes())?;
            file.sync_all()?;
            std::fs::rename(&temporary, path)
        };
        write()
            .inspect_err(|_| drop(std::fs::remove_file(&temporary)))
            .with_context(|| format!("cannot write {}", path.display()))
    }

    pub(crate) fn text(&self) -> String {
        let text = serde_json::to_string_pretty(self);
        text.map_or_else(|error| unreachable!("a result is always JSON: {error}"), |text| text + "\n")
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    /// The broker's tests read the same file.
    const EXAMPLE: &str = include_str!("../../../docs/formats/probe-example.json");

    #[test]
    fn the_documented_example_is_read_and_written_byte_for_byte() {
        assert_eq!(ProbeFile::parse(EXAMPLE).unwrap().text(), EXAMPLE);
    }

    #[test]
    fn a_saved_result_comes_back() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("probe.json");
        let example = ProbeFile::parse(EXAMPLE).unwrap();
        std::fs::write(&path, "the old one").unwrap();
        example.save(&path).unwrap();
        assert_eq!(ProbeFile::load(&path).unwrap(), example);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
        assert!(
            example.save(Path::new("/nonexistent/x.json")).unwrap_err().to_string().contains("/nonexistent/x.json")
        );
    }

    #[test]
    fn what_is_no_result_is_refused_by_name() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.json");
        let long = " ".repeat(SIZE_MAX_BYTES as usize + 1);
        let next = EXAMPLE.replace("probe 1", "probe 2");
        let cases = [
            ("{", "EOF"),
            ("{\"format\":\"thalweg-bench run 1\"}", "run 1"),
            (next.as_str(), "probe 2"),
            (long.as_str(), "larger"),
        ];
        for (text, reason) in cases {
            std::fs::write(&path, text).unwrap();
            let error = format!("{:#}", ProbeFile::load(&path).unwrap_err());
            assert!(error.contains(reason) && error.contains("x.json"), "{error}");
        }
    }
}
