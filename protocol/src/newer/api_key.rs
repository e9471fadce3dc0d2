//! The keys of all APIs, those that the message crate does not know yet included.

use std::fmt::Debug;

use bytes::{Bytes, BytesMut};
use kafka_protocol::messages as older;
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, Message, Request, VersionRange};

use super::messages;

macro_rules! api_keys {
    ($($name:ident = $key:literal,)*) => {
        /// An API, by the number that requests carry.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(i16)]
        pub enum ApiKey {
            $($name = $key,)*
        }

        impl ApiKey {
            /// All of them, in order.
            pub const ALL: &[Self] = &[$(Self::$name,)*];
        }

        impl TryFrom<i16> for ApiKey {
            type Error = ();

            fn try_from(key: i16) -> Result<Self, ()> {
                match key {
                    $($key => Ok(Self::$name),)*
                    _ => Err(()),
                }
            }
        }
    };
}

api_keys! {
    Produce = 0,
    Fetch = 1,
    ListOffsets = 2,
    Metadata = 3,
    OffsetCommit = 8,
    OffsetFetch = 9,
    FindCoordinator = 10,
    JoinGroup = 11,
    Heartbeat = 12,
    LeaveGroup = 13,
    SyncGroup = 14,
    DescribeGroups = 15,
    ListGroups = 16,
    SaslHandshake = 17,
    ApiVersions = 18,
    CreateTopics = 19,
    DeleteTopics = 20,
    DeleteRecords = 21,
    InitProducerId = 22,
    OffsetForLeaderEpoch = 23,
    AddPartitionsToTxn = 24,
    AddOffsetsToTxn = 25,
    EndTxn = 26,
    WriteTxnMarkers = 27,
    TxnOffsetCommit = 28,
    DescribeAcls = 29,
    CreateAcls = 30,
    DeleteAcls = 31,
    DescribeConfigs = 32,
    AlterConfigs = 33,
    AlterReplicaLogDirs = 34,
    DescribeLogDirs = 35,
    SaslAuthenticate = 36,
    CreatePartitions = 37,
    CreateDelegationToken = 38,
    RenewDelegationToken = 39,
    ExpireDelegationToken = 40,
    DescribeDelegationToken = 41,
    DeleteGroups = 42,
    ElectLeaders = 43,
    IncrementalAlterConfigs = 44,
    AlterPartitionReassignments = 45,
    ListPartitionReassignments = 46,
    OffsetDelete = 47,
    DescribeClientQuotas = 48,
    AlterClientQuotas = 49,
    DescribeUserScramCredentials = 50,
    AlterUserScramCredentials = 51,
    Vote = 52,
    BeginQuorumEpoch = 53,
    EndQuorumEpoch = 54,
    DescribeQuorum = 55,
    AlterPartition = 56,
    UpdateFeatures = 57,
    Envelope = 58,
    FetchSnapshot = 59,
    DescribeCluster = 60,
    DescribeProducers = 61,
    BrokerRegistration = 62,
    BrokerHeartbeat = 63,
    UnregisterBroker = 64,
    DescribeTransactions = 65,
    ListTransactions = 66,
    AllocateProducerIds = 67,
    ConsumerGroupHeartbeat = 68,
    ConsumerGroupDescribe = 69,
    ControllerRegistration = 70,
    GetTelemetrySubscriptions = 71,
    PushTelemetry = 72,
    AssignReplicasToDirs = 73,
    ListConfigResources = 74,
    DescribeTopicPartitions = 75,
    ShareGroupHeartbeat = 76,
    ShareGroupDescribe = 77,
    ShareFetch = 78,
    ShareAcknowledge = 79,
    AddRaftVoter = 80,
    RemoveRaftVoter = 81,
    UpdateRaftVoter = 82,
    InitializeShareGroupState = 83,
    ReadShareGroupState = 84,
    WriteShareGroupState = 85,
    DeleteShareGroupState = 86,
    ReadShareGroupStateSummary = 87,
    StreamsGroupHeartbeat = 88,
    StreamsGroupDescribe = 89,
    DescribeShareGroupOffsets = 90,
    AlterShareGroupOffsets = 91,
    DeleteShareGroupOffsets = 92,
}

