//! What producers do: rates, sizes, keys, and how batches are made and acknowledged.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thalweg_protocol::records::Compression;

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Produce {
    pub(crate) producers: u32,
    /// Records per second of all producers together; without it and without steps a closed loop.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) rate: Option<u64>,
    /// Rates that are offered one after the other.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) steps: Vec<u64>,
    /// A way to write one size; the check turns it into `sizes`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) size: Option<u32>,
    pub(crate) sizes: Vec<Size>,
    pub(crate) compressible: u8,
    #[serde(with = "codec")]
    pub(crate) compression: Compression,
    pub(crate) keys: Keys,
    pub(crate) key_count: u64,
    pub(crate) key_bytes: u32,
    /// Filled in by the check.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) spread: Option<Spread>,
    pub(crate) batch_bytes: u32,
    pub(crate) linger_ms: u64,
    pub(crate) in_flight: u32,
    pub(crate) buffer_mib: u32,
    pub(crate) acks: Acks,
    pub(crate) idempotent: bool,
    pub(crate) transactional: bool,
    pub(crate) transaction_records: u64,
    pub(crate) transaction_ms: u64,
    pub(crate) abort_percent: u8,
}

impl Default for Produce {
    fn default() -> Self {
        Self {
            producers: 1,
            rate: None,
            steps: Vec::new(),
            size: None,
            sizes: Vec::new(),
            compressible: 0,
            compression: Compression::None,
            keys: Keys::None,
            key_count: 1_000_000,
            key_bytes: 8,
            spread: None,
            batch_bytes: 16_384,
            linger_ms: 0,
            in_flight: 5,
            buffer_mib: 32,
            acks: Acks::All,
            idempotent: false,
            transactional: false,
            transaction_records: 1000,
            transaction_ms: 100,
            abort_percent: 0,
        }
    }
}

/// Of values, and how often it comes beside the others.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Size {
    pub(crate) bytes: u32,
    pub(crate) weight: u32,
}

/// Which keys records have.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Keys {
    None,
    /// Each record its own
    Unique,
    /// Each of `key_count` keys as often as any other
    Uniform,
    /// The k-th of `key_count` keys 1/k as often as the first
    Zipf,
}

/// To which partition the next record goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Spread {
    /// The same one until its batch is full, as Kafka's producer does without keys
    Batch,
    /// The next one after each record: many small batches
    Record,
    /// That of its key, as Kafka's producer does with keys
    Key,
}

/// Who must have a record before it is acknowledged.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Acks {
    All,
    Leader,
    /// Nobody: there is no answer.
    None,
}

impl Acks {
    /// As a Produce request says it.
    pub(crate) const fn code(self) -> i16 {
        match self {
            Self::All => -1,
            Self::Leader => 1,
            Self::None => 0,
        }
    }

    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        match text {
            "-1" | "all" => Ok(Self::All),
            "1" => Ok(Self::Leader),
            "0" => Ok(Self::None),
            _ => Err("acks is all, 1 or 0".to_owned()),
        }
    }
}

impl Serialize for Acks {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(match self {
            Self::All => "all",
            Self::Leader => "1",
            Self::None => "0",
        })
    }
}

impl<'de> Deserialize<'de> for Acks {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        /// Both `"all"` and `1` are natural to write.
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Number(i64),
            Text(String),
        }
        let text = match Written::deserialize(from)? {
            Written::Number(number) => number.to_string(),
            Written::Text(text) => text,
        };
        Self::parse(&text).map_err(D::Error::custom)
    }
}

mod codec {
    use super::*;

    pub(super) fn serialize<S: Serializer>(codec: &Compression, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(codec.name())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Compression, D::Error> {
        let name = String::deserialize(from)?;
        Compression::from_name(&name).ok_or_else(|| D::Error::custom("compression is none, gzip, snappy, lz4 or zstd"))
    }
}
