//! The walk against the decoder of the message types, over every API and version.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::protocol::Encodable;
use proptest::prelude::*;

use super::guard::{ELEMENTS_MAX, GuardError, check_body};
use super::schema::REQUESTS;
use super::shape::{Field, Kind, Schema};
use super::{DecodeError, decode_request};
use crate::api::known_versions;
use crate::messages::produce_request::{PartitionProduceData, TopicProduceData};
use crate::messages::{ApiKey, FetchRequest, MetadataRequest, ProduceRequest};
use crate::wire::{WireError, put_unsigned_varint};

/// Writes a body that fits a shape, with values from a small generator, so that a seed repeats it.
struct Scribe {
    state: u64,
    version: i16,
    flexible: bool,
    out: BytesMut,
}

impl Scribe {
    fn write(schema: &'static Schema, version: i16, seed: u64) -> Bytes {
        let flexible = version >= schema.flexible_from;
        let mut scribe = Self { state: seed | 1, version, flexible, out: BytesMut::new() };
        scribe.fields(schema.fields);
        scribe.out.freeze()
    }

    fn below(&mut self, limit: u32) -> u32 {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        (self.state >> 33) as u32 % limit
    }

    fn fields(&mut self, fields: &'static [Field]) {
        let version = self.version;
        for field in fields.iter().filter(|field| field.tag.is_none() && field.is_in(version)) {
            self.value(&field.kind);
        }
        if !self.flexible {
            return;
        }
        let tagged: Vec<&Field> = fields
            .iter()
            .filter(|field| field.tag.is_some() && field.is_in(version))
            .filter(|_| self.below(2) == 0)
            .collect();
        let unknown = self.below(3);
        put_unsigned_varint(&mut self.out, tagged.len() as u32 + unknown);
        for field in tagged {
            let mut inner = Self { state: self.state, version: self.version, flexible: true, out: BytesMut::new() };
            inner.value(&field.kind);
            self.state = inner.state;
            self.tag(field.tag.unwrap(), &inner.out);
        }
        for tag in 0..unknown {
            self.tag(1000 + tag, b"unknown");
        }
    }

    fn tag(&mut self, tag: u32, bytes: &[u8]) {
        put_unsigned_varint(&mut self.out, tag);
        put_unsigned_varint(&mut self.out, bytes.len() as u32);
        self.out.put_slice(bytes);
    }

    fn value(&mut self, kind: &'static Kind) {
        match kind {
            Kind::Fixed(size) => {
                for _ in 0..*size {
                    let byte = self.below(2) as u8;
                    self.out.put_u8(byte);
                }
            }
            Kind::String => self.text(2),
            Kind::Bytes => self.text(4),
            Kind::Array(element) => {
                let count = self.below(4);
                self.length(count, 4);
                for _ in 0..count {
                    self.value(element);
                }
            }
            Kind::Struct(fields) => self.fields(fields),
            Kind::NullableStruct(fields) => {
                if self.below(2) == 0 {
                    self.out.put_u8(0xff);
                } else {
                    self.out.put_u8(1);
                    self.fields(fields);
                }
            }
        }
    }

    fn text(&mut self, length_size: usize) {
        let count = self.below(9);
        self.length(count, length_size);
        for _ in 0..count {
            let letter = b'a' + self.below(26) as u8;
            self.out.put_u8(letter);
        }
    }

    fn length(&mut self, count: u32, size: usize) {
        match size {
            _ if self.flexible => put_unsigned_varint(&mut self.out, count + 1),
            2 => self.out.put_i16(count as i16),
            _ => self.out.put_i32(count as i32),
        }
    }
}

fn schema(api: ApiKey) -> &'static Schema {
    REQUESTS.iter().find(|schema| schema.api_key == api as i16).unwrap()
}

fn every_api_and_version() -> impl Iterator<Item = (ApiKey, i16)> {
    ApiKey::iter()
        .flat_map(|api| (known_versions(api).min..=known_versions(api).max).map(move |version| (api, version)))
}

#[test]
fn every_api_has_a_shape() {
    for api in ApiKey::iter() {
        assert_eq!(schema(api).api_key, api as i16);
    }
    assert!(REQUESTS.is_sorted_by_key(|schema| schema.api_key));
}

#[test]
fn what_fits_a_shape_is_decoded_to_its_last_byte() {
    for (api, version) in every_api_and_version() {
        for seed in 1..20 {
            let body = Scribe::write(schema(api), version, seed * 7919);
            assert_eq!(check_body(api as i16, version, &body), Ok(0), "{api:?} version {version} seed {seed}");
            let mut rest = body.clone();
            let decoded = api
                .recode_request(version, &mut rest)
                .unwrap_or_else(|error| panic!("{api:?} version {version} seed {seed}: {error:#}"));
            assert_eq!(rest.len(), 0, "{api:?} version {version} seed {seed}: bytes are left");
            let mut again = decoded.written.unwrap();
            assert_eq!(check_body(api as i16, version, &again), Ok(0), "{api:?} version {version} seed {seed}");
            assert_eq!(api.recode_request(version, &mut again).unwrap().text, decoded.text);
        }
    }
}

