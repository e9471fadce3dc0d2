//! The end of a file that grows by appends: whole blocks are on the disk, the *fragment* behind them is in memory.
//!
//! Segments and both indexes grow like this. A block on the disk is never written again while it is the only copy of
//! anything: the fragment is in the checkpoint until it has become part of a whole block.

use std::io;
use std::rc::Rc;

use bytes::{Bytes, BytesMut};
use futures::future::try_join_all;

use crate::io::{BLOCK_SIZE_BYTES, Disk, DiskFile, DmaBuffer};

/// The largest single write, in bytes.
const WRITE_SIZE_MAX_BYTES: usize = 1 << 20;
const BLOCK: u64 = BLOCK_SIZE_BYTES as u64;

/// How far a file is written, and what comes next.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct BlockTail {
    /// Bytes in the file that count: a multiple of the block size.
    pub(crate) written: u64,
    /// Less than a block.
    pub(crate) fragment: Bytes,
}

/// Writes that take a file from one [`BlockTail`] to the next.
pub(super) struct Staged {
    writes: Vec<(u64, DmaBuffer)>,
    pub(super) next: BlockTail,
    /// The exact length that the file gets after the writes, when the last block was padded.
    truncate_to: Option<u64>,
}

impl BlockTail {
    /// Bytes of the file as if the fragment were in it.
    pub(crate) fn len(&self) -> u64 {
        self.written + self.fragment.len() as u64
    }

    /// Appends `parts`: whole blocks are to be written, the rest becomes the fragment.
    pub(super) fn stage(&self, disk: &dyn Disk, parts: &[Bytes]) -> Staged {
        let total = self.fragment.len() + parts.iter().map(Bytes::len).sum::<usize>();
        let whole = total - total % BLOCK_SIZE_BYTES;
        let mut source = Source { parts: std::iter::once(&self.fragment).chain(parts).cloned().collect() };
        let writes = buffers(disk, self.written, whole, &mut source);
        let written = self.written + whole as u64;
        Staged { writes, next: BlockTail { written, fragment: source.rest() }, truncate_to: None }
    }

    /// Writes the fragment as well: the block is padded, then the file cut to its exact length.
    pub(super) fn stage_fragment(&self, disk: &dyn Disk) -> Staged {
        if self.fragment.is_empty() {
            return Staged { writes: Vec::new(), next: self.clone(), truncate_to: None };
        }
        let mut source = Source { parts: [self.fragment.clone()].into() };
        let writes = buffers(disk, self.written, BLOCK_SIZE_BYTES, &mut source);
        Staged { writes, next: self.clone(), truncate_to: Some(self.len()) }
    }
}

impl Staged {
    pub(super) fn needs_file(&self) -> bool {
        !self.writes.is_empty()
    }

    /// Writes everything; pieces are in flight together.
    pub(super) async fn write(&mut self, file: &Rc<dyn DiskFile>) -> io::Result<()> {
        let writes = std::mem::take(&mut self.writes);
        try_join_all(writes.into_iter().map(|(position, buffer)| file.write_at(position, buffer))).await?;
        match self.truncate_to {
            Some(len) => file.truncate(len).await,
            None => Ok(()),
        }
    }
}

/// Aligned buffers with the next `len` bytes of `source`, zeros behind its end.
fn buffers(disk: &dyn Disk, position: u64, len: usize, source: &mut Source) -> Vec<(u64, DmaBuffer)> {
    debug_assert!(position.is_multiple_of(BLOCK), "blocks begin at multiples of their size");
    let starts = (0..len).step_by(WRITE_SIZE_MAX_BYTES);
    let buffer_at = |start: usize| {
        let mut buffer = disk.allocate(WRITE_SIZE_MAX_BYTES.min(len - start));
        source.fill(buffer.as_mut_slice()).fill(0);
        (position + start as u64, buffer)
    };
    starts.map(buffer_at).collect()
}

/// Bytes that lie in pieces.
struct Source {
    parts: std::collections::VecDeque<Bytes>,
}

impl Source {
    /// Moves as much as there is, and gives back what of the target is left.
    fn fill<'a>(&mut self, mut target: &'a mut [u8]) -> &'a mut [u8] {
        while !target.is_empty() {
            let Some(part) = self.parts.front_mut() else { break };
            let piece = part.split_to(part.len().min(target.len()));
            if part.is_empty() {
                self.parts.pop_front();
            }
            let (head, rest) = std::mem::take(&mut target).split_at_mut(piece.len());
            head.copy_from_slice(&piece);
            target = rest;
        }
        target
    }

    /// What was not taken, in memory of its own so that it pins nothing larger.
    fn rest(self) -> Bytes {
        let mut rest = BytesMut::with_capacity(self.parts.iter().map(Bytes::len).sum());
        for part in &self.parts {
            rest.extend_from_slice(part);
        }
        rest.freeze()
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use std::path::Path;

    use futures::executor::block_on;

    use super::*;
    use crate::io::OpenMode;
    use crate::io::sim::SimDisk;

    #[test]
    fn whole_blocks_are_written_and_the_rest_is_kept() {
        let sim = SimDisk::new(1);
        let disk = sim.disk();
        let path = Path::new("/f");
        let file =
            block_on(disk.open(path, OpenMode { write: true, create_new: true, durable_writes: false })).unwrap();
        let mut tail = BlockTail::default();
        let mut model = Vec::new();
        for (i, len) in [10, 4086, 5000, 1, 3_000_000, 4096].into_iter().enumerate() {
            let part = Bytes::from(vec![i as u8 + 1; len]);
            model.extend_from_slice(&part);
            let mut staged = tail.stage(disk.as_ref(), &[part.slice(..len / 2), part.slice(len / 2..)]);
            block_on(staged.write(&file)).unwrap();
            tail = staged.next;
            assert_eq!(tail.len(), model.len() as u64);
            assert!(tail.fragment.len() < BLOCK_SIZE_BYTES);
            let mut whole = sim.content(path).unwrap();
            assert_eq!(whole.len() as u64, tail.written);
            whole.extend_from_slice(&tail.fragment);
            assert!(whole == model, "after part {i}");
        }
        let mut staged = tail.stage_fragment(disk.as_ref());
        block_on(staged.write(&file)).unwrap();
        assert!(sim.content(path).unwrap() == model, "the fragment is padded, then cut to length");
    }
}
