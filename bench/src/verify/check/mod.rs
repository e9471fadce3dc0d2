//! The judge: told what was sent, acknowledged and read, it says what is wrong. It does no I/O and reads no clock.
//!
//! What readers find is kept as one history per partition. A record is judged when it is seen for the first time; later
//! readers must find the same at the same offset. At the end, what was acknowledged is held against the history.

mod finish;
mod history;
mod ledger;
#[cfg(test)]
mod properties;
mod stream;
#[cfg(test)]
mod tests;
mod violation;

use history::{Content, History};
use ledger::{Ledger, Promise};
use stream::{Seen, Stream};
pub(crate) use violation::{Kind, Violation, Violations};

use super::record::{Name, Unreadable};

/// Batches and runs that are remembered, over all partitions: some 700 MiB.
pub(crate) const REMEMBERED_MAX: usize = 10_000_000;

/// What the broker is held to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    /// Nothing may stand twice. Without it, what was sent twice may.
    pub(crate) idempotent: bool,
    /// Each producer's records stand in the order in which they were sent.
    pub(crate) ordered: bool,
    /// What was acknowledged lies below the high watermark (acks=all).
    pub(crate) committed: bool,
}

/// What nobody is blamed for, but should know.
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) acknowledged: u64,
    /// Records at offsets where nobody had looked before.
    pub(crate) seen: u64,
    /// Records that were found again where they were.
    pub(crate) seen_again: u64,
    /// Records that stand again because they were sent again, without idempotence.
    pub(crate) repeated: u64,
    /// Records behind later ones, where no order is promised.
    pub(crate) out_of_order: u64,
}

/// What was known when a broker was asked; its answer must not fall behind that.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Floor {
    watermark: i64,
    acknowledged: i64,
}

/// One reader's way through a partition, from the start to a high watermark.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pass {
    /// The offset that was asked for: batches begin before it.
    asked: i64,
    next: i64,
}

impl Pass {
    pub(crate) const fn next(&self) -> i64 {
        self.next
    }

    /// Asks for what comes next.
    pub(crate) const fn ask(&mut self) -> i64 {
        self.asked = self.next;
        self.next
    }
}

/// Where a batch belongs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Batch {
    pub(crate) producer: u32,
    pub(crate) partition: i32,
    pub(crate) first: u64,
    pub(crate) count: u64,
}

#[derive(Debug)]
struct Partition {
    index: i32,
    start: i64,
    history: History,
    ledger: Ledger,
    /// By producer.
    streams: Vec<Stream>,
    watermark: i64,
    /// Below this, everything that was acknowledged must lie below the high watermark.
    committed: i64,
}

#[derive(Debug)]
pub(crate) struct Checker {
    rules: Rules,
    partitions: Vec<Partition>,
    pub(crate) violations: Violations,
    pub(crate) tally: Tally,
}

impl Checker {
    /// `starts`: the offset behind the last record of each partition before the run.
    pub(crate) fn new(rules: Rules, producers: u32, starts: &[i64]) -> Self {
        let partition = |(index, start): (i32, &i64)| Partition {
            index,
            start: *start,
            history: History::new(*start),
            ledger: Ledger::default(),
            streams: (0..producers).map(|_| Stream::default()).collect(),
            watermark: *start,
            committed: *start,
        };
        let partitions = (0..).zip(starts).map(partition).collect();
        Self { rules, partitions, violations: Violations::default(), tally: Tally::default() }
    }

    /// Whether no more can be remembered: production must end.
    pub(crate) fn is_full(&self) -> bool {
        let entries = |partition: &Partition| partition.ledger.entries() + partition.history.runs();
        self.partitions.iter().map(entries).sum::<usize>() >= REMEMBERED_MAX
    }

    /// A batch is about to go out, for the first time or again.
    pub(crate) fn send(&mut self, batch: Batch) {
        if let Some(stream) = self.partition(batch.partition).and_then(|partition| partition.stream(batch.producer)) {
            stream.send(batch.first, batch.count);
        }
    }

    /// A batch was acknowledged. Without an offset it stands somewhere.
    pub(crate) fn acknowledge(&mut self, batch: Batch, base_offset: Option<i64>) {
        self.tally.acknowledged += batch.count;
        let Some(partition) = self.partition(batch.partition) else { return };
        let promise = Promise { producer: batch.producer, first: batch.first, count: batch.count };
        let Some(base) = base_offset else { return partition.ledger.enter_floating(promise) };
        let before = partition.ledger.enter(base, promise);
        partition.committed = partition.committed.max(partition.ledger.end());
        let index = batch.partition;
        if let Some((at, made)) = before {
            self.violations.add(Violation {
                kind: Kind::PromisedTwice,
                partition: index,
                offset: Some(base),
                count: 1,
                expected: format!("offsets of its own for {}", records(index, promise)),
                found: format!("{} were acknowledged from offset {at} on", records(index, made)),
            });
        }
    }

