//! What DescribeTransactions and ListTransactions show.

use regex::Regex;
use thalweg_protocol::{ProducerId, StrBytes, TimestampMs};

use super::ErrorCode;
use super::effect::{Producer, TopicPartition};
use super::metadata::Transaction;
use super::shard::TransactionShard;
use super::state::State;

/// One transactional id in full.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Described {
    pub producer: Producer,
    pub state: State,
    pub timeout_ms: i32,
    pub started_at: TimestampMs,
    /// Those that have no marker yet.
    pub partitions: Vec<TopicPartition>,
}

/// One transactional id in a list.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Listed {
    pub id: StrBytes,
    pub producer_id: ProducerId,
    pub state: State,
}

/// Which transactional ids are listed: those that pass all of it.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Any, if absent. States that do not exist were named where this is empty.
    pub states: Option<Vec<State>>,
    /// Any, if empty.
    pub producer_ids: Vec<ProducerId>,
    /// Running for longer than this. An id without a transaction counts as running since forever, as with Kafka.
    pub duration_ms: Option<i64>,
    /// Must match the whole id.
    pub pattern: Option<Regex>,
}

impl Filter {
    fn passes(&self, transaction: &Transaction, now: TimestampMs) -> bool {
        let current = &transaction.current;
        let running_ms = now.0.saturating_sub(current.started_at.0);
        self.states.as_ref().is_none_or(|states| states.contains(&current.state))
            && (self.producer_ids.is_empty() || self.producer_ids.contains(&current.producer.id))
            && self.duration_ms.is_none_or(|duration_ms| running_ms > duration_ms)
            && self.pattern.as_ref().is_none_or(|pattern| pattern.is_match(&transaction.id))
    }
}

impl TransactionShard {
    /// One transactional id.
    pub fn describe(&self, id: &str) -> Result<Described, ErrorCode> {
        if id.is_empty() {
            return Err(ErrorCode::InvalidRequest);
        }
        self.check_serving()?;
        let transaction = self.transaction(id).ok_or(ErrorCode::TransactionalIdNotFound)?;
        let current = &transaction.current;
        Ok(Described {
            producer: current.producer,
            state: current.state,
            timeout_ms: current.timeout_ms,
            started_at: current.started_at,
            partitions: current.partitions.iter().cloned().collect(),
        })
    }

    /// All that pass the filter.
    pub fn list(&self, filter: &Filter, now: TimestampMs) -> Result<Vec<Listed>, ErrorCode> {
        self.check_serving()?;
        let passing = self.transactions.values().filter(|transaction| filter.passes(transaction, now));
        let listed = passing.map(|transaction| Listed {
            id: transaction.id.clone(),
            producer_id: transaction.current.producer.id,
            state: transaction.current.state,
        });
        Ok(listed.collect())
    }
}
