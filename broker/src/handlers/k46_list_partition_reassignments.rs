//! ListPartitionReassignments: v0 (KIP-455)
//!
//! Behaviour: none is ever under way on one node, and Kafka leaves out whatever is not being reassigned, existing or not.

use thalweg_protocol::messages::{ListPartitionReassignmentsRequest, ListPartitionReassignmentsResponse};

use crate::dispatch::Context;

pub async fn handle(_: Context, _: ListPartitionReassignmentsRequest) -> ListPartitionReassignmentsResponse {
    ListPartitionReassignmentsResponse::default()
}
