//! A broker that leads every partition of every topic, and does what real ones seldom do on demand.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use clap::Parser as _;
use thalweg_protocol::messages::add_partitions_to_txn_response::{
    AddPartitionsToTxnPartitionResult, AddPartitionsToTxnTopicResult,
};
use thalweg_protocol::messages::api_versions_response::FinalizedFeatureKey;
use thalweg_protocol::messages::create_topics_response::CreatableTopicResult;
use thalweg_protocol::messages::find_coordinator_response::Coordinator;
use thalweg_protocol::messages::metadata_response::{MetadataResponsePartition, MetadataResponseTopic};
use thalweg_protocol::messages::produce_response::{PartitionProduceResponse, TopicProduceResponse};
use thalweg_protocol::messages::*;
use thalweg_protocol::records::{BatchHeader, batches, increment_sequence};
use thalweg_protocol::{ErrorCode, StrBytes, decode_request, encode_response, parse_head};

use super::speech::{api_versions, broker, read, talk_garbage};
use crate::load::{Args, measure};
use crate::result::RunResult;

pub(super) const PARTITIONS: i32 = 3;

/// What the broker does with a Produce request, given the time since its connection's first.
type Behaviour = Arc<dyn Fn(Duration) -> Deed + Send + Sync>;

pub(super) enum Deed {
    Acknowledge,
    Refuse(ErrorCode),
    Hang(Duration),
    Garbage,
    Close,
    /// Takes the records, and closes without an answer.
    TakeAndClose,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Transactions {
    Absent,
    V1,
    V2,
}

pub(super) struct FakeBroker {
    pub(super) address: String,
    pub(super) state: Arc<Mutex<State>>,
}

/// What it was told.
#[derive(Default)]
pub(super) struct State {
    pub(super) topics: BTreeMap<String, i32>,
    pub(super) configs: BTreeMap<String, String>,
    /// Headers of the batches that were taken, by topic and partition.
    pub(super) log: BTreeMap<(String, i32), Vec<BatchHeader>>,
    pub(super) duplicates: usize,
    pub(super) out_of_order: usize,
    /// Partitions of the transaction that is open, of all that ended, and how those ended.
    added: BTreeSet<(String, i32)>,
    pub(super) ends: Vec<bool>,
    busy: bool,
    epoch: i16,
    pub(super) produce_versions: BTreeSet<i16>,
}

impl FakeBroker {
    pub(super) fn start(behaviour: impl Fn(Duration) -> Deed + Send + Sync + 'static) -> Self {
        Self::with(Transactions::Absent, behaviour)
    }

    pub(super) fn with(
        transactions: Transactions,
        behaviour: impl Fn(Duration) -> Deed + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let behaviour: Behaviour = Arc::new(behaviour);
        let state = Arc::new(Mutex::new(State::default()));
        let port = i32::from(address.port());
        let seen = Arc::clone(&state);
        // Ends with the test's process.
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (behaviour, state) = (Arc::clone(&behaviour), Arc::clone(&seen));
                let broker = Serving { port, transactions, behaviour, state };
                std::thread::spawn(move || broker.serve(stream.unwrap()));
            }
        });
        Self { address: address.to_string(), state }
    }

    pub(super) fn run(&self, flags: &[&str]) -> (RunResult, Option<String>) {
        #[derive(clap::Parser)]
        #[command(args_override_self = true)]
        struct Line {
            #[command(flatten)]
            args: Args,
        }
        let line = ["run", "--bootstrap", &self.address, "--topic", "t", "--partitions", "3", "--size", "100"];
        let args = Line::parse_from(line.iter().chain(flags)).args;
        let (result, failure) = measure(args.scenario().unwrap(), None, |_| {}).unwrap();
        (result, failure.map(|failure| format!("{failure:#}")))
    }
}

struct Serving {
    port: i32,
    transactions: Transactions,
    behaviour: Behaviour,
    state: Arc<Mutex<State>>,
}

impl Serving {
    fn serve(&self, mut stream: TcpStream) {
        stream.set_nodelay(true).unwrap();
        let mut began = None;
        while let Some(frame) = read(&mut stream) {
            let Some(answer) = self.answer(&mut stream, frame, &mut began) else { return };
            if !answer.is_empty() && stream.write_all(&answer).is_err() {
                return;
            }
        }
    }

