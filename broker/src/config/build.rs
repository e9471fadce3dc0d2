//! From layers of text to [`Config`].

use std::collections::HashMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use thalweg_protocol::NodeId;

use super::broker::{CleanerConfig, Config, GroupConsumerConfig, ReplicationFactor};
use super::layers::{BrokerLayers, Overrides};
use super::listeners::{HostPort, invalid};
use super::machine::Machine;
use super::share::ShareSettings;
use super::topic::TopicConfig;
use super::transactions::TransactionSettings;
use super::value::{InvalidValue, Value};
use super::{listeners, tables};

type Built<T> = Result<T, InvalidValue>;

impl Config {
    /// Makes the settings out of what is set in `layers`.
    pub fn build(layers: BrokerLayers, machine: Machine) -> Result<Self, InvalidValue> {
        let from = Reader { layers: &layers };
        let bound = from.listeners()?;
        let advertised = from.optional_list("advertised.listeners")?;
        let advertised_listeners = from.advertised(&bound, advertised, &machine)?;
        Ok(Self {
            node_id: from.node_id()?,
            broker_rack: from.optional_text("broker.rack")?.filter(|rack| !rack.is_empty()),
            listeners: bound,
            advertised_listeners,
            bootstrap_servers: from.host_ports("controller.quorum.bootstrap.servers")?,
            rpc_listener: from.host_port("thalweg.rpc.listener")?,
            admin_listener: from.host_port("thalweg.admin.listener")?,
            cores: from.cores(&machine)?,
            cpu_pin: from.boolean("thalweg.cpu.pin")?,
            memory_bytes: from.memory_bytes(&machine)?,
            read_cache_bytes: from.read_cache_bytes(&machine)?,
            wal_file_bytes: from.blocks("thalweg.wal.file.bytes")?,
            wal_files_max: from.size("thalweg.wal.files.max")?,
            wal_writes_in_flight: from.wal_writes_in_flight(&machine)?,
            wal_block_bytes: from.size("thalweg.wal.block.bytes")?,
            probe_file: from.optional_text("thalweg.probe.file")?.filter(|file| !file.is_empty()).map(PathBuf::from),
            segment_flush_bytes: from.size("thalweg.segment.flush.bytes")?,
            read_ahead_bytes: from.size("thalweg.read.ahead.bytes")?,
            log_dirs: from.log_dirs()?,
            log_retention_check_interval: from.millis("log.retention.check.interval.ms")?,
            log_initial_task_delay: from.millis("log.initial.task.delay.ms")?,
            log_cleaner: CleanerConfig {
                enable: from.boolean("log.cleaner.enable")?,
                backoff: from.millis("log.cleaner.backoff.ms")?,
                dedupe_buffer_size: from.size("log.cleaner.dedupe.buffer.size")?,
                io_buffer_size: from.size("log.cleaner.io.buffer.size")?,
                io_buffer_load_factor: from.double("log.cleaner.io.buffer.load.factor")?,
                io_max_bytes_per_second: from.double("log.cleaner.io.max.bytes.per.second")?,
            },
            socket_request_max_bytes: from.size("socket.request.max.bytes")?,
            connections_max_idle: from.millis("connections.max.idle.ms")?,
            request_receive_max: from.millis("thalweg.request.receive.max.ms")?,
            max_connections: from.size("max.connections")?,
            max_connections_per_ip: from.size("max.connections.per.ip")?,
            max_connections_per_ip_overrides: from.per_address("max.connections.per.ip.overrides")?,
            queued_max_request_bytes: from.positive("queued.max.request.bytes")?,
            max_request_partition_size_limit: from.size("max.request.partition.size.limit")?,
            fetch_max_bytes: from.int("fetch.max.bytes")?,
            fetch_session_slots: from.size("max.incremental.fetch.session.cache.slots")?,
            auto_create_topics_enable: from.boolean("auto.create.topics.enable")?,
            delete_topic_enable: from.boolean("delete.topic.enable")?,
            num_partitions: from.size("num.partitions")?,
            default_replication_factor: from.factor("default.replication.factor")?,
            telemetry_max_bytes: from.size("telemetry.max.bytes")?,
            replica_lag_time_max: from.millis("replica.lag.time.max.ms")?,
            move_bytes_per_second_max: from.integer("replica.alter.log.dirs.io.max.bytes.per.second")? as f64,
            producer_id_expiration: from.millis("producer.id.expiration.ms")?,
            producer_id_expiration_check_interval: from.millis("producer.id.expiration.check.interval.ms")?,
            transaction_partition_verification_enable: from.boolean("transaction.partition.verification.enable")?,
            add_partitions_retry_backoff: from.millis("add.partitions.to.txn.retry.backoff.ms")?,
            add_partitions_retry_backoff_max: from.millis("add.partitions.to.txn.retry.backoff.max.ms")?,
            transactions: from.transactions()?,
            share: from.share()?,
            offsets_topic_num_partitions: from.size("offsets.topic.num.partitions")?,
            offsets_topic_replication_factor: from.replication_factor("offsets.topic.replication.factor")?,
            offsets_topic_segment_bytes: from.blocks("offsets.topic.segment.bytes")?,
            offsets_retention_minutes: from.int("offsets.retention.minutes")?,
            offsets_retention_check_interval_ms: from.integer("offsets.retention.check.interval.ms")?,
            offset_metadata_max_bytes: from.size("offset.metadata.max.bytes")?,
            group_min_session_timeout_ms: from.int("group.min.session.timeout.ms")?,
            group_max_session_timeout_ms: from.int("group.max.session.timeout.ms")?,
            group_initial_rebalance_delay_ms: from.int("group.initial.rebalance.delay.ms")?,
            group_max_size: from.size("group.max.size")?,
            group_consumer: GroupConsumerConfig {
                session_timeout_ms: from.int("group.consumer.session.timeout.ms")?,
                heartbeat_interval_ms: from.int("group.consumer.heartbeat.interval.ms")?,
                assignment_interval_ms: from.int("group.consumer.assignment.interval.ms")?,
                regex_refresh_interval_ms: from.int("group.consumer.regex.refresh.interval.ms")?,
                max_size: from.size("group.consumer.max.size")?,
                assignors: from.list("group.consumer.assignors")?,
                migration_policy: from.optional_text("group.consumer.migration.policy")?.unwrap_or_default(),
            },
            topic_defaults: TopicConfig::resolve(&Overrides::new(), &layers)?,
            layers,
            machine,
        })
    }

