//! What is on the simulated device, what only readers see yet, and what a power cut leaves of it.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::{SimFaults, SimRandom};
use crate::io::{BLOCK_SIZE_BYTES, DmaBuffer};

/// Identity of a file, whatever it is called.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct InodeId(u64);

/// Identity of a write in flight.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct WriteId(u64);

#[derive(Default)]
struct Inode {
    /// What readers see.
    content: Vec<u8>,
    /// What surely survives a power cut.
    durable: Vec<u8>,
    /// Sectors of `content` that differ from `durable`, perhaps.
    unsynced: BTreeSet<usize>,
}

struct InFlight {
    inode: InodeId,
    position: usize,
    buffer: DmaBuffer,
}

pub(super) struct Medium {
    pub(super) faults: SimFaults,
    pub(super) power_cuts: u64,
    /// Count and bytes.
    pub(super) writes_begun: (u64, u64),
    random: SimRandom,
    inodes: BTreeMap<InodeId, Inode>,
    names: BTreeMap<PathBuf, InodeId>,
    durable_names: BTreeMap<PathBuf, InodeId>,
    directories: BTreeSet<PathBuf>,
    in_flight: BTreeMap<WriteId, InFlight>,
    next_id: u64,
}

impl Medium {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            faults: SimFaults::default(),
            power_cuts: 0,
            writes_begun: (0, 0),
            random: SimRandom::new(seed),
            inodes: BTreeMap::new(),
            names: BTreeMap::new(),
            durable_names: BTreeMap::new(),
            directories: BTreeSet::from([PathBuf::from("/"), PathBuf::new()]),
            in_flight: BTreeMap::new(),
            next_id: 0,
        }
    }

    fn next_id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    // Names.

    pub(super) fn open(&mut self, path: &Path, create_new: bool) -> io::Result<InodeId> {
        match (self.names.get(path), create_new) {
            (Some(_), true) => Err(io::ErrorKind::AlreadyExists.into()),
            (Some(inode), false) => Ok(*inode),
            (None, false) => Err(io::ErrorKind::NotFound.into()),
            (None, true) => self.create(path),
        }
    }

    fn create(&mut self, path: &Path) -> io::Result<InodeId> {
        self.check_directory(path.parent().unwrap_or(Path::new("")))?;
        let inode = InodeId(self.next_id());
        self.inodes.insert(inode, Inode::default());
        self.names.insert(path.to_path_buf(), inode);
        Ok(inode)
    }

    fn check_directory(&self, path: &Path) -> io::Result<()> {
        if self.directories.contains(path) { Ok(()) } else { Err(io::ErrorKind::NotFound.into()) }
    }

    /// Directories are durable at once: only what is in them is put at risk.
    pub(super) fn create_dir_all(&mut self, path: &Path) {
        self.directories.extend(path.ancestors().map(Path::to_path_buf));
    }

    pub(super) fn read_dir(&self, path: &Path) -> io::Result<Vec<PathBuf>> {
        self.check_directory(path)?;
        let entries = self.names.keys().chain(&self.directories).filter(|entry| entry.parent() == Some(path));
        let names: BTreeSet<PathBuf> = entries.filter_map(|entry| entry.file_name()).map(PathBuf::from).collect();
        Ok(names.into_iter().collect())
    }

    pub(super) fn remove_file(&mut self, path: &Path) -> io::Result<()> {
        self.names.remove(path).map(|_| ()).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    pub(super) fn remove_dir_all(&mut self, path: &Path) -> io::Result<()> {
        self.check_directory(path)?;
        self.directories.retain(|directory| !directory.starts_with(path));
        self.names.retain(|name, _| !name.starts_with(path));
        self.durable_names.retain(|name, _| !name.starts_with(path));
        Ok(())
    }

    /// Files only, or a directory with all below it.
    pub(super) fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        self.check_directory(to.parent().unwrap_or(Path::new("")))?;
        if let Some(inode) = self.names.remove(from) {
            self.names.insert(to.to_path_buf(), inode);
            return Ok(());
        }
        self.check_directory(from)?;
        let moved = |path: &PathBuf| match path.strip_prefix(from) {
            Ok(rest) if rest.as_os_str().is_empty() => to.to_path_buf(),
            Ok(rest) => to.join(rest),
            Err(_) => path.clone(),
        };
        self.directories = self.directories.iter().map(moved).collect();
        self.names = self.names.iter().map(|(name, inode)| (moved(name), *inode)).collect();
        self.durable_names = self.durable_names.iter().map(|(name, inode)| (moved(name), *inode)).collect();
        Ok(())
    }

    pub(super) fn sync_dir(&mut self, path: &Path) -> io::Result<()> {
        self.check_directory(path)?;
        self.durable_names.retain(|name, _| name.parent() != Some(path));
        let names = self.names.iter().filter(|(name, _)| name.parent() == Some(path));
        self.durable_names.extend(names.map(|(name, inode)| (name.clone(), *inode)));
        Ok(())
    }

    pub(super) fn replace_file(&mut self, path: &Path, content: &[u8]) -> io::Result<()> {
        self.check_growth(content.len())?;
        let inode = self.create(path)?;
        self.durable_names.insert(path.to_path_buf(), inode);
        let file = Inode { content: content.to_vec(), durable: content.to_vec(), unsynced: BTreeSet::new() };
        self.inodes.insert(inode, file);
        Ok(())
    }

    /// In place, and nothing of it is durable before a sync.
    pub(super) fn write_file(&mut self, path: &Path, content: &[u8]) -> io::Result<()> {
        let inode = match self.open(path, false) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.create(path)?,
            opened => opened?,
        };
        let growth = content.len().saturating_sub(self.inode(inode)?.content.len());
        if growth > 0 {
            self.check_growth(growth)?;
        }
        let inode = self.inode(inode)?;
        inode.content = content.to_vec();
        inode.unsynced.extend(sectors(0, content.len()));
        Ok(())
    }

    pub(super) fn read_file(&self, path: &Path) -> io::Result<Bytes> {
        let inode = self.names.get(path).ok_or(io::ErrorKind::NotFound)?;
        self.check_readable(*inode, 0..u64::MAX)?;
        self.content(path).map(Bytes::from).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn check_readable(&self, inode: InodeId, wanted: Range<u64>) -> io::Result<()> {
        let Some(bad) = &self.faults.unreadable else { return Ok(()) };
        let touched = wanted.start < bad.bytes.end && bad.bytes.start < wanted.end;
        if touched && self.names.get(&bad.path) == Some(&inode) {
            return Err(io::Error::from_raw_os_error(libc::EIO));
        }
        Ok(())
    }

    // Bytes.

    fn inode(&mut self, inode: InodeId) -> io::Result<&mut Inode> {
        self.inodes.get_mut(&inode).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    pub(super) fn content(&self, path: &Path) -> Option<Vec<u8>> {
        Some(self.inodes.get(self.names.get(path)?)?.content.clone())
    }

    pub(super) fn used_bytes(&self) -> u64 {
        let named: BTreeSet<InodeId> = self.names.values().copied().collect();
        named.iter().filter_map(|inode| self.inodes.get(inode)).map(|inode| inode.content.len() as u64).sum()
    }

    fn check_growth(&self, bytes: usize) -> io::Result<()> {
        match self.faults.capacity_bytes {
            Some(capacity) if self.used_bytes() + bytes as u64 > capacity => Err(io::ErrorKind::StorageFull.into()),
            _ => Ok(()),
        }
    }

    /// The write, and how many polls it takes.
    pub(super) fn begin_write(
        &mut self,
        inode: InodeId,
        position: u64,
        buffer: DmaBuffer,
    ) -> io::Result<(WriteId, u64)> {
        let position = position as usize;
        assert!(position.is_multiple_of(BLOCK_SIZE_BYTES), "write at {position}: not aligned");
        assert!(buffer.len().is_multiple_of(BLOCK_SIZE_BYTES), "write of {} bytes: not aligned", buffer.len());
        let growth = (position + buffer.len()).saturating_sub(self.inode(inode)?.content.len());
        if growth > 0 {
            self.check_growth(growth)?;
        }
        self.writes_begun = (self.writes_begun.0 + 1, self.writes_begun.1 + buffer.len() as u64);
        let id = WriteId(self.next_id());
        self.in_flight.insert(id, InFlight { inode, position, buffer });
        Ok((id, self.random.below(self.faults.write_delay_polls_max + 1)))
    }

    pub(super) fn finish_write(&mut self, id: WriteId, durable: bool) -> io::Result<()> {
        match &mut self.faults.writes_until_error {
            // It stays in flight: whatever part of a failed write reached the device is found after the restart.
            Some(0) => return Err(io::Error::from_raw_os_error(libc::EIO)),
            Some(left) => *left -= 1,
            None => {}
        }
        let Some(write) = self.in_flight.remove(&id) else {
            return Err(io::Error::other("a write finished twice"));
        };
        let inode = self.inode(write.inode)?;
        put(&mut inode.content, write.position, write.buffer.as_slice());
        if durable {
            put(&mut inode.durable, write.position, write.buffer.as_slice());
        } else {
            inode.unsynced.extend(sectors(write.position, write.buffer.len()));
        }
        Ok(())
    }

    pub(super) fn read(&mut self, inode: InodeId, position: u64, len: usize) -> io::Result<Bytes> {
        self.check_readable(inode, position..position.saturating_add(len as u64))?;
        let content = &self.inode(inode)?.content;
        let start = (position as usize).min(content.len());
        let end = start.saturating_add(len).min(content.len());
        Ok(Bytes::copy_from_slice(content.get(start..end).unwrap_or_default()))
    }

    pub(super) fn sync(&mut self, inode: InodeId) -> io::Result<()> {
        let inode = self.inode(inode)?;
        inode.durable.clone_from(&inode.content);
        inode.unsynced.clear();
        Ok(())
    }

    pub(super) fn truncate(&mut self, inode: InodeId, len: u64) -> io::Result<()> {
        let growth = (len as usize).saturating_sub(self.inode(inode)?.content.len());
        if growth > 0 {
            self.check_growth(growth)?;
        }
        self.inode(inode)?.content.resize(len as usize, 0);
        Ok(())
    }

    pub(super) fn len(&mut self, inode: InodeId) -> io::Result<u64> {
        Ok(self.inode(inode)?.content.len() as u64)
    }

    // What goes wrong.

    pub(super) fn rot(&mut self, path: &Path, position: u64, flip: u8) -> bool {
        let inode = self.names.get(path).and_then(|inode| self.inodes.get_mut(inode));
        let Some(inode) = inode else { return false };
        let Some(byte) = inode.content.get_mut(position as usize) else {
            return false;
        };
        *byte ^= flip;
        if let Some(byte) = inode.durable.get_mut(position as usize) {
            *byte ^= flip;
        }
        true
    }

    pub(super) fn power_cut(&mut self) {
        self.power_cuts += 1;
        self.cut_names();
        for inode in self.inodes.values_mut() {
            cut_unsynced(inode, &mut self.random);
        }
        let mut in_flight: Vec<InFlight> = std::mem::take(&mut self.in_flight).into_values().collect();
        while !in_flight.is_empty() {
            let write = in_flight.swap_remove(self.random.below(in_flight.len() as u64) as usize);
            cut_in_flight(&mut self.inodes, &write, &mut self.random);
        }
        for inode in self.inodes.values_mut() {
            inode.content.clone_from(&inode.durable);
        }
    }

    /// Changes of one directory that were not synced all happened, or none did: file systems journal them in order.
    fn cut_names(&mut self) {
        for directory in self.directories.clone() {
            if self.random.one_in(2) {
                // The directory is there, so this cannot fail.
                let _ = self.sync_dir(&directory);
            }
        }
        self.names.clone_from(&self.durable_names);
        let named: BTreeSet<InodeId> = self.names.values().copied().collect();
        self.inodes.retain(|inode, _| named.contains(inode));
    }
}

fn sectors(position: usize, len: usize) -> std::ops::Range<usize> {
    position / BLOCK_SIZE_BYTES..(position + len).div_ceil(BLOCK_SIZE_BYTES)
}

/// Writes `bytes` at `position`, growing the file with zeros.
fn put(file: &mut Vec<u8>, position: usize, bytes: &[u8]) {
    let end = position + bytes.len();
    if file.len() < end {
        file.resize(end, 0);
    }
    if let Some(target) = file.get_mut(position..end) {
        target.copy_from_slice(bytes);
    }
}

fn cut_unsynced(inode: &mut Inode, random: &mut SimRandom) {
    if inode.durable.len() > inode.content.len() && random.one_in(2) {
        inode.durable.truncate(inode.content.len());
    }
    for sector in std::mem::take(&mut inode.unsynced) {
        let start = sector * BLOCK_SIZE_BYTES;
        let end = (start + BLOCK_SIZE_BYTES).min(inode.content.len());
        if let Some(bytes) = inode.content.get(start..end)
            && random.one_in(2)
        {
            put(&mut inode.durable, start, bytes);
        }
    }
}

fn cut_in_flight(inodes: &mut BTreeMap<InodeId, Inode>, write: &InFlight, random: &mut SimRandom) {
    let Some(inode) = inodes.get_mut(&write.inode) else {
        return;
    };
    // Mostly all or nothing, sometimes torn: sectors of one write land each by itself.
    let fate = random.below(3);
    for (index, sector) in write.buffer.as_slice().chunks(BLOCK_SIZE_BYTES).enumerate() {
        if fate == 0 || (fate == 1 && random.one_in(2)) {
            put(&mut inode.durable, write.position + index * BLOCK_SIZE_BYTES, sector);
        }
    }
}
