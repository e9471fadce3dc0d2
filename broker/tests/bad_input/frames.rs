//! Frames and headers that are none.

use std::time::{Duration, Instant};

use thalweg_protocol::messages::{ApiKey, ApiVersionsRequest, ApiVersionsResponse, MetadataRequest};
use thalweg_protocol::{Decodable as _, StrBytes};

use crate::support::Broker;
use crate::wire::{Client, PATIENCE, Reply, frame, header, request_bytes};

/// `socket.request.max.bytes` of the broker under test.
pub const REQUEST_MAX_BYTES: usize = 4 << 20;

/// Sends what cannot be answered; the connection must close, with one line in the log that says why.
pub fn is_refused(broker: &Broker, what: &[u8], because: &str) {
    let mut client = Client::connect(broker.bootstrap());
    client.send(what);
    client.finish();
    let reply = client.reply(PATIENCE);
    assert!(matches!(reply, Reply::Closed), "{because}: {reply:?}");
    one_line(broker, &client, because);
}

/// Waits for the line about this client and checks that it stays the only one.
pub fn one_line(broker: &Broker, client: &Client, because: &str) {
    let mark = format!("client={} ", client.address);
    let lines = || -> Vec<String> {
        let log = broker.log();
        log.lines().filter(|line| format!("{line} ").contains(&mark)).map(str::to_owned).collect()
    };
    let deadline = Instant::now() + PATIENCE;
    while lines().is_empty() {
        assert!(Instant::now() < deadline, "no line in the log about {}: expected {because}", client.address);
        std::thread::sleep(Duration::from_millis(5));
    }
    let lines = lines();
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].contains(because), "{:?} does not say {because:?}", lines[0]);
}

pub fn frames(broker: &Broker) {
    let metadata = request_bytes(12, &MetadataRequest::default());
    let too_large = i32::try_from(REQUEST_MAX_BYTES + 1).unwrap();
    is_refused(broker, &0_i32.to_be_bytes(), "announces 0 bytes");
    is_refused(broker, &(-1_i32).to_be_bytes(), "announces -1 bytes");
    is_refused(broker, &i32::MIN.to_be_bytes(), "announces -2147483648 bytes");
    is_refused(broker, &too_large.to_be_bytes(), "more than socket.request.max.bytes=4194304");
    is_refused(broker, &i32::MAX.to_be_bytes(), "more than socket.request.max.bytes=4194304");
    is_refused(broker, b"GET / HTTP/1.1\r\n\r\n", "more than socket.request.max.bytes=4194304");
    is_refused(broker, &[0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc], "more than socket.request.max.bytes=4194304");
    is_refused(broker, &[0, 0], "closed in the middle of a request");
    is_refused(broker, &frame(&metadata)[..metadata.len() / 2], "closed in the middle of a request");
    is_refused(broker, &frame(&[0xff]), "unreadable request header");
    is_refused(broker, &frame(&[0; 7]), "unreadable request header");
    is_refused(broker, &frame(&metadata[..metadata.len() - 2]), "unreadable MetadataRequest");
}

pub fn unknown_apis(broker: &Broker) {
    for key in [-1_i16, 999, i16::MAX] {
        let mut request = header(ApiKey::Metadata, 9);
        request[..2].copy_from_slice(&key.to_be_bytes());
        is_refused(broker, &frame(&request), "API key");
    }
    for version in [-1_i16, 99, i16::MAX] {
        let mut request = request_bytes(12, &MetadataRequest::default());
        request[2..4].copy_from_slice(&version.to_be_bytes());
        is_refused(broker, &frame(&request), "version");
    }
}

/// KIP-511: told in v0 what is served, on a connection that can be used afterwards.
pub fn api_versions_of_the_future(broker: &Broker) {
    let mut client = Client::connect(broker.bootstrap());
    let mut request = header(ApiKey::ApiVersions, 3);
    request[2..4].copy_from_slice(&999_i16.to_be_bytes());
    client.send(&frame(&request));
    let Reply::Answer(mut answer) = client.reply(PATIENCE) else { panic!("no answer to ApiVersions v999") };
    drop(answer.split_to(4));
    let answer = ApiVersionsResponse::decode(&mut answer, 0).unwrap();
    assert_eq!(answer.error_code, 35);
    let itself = answer.api_keys.iter().find(|api| api.api_key == ApiKey::ApiVersions as i16).unwrap();
    assert!(itself.min_version == 0 && itself.max_version >= 3, "{itself:?}");
    assert_eq!(client.ask(3, &named()).error_code, 0);
    assert_eq!(
        client.ask(3, &ApiVersionsRequest::default()).error_code,
        42,
        "from version 3 on clients say who they are"
    );
}

/// A client that sends one byte at a time is served.
pub fn slow_frames(broker: &Broker) {
    let mut client = Client::connect(broker.bootstrap());
    for byte in frame(&request_bytes(12, &MetadataRequest::default())) {
        assert!(client.send(&[byte]));
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(matches!(client.reply(PATIENCE), Reply::Answer(_)));
}

/// One that stops in the middle, or never comes to an end, is closed after `thalweg.request.receive.max.ms`; one that
/// says nothing at all is not.
pub fn frames_without_end(broker: &Broker, receive_max: Duration) {
    let mut idle = Client::connect(broker.bootstrap());
    let began = Instant::now();
    let mut stuck = Client::connect(broker.bootstrap());
    stuck.send(&[0, 0, 1, 0, 0, 3]);
    assert!(matches!(stuck.reply(PATIENCE), Reply::Closed));
    assert!(began.elapsed() >= receive_max, "closed after {:?}", began.elapsed());
    one_line(broker, &stuck, "did not arrive whole within");

    let began = Instant::now();
    let mut dripping = Client::connect(broker.bootstrap());
    dripping.send(&[0, 0, 1, 0]);
    while dripping.send(&[0]) && matches!(dripping.reply(Duration::from_millis(50)), Reply::Silence) {
        assert!(began.elapsed() < PATIENCE, "a frame may take for ever if it never stops");
    }
    assert!(began.elapsed() >= receive_max, "closed after {:?}", began.elapsed());
    one_line(broker, &dripping, "did not arrive whole within");
    assert_eq!(idle.ask(3, &named()).error_code, 0);
}

fn named() -> ApiVersionsRequest {
    ApiVersionsRequest::default()
        .with_client_software_name(StrBytes::from_static_str("somebody"))
        .with_client_software_version(StrBytes::from_static_str("1.0"))
}
