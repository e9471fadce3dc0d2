//! The end at the tail: what was written by then is still read, within a limit.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::lane::Lane;
use crate::client::fetch::{Moment, Session, list_offsets};
use crate::client::wire::Connection;

/// What has not come by then is said to have never arrived.
const WITHIN: Duration = Duration::from_secs(10);

pub(super) struct Drain {
    deadline: Instant,
    /// By slot, the offset up to which is read.
    ends: Vec<(usize, i64)>,
}

impl Drain {
    pub(super) fn is_late(&self) -> bool {
        Instant::now() >= self.deadline
    }

    pub(super) fn is_done(&self, session: &Session) -> bool {
        self.is_late() || self.ends.iter().all(|(slot, end)| !session.is_live(*slot) || session.position(*slot) >= *end)
    }
}

impl Lane {
    /// Asks where the partitions end now. Open transactions count: their markers may still be on the way, and who reads
    /// what is committed comes to the end when they are there.
    pub(super) fn begin_draining(&self) -> Result<Drain> {
        let deadline = Instant::now() + WITHIN;
        let fetched = self.fetched();
        let partitions: Vec<_> = fetched.keys().copied().collect();
        let mut connection = Connection::open(self.requests.peer(), WITHIN)?;
        let end = Moment::Latest { read_committed: false };
        let offsets = list_offsets(&mut connection, &self.manner.topics, &partitions, end)
            .context("asking where the partitions end")?;
        let ends = offsets.into_iter().filter_map(|(partition, end)| Some((*fetched.get(&partition)?, end.ok()?)));
        Ok(Drain { deadline, ends: ends.collect() })
    }
}
