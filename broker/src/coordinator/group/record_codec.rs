//! Keys and values of `__consumer_offsets`, byte for byte as Kafka writes them: an int16 version, then Kafka's
//! `OffsetCommitKey`/`Value` and `GroupMetadataKey`/`Value`.
//!
//! Written, as Kafka 4.1 to 4.3 do: offset key 1, offset value 4 (1 where the request chose its own retention), group
//! key 2, group value 3. Read: offset keys 0 and 1, offset values 0 to 4, group key 2, group values 0 to 3; version 4
//! of the latter is in Kafka's schemas, but no release writes it.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use thalweg_protocol::{LeaderEpoch, TimestampMs};
use uuid::Uuid;

use super::classic::CommittedOffset;
use super::consumer::{self, Kind};
use super::pending::LogOrder;
use super::record::{GroupRecord, MemberRecord, OffsetKey, Record};
use super::share;
use crate::coordinator::codec::{
    bytes, compact, int32, int64, nullable, put_bytes, put_compact, put_length, put_nullable, put_string, put_varint,
    tagged, text,
};

pub(super) use crate::coordinator::codec::CodecError;

const OFFSET_KEY_VERSION_MAX: i16 = 1;
const GROUP_KEY_VERSION: i16 = 2;
const OFFSET_VALUE_VERSION: i16 = 4;
/// From this version on the offset value has compact strings and tagged fields (KIP-915).
const OFFSET_VALUE_VERSION_FLEXIBLE: i16 = 4;
const TAG_TOPIC_ID: u64 = 0;
const OFFSET_VALUE_VERSION_WITH_EXPIRY: i16 = 1;
const GROUP_VALUE_VERSION: i16 = 3;

/// Key and value of `record`.
pub(super) fn encode(record: &Record) -> Result<(Bytes, Option<Bytes>), CodecError> {
    let mut key = BytesMut::new();
    match record {
        Record::Offset(of, value) => {
            key.put_i16(OFFSET_KEY_VERSION_MAX);
            put_string(&mut key, "group", &of.group)?;
            put_string(&mut key, "topic", &of.topic)?;
            key.put_i32(of.partition);
            Ok((key.freeze(), value.as_ref().map(encode_offset).transpose()?))
        }
        Record::Group(group, value) => {
            key.put_i16(GROUP_KEY_VERSION);
            put_string(&mut key, "group", group)?;
            Ok((key.freeze(), value.as_ref().map(encode_group).transpose()?))
        }
        Record::Modern(group, Kind::Consumer, record) => consumer::codec::encode(group, record),
        Record::Modern(group, Kind::Share, record) => share::codec::encode(group, record),
        Record::Other(version) => Err(CodecError::Version(*version)),
    }
}

fn encode_offset(offset: &CommittedOffset) -> Result<Bytes, CodecError> {
    let mut value = BytesMut::new();
    let with_expiry = offset.expires_at.is_some();
    value.put_i16(if with_expiry { OFFSET_VALUE_VERSION_WITH_EXPIRY } else { OFFSET_VALUE_VERSION });
    value.put_i64(offset.offset);
    if let Some(expires_at) = offset.expires_at {
        put_string(&mut value, "metadata", &offset.metadata)?;
        value.put_i64(offset.committed_at.0);
        value.put_i64(expires_at.0);
    } else {
        value.put_i32(offset.leader_epoch.0);
        put_compact(&mut value, &offset.metadata);
        value.put_i64(offset.committed_at.0);
        put_topic_id(&mut value, offset.topic_id);
    }
    Ok(value.freeze())
}

/// The tagged fields: a topic id that is known.
fn put_topic_id(to: &mut BytesMut, topic_id: Uuid) {
    if topic_id.is_nil() {
        put_varint(to, 0);
    } else {
        put_varint(to, 1);
        put_varint(to, TAG_TOPIC_ID);
        put_varint(to, topic_id.as_bytes().len() as u64);
        to.put_slice(topic_id.as_bytes());
    }
}

fn encode_group(group: &GroupRecord) -> Result<Bytes, CodecError> {
    let mut value = BytesMut::new();
    value.put_i16(GROUP_VALUE_VERSION);
    put_string(&mut value, "protocol type", &group.protocol_type)?;
    value.put_i32(group.generation);
    put_nullable(&mut value, "protocol", group.protocol.as_ref())?;
    put_nullable(&mut value, "leader", group.leader.as_ref())?;
    value.put_i64(group.state_since.unwrap_or(TimestampMs::NONE).0);
    put_length(&mut value, "members", group.members.len())?;
    for member in &group.members {
        put_string(&mut value, "member id", &member.id)?;
        put_nullable(&mut value, "instance id", member.instance_id.as_ref())?;
        put_string(&mut value, "client id", &member.client_id)?;
        put_string(&mut value, "client host", &member.client_host)?;
        value.put_i32(member.rebalance_timeout_ms);
        value.put_i32(member.session_timeout_ms);
        put_bytes(&mut value, "subscription", &member.subscription)?;
        put_bytes(&mut value, "assignment", &member.assignment)?;
    }
    Ok(value.freeze())
}