/// The APIs whose messages are in this folder, and what is asked of them.
macro_rules! newer_apis {
    ($($api:ident: $request:ident;)*) => {
        impl ApiKey {
            /// The versions of which there are message types.
            pub fn valid_versions(self) -> VersionRange {
                match self {
                    $(Self::$api => messages::$request::VERSIONS,)*
                    _ => self.older().map_or(VersionRange { min: 0, max: -1 }, |key| key.valid_versions()),
                }
            }

            pub fn request_header_version(self, version: i16) -> i16 {
                match self {
                    $(Self::$api => messages::$request::header_version(version),)*
                    _ => self.older().map_or(2, |key| key.request_header_version(version)),
                }
            }

            pub fn response_header_version(self, version: i16) -> i16 {
                match self {
                    $(Self::$api => <messages::$request as Request>::Response::header_version(version),)*
                    _ => self.older().map_or(1, |key| key.response_header_version(version)),
                }
            }

            /// A request read, and written again.
            ///
            /// # Errors
            /// When the bytes are no such request.
            pub fn recode_request(self, version: i16, body: &mut Bytes) -> anyhow::Result<Recoded> {
                match self {
                    $(Self::$api => recode::<messages::$request>(version, body),)*
                    _ => {
                        let request = older::RequestKind::decode(self.known_older()?, body, version)?;
                        let mut again = BytesMut::new();
                        let written = request.encode(&mut again, version).map(|()| again.freeze());
                        Ok(Recoded { text: inner_text(&request), written })
                    }
                }
            }

            /// The same of a response.
            ///
            /// # Errors
            /// When the bytes are no such response.
            pub fn recode_response(self, version: i16, body: &mut Bytes) -> anyhow::Result<Recoded> {
                match self {
                    $(Self::$api => recode::<<messages::$request as Request>::Response>(version, body),)*
                    _ => {
                        let response = older::ResponseKind::decode(self.known_older()?, body, version)?;
                        let mut again = BytesMut::new();
                        let written = response.encode(&mut again, version).map(|()| again.freeze());
                        Ok(Recoded { text: inner_text(&response), written })
                    }
                }
            }
        }
    };
}

newer_apis! {
    ListOffsets: ListOffsetsRequest;
    OffsetCommit: OffsetCommitRequest;
    OffsetFetch: OffsetFetchRequest;
    WriteTxnMarkers: WriteTxnMarkersRequest;
    DescribeLogDirs: DescribeLogDirsRequest;
    ShareFetch: ShareFetchRequest;
    ShareAcknowledge: ShareAcknowledgeRequest;
    StreamsGroupHeartbeat: StreamsGroupHeartbeatRequest;
    StreamsGroupDescribe: StreamsGroupDescribeRequest;
    DescribeShareGroupOffsets: DescribeShareGroupOffsetsRequest;
}

/// A message that was read.
#[derive(Debug)]
pub struct Recoded {
    /// With every field's name.
    pub text: String,
    /// What writing it gives.
    pub written: anyhow::Result<Bytes>,
}

fn recode<T: Decodable + Encodable + Debug>(version: i16, body: &mut Bytes) -> anyhow::Result<Recoded> {
    let message = T::decode(body, version)?;
    let mut again = BytesMut::new();
    let written = message.encode(&mut again, version).map(|()| again.freeze());
    Ok(Recoded { text: format!("{message:?}"), written })
}

/// Without the name of the variant around it.
fn inner_text(kind: &impl Debug) -> String {
    let text = format!("{kind:?}");
    let inner = text.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')'));
    inner.map(str::to_owned).unwrap_or(text)
}

impl ApiKey {
    /// All of them, in order.
    pub fn iter() -> impl Iterator<Item = Self> {
        Self::ALL.iter().copied()
    }

    fn known_older(self) -> anyhow::Result<older::ApiKey> {
        self.older().ok_or_else(|| anyhow::anyhow!("{self:?} has no messages"))
    }

    fn older(self) -> Option<older::ApiKey> {
        older::ApiKey::try_from(self as i16).ok()
    }
}
