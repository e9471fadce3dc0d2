//! A proxy in front of a broker that breaks one promise, so that the two together are a bad broker.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use thalweg_protocol::messages::produce_response::{PartitionProduceResponse, TopicProduceResponse};
use thalweg_protocol::messages::{ProduceRequest, ProduceResponse, RequestHeader, ResponseHeader};
use thalweg_protocol::records::{BatchBuilder, BatchView};
use thalweg_protocol::{Decodable, Encodable, HeaderVersion};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Fault {
    Nothing,
    /// Acknowledges a request and throws it away.
    Drop,
    /// Writes a request twice.
    Repeat,
    /// Writes the records of a batch in reverse.
    Reverse,
    /// Changes a byte of what is read.
    Damage,
    /// Leaves out the records of an answer, and says that they are there.
    Withhold,
}

/// Every so many requests of its kind suffer the fault.
const EVERY: u64 = 10;
const PRODUCE: i16 = 0;
const FETCH: i16 = 1;
const FRAME_MAX: usize = 32 << 20;

struct State {
    fault: Fault,
    requests: AtomicU64,
    planted: AtomicU64,
    /// The offset behind the last one of each partition, as far as answers tell.
    ends: Mutex<HashMap<i32, i64>>,
}

pub(crate) struct Proxy {
    listener: TcpListener,
    state: Arc<State>,
}

impl Proxy {
    /// Takes a port; nothing is forwarded yet.
    pub(crate) fn bind(fault: Fault) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (requests, planted) = (AtomicU64::new(0), AtomicU64::new(0));
        Self { listener, state: Arc::new(State { fault, requests, planted, ends: Mutex::default() }) }
    }

    pub(crate) fn address(&self) -> String {
        self.listener.local_addr().unwrap().to_string()
    }

    /// Forwards to a broker for as long as the test program runs.
    pub(crate) fn forward_to(&self, broker: &str) {
        let (listener, state, broker) =
            (self.listener.try_clone().unwrap(), Arc::clone(&self.state), broker.to_owned());
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let (state, broker) = (Arc::clone(&state), broker.clone());
                // An error is the end of the connection, as between any two programs.
                thread::spawn(move || state.serve(client, &broker));
            }
        });
    }

    /// How often the fault was planted.
    pub(crate) fn planted(&self) -> u64 {
        self.state.planted.load(Ordering::SeqCst)
    }
}

impl State {
    fn serve(&self, mut client: TcpStream, broker: &str) -> std::io::Result<()> {
        let mut broker = TcpStream::connect(broker)?;
        broker.set_nodelay(true)?;
        client.set_nodelay(true)?;
        loop {
            let request = read_frame(&mut client)?;
            let answer = match (&request[..]).get_i16() {
                PRODUCE => self.produce(request, &mut broker)?,
                FETCH => self.fetch(&request, &mut broker)?,
                _ => ask(&mut broker, &request)?,
            };
            write_frame(&mut client, &answer)?;
        }
    }

    /// Whether it is the turn of the fault.
    fn is_due(&self) -> bool {
        let due = self.requests.fetch_add(1, Ordering::SeqCst) % EVERY == EVERY - 1;
        if due {
            self.planted.fetch_add(1, Ordering::SeqCst);
        }
        due
    }

    fn produce(&self, request: Bytes, broker: &mut TcpStream) -> std::io::Result<Bytes> {
        let bad = matches!(self.fault, Fault::Drop | Fault::Repeat | Fault::Reverse) && self.is_due();
        let answer = match self.fault {
            Fault::Drop if bad => return Ok(self.acknowledge(request)),
            Fault::Reverse if bad => ask(broker, &reverse(request.clone()))?,
            Fault::Repeat if bad => {
                ask(broker, &request)?;
                ask(broker, &request)?
            }
            _ => ask(broker, &request)?,
        };
        self.note_ends(&request, answer.clone());
        Ok(answer)
    }

    fn note_ends(&self, request: &Bytes, mut answer: Bytes) {
        let version = PRODUCE_VERSION;
        ResponseHeader::decode(&mut answer, ProduceResponse::header_version(version)).unwrap();
        let answer = ProduceResponse::decode(&mut answer, version).unwrap();
        let written = open(request.clone()).1;
        let counts: HashMap<i32, i64> = written
            .topic_data
            .iter()
            .flat_map(|topic| &topic.partition_data)
            .map(|data| {
                let batch = BatchView::first(data.records.as_ref().unwrap()).unwrap().header;
                (data.index, i64::from(batch.records_count))
            })
            .collect();
        let mut ends = self.ends.lock().unwrap();
        for partition in answer.responses.iter().flat_map(|topic| &topic.partition_responses) {
            if partition.error_code == 0 {
                ends.insert(partition.index, partition.base_offset + counts[&partition.index]);
            }
        }
    }

