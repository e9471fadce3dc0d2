//! Fetch responses, laid out without copying a record.
//!
//! The message types would copy every batch into the response. Here the response is a list of pieces: what we write
//! ourselves stands in one allocation of which the pieces are slices, and between them stand the batches as they are
//! held in memory.

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::messages::TopicName;
use kafka_protocol::messages::fetch_response::{FetchResponse, NodeEndpoint, PartitionData};
use kafka_protocol::protocol::{Encodable, Message, StrBytes};
use uuid::Uuid;

use crate::error::ErrorCode;
use crate::response::EncodeError;
use crate::wire::put_unsigned_varint;

/// From this version on topics have ids, not names (KIP-516).
pub(crate) const TOPIC_IDS_FROM: i16 = 13;
/// From this version on lengths are compact and structs end with tagged fields (KIP-482).
pub(crate) const FLEXIBLE_FROM: i16 = 12;

/// What a fetch response says.
#[derive(Clone, Debug, Default)]
pub struct FetchBody {
    pub throttle_time_ms: i32,
    pub error: ErrorCode,
    pub session_id: i32,
    pub topics: Vec<FetchTopic>,
    /// Where the leaders named in partitions listen (KIP-951); before version 16 they are left out.
    pub node_endpoints: Vec<NodeEndpoint>,
}

/// One topic in a fetch response.
#[derive(Clone, Debug, Default)]
pub struct FetchTopic {
    pub name: StrBytes,
    pub id: Uuid,
    pub partitions: Vec<FetchPartition>,
}

/// One partition in a fetch response.
#[derive(Clone, Debug, Default)]
pub struct FetchPartition {
    /// All but the records; its `records` are ignored.
    pub data: PartitionData,
    /// Whole batches, and where the fetch ends within one, its beginning. None is an empty response, never a null.
    pub records: Vec<Bytes>,
}

impl FetchPartition {
    fn records_size(&self) -> usize {
        self.records.iter().map(Bytes::len).sum()
    }
}

/// A fetch response, ready to be written piece by piece.
#[derive(Clone, Debug)]
pub struct FetchLayout {
    pieces: Vec<Bytes>,
    size_bytes: usize,
}

impl FetchLayout {
    /// Lays a response out, from the frame's size to its last byte.
    ///
    /// # Errors
    /// When `version` is none of Fetch's, cannot express the body, or the response is larger than a frame can be.
    pub fn new(correlation_id: i32, version: i16, body: &FetchBody) -> Result<Self, EncodeError> {
        let known = FetchResponse::VERSIONS;
        if version < known.min || version > known.max {
            return Err(EncodeError::Message { version, reason: "no such version".to_owned() });
        }
        let mut writer = Writer { version, own: BytesMut::with_capacity(estimate(body)), cuts: Vec::new() };
        writer.own.put_i32(0);
        writer.own.put_i32(correlation_id);
        writer.no_tags();
        writer.body(body)?;
        writer.finish(body)
    }

    /// The bytes, in order.
    pub fn pieces(&self) -> &[Bytes] {
        &self.pieces
    }

    /// The bytes, in order, without the layout.
    pub fn into_pieces(self) -> Vec<Bytes> {
        self.pieces
    }

    /// Bytes of all pieces together.
    pub const fn size_bytes(&self) -> usize {
        self.size_bytes
    }
}

/// Room for what is ours, so that it is usually one allocation.
fn estimate(body: &FetchBody) -> usize {
    let partitions: usize = body.topics.iter().map(|topic| topic.partitions.len()).sum();
    let names: usize = body.topics.iter().map(|topic| topic.name.len() + 32).sum();
    64 + names + 96 * partitions
}

struct Writer {
    version: i16,
    /// Everything but records.
    own: BytesMut,
    /// Positions in `own` where a partition's records belong, for each partition that has some.
    cuts: Vec<usize>,
}

impl Writer {
    const fn flexible(&self) -> bool {
        self.version >= FLEXIBLE_FROM
    }

    fn body(&mut self, body: &FetchBody) -> Result<(), EncodeError> {
        self.own.put_i32(body.throttle_time_ms);
        if self.version >= 7 {
            self.own.put_i16(body.error.code());
            self.own.put_i32(body.session_id);
        }
        self.count(body.topics.len())?;
        for topic in &body.topics {
            self.topic(topic)?;
        }
        if self.version >= 16 && !body.node_endpoints.is_empty() {
            put_unsigned_varint(&mut self.own, 1);
            return self.node_endpoints(&body.node_endpoints);
        }
        self.no_tags();
        Ok(())
    }

    /// The tagged field 0 of the response: a compact array behind its tag and size.
    fn node_endpoints(&mut self, endpoints: &[NodeEndpoint]) -> Result<(), EncodeError> {
        let mut field = Self { version: self.version, own: BytesMut::new(), cuts: Vec::new() };
        field.count(endpoints.len())?;
        for endpoint in endpoints {
            field.encode(endpoint)?;
        }
        self.tagged(0, &field.own)
    }

