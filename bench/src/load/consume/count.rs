//! What the records of an answer count for.

use anyhow::{Context, Result};

use super::lane::Lane;
use crate::load::moment;
use crate::load::recorder::Tally;
use crate::load::shared::Shared;
use crate::result::Role;

/// Which of a role's latencies a fetch that found records is.
const fn fetch_index(role: Role) -> usize {
    match role {
        Role::Tail => 1,
        Role::Produce | Role::CatchUp => 0,
    }
}

const END_TO_END: usize = 0;

impl Lane {
    /// Looks at the records that [`advance`](Self::advance) found to be wanted. They arrived at `now_ns`, when the last
    /// byte of their answer did.
    pub(super) fn count(&mut self, correlation_id: i32, sent_ns: u64, now_ns: u64) -> Result<()> {
        let answer = self.answers.view(correlation_id)?;
        let (role, shared) = (self.manner.role, &self.shared);
        let mut fetched = false;
        let mut arrived = 0;
        for partition in answer.partitions() {
            let partition = partition.context("an answer to a fetch cannot be read")?;
            let slot = self.session.find(partition.topic, partition.index);
            // Taken, so that a partition which the answer names twice is not counted twice.
            let from = slot.and_then(|slot| self.wanted_from.get_mut(slot)).and_then(Option::take);
            let Some(from) = from else { continue };
            fetched = true;
            let reading = &mut self.reading;
            let noted = self.meter.note(|tally| match role {
                Role::Tail => reading.values(&partition, from, |value| {
                    arrived += u64::from(note_arrival(tally, shared, now_ns, value.unwrap_or_default())?);
                    Ok(())
                }),
                Role::Produce | Role::CatchUp => {
                    let (mut records, mut bytes) = (0, 0);
                    reading.values(&partition, from, |value| {
                        records += 1;
                        bytes += value.unwrap_or_default().len() as u64;
                        Ok(())
                    })?;
                    tally.at(now_ns, now_ns)?;
                    tally.records(records, bytes);
                    Ok(())
                }
            });
            noted.with_context(|| {
                let topic = slot.map_or(usize::MAX, |slot| self.session.topic(slot));
                format!("what was fetched of {}", self.name((topic, partition.index.0)))
            })?;
        }
        shared.arrivals.arrive(arrived);
        if !fetched {
            return Ok(());
        }
        self.meter.note(|tally| {
            tally.at(now_ns, now_ns)?;
            tally.latency(fetch_index(role), now_ns.saturating_sub(sent_ns), 1);
            Ok(())
        })
    }
}

/// Notes a record at the tail; false if it is of another run. A value that is too short to say when it was due is
/// taken for one of this run, and has no latency.
fn note_arrival(tally: &mut Tally, shared: &Shared, now_ns: u64, value: &[u8]) -> Result<bool> {
    match moment::due_unix_ns(value, shared.run_id) {
        Some(due) => {
            let due_ns = shared.since_beginning(due);
            tally.at(now_ns, due_ns)?;
            tally.records(1, value.len() as u64);
            tally.latency(END_TO_END, now_ns.saturating_sub(due_ns), 1);
        }
        None if value.len() < moment::LEN => {
            tally.at(now_ns, now_ns)?;
            tally.records(1, value.len() as u64);
        }
        None => return Ok(false),
    }
    Ok(true)
}
