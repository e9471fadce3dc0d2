//! The one table of APIs: key, versions, handler. ApiVersions is derived from it and cannot lie.

use std::rc::Rc;

use bytes::Bytes;
use futures::FutureExt as _;
use futures::future::LocalBoxFuture;
use thalweg_protocol::header::{RequestHead, parse_head};
use thalweg_protocol::messages::ApiKey;
use thalweg_protocol::{Encodable, HeaderVersion, StrBytes, VersionRange};

use crate::handlers;
use crate::net::Peer;
use crate::reactor::Core;

/// What a request becomes.
pub enum Answer {
    /// The response, in pieces to be sent back to back.
    Send(Vec<Bytes>),
    /// Produce with acks=0 has no response.
    Nothing,
    /// Nothing sensible can be said; the connection ends, with one line in the log.
    Close(String),
}

/// An answer on its way.
pub type Pending = LocalBoxFuture<'static, Answer>;

/// How far a request is, once it was started.
pub enum Starting {
    /// What it does comes before what later requests do.
    Ordered(Pending),
    /// That is so only when this is through: no later request of the connection may start before.
    Ordering(LocalBoxFuture<'static, Pending>),
}

/// A request that was started.
pub struct Started {
    pub starting: Starting,
    /// The connection's next request must not start before this one is answered (all but Produce).
    pub in_order: bool,
}

/// Who asks, and how.
#[derive(Clone)]
pub struct Context {
    pub core: Rc<Core>,
    pub peer: Rc<Peer>,
    pub version: i16,
    pub correlation_id: i32,
    pub client_id: Option<StrBytes>,
}

type Start = fn(Context, Bytes) -> Starting;

/// One API that this broker serves.
pub struct Api {
    pub key: ApiKey,
    pub versions: VersionRange,
    start: Start,
    in_order: bool,
}

/// An API whose handler is one async function from request to response.
macro_rules! api {
    ($key:ident, $min:literal..=$max:literal, $handle:path) => {
        Api {
            key: ApiKey::$key,
            versions: VersionRange { min: $min, max: $max },
            start: |context, body| Starting::Ordered(answer(context, body, $handle).boxed_local()),
            in_order: true,
        }
    };
}

/// An API whose handler lays out its own answer.
macro_rules! raw_api {
    ($key:ident, $min:literal..=$max:literal, $start:path) => {
        Api {
            key: ApiKey::$key,
            versions: VersionRange { min: $min, max: $max },
            start: |context, body| Starting::Ordered($start(context, body)),
            in_order: true,
        }
    };
}

/// Every API served, by key. The versions reach down to the oldest that Kafka 4 accepts (KIP-896).
pub static APIS: &[Api] = &[
    Api {
        key: ApiKey::Produce,
        versions: VersionRange { min: 3, max: 13 },
        start: handlers::k00_produce::start,
        in_order: false,
    },
    raw_api!(Fetch, 4..=18, handlers::k01_fetch::start),
    api!(ListOffsets, 1..=11, handlers::k02_list_offsets::handle),
    api!(Metadata, 0..=13, handlers::k03_metadata::handle),
    api!(OffsetCommit, 2..=10, handlers::k08_offset_commit::handle),
    api!(OffsetFetch, 1..=10, handlers::k09_offset_fetch::handle),
    api!(FindCoordinator, 0..=6, handlers::k10_find_coordinator::handle),
    api!(JoinGroup, 0..=9, handlers::k11_join_group::handle),
    api!(Heartbeat, 0..=4, handlers::k12_heartbeat::handle),
    api!(LeaveGroup, 0..=5, handlers::k13_leave_group::handle),
    api!(SyncGroup, 0..=5, handlers::k14_sync_group::handle),
    api!(DescribeGroups, 0..=6, handlers::k15_describe_groups::handle),
    api!(ListGroups, 0..=5, handlers::k16_list_groups::handle),
    raw_api!(ApiVersions, 0..=4, handlers::k18_api_versions::start),
    api!(CreateTopics, 2..=7, handlers::k19_create_topics::handle),
    api!(DeleteTopics, 1..=6, handlers::k20_delete_topics::handle),
    api!(DeleteRecords, 0..=2, handlers::k21_delete_records::handle),
    api!(InitProducerId, 0..=5, handlers::k22_init_producer_id::handle),
    api!(OffsetForLeaderEpoch, 2..=4, handlers::k23_offset_for_leader_epoch::handle),
    api!(AddPartitionsToTxn, 0..=5, handlers::k24_add_partitions_to_txn::handle),
    api!(AddOffsetsToTxn, 0..=4, handlers::k25_add_offsets_to_txn::handle),
    api!(EndTxn, 0..=5, handlers::k26_end_txn::handle),
    api!(WriteTxnMarkers, 1..=1, handlers::k27_write_txn_markers::handle),
    api!(TxnOffsetCommit, 0..=5, handlers::k28_txn_offset_commit::handle),
    api!(DescribeConfigs, 1..=4, handlers::k32_describe_configs::handle),
    api!(AlterConfigs, 0..=2, handlers::k33_alter_configs::handle),
    api!(AlterReplicaLogDirs, 1..=2, handlers::k34_alter_replica_log_dirs::handle),
    api!(DescribeLogDirs, 1..=5, handlers::k35_describe_log_dirs::handle),
    api!(CreatePartitions, 0..=3, handlers::k37_create_partitions::handle),
    api!(DeleteGroups, 0..=2, handlers::k42_delete_groups::handle),
    api!(ElectLeaders, 0..=2, handlers::k43_elect_leaders::handle),
    api!(IncrementalAlterConfigs, 0..=1, handlers::k44_incremental_alter_configs::handle),
    api!(AlterPartitionReassignments, 0..=1, handlers::k45_alter_partition_reassignments::handle),
    api!(ListPartitionReassignments, 0..=0, handlers::k46_list_partition_reassignments::handle),
    api!(OffsetDelete, 0..=0, handlers::k47_offset_delete::handle),
    api!(DescribeQuorum, 0..=2, handlers::k55_describe_quorum::handle),
    api!(UpdateFeatures, 0..=2, handlers::k57_update_features::handle),
    api!(DescribeCluster, 0..=2, handlers::k60_describe_cluster::handle),
    api!(DescribeProducers, 0..=0, handlers::k61_describe_producers::handle),
    api!(UnregisterBroker, 0..=0, handlers::k64_unregister_broker::handle),
    api!(DescribeTransactions, 0..=0, handlers::k65_describe_transactions::handle),
    api!(ListTransactions, 0..=2, handlers::k66_list_transactions::handle),
    api!(ConsumerGroupHeartbeat, 0..=1, handlers::k68_consumer_group_heartbeat::handle),
    api!(ConsumerGroupDescribe, 0..=1, handlers::k69_consumer_group_describe::handle),
    api!(GetTelemetrySubscriptions, 0..=0, handlers::k71_get_telemetry_subscriptions::handle),
    api!(PushTelemetry, 0..=0, handlers::k72_push_telemetry::handle),
    api!(ListConfigResources, 0..=1, handlers::k74_list_config_resources::handle),
    api!(DescribeTopicPartitions, 0..=0, handlers::k75_describe_topic_partitions::handle),
    api!(ShareGroupHeartbeat, 1..=1, handlers::k76_share_group_heartbeat::handle),
    api!(ShareGroupDescribe, 1..=1, handlers::k77_share_group_describe::handle),
    raw_api!(ShareFetch, 1..=1, handlers::k78_share_fetch::start),
    api!(ShareAcknowledge, 1..=1, handlers::k79_share_acknowledge::handle),
    api!(DescribeShareGroupOffsets, 0..=0, handlers::k90_describe_share_group_offsets::handle),
    api!(AlterShareGroupOffsets, 0..=0, handlers::k91_alter_share_group_offsets::handle),
    api!(DeleteShareGroupOffsets, 0..=0, handlers::k92_delete_share_group_offsets::handle),
];

/// The API with this key, if it is served.
pub fn find(key: i16) -> Option<&'static Api> {
    APIS.iter().find(|api| api.key as i16 == key)
}

