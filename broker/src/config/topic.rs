//! The settings of a topic as the code reads them.

use super::layers::{BrokerLayers, Overrides};
use super::tables;
use super::value::{InvalidValue, Value};

/// `compression.type`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CompressionType {
    /// Batches stay as their producer compressed them.
    Producer,
    /// No compression.
    Uncompressed,
    /// gzip.
    Gzip,
    /// Snappy.
    Snappy,
    /// LZ4.
    Lz4,
    /// Zstandard.
    Zstd,
}

/// What a topic's settings come to: its own where it has any, else this broker's. Each field is the key of the same
/// name; sizes are in bytes.
#[derive(Clone, PartialEq, Debug)]
pub struct TopicConfig {
    pub compression_type: CompressionType,
    /// Level of `compression_type`'s codec; -1 for gzip is its own default.
    pub compression_level: Option<i32>,
    /// `message.timestamp.type` is LogAppendTime.
    pub timestamp_of_append: bool,
    pub timestamp_before_max_ms: i64,
    pub timestamp_after_max_ms: i64,
    pub max_message_bytes: usize,
    pub min_insync_replicas: usize,

    /// `cleanup.policy` has `compact`.
    pub compacted: bool,
    /// `cleanup.policy` has `delete`.
    pub deleted: bool,
    /// -1 is no limit.
    pub retention_ms: i64,
    /// -1 is no limit.
    pub retention_bytes: i64,
    pub delete_retention_ms: i64,
    pub min_compaction_lag_ms: i64,
    pub max_compaction_lag_ms: i64,
    pub min_cleanable_dirty_ratio: f64,

    pub segment_bytes: u64,
    pub segment_ms: i64,
    pub segment_jitter_ms: i64,
    pub segment_index_bytes: usize,
    pub index_interval_bytes: usize,
    pub file_delete_delay_ms: i64,
    pub flush_messages: i64,
    pub flush_ms: i64,
}

impl TopicConfig {
    /// What `overrides` come to on a broker with `layers`.
    pub fn resolve(overrides: &Overrides, layers: &BrokerLayers) -> Result<Self, InvalidValue> {
        Self::build(&Lookup { overrides, layers, lenient: false })
    }

    /// The same, but an override that is not valid counts as not set.
    ///
    /// # Panics
    /// When `layers` hold a value that was let in unchecked.
    pub fn resolve_leniently(overrides: &Overrides, layers: &BrokerLayers) -> Self {
        let built = Self::build(&Lookup { overrides, layers, lenient: true });
        built.unwrap_or_else(|error| panic!("a broker setting was not checked: {error}"))
    }

    fn build(from: &Lookup<'_>) -> Result<Self, InvalidValue> {
        let policies = from.list("cleanup.policy")?;
        let compression_type = from.compression_type()?;
        Ok(Self {
            compression_type,
            compression_level: from.compression_level(compression_type)?,
            timestamp_of_append: from.text("message.timestamp.type")? == "LogAppendTime",
            timestamp_before_max_ms: from.integer("message.timestamp.before.max.ms")?,
            timestamp_after_max_ms: from.integer("message.timestamp.after.max.ms")?,
            max_message_bytes: from.size("max.message.bytes")?,
            min_insync_replicas: from.size("min.insync.replicas")?,
            compacted: policies.iter().any(|policy| policy == "compact"),
            deleted: policies.iter().any(|policy| policy == "delete"),
            retention_ms: from.integer("retention.ms")?.max(-1),
            retention_bytes: from.integer("retention.bytes")?.max(-1),
            delete_retention_ms: from.integer("delete.retention.ms")?,
            min_compaction_lag_ms: from.integer("min.compaction.lag.ms")?,
            max_compaction_lag_ms: from.integer("max.compaction.lag.ms")?,
            min_cleanable_dirty_ratio: from.double("min.cleanable.dirty.ratio")?,
            segment_bytes: from.segment_bytes()?,
            segment_ms: from.integer("segment.ms")?,
            segment_jitter_ms: from.integer("segment.jitter.ms")?,
            segment_index_bytes: from.size("segment.index.bytes")?,
            index_interval_bytes: from.size("index.interval.bytes")?,
            file_delete_delay_ms: from.integer("file.delete.delay.ms")?,
            flush_messages: from.integer("flush.messages")?,
            flush_ms: from.integer("flush.ms")?,
        })
    }
}

