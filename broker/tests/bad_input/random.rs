//! Requests of every served API, broken in every place and at random: answered or closed, never a broker that is gone.

use std::time::{Duration, Instant};

use thalweg_protocol::messages::ApiKey;

use crate::every_api::{body, request};
use crate::exchange::Exchange;
use crate::fields::{every_version, world};
use crate::support::Broker;
use crate::wire::{Client, header};

const MUTATIONS: usize = 6000;
const TIME_MAX: Duration = Duration::from_secs(60);

/// Counts and lengths far beyond the bytes behind them, in both encodings and wherever a body of this API could have one.
pub fn absurd_counts(broker: &Broker) {
    let mut exchange = Exchange::new(broker);
    for api in thalweg_broker::dispatch::APIS {
        for version in [api.versions.min, api.versions.max] {
            for zeros in 0..12 {
                for count in [&[0xff, 0xff, 0xff, 0xff, 0x0f][..], &[0x7f, 0xff, 0xff, 0xff], &[0xff; 4]] {
                    let mut request = header(api.key, version);
                    request.extend(std::iter::repeat_n(0, zeros));
                    request.extend_from_slice(count);
                    exchange.send(&request);
                }
            }
        }
    }
    exchange.settle();
}

/// Returns the share of mutants that could still be decoded, in percent.
pub fn mutations(broker: &Broker, seed: u64) -> usize {
    let world = world(&mut Client::connect(broker.bootstrap()));
    let seeds: Vec<(ApiKey, Vec<u8>)> =
        every_version().map(|(key, version)| (key, request(key, version, &body(key, version, &world)))).collect();
    let mut random = Random(seed);
    let mut exchange = Exchange::new(broker);
    let began = Instant::now();
    let (mut done, mut decoded) = (0, 0);
    while done < MUTATIONS && began.elapsed() < TIME_MAX {
        let (key, mut request) = seeds[random.below(seeds.len())].clone();
        for _ in 0..=random.below(2) {
            mutate(&mut request, &mut random);
        }
        decoded += usize::from(is_readable(key, &request));
        exchange.send(&request);
        done += 1;
    }
    exchange.settle();
    println!("{done} random mutations in {:?}, {decoded} of them readable", began.elapsed());
    decoded * 100 / done
}

fn is_readable(key: ApiKey, request: &[u8]) -> bool {
    let mut rest = bytes::Bytes::copy_from_slice(request);
    let Ok(head) = thalweg_protocol::parse_head(&mut rest) else { return false };
    head.api_key == key as i16
        && thalweg_protocol::request::check_body(head.api_key, head.api_version, &rest).is_ok()
        && key.recode_request(head.api_version, &mut rest).is_ok()
}

/// Changes something behind the correlation id, or the version.
fn mutate(request: &mut Vec<u8>, random: &mut Random) {
    const BEHIND_CORRELATION: usize = 8;
    if random.below(20) == 0 {
        request[3] = u8::try_from(random.below(20)).unwrap();
    }
    let place = BEHIND_CORRELATION + random.below(request.len().saturating_sub(BEHIND_CORRELATION).max(1));
    let byte = u8::try_from(random.below(256)).unwrap();
    match random.below(8) {
        0 => request.truncate(place),
        1 => request.insert(place.min(request.len()), byte),
        2 => request.extend(std::iter::repeat_n(byte, random.below(64))),
        3 => request.iter_mut().skip(place).take(4).for_each(|old| *old = 0xff),
        4 => request.iter_mut().skip(place).take(1).for_each(|old| *old ^= 1 << (byte & 7)),
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
