//! DescribeCluster: v0-2
//!
//! Behaviour: brokers as the client's listener shows them. There are no controllers apart from brokers, so a request
//! for controller endpoints is answered with MISMATCHED_ENDPOINT_TYPE, as Kafka's brokers do (KIP-919).

use thalweg_protocol::StrBytes;
use thalweg_protocol::error::ErrorCode;
use thalweg_protocol::messages::describe_cluster_response::DescribeClusterBroker;
use thalweg_protocol::messages::{BrokerId, DescribeClusterRequest, DescribeClusterResponse};

use super::k03_metadata::{CLUSTER_OPERATIONS_ALL, OPERATIONS_NOT_ASKED};
use super::topics;
use crate::dispatch::Context;

/// The endpoint type of brokers.
const BROKERS: i8 = 1;
/// That of controllers.
const CONTROLLERS: i8 = 2;

pub async fn handle(context: Context, request: DescribeClusterRequest) -> DescribeClusterResponse {
    if context.version >= 1 && request.endpoint_type != BROKERS {
        let (code, message) = if request.endpoint_type == CONTROLLERS {
            (ErrorCode::MismatchedEndpointType, "The request was sent to an endpoint of the wrong type.")
        } else {
            (ErrorCode::UnsupportedEndpointType, "This endpoint type is not supported yet.")
        };
        return DescribeClusterResponse::default()
            .with_error_code(code.code())
            .with_error_message(Some(StrBytes::from_static_str(message)))
            .with_endpoint_type(BROKERS);
    }
    let brokers = topics::endpoints(&context).map(|topics::BrokerAddress { node, host, port, rack }| {
        DescribeClusterBroker::default().with_broker_id(BrokerId(node)).with_host(host).with_port(port).with_rack(rack)
    });
    DescribeClusterResponse::default()
        .with_endpoint_type(BROKERS)
        .with_cluster_id(StrBytes::from_string(context.core.shared.cluster_id().to_owned()))
        .with_controller_id(BrokerId(context.core.shared.config.node_id.0))
        .with_brokers(brokers.collect())
        .with_cluster_authorized_operations(if request.include_cluster_authorized_operations {
            CLUSTER_OPERATIONS_ALL
        } else {
            OPERATIONS_NOT_ASKED
        })
}
