//! Keys and values of `__transaction_state`, byte for byte as Kafka writes them: an int16 version, then Kafka's
//! `TransactionLogKey` and `TransactionLogValue`.
//!
//! Written: key 0; value 0 while `transaction.version` is 0, else value 1, which is flexible and has the fields of KIP-890
//! as tagged ones. Read: both.

use std::collections::BTreeSet;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use thalweg_protocol::{ProducerEpoch, ProducerId, StrBytes, TimestampMs};

use super::effect::{NO_EPOCH, Producer, TopicPartition};
use super::metadata::Metadata;
use super::state::State;
use super::version::TransactionVersion;
use crate::coordinator::batch::KeyValue;
use crate::coordinator::codec::{
    CodecError, compact, int32, int64, put_compact, put_length, put_string, put_varint, tagged, text, varint,
};

const KEY_VERSION: i16 = 0;
const VALUE_VERSION_FLEXIBLE: i16 = 1;

const TAG_PREVIOUS_ID: u64 = 0;
const TAG_NEXT_ID: u64 = 1;
const TAG_CLIENT_VERSION: u64 = 2;

/// One record: a transactional id, and what is known of it, or a tombstone.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Record {
    Transaction(StrBytes, Option<Box<Metadata>>),
    /// Of a key version from the future.
    Other(i16),
}

/// Key and value of a record; without metadata, a tombstone.
pub(super) fn encode(
    id: &str,
    metadata: Option<&Metadata>,
    version: TransactionVersion,
) -> Result<KeyValue, CodecError> {
    let mut key = BytesMut::new();
    key.put_i16(KEY_VERSION);
    put_string(&mut key, "transactional id", id)?;
    Ok((key.freeze(), metadata.map(|metadata| encode_value(metadata, version)).transpose()?))
}

fn encode_value(metadata: &Metadata, version: TransactionVersion) -> Result<Bytes, CodecError> {
    let flexible = version >= TransactionVersion::V1;
    let mut value = BytesMut::new();
    value.put_i16(if flexible { VALUE_VERSION_FLEXIBLE } else { 0 });
    value.put_i64(metadata.producer.id.0);
    value.put_i16(metadata.producer.epoch.0);
    value.put_i32(metadata.timeout_ms);
    value.put_i8(metadata.state.number());
    if flexible {
        put_topics_flexible(&mut value, metadata)
    } else {
        put_topics(&mut value, metadata)?
    }
    value.put_i64(metadata.updated_at.0);
    value.put_i64(metadata.started_at.0);
    if flexible {
        put_tagged(&mut value, metadata);
    }
    Ok(value.freeze())
}

/// Partitions by topic; they are in order.
fn by_topic(metadata: &Metadata) -> Vec<(&StrBytes, Vec<i32>)> {
    let mut topics: Vec<(&StrBytes, Vec<i32>)> = Vec::new();
    for partition in &metadata.partitions {
        match topics.last_mut() {
            Some((topic, indexes)) if **topic == partition.topic => indexes.push(partition.index),
            _ => topics.push((&partition.topic, vec![partition.index])),
        }
    }
    topics
}

fn put_topics(to: &mut BytesMut, metadata: &Metadata) -> Result<(), CodecError> {
    if metadata.state == State::Empty {
        to.put_i32(-1);
        return Ok(());
    }
    let topics = by_topic(metadata);
    put_length(to, "topics", topics.len())?;
    for (topic, indexes) in topics {
        put_string(to, "topic", topic)?;
        put_length(to, "partitions", indexes.len())?;
        indexes.into_iter().for_each(|index| to.put_i32(index));
    }
    Ok(())
}

fn put_topics_flexible(to: &mut BytesMut, metadata: &Metadata) {
    if metadata.state == State::Empty {
        return put_varint(to, 0);
    }
    let topics = by_topic(metadata);
    put_varint(to, topics.len() as u64 + 1);
    for (topic, indexes) in topics {
        put_compact(to, topic);
        put_varint(to, indexes.len() as u64 + 1);
        indexes.into_iter().for_each(|index| to.put_i32(index));
        put_varint(to, 0);
    }
}