struct Lookup<'a> {
    overrides: &'a Overrides,
    layers: &'a BrokerLayers,
    lenient: bool,
}

impl Lookup<'_> {
    /// The topic's own value, else what its synonyms on the broker say, else its row's default.
    fn value(&self, name: &str) -> Result<Option<Value>, InvalidValue> {
        let Some(key) = tables::topic_key(name) else { panic!("{name} is not in the table of topic settings") };
        if let Some(text) = self.overrides.get(name) {
            match key.parse(text) {
                Err(_) if self.lenient => {}
                parsed => return parsed.map(Some),
            }
        }
        match self.layers.topic_default(tables::topic_synonyms(name)) {
            Some((broker, text)) => {
                let by_its_broker_name = |invalid| InvalidValue { name: broker.to_owned(), ..invalid };
                key.parse(&text).map(Some).map_err(by_its_broker_name)
            }
            None => Ok(key.default_value()),
        }
    }

    fn integer(&self, name: &str) -> Result<i64, InvalidValue> {
        match self.value(name)? {
            Some(Value::Integer(number)) => Ok(number),
            other => panic!("{name} is not a number in the table: {other:?}"),
        }
    }

    /// For rows whose least value is not negative.
    fn size(&self, name: &str) -> Result<usize, InvalidValue> {
        self.integer(name).map(|number| usize::try_from(number).unwrap_or(0))
    }

    fn double(&self, name: &str) -> Result<f64, InvalidValue> {
        match self.value(name)? {
            Some(Value::Double(number)) => Ok(number),
            other => panic!("{name} is not a fraction in the table: {other:?}"),
        }
    }

    fn text(&self, name: &str) -> Result<String, InvalidValue> {
        match self.value(name)? {
            Some(Value::Text(text)) => Ok(text),
            other => panic!("{name} is not text in the table: {other:?}"),
        }
    }

    fn list(&self, name: &str) -> Result<Vec<String>, InvalidValue> {
        match self.value(name)? {
            Some(Value::List(list)) => Ok(list),
            other => panic!("{name} is not a list in the table: {other:?}"),
        }
    }

    fn compression_type(&self) -> Result<CompressionType, InvalidValue> {
        let text = self.text("compression.type")?;
        Ok(match text.as_str() {
            "producer" => CompressionType::Producer,
            "uncompressed" => CompressionType::Uncompressed,
            "gzip" => CompressionType::Gzip,
            "snappy" => CompressionType::Snappy,
            "lz4" => CompressionType::Lz4,
            "zstd" => CompressionType::Zstd,
            other => panic!("the table lets compression.type be {other}"),
        })
    }

    fn compression_level(&self, compression_type: CompressionType) -> Result<Option<i32>, InvalidValue> {
        let name = match compression_type {
            CompressionType::Gzip => "compression.gzip.level",
            CompressionType::Lz4 => "compression.lz4.level",
            CompressionType::Zstd => "compression.zstd.level",
            CompressionType::Producer | CompressionType::Uncompressed | CompressionType::Snappy => {
                return Ok(None);
            }
        };
        Ok(i32::try_from(self.integer(name)?).ok())
    }

    /// `internal.segment.bytes` counts more, as in Kafka's `LogConfig`, whose tests make tiny segments with it.
    fn segment_bytes(&self) -> Result<u64, InvalidValue> {
        let bytes = match self.value("internal.segment.bytes")? {
            Some(Value::Integer(bytes)) => bytes,
            _ => self.integer("segment.bytes")?,
        };
        Ok(u64::try_from(bytes).unwrap_or(0))
    }
}
