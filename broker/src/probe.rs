//! What `thalweg-bench probe` found of the drives below the data directories: how deep to write, and what to warn of.
//!
//! The format is `docs/formats/probe.md`. A file that is missing, bad or of another drive never keeps the broker from
//! starting: it is worth one line, and the defaults hold.

use std::fs::{self, File};
use std::io::{ErrorKind, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{major, minor};
use serde::Deserialize;

use crate::config::Config;

/// Looked for in each data directory where no file is named.
pub const FILE_NAME: &str = "thalweg-probe.json";

const FORMAT: &str = "thalweg-bench probe 1";
const FILE_SIZE_MAX_BYTES: u64 = 1 << 20;
/// As the setting's own range.
const WRITES_IN_FLIGHT_MAX: usize = 64;
/// Of a sentence that is logged.
const REASON_CHARS_MAX: usize = 500;

/// What the files said, to be logged and obeyed.
#[derive(PartialEq, Eq, Debug, Default)]
pub struct Advice {
    /// The least of all files: a core's log may lie on any of the drives.
    pub writes_in_flight: Option<usize>,
    pub notes: Vec<String>,
    pub warnings: Vec<String>,
}

/// The part of a result that matters here.
#[derive(Deserialize, Debug)]
struct Probe {
    device: Device,
    conclusions: Conclusions,
}

#[derive(Deserialize, Clone, PartialEq, Eq, Debug)]
struct Device {
    number: String,
    model: Option<String>,
    size_bytes: Option<u64>,
}

#[derive(Deserialize, Debug)]
struct Conclusions {
    wal_writes_in_flight: Option<usize>,
    drive: Drive,
}

#[derive(Deserialize, Debug)]
struct Drive {
    suspected: bool,
    reason: String,
}

impl Config {
    /// Reads what was probed. The data directories must exist.
    pub fn consult_probes(&self) -> Advice {
        let mut advice = Advice::default();
        match &self.probe_file {
            Some(file) => advice.take(file, &self.log_dirs),
            None => {
                for dir in &self.log_dirs {
                    let file = dir.join(FILE_NAME);
                    if file.try_exists().unwrap_or(true) {
                        advice.take(&file, std::slice::from_ref(dir));
                    }
                }
            }
        }
        advice
    }

    /// Writes as deep as probed, unless somebody set how deep. Says which it is.
    pub fn follow(&mut self, advice: &Advice) -> Option<String> {
        let probed = advice.writes_in_flight?;
        if self.layers.is_set("thalweg.wal.writes.in.flight") {
            return Some(format!(
                "thalweg.wal.writes.in.flight={} is set, where the probe found {probed} best",
                self.wal_writes_in_flight
            ));
        }
        self.machine.wal_writes_in_flight = Some(probed);
        self.wal_writes_in_flight = probed;
        Some(format!("each write-ahead log has up to {probed} writes in flight, as the probe found best"))
    }
}

impl Advice {
    /// One line for each thing that keeps a file from being used.
    fn take(&mut self, file: &Path, dirs: &[PathBuf]) {
        let shown = file.display();
        let probe = match read(file).and_then(|text| parse(&text)) {
            Ok(probe) => probe,
            Err(reason) => {
                self.warnings.push(format!(
                    "{shown} is not used: {reason}; write it anew with `thalweg-bench probe`, or take it away"
                ));
                return;
            }
        };
        let (fitting, others): (Vec<&PathBuf>, Vec<&PathBuf>) =
            dirs.iter().partition(|dir| Device::below(dir).is_some_and(|here| probe.device.is_same(&here)));
        if !others.is_empty() {
            self.warnings.push(format!(
                "{shown} was measured on another device ({}) than {} lies on, and is not used for it; probe that directory",
                probe.device,
                listed(&others)
            ));
        }
        if !fitting.is_empty() {
            self.obey(&probe, &format!("{shown} (device {})", probe.device), &listed(&fitting));
        }
    }

    fn obey(&mut self, probe: &Probe, source: &str, dirs: &str) {
        match probe.conclusions.wal_writes_in_flight {
            Some(depth) => {
                self.writes_in_flight = Some(self.writes_in_flight.map_or(depth, |least| least.min(depth)));
                self.notes.push(format!("{source}: {depth} writes in flight are best"));
            }
            None => self.notes.push(format!("{source} does not say how many writes in flight are best")),
        }
        let drive = &probe.conclusions.drive;
        if drive.suspected {
            let reason: String = drive.reason.chars().filter(|c| !c.is_control()).take(REASON_CHARS_MAX).collect();
            self.warnings.push(format!("the drive below {dirs} is suspect: {reason}"));
        }
    }
}

fn listed(dirs: &[&PathBuf]) -> String {
    dirs.iter().map(|dir| dir.display().to_string()).collect::<Vec<_>>().join(", ")
}

fn read(file: &Path) -> Result<String, String> {
    let mut text = String::new();
    let opened = match fs::metadata(file) {
        // A pipe would be waited for.
        Ok(found) if !found.is_file() => return Err("it is not a file".to_owned()),
        Ok(_) => File::open(file),
        Err(error) => Err(error),
    };
    match opened.and_then(|file| file.take(FILE_SIZE_MAX_BYTES + 1).read_to_string(&mut text)) {
        Ok(len) if len as u64 > FILE_SIZE_MAX_BYTES => Err(format!("it is larger than {FILE_SIZE_MAX_BYTES} bytes")),
        Ok(_) => Ok(text),
        Err(error) if error.kind() == ErrorKind::InvalidData => Err("it is not text".to_owned()),
        Err(error) => Err(format!("it cannot be read ({error})")),
    }
}

fn parse(text: &str) -> Result<Probe, String> {
    #[derive(Deserialize)]
    struct Head {
        format: String,
    }
    let not_a_result = |error: serde_json::Error| format!("it is not a result of `thalweg-bench probe` ({error})");
    let head: Head = serde_json::from_str(text).map_err(not_a_result)?;
    if head.format != FORMAT {
        let found: String = head.format.chars().filter(|c| !c.is_control()).take(60).collect();
        return Err(format!("its format is \"{found}\", and this broker reads \"{FORMAT}\""));
    }
    let probe: Probe = serde_json::from_str(text).map_err(not_a_result)?;
    match probe.conclusions.wal_writes_in_flight {
        Some(depth) if !(1..=WRITES_IN_FLIGHT_MAX).contains(&depth) => {
            Err(format!("its wal_writes_in_flight is {depth}, and must be 1 to {WRITES_IN_FLIGHT_MAX}"))
        }
        _ => Ok(probe),
    }
}

impl std::fmt::Display for Device {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text: String = format!("{} {}", self.number, self.model.as_deref().unwrap_or("without a model"))
            .chars()
            .filter(|c| !c.is_control())
            .take(80)
            .collect();
        f.write_str(&text)
    }
}

