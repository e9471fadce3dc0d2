//! What must hold before a core starts: the kernel, the limits, the data directories. Each failure is one line that says
//! what is wrong and what to do.

use std::collections::BTreeMap;
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use uuid::Uuid;

use crate::cluster::{ClusterIdentity, Founder};
use crate::config::Config;

/// What to look at when a reactor does not start.
pub const HINT: &str = "check that the kernel is 5.11 or newer, that io_uring is allowed (kernel.io_uring_disabled) and \
                        that `ulimit -l` is at least 512 KiB per core";

/// Locked memory that each reactor's ring needs.
const MEMLOCK_PER_CORE_BYTES: u64 = 512 * 1024;

/// Open files below which a broker is of little use.
const FILES_MIN: u64 = 1024;

/// The version of everything under a data directory. A newer one is not touched.
const FORMAT_VERSION: u32 = 1;

/// Who this data belongs to; holds the directories' locks while it lives.
pub struct Identity {
    /// `None` while this node has not formed or joined a cluster.
    pub cluster: Option<ClusterIdentity>,
    /// Of the first directory of `log.dirs`, as Kafka gives each one an id (KIP-858).
    pub directory_id: Uuid,
    _locks: Vec<File>,
}

/// Whether this kernel has io_uring for us.
pub fn check_kernel() -> Result<(), String> {
    let disabled = fs::read_to_string("/proc/sys/kernel/io_uring_disabled").unwrap_or_default();
    if disabled.trim() == "2" {
        return Err("this kernel forbids io_uring; allow it with `sysctl kernel.io_uring_disabled=0`".to_owned());
    }
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    match kernel_version(&release) {
        Some(version) if version < (5, 11) => Err(format!(
            "this kernel is {}, and io_uring as used here needs 5.11 or newer; upgrade the kernel",
            release.trim()
        )),
        _ => Ok(()),
    }
}

fn kernel_version(release: &str) -> Option<(u32, u32)> {
    let mut parts = release.split(['.', '-']);
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

/// Raises the soft limits to the hard ones, and says which of those is too low.
pub fn raise_limits(cores: usize) -> Result<(), String> {
    let memlock = raise(Resource::Memlock);
    let needed = MEMLOCK_PER_CORE_BYTES * cores as u64;
    if memlock < needed {
        return Err(format!(
            "the limit on locked memory is {} KiB, and {cores} core(s) need {}; raise it with `ulimit -l` or LimitMEMLOCK=, \
             or lower thalweg.cores",
            memlock / 1024,
            needed / 1024
        ));
    }
    let files = raise(Resource::Nofile);
    if files < FILES_MIN {
        return Err(format!(
            "the limit on open files is {files}, and at least {FILES_MIN} are needed; raise it with `ulimit -n` or LimitNOFILE="
        ));
    }
    Ok(())
}

/// The limit after raising it as far as it goes.
fn raise(resource: Resource) -> u64 {
    let limit = getrlimit(resource);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    let now = match setrlimit(resource, raised) {
        Ok(()) => limit.maximum,
        Err(_) => limit.current,
    };
    now.unwrap_or(u64::MAX)
}

/// Creates or checks every data directory, and locks it.
pub fn claim_directories(config: &Config) -> Result<Identity, String> {
    let mut locks = Vec::with_capacity(config.log_dirs.len());
    let mut found: Vec<(PathBuf, Option<BTreeMap<String, String>>)> = Vec::new();
    for dir in &config.log_dirs {
        fs::create_dir_all(dir)
            .map_err(|error| format!("cannot make the data directory {}: {error}; check log.dirs", dir.display()))?;
        locks.push(lock(dir)?);
        found.push((dir.clone(), read_meta(dir)?));
    }
    for (dir, meta) in &found {
        match meta {
            Some(meta) => check_meta(dir, meta, config)?,
            None => write_meta(dir, config, None, &new_id())?,
        }
    }
    let directory_id = config.log_dirs.first().map_or_else(|| Ok(Uuid::nil()), |dir| read_directory_id(dir))?;
    let me = Founder { node_id: config.node_id.0, directory_id, address: config.rpc_address().unwrap_or_default() };
    let known = found.iter().filter_map(|(_, meta)| meta.as_ref()).find(|meta| meta.contains_key("cluster.id"));
    let mut cluster = known.map_or(Ok(None), |meta| ClusterIdentity::from_properties(meta, &me))?;
    if cluster.is_none() && config.founds_alone() {
        cluster = Some(ClusterIdentity { id: new_id(), founders: vec![me], joined_at: 0 });
    }
    if let Some(cluster) = &cluster {
        record_cluster(config, cluster)?;
    }
    Ok(Identity { cluster, directory_id, _locks: locks })
}

/// Writes into every data directory which cluster it belongs to. Nothing changes where that is written already.
///
/// # Errors
/// When a directory belongs to another cluster, or cannot be written.
pub fn record_cluster(config: &Config, cluster: &ClusterIdentity) -> Result<(), String> {
    for dir in &config.log_dirs {
        let meta = read_meta(dir)?.unwrap_or_default();
        match meta.get("cluster.id") {
            Some(id) if *id == cluster.id => {}
            Some(id) => {
                return Err(format!(
                    "the directories of log.dirs belong to different clusters: {} to {id}, others to {}",
                    dir.display(),
                    cluster.id
                ));
            }
            None => {
                let directory_id = meta.get("directory.id").cloned().unwrap_or_else(new_id);
                write_meta(dir, config, Some(cluster), &directory_id)?;
            }
        }
    }
    Ok(())
}

fn lock(dir: &Path) -> Result<File, String> {
    let path = dir.join(".lock");
    let file =
        File::options().create(true).truncate(false).write(true).open(&path).map_err(|error| {
            format!("cannot write to the data directory {}: {error}; check its owner", dir.display())
        })?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(format!(
            "the data directory {} is in use by another process; stop that one or choose another with log.dirs",
            dir.display()
        )),
        Err(TryLockError::Error(error)) => Err(format!("cannot lock {}: {error}", path.display())),
    }
}

