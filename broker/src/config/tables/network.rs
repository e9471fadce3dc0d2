//! Listeners, connections and requests.

use super::reasons;
use crate::config::schema::{
    Check::{Any, AtLeast},
    ConfigKey,
    DefaultValue::{Differs, Is, Unset},
    Use::{NoEffect, Refused, Used},
    keys,
};

pub(super) const KEYS: &[ConfigKey] = keys! {
    "listeners": List = Differs { ours: Some("PLAINTEXT://127.0.0.1:9092"), kafka: Some("PLAINTEXT://:9092"), why: reasons::WHY_LOOPBACK }, Any, High, ReadOnly, Used;
        "Where clients connect, as `NAME://host:port` between commas. No host, or `0.0.0.0`, is every IPv4 address; port 0 takes a free one."
    "advertised.listeners": List = Unset, Any, High, ReadOnly, Used;
        "What clients are told to connect to, if that is not `listeners`. Needed where a listener has no host of its own."
    "listener.security.protocol.map": String = Is("SASL_SSL:SASL_SSL,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT"), Any, Low, ReadOnly, Used;
        "Which protocol each listener name stands for. Only `PLAINTEXT` is served in this version."
    "early.start.listeners": List = Unset, Any, High, ReadOnly, NoEffect(reasons::LISTENERS);
        "Listeners that Kafka opens before it is ready."
    "socket.listen.backlog.size": Int = Is("50"), AtLeast(1), Medium, ReadOnly, NoEffect(reasons::NOT_YET);
        "Connections that the kernel holds for a listener until they are accepted; the kernel's `net.core.somaxconn` caps it."
    "socket.receive.buffer.bytes": Int = Is("102400"), Any, High, ReadOnly, NoEffect(reasons::NOT_YET);
        "SO_RCVBUF of client connections; -1 leaves it to the kernel."
    "socket.send.buffer.bytes": Int = Is("102400"), Any, High, ReadOnly, NoEffect(reasons::NOT_YET);
        "SO_SNDBUF of client connections; -1 leaves it to the kernel."
    "socket.request.max.bytes": Int = Is("104857600"), AtLeast(1), High, ReadOnly, Used;
        "Largest request accepted. A connection that announces a larger one is closed."
    "socket.connection.setup.timeout.ms": Long = Is("10000"), Any, Medium, ReadOnly, NoEffect(reasons::REPLICA);
        "How long Kafka waits for a connection to another broker to be made."
    "socket.connection.setup.timeout.max.ms": Long = Is("30000"), Any, Medium, ReadOnly, NoEffect(reasons::REPLICA);
        "The longest such wait after several failures."
    "connections.max.idle.ms": Long = Is("600000"), Any, Medium, ReadOnly, Used;
        "A connection on which nothing has happened for so long is closed; -1 never closes one."
    "max.connections": Int = Is("2147483647"), AtLeast(0), Medium, ClusterWide, Used;
        "Most connections at once over all listeners. Further ones wait in the backlog."
    "max.connections.per.ip": Int = Is("2147483647"), AtLeast(0), Medium, ClusterWide, Used;
        "Most connections at once from one address. Further ones are closed."
    "max.connections.per.ip.overrides": String = Is(""), Any, Medium, ClusterWide, Used;
        "`address:count` pairs between commas with another limit for these addresses."
    "max.connection.creation.rate": Int = Is("2147483647"), AtLeast(0), Medium, ClusterWide, NoEffect(reasons::NOT_YET);
        "Most new connections per second."
    "queued.max.requests": Int = Is("500"), AtLeast(1), High, ReadOnly, NoEffect(reasons::NOT_YET);
        "Requests that one core may have in progress before it stops reading from connections."
    "queued.max.request.bytes": Long = Is("-1"), Any, Medium, ReadOnly, Used;
        "Bytes of requests in progress before reading stops; -1 leaves that to `thalweg.memory.bytes`."
    "max.request.partition.size.limit": Int = Is("2000"), AtLeast(1), Medium, ReadOnly, Used;
        "Most partitions that one DescribeTopicPartitions answer describes."
    "request.timeout.ms": Int = Is("30000"), Any, High, ReadOnly, NoEffect(reasons::NOT_YET);
        "How long a request waits for other parts of the broker before it is answered with an error."
    "num.network.threads": Int = Is("3"), AtLeast(1), High, ClusterWide, NoEffect(reasons::THREADS);
        "Threads that read requests and write answers in Kafka."
    "num.io.threads": Int = Is("8"), AtLeast(1), High, ClusterWide, NoEffect(reasons::THREADS);
        "Threads that handle requests in Kafka."
    "background.threads": Int = Is("10"), AtLeast(1), High, ClusterWide, NoEffect(reasons::THREADS);
        "Threads for background work in Kafka."
    "connection.failed.authentication.delay.ms": Int = Is("100"), AtLeast(0), Low, ReadOnly, NoEffect(reasons::SASL);
        "Pause before a connection that failed to authenticate is closed."
    "connections.max.reauth.ms": Long = Is("0"), Any, Medium, ReadOnly, NoEffect(reasons::SASL);
        "Time after which SASL clients must authenticate again."
    "security.providers": String = Unset, Any, Low, ReadOnly, NoEffect(reasons::JVM);
        "Java security providers."
    "principal.builder.class": Class = Is("org.apache.kafka.common.security.authenticator.DefaultKafkaPrincipalBuilder"), Any, Medium, PerBroker, NoEffect(reasons::PLUGIN);
        "Class that makes a principal from a connection. Every client is `User:ANONYMOUS` in this version."
    "authorizer.class.name": String = Is(""), Any, Low, ReadOnly, Refused(reasons::AUTHORIZER);
        "Class that decides who may do what. Empty: everybody may do everything."
    "create.topic.policy.class.name": Class = Unset, Any, Low, ReadOnly, Refused(reasons::POLICY);
        "Class that may refuse to create a topic."
    "alter.config.policy.class.name": Class = Unset, Any, Low, ReadOnly, Refused(reasons::POLICY);
        "Class that may refuse to alter a configuration."
    "config.providers": List = Is(""), Any, Low, ClusterWide, Refused(reasons::PROVIDERS);
        "Providers that replace `${provider:key}` in values."
};
