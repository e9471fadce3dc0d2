//! `server.properties` and `--override`: what is accepted, what is said about it, what is refused.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{config, load, machine};
use crate::config::{Config, ConfigError, HostPort, Machine};

/// The `server.properties` that Kafka 4 ships for its quick start, without its comments.
const SHIPPED: &str = "\
process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers=localhost:9093
listeners=PLAINTEXT://:9092,CONTROLLER://:9093
inter.broker.listener.name=PLAINTEXT
advertised.listeners=PLAINTEXT://localhost:9092,CONTROLLER://localhost:9093
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT,SASL_SSL:SASL_SSL
num.network.threads=3
num.io.threads=8
socket.send.buffer.bytes=102400
socket.receive.buffer.bytes=102400
socket.request.max.bytes=104857600
log.dirs=/tmp/kraft-combined-logs
num.partitions=1
num.recovery.threads.per.data.dir=1
offsets.topic.replication.factor=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
log.retention.hours=168
log.segment.bytes=1073741824
log.retention.check.interval.ms=300000
";

fn address(host: &str, port: u16) -> HostPort {
    HostPort { host: host.to_owned(), port }
}

#[test]
fn nothing_at_all_is_one_node_on_loopback() {
    let loaded = Config::load(None, &[]).unwrap();
    assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
    let config = loaded.config;
    assert_eq!(config.node_id.0, 1);
    assert_eq!(config.log_dirs, [PathBuf::from("./thalweg-data")]);
    assert_eq!(config.listeners.len(), 1);
    assert_eq!(config.listeners[0].address, address("127.0.0.1", 9092));
    assert_eq!(config.advertised_listeners, config.listeners);
    assert_eq!(config.admin_listener, Some(address("127.0.0.1", 9644)));
    assert_eq!(config.rpc_listener, None);
    assert!(config.cores >= 1 && !config.cpu_pin);
    assert_eq!(config.socket_request_max_bytes, 100 * 1024 * 1024);
    assert_eq!(config.connections_max_idle, Duration::from_secs(600));
    assert_eq!(config.fetch_session_slots, 1000);
    assert_eq!(config.topic_defaults.flush_messages, 1);
    assert!(!config.offsets_topic_replication_factor.explicit);
    assert_eq!(config.offsets_topic_replication_factor.among(1), 1);
    assert_eq!(config.offsets_topic_replication_factor.among(5), 3);
}

#[test]
fn nothing_at_all_suits_machines_of_any_size() {
    for cpus in [1, 2, 96, 1024] {
        let machine = Machine { cpus, ..machine() };
        let config = Config::from_text("", "", &[], machine).unwrap().config;
        assert_eq!((config.cores, config.memory_bytes >> 20), (cpus, cpus * 256));
        assert_eq!(config.read_cache_bytes, 4 << 30, "an eighth of the machine's");
        assert!(config.request_memory_bytes_per_core(cpus) >= 64 << 20);
        assert!(config.unwritten_bytes_max_per_core() >= config.wal_block_bytes);
    }
}

#[test]
fn kafkas_own_file_is_taken_and_what_means_nothing_is_named_once() {
    let loaded = load(SHIPPED).unwrap();
    let config = loaded.config;
    assert_eq!(config.listeners.len(), 1, "the controller's listener is left out");
    assert_eq!(config.listeners[0].address, address("0.0.0.0", 9092));
    assert_eq!(config.advertised_listeners[0].address, address("localhost", 9092));
    assert_eq!(config.bootstrap_servers, [address("localhost", 9093)]);
    assert!(config.offsets_topic_replication_factor.explicit);
    assert!(config.transactions.topic_replication_factor.explicit);
    let named: Vec<(String, &str)> =
        loaded.warnings.iter().map(|it| (it.origin.to_string(), it.key.as_str())).collect();
    let expected = [
        (5, "inter.broker.listener.name"),
        (9, "num.network.threads"),
        (10, "num.io.threads"),
        (11, "socket.send.buffer.bytes"),
        (12, "socket.receive.buffer.bytes"),
        (16, "num.recovery.threads.per.data.dir"),
    ];
    assert_eq!(named, expected.map(|(line, key)| (format!("server.properties:{line}"), key)));
    let threads = loaded.warnings.iter().find(|it| it.key == "num.io.threads").unwrap().to_string();
    assert_eq!(
        threads,
        "server.properties:10: num.io.threads has no effect: one reactor per core does this work; thalweg.cores says \
         how many"
    );
}