    fn topic(&mut self, topic: &FetchTopic) -> Result<(), EncodeError> {
        if self.version >= TOPIC_IDS_FROM {
            self.own.put_slice(topic.id.as_bytes());
        } else if self.flexible() {
            self.count(topic.name.len())?;
            self.own.put_slice(topic.name.as_bytes());
        } else {
            let size = i16::try_from(topic.name.len()).map_err(|_| self.too_large(topic.name.len()))?;
            self.own.put_i16(size);
            self.own.put_slice(topic.name.as_bytes());
        }
        self.count(topic.partitions.len())?;
        for partition in &topic.partitions {
            self.partition(partition)?;
        }
        self.no_tags();
        Ok(())
    }

    fn partition(&mut self, partition: &FetchPartition) -> Result<(), EncodeError> {
        let data = &partition.data;
        self.own.put_i32(data.partition_index);
        self.own.put_i16(data.error_code);
        self.own.put_i64(data.high_watermark);
        self.own.put_i64(data.last_stable_offset);
        if self.version >= 5 {
            self.own.put_i64(data.log_start_offset);
        }
        match &data.aborted_transactions {
            None if self.flexible() => self.own.put_u8(0),
            None => self.own.put_i32(-1),
            Some(aborted) => {
                self.count(aborted.len())?;
                for transaction in aborted {
                    self.encode(transaction)?;
                }
            }
        }
        if self.version >= 11 {
            self.own.put_i32(data.preferred_read_replica.0);
        }
        let records_size = partition.records_size();
        self.count(records_size)?;
        if records_size > 0 {
            self.cuts.push(self.own.len());
        }
        if self.flexible() { self.partition_tags(data) } else { Ok(()) }
    }

    fn partition_tags(&mut self, data: &PartitionData) -> Result<(), EncodeError> {
        let defaults = PartitionData::default();
        let mut fields = Self { version: self.version, own: BytesMut::new(), cuts: Vec::new() };
        let mut count = 0;
        if data.diverging_epoch != defaults.diverging_epoch {
            fields.tagged_struct(0, &data.diverging_epoch)?;
            count += 1;
        }
        if data.current_leader != defaults.current_leader {
            fields.tagged_struct(1, &data.current_leader)?;
            count += 1;
        }
        if data.snapshot_id != defaults.snapshot_id {
            fields.tagged_struct(2, &data.snapshot_id)?;
            count += 1;
        }
        put_unsigned_varint(&mut self.own, count);
        self.own.put_slice(&fields.own);
        Ok(())
    }

    fn tagged_struct<T: Encodable>(&mut self, tag: u32, value: &T) -> Result<(), EncodeError> {
        let mut field = Self { version: self.version, own: BytesMut::new(), cuts: Vec::new() };
        field.encode(value)?;
        self.tagged(tag, &field.own)
    }

    fn tagged(&mut self, tag: u32, field: &[u8]) -> Result<(), EncodeError> {
        let size = u32::try_from(field.len()).map_err(|_| self.too_large(field.len()))?;
        put_unsigned_varint(&mut self.own, tag);
        put_unsigned_varint(&mut self.own, size);
        self.own.put_slice(field);
        Ok(())
    }

    fn encode<T: Encodable>(&mut self, value: &T) -> Result<(), EncodeError> {
        let version = self.version;
        value
            .encode(&mut self.own, version)
            .map_err(|error| EncodeError::Message { version, reason: error.to_string() })
    }

    /// A length: of an array, of records, of a name in flexible versions.
    fn count(&mut self, count: usize) -> Result<(), EncodeError> {
        let count = i32::try_from(count).map_err(|_| self.too_large(count))?;
        if self.flexible() {
            put_unsigned_varint(&mut self.own, count.cast_unsigned() + 1);
        } else {
            self.own.put_i32(count);
        }
        Ok(())
    }

    fn no_tags(&mut self) {
        if self.flexible() {
            self.own.put_u8(0);
        }
    }

    fn too_large(&self, size_bytes: usize) -> EncodeError {
        EncodeError::TooLarge { size_bytes: self.own.len().saturating_add(size_bytes) }
    }

    /// Writes the frame's size and puts the records in their places.
    fn finish(mut self, body: &FetchBody) -> Result<FetchLayout, EncodeError> {
        let partitions = || body.topics.iter().flat_map(|topic| &topic.partitions);
        let size_bytes = self.own.len() + partitions().map(FetchPartition::records_size).sum::<usize>();
        let announced = i32::try_from(size_bytes - 4).map_err(|_| EncodeError::TooLarge { size_bytes })?;
        for (place, byte) in self.own.iter_mut().zip(announced.to_be_bytes()) {
            *place = byte;
        }

        let own = self.own.freeze();
        let mut pieces = Vec::with_capacity(2 * self.cuts.len() + 1);
        let mut position = 0;
        let with_records = partitions().filter(|partition| partition.records_size() > 0);
        for (cut, partition) in self.cuts.iter().zip(with_records) {
            pieces.push(own.slice(position..*cut));
            pieces.extend(partition.records.iter().filter(|batch| !batch.is_empty()).cloned());
            position = *cut;
        }
        pieces.push(own.slice(position..));
        pieces.retain(|piece| !piece.is_empty());
        Ok(FetchLayout { pieces, size_bytes })
    }
}