/// The record with this key and value (`None`: a tombstone).
pub(super) fn decode(mut key: &[u8], value: Option<&[u8]>) -> Result<Record, CodecError> {
    let version = key.try_get_i16().map_err(|_| CodecError::Cut("key"))?;
    match version {
        0..=OFFSET_KEY_VERSION_MAX => {
            let group = text(&mut key, "group")?;
            let topic = text(&mut key, "topic")?;
            let partition = int32(&mut key, "partition")?;
            let of = OffsetKey { group, topic, partition };
            Ok(Record::Offset(of, value.map(decode_offset).transpose()?))
        }
        GROUP_KEY_VERSION => Ok(Record::Group(text(&mut key, "group")?, value.map(decode_group).transpose()?)),
        other => Ok(match consumer::codec::decode(other, &mut key, value)? {
            Some((group, record)) => Record::Modern(group, Kind::Consumer, record),
            None => match share::codec::decode(other, &mut key, value)? {
                Some((group, record)) => Record::Modern(group, Kind::Share, record),
                None => Record::Other(other),
            },
        }),
    }
}

fn decode_offset(mut from: &[u8]) -> Result<CommittedOffset, CodecError> {
    let version = from.try_get_i16().map_err(|_| CodecError::Cut("version"))?;
    if !(0..=OFFSET_VALUE_VERSION).contains(&version) {
        return Err(CodecError::Version(version));
    }
    let flexible = version >= OFFSET_VALUE_VERSION_FLEXIBLE;
    let offset = int64(&mut from, "offset")?;
    let leader_epoch = if version >= 3 { LeaderEpoch(int32(&mut from, "leader epoch")?) } else { LeaderEpoch::NONE };
    let metadata = if flexible { compact(&mut from, "metadata")? } else { text(&mut from, "metadata")? };
    let committed_at = TimestampMs(int64(&mut from, "commit timestamp")?);
    let expires_at = if version == 1 { Some(int64(&mut from, "expire timestamp")?) } else { None };
    let expires_at = expires_at.filter(|at| *at >= 0).map(TimestampMs);
    let topic_id = if flexible { topic_id(&mut from)? } else { Uuid::nil() };
    let order = LogOrder::default();
    Ok(CommittedOffset { offset, leader_epoch, metadata, topic_id, committed_at, expires_at, order })
}

/// Looks for the topic id among the tagged fields; others are from the future and passed over.
fn topic_id(from: &mut &[u8]) -> Result<Uuid, CodecError> {
    let mut found = Uuid::nil();
    tagged(from, |tag, field| {
        if tag == TAG_TOPIC_ID {
            let error = CodecError::Length { what: "topic id", length: field.len() as i64 };
            found = Uuid::from_slice(field).map_err(|_| error)?;
        }
        Ok(())
    })?;
    Ok(found)
}

fn decode_group(mut from: &[u8]) -> Result<GroupRecord, CodecError> {
    let version = from.try_get_i16().map_err(|_| CodecError::Cut("version"))?;
    if !(0..=3).contains(&version) {
        return Err(CodecError::Version(version));
    }
    let protocol_type = text(&mut from, "protocol type")?;
    let generation = int32(&mut from, "generation")?;
    let protocol = nullable(&mut from, "protocol")?;
    let leader = nullable(&mut from, "leader")?;
    let state_since = if version >= 2 { Some(int64(&mut from, "state timestamp")?) } else { None };
    let state_since = state_since.filter(|at| *at >= 0).map(TimestampMs);
    let count = int32(&mut from, "members")?;
    // Members are not counted on: each must really be there.
    let members = (0..count).map(|_| decode_member(&mut from, version)).collect::<Result<_, _>>()?;
    Ok(GroupRecord { protocol_type, generation, protocol, leader, state_since, members })
}

fn decode_member(from: &mut &[u8], version: i16) -> Result<MemberRecord, CodecError> {
    let id = text(from, "member id")?;
    let instance_id = if version >= 3 { nullable(from, "instance id")? } else { None };
    let client_id = text(from, "client id")?;
    let client_host = text(from, "client host")?;
    let rebalance_timeout_ms = if version >= 1 { int32(from, "rebalance timeout")? } else { -1 };
    let session_timeout_ms = int32(from, "session timeout")?;
    let subscription = bytes(from, "subscription")?;
    let assignment = bytes(from, "assignment")?;
    // Version 0 had one timeout for both.
    let rebalance_timeout_ms = if rebalance_timeout_ms < 0 { session_timeout_ms } else { rebalance_timeout_ms };
    Ok(MemberRecord {
        id,
        instance_id,
        client_id,
        client_host,
        rebalance_timeout_ms,
        session_timeout_ms,
        subscription,
        assignment,
    })
}