/// The tagged fields that are not what they are by default.
fn put_tagged(to: &mut BytesMut, metadata: &Metadata) {
    let ids = [(TAG_PREVIOUS_ID, metadata.previous_id), (TAG_NEXT_ID, metadata.next_id)];
    let ids: Vec<_> = ids.into_iter().filter(|(_, id)| *id != ProducerId::NONE).collect();
    let client_version = Some(metadata.client_version.level()).filter(|level| *level != 0);
    put_varint(to, ids.len() as u64 + u64::from(client_version.is_some()));
    for (tag, id) in ids {
        put_varint(to, tag);
        put_varint(to, size_of::<i64>() as u64);
        to.put_i64(id.0);
    }
    if let Some(level) = client_version {
        put_varint(to, TAG_CLIENT_VERSION);
        put_varint(to, size_of::<i16>() as u64);
        to.put_i16(level);
    }
}

/// The record with this key and value (`None`: a tombstone).
pub(super) fn decode(mut key: &[u8], value: Option<&[u8]>) -> Result<Record, CodecError> {
    let version = key.try_get_i16().map_err(|_| CodecError::Cut("key"))?;
    if version != KEY_VERSION {
        return Ok(Record::Other(version));
    }
    let id = text(&mut key, "transactional id")?;
    Ok(Record::Transaction(id, value.map(decode_value).transpose()?.map(Box::new)))
}

fn decode_value(mut from: &[u8]) -> Result<Metadata, CodecError> {
    let version = int16(&mut from, "version")?;
    if !(0..=VALUE_VERSION_FLEXIBLE).contains(&version) {
        return Err(CodecError::Version(version));
    }
    let flexible = version >= VALUE_VERSION_FLEXIBLE;
    let id = ProducerId(int64(&mut from, "producer id")?);
    let epoch = ProducerEpoch(int16(&mut from, "producer epoch")?);
    let timeout_ms = int32(&mut from, "timeout")?;
    let number = from.try_get_i8().map_err(|_| CodecError::Cut("status"))?;
    let unknown = CodecError::Length { what: "status", length: i64::from(number) };
    let state = State::from_number(number).ok_or(unknown)?;
    let partitions = if flexible { topics_flexible(&mut from)? } else { topics(&mut from)? };
    let updated_at = TimestampMs(int64(&mut from, "update timestamp")?);
    let started_at = TimestampMs(int64(&mut from, "start timestamp")?);
    let mut metadata = Metadata {
        producer: Producer { id, epoch },
        previous_id: ProducerId::NONE,
        next_id: ProducerId::NONE,
        last_epoch: NO_EPOCH,
        timeout_ms,
        state,
        partitions,
        started_at,
        updated_at,
        client_version: TransactionVersion::V0,
    };
    if flexible {
        read_tagged(&mut from, &mut metadata)?;
    }
    Ok(metadata)
}

/// Counts are not believed: each entry must really be there.
fn topics(from: &mut &[u8]) -> Result<BTreeSet<TopicPartition>, CodecError> {
    let mut partitions = BTreeSet::new();
    for _ in 0..int32(from, "topics")? {
        let topic = text(from, "topic")?;
        for _ in 0..int32(from, "partitions")? {
            partitions.insert(TopicPartition { topic: topic.clone(), index: int32(from, "partition")? });
        }
    }
    Ok(partitions)
}

fn topics_flexible(from: &mut &[u8]) -> Result<BTreeSet<TopicPartition>, CodecError> {
    let mut partitions = BTreeSet::new();
    for _ in 1..varint(from, "topics")? {
        let topic = compact(from, "topic")?;
        for _ in 1..varint(from, "partitions")? {
            partitions.insert(TopicPartition { topic: topic.clone(), index: int32(from, "partition")? });
        }
        tagged(from, |_, _| Ok(()))?;
    }
    Ok(partitions)
}

fn read_tagged(from: &mut &[u8], metadata: &mut Metadata) -> Result<(), CodecError> {
    tagged(from, |tag, mut field| {
        match tag {
            TAG_PREVIOUS_ID => metadata.previous_id = ProducerId(int64(&mut field, "previous producer id")?),
            TAG_NEXT_ID => metadata.next_id = ProducerId(int64(&mut field, "next producer id")?),
            TAG_CLIENT_VERSION => {
                metadata.client_version = TransactionVersion::from_level(int16(&mut field, "client version")?);
            }
            // From the future.
            _ => {}
        }
        Ok(())
    })
}

fn int16(from: &mut &[u8], what: &'static str) -> Result<i16, CodecError> {
    from.try_get_i16().map_err(|_| CodecError::Cut(what))
}
