//! Readers: one follows the ends of all partitions, one reads everything from the beginning again and again.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use thalweg_protocol::ErrorCode;
use thalweg_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use thalweg_protocol::messages::fetch_response::PartitionData;
use thalweg_protocol::messages::{BrokerId, FetchRequest};
use thalweg_protocol::records::{BatchView, batches};
use uuid::Uuid;

use super::check::Pass;
use super::places::Places;
use super::record::{Format, Name, Unreadable};
use super::shared::{Backoff, Shared};
use crate::client::cluster::{error_name, topic_name};
use crate::client::fetch::{FetchedTopic, Moment, list_offsets};
use crate::client::wire::Connection;

/// The last version with topics by name; every Kafka from 2.7 on serves it.
const FETCH_VERSION: i16 = 12;
const PARTITION_BYTES: i32 = 1 << 20;
const ANSWER_BYTES: i32 = 16 << 20;
/// What a batch may become when it is decompressed.
const BATCH_BYTES_MAX: usize = 256 << 20;
const ANSWER_WITHIN: Duration = Duration::from_secs(15);
/// Between looks at ends where nothing was new.
const NAP: Duration = Duration::from_millis(10);

pub(crate) struct Reader {
    shared: Arc<Shared>,
    places: Places,
    connection: Option<(String, Connection)>,
    backoff: Backoff,
    scratch: Vec<u8>,
}

/// What one Fetch brought.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Step {
    Further,
    /// The pass has reached this high watermark.
    AtEnd(i64),
    /// There is more, and none of it came.
    Stuck,
    /// The broker has nothing at this offset: the pass begins again.
    OutOfRange,
}

type Found = Vec<(i64, Result<Name, Unreadable>)>;

impl Reader {
    pub(crate) fn new(shared: Arc<Shared>, places: Places) -> Self {
        Self { shared, places, connection: None, backoff: Backoff::default(), scratch: Vec::new() }
    }

    /// Stays at the ends of all partitions until production has ended.
    pub(crate) fn follow(mut self) {
        let mut passes: Vec<Pass> = self.passes();
        while !self.shared.produced.load(Ordering::Acquire) {
            let mut still = true;
            for (partition, pass) in passes.iter_mut().enumerate() {
                match self.fetch(partition, pass) {
                    Ok(Step::AtEnd(_) | Step::Stuck) => {}
                    Ok(Step::Further) => still = false,
                    Ok(Step::OutOfRange) => *pass = self.beginning(partition),
                    Err(_) => self.recover(),
                }
                if self.shared.produced.load(Ordering::Acquire) {
                    return;
                }
            }
            if still {
                std::thread::sleep(NAP);
            }
        }
    }

    /// Reads everything again and again until production has ended.
    pub(crate) fn read_again_and_again(mut self) {
        let mut next = self.shared.settings.read_every;
        while !self.shared.produced.load(Ordering::Acquire) {
            if self.shared.now() < next {
                std::thread::sleep(NAP);
                continue;
            }
            let going_on = |shared: &Shared| !shared.produced.load(Ordering::Acquire);
            let read =
                (0..self.places.partitions()).try_for_each(|partition| self.read_whole(partition, going_on).map(drop));
            if read.is_ok() {
                self.shared.readings.fetch_add(1, Ordering::AcqRel);
            }
            next = self.shared.now() + self.shared.settings.read_every;
        }
    }