    /// The same broker with other dynamic settings: of this broker, and of all.
    pub fn with_dynamic(&self, broker: Arc<Overrides>, default: Arc<Overrides>) -> Result<Self, InvalidValue> {
        let fixed = Arc::clone(&self.layers.fixed);
        let layers = BrokerLayers { dynamic_broker: broker, dynamic_default: default, fixed };
        Self::build(layers, self.machine.clone())
    }
}

/// The memory budget where nobody sets one.
const MEMORY_PER_CORE_BYTES: usize = 256 * 1024 * 1024;

/// Share of the memory that the process may use which keeps what was read, where nobody says how much.
const READ_CACHE_SHARE: usize = 8;

/// Writes in flight where nobody sets or measured them.
const WAL_WRITES_IN_FLIGHT: usize = 4;

/// Reads rows of the broker table. A key that is missing there, or of another type, is a mistake in this file.
struct Reader<'a> {
    layers: &'a BrokerLayers,
}

impl Reader<'_> {
    fn value(&self, name: &str) -> Built<Option<Value>> {
        let Some(key) = tables::broker_key(name) else { panic!("{name} is not in the table of broker settings") };
        self.layers.value(key)
    }

    fn integer(&self, name: &str) -> Built<i64> {
        match self.value(name)? {
            Some(Value::Integer(number)) => Ok(number),
            other => panic!("{name} is not a number in the table: {other:?}"),
        }
    }

    fn double(&self, name: &str) -> Built<f64> {
        match self.value(name)? {
            Some(Value::Double(number)) => Ok(number),
            other => panic!("{name} is not a fraction in the table: {other:?}"),
        }
    }

    fn int(&self, name: &str) -> Built<i32> {
        let number = self.integer(name)?;
        Ok(i32::try_from(number).unwrap_or(if number < 0 { i32::MIN } else { i32::MAX }))
    }

    /// Negative counts as zero.
    fn size(&self, name: &str) -> Built<usize> {
        self.integer(name).map(|number| usize::try_from(number).unwrap_or(0))
    }

    /// Zero or negative counts as "not set".
    fn positive(&self, name: &str) -> Built<Option<usize>> {
        Ok(Some(self.size(name)?).filter(|size| *size > 0))
    }

    /// Bytes, rounded up to whole blocks of 4 KiB.
    fn blocks(&self, name: &str) -> Built<u64> {
        self.integer(name).map(|bytes| u64::try_from(bytes).unwrap_or(0).next_multiple_of(4096))
    }

    fn factor(&self, name: &str) -> Built<u16> {
        let number = self.integer(name)?;
        match u16::try_from(number) {
            Ok(factor) if factor > 0 => Ok(factor),
            _ => Err(invalid(name, &number.to_string(), "Value must be at least 1".to_owned())),
        }
    }

    /// What a coordinator's topic wants, and whether somebody said so.
    fn replication_factor(&self, name: &str) -> Built<ReplicationFactor> {
        Ok(ReplicationFactor { wanted: self.factor(name)?, explicit: self.layers.is_set(name) })
    }

    fn share(&self) -> Built<ShareSettings> {
        Ok(ShareSettings {
            session_timeout_ms: self.int("group.share.session.timeout.ms")?,
            heartbeat_interval_ms: self.int("group.share.heartbeat.interval.ms")?,
            assignment_interval_ms: self.int("group.share.assignment.interval.ms")?,
            max_size: self.size("group.share.max.size")?,
            delivery_count_limit: self.int("group.share.delivery.count.limit")?,
            record_lock_duration_ms: self.int("group.share.record.lock.duration.ms")?,
            max_record_locks: self.int("group.share.partition.max.record.locks")?,
            max_share_sessions: self.size("group.share.max.share.sessions")?,
            updates_per_snapshot: u32::try_from(self.int("share.coordinator.snapshot.update.records.per.snapshot")?)
                .unwrap_or(0),
            topic_num_partitions: self.size("share.coordinator.state.topic.num.partitions")?,
            topic_replication_factor: self.replication_factor("share.coordinator.state.topic.replication.factor")?,
            topic_segment_bytes: self.blocks("share.coordinator.state.topic.segment.bytes")?,
            topic_min_isr: self.integer("share.coordinator.state.topic.min.isr")?,
        })
    }

    fn transactions(&self) -> Built<TransactionSettings> {
        Ok(TransactionSettings {
            timeout_ms_max: self.int("transaction.max.timeout.ms")?,
            abort_interval_ms: self.integer("transaction.abort.timed.out.transaction.cleanup.interval.ms")?,
            expiration_ms: self.integer("transactional.id.expiration.ms")?,
            expiry_interval_ms: self.integer("transaction.remove.expired.transaction.cleanup.interval.ms")?,
            topic_num_partitions: self.size("transaction.state.log.num.partitions")?,
            topic_replication_factor: self.replication_factor("transaction.state.log.replication.factor")?,
            topic_segment_bytes: self.blocks("transaction.state.log.segment.bytes")?,
            topic_min_isr: self.integer("transaction.state.log.min.isr")?,
        })
    }

    /// Negative is forever.
    fn millis(&self, name: &str) -> Built<Duration> {
        Ok(u64::try_from(self.integer(name)?).map_or(Duration::MAX, Duration::from_millis))
    }

    fn boolean(&self, name: &str) -> Built<bool> {
        match self.value(name)? {
            Some(Value::Boolean(value)) => Ok(value),
            other => panic!("{name} is not a boolean in the table: {other:?}"),
        }
    }

    fn optional_text(&self, name: &str) -> Built<Option<String>> {
        match self.value(name)? {
            None => Ok(None),
            Some(Value::Text(text)) => Ok(Some(text)),
            other => panic!("{name} is not text in the table: {other:?}"),
        }
    }

    fn optional_list(&self, name: &str) -> Built<Option<Vec<String>>> {
        match self.value(name)? {
            None => Ok(None),
            Some(Value::List(list)) => Ok(Some(list)),
            other => panic!("{name} is not a list in the table: {other:?}"),
        }
    }

    fn list(&self, name: &str) -> Built<Vec<String>> {
        self.optional_list(name).map(Option::unwrap_or_default)
    }

    fn cores(&self, machine: &Machine) -> Built<usize> {
        match self.value("thalweg.cores")? {
            Some(Value::Integer(cores)) => Ok(usize::try_from(cores).unwrap_or(1)),
            _ => Ok(machine.cpus.max(1)),
        }
    }

    fn wal_writes_in_flight(&self, machine: &Machine) -> Built<usize> {
        match self.value("thalweg.wal.writes.in.flight")? {
            Some(Value::Integer(writes)) => Ok(usize::try_from(writes).unwrap_or(1)),
            _ => Ok(machine.wal_writes_in_flight.unwrap_or(WAL_WRITES_IN_FLIGHT)),
        }
    }

    fn memory_bytes(&self, machine: &Machine) -> Built<usize> {
        match self.value("thalweg.memory.bytes")? {
            Some(Value::Integer(bytes)) => Ok(usize::try_from(bytes).unwrap_or(usize::MAX)),
            _ => Ok(self.cores(machine)?.saturating_mul(MEMORY_PER_CORE_BYTES)),
        }
    }

    fn read_cache_bytes(&self, machine: &Machine) -> Built<usize> {
        match self.value("thalweg.read.cache.bytes")? {
            Some(Value::Integer(bytes)) => Ok(usize::try_from(bytes).unwrap_or(usize::MAX)),
            _ => Ok(machine.memory_bytes / READ_CACHE_SHARE),
        }
    }

    /// `node.id`, or its older name.
    fn node_id(&self) -> Built<NodeId> {
        let name =
            if self.layers.is_set("broker.id") && !self.layers.is_set("node.id") { "broker.id" } else { "node.id" };
        let id = self.int(name)?;
        let broker_id = self.int("broker.id")?;
        if broker_id != -1 && broker_id != id {
            let expected = format!("it is the older name of node.id, which is {id}: both must be the same");
            return Err(invalid("broker.id", &broker_id.to_string(), expected));
        }
        if id < 0 {
            return Err(invalid(name, &id.to_string(), "Value must be at least 0".to_owned()));
        }
        Ok(NodeId(id))
    }

    fn log_dirs(&self) -> Built<Vec<PathBuf>> {
        let name =
            if self.layers.is_set("log.dir") && !self.layers.is_set("log.dirs") { "log.dir" } else { "log.dirs" };
        let dirs = self.list(name)?;
        let mut unique: Vec<PathBuf> = Vec::with_capacity(dirs.len());
        for dir in dirs {
            if dir.is_empty() {
                return Err(invalid(name, &dir, "a directory has no name".to_owned()));
            }
            if unique.iter().any(|other| other.as_os_str() == dir.as_str()) {
                return Err(invalid(name, &dir, "it is listed twice".to_owned()));
            }
            unique.push(PathBuf::from(dir));
        }
        if unique.is_empty() {
            return Err(invalid(name, "", "must name at least one directory".to_owned()));
        }
        Ok(unique)
    }

    fn host_port(&self, name: &str) -> Built<Option<HostPort>> {
        let Some(text) = self.optional_text(name)?.filter(|text| !text.is_empty()) else { return Ok(None) };
        let mut parsed = HostPort::parse(&text).map_err(|expected| invalid(name, &text, expected))?;
        parsed.bind_everywhere();
        Ok(Some(parsed))
    }

    fn host_ports(&self, name: &str) -> Built<Vec<HostPort>> {
        let parse = |text: &String| HostPort::parse(text).map_err(|expected| invalid(name, text, expected));
        self.list(name)?.iter().map(parse).collect()
    }

    fn per_address(&self, name: &str) -> Built<HashMap<IpAddr, usize>> {
        let text = self.optional_text(name)?.unwrap_or_default();
        let parse = |pair: String| {
            let parsed = pair.rsplit_once(':').and_then(|(address, count)| {
                let address = address.trim().trim_start_matches('[').trim_end_matches(']');
                Some((address.parse::<IpAddr>().ok()?.to_canonical(), count.trim().parse().ok()?))
            });
            parsed.ok_or_else(|| invalid(name, &pair, "must be address:count, for example 10.0.0.7:200".to_owned()))
        };
        super::value::split_list(&text).into_iter().map(parse).collect()
    }

    /// `listeners` without Kafka's controller listeners; what is left must be PLAINTEXT.
    fn listeners(&self) -> Built<Vec<listeners::Listener>> {
        let name = "listeners";
        let controllers = self.controller_names()?;
        let mut bound = listeners::parse_listeners(name, &self.list(name)?)?;
        bound.retain(|listener| !controllers.contains(&listener.name));
        let map = self.optional_text("listener.security.protocol.map")?.unwrap_or_default();
        let protocols = listeners::parse_protocol_map(&map)?;
        for listener in &bound {
            let given = format!("{}://{}", listener.name, listener.address);
            match protocols.get(&listener.name).map(String::as_str) {
                Some("PLAINTEXT") => {}
                Some(protocol) => {
                    let expected = format!(
                        "its protocol is {protocol}, and this version speaks only PLAINTEXT; without what it asks for, \
                         anybody could connect"
                    );
                    return Err(invalid(name, &given, expected));
                }
                None => {
                    let expected = format!("listener.security.protocol.map says no protocol for {}", listener.name);
                    return Err(invalid(name, &given, expected));
                }
            }
        }
        if bound.is_empty() {
            return Err(invalid(name, "", "must name at least one listener for clients".to_owned()));
        }
        bound.iter_mut().for_each(|listener| listener.address.bind_everywhere());
        Ok(bound)
    }

    fn controller_names(&self) -> Built<Vec<String>> {
        let names = self.list("controller.listener.names")?;
        Ok(names.iter().map(|name| name.to_ascii_uppercase()).collect())
    }

    fn advertised(
        &self,
        bound: &[listeners::Listener],
        advertised: Option<Vec<String>>,
        machine: &Machine,
    ) -> Built<Vec<listeners::Listener>> {
        let controllers = self.controller_names()?;
        let mut advertised = listeners::advertise(bound, advertised.as_deref(), &machine.host_name)?;
        advertised.retain(|listener| !controllers.contains(&listener.name));
        let stranger = advertised.iter().find(|listener| !bound.iter().any(|other| other.name == listener.name));
        match stranger {
            None => Ok(advertised),
            Some(listener) => {
                let given = format!("{}://{}", listener.name, listener.address);
                let expected = format!("listeners has no listener {}", listener.name);
                Err(invalid("advertised.listeners", &given, expected))
            }
        }
    }
}