    /// What a broker would answer that had written it.
    fn acknowledge(&self, request: Bytes) -> Bytes {
        let (header, request) = open(request);
        let ends = self.ends.lock().unwrap();
        let topics = request.topic_data.iter().map(|topic| {
            let partitions = topic.partition_data.iter().map(|data| {
                let offset = ends.get(&data.index).copied().unwrap_or(0);
                PartitionProduceResponse::default().with_index(data.index).with_base_offset(offset)
            });
            TopicProduceResponse::default().with_name(topic.name.clone()).with_partition_responses(partitions.collect())
        });
        let answer = ProduceResponse::default().with_responses(topics.collect());
        let mut bytes = BytesMut::new();
        let head = ResponseHeader::default().with_correlation_id(header.correlation_id);
        head.encode(&mut bytes, ProduceResponse::header_version(PRODUCE_VERSION)).unwrap();
        answer.encode(&mut bytes, PRODUCE_VERSION).unwrap();
        bytes.freeze()
    }

    fn fetch(&self, request: &Bytes, broker: &mut TcpStream) -> std::io::Result<Bytes> {
        let mut answer = BytesMut::from(&ask(broker, request)?[..]);
        // Answers without records have nothing to break.
        if answer.len() > 1000 {
            match self.fault {
                Fault::Damage if self.is_due() => change_records(&mut answer, damage),
                Fault::Withhold => change_records(&mut answer, |_| Bytes::new()),
                _ => {}
            }
        }
        Ok(answer.freeze())
    }
}

/// The version that the bench speaks; another would not be understood here, and is noticed by the first assertion.
const PRODUCE_VERSION: i16 = 9;

fn open(mut request: Bytes) -> (RequestHeader, ProduceRequest) {
    let header = RequestHeader::decode(&mut request, ProduceRequest::header_version(PRODUCE_VERSION)).unwrap();
    assert_eq!(header.request_api_version, PRODUCE_VERSION);
    (header, ProduceRequest::decode(&mut request, PRODUCE_VERSION).unwrap())
}

fn reverse(request: Bytes) -> Bytes {
    let (header, mut request) = open(request);
    for data in request.topic_data.iter_mut().flat_map(|topic| &mut topic.partition_data) {
        let batch = data.records.take().unwrap();
        let mut records: Vec<_> =
            BatchView::first(&batch).unwrap().records(1 << 20).unwrap().map(Result::unwrap).collect();
        records.reverse();
        let mut reversed = BatchBuilder::new();
        records.iter().for_each(|record| reversed.push_record(record).unwrap());
        data.records = Some(reversed.build().unwrap().freeze());
    }
    let mut bytes = BytesMut::new();
    header.encode(&mut bytes, ProduceRequest::header_version(PRODUCE_VERSION)).unwrap();
    request.encode(&mut bytes, PRODUCE_VERSION).unwrap();
    bytes.freeze()
}

/// Changes what an answer to a Fetch gives of each partition that it gives something of.
fn change_records(answer: &mut BytesMut, change: impl Fn(Bytes) -> Bytes) {
    use thalweg_protocol::messages::FetchResponse;
    let version = 12;
    let mut rest = answer.clone().freeze();
    let header = ResponseHeader::decode(&mut rest, FetchResponse::header_version(version)).unwrap();
    let mut fetched = FetchResponse::decode(&mut rest, version).unwrap();
    for partition in fetched.responses.iter_mut().flat_map(|topic| &mut topic.partitions) {
        partition.records = partition.records.take().filter(|records| !records.is_empty()).map(&change);
    }
    answer.clear();
    header.encode(answer, FetchResponse::header_version(version)).unwrap();
    fetched.encode(answer, version).unwrap();
}

/// One bit of the last record's value.
fn damage(records: Bytes) -> Bytes {
    let mut records = BytesMut::from(&records[..]);
    let place = records.len() - 10;
    records[place] ^= 0x40;
    records.freeze()
}

fn ask(broker: &mut TcpStream, request: &Bytes) -> std::io::Result<Bytes> {
    write_frame(broker, request)?;
    read_frame(broker)
}

fn read_frame(stream: &mut TcpStream) -> std::io::Result<Bytes> {
    let mut size = [0; 4];
    stream.read_exact(&mut size)?;
    let size = u32::from_be_bytes(size) as usize;
    assert!(size <= FRAME_MAX, "a frame of {size} bytes");
    let mut frame = vec![0; size];
    stream.read_exact(&mut frame)?;
    Ok(frame.into())
}

fn write_frame(stream: &mut TcpStream, frame: &[u8]) -> std::io::Result<()> {
    let mut bytes = BytesMut::with_capacity(4 + frame.len());
    bytes.put_u32(u32::try_from(frame.len()).unwrap());
    bytes.put_slice(frame);
    stream.write_all(&bytes)
}
