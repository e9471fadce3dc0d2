//! Sending what may be anything, and holding the broker to an end of it: an answer or a closed connection. Silence is a
//! failure, except where the protocol has no answer or the request itself asks to wait.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use thalweg_protocol::header::parse_head;
use thalweg_protocol::messages::{ApiKey, FetchRequest, ProduceRequest};

use crate::support::Broker;
use crate::wire::{Client, PATIENCE, Reply, frame};

/// Nearly all are answered within this; the others are waited for later, on a connection of their own.
const SOON: Duration = Duration::from_millis(20);
const WAITING_MAX: usize = 100;
/// A Fetch may ask to wait for longer than the test lasts.
const FETCH_WAIT_MAX_MS: i32 = 5000;

pub struct Exchange<'a> {
    broker: &'a Broker,
    client: Option<Client>,
    waiting: VecDeque<(Client, Vec<u8>)>,
}

impl<'a> Exchange<'a> {
    pub fn new(broker: &'a Broker) -> Self {
        Self { broker, client: None, waiting: VecDeque::new() }
    }

    pub fn send(&mut self, request: &[u8]) {
        let mut client = self.client.take().unwrap_or_else(|| Client::connect(self.broker.bootstrap()));
        if !client.send(&frame(request)) {
            return;
        }
        match client.reply(SOON) {
            Reply::Answer(answer) => {
                assert_eq!(answer.get(..4), request.get(4..8), "another request's answer came to {}", shown(request));
                self.client = Some(client);
            }
            Reply::Closed => {}
            Reply::Silence if may_be_silent(request) => {}
            Reply::Silence => {
                self.waiting.push_back((client, request.to_vec()));
                if self.waiting.len() > WAITING_MAX {
                    self.settle_first();
                }
            }
        }
    }

    /// Waits until each request has met its end.
    pub fn settle(&mut self) {
        while !self.waiting.is_empty() {
            self.settle_first();
        }
    }

    fn settle_first(&mut self) {
        let Some((mut client, request)) = self.waiting.pop_front() else { return };
        let reply = client.reply(PATIENCE);
        assert!(!matches!(reply, Reply::Silence), "neither an answer nor an end to {}", shown(&request));
    }
}

fn may_be_silent(request: &[u8]) -> bool {
    let mut rest = Bytes::copy_from_slice(request);
    let Ok(head) = parse_head(&mut rest) else { return false };
    let version = head.api_version;
    match ApiKey::try_from(head.api_key) {
        Ok(ApiKey::Produce) => {
            thalweg_protocol::decode_request::<ProduceRequest>(&mut rest, version).is_ok_and(|body| body.acks == 0)
        }
        Ok(ApiKey::Fetch) => thalweg_protocol::decode_request::<FetchRequest>(&mut rest, version)
            .is_ok_and(|body| body.max_wait_ms > FETCH_WAIT_MAX_MS),
        _ => false,
    }
}

fn shown(request: &[u8]) -> String {
    let shown: String = request.iter().take(200).map(|byte| format!("{byte:02x}")).collect();
    let key = request.get(..4).unwrap_or_default();
    format!("a request of {} bytes, API key and version {key:02x?}: {shown}", request.len())
}
