//! What an idempotent producer asks of a coordinator: who it is, and, for transactions, their beginning and end.
//!
//! These calls wait: a producer has nothing else to do meanwhile, as Kafka's own has not.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use thalweg_protocol::messages::add_partitions_to_txn_request::AddPartitionsToTxnTopic;
use thalweg_protocol::messages::{
    AddPartitionsToTxnRequest, ApiKey, EndTxnRequest, FindCoordinatorRequest, InitProducerIdRequest, ProducerId,
    TransactionalId,
};
use thalweg_protocol::{ErrorCode, Request, StrBytes};

use super::backlog::Identity;
use crate::client::cluster::check;
use crate::client::versions::Versions;
use crate::client::wire::Connection;
use crate::load::shared::Shared;

const TIMEOUT: Duration = Duration::from_secs(30);
/// How long what may pass is tried again.
const PATIENCE: Duration = Duration::from_secs(30);
/// Between two attempts: Kafka's client waits as long (`retry.backoff.ms`), and less where a transaction only has to end.
const BACKOFF: Duration = Duration::from_millis(100);
const BACKOFF_CONCURRENT: Duration = Duration::from_millis(20);
const TRANSACTION_TIMEOUT_MS: i32 = 60_000;
/// Of FindCoordinator's key.
const TRANSACTION: i8 = 1;

pub(super) struct Coordinator {
    shared: Arc<Shared>,
    transactional_id: Option<TransactionalId>,
    connection: Option<(Connection, Versions)>,
    /// Produce requests add their partitions themselves, and each transaction has an epoch of its own (KIP-890).
    v2: bool,
}

impl Coordinator {
    pub(super) fn new(shared: &Arc<Shared>, transactional_id: Option<String>) -> Self {
        let transactional_id = transactional_id.map(|id| TransactionalId(StrBytes::from_string(id)));
        Self { shared: Arc::clone(shared), transactional_id, connection: None, v2: false }
    }

    pub(super) const fn is_v2(&self) -> bool {
        self.v2
    }

    pub(super) fn init(&mut self) -> Result<Identity> {
        let request = InitProducerIdRequest::default()
            .with_transactional_id(self.transactional_id.clone())
            .with_transaction_timeout_ms(TRANSACTION_TIMEOUT_MS)
            .with_producer_id(ProducerId(-1))
            .with_producer_epoch(-1);
        let answer = self.call(&request, ApiKey::InitProducerId, 0..=5, |answer| answer.error_code)?;
        let transactional = self.transactional_id.is_some();
        Ok(Identity { id: answer.producer_id.0, epoch: answer.producer_epoch, transactional })
    }

    /// Only without [`is_v2`](Self::is_v2).
    pub(super) fn add_partitions(&mut self, who: Identity, topics: Vec<AddPartitionsToTxnTopic>) -> Result<()> {
        let request = AddPartitionsToTxnRequest::default()
            .with_v3_and_below_transactional_id(self.transactional_id.clone().unwrap_or_default())
            .with_v3_and_below_producer_id(ProducerId(who.id))
            .with_v3_and_below_producer_epoch(who.epoch)
            .with_v3_and_below_topics(topics);
        self.call(&request, ApiKey::AddPartitionsToTxn, 0..=3, |answer| {
            let topics = answer.results_by_topic_v3_and_below.iter();
            let codes = topics.flat_map(|topic| &topic.results_by_partition).map(|result| result.partition_error_code);
            codes.into_iter().find(|code| *code != 0 && *code != ErrorCode::OperationNotAttempted.code()).unwrap_or(0)
        })?;
        Ok(())
    }

    /// Ends the transaction; answers with who the producer is in the next one.
    pub(super) fn end(&mut self, who: Identity, commit: bool) -> Result<Identity> {
        let request = EndTxnRequest::default()
            .with_transactional_id(self.transactional_id.clone().unwrap_or_default())
            .with_producer_id(ProducerId(who.id))
            .with_producer_epoch(who.epoch)
            .with_committed(commit);
        let versions = if self.v2 { 5..=5 } else { 0..=4 };
        let answer = self.call(&request, ApiKey::EndTxn, versions, |answer| answer.error_code)?;
        if self.v2 {
            return Ok(Identity { id: answer.producer_id.0, epoch: answer.producer_epoch, ..who });
        }
        Ok(who)
    }

    /// Asks until there is an answer that is final.
    fn call<Q: Request>(
        &mut self,
        request: &Q,
        api: ApiKey,
        ours: RangeInclusive<i16>,
        code: impl Fn(&Q::Response) -> i16,
    ) -> Result<Q::Response> {
        let began = Instant::now();
        loop {
            let outcome = self.attempt(request, api, ours.clone());
            let lost = outcome.is_err();
            let wait = match outcome {
                Ok(answer) => match ErrorCode::from_code(code(&answer)) {
                    Some(error) if !error.is_error() => return Ok(answer),
                    Some(ErrorCode::ConcurrentTransactions) if began.elapsed() < PATIENCE => BACKOFF_CONCURRENT,
                    Some(error) if error.is_retriable() && began.elapsed() < PATIENCE => BACKOFF,
                    _ => {
                        check(&format!("{api:?}"), code(&answer))?;
                        bail!("{api:?} failed");
                    }
                },
                Err(error) if error.is::<NotServed>() || began.elapsed() >= PATIENCE => return Err(error),
                Err(_) => BACKOFF,
            };
            if self.shared.has_failed() {
                bail!("{api:?} was given up: the run has failed");
            }
            if lost || wait == BACKOFF {
                self.connection = None;
            }
            std::thread::sleep(wait);
        }
    }

    fn attempt<Q: Request>(&mut self, request: &Q, api: ApiKey, ours: RangeInclusive<i16>) -> Result<Q::Response> {
        if self.connection.is_none() {
            self.connection = Some(self.find()?);
        }
        let (connection, versions) = self.connection.as_mut().context("there is no connection")?;
        let version = versions.pick(api, ours).context(NotServed)?;
        connection.call(request, version)
    }

    /// A connection to whom these calls go: with transactions their coordinator, otherwise any broker.
    fn find(&mut self) -> Result<(Connection, Versions)> {
        let mut connection = Connection::open(&self.shared.scenario.bootstrap, TIMEOUT)?;
        let versions = Versions::ask(&mut connection)?;
        let Some(id) = &self.transactional_id else { return Ok((connection, versions)) };
        let version = versions.pick(ApiKey::FindCoordinator, 1..=6).context(NotServed)?;
        // Before the coordinator is looked for: that alone creates a topic, and then says nothing about what is missing.
        versions.pick(ApiKey::EndTxn, 0..=5).context(NotServed)?;
        let request = FindCoordinatorRequest::default().with_key_type(TRANSACTION);
        let request = match version {
            4.. => request.with_coordinator_keys(vec![id.0.clone()]),
            _ => request.with_key(id.0.clone()),
        };
        let answer = connection.call(&request, version)?;
        let (code, host, port) = match answer.coordinators.first() {
            Some(found) if version >= 4 => (found.error_code, &found.host, found.port),
            _ => (answer.error_code, &answer.host, answer.port),
        };
        check("the coordinator of the transactions", code)?;
        let mut connection = Connection::open(&format!("{}:{port}", host.as_str()), TIMEOUT)?;
        let versions = Versions::ask(&mut connection)?;
        self.v2 = versions.transactions_v2();
        Ok((connection, versions))
    }
}

/// Trying again does not help.
#[derive(Debug)]
struct NotServed;

impl std::fmt::Display for NotServed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the broker has no idempotent or transactional producers as the scenario asks for them")
    }
}
