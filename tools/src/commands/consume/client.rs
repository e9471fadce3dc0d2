//! The reading itself.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Message};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use thalweg_protocol::error::ErrorCode;

use crate::cli::Global;
use crate::client::{self, Quiet, reason, setup_failure};
use crate::cluster::Cluster;
use crate::failure::Failure;
use crate::progress::Progress;

use super::Arguments;
use super::show::Show;
use super::start::Start;

/// How long a poll waits; what was read is written out before each wait.
const POLL: Duration = Duration::from_millis(100);
/// Written out at the latest when it has grown to this.
const OUTPUT_SIZE_BYTES: usize = 64 << 10;

impl ConsumerContext for Quiet {}

type Client = BaseConsumer<Quiet>;

pub(super) fn consume(global: &Global, arguments: &Arguments, show: Show) -> Result<(), Failure> {
    let partitions = partitions(global, arguments)?;
    let consumer = consumer(global, arguments)?;
    match &arguments.group {
        Some(_) => consumer.subscribe(&[&arguments.topic]).map_err(|error| failed(&error))?,
        None => assign(&consumer, global, arguments, &partitions)?,
    }
    let mut reading = Reading { arguments, show, ended: BTreeSet::new(), count: 0, size_bytes: 0, out: Vec::new() };
    let progress = Progress::new("records", None, !io::IsTerminal::is_terminal(&io::stdout()));
    let read = reading.run(&consumer, progress);
    let written = reading.write();
    if arguments.group.is_some() {
        commit(&consumer)?;
    }
    read.and(written)
}

/// The partitions to read, which must exist.
fn partitions(global: &Global, arguments: &Arguments) -> Result<Vec<i32>, Failure> {
    let topic = Cluster::connect(global)?.topic(&arguments.topic)?;
    let all: Vec<i32> = topic.partitions.iter().map(|partition| partition.index).collect();
    if let Some(missing) = arguments.partition.iter().find(|wanted| !all.contains(wanted)) {
        let last = all.len().saturating_sub(1);
        return Err(Failure::new(format!("topic `{}` has no partition {missing}", topic.name))
            .with_code(ErrorCode::UnknownTopicOrPartition)
            .hint(format!("its partitions are 0 to {last}")));
    }
    Ok(if arguments.partition.is_empty() { all } else { arguments.partition.clone() })
}

fn consumer(global: &Global, arguments: &Arguments) -> Result<Client, Failure> {
    let reset = match (&arguments.group, arguments.from) {
        (Some(_), Start::End) => "latest",
        (Some(_), Start::Beginning) => "earliest",
        (Some(_), _) => {
            return Err(Failure::usage("a group begins where it left off, or at --from start|end when it is new")
                .hint("leave out --group to begin at an offset or a time"));
        }
        // What was removed meanwhile by retention is skipped; an offset that never was is an error.
        (None, _) => "error",
    };
    let isolation = if arguments.uncommitted { "read_uncommitted" } else { "read_committed" };
    let base = [
        // librdkafka wants one even to read without a group; nothing is committed to it then.
        ("group.id", arguments.group.clone().unwrap_or_else(|| "thalweg-consume".to_owned())),
        ("enable.auto.commit", arguments.group.is_some().to_string()),
        // Stored by hand, record by record: librdkafka on its own also counts records that it fetched but we never took.
        ("enable.auto.offset.store", "false".to_owned()),
        ("auto.offset.reset", reset.to_owned()),
        ("enable.partition.eof", "true".to_owned()),
        ("isolation.level", isolation.to_owned()),
        ("check.crcs", "true".to_owned()),
    ];
    client::config(global, &base, &arguments.property)
        .create_with_context(Quiet::default())
        .map_err(|error| setup_failure(&error))
}