    /// `None` ends the connection.
    fn answer(&self, stream: &mut TcpStream, mut frame: Bytes, began: &mut Option<Instant>) -> Option<Bytes> {
        let head = parse_head(&mut frame).unwrap();
        let (id, version) = (head.correlation_id, head.api_version);
        let frame = &mut frame;
        let answer = match ApiKey::try_from(head.api_key).unwrap() {
            ApiKey::ApiVersions => encode_response(id, version, &self.api_versions()),
            ApiKey::Metadata => encode_response(id, version, &self.metadata(&decode_request(frame, version).unwrap())),
            ApiKey::CreateTopics => encode_response(id, version, &self.create(decode_request(frame, version).unwrap())),
            ApiKey::FindCoordinator => {
                let request: FindCoordinatorRequest = decode_request(frame, version).unwrap();
                assert_eq!(request.key_type, 1);
                encode_response(id, version, &self.coordinator())
            }
            ApiKey::InitProducerId => {
                self.state.lock().unwrap().epoch += 1;
                let epoch = self.state.lock().unwrap().epoch;
                let answer =
                    InitProducerIdResponse::default().with_producer_id(ProducerId(7)).with_producer_epoch(epoch);
                encode_response(id, version, &answer)
            }
            ApiKey::AddPartitionsToTxn => {
                encode_response(id, version, &self.add(decode_request(frame, version).unwrap()))
            }
            ApiKey::EndTxn => encode_response(id, version, &self.end(&decode_request(frame, version).unwrap())),
            ApiKey::Produce => {
                let request: ProduceRequest = decode_request(frame, version).unwrap();
                self.state.lock().unwrap().produce_versions.insert(version);
                let acks = request.acks;
                let answer = self.produce(stream, request, began)?;
                if acks == 0 {
                    return Some(Bytes::new());
                }
                encode_response(id, version, &answer)
            }
            other => panic!("nobody asks for {other:?}"),
        };
        Some(answer.unwrap())
    }

    fn produce(
        &self,
        stream: &mut TcpStream,
        request: ProduceRequest,
        began: &mut Option<Instant>,
    ) -> Option<ProduceResponse> {
        let code = match (self.behaviour)(began.get_or_insert_with(Instant::now).elapsed()) {
            Deed::Acknowledge => ErrorCode::None,
            Deed::Refuse(code) => code,
            Deed::Hang(time) => {
                std::thread::sleep(time);
                ErrorCode::None
            }
            Deed::Garbage => {
                talk_garbage(stream);
                return None;
            }
            Deed::Close => return None,
            Deed::TakeAndClose => {
                self.take(request, ErrorCode::None);
                return None;
            }
        };
        Some(self.take(request, code))
    }

    /// Looks at the batches as a broker would, and keeps them unless there is an error.
    fn take(&self, request: ProduceRequest, code: ErrorCode) -> ProduceResponse {
        let transactional = request.transactional_id.is_some();
        // Backwards: nobody says that answers come in the order of the request.
        let topics = request.topic_data.into_iter().rev().map(|topic| {
            let partitions = topic.partition_data.into_iter().rev().map(|partition| {
                let records = partition.records.unwrap();
                let mut headers = batches(&records);
                let batch = headers.next().unwrap().unwrap();
                assert!(headers.next().is_none());
                batch.check_crc().unwrap();
                assert!(batch.header.records_count > 0 && records.len() > BatchHeader::LEN);
                assert_eq!(batch.header.attributes.is_transactional(), transactional);
                let place = (topic.name.to_string(), partition.index);
                let code = if code.is_error() { code } else { self.append(place, batch.header) };
                PartitionProduceResponse::default().with_index(partition.index).with_error_code(code.code())
            });
            TopicProduceResponse::default().with_name(topic.name.clone()).with_partition_responses(partitions.collect())
        });
        ProduceResponse::default().with_responses(topics.collect())
    }

    /// As `ProducerStateManager` checks it, without its memory of the last five batches: the log is the memory.
    fn append(&self, place: (String, i32), header: BatchHeader) -> ErrorCode {
        let mut state = self.state.lock().unwrap();
        if header.attributes.is_transactional() {
            assert_eq!(header.producer_epoch.0, state.epoch);
            if self.transactions == Transactions::V2 {
                state.added.insert(place.clone());
            } else if !state.added.contains(&place) {
                return ErrorCode::InvalidTxnState;
            }
        }
        let log = state.log.entry(place).or_default();
        if header.base_sequence >= 0 {
            let same_epoch = |kept: &&BatchHeader| kept.producer_epoch == header.producer_epoch;
            if log.iter().filter(same_epoch).any(|kept| kept.base_sequence == header.base_sequence) {
                state.duplicates += 1;
                return ErrorCode::DuplicateSequenceNumber;
            }
            let last = log.last().filter(same_epoch);
            if header.base_sequence != last.map_or(0, |last| increment_sequence(last.last_sequence(), 1)) {
                state.out_of_order += 1;
                return ErrorCode::OutOfOrderSequenceNumber;
            }
        }
        log.push(header);
        ErrorCode::None
    }

