//! Who this node is and how it finds the others; Kafka's KRaft settings, of which few mean anything here.

use super::reasons;
use crate::config::schema::{
    Check::{Any, AtLeast, OneOf},
    ConfigKey,
    DefaultValue::{Differs, Is, Unset},
    Use::{NoEffect, Refused, Used},
    keys,
};

pub(super) const KEYS: &[ConfigKey] = keys! {
    "node.id": Int = Differs { ours: Some("1"), kafka: None, why: reasons::WHY_NO_FILE }, AtLeast(0), High, ReadOnly, Used;
        "This node's number, unlike that of every other node of the cluster. It is written into each log directory and must not change."
    "broker.id": Int = Is("-1"), Any, High, ReadOnly, Used;
        "Older name of `node.id`; where both are given they must be equal."
    "broker.rack": String = Unset, Any, Medium, ReadOnly, Used;
        "Where this node stands, for example a rack or an availability zone; shown to clients and used to spread replicas."
    "process.roles": List = Differs { ours: Some("broker,controller"), kafka: None, why: reasons::WHY_NO_FILE }, OneOf(&["broker", "controller"]), High, ReadOnly, Used;
        "Must name `broker`. Every node is broker and controller here, so `controller` may be named as well and changes nothing."
    "controller.quorum.bootstrap.servers": List = Is(""), Any, High, ReadOnly, Used;
        "The `thalweg.rpc.listener` addresses (host:port) of the nodes that first form the cluster, written alike on all nodes. Further nodes join with the same setting. Empty, or this node alone, is a cluster of one node."
    "controller.quorum.voters": List = Is(""), Any, High, ReadOnly, NoEffect(reasons::KRAFT);
        "Kafka's static controller quorum, as `id@host:port`."
    "controller.listener.names": List = Differs { ours: Some(""), kafka: None, why: reasons::WHY_NO_FILE }, Any, High, ReadOnly, Used;
        "Listeners of these names are Kafka's controller listeners; they are left out here, since nodes talk over `thalweg.rpc.listener`."
    "controller.quorum.append.linger.ms": Int = Is("25"), AtLeast(0), Medium, ReadOnly, NoEffect(reasons::KRAFT);
        "How long Kafka's quorum leader gathers metadata records before it writes them."
    "controller.quorum.auto.join.enable": Boolean = Is("false"), Any, Low, ReadOnly, NoEffect(reasons::KRAFT);
        "Whether a Kafka controller adds itself to the quorum."
    "controller.quorum.election.backoff.max.ms": Int = Is("1000"), AtLeast(0), High, ReadOnly, NoEffect(reasons::KRAFT);
        "Longest pause of a Kafka controller before another election."
    "controller.quorum.election.timeout.ms": Int = Is("1000"), AtLeast(0), High, ReadOnly, NoEffect(reasons::KRAFT);
        "How long a Kafka controller waits for votes."
    "controller.quorum.fetch.max.bytes": Int = Is("1048576"), AtLeast(1), Low, ReadOnly, NoEffect(reasons::KRAFT);
        "Most bytes of metadata that a Kafka quorum fetch answers with."
    "controller.quorum.fetch.snapshot.max.bytes": Int = Is("1048576"), AtLeast(1), Low, ReadOnly, NoEffect(reasons::KRAFT);
        "Most bytes of snapshot that a Kafka quorum fetch answers with."
    "controller.quorum.fetch.timeout.ms": Int = Is("2000"), AtLeast(0), High, ReadOnly, NoEffect(reasons::KRAFT);
        "How long a Kafka controller goes without a leader before it stands for election."
    "controller.quorum.request.timeout.ms": Int = Is("2000"), AtLeast(0), Medium, ReadOnly, NoEffect(reasons::KRAFT);
        "How long a Kafka controller waits for an answer."
    "controller.quorum.retry.backoff.ms": Int = Is("20"), AtLeast(0), Low, ReadOnly, NoEffect(reasons::KRAFT);
        "Pause between a Kafka controller's tries."
    "controller.socket.timeout.ms": Int = Is("30000"), Any, Medium, ReadOnly, NoEffect(reasons::KRAFT);
        "Socket timeout between Kafka's brokers and controllers."
    "controller.quota.window.num": Int = Is("11"), AtLeast(1), Low, ReadOnly, NoEffect(reasons::QUOTA);
        "Samples kept for quotas on creating and deleting topics."
    "controller.quota.window.size.seconds": Int = Is("1"), AtLeast(1), Low, ReadOnly, NoEffect(reasons::QUOTA);
        "Length of each of those samples."
    "broker.heartbeat.interval.ms": Int = Is("2000"), Any, Medium, ReadOnly, NoEffect(reasons::HEARTBEAT);
        "Time between a Kafka broker's heartbeats to its controller."
    "broker.session.timeout.ms": Int = Is("9000"), Any, Medium, ReadOnly, NoEffect(reasons::HEARTBEAT);
        "Silence after which Kafka's controller fences a broker."
    "initial.broker.registration.timeout.ms": Int = Is("60000"), Any, Medium, ReadOnly, NoEffect(reasons::KRAFT);
        "How long a starting Kafka broker tries to register."
    "controlled.shutdown.enable": Boolean = Is("true"), Any, Medium, ReadOnly, NoEffect(reasons::SHUTDOWN);
        "Whether leadership is handed over before a node stops."
    "metadata.log.dir": String = Unset, Any, High, ReadOnly, NoEffect(reasons::METADATA_LOG);
        "Where Kafka keeps its metadata log."
    "metadata.log.max.record.bytes.between.snapshots": Long = Is("20971520"), AtLeast(1), High, ReadOnly, NoEffect(reasons::METADATA_LOG);
        "Bytes of metadata records after which Kafka takes a snapshot."
    "metadata.log.max.snapshot.interval.ms": Long = Is("3600000"), AtLeast(0), High, ReadOnly, NoEffect(reasons::METADATA_LOG);
        "Time after which Kafka takes a metadata snapshot."
    "metadata.log.segment.bytes": Int = Is("1073741824"), AtLeast(8_388_608), High, ReadOnly, NoEffect(reasons::METADATA_LOG);
        "Size of the metadata log's segments."
    "metadata.log.segment.ms": Long = Is("604800000"), Any, High, ReadOnly, NoEffect(reasons::METADATA_LOG);
        "Age at which a metadata segment is closed."
    "metadata.max.idle.interval.ms": Int = Is("500"), AtLeast(0), Low, ReadOnly, NoEffect(reasons::METADATA_LOG);
        "How often Kafka's active controller writes a no-op."
    "metadata.max.retention.bytes": Long = Is("104857600"), Any, High, ReadOnly, NoEffect(reasons::METADATA_LOG);
        "Size beyond which old metadata is dropped."
    "metadata.max.retention.ms": Long = Is("604800000"), Any, High, ReadOnly, NoEffect(reasons::METADATA_LOG);
        "Age beyond which old metadata is dropped."
    "inter.broker.listener.name": String = Unset, Any, Medium, ReadOnly, NoEffect(reasons::RPC);
        "The listener over which Kafka's brokers talk to each other."
    "security.inter.broker.protocol": String = Is("PLAINTEXT"), OneOf(&["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]), Medium, ReadOnly, Refused(reasons::RPC_PLAIN);
        "Protocol between Kafka's brokers."
};
