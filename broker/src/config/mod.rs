//! Configuration: one table of broker keys, one of topic settings, and what is made of them.
//!
//! [`tables`] is the only place that knows a key's type, default, range and meaning. [`Config::load`] reads Kafka's
//! `server.properties`; [`Config`] and [`TopicConfig`] are what the rest of the broker reads; [`describe`] and
//! [`alter`] are DescribeConfigs and (Incremental)AlterConfigs as pure functions; [`reference`] writes
//! `docs/configuration.md`.

pub mod alter;
pub mod broker;
mod build;
pub mod client_metrics;
pub mod describe;
pub mod group;
pub mod layers;
pub mod listeners;
pub mod load;
pub mod loggers;
mod machine;
mod nearest;
pub mod properties;
pub mod reference;
mod relations;
pub mod schema;
pub mod share;
pub mod tables;
pub mod topic;
pub mod transactions;
pub mod value;

pub use broker::{Config, ReplicationFactor};
pub use layers::{BrokerLayers, Overrides, Source};
pub use listeners::{HostPort, Listener};
pub use load::{ConfigError, Loaded, Mistake, Warning};
pub use machine::Machine;
pub use topic::{CompressionType, TopicConfig};
pub use transactions::TransactionSettings;
pub use value::InvalidValue;

#[cfg(test)]
mod tests;
