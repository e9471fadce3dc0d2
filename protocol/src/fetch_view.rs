//! Fetch responses where they lie: what [`FetchLayout`](crate::FetchLayout) writes, read without copying or allocating.
//!
//! The message types would allocate what an array's length claims, and a consumer that shares its cores with what it
//! measures has better things to do than to build a tree of each answer.

use uuid::Uuid;

use crate::fetch_response::{FLEXIBLE_FROM, TOPIC_IDS_FROM};
use crate::types::{KafkaOffset, PartitionIndex, ProducerId};
use crate::wire::{Reader, WireError};

/// The versions that can be read.
const VERSIONS: std::ops::RangeInclusive<i16> = 4..=18;

/// A fetch response in a frame, behind the frame's size.
#[derive(Clone, Copy, Debug)]
pub struct FetchView<'a> {
    pub correlation_id: i32,
    pub throttle_time_ms: i32,
    /// Of the request as a whole, such as an unknown fetch session.
    pub error_code: i16,
    /// 0 if the broker keeps no session.
    pub session_id: i32,
    version: i16,
    topics: Reader<'a>,
}

/// A topic as a response names it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TopicView<'a> {
    /// Before version 13. Names are UTF-8, which is not checked here.
    Name(&'a [u8]),
    Id(Uuid),
}

/// One partition of a fetch response.
#[derive(Clone, Copy, Debug)]
pub struct FetchedPartition<'a> {
    pub topic: TopicView<'a>,
    pub index: PartitionIndex,
    pub error_code: i16,
    pub high_watermark: KafkaOffset,
    /// The high watermark where there are no transactions; -1 with an error.
    pub last_stable_offset: KafkaOffset,
    /// -1 with an error, and before version 5.
    pub log_start_offset: KafkaOffset,
    pub aborted: AbortedTransactions<'a>,
    /// Whole batches, and possibly the beginning of one more.
    pub records: &'a [u8],
}

impl<'a> FetchView<'a> {
    /// Reads what stands in front of the topics.
    ///
    /// # Errors
    /// When the bytes end early or the version is none of Fetch's.
    pub fn parse(frame: &'a [u8], version: i16) -> Result<Self, WireError> {
        if !VERSIONS.contains(&version) {
            return Err(WireError::UnknownVersion { version });
        }
        let mut reader = Reader::new(frame);
        let correlation_id = reader.i32()?;
        if version >= FLEXIBLE_FROM {
            reader.skip_tags()?;
        }
        let throttle_time_ms = reader.i32()?;
        let (error_code, session_id) = if version >= 7 { (reader.i16()?, reader.i32()?) } else { (0, 0) };
        Ok(Self { correlation_id, throttle_time_ms, error_code, session_id, version, topics: reader })
    }

    /// The partitions of all topics. An error ends them.
    pub const fn partitions(&self) -> FetchedPartitions<'a> {
        let topic = TopicView::Id(Uuid::nil());
        FetchedPartitions {
            version: self.version,
            reader: self.topics,
            topics_left: None,
            topic,
            partitions_left: 0,
            in_topic: false,
        }
    }
}

/// See [`FetchView::partitions`].
#[derive(Clone, Debug)]
pub struct FetchedPartitions<'a> {
    version: i16,
    reader: Reader<'a>,
    /// Not read yet at the beginning.
    topics_left: Option<usize>,
    topic: TopicView<'a>,
    partitions_left: usize,
    in_topic: bool,
}

impl<'a> FetchedPartitions<'a> {
    fn step(&mut self) -> Result<Option<FetchedPartition<'a>>, WireError> {
        let flexible = self.version >= FLEXIBLE_FROM;
        let mut topics_left = match self.topics_left {
            Some(left) => left,
            None => self.reader.length(flexible)?.unwrap_or_default(),
        };
        while self.partitions_left == 0 {
            if std::mem::take(&mut self.in_topic) && flexible {
                self.reader.skip_tags()?;
            }
            self.topics_left = Some(topics_left);
            if topics_left == 0 {
                return Ok(None);
            }
            topics_left -= 1;
            self.topic = if self.version >= TOPIC_IDS_FROM {
                TopicView::Id(Uuid::from_bytes(self.reader.array()?))
            } else if flexible {
                TopicView::Name(self.reader.bytes(true)?)
            } else {
                let size = self.reader.i16()?;
                let size = usize::try_from(size).map_err(|_| WireError::NegativeLength { length: i64::from(size) })?;
                TopicView::Name(self.reader.take(size)?)
            };
            self.in_topic = true;
            self.partitions_left = self.reader.length(flexible)?.unwrap_or_default();
        }
        self.topics_left = Some(topics_left);
        self.partitions_left -= 1;
        self.partition(flexible).map(Some)
    }

    fn partition(&mut self, flexible: bool) -> Result<FetchedPartition<'a>, WireError> {
        let reader = &mut self.reader;
        let index = PartitionIndex(reader.i32()?);
        let error_code = reader.i16()?;
        let high_watermark = KafkaOffset(reader.i64()?);
        let last_stable_offset = KafkaOffset(reader.i64()?);
        let log_start_offset = KafkaOffset(if self.version >= 5 { reader.i64()? } else { -1 });
        let left = reader.length(flexible)?.unwrap_or_default();
        let aborted = AbortedTransactions { reader: *reader, left, flexible };
        for _ in 0..left {
            AbortedTransactions::read(reader, flexible)?;
        }
        if self.version >= 11 {
            reader.i32()?; // The preferred read replica, which nobody here reads from.
        }
        let records = reader.bytes(flexible)?;
        if flexible {
            reader.skip_tags()?;
        }
        Ok(FetchedPartition {
            topic: self.topic,
            index,
            error_code,
            high_watermark,
            last_stable_offset,
            log_start_offset,
            aborted,
            records,
        })
    }
}

