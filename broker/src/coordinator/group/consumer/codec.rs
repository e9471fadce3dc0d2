//! Keys and values of a consumer group's records, byte for byte as Kafka 4.3 writes them (`docs/formats/consumer-offsets.md`).
//! All values are of version 0 and flexible; what came after 4.0 is in tagged fields, which are left out where they hold
//! their default, but for those of a member.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use thalweg_protocol::{StrBytes, TimestampMs};
use uuid::Uuid;

use super::member::{ClassicMember, CurrentAssignment, MemberMetadata, MemberState, Owned, Partitions};
use super::record::{ConsumerRecord, GroupEpoch, ResolvedRegex, TargetEpoch};
use super::words::{compact_bytes, compact_nullable, int8, put_compact_nullable};
use crate::coordinator::codec::{
    CodecError, compact, int32, int64, put_compact, put_string, put_varint, tagged, take, text, varint,
};
use crate::coordinator::group::member::Protocol;

const EPOCH_KEY: i16 = 3;
const MEMBER_KEY: i16 = 5;
const TARGET_EPOCH_KEY: i16 = 6;
const TARGET_KEY: i16 = 7;
const CURRENT_KEY: i16 = 8;
const REGEX_KEY: i16 = 16;

const VALUE_VERSION: i16 = 0;
/// The one tagged field that each of these values may have.
const TAG: u64 = 0;

/// Key and value of a record of `group`.
pub(in crate::coordinator::group) fn encode(
    group: &str,
    record: &ConsumerRecord,
) -> Result<(Bytes, Option<Bytes>), CodecError> {
    let key = |version, of| key(version, group, of);
    Ok(match record {
        ConsumerRecord::Epoch(value) => (key(EPOCH_KEY, None)?, value.as_ref().map(encode_epoch)),
        ConsumerRecord::Member(id, value) => (key(MEMBER_KEY, Some(id))?, value.as_deref().map(encode_member)),
        ConsumerRecord::TargetEpoch(value) => (key(TARGET_EPOCH_KEY, None)?, value.as_ref().map(encode_target_epoch)),
        ConsumerRecord::Target(id, value) => (key(TARGET_KEY, Some(id))?, value.as_deref().map(encode_target)),
        ConsumerRecord::Current(id, value) => (key(CURRENT_KEY, Some(id))?, value.as_ref().map(encode_current)),
        ConsumerRecord::Regex(regex, value) => (key(REGEX_KEY, Some(regex))?, value.as_deref().map(encode_regex)),
    })
}

/// The key of a record of the group, or of a member or an expression of it.
pub(in crate::coordinator::group) fn key(
    version: i16,
    group: &str,
    of: Option<&StrBytes>,
) -> Result<Bytes, CodecError> {
    let mut key = BytesMut::new();
    key.put_i16(version);
    put_string(&mut key, "group", group)?;
    of.map_or(Ok(()), |of| put_string(&mut key, "member or expression", of))?;
    Ok(key.freeze())
}

pub(in crate::coordinator::group) fn value() -> BytesMut {
    let mut value = BytesMut::new();
    value.put_i16(VALUE_VERSION);
    value
}

pub(in crate::coordinator::group) fn put_count(to: &mut BytesMut, count: usize) {
    put_varint(to, count as u64 + 1);
}

/// An int64 in the tagged field, unless it is 0.
fn put_tagged_int64(to: &mut BytesMut, number: i64) {
    if number == 0 {
        return put_varint(to, 0);
    }
    put_varint(to, 1);
    put_varint(to, TAG);
    put_varint(to, 8);
    to.put_i64(number);
}

fn encode_epoch(epoch: &GroupEpoch) -> Bytes {
    let mut to = value();
    to.put_i32(epoch.epoch);
    put_tagged_int64(&mut to, epoch.metadata_hash);
    to.freeze()
}

pub(in crate::coordinator::group) fn encode_target_epoch(target: &TargetEpoch) -> Bytes {
    let mut to = value();
    to.put_i32(target.epoch);
    put_tagged_int64(&mut to, target.computed_at.0);
    to.freeze()
}

fn encode_member(member: &MemberMetadata) -> Bytes {
    let mut to = value();
    put_compact_nullable(&mut to, member.instance_id.as_deref());
    put_compact_nullable(&mut to, member.rack_id.as_deref());
    put_compact(&mut to, &member.client_id);
    put_compact(&mut to, &member.client_host);
    put_strings(&mut to, &member.topics);
    put_compact(&mut to, &member.regex);
    to.put_i32(member.rebalance_timeout_ms);
    put_compact_nullable(&mut to, member.assignor.as_deref());
    // Kafka says it also where there is nothing to say.
    let classic = encode_classic(member.classic.as_deref());
    put_varint(&mut to, 1);
    put_varint(&mut to, TAG);
    put_varint(&mut to, classic.len() as u64);
    to.put_slice(&classic);
    to.freeze()
}

