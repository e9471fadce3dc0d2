//! An idempotent producer's standing with the brokers, and the transaction that is under way.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use anyhow::{Context, Result};
use thalweg_protocol::messages::add_partitions_to_txn_request::AddPartitionsToTxnTopic;

use super::backlog::{Batch, Identity};
use super::coordinator::Coordinator;
use crate::client::cluster::topic_name;
use crate::load::records::Random;
use crate::load::shared::Shared;

pub(super) struct Session {
    coordinator: Coordinator,
    transactional_id: Option<String>,
    pub(super) identity: Identity,
    records_max: u64,
    length_ns: u64,
    abort_percent: u64,
    random: Random,
    open: Option<Transaction>,
}

struct Transaction {
    ends_ns: u64,
    records: u64,
    /// Partitions that the coordinator knows of, where Produce requests do not tell it.
    added: HashSet<usize>,
}

impl Session {
    /// `None` where producers are not idempotent.
    pub(super) fn begin(shared: &Arc<Shared>, index: u32) -> Result<Option<Self>> {
        let Some(produce) = shared.scenario.produce.as_ref().filter(|produce| produce.idempotent) else {
            return Ok(None);
        };
        let id = produce.transactional.then(|| format!("thalweg-bench-{:08x}-{index}", shared.process_id));
        let mut coordinator = Coordinator::new(shared, id.clone());
        let identity = coordinator.init()?;
        Ok(Some(Self {
            coordinator,
            transactional_id: id,
            identity,
            records_max: produce.transaction_records,
            length_ns: produce.transaction_ms * 1_000_000,
            abort_percent: u64::from(produce.abort_percent),
            random: Random::new(u64::from(index)),
            open: None,
        }))
    }

    pub(super) fn transactional_id(&self) -> Option<String> {
        self.transactional_id.clone()
    }

    /// Versions of Produce that go with how transactions are done.
    pub(super) const fn produce_versions(&self) -> (i16, i16) {
        match (self.identity.transactional, self.coordinator.is_v2()) {
            (true, true) => (12, 13),
            (true, false) => (3, 11),
            (false, _) => (3, 13),
        }
    }

    /// A record goes into the transaction, which begins with it if none is under way.
    pub(super) fn took(&mut self, now_ns: u64) {
        if self.identity.transactional {
            let ends_ns = now_ns + self.length_ns;
            self.open.get_or_insert_with(|| Transaction { ends_ns, records: 0, added: HashSet::new() }).records += 1;
        }
    }

    /// Whether the transaction takes no more and is to end.
    pub(super) fn is_due(&self, now_ns: u64) -> bool {
        self.open.as_ref().is_some_and(|open| now_ns >= open.ends_ns || open.records >= self.records_max)
    }

    pub(super) const fn is_open(&self) -> bool {
        self.open.is_some()
    }

    pub(super) fn ends_ns(&self) -> Option<u64> {
        self.open.as_ref().map(|open| open.ends_ns)
    }

    /// Before batches are sent: adds their partitions to the transaction, where the requests do not.
    pub(super) fn add(&mut self, batches: &[Batch], names: impl Fn(usize) -> Option<(String, i32)>) -> Result<()> {
        if self.coordinator.is_v2() {
            return Ok(());
        }
        let Some(open) = &mut self.open else { return Ok(()) };
        let new = batches.iter().map(|batch| batch.partition).filter(|partition| open.added.insert(*partition));
        let mut topics: BTreeMap<String, Vec<i32>> = BTreeMap::new();
        for (topic, partition) in new.filter_map(names) {
            topics.entry(topic).or_default().push(partition);
        }
        if topics.is_empty() {
            return Ok(());
        }
        let topics = topics.into_iter().map(|(topic, partitions)| {
            AddPartitionsToTxnTopic::default().with_name(topic_name(&topic)).with_partitions(partitions)
        });
        self.coordinator.add_partitions(self.identity, topics.collect()).context("adding partitions to a transaction")
    }

    /// Ends the transaction, all of whose records are acknowledged.
    pub(super) fn end(&mut self) -> Result<()> {
        self.open = None;
        let commit = self.random.below(100) >= self.abort_percent;
        self.identity = self.coordinator.end(self.identity, commit).context("ending a transaction")?;
        Ok(())
    }
}
