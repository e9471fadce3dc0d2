//! Idempotent and transactional producers.

use super::reasons;
use crate::config::schema::{
    Check::{Any, AtLeast},
    ConfigKey,
    DefaultValue::Is,
    Use::{NoEffect, Used},
    keys,
};

pub(super) const KEYS: &[ConfigKey] = keys! {
    "producer.id.expiration.ms": Int = Is("86400000"), AtLeast(1), Low, ClusterWide, Used;
        "How long a partition remembers an idempotent producer that has stopped producing."
    "transactional.id.expiration.ms": Int = Is("604800000"), AtLeast(1), High, ReadOnly, Used;
        "How long a transactional id without transactions is kept."
    "transaction.max.timeout.ms": Int = Is("900000"), AtLeast(1), High, ReadOnly, Used;
        "Longest transaction timeout that a producer may ask for."
    "transaction.abort.timed.out.transaction.cleanup.interval.ms": Int = Is("10000"), AtLeast(1), Low, ReadOnly, Used;
        "How often transactions that took too long are looked for."
    "transaction.remove.expired.transaction.cleanup.interval.ms": Int = Is("3600000"), AtLeast(1), Low, ReadOnly, Used;
        "How often expired transactional ids are looked for."
    "transaction.partition.verification.enable": Boolean = Is("true"), Any, Low, ClusterWide, Used;
        "Whether a leader asks the coordinator if a partition belongs to a transaction."
    "transaction.two.phase.commit.enable": Boolean = Is("false"), Any, Low, ReadOnly, NoEffect(reasons::NOT_YET);
        "Whether transactions may take part in an outer two-phase commit (KIP-939)."
    "transaction.state.log.load.buffer.size": Int = Is("5242880"), AtLeast(1), High, ReadOnly, NoEffect(reasons::NOT_YET);
        "Bytes read at once when transaction state is loaded."
    "transaction.state.log.min.isr": Int = Is("2"), AtLeast(1), High, ReadOnly, Used;
        "`min.insync.replicas` of `__transaction_state`."
    "transaction.state.log.num.partitions": Int = Is("50"), AtLeast(1), High, ReadOnly, Used;
        "Partitions of `__transaction_state`; not to be changed once it exists."
    "transaction.state.log.replication.factor": Short = Is("3"), AtLeast(1), High, ReadOnly, Used;
        "Replicas of `__transaction_state`. Where it is not given and fewer nodes are known, that many replicas are made."
    "transaction.state.log.segment.bytes": Int = Is("104857600"), AtLeast(1), High, ReadOnly, Used;
        "Segment size of `__transaction_state`."
    "add.partitions.to.txn.retry.backoff.ms": Int = Is("20"), AtLeast(1), High, ReadOnly, Used;
        "First pause before a leader asks the coordinator again."
    "add.partitions.to.txn.retry.backoff.max.ms": Int = Is("100"), AtLeast(0), High, ReadOnly, Used;
        "Longest such pause."
};
