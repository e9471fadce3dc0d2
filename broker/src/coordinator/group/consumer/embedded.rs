//! The classic protocol's own messages, which carry subscriptions and assignments as bytes (Kafka's
//! `ConsumerProtocolSubscription` and `ConsumerProtocolAssignment`).

use std::collections::BTreeSet;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use thalweg_protocol::StrBytes;
use uuid::Uuid;

use super::member::Partitions;
use super::topics::Cluster;
use crate::coordinator::codec::own;

/// The newest version that is known; of a newer one this much is read.
const VERSION_MAX: i16 = 3;

/// What a member of the classic protocol says when it joins.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Subscription {
    pub(super) version: i16,
    pub(super) topics: BTreeSet<StrBytes>,
    /// By topic name: what it had. From version 1 on.
    owned: Vec<(StrBytes, Vec<i32>)>,
    /// From version 3 on.
    pub(super) rack_id: Option<StrBytes>,
}

impl Subscription {
    /// `None` if the bytes are something else.
    pub(super) fn decode(mut from: &[u8]) -> Option<Self> {
        let from = &mut from;
        let version = from.try_get_i16().ok().filter(|version| *version >= 0)?.min(VERSION_MAX);
        let topics = array(from, text)?.into_iter().collect();
        bytes(from)?;
        let owned = if version >= 1 { array(from, topic_partitions)? } else { Vec::new() };
        if version >= 2 {
            from.try_get_i32().ok()?;
        }
        let rack_id = if version >= 3 { nullable(from)? } else { None };
        Some(Self { version, topics, owned, rack_id })
    }

    /// What it had, of topics that exist.
    pub(super) fn owned(&self, cluster: &Cluster) -> Partitions {
        by_id(&self.owned, cluster)
    }
}

/// The partitions in an assignment, of topics that exist. Empty bytes are no assignment.
pub(super) fn decode_assignment(mut from: &[u8], cluster: &Cluster) -> Option<Partitions> {
    if from.is_empty() {
        return Some(Partitions::new());
    }
    let from = &mut from;
    from.try_get_i16().ok().filter(|version| *version >= 0)?;
    let topics = array(from, topic_partitions)?;
    Some(by_id(&topics, cluster))
}

/// An assignment as a member reads it that spoke `version` when it joined.
pub(super) fn encode_assignment(version: i16, partitions: &Partitions, cluster: &Cluster) -> Bytes {
    let named: Vec<(&str, &BTreeSet<i32>)> =
        partitions.iter().filter_map(|(id, partitions)| Some((cluster.name_of(*id)?, partitions))).collect();
    let mut to = BytesMut::new();
    to.put_i16(version);
    put_count(&mut to, named.len());
    for (name, partitions) in named {
        to.put_i16(i16::try_from(name.len()).unwrap_or(i16::MAX));
        to.put_slice(name.as_bytes());
        put_count(&mut to, partitions.len());
        partitions.iter().for_each(|index| to.put_i32(*index));
    }
    // No user data.
    to.put_i32(-1);
    to.freeze()
}

fn put_count(to: &mut BytesMut, count: usize) {
    to.put_i32(i32::try_from(count).unwrap_or(i32::MAX));
}

fn by_id(topics: &[(StrBytes, Vec<i32>)], cluster: &Cluster) -> Partitions {
    let mut found = Partitions::new();
    for (name, partitions) in topics {
        if let Some(topic) = cluster.topic(name) {
            let id: Uuid = topic.id;
            found.entry(id).or_default().extend(partitions);
        }
    }
    found
}

/// Elements are not counted on: each must really be there.
fn array<T>(from: &mut &[u8], element: fn(&mut &[u8]) -> Option<T>) -> Option<Vec<T>> {
    let count = from.try_get_i32().ok()?;
    (0..count.max(0)).map(|_| element(from)).collect()
}

fn topic_partitions(from: &mut &[u8]) -> Option<(StrBytes, Vec<i32>)> {
    let topic = text(from)?;
    let partitions = array(from, |from| from.try_get_i32().ok())?;
    Some((topic, partitions))
}

fn text(from: &mut &[u8]) -> Option<StrBytes> {
    nullable(from)?
}

fn nullable(from: &mut &[u8]) -> Option<Option<StrBytes>> {
    let length = from.try_get_i16().ok()?;
    if length < 0 {
        return Some(None);
    }
    let (text, rest) = from.split_at_checked(usize::try_from(length).ok()?)?;
    *from = rest;
    std::str::from_utf8(text).ok().map(|text| Some(own(text)))
}

fn bytes<'a>(from: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = usize::try_from(from.try_get_i32().ok()?).unwrap_or(0);
    let (bytes, rest) = from.split_at_checked(length)?;
    *from = rest;
    Some(bytes)
}
