//! librdkafka, set up for a command line: quiet, and the same choices as Kafka's own clients.

use std::sync::atomic::{AtomicBool, Ordering};

use rdkafka::ClientContext;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use crate::cli::Global;
use crate::failure::Failure;

/// Settings that both producers and consumers begin with; `extra` are `key=value` pairs from the command line, which win.
pub(crate) fn config(global: &Global, base: &[(&str, String)], extra: &[(String, String)]) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", &global.bootstrap).set("client.id", "thalweg");
    config.set("socket.connection.setup.timeout.ms", global.timeout_ms().max(1000).to_string());
    config.set_log_level(RDKafkaLogLevel::Emerg);
    for (key, value) in base {
        config.set(*key, value);
    }
    for (key, value) in extra {
        config.set(key, value);
    }
    config
}

/// `key=value`, as `-X` takes it.
pub(crate) fn property(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("this is not KEY=VALUE")?;
    Ok((key.to_owned(), value.to_owned()))
}

/// A client could not be made: a setting is wrong.
pub(crate) fn setup_failure(error: &KafkaError) -> Failure {
    match error {
        KafkaError::ClientConfig(_, reason, key, value) => {
            Failure::usage(format!("`{key}={value}` is no setting of the client: {reason}"))
                .hint("-X takes librdkafka's properties, named in its CONFIGURATION.md")
        }
        other => Failure::new(format!("cannot set up the client: {other}")),
    }
}

/// librdkafka's words for an error, without its name for the code and without who found it.
pub(crate) fn reason(error: &KafkaError) -> String {
    let text = error.rdkafka_error_code().map_or_else(|| error.to_string(), |code| code.to_string());
    let inner = text.split_once('(').map(|(_, inner)| inner.strip_suffix(')').unwrap_or(inner));
    let words = inner.unwrap_or(&text);
    words.strip_prefix("Broker: ").or_else(|| words.strip_prefix("Local: ")).unwrap_or(words).to_owned()
}

/// Says once that all brokers went away; that they are back, the records show.
#[derive(Debug, Default)]
pub(crate) struct Quiet {
    told: AtomicBool,
}

impl Quiet {
    /// Brokers are gone; the client goes on trying. Says so once.
    pub(crate) fn connection_lost(&self, error: &KafkaError) {
        if error.rdkafka_error_code() == Some(RDKafkaErrorCode::AllBrokersDown)
            && !self.told.swap(true, Ordering::Relaxed)
        {
            eprintln!("warning: no broker answers; still trying (stop with Ctrl-C)");
        }
    }

    pub(crate) fn connection_works(&self) {
        self.told.store(false, Ordering::Relaxed);
    }
}

impl ClientContext for Quiet {
    /// librdkafka's own log is about retries that succeed; what matters comes back as errors of calls.
    fn log(&self, _: RDKafkaLogLevel, _: &str, _: &str) {}

    fn error(&self, error: KafkaError, _: &str) {
        self.connection_lost(&error);
    }
}
