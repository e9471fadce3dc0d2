//! The clients that asked or pushed lately, what is wanted of each, and whether it keeps its times
//! (`ClientMetricsManager`, `ClientMetricsInstance`).

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use thalweg_protocol::TimestampMs;
use thalweg_protocol::error::ErrorCode;
use thalweg_protocol::records::Compression;
use thalweg_protocol::records::compression::decompress;
use uuid::Uuid;

use super::otlp;
use super::series::Series;
use crate::config::client_metrics::{INTERVAL_MS_DEFAULT, Property, Subscription};
use crate::limits::{TELEMETRY_CLIENTS_MAX, TELEMETRY_SERIES_MAX};

/// Wanted of those of whom everything is.
const EVERYTHING: &str = "*";
/// A client is forgotten after so much silence, or three pushes that did not come.
const SILENCE_MS_MIN: i64 = 60_000;
/// What a client calls itself is cut here.
const NAME_LEN_MAX: usize = 255;
/// What is pushed may take so many times the room of what comes over the wire.
const EXPANSION_MAX: usize = 2;

/// Who a client says it is, and where it is.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct About {
    instance_id: String,
    client_id: String,
    software_name: String,
    software_version: String,
    address: String,
    port: String,
}

impl About {
    pub fn new(id: Uuid, client_id: &str, software: (&str, &str), address: std::net::SocketAddr) -> Self {
        let short = |text: &str| text.chars().take(NAME_LEN_MAX).collect();
        Self {
            instance_id: thalweg_protocol::uuid_text(id.as_bytes()),
            client_id: short(client_id),
            software_name: short(software.0),
            software_version: short(software.1),
            address: address.ip().to_string(),
            port: address.port().to_string(),
        }
    }

    fn value_of(&self, property: Property) -> &str {
        match property {
            Property::InstanceId => &self.instance_id,
            Property::ClientId => &self.client_id,
            Property::SoftwareName => &self.software_name,
            Property::SoftwareVersion => &self.software_version,
            Property::SourceAddress => &self.address,
            Property::SourcePort => &self.port,
        }
    }

    /// What tells its metrics from those of others.
    pub(super) fn labels(&self) -> [(&'static str, &str); 4] {
        [
            ("client_id", &self.client_id),
            ("client_instance_id", &self.instance_id),
            ("client_software_name", &self.software_name),
            ("client_software_version", &self.software_version),
        ]
    }
}

/// What is wanted of a client.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Wanted {
    /// Changes with the rest.
    pub subscription_id: i32,
    pub interval_ms: i32,
    /// Prefixes of metrics' names; `*` alone is everything.
    pub metrics: BTreeSet<String>,
}

impl Wanted {
    fn of(id: Uuid, about: &About, subscriptions: &[Subscription]) -> Self {
        let mine: Vec<_> =
            subscriptions.iter().filter(|one| one.matches(|property| about.value_of(property))).collect();
        let mut metrics: BTreeSet<String> = mine.iter().flat_map(|one| one.metrics.iter().cloned()).collect();
        if metrics.contains(EVERYTHING) {
            metrics = BTreeSet::from([EVERYTHING.to_owned()]);
        }
        let interval_ms = mine.iter().map(|one| one.interval_ms).min().unwrap_or(INTERVAL_MS_DEFAULT);
        let interval_ms = interval_ms.min(INTERVAL_MS_DEFAULT);
        Self { subscription_id: subscription_id(id, &metrics, interval_ms), interval_ms, metrics }
    }
}

/// The same for as long as the same is wanted of the same client, and hardly ever the same otherwise: FNV-1a.
fn subscription_id(id: Uuid, metrics: &BTreeSet<String>, interval_ms: i32) -> i32 {
    let names = metrics.iter().flat_map(|metric| metric.bytes().chain([b',']));
    let bytes = id.as_bytes().iter().copied().chain(names).chain(interval_ms.to_be_bytes());
    let hash = bytes.fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    hash.cast_signed()
}

/// A PushTelemetry request.
#[derive(Clone, Copy, Debug)]
pub struct Push<'a> {
    pub id: Uuid,
    pub subscription_id: i32,
    /// The client's last.
    pub terminating: bool,
    pub compression: i8,
    pub metrics: &'a [u8],
    /// `telemetry.max.bytes`
    pub size_max_bytes: usize,
}

#[derive(Debug)]
pub(super) struct Client {
    pub(super) about: About,
    pub(super) series: Series,
    wanted: Wanted,
    last_get: Option<TimestampMs>,
    last_push: Option<TimestampMs>,
    last_error: Option<ErrorCode>,
    has_ended: bool,
    /// Its place in the order of last contact.
    seen: (TimestampMs, u64),
}

/// Bounded: the client that was silent longest makes room.
#[derive(Debug, Default)]
pub(super) struct Clients {
    by_id: HashMap<Uuid, Client>,
    order: BTreeMap<(TimestampMs, u64), Uuid>,
    contacts: u64,
    series_count: usize,
}

impl Clients {
    pub(super) fn iter(&self) -> impl Iterator<Item = &Client> {
        self.order.values().filter_map(|id| self.by_id.get(id))
    }