    /// Reads a partition from the beginning to the high watermark that it has at first; gives where that ended. Tries as
    /// long as `going_on` says so, within what is allowed to be unavailable.
    pub(crate) fn read_whole(&mut self, partition: usize, going_on: impl Fn(&Shared) -> bool) -> Result<i64> {
        let mut pass = self.beginning(partition);
        let limit = self.shared.settings.unavailable_max;
        let (mut moved, mut why) = (Instant::now(), String::new());
        let mut restarts = 0;
        while going_on(&self.shared) {
            match self.fetch(partition, &mut pass) {
                Ok(Step::AtEnd(watermark)) => return Ok(watermark),
                Ok(Step::Further) => moved = Instant::now(),
                Ok(Step::Stuck) => {
                    "the broker answers without records".clone_into(&mut why);
                    self.backoff.pause();
                }
                Ok(Step::OutOfRange) if restarts < RESTARTS_MAX => {
                    restarts += 1;
                    pass = self.beginning(partition);
                }
                Ok(Step::OutOfRange) => bail!("partition {partition}: its beginning is not there any more"),
                Err(error) => {
                    why = format!("{error:#}");
                    self.recover();
                }
            }
            if moved.elapsed() > limit {
                let index = i32::try_from(partition)?;
                let why = format!("nothing came for {} s: {why}", limit.as_secs());
                self.shared.checker().unreadable(index, pass.next(), why.clone());
                bail!("partition {partition} cannot be read from offset {} on: {why}", pass.next());
            }
        }
        bail!("reading was ended")
    }

    fn passes(&self) -> Vec<Pass> {
        (0..self.places.partitions()).map(|partition| self.beginning(partition)).collect()
    }

    fn beginning(&self, partition: usize) -> Pass {
        self.shared.checker().pass(i32::try_from(partition).unwrap_or(-1))
    }

    /// After a failure: another connection, perhaps to another broker.
    fn recover(&mut self) {
        self.connection = None;
        self.backoff.pause();
        // What is known stays known where nobody can be asked.
        let _ = self.places.refresh();
    }

    /// One Fetch of one partition, judged.
    fn fetch(&mut self, partition: usize, pass: &mut Pass) -> Result<Step> {
        let index = i32::try_from(partition)?;
        let from = pass.ask();
        let floor = self.shared.checker().asked(index);
        let data = self.ask(partition, index, from)?;
        match ErrorCode::from_code(data.error_code) {
            Some(ErrorCode::None) => {}
            Some(ErrorCode::OffsetOutOfRange) => {
                self.shared.checker().out_of_range(index, from);
                return Ok(Step::OutOfRange);
            }
            _ => bail!("partition {partition}: {}", error_name(data.error_code).unwrap_or_default()),
        }
        self.backoff.reset();
        let found = self.records(&data, from);
        let mut checker = self.shared.checker();
        checker.answered(index, floor, data.high_watermark);
        for (offset, record) in found {
            checker.read(index, pass, offset, record);
        }
        Ok(if pass.next() >= data.high_watermark {
            Step::AtEnd(data.high_watermark)
        } else if pass.next() > from {
            Step::Further
        } else {
            Step::Stuck
        })
    }

    fn ask(&mut self, partition: usize, index: i32, from: i64) -> Result<PartitionData> {
        let leader = self.places.leader(partition).context("no leader is known")?.to_owned();
        let wanted = FetchPartition::default()
            .with_partition(index)
            .with_fetch_offset(from)
            .with_partition_max_bytes(PARTITION_BYTES);
        let topic = FetchTopic::default().with_topic(topic_name(self.places.topic())).with_partitions(vec![wanted]);
        let request = FetchRequest::default()
            .with_replica_id(BrokerId(-1))
            .with_max_wait_ms(0)
            .with_min_bytes(0)
            .with_max_bytes(ANSWER_BYTES)
            .with_session_epoch(-1)
            .with_topics(vec![topic]);
        let open = match self.connection.take().filter(|(peer, _)| *peer == leader) {
            Some((_, connection)) => connection,
            None => Connection::open(&leader, ANSWER_WITHIN)?,
        };
        let (_, connection) = self.connection.insert((leader, open));
        let answer = connection.call(&request, FETCH_VERSION)?;
        if let Some(error) = error_name(answer.error_code) {
            bail!("the broker answered {error}");
        }
        let mut partitions = answer.responses.into_iter().flat_map(|topic| topic.partitions);
        partitions.find(|data| data.partition_index == index).context("the broker's answer leaves out the partition")
    }