/// Starts one request: its header decides who handles it. An error ends the connection.
pub fn start(core: &Rc<Core>, peer: &Rc<Peer>, mut frame: Bytes) -> Result<Started, String> {
    let head = parse_head(&mut frame).map_err(|error| format!("unreadable request header: {error}"))?;
    let RequestHead { api_key, api_version, correlation_id, client_id } = head;
    let context =
        Context { core: Rc::clone(core), peer: Rc::clone(peer), version: api_version, correlation_id, client_id };
    let api =
        find(api_key).ok_or_else(|| format!("request with API key {api_key}, which this broker does not serve"))?;
    core.shared.metrics.requests.add(1);
    if !(api.versions.min..=api.versions.max).contains(&api_version) {
        // KIP-511: a client that asks for our versions in one we do not know is told in v0 which we do.
        if api.key == ApiKey::ApiVersions {
            let answer = handlers::k18_api_versions::unsupported(context).boxed_local();
            return Ok(Started { starting: Starting::Ordered(answer), in_order: true });
        }
        let (key, range) = (api.key, api.versions);
        return Err(format!("{key:?} request of version {api_version}; served are {}..={}", range.min, range.max));
    }
    Ok(Started { starting: (api.start)(context, frame), in_order: api.in_order })
}

/// Decodes, handles, encodes.
async fn answer<Request, Response, Handle, Running>(context: Context, mut body: Bytes, handle: Handle) -> Answer
where
    Request: thalweg_protocol::Request,
    Response: Encodable + HeaderVersion,
    Handle: FnOnce(Context, Request) -> Running,
    Running: Future<Output = Response>,
{
    let request = match decode(&context, &mut body) {
        Ok(request) => request,
        Err(close) => return close,
    };
    let (version, correlation_id) = (context.version, context.correlation_id);
    let response = handle(context, request).await;
    encode(correlation_id, version, &response)
}

/// Decodes a body, or says why the connection ends.
pub fn decode<Request: thalweg_protocol::Request>(context: &Context, body: &mut Bytes) -> Result<Request, Answer> {
    thalweg_protocol::request::decode_request(body, context.version).map_err(|error| {
        let name = std::any::type_name::<Request>().rsplit("::").next().unwrap_or_default();
        Answer::Close(format!("unreadable {name} of version {}: {error}", context.version))
    })
}

/// Encodes a response in full.
pub fn encode<Response: Encodable + HeaderVersion>(correlation_id: i32, version: i16, response: &Response) -> Answer {
    match thalweg_protocol::response::encode_response(correlation_id, version, response) {
        Ok(bytes) => Answer::Send(vec![bytes]),
        Err(error) => {
            let name = std::any::type_name::<Response>().rsplit("::").next().unwrap_or_default();
            Answer::Close(format!("a {name} of version {version} could not be encoded: {error}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_has_no_key_twice() {
        assert!(APIS.is_sorted_by(|a, b| (a.key as i16) < (b.key as i16)));
    }

    #[test]
    fn every_served_version_can_be_decoded() {
        for api in APIS {
            let known = thalweg_protocol::known_versions(api.key);
            assert!(known.min <= api.versions.min && api.versions.max <= known.max, "{:?}", api.key);
        }
    }
}
