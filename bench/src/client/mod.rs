//! A Kafka client's ways to a broker: connections, answers, and what a cluster says about itself.

pub(crate) mod answer;
pub(crate) mod cluster;
pub(crate) mod creation;
pub(crate) mod fetch;
pub(crate) mod versions;
pub(crate) mod wire;

/// Which topic of which broker, as every command asks for it.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Target {
    /// host:port of a broker
    #[arg(long)]
    pub(crate) bootstrap: String,
    #[arg(long)]
    pub(crate) topic: String,
}
