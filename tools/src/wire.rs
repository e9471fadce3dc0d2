//! One plain connection that speaks Kafka's protocol: a request, then its answer.
//!
//! For what librdkafka's Rust interface does not offer, and for the broker's own error messages, which it drops.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use thalweg_protocol::messages::{self, ApiKey, RequestHeader, ResponseHeader};
use thalweg_protocol::{Decodable, Encodable, HeaderVersion, Message, StrBytes};

use crate::failure::Failure;

/// More than any answer to our requests: a cluster of 100 000 partitions describes itself in 10 MiB.
const RESPONSE_SIZE_MAX_BYTES: usize = 128 << 20;

/// A request that knows its number and its answer.
pub(crate) trait Call: Message + Encodable + HeaderVersion {
    const API: ApiKey;
    /// The newest version that the commands can make sense of.
    const NEWEST: i16 = i16::MAX;
    type Response: Decodable + HeaderVersion;
}

macro_rules! calls {
    ($($api:ident: $request:ident => $response:ident $(, up to $newest:literal)?;)*) => {
        $(impl Call for messages::$request {
            const API: ApiKey = ApiKey::$api;
            $(const NEWEST: i16 = $newest;)?
            type Response = messages::$response;
        })*
    };
}

calls! {
    ListOffsets: ListOffsetsRequest => ListOffsetsResponse;
    Metadata: MetadataRequest => MetadataResponse;
    // From version 10 on they name topics by id, and a topic that is gone not at all.
    OffsetCommit: OffsetCommitRequest => OffsetCommitResponse, up to 9;
    OffsetFetch: OffsetFetchRequest => OffsetFetchResponse, up to 9;
    FindCoordinator: FindCoordinatorRequest => FindCoordinatorResponse;
    DescribeGroups: DescribeGroupsRequest => DescribeGroupsResponse;
    ListGroups: ListGroupsRequest => ListGroupsResponse;
    ApiVersions: ApiVersionsRequest => ApiVersionsResponse;
    CreateTopics: CreateTopicsRequest => CreateTopicsResponse;
    DeleteTopics: DeleteTopicsRequest => DeleteTopicsResponse;
    DescribeConfigs: DescribeConfigsRequest => DescribeConfigsResponse;
    DescribeLogDirs: DescribeLogDirsRequest => DescribeLogDirsResponse;
    DeleteGroups: DeleteGroupsRequest => DeleteGroupsResponse;
    CreatePartitions: CreatePartitionsRequest => CreatePartitionsResponse;
    IncrementalAlterConfigs: IncrementalAlterConfigsRequest => IncrementalAlterConfigsResponse;
    ConsumerGroupDescribe: ConsumerGroupDescribeRequest => ConsumerGroupDescribeResponse;
    ShareGroupDescribe: ShareGroupDescribeRequest => ShareGroupDescribeResponse;
    InitProducerId: InitProducerIdRequest => InitProducerIdResponse;
    WriteTxnMarkers: WriteTxnMarkersRequest => WriteTxnMarkersResponse, up to 1;
    DescribeProducers: DescribeProducersRequest => DescribeProducersResponse;
    DescribeTransactions: DescribeTransactionsRequest => DescribeTransactionsResponse;
    ListTransactions: ListTransactionsRequest => ListTransactionsResponse;
}

/// A connection whose broker has said what it can.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    peer: String,
    versions: HashMap<i16, (i16, i16)>,
    correlation_id: i32,
}

impl Connection {
    /// Connects to `host:port` and asks for the versions it knows.
    pub(crate) fn open(peer: &str, timeout: Duration) -> Result<Self, Failure> {
        let stream = dial(peer, timeout).map_err(|error| unreachable(peer, &error))?;
        let ready = stream
            .set_nodelay(true)
            .and_then(|()| stream.set_read_timeout(Some(timeout)))
            .and_then(|()| stream.set_write_timeout(Some(timeout)));
        ready.map_err(|error| unreachable(peer, &error))?;
        let mut connection = Self { stream, peer: peer.to_owned(), versions: HashMap::new(), correlation_id: 0 };
        connection.learn_versions()?;
        Ok(connection)
    }

    /// Version 3 is what clients send first; a broker that does not know it answers in version 0 (KIP-511), and Kafka 4
    /// brokers all know it.
    fn learn_versions(&mut self) -> Result<(), Failure> {
        let request = messages::ApiVersionsRequest::default()
            .with_client_software_name(StrBytes::from_static_str("thalweg"))
            .with_client_software_version(StrBytes::from_static_str(env!("CARGO_PKG_VERSION")));
        let answer = self.exchange(&request, 3)?;
        if answer.error_code != 0 {
            return Err(Failure::refused(
                format!("{} does not say what it supports", self.peer),
                answer.error_code,
                None,
            ));
        }
        self.versions = answer.api_keys.iter().map(|api| (api.api_key, (api.min_version, api.max_version))).collect();
        Ok(())
    }