/// Lines that are refused, and a part of what is said about it.
const REFUSED: &[(&str, &str)] = &[
    ("num.partition=3", "unknown key num.partition: did you mean num.partitions?"),
    ("log.retention.hour=1", "did you mean log.retention.hours?"),
    ("thalweg.core=2", "did you mean thalweg.cores?"),
    ("LOG_DIRS=/x", "did you mean log.dirs?"),
    ("advertised.listner=x", "did you mean advertised.listeners?"),
    ("retention.ms=1", "retention.ms is a topic setting; its default for all topics is log.retention.ms"),
    ("some.thing.quite.different=1", "it is neither Kafka's nor Thalweg's"),
    ("listener.name.plaintext.max.connectoins=1", "unknown key"),
    (
        "num.partitions=many",
        "Invalid value many for configuration num.partitions: Not a number of type INT (a int, 1 or more)",
    ),
    ("num.partitions=0", "Value must be at least 1"),
    ("num.partitions=3000000000", "Not a number of type INT"),
    ("offsets.topic.replication.factor=40000", "Not a number of type SHORT"),
    ("auto.create.topics.enable=yes", "Expected value to be either true or false"),
    ("log.cleaner.min.cleanable.ratio=1.5", "Value must be no more than 1"),
    ("log.cleaner.min.cleanable.ratio=NaN", "Not a number of type DOUBLE"),
    ("compression.type=lzo", "String must be one of: uncompressed, zstd, lz4, snappy, gzip, producer"),
    ("compression.gzip.level=0", "Value must be between 1 and 9 or equal to -1"),
    ("log.cleanup.policy=delete,shrink", "String must be one of: compact, delete"),
    ("thalweg.cores=0", "Value must be at least 1"),
    ("listeners=9092", "must be NAME://host:port"),
    ("listeners=PLAINTEXT://127.0.0.1", "must be host:port"),
    ("listeners=PLAINTEXT://127.0.0.1:99999", "99999 is not a port"),
    ("listeners=PLAINTEXT://::1:9092", "must stand between [ and ]"),
    ("listeners=", "must name at least one listener for clients"),
    ("listeners=PLAINTEXT://a:1,PLAINTEXT://a:2", "each needs its own name"),
    ("listeners=SASL_SSL://:9093", "this version speaks only PLAINTEXT"),
    ("listeners=SSL://:9093", "this version speaks only PLAINTEXT"),
    ("listeners=INTERNAL://:9093", "listener.security.protocol.map says no protocol for INTERNAL"),
    ("listener.security.protocol.map=PLAINTEXT:TLS", "the protocol must be one of"),
    ("advertised.listeners=PLAINTEXT://0.0.0.0:9092", "nothing that a client can connect to"),
    ("advertised.listeners=OTHER://a:9092", "listeners has no listener OTHER"),
    ("authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer", "nothing would be denied"),
    ("security.inter.broker.protocol=SSL", "cannot be honoured"),
    ("create.topic.policy.class.name=com.example.Policy", "cannot be honoured"),
    ("remote.log.storage.system.enable=true", "there is no tiered storage"),
    ("config.providers=file", "would not be replaced"),
    ("port=9092", "name the address in listeners"),
    ("process.roles=controller", "must name broker"),
    ("process.roles=zookeeper", "String must be one of: broker, controller"),
    ("node.id=-1", "Value must be at least 0"),
    ("broker.id=7\nnode.id=8", "which is 8: both must be the same"),
    ("controller.quorum.bootstrap.servers=a:1,b:1,c:1", "thalweg.rpc.listener must say"),
    ("controller.quorum.voters=1@a:1,2@b:1", "controller.quorum.bootstrap.servers instead"),
    ("group.min.session.timeout.ms=2000000", "must not be more than group.max.session.timeout.ms"),
    ("max.connections.per.ip=0", "lets nobody connect"),
    ("max.connections.per.ip.overrides=10.0.0.1", "must be address:count"),
    ("queued.max.request.bytes=1000", "must not be less than socket.request.max.bytes"),
    ("log.retention.ms=0", "must be unlimited (-1) or at least 1"),
    ("log.flush.interval.ms=-1", "Invalid value -1 for configuration log.flush.interval.ms: Value must be at least 0"),
    ("log.roll.ms=0", "Invalid value 0 for configuration log.roll.ms: Value must be at least 1"),
    ("log.dirs=/a,/b,/a", "it is listed twice"),
    ("log.dirs=", "must name at least one directory"),
    ("thalweg.admin.listener=nowhere", "must be host:port"),
    ("thalweg.memory.bytes=67108864\nthalweg.cores=64", "for each of 64 cores"),
    ("a=\\u12", "\\u must be followed by four hexadecimal digits"),
];

