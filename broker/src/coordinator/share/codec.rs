//! Keys and values of `__share_group_state`, byte for byte as Kafka 4.3 writes them (`docs/formats/share-group-state.md`).

use bytes::{Buf, BufMut, Bytes, BytesMut};
use thalweg_protocol::TimestampMs;
use uuid::Uuid;

use super::StateKey;
use super::shard::State;
use crate::coordinator::batch::KeyValue;
use crate::coordinator::codec::{CodecError, int32, int64, put_string, put_varint, tagged, take, text, varint};
use crate::share::partition::{KeptState, StateBatch, StateChange};

const SNAPSHOT_KEY: i16 = 0;
const UPDATE_KEY: i16 = 1;
const VALUE_VERSION: i16 = 0;
/// Of the tagged field with the count of what is done with; -1 where it is not known.
const TAG_DELIVERY_COMPLETE: u64 = 0;
const DELIVERY_COMPLETE_UNKNOWN: i32 = -1;

/// One record.
#[derive(Clone, PartialEq, Debug)]
pub enum Record {
    /// Everything that is kept of a share-partition; without it, nothing is any more.
    Snapshot(StateKey, Option<State>),
    /// What changed since.
    Update(StateKey, Update),
    /// Of a key version that is not known.
    Other(i16),
}

/// Kafka's `ShareUpdateValue`.
#[derive(Clone, PartialEq, Debug)]
pub struct Update {
    pub snapshot_epoch: i32,
    pub leader_epoch: i32,
    pub change: StateChange,
}

pub(super) fn encode(record: &Record) -> Result<KeyValue, CodecError> {
    Ok(match record {
        Record::Snapshot(key, state) => (encode_key(SNAPSHOT_KEY, key)?, state.as_ref().map(encode_snapshot)),
        Record::Update(key, update) => (encode_key(UPDATE_KEY, key)?, Some(encode_update(update))),
        Record::Other(version) => return Err(CodecError::Version(*version)),
    })
}

fn encode_key(version: i16, key: &StateKey) -> Result<Bytes, CodecError> {
    let mut to = BytesMut::new();
    to.put_i16(version);
    put_string(&mut to, "group", &key.group)?;
    to.put_slice(key.topic.as_bytes());
    to.put_i32(key.partition);
    Ok(to.freeze())
}

fn encode_snapshot(state: &State) -> Bytes {
    let mut to = BytesMut::new();
    to.put_i16(VALUE_VERSION);
    to.put_i32(state.snapshot_epoch);
    to.put_i32(state.kept.state_epoch);
    to.put_i32(state.leader_epoch);
    to.put_i64(state.kept.start_offset);
    to.put_i64(state.created_at.0);
    to.put_i64(state.written_at.0);
    put_batches(&mut to, &state.kept.batches);
    put_delivery_complete(&mut to, state.kept.delivery_complete_count);
    to.freeze()
}

fn encode_update(update: &Update) -> Bytes {
    let mut to = BytesMut::new();
    to.put_i16(VALUE_VERSION);
    to.put_i32(update.snapshot_epoch);
    to.put_i32(update.leader_epoch);
    to.put_i64(update.change.start_offset);
    put_batches(&mut to, &update.change.batches);
    put_delivery_complete(&mut to, update.change.delivery_complete_count);
    to.freeze()
}

fn put_batches(to: &mut BytesMut, batches: &[StateBatch]) {
    put_varint(to, batches.len() as u64 + 1);
    for batch in batches {
        to.put_i64(batch.first);
        to.put_i64(batch.last);
        to.put_i8(batch.state);
        to.put_i16(batch.delivery_count);
        put_varint(to, 0);
    }
}

fn put_delivery_complete(to: &mut BytesMut, count: i32) {
    if count == DELIVERY_COMPLETE_UNKNOWN {
        return put_varint(to, 0);
    }
    put_varint(to, 1);
    put_varint(to, TAG_DELIVERY_COMPLETE);
    put_varint(to, 4);
    to.put_i32(count);
}

/// The record with this key and value (`None`: a tombstone).
pub(super) fn decode(mut key: &[u8], value: Option<&[u8]>) -> Result<Record, CodecError> {
    let version = key.try_get_i16().map_err(|_| CodecError::Cut("key"))?;
    if !matches!(version, SNAPSHOT_KEY | UPDATE_KEY) {
        return Ok(Record::Other(version));
    }
    let group = text(&mut key, "group")?;
    let topic = Uuid::from_slice(take(&mut key, "topic id", 16)?).map_err(|_| CodecError::Cut("topic id"))?;
    let of = StateKey { group, topic, partition: int32(&mut key, "partition")? };
    let Some(mut from) = value else { return Ok(Record::Snapshot(of, None)) };
    let value_version = from.try_get_i16().map_err(|_| CodecError::Cut("version"))?;
    if value_version != VALUE_VERSION {
        return Err(CodecError::Version(value_version));
    }
    if version == SNAPSHOT_KEY {
        decode_snapshot(&mut from).map(|state| Record::Snapshot(of, Some(state)))
    } else {
        decode_update(&mut from).map(|update| Record::Update(of, update))
    }
}

fn decode_snapshot(from: &mut &[u8]) -> Result<State, CodecError> {
    let snapshot_epoch = int32(from, "snapshot epoch")?;
    let state_epoch = int32(from, "state epoch")?;
    let leader_epoch = int32(from, "leader epoch")?;
    let start_offset = int64(from, "start offset")?;
    let created_at = TimestampMs(int64(from, "create timestamp")?);
    let written_at = TimestampMs(int64(from, "write timestamp")?);
    let batches = batches(from)?;
    let kept = KeptState { state_epoch, start_offset, delivery_complete_count: delivery_complete(from)?, batches };
    Ok(State { kept, snapshot_epoch, leader_epoch, updates: 0, created_at, written_at })
}

fn decode_update(from: &mut &[u8]) -> Result<Update, CodecError> {
    let snapshot_epoch = int32(from, "snapshot epoch")?;
    let leader_epoch = int32(from, "leader epoch")?;
    let start_offset = int64(from, "start offset")?;
    let batches = batches(from)?;
    let change = StateChange { start_offset, delivery_complete_count: delivery_complete(from)?, batches };
    Ok(Update { snapshot_epoch, leader_epoch, change })
}

/// Each must really be there: their number is not counted on.
fn batches(from: &mut &[u8]) -> Result<Vec<StateBatch>, CodecError> {
    let count = varint(from, "state batches")?.saturating_sub(1);
    (0..count)
        .map(|_| {
            let first = int64(from, "first offset")?;
            let last = int64(from, "last offset")?;
            let state = from.try_get_i8().map_err(|_| CodecError::Cut("delivery state"))?;
            let delivery_count = from.try_get_i16().map_err(|_| CodecError::Cut("delivery count"))?;
            tagged(from, |_, _| Ok(()))?;
            Ok(StateBatch { first, last, state, delivery_count })
        })
        .collect()
}

fn delivery_complete(from: &mut &[u8]) -> Result<i32, CodecError> {
    let mut count = DELIVERY_COMPLETE_UNKNOWN;
    tagged(from, |tag, mut field| {
        if tag == TAG_DELIVERY_COMPLETE {
            count = int32(&mut field, "delivery complete count")?;
        }
        Ok(())
    })?;
    Ok(count)
}