#[test]
fn every_cut_of_a_body_is_an_error() {
    for (api, version) in every_api_and_version() {
        let body = Scribe::write(schema(api), version, 104_729);
        for cut in 0..body.len() {
            assert!(check_body(api as i16, version, &body[..cut]).is_err(), "{api:?} version {version} cut at {cut}");
        }
    }
}

#[test]
fn bytes_behind_the_request_are_ignored() {
    let mut body = BytesMut::new();
    MetadataRequest::default().encode(&mut body, 12).unwrap();
    body.put_slice(&[0, 0, 7]);
    let mut body = body.freeze();
    assert_eq!(check_body(3, 12, &body), Ok(3));
    assert_eq!(decode_request::<MetadataRequest>(&mut body, 12).unwrap(), MetadataRequest::default());
    assert!(body.is_empty());
}

#[test]
fn claimed_lengths_allocate_nothing() {
    // Produce version 3: null transactional id, acks, timeout, then two thousand million topics.
    let mut body = BytesMut::new();
    body.put_i16(-1);
    body.put_i16(-1);
    body.put_i32(1000);
    body.put_i32(i32::MAX);
    let error = decode_request::<ProduceRequest>(&mut body.freeze(), 3).unwrap_err();
    let source = GuardError::TooManyElements { limit: ELEMENTS_MAX };
    assert_eq!(error, DecodeError::Shape { api_key: 0, version: 3, source });

    // Fewer than the limit, and none of them there.
    let mut body = BytesMut::new();
    body.put_i32(100_000);
    let error = decode_request::<MetadataRequest>(&mut body.freeze(), 1).unwrap_err();
    let source = GuardError::Wire(WireError::Truncated { needed: 2, available: 0 });
    assert_eq!(error, DecodeError::Shape { api_key: 3, version: 1, source });
}

#[test]
fn the_elements_of_all_arrays_are_counted_together() {
    // OffsetForLeaderEpoch is not needed for this: Metadata topics of empty names cost two bytes each.
    let count = ELEMENTS_MAX + 1;
    let mut body = BytesMut::new();
    body.put_i32(count as i32);
    body.resize(4 + 2 * count, 0);
    assert_eq!(check_body(3, 1, &body), Err(GuardError::TooManyElements { limit: ELEMENTS_MAX }));
    let mut body = BytesMut::new();
    body.put_i32(ELEMENTS_MAX as i32);
    body.resize(4 + 2 * ELEMENTS_MAX, 0);
    assert_eq!(check_body(3, 1, &body), Ok(0));
}

#[test]
fn a_tagged_field_must_be_as_long_as_it_says() {
    let mut body = BytesMut::new();
    FetchRequest::default().encode(&mut body, 12).unwrap();
    assert_eq!(body.split_off(body.len() - 1).as_ref(), [0]);
    let honest: &[u8] = &[1, 0, 3, 3, b'i', b'd'];
    let lying: &[u8] = &[1, 0, 4, 3, b'i', b'd', 0];
    let mut good = body.clone();
    good.put_slice(honest);
    let request = decode_request::<FetchRequest>(&mut good.freeze(), 12).unwrap();
    assert_eq!(request.cluster_id.as_deref(), Some("id"));
    body.put_slice(lying);
    let source = GuardError::TaggedFieldSize { tag: 0, announced: 4, found: 3 };
    assert_eq!(
        decode_request::<FetchRequest>(&mut body.freeze(), 12).unwrap_err(),
        DecodeError::Shape { api_key: 1, version: 12, source }
    );
}

#[test]
fn records_of_a_produce_request_are_slices_of_it() {
    let records = Bytes::from_static(b"what a batch would be");
    let partition = PartitionProduceData::default().with_records(Some(records.clone()));
    let topic = TopicProduceData::default().with_partition_data(vec![partition]);
    let mut body = BytesMut::new();
    ProduceRequest::default().with_topic_data(vec![topic]).encode(&mut body, 9).unwrap();
    let mut body = body.freeze();
    let range = body.as_ptr_range();
    let request = decode_request::<ProduceRequest>(&mut body, 9).unwrap();
    let decoded = request.topic_data[0].partition_data[0].records.clone().unwrap();
    assert_eq!(decoded, records);
    assert!(range.contains(&decoded.as_ptr()));
}

proptest! {
    /// Whatever the walk lets pass, the decoder reads without asking for more than is there.
    #[test]
    fn damaged_bodies_never_panic(seed in 1_u64.., which in 0_usize..10_000, flips in prop::collection::vec((any::<u16>(), any::<u8>()), 0..6)) {
        let all: Vec<_> = every_api_and_version().collect();
        let (api, version) = all[which % all.len()];
        let mut body = BytesMut::from(&Scribe::write(schema(api), version, seed)[..]);
        for (at, value) in flips {
            let len = body.len();
            if len > 0 {
                body[usize::from(at) % len] = value;
            }
        }
        if let Ok(behind) = check_body(api as i16, version, &body) {
            let mut rest = body.freeze();
            if api.recode_request(version, &mut rest).is_ok() {
                prop_assert_eq!(rest.len(), behind, "{:?} version {}: the walk and the decoder disagree", api, version);
            }
        }
    }
}
