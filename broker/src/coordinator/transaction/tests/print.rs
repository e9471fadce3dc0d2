//! Effects as text.

use thalweg_protocol::records;

use crate::coordinator::transaction::metadata::Metadata;
use crate::coordinator::transaction::record_codec::{self, Record};
use crate::coordinator::transaction::{Described, ErrorCode, Marking, Producer, Response, TopicPartition};

pub(super) fn partitions<'a>(partitions: impl IntoIterator<Item = &'a TopicPartition>) -> String {
    let names: Vec<String> =
        partitions.into_iter().map(|TopicPartition { topic, index }| format!("{topic}-{index}")).collect();
    format!("[{}]", names.join(" "))
}

fn producer(producer: Producer) -> String {
    format!("producer={}:{}", producer.id, producer.epoch)
}

fn told(result: &Result<Producer, ErrorCode>) -> String {
    match result {
        Ok(Producer::NONE) => "NONE".to_owned(),
        Ok(told) => producer(*told),
        Err(code) => code.to_string(),
    }
}

pub(super) fn response(response: &Response) -> String {
    match response {
        Response::Init(result) => format!("init {}", told(result)),
        Response::Added(code) => format!("add {code}"),
        Response::Verified(codes) => {
            let codes: Vec<String> = codes.iter().map(ToString::to_string).collect();
            format!("verify {}", codes.join(" "))
        }
        Response::Ended(result) => format!("end {}", told(result)),
    }
}

pub(super) fn marking(marking: &Marking) -> String {
    let decision = if marking.commit { "commit" } else { "abort" };
    let (id, epoch) = (&marking.transactional_id, marking.coordinator_epoch);
    format!("markers {id} {decision} {} by={epoch} {}\n", producer(marking.producer), partitions(&marking.partitions))
}

pub(super) fn described(described: &Described, base_ms: i64) -> String {
    let started = if described.started_at.0 < 0 { -1 } else { described.started_at.0 - base_ms };
    format!(
        "{} {} timeout={} started={started} {}\n",
        described.state.name(),
        producer(described.producer),
        described.timeout_ms,
        partitions(&described.partitions)
    )
}

/// The records of an append.
pub(super) fn batch(batch: &[u8]) -> String {
    let mut text = String::new();
    for view in records::batches(batch) {
        let view = view.unwrap();
        view.check_crc().unwrap();
        for record in view.records(1 << 20).unwrap() {
            let record = record.unwrap();
            match record_codec::decode(&record.key.unwrap(), record.value.as_deref()).unwrap() {
                Record::Transaction(id, None) => text += &format!("append {id} gone\n"),
                Record::Transaction(id, Some(metadata)) => text += &format!("append {id} {}\n", known(&metadata)),
                Record::Other(version) => text += &format!("append other {version}\n"),
            }
        }
    }
    text
}

fn known(metadata: &Metadata) -> String {
    let mut text = format!("{} {}", metadata.state.name(), producer(metadata.producer));
    if metadata.previous_id.0 >= 0 && metadata.previous_id != metadata.producer.id {
        text += &format!(" previous={}", metadata.previous_id);
    }
    if metadata.next_id.0 >= 0 {
        text += &format!(" next={}", metadata.next_id);
    }
    if metadata.client_version.level() > 0 {
        text += &format!(" v{}", metadata.client_version.level());
    }
    text + " " + &partitions(&metadata.partitions)
}