fn encode_classic(classic: Option<&ClassicMember>) -> BytesMut {
    let mut to = BytesMut::new();
    // The structure is nullable, so it begins by saying whether it is there.
    let Some(classic) = classic else {
        to.put_i8(0);
        return to;
    };
    to.put_i8(1);
    to.put_i32(classic.session_timeout_ms);
    put_count(&mut to, classic.protocols.len());
    for protocol in &classic.protocols {
        put_compact(&mut to, &protocol.name);
        put_count(&mut to, protocol.metadata.len());
        to.put_slice(&protocol.metadata);
        put_varint(&mut to, 0);
    }
    put_varint(&mut to, 0);
    to
}

pub(in crate::coordinator::group) fn encode_target(target: &Partitions) -> Bytes {
    let mut to = value();
    put_count(&mut to, target.len());
    for (topic, partitions) in target {
        to.put_slice(topic.as_bytes());
        put_int32s(&mut to, partitions.iter().copied(), partitions.len());
        put_varint(&mut to, 0);
    }
    put_varint(&mut to, 0);
    to.freeze()
}

fn encode_current(current: &CurrentAssignment) -> Bytes {
    let mut to = value();
    to.put_i32(current.epoch);
    to.put_i32(current.previous_epoch);
    to.put_i8(current.state.number());
    put_owned(&mut to, &current.assigned);
    put_owned(&mut to, &current.revoking);
    put_varint(&mut to, 0);
    to.freeze()
}

fn put_owned(to: &mut BytesMut, owned: &Owned) {
    put_count(to, owned.len());
    for (topic, partitions) in owned {
        to.put_slice(topic.as_bytes());
        put_int32s(to, partitions.keys().copied(), partitions.len());
        let mut epochs = BytesMut::new();
        put_int32s(&mut epochs, partitions.values().copied(), partitions.len());
        put_varint(to, 1);
        put_varint(to, TAG);
        put_varint(to, epochs.len() as u64);
        to.put_slice(&epochs);
    }
}

pub(in crate::coordinator::group) fn put_int32s(to: &mut BytesMut, numbers: impl Iterator<Item = i32>, count: usize) {
    put_count(to, count);
    numbers.for_each(|number| to.put_i32(number));
}

pub(in crate::coordinator::group) fn put_strings(to: &mut BytesMut, strings: &BTreeSet<StrBytes>) {
    put_count(to, strings.len());
    strings.iter().for_each(|string| put_compact(to, string));
}

fn encode_regex(regex: &ResolvedRegex) -> Bytes {
    let mut to = value();
    put_strings(&mut to, &regex.topics);
    to.put_i64(regex.version);
    to.put_i64(regex.resolved_at.0);
    put_varint(&mut to, 0);
    to.freeze()
}

/// The group and record of a key of `version`, whose number was read already; `None` if it is not one of ours.
pub(in crate::coordinator::group) fn decode(
    version: i16,
    key: &mut &[u8],
    value: Option<&[u8]>,
) -> Result<Option<(StrBytes, ConsumerRecord)>, CodecError> {
    if !matches!(version, EPOCH_KEY | MEMBER_KEY | TARGET_EPOCH_KEY | TARGET_KEY | CURRENT_KEY | REGEX_KEY) {
        return Ok(None);
    }
    let group = text(key, "group")?;
    let record = match version {
        EPOCH_KEY => ConsumerRecord::Epoch(decoded(value, decode_epoch)?),
        TARGET_EPOCH_KEY => ConsumerRecord::TargetEpoch(decoded(value, decode_target_epoch)?),
        MEMBER_KEY => ConsumerRecord::Member(text(key, "member")?, decoded(value, decode_member)?.map(Rc::new)),
        TARGET_KEY => ConsumerRecord::Target(text(key, "member")?, decoded(value, decode_target)?.map(Rc::new)),
        CURRENT_KEY => ConsumerRecord::Current(text(key, "member")?, decoded(value, decode_current)?),
        _ => ConsumerRecord::Regex(text(key, "expression")?, decoded(value, decode_regex)?.map(Rc::new)),
    };
    Ok(Some((group, record)))
}

pub(in crate::coordinator::group) type Decode<T> = fn(&mut &[u8]) -> Result<T, CodecError>;

pub(in crate::coordinator::group) fn decoded<T>(
    value: Option<&[u8]>,
    decode: Decode<T>,
) -> Result<Option<T>, CodecError> {
    let Some(mut from) = value else { return Ok(None) };
    let version = from.try_get_i16().map_err(|_| CodecError::Cut("version"))?;
    if version != VALUE_VERSION {
        return Err(CodecError::Version(version));
    }
    decode(&mut from).map(Some)
}

/// The int64 of the tagged field; 0 if it is not there.
fn tagged_int64(from: &mut &[u8]) -> Result<i64, CodecError> {
    let mut found = 0;
    tagged(from, |tag, mut field| {
        if tag == TAG {
            found = int64(&mut field, "tagged field")?;
        }
        Ok(())
    })?;
    Ok(found)
}

