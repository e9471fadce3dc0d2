//! AlterPartitionReassignments: v0-1 (KIP-455)
//!
//! Behaviour: as Kafka's controller with one broker registered. A partition can be assigned to the broker that has it
//! already, which changes nothing; every other assignment names a broker that is not there. Nothing is ever under way, so
//! there is nothing to cancel.
//!
//! Version notes:
//! - v1 says whether the replication factor may change (KIP-860)

use std::collections::BTreeSet;

use thalweg_protocol::error::ErrorCode;
use thalweg_protocol::messages::alter_partition_reassignments_request::ReassignablePartition;
use thalweg_protocol::messages::alter_partition_reassignments_response::{
    ReassignablePartitionResponse, ReassignableTopicResponse,
};
use thalweg_protocol::messages::{AlterPartitionReassignmentsRequest, AlterPartitionReassignmentsResponse, BrokerId};
use thalweg_protocol::{PartitionIndex, StrBytes};

use super::creation::Refused;
use crate::dispatch::Context;
use crate::metadata::ClusterImage;

pub async fn handle(
    context: Context,
    request: AlterPartitionReassignmentsRequest,
) -> AlterPartitionReassignmentsResponse {
    let image = context.core.image();
    let topics = request.topics.iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|partition| {
            let response = ReassignablePartitionResponse::default().with_partition_index(partition.partition_index);
            match reassign(&image, topic.name.0.as_str(), partition) {
                Ok(()) => response,
                Err(refused) => response
                    .with_error_code(refused.code.code())
                    .with_error_message(Some(StrBytes::from_string(refused.message))),
            }
        });
        ReassignableTopicResponse::default().with_name(topic.name.clone()).with_partitions(partitions.collect())
    });
    AlterPartitionReassignmentsResponse::default()
        .with_allow_replication_factor_change(request.allow_replication_factor_change)
        .with_responses(topics.collect())
}

fn reassign(image: &ClusterImage, name: &str, wanted: &ReassignablePartition) -> Result<(), Refused> {
    let unknown = |message| Refused::new(ErrorCode::UnknownTopicOrPartition, message);
    let topic = image.topic(name).ok_or_else(|| unknown(format!("Unable to find a topic named {name}.")))?;
    let index = PartitionIndex(wanted.partition_index);
    topic.partition(index).ok_or_else(|| unknown(format!("Unable to find partition {name}:{index}.")))?;
    match &wanted.replicas {
        Some(replicas) => check_replicas(image, replicas),
        None => Err(Refused::new(ErrorCode::NoReassignmentInProgress, "No partition reassignment is in progress.")),
    }
}

/// Known brokers, none twice: then they are those that the partition has.
fn check_replicas(image: &ClusterImage, replicas: &[BrokerId]) -> Result<(), Refused> {
    let refused = |message: String| Err(Refused::new(ErrorCode::InvalidReplicaAssignment, message));
    if replicas.is_empty() {
        return refused("The manual partition assignment includes an empty replica list.".to_owned());
    }
    let mut seen = BTreeSet::new();
    for BrokerId(node) in replicas {
        if !image.brokers.contains_key(node) {
            return refused(format!(
                "The manual partition assignment includes broker {node}, but no such broker is registered."
            ));
        }
        if !seen.insert(node) {
            return refused(format!("The manual partition assignment includes the broker {node} more than once."));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::controller::Command;

    fn image() -> ClusterImage {
        let mut image = ClusterImage::default();
        let id = uuid::Uuid::from_u128(1);
        for command in [
            Command::RegisterBroker {
                node_id: 1,
                endpoints: Vec::new(),
                rack: None,
                rpc: None,
                directory_id: uuid::Uuid::nil(),
            },
            Command::CreateTopic {
                name: "t".to_owned(),
                id,
                internal: false,
                assignments: vec![vec![1]],
                configs: std::collections::BTreeMap::new(),
            },
        ] {
            assert!(image.apply(command).is_ok());
        }
        image
    }

    #[test]
    fn a_partition_stays_where_it_is_and_goes_nowhere_else() {
        let image = image();
        let ask = |name: &str, index, replicas: Option<&[i32]>| {
            let replicas = replicas.map(|nodes| nodes.iter().map(|node| BrokerId(*node)).collect());
            let wanted = ReassignablePartition::default().with_partition_index(index).with_replicas(replicas);
            reassign(&image, name, &wanted).map_err(|refused| refused.code)
        };
        assert_eq!(ask("t", 0, Some(&[1])), Ok(()));
        assert_eq!(ask("t", 0, Some(&[])), Err(ErrorCode::InvalidReplicaAssignment));
        assert_eq!(ask("t", 0, Some(&[2])), Err(ErrorCode::InvalidReplicaAssignment));
        assert_eq!(ask("t", 0, Some(&[1, 1])), Err(ErrorCode::InvalidReplicaAssignment));
        assert_eq!(ask("t", 0, None), Err(ErrorCode::NoReassignmentInProgress));
        assert_eq!(ask("t", 1, Some(&[1])), Err(ErrorCode::UnknownTopicOrPartition));
        assert_eq!(ask("u", 0, Some(&[1])), Err(ErrorCode::UnknownTopicOrPartition));
    }
}
