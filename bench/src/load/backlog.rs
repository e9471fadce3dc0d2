//! Records on their way into requests: one open batch per partition, and closed ones behind it.

use std::collections::VecDeque;

use anyhow::Result;
use bytes::Bytes;
use thalweg_protocol::TimestampMs;
use thalweg_protocol::records::{BatchBuilder, Compression};

/// A batch, and when its records were due.
pub(crate) struct Batch {
    pub(crate) bytes: Bytes,
    pub(crate) due: Vec<u64>,
    pub(crate) value_bytes: u64,
}

struct Open {
    builder: BatchBuilder,
    due: Vec<u64>,
    value_bytes: u64,
    /// When its first record was put in.
    begun: u64,
}

/// Of one partition.
pub(crate) struct Backlog {
    open: Option<Open>,
    closed: VecDeque<Batch>,
    compression: Compression,
    batch_bytes: usize,
}

impl Backlog {
    pub(crate) fn new(compression: Compression, batch_bytes: usize) -> Self {
        Self { open: None, closed: VecDeque::new(), compression, batch_bytes }
    }

    /// Adds a record, and says whether the batch it went into is full.
    pub(crate) fn push(
        &mut self,
        now: u64,
        due: u64,
        at: TimestampMs,
        key: Option<&[u8]>,
        value: &[u8],
    ) -> Result<bool> {
        let compression = self.compression;
        let open = self.open.get_or_insert_with(|| Open {
            builder: BatchBuilder::new().with_compression(compression),
            due: Vec::new(),
            value_bytes: 0,
            begun: now,
        });
        open.builder.push(at, key, Some(value), &[])?;
        open.due.push(due);
        open.value_bytes += value.len() as u64;
        let full = open.builder.size_bytes() >= self.batch_bytes;
        if full {
            self.close()?;
        }
        Ok(full)
    }

    /// Closes the open batch if it has waited for `linger`.
    pub(crate) fn close_if_due(&mut self, now: u64, linger: u64) -> Result<()> {
        if self.open.as_ref().is_some_and(|open| now >= open.begun + linger) { self.close() } else { Ok(()) }
    }

    /// When the open batch is to be closed.
    pub(crate) fn closes_at(&self, linger: u64) -> Option<u64> {
        self.open.as_ref().map(|open| open.begun + linger)
    }

    fn close(&mut self) -> Result<()> {
        let Some(open) = self.open.take() else { return Ok(()) };
        let bytes = open.builder.build()?.freeze();
        self.closed.push_back(Batch { bytes, due: open.due, value_bytes: open.value_bytes });
        Ok(())
    }

    pub(crate) fn take(&mut self) -> Option<Batch> {
        self.closed.pop_front()
    }

    pub(crate) fn is_ready(&self) -> bool {
        !self.closed.is_empty()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.open.is_none() && self.closed.is_empty()
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    const MS: fn(u64) -> u64 = |ms| ms * 1_000_000;

    #[test]
    fn a_batch_is_closed_when_it_is_full_or_has_lingered() {
        let mut backlog = Backlog::new(Compression::None, 300);
        let mut push = |now| backlog.push(MS(now), MS(now), TimestampMs(0), None, &[7; 100]).unwrap();
        assert_eq!([push(0), push(1), push(2), push(3)], [false, false, true, false]);
        let full = backlog.take().unwrap();
        assert_eq!((full.due, full.value_bytes), (vec![MS(0), MS(1), MS(2)], 300));
        backlog.close_if_due(MS(7), MS(5)).unwrap();
        assert!(!backlog.is_ready() && !backlog.is_empty());
        assert_eq!(backlog.closes_at(MS(5)), Some(MS(8)));
        backlog.close_if_due(MS(8), MS(5)).unwrap();
        assert_eq!(backlog.take().unwrap().due, [MS(3)]);
        assert!(backlog.is_empty());
    }
}
