//! OffsetDelete: v0 (KIP-496)

use thalweg_protocol::PartitionIndex;
use thalweg_protocol::error::ErrorCode;
use thalweg_protocol::messages::{OffsetDeleteRequest, OffsetDeleteResponse};

use super::groups;
use crate::coordinator::group::Response;
use crate::dispatch::Context;

pub async fn handle(context: Context, request: OffsetDeleteRequest) -> OffsetDeleteResponse {
    let group = request.group_id.0.clone();
    let image = context.core.image();
    match groups::ask(&context, &group, move |shard, caller, now| shard.delete_offsets(&request, caller, now)).await {
        Ok(Response::OffsetDelete(mut response)) => {
            for topic in &mut response.topics {
                let known = image.topic(topic.name.0.as_str());
                for partition in topic.partitions.iter_mut().filter(|partition| partition.error_code == 0) {
                    let index = PartitionIndex(partition.partition_index);
                    if known.and_then(|topic| topic.partition(index)).is_none() {
                        partition.error_code = ErrorCode::UnknownTopicOrPartition.code();
                    }
                }
            }
            response
        }
        Ok(_) => unreachable!("a deletion is answered as a deletion"),
        Err(code) => OffsetDeleteResponse::default().with_error_code(code.code()),
    }
}
