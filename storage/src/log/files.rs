//! Open files of one core, the least recently used closed first: ten thousand partitions have three files each.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use crate::io::{Disk, DiskFile, OpenMode};

/// Files opened for reading and writing. Who uses one holds it: closing is dropping the last holder.
pub(crate) struct FileCache {
    limit: usize,
    state: RefCell<State>,
}

#[derive(Default)]
struct State {
    files: HashMap<PathBuf, (Rc<dyn DiskFile>, u64)>,
    /// By time of last use.
    order: BTreeMap<u64, PathBuf>,
    clock: u64,
}

const MODE: OpenMode = OpenMode { write: true, create_new: false, durable_writes: false };

impl FileCache {
    pub(super) fn new(limit: usize) -> Self {
        Self { limit: limit.max(1), state: RefCell::default() }
    }

    pub(super) async fn open(&self, disk: &dyn Disk, path: &Path) -> io::Result<Rc<dyn DiskFile>> {
        self.open_while(disk, path, || true).await
    }

    /// A file that was opened while its name was given to another is not kept for the next who asks for the name.
    pub(super) async fn open_while(
        &self,
        disk: &dyn Disk,
        path: &Path,
        still_wanted: impl Fn() -> bool,
    ) -> io::Result<Rc<dyn DiskFile>> {
        if let Some(file) = self.state.borrow_mut().find(path) {
            return Ok(file);
        }
        let file = disk.open(path, MODE).await?;
        if still_wanted() {
            self.insert(path, &file);
        }
        Ok(file)
    }

    /// The second value says whether it was there before.
    pub(super) async fn open_or_create(&self, disk: &dyn Disk, path: &Path) -> io::Result<(Rc<dyn DiskFile>, bool)> {
        match self.open(disk, path).await {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            result => return result.map(|file| (file, true)),
        }
        let file = disk.open(path, OpenMode { create_new: true, ..MODE }).await?;
        self.insert(path, &file);
        Ok((file, false))
    }

    /// Forgets files that are about to be renamed or deleted.
    pub(crate) fn close_matching(&self, gone: impl Fn(&Path) -> bool) {
        let mut state = self.state.borrow_mut();
        state.files.retain(|path, _| !gone(path));
        state.order.retain(|_, path| !gone(path));
    }

    pub(crate) fn len(&self) -> usize {
        self.state.borrow().files.len()
    }

    fn insert(&self, path: &Path, file: &Rc<dyn DiskFile>) {
        self.state.borrow_mut().insert(path, file, self.limit);
    }
}

impl State {
    fn find(&mut self, path: &Path) -> Option<Rc<dyn DiskFile>> {
        let now = self.clock + 1;
        let (file, used) = self.files.get_mut(path)?;
        self.clock = now;
        if let Some(path) = self.order.remove(used) {
            self.order.insert(now, path);
        }
        *used = now;
        Some(Rc::clone(file))
    }

    fn insert(&mut self, path: &Path, file: &Rc<dyn DiskFile>, limit: usize) {
        self.clock += 1;
        if let Some((_, used)) = self.files.insert(path.to_path_buf(), (Rc::clone(file), self.clock)) {
            self.order.remove(&used);
        }
        self.order.insert(self.clock, path.to_path_buf());
        while self.files.len() > limit {
            let Some((_, oldest)) = self.order.pop_first() else { break };
            self.files.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use futures::executor::block_on;

    use super::*;
    use crate::io::sim::SimDisk;

    #[test]
    fn keeps_no_more_than_its_limit_open() {
        let disk = SimDisk::new(1).disk();
        let cache = FileCache::new(2);
        for name in ["/a", "/b", "/c"] {
            assert!(!block_on(cache.open_or_create(disk.as_ref(), Path::new(name))).unwrap().1);
        }
        assert_eq!(cache.len(), 2);
        assert!(cache.state.borrow_mut().find(Path::new("/a")).is_none(), "used longest ago");
        assert!(block_on(cache.open_or_create(disk.as_ref(), Path::new("/a"))).unwrap().1);
        assert!(cache.state.borrow_mut().find(Path::new("/b")).is_none());
        cache.close_matching(|path| path == Path::new("/c"));
        assert_eq!(cache.len(), 1);
        assert!(block_on(cache.open(disk.as_ref(), Path::new("/missing"))).is_err());
    }
}