/// Kafka's `meta.properties`, if the directory has one.
fn read_meta(dir: &Path) -> Result<Option<BTreeMap<String, String>>, String> {
    let path = dir.join("meta.properties");
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(format!("cannot read {}: {error}", path.display())),
    };
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let pairs = lines.filter_map(|line| line.split_once('='));
    Ok(Some(pairs.map(|(key, value)| (key.trim().to_owned(), value.trim().to_owned())).collect()))
}

/// Zero where the directory has none, or not in Kafka's form.
fn read_directory_id(dir: &Path) -> Result<Uuid, String> {
    let meta = read_meta(dir)?.unwrap_or_default();
    let id = meta.get("directory.id").and_then(|text| thalweg_protocol::parse_uuid(text));
    Ok(id.map_or(Uuid::nil(), Uuid::from_bytes))
}

fn check_meta(dir: &Path, meta: &BTreeMap<String, String>, config: &Config) -> Result<(), String> {
    let dir = dir.display();
    let Some(format) = meta.get("thalweg.format.version") else {
        return Err(format!(
            "{dir} holds the data of another broker (no thalweg.format.version in its meta.properties); choose another with log.dirs"
        ));
    };
    if format.parse() != Ok(FORMAT_VERSION) {
        return Err(format!(
            "{dir} was written in format version {format}, this broker knows {FORMAT_VERSION}; start the version that wrote it"
        ));
    }
    let node = meta.get("node.id").map_or("", String::as_str);
    if node != config.node_id.0.to_string() {
        return Err(format!(
            "{dir} belongs to node {node}, this is node {}; check node.id and log.dirs",
            config.node_id
        ));
    }
    Ok(())
}

fn write_meta(
    dir: &Path,
    config: &Config,
    cluster: Option<&ClusterIdentity>,
    directory_id: &str,
) -> Result<(), String> {
    let mut text = format!(
        "# Written at the first start; do not edit.\nversion=1\nthalweg.format.version={FORMAT_VERSION}\n\
         node.id={}\ndirectory.id={directory_id}\n",
        config.node_id
    );
    for (key, value) in cluster.map(ClusterIdentity::properties).unwrap_or_default() {
        text.push_str(&format!("{key}={value}\n"));
    }
    let (temporary, path) = (dir.join("meta.properties.tmp"), dir.join("meta.properties"));
    let written = fs::write(&temporary, text)
        .and_then(|()| File::open(&temporary)?.sync_all())
        .and_then(|()| fs::rename(&temporary, &path))
        .and_then(|()| File::open(dir)?.sync_all());
    written.map_err(|error| format!("cannot write {}: {error}", path.display()))
}

/// A random id in Kafka's form.
pub(crate) fn new_id() -> String {
    thalweg_protocol::uuid_text(Uuid::new_v4().as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernel_versions_are_read() {
        assert_eq!(kernel_version("6.18.44-fc-v657\n"), Some((6, 18)));
        assert_eq!(kernel_version("5.4.0"), Some((5, 4)));
        assert_eq!(kernel_version(""), None);
    }

    #[test]
    fn cluster_ids_have_kafkas_form() {
        let id = new_id();
        assert_eq!(id.len(), 22);
        assert!(id.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_'), "{id}");
        assert_ne!(id, new_id());
    }
}
