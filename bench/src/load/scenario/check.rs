//! What a scenario may ask for, and what follows from what it does not say.

use std::fmt::Display;
use std::ops::RangeInclusive;

use anyhow::{Result, bail};

use super::{Acks, Consume, Keys, Produce, STEPS_MAX, Scenario, Size, Spread};

/// Rates beyond this are a slip of the hand.
const RATE_MAX: u64 = 100_000_000;
/// Names of partitions are held for each producer.
const PARTITIONS_MAX: i64 = 200_000;

impl Scenario {
    /// Fills in what follows from the rest, and refuses what cannot be.
    pub(crate) fn checked(mut self) -> Result<Self> {
        if self.name.is_empty() {
            self.name = Self::default().name;
        }
        if !self.bootstrap.contains(':') {
            bail!("bootstrap is host:port, not `{}`", self.bootstrap);
        }
        within("duration_s", self.duration_s, 1..=86_400)?;
        within("warmup_s", self.warmup_s, 0..=86_400)?;
        within("settle_s", self.settle_s, 0..=86_400)?;
        within("ramp_s", self.ramp_s, 0..=86_400)?;
        self.check_topics()?;
        if self.produce.is_none() && self.tail.is_none() && self.catch_up.is_none() {
            bail!("the scenario has neither [produce] nor [tail] nor [catch_up]: there is nothing to do");
        }
        if let Some(produce) = &mut self.produce {
            check_produce(produce)?;
        }
        if self.ramp_s > 0 && self.rates().contains(&None) {
            bail!("ramp_s needs a rate that it leads to: produce.rate or produce.steps");
        }
        if self.ramp_s > self.warmup_s + self.duration_s {
            bail!("ramp_s is longer than warmup_s and duration_s together");
        }
        if let Some(tail) = &self.tail {
            check_consume("tail", tail)?;
            if tail.repeat.is_some() {
                bail!("tail.repeat: only [catch_up] comes to an end from which to begin again");
            }
        }
        if let Some(catch_up) = &mut self.catch_up {
            check_consume("catch_up", catch_up)?;
            catch_up.repeat.get_or_insert(true);
        }
        Ok(self)
    }

    fn check_topics(&self) -> Result<()> {
        let topics = &self.topics;
        if topics.name.is_empty() {
            bail!("topics.name is empty");
        }
        within("topics.count", topics.count, 1..=100_000)?;
        within("topics.partitions", topics.partitions, 1..=100_000)?;
        within("topics.replication", topics.replication, 1..=100)?;
        within(
            "topics.count × topics.partitions",
            i64::from(topics.count) * i64::from(topics.partitions),
            1..=PARTITIONS_MAX,
        )
    }
}

fn check_produce(produce: &mut Produce) -> Result<()> {
    within("produce.producers", produce.producers, 1..=1000)?;
    if produce.rate.is_some() && !produce.steps.is_empty() {
        bail!("produce.rate and produce.steps are two ways to say the same: give one of them");
    }
    within("the number of produce.steps", produce.steps.len(), 0..=STEPS_MAX)?;
    for rate in produce.rate.iter().chain(&produce.steps) {
        within("a rate", *rate, 1..=RATE_MAX)?;
    }
    check_sizes(produce)?;
    within("produce.compressible", produce.compressible, 0..=100)?;
    within("produce.key_count", produce.key_count, 1..=1 << 40)?;
    within("produce.key_bytes", produce.key_bytes, 1..=65_536)?;
    let spread = *produce.spread.get_or_insert(if produce.keys == Keys::None { Spread::Batch } else { Spread::Key });
    if spread == Spread::Key && produce.keys == Keys::None {
        bail!("produce.spread = \"key\" needs produce.keys");
    }
    within("produce.batch_bytes", produce.batch_bytes, 1..=16_000_000)?;
    within("produce.linger_ms", produce.linger_ms, 0..=3_600_000)?;
    within("produce.in_flight", produce.in_flight, 1..=1000)?;
    within("produce.buffer_mib", produce.buffer_mib, 1..=65_536)?;
    check_transactions(produce)
}

fn check_sizes(produce: &mut Produce) -> Result<()> {
    match (produce.size, produce.sizes.is_empty()) {
        (Some(_), false) => bail!("produce.size and produce.sizes are two ways to say the same: give one of them"),
        (Some(bytes), true) => produce.sizes = vec![Size { bytes, weight: 1 }],
        (None, true) => produce.sizes = vec![Size { bytes: 1024, weight: 1 }],
        (None, false) => {}
    }
    produce.size = None;
    within("the number of produce.sizes", produce.sizes.len(), 1..=100)?;
    for size in &produce.sizes {
        within("produce.sizes: bytes", size.bytes, 1..=1_000_000)?;
        within("produce.sizes: weight", size.weight, 1..=1_000_000)?;
    }
    Ok(())
}

/// As Kafka's `ProducerConfig` refuses it.
fn check_transactions(produce: &mut Produce) -> Result<()> {
    produce.idempotent |= produce.transactional;
    if produce.idempotent && produce.in_flight > 5 {
        bail!("produce.in_flight is at most 5 with idempotence: a broker remembers the last five batches");
    }
    if produce.idempotent && produce.acks != Acks::All {
        bail!("produce.acks must be all with idempotence");
    }
    if produce.abort_percent > 0 && !produce.transactional {
        bail!("produce.abort_percent needs produce.transactional");
    }
    within("produce.transaction_records", produce.transaction_records, 1..=1_000_000_000)?;
    within("produce.transaction_ms", produce.transaction_ms, 1..=900_000)?;
    within("produce.abort_percent", produce.abort_percent, 0..=100)
}

fn check_consume(section: &str, consume: &Consume) -> Result<()> {
    within(&format!("{section}.consumers"), consume.consumers, 1..=1000)?;
    within(&format!("{section}.fetch_min_bytes"), consume.fetch_min_bytes, 0..=i32::MAX)?;
    within(&format!("{section}.fetch_wait_ms"), consume.fetch_wait_ms, 0..=60_000)?;
    within(&format!("{section}.fetch_max_bytes"), consume.fetch_max_bytes, 1..=i32::MAX)?;
    within(&format!("{section}.partition_max_bytes"), consume.partition_max_bytes, 1..=i32::MAX)
}

fn within<T: PartialOrd + Display>(what: &str, value: T, range: RangeInclusive<T>) -> Result<()> {
    if !range.contains(&value) {
        bail!("{what} is {value}: it must be from {} to {}", range.start(), range.end());
    }
    Ok(())
}
