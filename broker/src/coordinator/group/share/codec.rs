//! Keys and values of a share group's records, byte for byte as Kafka 4.3 writes them (`docs/formats/consumer-offsets.md`).

use std::collections::BTreeMap;
use std::rc::Rc;

use bytes::{BufMut, Bytes};
use thalweg_protocol::StrBytes;

use crate::coordinator::codec::{CodecError, compact, int32, int64, put_compact, put_varint, tagged, text};
use crate::coordinator::group::consumer::codec::{
    array, decode_target, decode_target_epoch, decoded, encode_target, encode_target_epoch, int32s, key, put_count,
    put_int32s, put_strings, topic_id, value,
};
use crate::coordinator::group::consumer::words::{compact_nullable, int8, put_compact_nullable};
use crate::coordinator::group::consumer::{
    ConsumerRecord, CurrentAssignment, GroupEpoch, MemberMetadata, MemberState, Owned,
};

const MEMBER_KEY: i16 = 10;
const EPOCH_KEY: i16 = 11;
const TARGET_EPOCH_KEY: i16 = 12;
const TARGET_KEY: i16 = 13;
const CURRENT_KEY: i16 = 14;

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
        // Members of share groups name their topics.
        ConsumerRecord::Regex(..) => return Err(CodecError::Cut("kind of record")),
    })
}

fn encode_epoch(epoch: &GroupEpoch) -> Bytes {
    let mut to = value();
    to.put_i32(epoch.epoch);
    to.put_i64(epoch.metadata_hash);
    put_varint(&mut to, 0);
    to.freeze()
}

fn encode_member(member: &MemberMetadata) -> Bytes {
    let mut to = value();
    put_compact_nullable(&mut to, member.rack_id.as_deref());
    put_compact(&mut to, &member.client_id);
    put_compact(&mut to, &member.client_host);
    put_strings(&mut to, &member.topics);
    put_varint(&mut to, 0);
    to.freeze()
}

fn encode_current(current: &CurrentAssignment) -> Bytes {
    let mut to = value();
    to.put_i32(current.epoch);
    to.put_i32(current.previous_epoch);
    to.put_i8(current.state.number());
    put_count(&mut to, current.assigned.len());
    for (topic, partitions) in current.assigned.iter() {
        to.put_slice(topic.as_bytes());
        put_int32s(&mut to, partitions.keys().copied(), partitions.len());
        put_varint(&mut to, 0);
    }
    put_varint(&mut to, 0);
    to.freeze()
}

/// The group and record of a key of `version`, whose number was read already; `None` if it is not one of ours.
pub(in crate::coordinator::group) fn decode(
    version: i16,
    key: &mut &[u8],
    value: Option<&[u8]>,
) -> Result<Option<(StrBytes, ConsumerRecord)>, CodecError> {
    if !(MEMBER_KEY..=CURRENT_KEY).contains(&version) {
        return Ok(None);
    }
    let group = text(key, "group")?;
    let record = match version {
        EPOCH_KEY => ConsumerRecord::Epoch(decoded(value, decode_epoch)?),
        TARGET_EPOCH_KEY => ConsumerRecord::TargetEpoch(decoded(value, decode_target_epoch)?),
        MEMBER_KEY => ConsumerRecord::Member(text(key, "member")?, decoded(value, decode_member)?.map(Rc::new)),
        TARGET_KEY => ConsumerRecord::Target(text(key, "member")?, decoded(value, decode_target)?.map(Rc::new)),
        _ => ConsumerRecord::Current(text(key, "member")?, decoded(value, decode_current)?),
    };
    Ok(Some((group, record)))
}

fn decode_epoch(from: &mut &[u8]) -> Result<GroupEpoch, CodecError> {
    let epoch = GroupEpoch { epoch: int32(from, "epoch")?, metadata_hash: int64(from, "metadata hash")? };
    tagged(from, |_, _| Ok(()))?;
    Ok(epoch)
}

fn decode_member(from: &mut &[u8]) -> Result<MemberMetadata, CodecError> {
    let member = MemberMetadata {
        rack_id: compact_nullable(from, "rack id")?,
        client_id: compact(from, "client id")?,
        client_host: compact(from, "client host")?,
        topics: Rc::new(array(from, "topics", |from| compact(from, "topic"))?.into_iter().collect()),
        ..MemberMetadata::default()
    };
    tagged(from, |_, _| Ok(()))?;
    Ok(member)
}

fn decode_current(from: &mut &[u8]) -> Result<CurrentAssignment, CodecError> {
    let epoch = int32(from, "epoch")?;
    let previous_epoch = int32(from, "previous epoch")?;
    let state = MemberState::from_number(int8(from, "state")?);
    let topics = array(from, "topics", |from| {
        let topic = topic_id(from)?;
        let partitions = int32s(from)?.into_iter().map(|index| (index, 0));
        tagged(from, |_, _| Ok(()))?;
        Ok((topic, partitions.collect::<BTreeMap<i32, i32>>()))
    })?;
    tagged(from, |_, _| Ok(()))?;
    let assigned: Owned = topics.into_iter().collect();
    Ok(CurrentAssignment { epoch, previous_epoch, state, assigned: Rc::new(assigned), revoking: Rc::default() })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use std::collections::BTreeSet;

    use bytes::Buf as _;
    use uuid::Uuid;

    use super::*;

    /// Each as Kafka 4.3.1's own generated classes write it.
    fn records() -> Vec<(ConsumerRecord, &'static str)> {
        let member = || StrBytes::from_static_str("m");
        let topic = Uuid::from_u128(1);
        let metadata = MemberMetadata {
            client_id: StrBytes::from_static_str("c"),
            client_host: StrBytes::from_static_str("/h"),
            topics: Rc::new(BTreeSet::from([StrBytes::from_static_str("t")])),
            ..MemberMetadata::default()
        };
        let current = CurrentAssignment {
            epoch: 3,
            previous_epoch: 2,
            assigned: Rc::new(Owned::from([(topic, BTreeMap::from([(0, 0), (1, 0)]))])),
            ..CurrentAssignment::default()
        };
        vec![
            (ConsumerRecord::Epoch(Some(GroupEpoch { epoch: 3, metadata_hash: 7 })), "0000000000030000000000000007_00"),
            (ConsumerRecord::Member(member(), Some(Rc::new(metadata))), "0000_00_0263_032f68_020274_00"),
            (
                ConsumerRecord::Current(member(), Some(current)),
                "0000_00000003_00000002_00_02_00000000000000000000000000000001_03_00000000_00000001_00_00",
            ),
        ]
    }

    #[test]
    fn values_are_as_kafka_writes_them_and_read_back_the_same() {
        for (record, hex) in records() {
            let (key, encoded) = encode("g", &record).unwrap();
            let encoded = encoded.unwrap();
            let written: String = encoded.iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(written, hex.replace('_', ""), "{record:?}");
            let mut rest = &*key;
            let version = rest.get_i16();
            let (group, again) = decode(version, &mut rest, Some(&encoded)).unwrap().unwrap();
            assert_eq!((&*group, again), ("g", record));
            for cut in 0..encoded.len() {
                let mut rest = key.get(2..).unwrap();
                assert!(decode(version, &mut rest, encoded.get(..cut)).is_err(), "cut to {cut}");
            }
        }
    }
}