#[test]
fn mistakes_name_the_line_and_what_would_be_right() {
    for (lines, expected) in REFUSED {
        let error = load(&format!("# first line\n{lines}\n")).unwrap_err().to_string();
        assert!(error.contains(expected), "{lines}: {error}");
        assert!(error.starts_with("server.properties:"), "{lines}: {error}");
        let line: usize = error.split(':').nth(1).unwrap().parse().unwrap();
        assert!((2..=3).contains(&line), "{lines}: {error}");
    }
}

#[test]
fn all_mistakes_are_told_at_once_in_the_order_of_the_file() {
    let overrides = ["num.partitions=x".to_owned(), "nonsense".to_owned()];
    let text = "z.unknown.thing=1\nport=1\nlog.roll.hours=0";
    let error = Config::from_text("a.properties", text, &overrides, machine()).unwrap_err();
    let ConfigError::Invalid(mistakes) = &error else { panic!("{error}") };
    let starts: Vec<String> = mistakes.iter().map(|it| it.origin.as_ref().unwrap().to_string()).collect();
    assert_eq!(starts, ["a.properties:1", "a.properties:2", "a.properties:3", "override", "override"]);
    assert_eq!(error.to_string().lines().count(), 5);
}

#[test]
fn overrides_count_more_than_the_file_and_are_named_as_such() {
    let overrides = |text: &str| [text.to_owned()];
    let text = "num.partitions=3";
    let loaded = Config::from_text("f", text, &overrides("num.partitions=7"), machine()).unwrap();
    assert_eq!(loaded.config.num_partitions, 7);
    assert!(loaded.warnings.is_empty());
    let error = Config::from_text("f", text, &overrides("num.partitions=0"), machine()).unwrap_err();
    assert!(error.to_string().starts_with("override: Invalid value 0 for configuration num.partitions"), "{error}");
    let error = Config::from_text("f", text, &overrides("listeners=SSL://:1"), machine()).unwrap_err();
    assert!(error.to_string().starts_with("override: Invalid value SSL://:1"), "{error}");
}

/// Keys that are accepted without an effect.
#[test]
fn harmless_keys_are_accepted_with_a_reason() {
    for line in [
        "zookeeper.connect=localhost:2181",
        "zookeeper.connection.timeout.ms=18000",
        "log.message.format.version=3.0",
        "super.users=User:admin",
        "confluent.support.metrics.enable=false",
        "metric.reporters=com.example.Reporter",
        "ssl.keystore.location=/x",
        "sasl.enabled.mechanisms=PLAIN",
        "listener.name.sasl_ssl.scram-sha-256.sasl.jaas.config=x",
        "listener.name.plaintext.max.connections=10",
        "unstable.api.versions.enable=true",
        "log.cleaner.threads=2",
        "rsm.config.bucket=x",
    ] {
        let loaded = load(line).unwrap();
        assert_eq!(loaded.warnings.len(), 1, "{line}");
        assert!(loaded.warnings[0].to_string().starts_with("server.properties:1: "), "{line}");
    }
    for line in ["authorizer.class.name=", "remote.log.storage.system.enable=false", "config.providers="] {
        assert!(load(line).unwrap().warnings.is_empty(), "{line}");
    }
}

