//! Brokers with their logs in memory, which they share: they keep fetch sessions as strictly as a broker may.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use bytes::Bytes;
use thalweg_protocol::messages::fetch_response::PartitionData;
use thalweg_protocol::messages::list_offsets_response::{ListOffsetsPartitionResponse, ListOffsetsTopicResponse};
use thalweg_protocol::messages::metadata_response::{MetadataResponsePartition, MetadataResponseTopic};
use thalweg_protocol::messages::produce_response::{PartitionProduceResponse, TopicProduceResponse};
use thalweg_protocol::messages::{
    ApiKey, BrokerId, FetchRequest, ListOffsetsRequest, ListOffsetsResponse, MetadataResponse, ProduceRequest,
    ProduceResponse,
};
use thalweg_protocol::records::{BatchView, stamp};
use thalweg_protocol::{
    ErrorCode, FetchBody, FetchLayout, FetchPartition, FetchTopic, KafkaOffset, LeaderEpoch, decode_request,
    encode_response, parse_head,
};
use uuid::Uuid;

use crate::client::cluster::topic_name;
use crate::load::tests::speech::{api_versions, broker, read, talk_garbage};

pub(super) const PARTITIONS: i32 = 3;
const TOPIC: Uuid = Uuid::from_u128(7);
const SERVED: [(ApiKey, i16, i16); 5] = [
    (ApiKey::Produce, 3, 12),
    (ApiKey::Fetch, 4, 17),
    (ApiKey::ListOffsets, 1, 10),
    (ApiKey::Metadata, 0, 13),
    (ApiKey::ApiVersions, 0, 3),
];

/// What a broker does with a Fetch.
pub(super) enum Deed {
    Serve,
    Hang(Duration),
    Garbage,
    Close,
}

#[derive(Default)]
pub(super) struct Log {
    pub(super) start: i64,
    end: i64,
    batches: Vec<(i64, Bytes)>,
}

impl Log {
    pub(super) fn append(&mut self, batch: &[u8]) {
        let mut batch = batch.to_vec();
        stamp(&mut batch, KafkaOffset(self.end), LeaderEpoch(0));
        self.end = BatchView::first(&batch).unwrap().header.next_offset().0;
        self.batches.push((self.end, batch.into()));
    }

    /// Some batches from this offset on.
    fn read(&self, from: i64) -> Vec<Bytes> {
        self.batches.iter().filter(|(next, _)| *next > from).take(20).map(|(_, batch)| batch.clone()).collect()
    }
}

/// What all brokers have in common.
#[derive(Default)]
pub(super) struct State {
    pub(super) logs: BTreeMap<i32, Log>,
    /// Of the brokers in order of their ids, from 1 on.
    ports: Vec<i32>,
    /// Of partitions that are not led by the first broker.
    pub(super) led_elsewhere: BTreeMap<i32, i32>,
    /// Acknowledged and forgotten: as many batches.
    pub(super) lose: usize,
    /// Session epoch and how many partitions it named, of each Fetch.
    pub(super) fetches: Vec<(i32, usize)>,
    sessions: i32,
    /// What the log's start is said to be, before a Fetch has shown otherwise.
    pub(super) said_start: i64,
}

pub(super) struct Brokers {
    state: Arc<(Mutex<State>, Condvar)>,
    pub(super) bootstrap: String,
}

type Behaviour = Arc<dyn Fn(Duration) -> Deed + Send + Sync>;

impl Brokers {
    /// `behaviour` is given the time since the first Fetch of its connection.
    pub(super) fn start(count: i32, behaviour: impl Fn(Duration) -> Deed + Send + Sync + 'static) -> Self {
        let state: Arc<(Mutex<State>, Condvar)> = Arc::default();
        state.0.lock().unwrap().logs = (0..PARTITIONS).map(|index| (index, Log::default())).collect();
        let behaviour: Behaviour = Arc::new(behaviour);
        let mut bootstrap = String::new();
        for id in 1..=count {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let address = listener.local_addr().unwrap();
            state.0.lock().unwrap().ports.push(i32::from(address.port()));
            bootstrap = address.to_string();
            let (state, behaviour) = (Arc::clone(&state), Arc::clone(&behaviour));
            // Ends with the test's process.
            std::thread::spawn(move || {
                for stream in listener.incoming() {
                    let (state, behaviour) = (Arc::clone(&state), Arc::clone(&behaviour));
                    std::thread::spawn(move || {
                        Serving { id, state, session: None, began: None }.run(stream.unwrap(), &behaviour)
                    });
                }
            });
        }
        Self { state, bootstrap }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.0.lock().unwrap()
    }
}

struct Session {
    id: i32,
    epoch: i32,
    positions: BTreeMap<i32, i64>,
}

/// One connection to one broker.
struct Serving {
    id: i32,
    state: Arc<(Mutex<State>, Condvar)>,
    session: Option<Session>,
    began: Option<Instant>,
}