    /// An idempotent producer's batch was refused though everything before it was acknowledged.
    pub(crate) fn refuse(&mut self, batch: Batch, error: &str) {
        let promise = Promise { producer: batch.producer, first: batch.first, count: batch.count };
        self.violations.add(Violation {
            kind: Kind::SequenceRefused,
            partition: batch.partition,
            offset: None,
            count: 1,
            expected: format!("{} to be taken: all before them were acknowledged", records(batch.partition, promise)),
            found: error.to_owned(),
        });
    }

    /// A reader is about to ask for a partition; the answer goes to [`answered`](Self::answered) with what this gives.
    pub(crate) fn asked(&self, partition: i32) -> Floor {
        let known = usize::try_from(partition).ok().and_then(|index| self.partitions.get(index));
        known.map_or(Floor { watermark: 0, acknowledged: 0 }, |known| Floor {
            watermark: known.watermark,
            acknowledged: if self.rules.committed { known.committed } else { 0 },
        })
    }

    /// The high watermark that an answer told.
    pub(crate) fn answered(&mut self, index: i32, floor: Floor, watermark: i64) {
        let Some(partition) = self.partition(index) else { return };
        if watermark >= floor.watermark && watermark >= floor.acknowledged {
            partition.watermark = partition.watermark.max(watermark);
            return;
        }
        // From here on it is held to what it says now, so that one fall is one violation.
        partition.watermark = watermark;
        partition.committed = watermark;
        let expected = if floor.watermark >= floor.acknowledged {
            format!("a high watermark of at least {}, as it was told before", floor.watermark)
        } else {
            format!("a high watermark of at least {}, as that was acknowledged", floor.acknowledged)
        };
        self.violations.add(Violation {
            kind: Kind::WatermarkBack,
            partition: index,
            offset: Some(watermark),
            count: 1,
            expected,
            found: format!("a high watermark of {watermark}"),
        });
    }

    /// A new way through a partition, from where it stood when the run began.
    pub(crate) fn pass(&self, partition: i32) -> Pass {
        let known = usize::try_from(partition).ok().and_then(|index| self.partitions.get(index));
        let start = known.map_or(0, |known| known.start);
        Pass { asked: start, next: start }
    }

    /// What a reader found next on its way.
    pub(crate) fn read(&mut self, index: i32, pass: &mut Pass, offset: i64, record: Result<Name, Unreadable>) {
        if offset < pass.asked {
            return;
        }
        if offset < pass.next {
            let (expected, found) = (format!("offset {}", pass.next), format!("offset {offset} again"));
            return self.violate(Kind::Gap, index, Some(offset), expected, found);
        }
        if offset > pass.next {
            self.skipped(index, pass.next, offset);
        }
        pass.next = offset.saturating_add(1);
        let Some(partition) = self.partition(index) else { return };
        match partition.history.at(offset) {
            None => self.first_seen(index, offset, record),
            Some(before) => self.seen_again(index, offset, before, record),
        }
    }

    /// The broker says that there is nothing at an offset which is within what it had.
    pub(crate) fn out_of_range(&mut self, index: i32, offset: i64) {
        let Some(partition) = self.partition(index) else { return };
        let end = partition.history.end();
        let expected = format!("offsets up to {end} to be readable, as they were before");
        let found = format!("OFFSET_OUT_OF_RANGE at {offset}");
        self.violate(Kind::Gone, index, Some(offset), expected, found);
    }

    /// What lies below the high watermark cannot be had.
    pub(crate) fn unreadable(&mut self, index: i32, offset: i64, why: String) {
        self.violate(Kind::Unreadable, index, Some(offset), "records up to the high watermark".to_owned(), why);
    }

    fn first_seen(&mut self, index: i32, offset: i64, record: Result<Name, Unreadable>) {
        self.tally.seen += 1;
        let content = match record {
            Ok(name) if name.partition == index => Content::Record { producer: name.producer, sequence: name.sequence },
            other => {
                self.not_ours(index, offset, other);
                Content::Bad
            }
        };
        let Some(partition) = self.partition(index) else { return };
        partition.history.append(content);
        if let Content::Record { producer, sequence } = content {
            self.judge_order(index, offset, producer, sequence);
        }
    }

    /// One that is damaged, or that belongs elsewhere.
    fn not_ours(&mut self, index: i32, offset: i64, record: Result<Name, Unreadable>) {
        let (kind, found) = match record {
            Ok(name) => (Kind::Foreign, name.to_string()),
            Err(Unreadable::Foreign(found)) => (Kind::Foreign, found),
            Err(Unreadable::Damaged(found)) => (Kind::Damaged, found),
        };
        let expected = match self.promised(index, offset) {
            Some(name) => format!("{name}, as acknowledged"),
            None => format!("a record that was sent to partition {index}"),
        };
        self.violate(kind, index, Some(offset), expected, found);
    }

