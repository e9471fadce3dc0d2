//! What the kernel says of the device below a directory, and of how busy the machine is.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context as _, Result};
use rustix::fs::{major, minor};

use super::file::Device;
use crate::host::{seconds, used_ticks};

pub(super) fn device_of(dir: &Path) -> Result<Device> {
    let seen = || -> std::io::Result<_> { Ok((dir.metadata()?.dev(), dir.canonicalize()?)) };
    let (number, dir) = seen().with_context(|| format!("cannot look at {}", dir.display()))?;
    let number = format!("{}:{}", major(number), minor(number));
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let mount = Mount::find(&mounts, &number, &dir);
    let source = mount.as_ref().map_or("", |mount| mount.source.as_str());
    let disk = disk(Path::new("/sys"), &number, source);
    let mut device = disk.as_deref().map(facts).unwrap_or_default();
    device.number = number;
    if let Some(mount) = mount {
        device.file_system = Some(mount.file_system);
        device.mount_options = Some(mount.options);
    }
    Ok(device)
}

/// The directory in `/sys` of the whole disk. Some file systems (btrfs) have a number of their own: then what was mounted
/// tells.
fn disk(sys: &Path, number: &str, source: &str) -> Option<PathBuf> {
    let by_number = sys.join("dev/block").join(number);
    let by_name = || sys.join("class/block").join(Path::new(source).file_name().unwrap_or_default());
    let found = by_number.canonicalize().or_else(|_| by_name().canonicalize()).ok()?;
    let is_disk = |dir: &Path| dir.join("queue").is_dir();
    // A partition lies in its disk's directory.
    found.ancestors().take(2).find(|dir| is_disk(dir)).map(Path::to_path_buf)
}

fn facts(disk: &Path) -> Device {
    let text = |name: &str| read(&disk.join(name));
    let number = |name: &str| text(name).and_then(|text| text.parse::<u64>().ok());
    let flag = |name: &str| number(name).map(|number| number != 0);
    Device {
        number: String::new(),
        name: disk.file_name().map(|name| name.to_string_lossy().into_owned()),
        model: model(disk),
        size_bytes: number("size").map(|sectors| sectors * 512),
        rotational: flag("queue/rotational"),
        write_cache: text("queue/write_cache"),
        drive_cache: text("cache_type").or_else(|| scsi_cache(disk)),
        fua: flag("queue/fua"),
        scheduler: text("queue/scheduler").map(|text| chosen(&text).to_owned()),
        nr_requests: number("queue/nr_requests"),
        file_system: None,
        mount_options: None,
    }
}

/// Of the drive, or of those below it (RAID, LVM, encryption).
fn model(disk: &Path) -> Option<String> {
    if let Some(model) = read(&disk.join("device/model")) {
        return Some(model);
    }
    let below = fs::read_dir(disk.join("slaves")).ok()?.flatten();
    let models = below.filter_map(|slave| {
        let slave = slave.path().canonicalize().ok()?;
        slave.ancestors().take(2).find_map(|dir| read(&dir.join("device/model")))
    });
    let mut models: Vec<String> = models.collect();
    models.sort();
    Some(models.join(" + ")).filter(|models| !models.is_empty())
}

fn scsi_cache(disk: &Path) -> Option<String> {
    let disks = fs::read_dir(disk.join("device/scsi_disk")).ok()?;
    disks.flatten().find_map(|disk| read(&disk.path().join("cache_type")))
}

/// `none [mq-deadline] kyber` says mq-deadline.
fn chosen(schedulers: &str) -> &str {
    schedulers.split_once('[').and_then(|(_, rest)| rest.split_once(']')).map_or(schedulers, |(chosen, _)| chosen)
}

fn read(path: &Path) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}

/// A line of `/proc/self/mountinfo`.
#[derive(PartialEq, Debug)]
struct Mount {
    file_system: String,
    source: String,
    options: String,
}

impl Mount {
    /// The deepest mount of that device which holds `dir`.
    fn find(mounts: &str, number: &str, dir: &Path) -> Option<Self> {
        let fitting = mounts.lines().filter_map(|line| {
            let (left, right) = line.split_once(" - ")?;
            let mut left = left.split(' ').skip(2);
            let (of, _root, point, options) = (left.next()?, left.next()?, left.next()?, left.next()?);
            let mut right = right.split(' ');
            let (file_system, source, more) = (right.next()?, right.next()?, right.next()?);
            let mount = Self {
                file_system: file_system.to_owned(),
                source: source.to_owned(),
                options: format!("{options},{more}"),
            };
            (of == number && dir.starts_with(point)).then_some((point.len(), mount))
        });
        fitting.max_by_key(|(depth, _)| *depth).map(|(_, mount)| mount)
    }
}

