//! Topics by id instead of by name, in the group APIs from version 10 on (KIP-848): names on the way in, ids on the way out.

use thalweg_protocol::StrBytes;
use thalweg_protocol::error::ErrorCode;
use thalweg_protocol::messages::offset_fetch_request::{OffsetFetchRequestGroup, OffsetFetchRequestTopics};
use thalweg_protocol::messages::offset_fetch_response::{
    OffsetFetchResponseGroup, OffsetFetchResponsePartitions, OffsetFetchResponseTopics,
};
use thalweg_protocol::messages::{OffsetCommitRequest, OffsetCommitResponse, TopicName};

use crate::metadata::ClusterImage;

/// From this version on OffsetCommit and OffsetFetch name topics by id.
pub const TOPIC_IDS_VERSION: i16 = 10;

/// Gives the topics of a commit their names. One whose id is unknown has none: no topic is called that.
pub fn name_committed(image: &ClusterImage, request: &mut OffsetCommitRequest) {
    for topic in &mut request.topics {
        topic.name =
            image.topic_by_id(topic.topic_id).map(|found| super::topics::wire(&found.name)).unwrap_or_default();
    }
}

/// The answer to a commit of topics by id. `asked` has their names.
pub fn identify_committed(asked: &OffsetCommitRequest, response: &mut OffsetCommitResponse) {
    let mut nameless = asked.topics.iter().filter(|topic| topic.name.is_empty());
    for topic in &mut response.topics {
        if topic.name.is_empty() {
            // They are answered in the order in which they were asked for.
            topic.topic_id = nameless.next().map(|asked| asked.topic_id).unwrap_or_default();
            for partition in &mut topic.partitions {
                if partition.error_code == ErrorCode::UnknownTopicOrPartition.code() {
                    partition.error_code = ErrorCode::UnknownTopicId.code();
                }
            }
        } else if let Some(asked) = asked.topics.iter().find(|asked| asked.name == topic.name) {
            topic.topic_id = asked.topic_id;
        }
    }
}

/// Gives the topics that a group is asked about their names, and takes those out whose ids are unknown.
pub fn name_fetched(image: &ClusterImage, group: &mut OffsetFetchRequestGroup) -> Vec<OffsetFetchRequestTopics> {
    let Some(topics) = &mut group.topics else { return Vec::new() };
    let (mut known, mut unknown) = (Vec::new(), Vec::new());
    for mut topic in std::mem::take(topics) {
        match image.topic_by_id(topic.topic_id) {
            Some(found) => {
                topic.name = super::topics::wire(&found.name);
                known.push(topic);
            }
            None => unknown.push(topic),
        }
    }
    *topics = known;
    unknown
}

/// The answer of a group whose topics are known by id. A topic without one is left out: there is nothing to call it by.
pub fn identify_fetched(
    image: &ClusterImage,
    unknown: Vec<OffsetFetchRequestTopics>,
    mut answer: OffsetFetchResponseGroup,
) -> OffsetFetchResponseGroup {
    if answer.error_code != ErrorCode::None.code() {
        return answer;
    }
    for topic in &mut answer.topics {
        topic.topic_id = image.topic(topic.name.0.as_str()).map(|found| found.id).unwrap_or_default();
    }
    answer.topics.retain(|topic| !topic.topic_id.is_nil());
    answer.topics.extend(unknown.into_iter().map(refused));
    answer
}

fn refused(topic: OffsetFetchRequestTopics) -> OffsetFetchResponseTopics {
    let partitions = topic.partition_indexes.into_iter().map(|index| {
        OffsetFetchResponsePartitions::default()
            .with_partition_index(index)
            .with_committed_offset(-1)
            .with_committed_leader_epoch(-1)
            .with_metadata(Some(StrBytes::default()))
            .with_error_code(ErrorCode::UnknownTopicId.code())
    });
    OffsetFetchResponseTopics::default()
        .with_name(TopicName::default())
        .with_topic_id(topic.topic_id)
        .with_partitions(partitions.collect())
}