    fn api_versions(&self) -> ApiVersionsResponse {
        let mut served = vec![
            (ApiKey::Produce, 3, 12),
            (ApiKey::Metadata, 0, 9),
            (ApiKey::ApiVersions, 0, 3),
            (ApiKey::CreateTopics, 2, 5),
        ];
        let v2 = self.transactions == Transactions::V2;
        if self.transactions != Transactions::Absent {
            let end = if v2 { 5 } else { 4 };
            served.extend([
                (ApiKey::FindCoordinator, 0, end),
                (ApiKey::InitProducerId, 0, 4),
                (ApiKey::AddPartitionsToTxn, 0, 3),
                (ApiKey::EndTxn, 0, end),
            ]);
        }
        let level = if v2 { 2 } else { 1 };
        let feature = FinalizedFeatureKey::default()
            .with_name(StrBytes::from_static_str("transaction.version"))
            .with_max_version_level(level);
        api_versions(&served).with_finalized_features(vec![feature])
    }

    fn metadata(&self, request: &MetadataRequest) -> MetadataResponse {
        let partition =
            |index| MetadataResponsePartition::default().with_partition_index(index).with_leader_id(BrokerId(1));
        let topics = request.topics.as_ref().unwrap().iter().map(|asked| {
            let name = asked.name.clone().unwrap();
            // `t` was there before.
            let count = match self.state.lock().unwrap().topics.get(name.as_str()) {
                Some(count) => *count,
                None if name.as_str() == "t" => PARTITIONS,
                None => 0,
            };
            let code = if count == 0 { ErrorCode::UnknownTopicOrPartition } else { ErrorCode::None };
            MetadataResponseTopic::default()
                .with_name(Some(name))
                .with_error_code(code.code())
                .with_partitions((0..count).map(partition).collect())
        });
        MetadataResponse::default().with_brokers(vec![broker(1, self.port)]).with_topics(topics.collect())
    }

    fn create(&self, request: CreateTopicsRequest) -> CreateTopicsResponse {
        let mut state = self.state.lock().unwrap();
        let topics = request.topics.into_iter().map(|topic| {
            state.topics.insert(topic.name.to_string(), topic.num_partitions);
            let configs = topic.configs.iter();
            state
                .configs
                .extend(configs.map(|config| (config.name.to_string(), config.value.clone().unwrap().to_string())));
            CreatableTopicResult::default().with_name(topic.name)
        });
        let topics = topics.collect();
        CreateTopicsResponse::default().with_topics(topics)
    }

    fn coordinator(&self) -> FindCoordinatorResponse {
        let host = StrBytes::from_static_str("127.0.0.1");
        let coordinator = Coordinator::default().with_host(host).with_port(self.port);
        FindCoordinatorResponse::default().with_coordinators(vec![coordinator])
    }

    fn add(&self, request: AddPartitionsToTxnRequest) -> AddPartitionsToTxnResponse {
        assert!(self.transactions == Transactions::V1);
        let mut state = self.state.lock().unwrap();
        let topics = request.v3_and_below_topics.into_iter().map(|topic| {
            let results = topic.partitions.iter().map(|partition| {
                assert!(state.added.insert((topic.name.to_string(), *partition)), "it is asked for once");
                AddPartitionsToTxnPartitionResult::default().with_partition_index(*partition)
            });
            let results = results.collect();
            AddPartitionsToTxnTopicResult::default().with_name(topic.name).with_results_by_partition(results)
        });
        let topics = topics.collect();
        AddPartitionsToTxnResponse::default().with_results_by_topic_v3_and_below(topics)
    }

    fn end(&self, request: &EndTxnRequest) -> EndTxnResponse {
        let mut state = self.state.lock().unwrap();
        assert_eq!((request.producer_id, request.producer_epoch), (ProducerId(7), state.epoch));
        assert!(!state.added.is_empty(), "a transaction without records is not ended");
        // Asked for the first time while the one before is not written whole.
        if state.ends.len() == 1 && !std::mem::replace(&mut state.busy, true) {
            return EndTxnResponse::default().with_error_code(ErrorCode::ConcurrentTransactions.code());
        }
        state.added.clear();
        state.ends.push(request.committed);
        if self.transactions == Transactions::V2 {
            state.epoch += 1;
        }
        EndTxnResponse::default().with_producer_id(ProducerId(7)).with_producer_epoch(state.epoch)
    }
}