impl Device {
    /// What a directory lies on.
    fn below(dir: &Path) -> Option<Self> {
        let number = dir.metadata().ok()?.dev();
        let number = format!("{}:{}", major(number), minor(number));
        let block = Path::new("/sys/dev/block").join(&number).canonicalize().ok();
        // A partition lies in its disk's directory.
        let disk = block
            .and_then(|block| block.ancestors().take(2).find(|dir| dir.join("queue").is_dir()).map(Path::to_path_buf));
        let text = |name: &str| fs::read_to_string(disk.as_ref()?.join(name)).ok().map(|text| text.trim().to_owned());
        Some(Self {
            number,
            model: text("device/model").filter(|model| !model.is_empty()),
            size_bytes: text("size").and_then(|sectors| sectors.parse::<u64>().ok()).map(|sectors| sectors * 512),
        })
    }

    /// Drives may be numbered otherwise after a restart, so model and size count where both are known.
    fn is_same(&self, here: &Self) -> bool {
        match (&self.model, &here.model) {
            (Some(then), Some(now)) => then == now && self.size_bytes == here.size_bytes,
            _ => self.number == here.number,
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    /// What `thalweg-bench probe` writes; its tests read the same file.
    const EXAMPLE: &str = include_str!("../../docs/formats/probe-example.json");

    /// The example as if it had been measured on the device that `dir` lies on.
    fn measured_below(dir: &Path) -> String {
        let mut value: serde_json::Value = serde_json::from_str(EXAMPLE).unwrap();
        let here = Device::below(dir).unwrap();
        let device = value.get_mut("device").unwrap();
        *device.get_mut("number").unwrap() = here.number.into();
        *device.get_mut("model").unwrap() = here.model.into();
        *device.get_mut("size_bytes").unwrap() = here.size_bytes.into();
        value.to_string()
    }

    fn config(dirs: &[&Path], more: &[&str]) -> Config {
        let dirs: Vec<String> = dirs.iter().map(|dir| dir.display().to_string()).collect();
        let mut overrides = vec![format!("log.dirs={}", dirs.join(","))];
        overrides.extend(more.iter().map(|text| (*text).to_owned()));
        Config::load(None, &overrides).unwrap().config
    }

    #[test]
    fn the_documented_example_is_read() {
        let probe = parse(EXAMPLE).unwrap();
        assert_eq!(probe.conclusions.wal_writes_in_flight, Some(4));
        assert_eq!(probe.device.to_string(), "259:1 EXAMPLE SSD 960");
        assert!(
            !probe.conclusions.drive.suspected && probe.conclusions.drive.reason.contains("no volatile write cache")
        );
    }

    #[test]
    fn a_file_beside_the_data_decides_the_depth_and_a_setting_overrules_it() {
        let dir = tempfile::tempdir().unwrap();
        let eight = measured_below(dir.path()).replace("\"wal_writes_in_flight\":4", "\"wal_writes_in_flight\":8");
        fs::write(dir.path().join(FILE_NAME), eight).unwrap();
        let mut free = config(&[dir.path()], &[]);
        let advice = free.consult_probes();
        assert_eq!((advice.writes_in_flight, advice.notes.len(), advice.warnings.len()), (Some(8), 1, 0), "{advice:?}");
        assert!(free.follow(&advice).unwrap().contains("up to 8 writes"));
        assert_eq!(free.wal_writes_in_flight, 8);
        assert_eq!(free.with_dynamic(Default::default(), Default::default()).unwrap().wal_writes_in_flight, 8);

        let mut set = config(&[dir.path()], &["thalweg.wal.writes.in.flight=2"]);
        let advice = set.consult_probes();
        assert!(set.follow(&advice).unwrap().contains("is set"));
        assert_eq!(set.wal_writes_in_flight, 2);
    }

    #[test]
    fn without_a_file_nothing_is_said_unless_it_was_named() {
        let dir = tempfile::tempdir().unwrap();
        let mut config_ = config(&[dir.path()], &[]);
        let advice = config_.consult_probes();
        assert_eq!(advice, Advice::default());
        assert_eq!((config_.follow(&advice), config_.wal_writes_in_flight), (None, 4));
        let named = config(&[dir.path()], &["thalweg.probe.file=/nonexistent/p.json"]).consult_probes();
        assert_eq!(named.warnings.len(), 1);
        assert!(named.warnings.concat().contains("/nonexistent/p.json"), "{named:?}");
    }

    #[test]
    fn of_several_drives_the_shallowest_counts_and_each_suspect_is_named() {
        let dirs = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let [one, two] = &dirs;
        fs::write(one.path().join(FILE_NAME), measured_below(one.path())).unwrap();
        let other = measured_below(two.path())
            .replace("\"wal_writes_in_flight\":4", "\"wal_writes_in_flight\":2")
            .replace("\"suspected\":false", "\"suspected\":true")
            .replace("the drive reports no", "line one\\nline two");
        fs::write(two.path().join(FILE_NAME), other).unwrap();
        let advice = config(&[one.path(), two.path()], &[]).consult_probes();
        assert_eq!(advice.writes_in_flight, Some(2));
        let warnings = advice.warnings.join("\n");
        assert_eq!(warnings.lines().count(), 1, "{warnings}");
        assert!(warnings.contains("suspect: line oneline two") && warnings.contains(&two.path().display().to_string()));
    }

    #[test]
    fn a_result_of_another_drive_is_not_used() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("named.json");
        fs::write(&file, EXAMPLE.replace("259:1", "1:99")).unwrap();
        let advice = config(&[dir.path()], &[&format!("thalweg.probe.file={}", file.display())]).consult_probes();
        assert_eq!((advice.writes_in_flight, advice.notes.len(), advice.warnings.len()), (None, 0, 1));
        assert!(advice.warnings.concat().contains("another device (1:99 EXAMPLE SSD 960)"), "{advice:?}");
    }

    #[test]
    fn model_and_size_say_more_than_the_number() {
        let device = |number: &str, model: Option<&str>, size_bytes| Device {
            number: number.to_owned(),
            model: model.map(str::to_owned),
            size_bytes,
        };
        let then = device("8:1", Some("A"), Some(5));
        assert!(then.is_same(&device("8:17", Some("A"), Some(5))));
        assert!(!then.is_same(&device("8:1", Some("A"), Some(6))));
        assert!(!then.is_same(&device("8:1", Some("B"), Some(5))));
        assert!(then.is_same(&device("8:1", None, Some(5))));
        assert!(!device("8:1", None, None).is_same(&device("8:2", None, None)));
    }

    #[test]
    fn a_bad_file_is_one_warning_that_names_it() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join(FILE_NAME);
        let long = " ".repeat(FILE_SIZE_MAX_BYTES as usize + 1);
        let good = measured_below(dir.path());
        let cases: [(&[u8], &str); 7] = [
            (b"", "not a result"),
            (b"\xff\xfe", "not text"),
            (b"{\"format\":\"thalweg-bench probe 2\"}", "probe 2"),
            (b"{\"format\":\"thalweg-bench probe 1\"}", "not a result"),
            (long.as_bytes(), "larger"),
            (&good.replace("\"wal_writes_in_flight\":4", "\"wal_writes_in_flight\":65").into_bytes(), "is 65"),
            (&good.replace("\"wal_writes_in_flight\":4", "\"wal_writes_in_flight\":0").into_bytes(), "is 0"),
        ];
        for (bytes, reason) in cases {
            fs::write(&file, bytes).unwrap();
            let advice = config(&[dir.path()], &[]).consult_probes();
            let warnings = advice.warnings.join("\n");
            assert!(warnings.contains(reason) && warnings.contains(FILE_NAME), "{reason}: {warnings}");
            assert_eq!((advice.writes_in_flight, warnings.lines().count()), (None, 1));
        }
        fs::remove_file(&file).unwrap();
        fs::create_dir(&file).unwrap();
        let warnings = config(&[dir.path()], &[]).consult_probes().warnings.concat();
        assert!(warnings.contains("not a file"), "{warnings}");
    }
}
