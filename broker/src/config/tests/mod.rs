#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod altering;
mod describing;
mod groups;
mod kafka_tables;
mod loading;
mod page;
mod property_syntax;
mod topics;

use std::sync::Arc;

use super::{BrokerLayers, Config, ConfigError, Loaded, Machine, Overrides};

fn machine() -> Machine {
    Machine { cpus: 4, memory_bytes: 32 << 30, host_name: "tide.example".to_owned(), wal_writes_in_flight: None }
}

/// Reads `text` as `server.properties`.
fn load(text: &str) -> Result<Loaded, ConfigError> {
    Config::from_text("server.properties", text, &[], machine())
}

fn config(text: &str) -> Config {
    load(text).unwrap().config
}

/// `key=value` between spaces.
fn overrides(text: &str) -> Overrides {
    let pair = |pair: &str| pair.split_once('=').map(|(key, value)| (key.to_owned(), value.to_owned())).unwrap();
    text.split_whitespace().map(pair).collect()
}

fn layers(fixed: &str, dynamic_default: &str, dynamic_broker: &str) -> BrokerLayers {
    BrokerLayers {
        fixed: Arc::new(overrides(fixed)),
        dynamic_default: Arc::new(overrides(dynamic_default)),
        dynamic_broker: Arc::new(overrides(dynamic_broker)),
    }
}
