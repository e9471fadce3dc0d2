//! ElectLeaders: v0-2
//!
//! Behaviour: every partition has its one replica for leader, so an election is needed by none. When all partitions are
//! asked about, those that need none are left out, as Kafka's controller does.
//!
//! Version notes:
//! - v1 the election type (KIP-460) and a top-level error

use std::sync::Arc;

use thalweg_protocol::error::ErrorCode;
use thalweg_protocol::messages::elect_leaders_response::{PartitionResult, ReplicaElectionResult};
use thalweg_protocol::messages::{ElectLeadersRequest, ElectLeadersResponse};
use thalweg_protocol::{LeaderEpoch, PartitionIndex, StrBytes};

use super::creation::Refused;
use super::topics;
use crate::dispatch::Context;
use crate::metadata::{PartitionInfo, Topic};

/// Kafka's `ElectionType`: the first replica in the list, or any at all.
#[derive(Clone, Copy)]
enum Election {
    Preferred,
    Unclean,
}

impl Election {
    fn from_wire(kind: i8) -> Result<Self, Refused> {
        match kind {
            0 => Ok(Self::Preferred),
            1 => Ok(Self::Unclean),
            other => Err(Refused::new(ErrorCode::InvalidRequest, format!("Unknown election type {other}"))),
        }
    }
}

pub async fn handle(context: Context, request: ElectLeadersRequest) -> ElectLeadersResponse {
    let election = match Election::from_wire(request.election_type) {
        Ok(election) => election,
        Err(refused) => return refuse(&context, &request, &refused),
    };
    let image = context.core.image();
    let results = match &request.topic_partitions {
        None => image.topics.values().map(|topic| elect_all(topic, election)).collect(),
        Some(asked) => {
            let answered = asked.iter().map(|asked| {
                let topic = image.topic(asked.topic.0.as_str());
                let results = asked.partitions.iter().map(|index| {
                    let name = asked.topic.0.as_str();
                    result(*index, &elect(name, topic.map(Arc::as_ref), PartitionIndex(*index), election))
                });
                ReplicaElectionResult::default()
                    .with_topic(asked.topic.clone())
                    .with_partition_result(results.collect())
            });
            answered.collect()
        }
    };
    ElectLeadersResponse::default().with_replica_election_results(results)
}

/// What is wrong with the request as a whole stands at every partition too: version 0 has no other place for it.
fn refuse(context: &Context, request: &ElectLeadersRequest, refused: &Refused) -> ElectLeadersResponse {
    let topics = request.topic_partitions.iter().flatten().map(|asked| {
        let results = asked.partitions.iter().map(|index| result(*index, refused));
        ReplicaElectionResult::default().with_topic(asked.topic.clone()).with_partition_result(results.collect())
    });
    let response = ElectLeadersResponse::default().with_replica_election_results(topics.collect());
    if context.version == 0 { response } else { response.with_error_code(refused.code.code()) }
}

fn elect_all(topic: &Topic, election: Election) -> ReplicaElectionResult {
    let refused = topic.partitions.iter().zip(0..).filter_map(|(info, index)| {
        let refused = outcome(info, election);
        (refused.code != ErrorCode::ElectionNotNeeded).then(|| result(index, &refused))
    });
    ReplicaElectionResult::default().with_topic(topics::wire(&topic.name)).with_partition_result(refused.collect())
}

fn elect(name: &str, topic: Option<&Topic>, index: PartitionIndex, election: Election) -> Refused {
    let Some(topic) = topic else {
        return Refused::new(ErrorCode::UnknownTopicOrPartition, format!("No such topic as {name}"));
    };
    topic.partition(index).map_or_else(
        || Refused::new(ErrorCode::UnknownTopicOrPartition, format!("No such partition as {name}-{index}")),
        |info| outcome(info, election),
    )
}

/// A replica that is alone elects itself as soon as it is there; until then nobody else can be elected.
fn outcome(info: &PartitionInfo, election: Election) -> Refused {
    if info.leadership.epoch() != LeaderEpoch::NONE {
        return Refused::new(ErrorCode::ElectionNotNeeded, "Leader election not needed for topic partition.");
    }
    match election {
        Election::Preferred => {
            Refused::new(ErrorCode::PreferredLeaderNotAvailable, "The preferred leader was not available.")
        }
        Election::Unclean => {
            Refused::new(ErrorCode::EligibleLeadersNotAvailable, "Eligible topic partition leaders are not available.")
        }
    }
}

fn result(index: i32, refused: &Refused) -> PartitionResult {
    PartitionResult::default()
        .with_partition_id(index)
        .with_error_code(refused.code.code())
        .with_error_message(Some(StrBytes::from_string(refused.message.clone())))
}
