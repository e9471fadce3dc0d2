//! Clients that ask and push, on a hand-turned clock.

#![expect(clippy::unwrap_used, reason = "tests")]

use prost::Message as _;
use thalweg_protocol::records::compression::compress;

use super::*;
use crate::telemetry::otlp::{
    AnyValue, Data, Gauge, KeyValue, Metric, MetricsData, Number, NumberPoint, ResourceMetrics, Scalar, ScopeMetrics,
    Sum, Temporality,
};

const START: TimestampMs = TimestampMs(1_000_000);

fn after(ms: i64) -> TimestampMs {
    TimestampMs(START.0 + ms)
}

fn id(number: u128) -> Uuid {
    Uuid::from_u128(0xabcd_0000 + number)
}

fn about(number: u128, client_id: &str) -> About {
    About::new(id(number), client_id, ("apache-kafka-java", "4.3.1"), "10.0.0.1:999".parse().unwrap())
}

fn subscription(metrics: &str, interval_ms: &str, matches: &str) -> Subscription {
    let pairs = [("metrics", metrics), ("interval.ms", interval_ms), ("match", matches)];
    Subscription::parse(&pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).into()).unwrap()
}

fn push<'a>(number: u128, wanted: &Wanted, metrics: &'a [u8]) -> Push<'a> {
    Push {
        id: id(number),
        subscription_id: wanted.subscription_id,
        terminating: false,
        compression: 0,
        metrics,
        size_max_bytes: 10_000,
    }
}

fn point(value: Number, topic: &str) -> NumberPoint {
    let text = AnyValue { value: Some(Scalar::Text(topic.to_owned())) };
    NumberPoint { attributes: vec![KeyValue { key: "topic".to_owned(), value: Some(text) }], value: Some(value) }
}

/// A gauge of 1.5, and `count` counted since the last push.
fn metrics(count: i64) -> Vec<u8> {
    let gauge = Data::Gauge(Gauge { points: vec![point(Number::Double(1.5), "a\"b")] });
    let temporality = Temporality::Delta as i32;
    let sum = Data::Sum(Sum { points: vec![point(Number::Int(count), "t")], temporality, is_monotonic: true });
    let metrics = [("org.apache.kafka.lag", gauge), ("org.apache.kafka.sent", sum)];
    let metrics = metrics.map(|(name, data)| Metric { name: name.to_owned(), data: Some(data) });
    let scope = ScopeMetrics { metrics: metrics.into() };
    MetricsData { resources: vec![ResourceMetrics { resource: None, scopes: vec![scope] }] }.encode_to_vec()
}

fn page(clients: &Clients) -> String {
    crate::telemetry::page::render(clients)
}

#[test]
fn what_is_wanted_comes_from_every_subscription_that_fits() {
    let subscriptions = [
        subscription("a.,b.", "5000", "client_id=one"),
        subscription("b.,c.", "9000", ""),
        subscription("*", "7000", "client_software_version=9.*"),
    ];
    let mut clients = Clients::default();
    let one = clients.get(id(1), about(1, "one"), &subscriptions, START).unwrap();
    assert_eq!((one.metrics, one.interval_ms), (["a.", "b.", "c."].map(str::to_owned).into(), 5000));
    let two = clients.get(id(2), about(2, "two"), &subscriptions, START).unwrap();
    assert_eq!((two.metrics, two.interval_ms), (["b.", "c."].map(str::to_owned).into(), 9000));
    let three = clients.get(id(3), about(3, "three"), &[], START).unwrap();
    assert_eq!((three.metrics.len(), three.interval_ms), (0, INTERVAL_MS_DEFAULT));
    let all = [subscription("x", "5000", ""), subscription("*", "6000", "")];
    let four = clients.get(id(4), about(4, "four"), &all, START).unwrap();
    assert_eq!(four.metrics, ["*".to_owned()].into());
}

#[test]
fn who_comes_too_early_is_throttled() {
    let subscriptions = [subscription("*", "1000", "")];
    let mut clients = Clients::default();
    let wanted = clients.get(id(1), about(1, "c"), &subscriptions, START).unwrap();
    let early = clients.get(id(1), about(1, "c"), &subscriptions, after(999));
    assert_eq!(early, Err(ErrorCode::ThrottlingQuotaExceeded));
    let bytes = metrics(1);
    let send =
        |clients: &mut Clients, ms, push: Push<'_>| clients.push(about(1, "c"), &push, &subscriptions, after(ms));
    // The first push may follow the question at once; the next is a whole interval later.
    assert_eq!(send(&mut clients, 999, push(1, &wanted, &bytes)), Ok(()));
    assert_eq!(send(&mut clients, 1998, push(1, &wanted, &bytes)), Err(ErrorCode::ThrottlingQuotaExceeded));
    assert_eq!(send(&mut clients, 1999, push(1, &wanted, &bytes)), Ok(()));
    // The last one may come early, and nothing after it.
    let last = Push { terminating: true, ..push(1, &wanted, &bytes) };
    assert_eq!(send(&mut clients, 2000, last), Ok(()));
    assert_eq!(send(&mut clients, 9000, push(1, &wanted, &bytes)), Err(ErrorCode::InvalidRequest));
}

