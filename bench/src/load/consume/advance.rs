//! Where each partition of an answer goes on, from the batches' headers alone.

use std::time::Duration;

use anyhow::{Context, Result};
use thalweg_protocol::{ErrorCode, FetchedPartition, KafkaOffset};

use super::lane::Lane;
use crate::client::fetch::next_offset;
use crate::result::Role;

/// Before a request that was refused as a whole is made again.
const AGAIN: Duration = Duration::from_millis(20);

/// What an answer says of one partition, without its records.
struct Said {
    slot: usize,
    partition: (usize, i32),
    error_code: i16,
    next: Option<i64>,
    /// Behind the last record that may be seen.
    end: i64,
    start: i64,
}

impl Lane {
    /// Moves the position of each partition behind what the answer holds, and notes from where that is wanted.
    pub(super) fn advance(&mut self, correlation_id: i32) -> Result<()> {
        let answer = self.answers.view(correlation_id)?;
        let error_code = answer.error_code;
        self.session.answered(error_code, answer.session_id);
        if error_code != 0 {
            self.refused(error_code, "a fetch as a whole")?;
            std::thread::sleep(AGAIN);
            return Ok(());
        }
        // Behind the walk over the answer, as that borrows the lane.
        let mut apart = Vec::new();
        for partition in answer.partitions() {
            let partition = partition.context("an answer to a fetch cannot be read")?;
            let Some(slot) = self.session.find(partition.topic, partition.index) else { continue };
            if let Some(wanted) = self.wanted_from.get_mut(slot) {
                *wanted = None;
            }
            if !self.session.is_live(slot) {
                continue;
            }
            let said = self.said(slot, &partition)?;
            if said.error_code != 0 {
                apart.push(said);
                continue;
            }
            let position = self.session.position(slot);
            if let Some(next) = said.next.filter(|next| *next > position) {
                if let Some(wanted) = self.wanted_from.get_mut(slot) {
                    *wanted = Some(position);
                }
                self.session.seek(slot, next);
            }
            if self.manner.role == Role::CatchUp && self.session.position(slot) >= said.end && said.end >= 0 {
                apart.push(said);
            }
        }
        apart.into_iter().try_for_each(|said| self.apart(&said))
    }

    fn said(&self, slot: usize, partition: &FetchedPartition<'_>) -> Result<Said> {
        let index = partition.index.0;
        let topic = self.session.topic(slot);
        let next = next_offset(partition.records);
        let KafkaOffset(end) =
            if self.manner.limits.read_committed { partition.last_stable_offset } else { partition.high_watermark };
        Ok(Said {
            slot,
            partition: (topic, index),
            error_code: partition.error_code,
            next: next.with_context(|| format!("what was fetched of {}", self.name((topic, index))))?,
            end,
            start: partition.log_start_offset.0,
        })
    }

    /// A partition that was refused, or read to its end.
    fn apart(&mut self, said: &Said) -> Result<()> {
        if said.error_code == 0 {
            if !self.manner.repeat {
                self.session.remove(said.slot);
            } else if (0..said.end).contains(&said.start) {
                self.session.seek(said.slot, said.start);
            }
            return Ok(());
        }
        self.refused(said.error_code, &self.name(said.partition))?;
        // Retention was faster, or the log was cut: it goes on at the start of what is there.
        let lost = said.error_code == ErrorCode::OffsetOutOfRange.code();
        let position = (!lost).then(|| self.session.position(said.slot));
        self.session.remove(said.slot);
        self.moved.add(said.partition, position);
        Ok(())
    }
}