fn decode_epoch(from: &mut &[u8]) -> Result<GroupEpoch, CodecError> {
    Ok(GroupEpoch { epoch: int32(from, "epoch")?, metadata_hash: tagged_int64(from)? })
}

pub(in crate::coordinator::group) fn decode_target_epoch(from: &mut &[u8]) -> Result<TargetEpoch, CodecError> {
    Ok(TargetEpoch { epoch: int32(from, "epoch")?, computed_at: TimestampMs(tagged_int64(from)?) })
}

fn decode_member(from: &mut &[u8]) -> Result<MemberMetadata, CodecError> {
    let mut member = MemberMetadata {
        instance_id: compact_nullable(from, "instance id")?,
        rack_id: compact_nullable(from, "rack id")?,
        client_id: compact(from, "client id")?,
        client_host: compact(from, "client host")?,
        topics: Rc::new(array(from, "topics", |from| compact(from, "topic"))?.into_iter().collect()),
        regex: compact_nullable(from, "expression")?.unwrap_or_default(),
        rebalance_timeout_ms: int32(from, "rebalance timeout")?,
        assignor: compact_nullable(from, "assignor")?,
        classic: None,
    };
    tagged(from, |tag, field| {
        if tag == TAG {
            member.classic = decode_classic(field)?.map(Rc::new);
        }
        Ok(())
    })?;
    Ok(member)
}

fn decode_classic(mut from: &[u8]) -> Result<Option<ClassicMember>, CodecError> {
    if int8(&mut from, "classic member")? < 1 {
        return Ok(None);
    }
    let session_timeout_ms = int32(&mut from, "session timeout")?;
    let protocols = array(&mut from, "protocols", |from| {
        let protocol = Protocol { name: compact(from, "protocol")?, metadata: compact_bytes(from, "metadata")? };
        tagged(from, |_, _| Ok(()))?;
        Ok(protocol)
    })?;
    tagged(&mut from, |_, _| Ok(()))?;
    Ok(Some(ClassicMember { session_timeout_ms, protocols }))
}

pub(in crate::coordinator::group) fn decode_target(from: &mut &[u8]) -> Result<Partitions, CodecError> {
    let topics = array(from, "topics", |from| {
        let topic = topic_id(from)?;
        let partitions = int32s(from)?;
        tagged(from, |_, _| Ok(()))?;
        Ok((topic, partitions.into_iter().collect()))
    })?;
    tagged(from, |_, _| Ok(()))?;
    Ok(topics.into_iter().collect())
}

fn decode_current(from: &mut &[u8]) -> Result<CurrentAssignment, CodecError> {
    let epoch = int32(from, "epoch")?;
    let previous_epoch = int32(from, "previous epoch")?;
    let state = MemberState::from_number(int8(from, "state")?);
    // Before 4.2 nothing was said of when a partition was assigned; Kafka takes the member's epoch then.
    let assigned = Rc::new(decode_owned(from, epoch)?);
    let revoking = Rc::new(decode_owned(from, epoch)?);
    tagged(from, |_, _| Ok(()))?;
    Ok(CurrentAssignment { epoch, previous_epoch, state, assigned, revoking })
}

fn decode_owned(from: &mut &[u8], epoch: i32) -> Result<Owned, CodecError> {
    let topics = array(from, "topics", |from| {
        let topic = topic_id(from)?;
        let partitions = int32s(from)?;
        let mut epochs = Vec::new();
        tagged(from, |tag, mut field| {
            if tag == TAG {
                epochs = int32s(&mut field)?;
            }
            Ok(())
        })?;
        let epochs = epochs.into_iter().chain(std::iter::repeat(epoch));
        Ok((topic, partitions.into_iter().zip(epochs).collect::<BTreeMap<i32, i32>>()))
    })?;
    Ok(topics.into_iter().collect())
}

fn decode_regex(from: &mut &[u8]) -> Result<ResolvedRegex, CodecError> {
    let resolved = ResolvedRegex {
        topics: array(from, "topics", |from| compact(from, "topic"))?.into_iter().collect(),
        version: int64(from, "version")?,
        resolved_at: TimestampMs(int64(from, "timestamp")?),
    };
    tagged(from, |_, _| Ok(()))?;
    Ok(resolved)
}

pub(in crate::coordinator::group) fn topic_id(from: &mut &[u8]) -> Result<Uuid, CodecError> {
    let bytes = take(from, "topic id", 16)?;
    Uuid::from_slice(bytes).map_err(|_| CodecError::Cut("topic id"))
}

pub(in crate::coordinator::group) fn int32s(from: &mut &[u8]) -> Result<Vec<i32>, CodecError> {
    array(from, "partitions", |from| int32(from, "partition"))
}

/// A compact array. Its elements are not counted on: each must really be there. Null counts as none.
pub(in crate::coordinator::group) fn array<T>(
    from: &mut &[u8],
    what: &'static str,
    element: impl Fn(&mut &[u8]) -> Result<T, CodecError>,
) -> Result<Vec<T>, CodecError> {
    let count = varint(from, what)?.saturating_sub(1);
    (0..count).map(|_| element(from)).collect()
}
