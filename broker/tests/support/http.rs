//! One HTTP request, enough for the broker's admin listener and for Kafka Connect.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

const TIMEOUT: Duration = Duration::from_secs(5);
/// The longest answer that is read: a test must not hang on, or swallow, an endless one.
const ANSWER_SIZE_MAX_BYTES: u64 = 16 << 20;

/// Status and body of `GET http://{address}{path}`.
pub fn get(address: &str, path: &str) -> io::Result<(u16, String)> {
    request("GET", address, path, "")
}

/// Status and body of a request whose body is JSON, or nothing.
pub fn request(method: &str, address: &str, path: &str, json: &str) -> io::Result<(u16, String)> {
    let bad = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
    let socket: SocketAddr = address.parse().map_err(|_| bad("not an address"))?;
    let mut stream = TcpStream::connect_timeout(&socket, TIMEOUT)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    // In one piece: a server may answer, and close, as soon as it has the first line.
    let length = json.len();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\n\r\n{json}"
    );
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    stream.take(ANSWER_SIZE_MAX_BYTES).read_to_end(&mut answer)?;
    let answer = String::from_utf8_lossy(&answer);
    let (head, body) = answer.split_once("\r\n\r\n").ok_or_else(|| bad("no end of the headers"))?;
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).ok_or_else(|| bad("no status"))?;
    Ok((status, body.to_owned()))
}