#[test]
fn a_key_set_twice_takes_the_last_and_says_so() {
    let loaded = load("num.partitions=2\nnum.partitions=3").unwrap();
    assert_eq!(loaded.config.num_partitions, 3);
    let warning = loaded.warnings[0].to_string();
    assert_eq!(warning, "server.properties:1: num.partitions has no effect: it is set again at server.properties:2");
}

#[test]
fn typed_values_are_what_the_text_says() {
    let config = config(
        "broker.id=5\nlog.dir=/data/one\nlisteners=A://[::1]:9092,B://0.0.0.0:0\n\
         listener.security.protocol.map=a:PLAINTEXT,B:plaintext\nbroker.rack=r1\nconnections.max.idle.ms=-1\n\
         max.connections.per.ip.overrides=10.0.0.1:5, ::1:6\nthalweg.wal.file.bytes=5000001\n\
         thalweg.admin.listener=\nqueued.max.request.bytes=209715200\n\
         thalweg.cores=2\nthalweg.memory.bytes=1073741824",
    );
    assert_eq!(config.node_id.0, 5);
    assert_eq!(config.log_dirs, [PathBuf::from("/data/one")]);
    assert_eq!(config.listeners[0].address, address("::1", 9092));
    assert_eq!(config.listeners[0].address.to_string(), "[::1]:9092");
    assert_eq!(config.listeners[1].address, address("0.0.0.0", 0));
    assert_eq!(config.advertised_listeners[1].address, address("tide.example", 0), "a wildcard is told by name");
    assert_eq!(config.broker_rack.as_deref(), Some("r1"));
    assert_eq!(config.connections_max_idle, Duration::MAX);
    for (from, most) in [("10.0.0.1", 5), ("::ffff:10.0.0.1", 5), ("::1", 6), ("10.0.0.2", 2_147_483_647)] {
        assert_eq!(config.max_connections_from(from.parse().unwrap()), most, "{from}");
    }
    assert_eq!(config.wal_file_bytes % 4096, 0);
    assert_eq!(config.wal_file_bytes, 5_001_216);
    assert_eq!(config.admin_listener, None);
    assert_eq!(config.request_memory_bytes_per_core(2), 104_857_600);
}

#[test]
fn files_are_read_and_missing_ones_named() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("server.properties");
    std::fs::write(&path, "node.id=9\n").unwrap();
    assert_eq!(Config::load(Some(&path), &[]).unwrap().config.node_id.0, 9);
    let error = Config::load(Some(Path::new("/nowhere/x.properties")), &[]).unwrap_err().to_string();
    assert!(error.starts_with("cannot read /nowhere/x.properties: "), "{error}");
    let error = Config::load(Some(dir.path()), &[]).unwrap_err().to_string();
    assert!(error.starts_with("cannot read "), "{error}");
    std::fs::write(&path, vec![b'#'; 5 * 1024 * 1024]).unwrap();
    let error = Config::load(Some(&path), &[]).unwrap_err();
    assert!(matches!(error, ConfigError::TooLarge { .. }), "{error}");
}

#[test]
fn a_secret_is_not_repeated() {
    let key = crate::config::tables::broker_key("ssl.key.password").unwrap();
    assert!(key.is_sensitive() && key.parse("hunter2").is_ok());
    let loaded = load("ssl.key.password=hunter2").unwrap();
    assert!(!loaded.warnings[0].to_string().contains("hunter2"));
}
