//! Where partitions begin and end: ListOffsets.

use std::ops::RangeInclusive;

use anyhow::Result;
use thalweg_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use thalweg_protocol::messages::{ApiKey, BrokerId, ListOffsetsRequest};

use super::FetchedTopic;
use crate::client::versions::Versions;
use crate::client::wire::Connection;

/// From the first that knows transactions; what came later is for tiered storage.
const VERSIONS: RangeInclusive<i16> = 2..=7;

/// Which offset of a partition is asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Moment {
    Earliest,
    /// Behind the last record that a consumer may see: the last stable one, if only committed ones are read.
    Latest {
        read_committed: bool,
    },
}

/// A partition, as its topic's place and its index, and the offset there or the broker's error.
pub(crate) type Found = ((usize, i32), Result<i64, i16>);

/// The offset in each of some partitions of these topics.
pub(crate) fn list_offsets(
    connection: &mut Connection,
    topics: &[FetchedTopic],
    partitions: &[(usize, i32)],
    moment: Moment,
) -> Result<Vec<Found>> {
    let version = Versions::ask(connection)?.pick(ApiKey::ListOffsets, VERSIONS)?;
    let (timestamp, committed) = match moment {
        Moment::Earliest => (-2, false),
        Moment::Latest { read_committed } => (-1, read_committed),
    };
    let asked = topics.iter().enumerate().filter_map(|(number, topic)| {
        let asked = partitions.iter().filter(|(topic, _)| *topic == number);
        let asked: Vec<_> = asked
            .map(|(_, index)| ListOffsetsPartition::default().with_partition_index(*index).with_timestamp(timestamp))
            .collect();
        let named = ListOffsetsTopic::default().with_name(topic.name.clone());
        (!asked.is_empty()).then(|| named.with_partitions(asked))
    });
    let request = ListOffsetsRequest::default()
        .with_replica_id(BrokerId(-1))
        .with_isolation_level(i8::from(committed))
        .with_topics(asked.collect());
    let answer = connection.call(&request, version)?;
    let mut offsets = Vec::with_capacity(partitions.len());
    for topic in &answer.topics {
        let Some(number) = topics.iter().position(|known| known.name == topic.name) else { continue };
        offsets.extend(topic.partitions.iter().map(|partition| {
            let offset = if partition.error_code == 0 { Ok(partition.offset) } else { Err(partition.error_code) };
            ((number, partition.partition_index), offset)
        }));
    }
    Ok(offsets)
}