impl FetchTopic {
    /// A topic under both of its names; the version decides which one is written.
    pub fn new(name: &TopicName, id: Uuid, partitions: Vec<FetchPartition>) -> Self {
        Self { name: name.0.clone(), id, partitions }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

    use bytes::{Bytes, BytesMut};
    use kafka_protocol::messages::fetch_response::{
        AbortedTransaction, EpochEndOffset, FetchableTopicResponse, LeaderIdAndEpoch, SnapshotId,
    };
    use kafka_protocol::messages::{BrokerId, FetchResponse, ProducerId, TopicName};
    use kafka_protocol::protocol::StrBytes;

    use super::*;
    use crate::response::encode_response;

    fn partition(version: i16, index: i32, records: &[&'static [u8]]) -> FetchPartition {
        let mut data = PartitionData::default()
            .with_partition_index(index)
            .with_high_watermark(1000 + i64::from(index))
            .with_last_stable_offset(900)
            .with_log_start_offset(7);
        if index % 2 == 1 {
            data.aborted_transactions = Some(vec![
                AbortedTransaction::default().with_producer_id(ProducerId(5)).with_first_offset(17),
                AbortedTransaction::default().with_producer_id(ProducerId(6)).with_first_offset(18),
            ]);
        }
        if version >= 11 {
            data.preferred_read_replica = BrokerId(3);
        }
        if version >= 12 && index == 1 {
            data.diverging_epoch = EpochEndOffset::default().with_epoch(4).with_end_offset(99);
            data.current_leader = LeaderIdAndEpoch::default().with_leader_id(BrokerId(2)).with_leader_epoch(8);
            data.snapshot_id = SnapshotId::default().with_epoch(1).with_end_offset(2);
        }
        FetchPartition { data, records: records.iter().map(|bytes| Bytes::from_static(bytes)).collect() }
    }

    fn body(version: i16) -> FetchBody {
        let first = vec![
            partition(version, 0, &[b"one batch", b"another"]),
            partition(version, 1, &[]),
            partition(version, 2, &[b""]),
        ];
        let second = vec![partition(version, 3, &[b"last"])];
        let topic = |name, partitions| {
            FetchTopic::new(&TopicName(StrBytes::from_static_str(name)), Uuid::from_u128(77), partitions)
        };
        FetchBody {
            throttle_time_ms: 12,
            error: ErrorCode::None,
            session_id: if version >= 7 { 4711 } else { 0 },
            topics: vec![topic("first", first), topic("empty", Vec::new()), topic("second", second)],
            node_endpoints: if version >= 16 {
                vec![
                    NodeEndpoint::default()
                        .with_node_id(BrokerId(1))
                        .with_host(StrBytes::from_static_str("h"))
                        .with_port(9),
                ]
            } else {
                Vec::new()
            },
        }
    }

    /// The same response in the message types, which copy.
    fn copied(version: i16, body: &FetchBody) -> Bytes {
        let topics = body.topics.iter().map(|topic| {
            let partitions = topic
                .partitions
                .iter()
                .map(|partition| partition.data.clone().with_records(Some(partition.records.concat().into())));
            let mut response = FetchableTopicResponse::default().with_partitions(partitions.collect());
            if version < TOPIC_IDS_FROM {
                response.topic = TopicName(topic.name.clone());
            } else {
                response.topic_id = topic.id;
            }
            response
        });
        let response = FetchResponse::default()
            .with_throttle_time_ms(body.throttle_time_ms)
            .with_error_code(body.error.code())
            .with_session_id(body.session_id)
            .with_responses(topics.collect())
            .with_node_endpoints(body.node_endpoints.clone());
        encode_response(9, version, &response).unwrap()
    }

    #[test]
    fn every_version_is_laid_out_as_the_message_types_encode_it() {
        for version in 4..=18 {
            let body = body(version);
            let layout = FetchLayout::new(9, version, &body).unwrap();
            let mut joined = BytesMut::new();
            for piece in layout.pieces() {
                joined.extend_from_slice(piece);
            }
            assert_eq!(joined.freeze(), copied(version, &body), "version {version}");
            let sizes: usize = layout.pieces().iter().map(Bytes::len).sum();
            assert_eq!(layout.size_bytes(), sizes);
        }
    }

    #[test]
    fn records_are_shared_not_copied() {
        let body = body(17);
        let layout = FetchLayout::new(9, 17, &body).unwrap();
        let batch = &body.topics[0].partitions[0].records[0];
        assert!(layout.pieces().iter().any(|piece| piece.as_ptr() == batch.as_ptr()));
        assert_eq!(layout.pieces().len(), 6);
    }

    #[test]
    fn unknown_versions_are_refused() {
        assert!(FetchLayout::new(9, 3, &body(4)).is_err());
        assert!(FetchLayout::new(9, 19, &body(18)).is_err());
    }
}
