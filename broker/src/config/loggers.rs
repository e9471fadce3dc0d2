//! Altering the levels of loggers: the BROKER_LOGGER resource (KIP-412).

use std::collections::BTreeMap;

use super::alter::{AlterError, AlterOp, Alteration, check_form};

/// Kafka's name of the logger above all others.
pub const ROOT_LOGGER: &str = "root";

/// Kafka's levels. FATAL is what Log4j has beyond ERROR; here it is the same.
const LEVELS: &[&str] = &["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"];

/// The loggers whose level changes, with the new one; a logger whose level was deleted gets the root's.
/// `levels` are all loggers there are, the root among them.
pub fn alter_loggers(
    levels: &BTreeMap<String, String>,
    alterations: &[Alteration],
) -> Result<BTreeMap<String, String>, AlterError> {
    check_form(alterations)?;
    let mut changed = BTreeMap::new();
    for alteration in alterations {
        let name = &alteration.name;
        if !levels.contains_key(name) {
            return Err(AlterError::config(format!("Logger {name} does not exist!")));
        }
        let level = match alteration.op {
            AlterOp::Set => level(name, alteration.value.as_deref().unwrap_or_default())?,
            AlterOp::Delete if name == ROOT_LOGGER => {
                let message = format!("Removing the log level of the {ROOT_LOGGER} logger is not allowed");
                return Err(AlterError::request(message));
            }
            AlterOp::Delete => levels.get(ROOT_LOGGER).cloned().unwrap_or_else(|| "INFO".to_owned()),
            AlterOp::Append | AlterOp::Subtract => {
                let operation = if alteration.op == AlterOp::Append { "APPEND" } else { "SUBTRACT" };
                let message = format!("{operation} operation is not allowed for the BROKER_LOGGER resource");
                return Err(AlterError::request(message));
            }
        };
        changed.insert(name.clone(), level);
    }
    Ok(changed)
}

fn level(name: &str, given: &str) -> Result<String, AlterError> {
    let given = given.trim();
    match LEVELS.iter().find(|level| level.eq_ignore_ascii_case(given)) {
        Some(level) => Ok((*level).to_owned()),
        None => Err(AlterError::config(format!(
            "Cannot set the log level of {name} to {given} as it is not a supported log level. Valid log levels are {}",
            LEVELS.join(", ")
        ))),
    }
}