/// What other processes, and other guests of the same host, used of the processors since it was made.
pub(super) struct Others {
    at: Instant,
    ticks: u64,
}

impl Others {
    pub(super) fn watch() -> Self {
        Self { at: Instant::now(), ticks: ticks_of_others() }
    }

    /// In per cent of all processors.
    #[expect(clippy::cast_precision_loss, reason = "a number of cores")]
    pub(super) fn percent(&self) -> f64 {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let busy_s = seconds(ticks_of_others().saturating_sub(self.ticks));
        (busy_s / self.at.elapsed().as_secs_f64() / cores as f64 * 1000.0).round() / 10.0
    }
}

fn ticks_of_others() -> u64 {
    let all = fs::read_to_string("/proc/stat").unwrap_or_default();
    let own = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    busy_ticks(&all).saturating_sub(used_ticks(&own).unwrap_or(0))
}

/// User, nice, system, and stolen by the host; idle, waiting for I/O and interrupts are left out.
fn busy_ticks(stat: &str) -> u64 {
    let fields: Vec<u64> =
        stat.lines().next().unwrap_or_default().split_whitespace().skip(1).flat_map(str::parse).collect();
    [0, 1, 2, 7].iter().filter_map(|field| fields.get(*field)).sum()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn the_deepest_mount_of_the_device_counts() {
        let mounts = "\
22 1 0:21 / /proc rw - proc proc rw
27 1 254:0 / / rw,relatime - ext4 /dev/vda rw,discard
28 27 8:1 / /data rw,noatime shared:1 - xfs /dev/sda1 rw,attr2
29 27 8:1 /sub /data/deep ro master:2 - xfs /dev/sda1 rw
";
        let find = |number, dir| Mount::find(mounts, number, Path::new(dir));
        let mount = find("8:1", "/data/kafka").unwrap();
        assert_eq!((mount.file_system.as_str(), mount.options.as_str()), ("xfs", "rw,noatime,rw,attr2"));
        assert!(find("8:1", "/data/deep/x").unwrap().options.starts_with("ro"));
        assert_eq!(find("254:0", "/home").unwrap().source, "/dev/vda");
        assert_eq!(find("9:9", "/home"), None);
    }

    #[test]
    fn a_partition_has_the_facts_of_its_disk() {
        let sys = tempfile::tempdir().unwrap();
        let disk_dir = sys.path().join("devices/sda");
        for dir in
            ["devices/sda/queue", "devices/sda/sda1", "devices/sda/device/scsi_disk/0", "dev/block", "class/block"]
        {
            fs::create_dir_all(sys.path().join(dir)).unwrap();
        }
        let files = [
            ("queue/rotational", "0"),
            ("queue/write_cache", "write through"),
            ("queue/fua", "1"),
            ("queue/scheduler", "none [mq-deadline] bfq"),
            ("queue/nr_requests", "256"),
            ("size", "1000"),
            ("device/model", "SOME DISK   "),
            ("device/scsi_disk/0/cache_type", "write back"),
        ];
        for (name, text) in files {
            fs::write(disk_dir.join(name), format!("{text}\n")).unwrap();
        }
        std::os::unix::fs::symlink(disk_dir.join("sda1"), sys.path().join("dev/block/8:1")).unwrap();
        std::os::unix::fs::symlink(disk_dir.join("sda1"), sys.path().join("class/block/sda1")).unwrap();
        let found = facts(&disk(sys.path(), "8:1", "").unwrap());
        let expected = Device {
            name: Some("sda".to_owned()),
            model: Some("SOME DISK".to_owned()),
            size_bytes: Some(512_000),
            rotational: Some(false),
            write_cache: Some("write through".to_owned()),
            drive_cache: Some("write back".to_owned()),
            fua: Some(true),
            scheduler: Some("mq-deadline".to_owned()),
            nr_requests: Some(256),
            ..Device::default()
        };
        assert_eq!(found, expected);
        // A file system with a number of its own is found by what was mounted.
        assert_eq!(facts(&disk(sys.path(), "0:44", "/dev/sda1").unwrap()), expected);
        assert_eq!(disk(sys.path(), "0:44", "tmpfs"), None);
    }

    #[test]
    fn what_others_use_is_what_is_used_without_us() {
        assert_eq!(busy_ticks("cpu  100 20 30 4000 500 6 7 8 0 0\ncpu0 1 1 1"), 158);
        assert_eq!(busy_ticks(""), 0);
    }

    #[test]
    fn this_directory_lies_on_some_device() {
        let device = device_of(Path::new(env!("CARGO_MANIFEST_DIR"))).unwrap();
        assert!(device.number.contains(':') && device.file_system.is_some(), "{device:?}");
    }
}
