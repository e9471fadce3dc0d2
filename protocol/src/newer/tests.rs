//! Our messages beside the message crate's, in the versions that both know: whatever bytes are read, the same comes out, and
//! the same is written.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use bytes::{Bytes, BytesMut};
use kafka_protocol::messages as older;
use kafka_protocol::protocol::{Encodable, StrBytes};
use proptest::prelude::*;
use uuid::Uuid;

use super::messages::{self, ApiKey, GroupId, TopicName};

/// APIs whose messages are in this folder and whose older versions the crate has too.
const SHARED: [ApiKey; 8] = [
    ApiKey::ListOffsets,
    ApiKey::OffsetCommit,
    ApiKey::OffsetFetch,
    ApiKey::WriteTxnMarkers,
    ApiKey::DescribeLogDirs,
    ApiKey::ShareFetch,
    ApiKey::ShareAcknowledge,
    ApiKey::DescribeShareGroupOffsets,
];

/// Those whose newer versions have fields that the crate's text cannot show.
const HAVE_MORE: [ApiKey; 5] = [
    ApiKey::WriteTxnMarkers,
    ApiKey::DescribeLogDirs,
    ApiKey::ShareFetch,
    ApiKey::ShareAcknowledge,
    ApiKey::DescribeShareGroupOffsets,
];

fn older_key(api: ApiKey) -> older::ApiKey {
    older::ApiKey::try_from(api as i16).unwrap()
}

fn versions(api: ApiKey) -> Vec<i16> {
    let (ours, theirs) = (api.valid_versions(), older_key(api).valid_versions());
    assert_eq!(ours.min, theirs.min, "{api:?}");
    // The crate has version 10 of these answers, but not of the requests.
    let both = if matches!(api, ApiKey::OffsetCommit | ApiKey::OffsetFetch) { 9 } else { ours.max.min(theirs.max) };
    (ours.min..=both).collect()
}

/// What the crate makes of a message: text, and bytes written again.
fn theirs(api: ApiKey, version: i16, bytes: &Bytes, is_request: bool) -> Result<(String, Bytes), String> {
    let (mut body, mut again) = (bytes.clone(), BytesMut::new());
    let text = if is_request {
        let message =
            older::RequestKind::decode(older_key(api), &mut body, version).map_err(|error| error.to_string())?;
        message.encode(&mut again, version).unwrap();
        format!("{message:?}")
    } else {
        let message =
            older::ResponseKind::decode(older_key(api), &mut body, version).map_err(|error| error.to_string())?;
        message.encode(&mut again, version).unwrap();
        format!("{message:?}")
    };
    let inner = text.split_once('(').unwrap().1.strip_suffix(')').unwrap().to_owned();
    Ok((inner, again.freeze()))
}

fn ours(api: ApiKey, version: i16, bytes: &Bytes, is_request: bool) -> Result<(String, Bytes), String> {
    let mut body = bytes.clone();
    let recoded =
        if is_request { api.recode_request(version, &mut body) } else { api.recode_response(version, &mut body) };
    let recoded = recoded.map_err(|error| error.to_string())?;
    Ok((recoded.text, recoded.written.unwrap()))
}

/// Bytes that are often lengths of what follows, and letters.
fn likely_bytes() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(prop_oneof![6 => Just(0_u8), 4 => 1_u8..4, 1 => Just(0xff_u8), 1 => Just(b'a')], 0..160)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, ..ProptestConfig::default() })]

    #[test]
    fn both_read_the_same_and_write_the_same(which in 0..SHARED.len(), at in 0_usize..32, is_request: bool, bytes in likely_bytes()) {
        let api = SHARED[which];
        let versions = versions(api);
        let version = versions[at % versions.len()];
        let bytes = Bytes::from(bytes);
        // What is no message is not shown to the crate: it makes room for as many elements as a length claims.
        if let Ok((text, written)) = ours(api, version, &bytes, is_request) {
            let theirs = theirs(api, version, &bytes, is_request);
            prop_assert!(theirs.is_ok(), "{:?} version {}: {} {:?}", api, version, text, theirs);
            let (their_text, their_bytes) = theirs.unwrap_or_default();
            prop_assert_eq!(written, their_bytes, "{:?} version {}", api, version);
            if !HAVE_MORE.contains(&api) {
                prop_assert_eq!(text, their_text, "{:?} version {}", api, version);
            }
        }
    }

    #[test]
    fn what_is_read_in_a_new_version_is_written_as_it_was(bytes in likely_bytes(), is_request: bool) {
        let bytes = Bytes::from(bytes);
        for (key, version) in [(2, 11), (8, 10), (9, 10), (27, 2), (35, 5), (78, 2), (79, 2), (88, 0), (89, 0), (90, 1)] {
            let api = ApiKey::try_from(key).unwrap();
            if let Ok((text, again)) = ours(api, version, &bytes, is_request) {
                prop_assert_eq!(ours(api, version, &again, is_request), Ok((text, again.clone())));
            }
        }
    }
}

#[test]
fn defaults_are_the_same() {
    macro_rules! same {
        ($($message:ident),*) => {$(
            let (ours, theirs) = (messages::$message::default(), older::$message::default());
            assert_eq!(format!("{ours:?}"), format!("{theirs:?}"));
        )*};
    }
    same!(ListOffsetsRequest, ListOffsetsResponse, OffsetCommitRequest, OffsetCommitResponse, OffsetFetchRequest);
    same!(OffsetFetchResponse, WriteTxnMarkersRequest, WriteTxnMarkersResponse, DescribeLogDirsRequest);
    same!(DescribeLogDirsResponse, DescribeShareGroupOffsetsRequest);
}

#[test]
fn topic_ids_stand_in_for_names_from_version_10_on() {
    let partition = messages::offset_commit_request::OffsetCommitRequestPartition::default().with_committed_offset(5);
    let topic = messages::offset_commit_request::OffsetCommitRequestTopic::default()
        .with_name(TopicName(StrBytes::from_static_str("t")))
        .with_topic_id(Uuid::from_u128(7))
        .with_partitions(vec![partition]);
    let request = messages::OffsetCommitRequest::default()
        .with_group_id(GroupId(StrBytes::from_static_str("g")))
        .with_topics(vec![topic]);
    let mut bytes = BytesMut::new();
    request.encode(&mut bytes, 10).unwrap();
    let expected = b"\x02g\xff\xff\xff\xff\x01\x00\x02\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x07\x02\0\0\0\0\0\0\0\0\0\0\0\x05\xff\xff\xff\xff\x01\0\0\0";
    assert_eq!(&bytes[..], expected);
    assert_eq!(request.compute_size(10).unwrap(), bytes.len());
    assert!(request.encode(&mut BytesMut::new(), 11).is_err());
}

#[test]
fn a_value_without_a_place_is_an_error() {
    let request = messages::OffsetFetchRequest::default().with_group_id(GroupId(StrBytes::from_static_str("g")));
    assert!(request.encode(&mut BytesMut::new(), 7).is_ok());
    assert!(request.encode(&mut BytesMut::new(), 8).is_err());
    assert!(request.compute_size(8).is_err());
}