fn assign(consumer: &Client, global: &Global, arguments: &Arguments, partitions: &[i32]) -> Result<(), Failure> {
    let offset = match arguments.from {
        Start::Beginning => Offset::Beginning,
        Start::End => Offset::End,
        Start::Offset(offset) => Offset::Offset(offset),
        Start::Tail(count) => Offset::OffsetTail(count),
        Start::Time(ms) => Offset::Offset(ms),
    };
    let mut list = TopicPartitionList::new();
    for partition in partitions {
        list.add_partition_offset(&arguments.topic, *partition, offset).map_err(|error| failed(&error))?;
    }
    if matches!(arguments.from, Start::Time(_)) {
        // Where nothing is that new, the answer is the end.
        list = consumer.offsets_for_times(list, global.timeout()).map_err(|error| failed(&error))?;
    }
    consumer.assign(&list).map_err(|error| failed(&error))
}

/// Commits what was read, unless nothing was.
fn commit(consumer: &Client) -> Result<(), Failure> {
    match consumer.commit_consumer_state(CommitMode::Sync) {
        Ok(()) | Err(KafkaError::ConsumerCommit(RDKafkaErrorCode::NoOffset)) => Ok(()),
        Err(error) => Err(Failure::new(format!("cannot commit the group's offsets: {}", reason(&error)))),
    }
}

struct Reading<'a> {
    arguments: &'a Arguments,
    show: Show,
    /// Partitions that have nothing more for now.
    ended: BTreeSet<i32>,
    count: u64,
    size_bytes: u64,
    out: Vec<u8>,
}

impl Reading<'_> {
    fn run(&mut self, consumer: &Client, mut progress: Progress) -> Result<(), Failure> {
        while !self.is_done(consumer) {
            let polled = match consumer.poll(Duration::ZERO) {
                None => {
                    self.write()?;
                    consumer.poll(POLL)
                }
                polled => polled,
            };
            match polled {
                Some(Ok(message)) => self.take(consumer, &message)?,
                Some(Err(KafkaError::PartitionEOF(partition))) => {
                    self.ended.insert(partition);
                }
                Some(Err(error)) => tolerate(consumer, &error, self.arguments)?,
                None => {}
            }
            progress.at(self.count, self.size_bytes);
        }
        Ok(())
    }

    fn is_done(&self, consumer: &Client) -> bool {
        if self.arguments.count.is_some_and(|count| self.count >= count) {
            return true;
        }
        if !self.arguments.until_end || self.ended.is_empty() {
            return false;
        }
        let assigned = consumer.assignment().map_or(0, |list| list.count());
        assigned > 0 && self.ended.len() >= assigned
    }

    fn take(&mut self, consumer: &Client, message: &BorrowedMessage<'_>) -> Result<(), Failure> {
        consumer.context().connection_works();
        self.ended.remove(&message.partition());
        if self.arguments.group.is_some() {
            consumer.store_offset_from_message(message).map_err(|error| failed(&error))?;
        }
        self.count += 1;
        self.size_bytes += (message.key().map_or(0, <[u8]>::len) + message.payload_len()) as u64;
        self.show.render(message, &mut self.out);
        if self.out.len() >= OUTPUT_SIZE_BYTES { self.write() } else { Ok(()) }
    }

    fn write(&mut self) -> Result<(), Failure> {
        let mut stdout = io::stdout().lock();
        let written = stdout.write_all(&self.out).and_then(|()| stdout.flush());
        self.out.clear();
        written.map_err(|error| Failure::output(&error))
    }
}

/// Errors that pass by themselves, as librdkafka goes on trying; others end the command.
fn tolerate(consumer: &Client, error: &KafkaError, arguments: &Arguments) -> Result<(), Failure> {
    match error.rdkafka_error_code() {
        Some(RDKafkaErrorCode::AllBrokersDown) => {
            consumer.context().connection_lost(error);
            Ok(())
        }
        Some(RDKafkaErrorCode::BrokerTransportFailure | RDKafkaErrorCode::OperationTimedOut) => Ok(()),
        Some(RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::OffsetOutOfRange) => {
            Err(Failure::new(format!("topic `{}` has no such offset", arguments.topic))
                .with_code(ErrorCode::OffsetOutOfRange)
                .hint(format!(
                    "`thalweg topic describe {}` shows where each partition starts and ends",
                    arguments.topic
                )))
        }
        _ => Err(failed(error)),
    }
}

fn failed(error: &KafkaError) -> Failure {
    Failure::new(format!("cannot read: {}", reason(error)))
}