impl<'a> Iterator for FetchedPartitions<'a> {
    type Item = Result<FetchedPartition<'a>, WireError>;

    fn next(&mut self) -> Option<Self::Item> {
        let step = self.step();
        if step.is_err() {
            (self.topics_left, self.partitions_left, self.in_topic) = (Some(0), 0, false);
        }
        step.transpose()
    }
}

/// The aborted transactions that reach into what was fetched: the producer of each, and where it begins.
#[derive(Clone, Copy, Debug)]
pub struct AbortedTransactions<'a> {
    reader: Reader<'a>,
    left: usize,
    flexible: bool,
}

impl AbortedTransactions<'_> {
    fn read(reader: &mut Reader<'_>, flexible: bool) -> Result<(ProducerId, KafkaOffset), WireError> {
        let transaction = (ProducerId(reader.i64()?), KafkaOffset(reader.i64()?));
        if flexible {
            reader.skip_tags()?;
        }
        Ok(transaction)
    }
}

impl Iterator for AbortedTransactions<'_> {
    type Item = (ProducerId, KafkaOffset);

    /// They were walked over before the partition was given out, so none of them is cut.
    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        Self::read(&mut self.reader, self.flexible).ok()
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

    use bytes::Bytes;
    use kafka_protocol::messages::fetch_response::{AbortedTransaction, LeaderIdAndEpoch, PartitionData};
    use kafka_protocol::messages::{BrokerId, ProducerId as MessageProducerId, TopicName};
    use kafka_protocol::protocol::StrBytes;

    use super::*;
    use crate::{FetchBody, FetchLayout, FetchPartition, FetchTopic};

    fn partition(version: i16, index: i32, records: &'static [u8]) -> FetchPartition {
        let mut data = PartitionData::default()
            .with_partition_index(index)
            .with_error_code(i16::try_from(index).unwrap())
            .with_high_watermark(1000 + i64::from(index))
            .with_last_stable_offset(900)
            .with_log_start_offset(if version >= 5 { 7 } else { -1 });
        if index == 1 {
            let aborted = |id, first| {
                AbortedTransaction::default().with_producer_id(MessageProducerId(id)).with_first_offset(first)
            };
            data.aborted_transactions = Some(vec![aborted(5, 17), aborted(6, 18)]);
            if version >= 12 {
                data.current_leader = LeaderIdAndEpoch::default().with_leader_id(BrokerId(2)).with_leader_epoch(8);
            }
        }
        let records = if records.is_empty() { Vec::new() } else { vec![Bytes::from_static(records)] };
        FetchPartition { data, records }
    }

    fn frame(version: i16) -> Vec<u8> {
        let topic = |name, id, partitions| {
            FetchTopic::new(&TopicName(StrBytes::from_static_str(name)), Uuid::from_u128(id), partitions)
        };
        let first = vec![partition(version, 0, b"some batches"), partition(version, 1, b"")];
        let topics =
            vec![topic("a", 1, first), topic("none", 2, Vec::new()), topic("b", 3, vec![partition(version, 2, b"x")])];
        let session_id = if version >= 7 { 4711 } else { 0 };
        let body = FetchBody { throttle_time_ms: 12, session_id, topics, ..FetchBody::default() };
        let pieces = FetchLayout::new(9, version, &body).unwrap().into_pieces();
        pieces.concat()[4..].to_vec()
    }

    #[test]
    fn every_version_is_read_as_it_was_laid_out() {
        for version in VERSIONS {
            let frame = frame(version);
            let view = FetchView::parse(&frame, version).unwrap();
            assert_eq!((view.correlation_id, view.throttle_time_ms, view.error_code), (9, 12, 0));
            assert_eq!(view.session_id, if version >= 7 { 4711 } else { 0 });
            let partitions: Vec<_> = view.partitions().collect::<Result<_, _>>().unwrap();
            let records: Vec<_> = partitions.iter().map(|partition| (partition.index.0, partition.records)).collect();
            assert_eq!(records, [(0, &b"some batches"[..]), (1, b""), (2, b"x")], "version {version}");
            let topic =
                |name, id| if version >= 13 { TopicView::Id(Uuid::from_u128(id)) } else { TopicView::Name(name) };
            assert_eq!(partitions[1].topic, topic(b"a", 1));
            assert_eq!(partitions[2].topic, topic(b"b", 3));
            assert_eq!((partitions[2].error_code, partitions[2].high_watermark.0), (2, 1002));
            assert_eq!(partitions[2].last_stable_offset.0, 900);
            assert_eq!(partitions[0].log_start_offset.0, if version >= 5 { 7 } else { -1 });
            let aborted: Vec<_> = partitions[1].aborted.map(|(id, first)| (id.0, first.0)).collect();
            assert_eq!(aborted, [(5, 17), (6, 18)]);
            assert_eq!(partitions[0].aborted.count(), 0);
        }
        assert!(FetchView::parse(&frame(4), 3).is_err());
    }

    #[test]
    fn a_response_that_is_cut_anywhere_is_an_error_and_never_more() {
        for version in [4, 12, 17] {
            let frame = frame(version);
            // Behind the last partition come only the tags of the topic and of the response.
            for len in 0..frame.len() - if version >= FLEXIBLE_FROM { 2 } else { 0 } {
                let read = FetchView::parse(&frame[..len], version)
                    .and_then(|view| view.partitions().collect::<Result<Vec<_>, _>>());
                assert!(read.is_err(), "version {version}, {len} bytes");
            }
        }
    }
}
