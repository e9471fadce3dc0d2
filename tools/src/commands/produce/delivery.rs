//! What became of the records that were sent.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Message};
use rdkafka::producer::ProducerContext;
use serde::Serialize;

use crate::cli::Global;
use crate::client::reason;
use crate::failure::Failure;
use crate::output::count;

#[derive(Debug, Default)]
pub(super) struct Deliveries {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    partitions: BTreeMap<i32, Written>,
    failed: u64,
    first_error: Option<KafkaError>,
}

#[derive(Debug, Clone, Copy)]
struct Written {
    records: u64,
    first: i64,
    last: i64,
}

/// What was written where.
#[derive(Debug, Serialize)]
pub(super) struct Summary {
    topic: String,
    pub(super) records: u64,
    partitions: Vec<PartitionSummary>,
}

#[derive(Debug, Serialize)]
struct PartitionSummary {
    partition: i32,
    records: u64,
    /// `None` with acks=0: the broker does not say.
    first_offset: Option<i64>,
    last_offset: Option<i64>,
}

impl Deliveries {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn failed(&self) -> bool {
        self.state().failed > 0
    }

    pub(super) fn summary(&self, topic: &str) -> Summary {
        let state = self.state();
        let partition = |(partition, written): (&i32, &Written)| PartitionSummary {
            partition: *partition,
            records: written.records,
            first_offset: (written.first >= 0).then_some(written.first),
            last_offset: (written.last >= 0).then_some(written.last),
        };
        Summary {
            topic: topic.to_owned(),
            records: state.partitions.values().map(|written| written.records).sum(),
            partitions: state.partitions.iter().map(partition).collect(),
        }
    }

    /// An error if any record was not written.
    pub(super) fn failure(&self, topic: &str, global: &Global) -> Result<(), Failure> {
        let state = self.state();
        let Some(error) = &state.first_error else { return Ok(()) };
        let refused = refusal(topic, error);
        let what = format!("{} not written; the first: {refused}", records_were(state.failed));
        let failure = Failure::new(what);
        Err(match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::MessageTimedOut) => failure.hint(format!(
                "no acknowledgement within {} s; wait longer with --timeout SECONDS, see `thalweg topic describe {topic}`",
                global.timeout
            )),
            Some(RDKafkaErrorCode::MessageSizeTooLarge) => failure
                .hint(format!("raise the topic's limit: thalweg config set topic {topic} max.message.bytes=BYTES")),
            Some(RDKafkaErrorCode::InvalidRecord) => {
                failure.hint("a compacted topic takes only records with a key: give one with -k or -K")
            }
            _ => failure,
        })
    }
}

fn records_were(number: u64) -> String {
    format!("{} {}", count(number, "record"), if number == 1 { "was" } else { "were" })
}

/// librdkafka's reason for one record.
pub(super) fn refusal(topic: &str, error: &KafkaError) -> Failure {
    Failure::new(format!("cannot write to topic `{topic}`: {}", reason(error)))
}

impl ClientContext for Deliveries {
    fn log(&self, _: RDKafkaLogLevel, _: &str, _: &str) {}

    /// Whatever keeps records from being written shows in their delivery.
    fn error(&self, _: KafkaError, _: &str) {}
}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        let mut state = self.state();
        match result {
            Ok(message) => {
                let offset = message.offset();
                let new = Written { records: 0, first: offset, last: offset };
                let written = state.partitions.entry(message.partition()).or_insert(new);
                written.records += 1;
                written.first = written.first.min(offset);
                written.last = written.last.max(offset);
            }
            Err((error, _)) => {
                state.failed += 1;
                state.first_error.get_or_insert_with(|| error.clone());
            }
        }
    }
}

impl Summary {
    pub(super) fn text(&self) -> String {
        let records = count(self.records, "record");
        let mut text = format!("wrote {records} to {}\n", self.topic);
        for partition in &self.partitions {
            let offsets = match (partition.first_offset, partition.last_offset) {
                (Some(first), Some(last)) if first == last => format!("offset {first}"),
                (Some(first), Some(last)) => format!("offsets {first} to {last}"),
                _ => "not acknowledged".to_owned(),
            };
            text.push_str(&format!("  partition {}: {offsets}\n", partition.partition));
        }
        text
    }
}