    fn judge_order(&mut self, index: i32, offset: i64, producer: u32, sequence: u64) {
        let rules = self.rules;
        let name = Name { producer, partition: index, sequence };
        let Some(partition) = self.partition(index) else { return };
        let Some(stream) = partition.stream(producer) else {
            return self.violate(
                Kind::Foreign,
                index,
                Some(offset),
                "a producer of this run".to_owned(),
                name.to_string(),
            );
        };
        match stream.see(sequence) {
            Seen::Next => {}
            Seen::Unsent => {
                let found = format!("{name}, which was never sent");
                self.violate(Kind::Foreign, index, Some(offset), "what was sent".to_owned(), found);
            }
            Seen::Late { behind } if rules.ordered => {
                let found = format!("{name} behind record {behind}");
                self.violate(Kind::Reordered, index, Some(offset), "the order of sending".to_owned(), found);
            }
            Seen::Late { .. } => self.tally.out_of_order += 1,
            Seen::Again { copies } => {
                let sends = stream.sends(sequence);
                if !rules.idempotent && copies <= sends {
                    self.tally.repeated += 1;
                    return;
                }
                let allowed = if rules.idempotent { "once".to_owned() } else { format!("{sends} times, as sent") };
                let found = format!("{name} for the {copies}th time");
                self.violate(Kind::Duplicate, index, Some(offset), format!("each record at most {allowed}"), found);
            }
        }
    }

    fn seen_again(&mut self, index: i32, offset: i64, before: Content, record: Result<Name, Unreadable>) {
        self.tally.seen_again += 1;
        let content = match &record {
            Ok(name) if name.partition == index => Content::Record { producer: name.producer, sequence: name.sequence },
            _ => Content::Bad,
        };
        if content == before {
            return;
        }
        let Some(partition) = self.partition(index) else { return };
        partition.history.change(offset, content);
        if let Content::Record { producer, sequence } = content
            && let Some(stream) = partition.stream(producer)
            && !stream.was_seen(sequence)
        {
            // So that it is known to be somewhere; its place is a violation already.
            stream.see(sequence);
        }
        let found = match record {
            Ok(name) => name.to_string(),
            Err(unreadable) => unreadable.to_string(),
        };
        let expected = format!("{}, as read before", before.words(index));
        self.violate(Kind::Changed, index, Some(offset), expected, found);
    }

    /// A reader came from `from` to `to` with nothing in between.
    fn skipped(&mut self, index: i32, from: i64, to: i64) {
        let Some(partition) = self.partition(index) else { return };
        let end = partition.history.end();
        let mut gone = Vec::new();
        for offset in (from..to.min(end)).take(SKIPPED_MAX) {
            let before = partition.history.at(offset).unwrap_or(Content::Nothing);
            if before != Content::Nothing {
                partition.history.change(offset, Content::Nothing);
                gone.push((offset, before));
            }
        }
        if to > end {
            let (first, count) = (end.max(from), u64::try_from(to.saturating_sub(end)).unwrap_or(0));
            partition.history.append_many(Content::Nothing, count);
            self.violations.add(Violation {
                kind: Kind::Gap,
                partition: index,
                offset: Some(first),
                count,
                expected: format!("offset {first}"),
                found: format!("offset {to} next"),
            });
        }
        for (offset, before) in gone {
            let expected = format!("{}, as read before", before.words(index));
            self.violate(Kind::Gone, index, Some(offset), expected, format!("offset {to} next"));
        }
    }

    /// What was acknowledged for an offset.
    fn promised(&self, index: i32, offset: i64) -> Option<Name> {
        let partition = usize::try_from(index).ok().and_then(|index| self.partitions.get(index))?;
        let (base, promise) = partition.ledger.below(offset)?;
        let by = u64::try_from(offset - base).ok().filter(|by| *by < promise.count)?;
        Some(Name { producer: promise.producer, partition: index, sequence: promise.first + by })
    }

    fn violate(&mut self, kind: Kind, partition: i32, offset: Option<i64>, expected: String, found: String) {
        self.violations.add(Violation { kind, partition, offset, count: 1, expected, found });
    }

    fn partition(&mut self, index: i32) -> Option<&mut Partition> {
        usize::try_from(index).ok().and_then(|index| self.partitions.get_mut(index))
    }
}

/// Offsets that are looked at one by one where a reader was led past them.
const SKIPPED_MAX: usize = 100_000;

impl Partition {
    fn stream(&mut self, producer: u32) -> Option<&mut Stream> {
        self.streams.get_mut(producer as usize)
    }
}

fn records(partition: i32, promise: Promise) -> String {
    let last = promise.first + promise.count.saturating_sub(1);
    format!("records {} to {last} of producer {} in partition {partition}", promise.first, promise.producer)
}