    /// The version both sides know best.
    pub(crate) fn version<C: Call>(&self) -> Result<i16, Failure> {
        let theirs = self.versions.get(&(C::API as i16)).copied();
        theirs
            .map(|(min, max)| (min.max(C::VERSIONS.min), max.min(C::VERSIONS.max).min(C::NEWEST)))
            .and_then(|(min, max)| (min <= max).then_some(max))
            .ok_or_else(|| {
                Failure::new(format!("the broker at {} does not offer {:?} in a version we speak", self.peer, C::API))
                    .hint("`thalweg cluster info --apis` lists what it offers")
            })
    }

    /// What the broker offers: key, lowest and highest version.
    pub(crate) fn apis(&self) -> Vec<(i16, i16, i16)> {
        let mut apis: Vec<_> = self.versions.iter().map(|(key, (min, max))| (*key, *min, *max)).collect();
        apis.sort_unstable();
        apis
    }

    /// One request and its answer, in the best version.
    pub(crate) fn call<C: Call>(&mut self, request: &C) -> Result<C::Response, Failure> {
        let version = self.version::<C>()?;
        self.exchange(request, version)
    }

    fn exchange<C: Call>(&mut self, request: &C, version: i16) -> Result<C::Response, Failure> {
        self.correlation_id += 1;
        let frame = encode(request, version, self.correlation_id)
            .ok_or_else(|| Failure::new(format!("cannot encode {:?} in version {version}", C::API)))?;
        let sent = self.stream.write_all(&frame);
        let answer =
            sent.and_then(|()| read_frame(&mut self.stream)).map_err(|error| broken::<C>(&self.peer, &error))?;
        decode::<C>(answer, version, self.correlation_id).ok_or_else(|| {
            Failure::new(format!("the answer of {} to {:?} (version {version}) cannot be read", self.peer, C::API))
        })
    }
}

fn dial(peer: &str, timeout: Duration) -> io::Result<TcpStream> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in peer.to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, timeout) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn encode<C: Call>(request: &C, version: i16, correlation_id: i32) -> Option<BytesMut> {
    let header = RequestHeader::default()
        .with_request_api_key(C::API as i16)
        .with_request_api_version(version)
        .with_correlation_id(correlation_id)
        .with_client_id(Some(StrBytes::from_static_str("thalweg")));
    let mut body = BytesMut::new();
    header.encode(&mut body, C::header_version(version)).ok()?;
    request.encode(&mut body, version).ok()?;
    let mut frame = BytesMut::with_capacity(4 + body.len());
    frame.put_i32(i32::try_from(body.len()).ok()?);
    frame.put(body);
    Some(frame)
}

fn read_frame(stream: &mut TcpStream) -> io::Result<Bytes> {
    let mut prefix = [0; 4];
    stream.read_exact(&mut prefix)?;
    let size = usize::try_from(i32::from_be_bytes(prefix)).ok().filter(|size| *size <= RESPONSE_SIZE_MAX_BYTES);
    let size = size.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "that is not Kafka's protocol"))?;
    // Grows as bytes arrive, so a wrong length costs no memory.
    let mut frame = Vec::new();
    let read = Read::by_ref(stream).take(size as u64).read_to_end(&mut frame)?;
    if read < size {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(frame.into())
}

fn decode<C: Call>(mut frame: Bytes, version: i16, correlation_id: i32) -> Option<C::Response> {
    let header = ResponseHeader::decode(&mut frame, C::Response::header_version(version)).ok()?;
    if header.correlation_id != correlation_id {
        return None;
    }
    let response = C::Response::decode(&mut frame, version).ok()?;
    (!frame.has_remaining()).then_some(response)
}

fn unreachable(peer: &str, error: &io::Error) -> Failure {
    Failure::new(format!("cannot reach a broker at {peer}: {}", reason(error)))
        .hint("is thalwegd running there? Another address: -b HOST:PORT, or THALWEG_BOOTSTRAP in the environment")
}

fn broken<C: Call>(peer: &str, error: &io::Error) -> Failure {
    let failure = Failure::new(format!("{peer} did not answer {:?}: {}", C::API, reason(error)));
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => failure.hint("wait longer with --timeout SECONDS"),
        _ => failure.hint(
            "is that the Kafka listener? Admin HTTP, TLS and SASL listeners are others; the broker's log may say more",
        ),
    }
}

/// The operating system's words, without its number and Rust's wrapping.
fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "connection refused".to_owned(),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => "timed out".to_owned(),
        io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset => "it closed the connection".to_owned(),
        _ => error.to_string(),
    }
}