    pub(super) fn get(
        &mut self,
        id: Uuid,
        about: About,
        subscriptions: &[Subscription],
        now: TimestampMs,
    ) -> Result<Wanted, ErrorCode> {
        let client = self.contact(id, about, subscriptions, now);
        let last = client.last_get.max(client.last_push);
        let in_time = last.is_none_or(|last| now.0.saturating_sub(last.0) >= i64::from(client.wanted.interval_ms));
        // Who was told that it knows the wrong thing asks again at once.
        let may_ask =
            matches!(client.last_error, Some(ErrorCode::UnknownSubscriptionId | ErrorCode::UnsupportedCompressionType));
        if in_time {
            client.last_get = Some(now);
        } else if !may_ask {
            return Err(ErrorCode::ThrottlingQuotaExceeded);
        }
        client.last_error = None;
        Ok(client.wanted.clone())
    }

    pub(super) fn push(
        &mut self,
        about: About,
        push: &Push<'_>,
        subscriptions: &[Subscription],
        now: TimestampMs,
    ) -> Result<(), ErrorCode> {
        if push.id.is_nil() || push.id == Uuid::from_u128(1) {
            return Err(ErrorCode::InvalidRequest);
        }
        let room = TELEMETRY_SERIES_MAX.saturating_sub(self.series_count);
        let client = self.contact(push.id, about, subscriptions, now);
        let before = client.series.len();
        let result = client.check(push, now).and_then(|()| client.keep(push, room));
        client.last_error = result.err();
        client.has_ended = push.terminating;
        let after = client.series.len();
        self.series_count = self.series_count - before + after;
        result
    }

    /// The client, begun anew if something else is wanted of it than it knows.
    fn contact(&mut self, id: Uuid, about: About, subscriptions: &[Subscription], now: TimestampMs) -> &mut Client {
        self.contacts += 1;
        let seen = (now, self.contacts);
        if let Some(known) = self.by_id.get(&id) {
            self.order.remove(&known.seen);
        } else {
            self.make_room();
        }
        self.order.insert(seen, id);
        let client = self.by_id.entry(id).or_insert_with(|| Client::new(id, about, subscriptions));
        client.seen = seen;
        let wanted = Wanted::of(id, &client.about, subscriptions);
        if wanted != client.wanted {
            client.wanted = wanted;
            (client.last_get, client.last_push, client.last_error) = (None, None, None);
            client.has_ended = false;
        }
        client
    }

    fn make_room(&mut self) {
        while self.by_id.len() >= TELEMETRY_CLIENTS_MAX {
            let Some((_, id)) = self.order.pop_first() else { return };
            self.forget(id);
        }
    }

    /// Those that have been silent for too long.
    pub(super) fn expire(&mut self, now: TimestampMs) {
        let silent = |client: &Client| {
            let silence_ms = SILENCE_MS_MIN.max(3 * i64::from(client.wanted.interval_ms));
            now.0.saturating_sub(client.seen.0.0) > silence_ms
        };
        let gone: Vec<Uuid> = self.by_id.iter().filter(|(_, client)| silent(client)).map(|(id, _)| *id).collect();
        for id in gone {
            if let Some(client) = self.by_id.get(&id) {
                self.order.remove(&client.seen);
            }
            self.forget(id);
        }
    }

    fn forget(&mut self, id: Uuid) {
        if let Some(client) = self.by_id.remove(&id) {
            self.series_count -= client.series.len();
        }
    }
}

impl Client {
    fn new(id: Uuid, about: About, subscriptions: &[Subscription]) -> Self {
        Self {
            wanted: Wanted::of(id, &about, subscriptions),
            about,
            series: Series::default(),
            last_get: None,
            last_push: None,
            last_error: None,
            has_ended: false,
            seen: (TimestampMs::NONE, 0),
        }
    }

    /// In Kafka's order (`ClientMetricsManager.validatePushRequest`).
    fn check(&mut self, push: &Push<'_>, now: TimestampMs) -> Result<(), ErrorCode> {
        if self.has_ended {
            return Err(ErrorCode::InvalidRequest);
        }
        let interval_ms = i64::from(self.wanted.interval_ms);
        let in_time = self.last_get > self.last_push
            || self.last_push.is_none_or(|last| now.0.saturating_sub(last.0) >= interval_ms);
        if in_time {
            self.last_push = Some(now);
        } else if !push.terminating {
            return Err(ErrorCode::ThrottlingQuotaExceeded);
        }
        if push.subscription_id != self.wanted.subscription_id {
            return Err(ErrorCode::UnknownSubscriptionId);
        }
        compression(push.compression)?;
        if push.metrics.len() > push.size_max_bytes {
            return Err(ErrorCode::TelemetryTooLarge);
        }
        Ok(())
    }

    fn keep(&mut self, push: &Push<'_>, room: usize) -> Result<(), ErrorCode> {
        if push.metrics.is_empty() {
            return Ok(());
        }
        let limit_bytes = push.size_max_bytes.saturating_mul(EXPANSION_MAX);
        let bytes = match compression(push.compression)? {
            Compression::None => Cow::Borrowed(push.metrics),
            codec => decompress(codec, push.metrics, limit_bytes).map_err(|_| ErrorCode::InvalidRecord)?.into(),
        };
        let data = otlp::read(&bytes).map_err(|_| ErrorCode::InvalidRecord)?;
        self.series.take(data, room);
        Ok(())
    }
}

/// `CompressionType.forId`
fn compression(id: i8) -> Result<Compression, ErrorCode> {
    Compression::from_id(id.into()).ok_or(ErrorCode::UnsupportedCompressionType)
}

#[cfg(test)]
mod tests;