    fn records(&mut self, data: &PartitionData, from: i64) -> Found {
        let mut found = Found::new();
        let bytes = data.records.as_ref().map_or(&[][..], |bytes| bytes);
        for batch in batches(bytes) {
            match batch {
                Ok(batch) => read_batch(&self.shared.settings.format, &batch, &mut self.scratch, &mut found),
                // Nothing behind it can be found: the offset that was to come next is what is damaged.
                Err(error) => {
                    let next = found.last().map_or(from, |(offset, _)| offset + 1);
                    found.push((next, Err(Unreadable::Damaged(format!("a batch whose header is wrong: {error}")))));
                }
            }
        }
        found
    }
}

/// How often one reading may begin again before it is given up.
const RESTARTS_MAX: u32 = 3;
/// Offsets that a damaged batch's header may claim.
const DAMAGED_MAX: i64 = 100_000;

fn read_batch(format: &Format, batch: &BatchView<'_>, scratch: &mut Vec<u8>, found: &mut Found) {
    let (base, last) = (batch.header.base_offset.0, batch.header.last_offset().0);
    if let Err(why) = readable(format, batch, scratch, found) {
        // Each of its offsets is there, and none of its records.
        let last = last.min(base.saturating_add(DAMAGED_MAX));
        found.extend((base..=last.max(base)).map(|offset| (offset, Err(why.clone()))));
    }
}

/// Appends the records of a batch, or nothing.
fn readable(
    format: &Format,
    batch: &BatchView<'_>,
    scratch: &mut Vec<u8>,
    found: &mut Found,
) -> Result<(), Unreadable> {
    let damaged = |error: &dyn std::fmt::Display| Unreadable::Damaged(format!("a batch that cannot be read: {error}"));
    batch.check_crc().map_err(|error| damaged(&error))?;
    if batch.header.attributes.is_control() {
        return Err(Unreadable::Foreign("a control record, though there are no transactions".to_owned()));
    }
    let before = found.len();
    for record in batch.records(BATCH_BYTES_MAX).map_err(|error| damaged(&error))? {
        match record {
            Ok(record) => {
                let name = format.read(record.key.as_deref(), record.value.as_deref(), scratch);
                found.push((record.offset.0, name));
            }
            Err(error) => {
                found.truncate(before);
                return Err(damaged(&error));
            }
        }
    }
    Ok(())
}

/// Where each partition ends now: what lies before that is not judged. A topic that was just created may not be served
/// by its leaders yet.
pub(crate) fn starts(places: &Places) -> Result<Vec<i64>> {
    let mut starts = Vec::with_capacity(places.partitions());
    let (began, mut backoff) = (Instant::now(), Backoff::default());
    while starts.len() < places.partitions() {
        match end_of(places, starts.len()) {
            Ok(end) => starts.push(end),
            Err(error) if began.elapsed() > SERVED_WITHIN => return Err(error),
            Err(_) => backoff.pause(),
        }
    }
    Ok(starts)
}

const SERVED_WITHIN: Duration = Duration::from_secs(30);

fn end_of(places: &Places, partition: usize) -> Result<i64> {
    let leader = places.leader(partition).context("no leader is known")?;
    let mut connection = Connection::open(leader, ANSWER_WITHIN)?;
    let topic = FetchedTopic { name: topic_name(places.topic()), id: Uuid::nil() };
    let asked = [(0, i32::try_from(partition)?)];
    let ends = list_offsets(&mut connection, &[topic], &asked, Moment::Latest { read_committed: false })?;
    let (_, end) = ends.into_iter().next().context("the broker's answer names no partition")?;
    end.map_err(|code| {
        let error = error_name(code).unwrap_or_default();
        anyhow!("the end of partition {partition}: the broker answered {error}")
    })
}
