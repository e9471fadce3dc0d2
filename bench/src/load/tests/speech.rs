//! What all brokers of these tests say alike.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use bytes::Bytes;
use thalweg_protocol::StrBytes;
use thalweg_protocol::messages::api_versions_response::ApiVersion;
use thalweg_protocol::messages::metadata_response::MetadataResponseBroker;
use thalweg_protocol::messages::{ApiKey, ApiVersionsResponse, BrokerId};

/// The next frame without its size; `None` at the end.
pub(in crate::load) fn read(stream: &mut TcpStream) -> Option<Bytes> {
    let mut prefix = [0; 4];
    stream.read_exact(&mut prefix).ok()?;
    let mut frame = vec![0; u32::from_be_bytes(prefix) as usize];
    stream.read_exact(&mut frame).ok()?;
    Some(frame.into())
}

/// What a server of another protocol would say.
pub(in crate::load) fn talk_garbage(stream: &mut TcpStream) {
    let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
}

/// The versions served, from and to.
pub(in crate::load) fn api_versions(served: &[(ApiKey, i16, i16)]) -> ApiVersionsResponse {
    let served = served.iter().map(|(api, min, max)| {
        ApiVersion::default().with_api_key(*api as i16).with_min_version(*min).with_max_version(*max)
    });
    ApiVersionsResponse::default().with_api_keys(served.collect())
}

/// A broker on this machine.
pub(in crate::load) fn broker(id: i32, port: i32) -> MetadataResponseBroker {
    let host = StrBytes::from_static_str("127.0.0.1");
    MetadataResponseBroker::default().with_node_id(BrokerId(id)).with_host(host).with_port(port)
}