#[test]
fn who_knows_an_old_subscription_asks_again_at_once() {
    let mut clients = Clients::default();
    let before = [subscription("a.", "1000", "")];
    let old = clients.get(id(1), about(1, "c"), &before, START).unwrap();
    let now = [subscription("b.", "1000", "")];
    let refused = clients.push(about(1, "c"), &push(1, &old, &metrics(1)), &now, after(10));
    assert_eq!(refused, Err(ErrorCode::UnknownSubscriptionId));
    let new = clients.get(id(1), about(1, "c"), &now, after(20)).unwrap();
    assert_ne!(new.subscription_id, old.subscription_id);
    assert_eq!(clients.push(about(1, "c"), &push(1, &new, &metrics(1)), &now, after(1010)), Ok(()));
    assert_eq!(clients.get(id(1), about(1, "c"), &now, after(1020)), Err(ErrorCode::ThrottlingQuotaExceeded));
}

#[test]
fn bad_pushes_get_kafkas_codes_and_keep_what_was_there() {
    let subscriptions = [subscription("*", "100", "")];
    let mut clients = Clients::default();
    let wanted = clients.get(id(1), about(1, "c"), &subscriptions, START).unwrap();
    let (good, large, garbage) = (metrics(1), vec![0; 10_001], vec![0xff; 50]);
    let bomb = compress(Compression::Zstd.into(), &vec![0; 1 << 20]).unwrap();
    assert_eq!(clients.push(about(1, "c"), &push(1, &wanted, &good), &subscriptions, START), Ok(()));
    let before = page(&clients);
    let base = |metrics| push(1, &wanted, metrics);
    let cases = [
        (Push { id: Uuid::nil(), ..base(&good) }, ErrorCode::InvalidRequest),
        (Push { subscription_id: 0, ..base(&good) }, ErrorCode::UnknownSubscriptionId),
        (Push { compression: 9, ..base(&good) }, ErrorCode::UnsupportedCompressionType),
        (base(&large), ErrorCode::TelemetryTooLarge),
        (base(&garbage), ErrorCode::InvalidRecord),
        (Push { compression: 4, ..base(&garbage) }, ErrorCode::InvalidRecord),
        (Push { compression: 4, ..base(&bomb) }, ErrorCode::InvalidRecord),
    ];
    for (at, (push, code)) in (1..).zip(cases) {
        assert_eq!(clients.push(about(1, "c"), &push, &subscriptions, after(at * 1000)), Err(code), "{push:?}");
    }
    assert_eq!(page(&clients), before);
}

#[test]
fn sums_add_up_and_gauges_follow_in_every_compression() {
    let subscriptions = [subscription("*", "100", "")];
    let mut clients = Clients::default();
    let wanted = clients.get(id(1), about(1, "c\n"), &subscriptions, START).unwrap();
    for (at, compression) in (0..).zip(Compression::ALL) {
        let bytes = compress(compression.into(), &metrics(10)).unwrap();
        let push = Push { compression: compression.id() as i8, ..push(1, &wanted, &bytes) };
        assert_eq!(clients.push(about(1, "c\n"), &push, &subscriptions, after(at * 100)), Ok(()), "{compression:?}");
    }
    let who = format!(
        "client_id=\"c\\n\",client_instance_id=\"{}\",client_software_name=\"apache-kafka-java\",client_software_version=\"4.3.1\"",
        thalweg_protocol::uuid_text(id(1).as_bytes())
    );
    let expected = format!(
        "# HELP thalweg_client_org_apache_kafka_lag Pushed by clients.\n\
         # TYPE thalweg_client_org_apache_kafka_lag gauge\n\
         thalweg_client_org_apache_kafka_lag{{{who},topic=\"a\\\"b\"}} 1.5\n\
         # HELP thalweg_client_org_apache_kafka_sent_total Pushed by clients.\n\
         # TYPE thalweg_client_org_apache_kafka_sent_total counter\n\
         thalweg_client_org_apache_kafka_sent_total{{{who},topic=\"t\"}} 50\n"
    );
    assert_eq!(page(&clients), expected);
    clients.expire(after(400 + SILENCE_MS_MIN));
    assert_eq!(page(&clients), expected);
    clients.expire(after(401 + SILENCE_MS_MIN));
    assert_eq!((page(&clients), clients.series_count), (String::new(), 0));
}

#[test]
fn memory_is_bounded_whatever_is_pushed() {
    let subscriptions = [subscription("*", "100", "")];
    let mut clients = Clients::default();
    let metric = |at: usize| {
        let data = Some(Data::Gauge(Gauge { points: vec![point(Number::Int(1), "t")] }));
        Metric { name: format!("m{at}"), data }
    };
    let scope = ScopeMetrics { metrics: (0..3000).map(metric).collect() };
    let bytes =
        MetricsData { resources: vec![ResourceMetrics { resource: None, scopes: vec![scope] }] }.encode_to_vec();
    for number in 0..40 {
        let wanted = clients.get(id(number), about(number, "c"), &subscriptions, START).unwrap();
        let push = Push { size_max_bytes: 1 << 20, ..push(number, &wanted, &bytes) };
        assert_eq!(clients.push(about(number, "c"), &push, &subscriptions, START), Ok(()));
    }
    assert_eq!(clients.series_count, TELEMETRY_SERIES_MAX);
    assert_eq!(clients.iter().map(|client| client.series.len()).sum::<usize>(), TELEMETRY_SERIES_MAX);
    for number in 40..TELEMETRY_CLIENTS_MAX as u128 + 10 {
        clients.get(id(number), about(number, "c"), &subscriptions, START).unwrap();
    }
    assert_eq!((clients.by_id.len(), clients.order.len()), (TELEMETRY_CLIENTS_MAX, TELEMETRY_CLIENTS_MAX));
    assert!(clients.by_id.contains_key(&id(10)) && !clients.by_id.contains_key(&id(9)));
}
