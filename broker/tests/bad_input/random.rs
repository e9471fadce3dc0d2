//! Requests of every served API, broken in every place and at random: answered or closed, never a broker that is gone.

use std::time::{Duration, Instant};

use thalweg_protocol::messages::{CreateTopicsRequest, MetadataRequest};

use crate::records::{batch, fetch, produce};
use crate::support::Broker;
use crate::wire::{Client, Reply, frame, header, request_bytes};

const MUTATIONS: usize = 3000;
/// A mutation may have asked for a long wait; the next one uses another connection.
const WAIT: Duration = Duration::from_millis(100);
const TIME_MAX: Duration = Duration::from_secs(60);

/// Counts and lengths far beyond the bytes behind them, in both encodings and wherever a body of this API could have one.
pub fn absurd_counts(broker: &Broker) {
    let mut connection = Some(Client::connect(broker.bootstrap()));
    for api in thalweg_broker::dispatch::APIS {
        for version in [api.versions.min, api.versions.max] {
            for zeros in 0..12 {
                for count in [&[0xff, 0xff, 0xff, 0xff, 0x0f][..], &[0x7f, 0xff, 0xff, 0xff], &[0xff; 4]] {
                    let mut request = header(api.key, version);
                    request.extend(std::iter::repeat_n(0, zeros));
                    request.extend_from_slice(count);
                    exchange(broker, &mut connection, &request);
                }
            }
        }
    }
}

pub fn mutations(broker: &Broker, seed: u64) {
    let seeds = seeds();
    let mut random = Random(seed);
    let mut connection = Some(Client::connect(broker.bootstrap()));
    let began = Instant::now();
    for done in 0..MUTATIONS {
        if began.elapsed() > TIME_MAX {
            println!("{done} of {MUTATIONS} mutations in {TIME_MAX:?}");
            break;
        }
        let mut request = seeds[random.below(seeds.len())].clone();
        for _ in 0..=random.below(3) {
            mutate(&mut request, &mut random);
        }
        exchange(broker, &mut connection, &request);
    }
}

fn exchange(broker: &Broker, connection: &mut Option<Client>, request: &[u8]) {
    let client = connection.get_or_insert_with(|| Client::connect(broker.bootstrap()));
    if !client.send(&frame(request)) || !matches!(client.reply(WAIT), Reply::Answer(_)) {
        *connection = None;
    }
}

/// One plain body per API and version, and real ones where the shape matters most.
fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = vec![
        request_bytes(9, &produce("fuzzed", batch(b"value"))),
        request_bytes(12, &fetch("fuzzed")),
        request_bytes(12, &MetadataRequest::default()),
        request_bytes(7, &CreateTopicsRequest::default()),
    ];
    for api in thalweg_broker::dispatch::APIS {
        for version in api.versions.min..=api.versions.max {
            let mut request = header(api.key, version);
            request.extend_from_slice(&[0, 0, 0, 1, 0, 2, b'a', b'b', 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
            seeds.push(request);
        }
    }
    seeds
}

/// Changes something behind the API key, so that every API has its share.
fn mutate(request: &mut Vec<u8>, random: &mut Random) {
    const KEY: usize = 2;
    let place = KEY + random.below(request.len().saturating_sub(KEY).max(1));
    let byte = u8::try_from(random.below(256)).unwrap();
    match random.below(5) {
        0 => request.truncate(place.max(KEY)),
        1 => request.insert(place.min(request.len()), byte),
        2 => request.extend(std::iter::repeat_n(byte, random.below(64))),
        3 => request.iter_mut().skip(place).take(4).for_each(|old| *old = 0xff),
        _ => request.iter_mut().skip(place).take(1).for_each(|old| *old = byte),
    }
}

/// xorshift64: the same run from the same seed.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % limit as u64).unwrap()
    }
}