impl Serving {
    fn run(mut self, mut stream: TcpStream, behaviour: &Behaviour) {
        stream.set_nodelay(true).unwrap();
        while let Some(mut frame) = read(&mut stream) {
            let head = parse_head(&mut frame).unwrap();
            let (id, version) = (head.correlation_id, head.api_version);
            let answer = match ApiKey::try_from(head.api_key).unwrap() {
                ApiKey::ApiVersions => encode_response(id, version, &api_versions(&SERVED)).unwrap(),
                ApiKey::Metadata => encode_response(id, version, &self.metadata()).unwrap(),
                ApiKey::Produce => {
                    let request = decode_request(&mut frame, version).unwrap();
                    encode_response(id, version, &self.produce(request)).unwrap()
                }
                ApiKey::ListOffsets => {
                    let request = decode_request(&mut frame, version).unwrap();
                    encode_response(id, version, &self.list_offsets(&request)).unwrap()
                }
                ApiKey::Fetch => {
                    let request = decode_request(&mut frame, version).unwrap();
                    match behaviour(self.began.get_or_insert_with(Instant::now).elapsed()) {
                        Deed::Serve => {}
                        Deed::Hang(time) => std::thread::sleep(time),
                        Deed::Garbage => {
                            talk_garbage(&mut stream);
                            return;
                        }
                        Deed::Close => return,
                    }
                    FetchLayout::new(id, version, &self.fetch(&request)).unwrap().into_pieces().concat().into()
                }
                other => panic!("{other:?} was not expected"),
            };
            if stream.write_all(&answer).is_err() {
                return;
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.0.lock().unwrap()
    }

    fn metadata(&self) -> MetadataResponse {
        let state = self.state();
        let brokers = state.ports.iter().zip(1..).map(|(port, id)| broker(id, *port));
        let partitions = state.logs.keys().map(|index| {
            let leader = BrokerId(leader(&state, *index));
            MetadataResponsePartition::default().with_partition_index(*index).with_leader_id(leader)
        });
        let topic = MetadataResponseTopic::default()
            .with_name(Some(topic_name("t")))
            .with_topic_id(TOPIC)
            .with_partitions(partitions.collect());
        MetadataResponse::default().with_brokers(brokers.collect()).with_topics(vec![topic])
    }

    fn produce(&self, request: ProduceRequest) -> ProduceResponse {
        let mut state = self.state();
        let topics = request.topic_data.into_iter().map(|topic| {
            let partitions = topic.partition_data.into_iter().map(|partition| {
                if state.lose > 0 {
                    state.lose -= 1;
                } else {
                    state.logs.get_mut(&partition.index).unwrap().append(&partition.records.unwrap());
                }
                PartitionProduceResponse::default().with_index(partition.index)
            });
            let partitions = partitions.collect();
            TopicProduceResponse::default().with_name(topic.name).with_partition_responses(partitions)
        });
        let response = ProduceResponse::default().with_responses(topics.collect());
        self.state.1.notify_all();
        response
    }

    fn list_offsets(&self, request: &ListOffsetsRequest) -> ListOffsetsResponse {
        let state = self.state();
        let topics = request.topics.iter().map(|topic| {
            let partitions = topic.partitions.iter().map(|partition| {
                let offset = if partition.timestamp == -2 {
                    state.said_start
                } else {
                    state.logs[&partition.partition_index].end
                };
                let index = partition.partition_index;
                ListOffsetsPartitionResponse::default().with_partition_index(index).with_offset(offset)
            });
            ListOffsetsTopicResponse::default().with_name(topic.name.clone()).with_partitions(partitions.collect())
        });
        ListOffsetsResponse::default().with_topics(topics.collect())
    }

    /// A new session with epoch 0, otherwise what has changed in the one there is.
    fn fetch(&mut self, request: &FetchRequest) -> FetchBody {
        let named: Vec<_> = request.topics.iter().flat_map(|topic| &topic.partitions).collect();
        let mut state = self.state.0.lock().unwrap();
        state.fetches.push((request.session_epoch, named.len()));
        if request.session_epoch == 0 {
            state.sessions += 1;
            self.session = Some(Session { id: state.sessions, epoch: 0, positions: BTreeMap::new() });
        }
        let session = self.session.as_mut().unwrap();
        if session.epoch != request.session_epoch || (session.epoch > 0 && session.id != request.session_id) {
            return FetchBody { error: ErrorCode::InvalidFetchSessionEpoch, ..FetchBody::default() };
        }
        session.epoch += 1;
        for topic in &request.forgotten_topics_data {
            topic.partitions.iter().for_each(|index| assert!(session.positions.remove(index).is_some()));
        }
        session.positions.extend(named.iter().map(|partition| (partition.partition, partition.fetch_offset)));

        let deadline = Instant::now() + Duration::from_millis(u64::try_from(request.max_wait_ms).unwrap());
        loop {
            let partitions: Vec<_> = session
                .positions
                .iter()
                .filter_map(|(index, from)| answer(&mut state, self.id, *index, *from))
                .collect();
            let left = deadline.saturating_duration_since(Instant::now());
            if partitions.is_empty() && !left.is_zero() {
                state = self.state.1.wait_timeout(state, left).unwrap().0;
                continue;
            }
            let topics = vec![FetchTopic::new(&topic_name("t"), TOPIC, partitions)];
            return FetchBody { session_id: session.id, topics, ..FetchBody::default() };
        }
    }
}

fn leader(state: &State, index: i32) -> i32 {
    state.led_elsewhere.get(&index).copied().unwrap_or(1)
}

/// A partition's part of an answer, if there is something to say.
fn answer(state: &mut State, broker: i32, index: i32, from: i64) -> Option<FetchPartition> {
    let log = &state.logs[&index];
    let data = PartitionData::default().with_partition_index(index);
    let refused = |code: ErrorCode| {
        let data = data.clone().with_error_code(code.code()).with_high_watermark(-1).with_log_start_offset(-1);
        Some(FetchPartition { data, records: Vec::new() })
    };
    if leader(state, index) != broker {
        return refused(ErrorCode::NotLeaderOrFollower);
    }
    if from < log.start || from > log.end {
        state.said_start = log.start;
        return refused(ErrorCode::OffsetOutOfRange);
    }
    let data = data.with_high_watermark(log.end).with_last_stable_offset(log.end).with_log_start_offset(log.start);
    let records = log.read(from);
    (!records.is_empty()).then_some(FetchPartition { data, records })
}
