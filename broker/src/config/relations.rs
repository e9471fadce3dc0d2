//! Settings that are right each for itself but not together (Kafka's `KafkaConfig.validateValues`, and ours).

use super::broker::Config;
use super::listeners::invalid;
use super::value::InvalidValue;

/// The first relation that does not hold, named by the key that should change.
pub(super) fn check(config: &Config) -> Result<(), InvalidValue> {
    let checks =
        [listeners_differ, groups, consumer_groups, share_groups, connections, roles, several_nodes, memory, retention];
    checks.iter().try_for_each(|check| check(config))
}

fn text(config: &Config, name: &str) -> String {
    config.layers.text(name).unwrap_or_default().to_owned()
}

fn listeners_differ(config: &Config) -> Result<(), InvalidValue> {
    let mut seen: Vec<(&str, u16)> = Vec::new();
    for listener in &config.listeners {
        let (host, port) = (listener.address.host.as_str(), listener.address.port);
        if port != 0 && seen.contains(&(host, port)) {
            let given = format!("{}://{}", listener.name, listener.address);
            return Err(invalid("listeners", &given, "another listener has the same address".to_owned()));
        }
        seen.push((host, port));
    }
    Ok(())
}

fn groups(config: &Config) -> Result<(), InvalidValue> {
    if config.group_min_session_timeout_ms > config.group_max_session_timeout_ms {
        let expected = format!(
            "must not be more than group.max.session.timeout.ms, which is {}",
            config.group_max_session_timeout_ms
        );
        return Err(invalid(
            "group.min.session.timeout.ms",
            &config.group_min_session_timeout_ms.to_string(),
            expected,
        ));
    }
    Ok(())
}

/// Kafka's `GroupCoordinatorConfig`, and that there are no assignors but the two that are built in.
fn consumer_groups(config: &Config) -> Result<(), InvalidValue> {
    let assignors = &config.group_consumer.assignors;
    if assignors.is_empty() || assignors.iter().any(|name| !matches!(name.as_str(), "uniform" | "range")) {
        let expected = "must be uniform, range or both: Java classes cannot be loaded".to_owned();
        return Err(invalid("group.consumer.assignors", &assignors.join(","), expected));
    }
    within_bounds(config, "consumer", &["session.timeout.ms", "heartbeat.interval.ms", "assignment.interval.ms"])
}

fn share_groups(config: &Config) -> Result<(), InvalidValue> {
    let rests = [
        "session.timeout.ms",
        "heartbeat.interval.ms",
        "assignment.interval.ms",
        "record.lock.duration.ms",
        "delivery.count.limit",
        "partition.max.record.locks",
    ];
    within_bounds(config, "share", &rests)
}

/// What groups have by default lies within what they may set, and a session is longer than the time between heartbeats.
fn within_bounds(config: &Config, kind: &str, rests: &[&str]) -> Result<(), InvalidValue> {
    let number = |name: &str| text(config, name).trim().parse::<i64>().unwrap_or(0);
    for rest in rests {
        let name = format!("group.{kind}.{rest}");
        let (min, max) = (format!("group.{kind}.min.{rest}"), format!("group.{kind}.max.{rest}"));
        let value = number(&name);
        if value < number(&min) || value > number(&max) {
            let expected = format!("must be between {min} ({}) and {max} ({})", number(&min), number(&max));
            return Err(invalid(&name, &value.to_string(), expected));
        }
    }
    let (name, heartbeat) = (format!("group.{kind}.session.timeout.ms"), format!("group.{kind}.heartbeat.interval.ms"));
    if number(&name) <= number(&heartbeat) {
        let expected = format!("must be more than {heartbeat}, which is {}", number(&heartbeat));
        return Err(invalid(&name, &number(&name).to_string(), expected));
    }
    Ok(())
}

fn connections(config: &Config) -> Result<(), InvalidValue> {
    if config.max_connections_per_ip == 0 && config.max_connections_per_ip_overrides.is_empty() {
        let expected = "0 lets nobody connect, unless max.connections.per.ip.overrides lets some".to_owned();
        return Err(invalid("max.connections.per.ip", "0", expected));
    }
    match config.queued_max_request_bytes {
        Some(queued) if queued < config.socket_request_max_bytes => {
            let expected =
                format!("must not be less than socket.request.max.bytes, which is {}", config.socket_request_max_bytes);
            Err(invalid("queued.max.request.bytes", &queued.to_string(), expected))
        }
        _ => Ok(()),
    }
}

fn roles(config: &Config) -> Result<(), InvalidValue> {
    let roles = text(config, "process.roles");
    if super::value::split_list(&roles).iter().any(|role| role == "broker") {
        return Ok(());
    }
    let expected = "must name broker: every node serves clients, there are no nodes that only control".to_owned();
    Err(invalid("process.roles", &roles, expected))
}

/// A node that was meant to be one of several must not start alone.
fn several_nodes(config: &Config) -> Result<(), InvalidValue> {
    let name = "controller.quorum.voters";
    let voters = text(config, name);
    if super::value::split_list(&voters).len() > 1 {
        let expected = "name the nodes' rpc addresses in controller.quorum.bootstrap.servers instead".to_owned();
        return Err(invalid(name, &voters, expected));
    }
    if !config.founds_alone() && config.rpc_listener.is_none() {
        let name = "controller.quorum.bootstrap.servers";
        let expected = "with other nodes in it, thalweg.rpc.listener must say where they reach this one".to_owned();
        return Err(invalid(name, &text(config, name), expected));
    }
    Ok(())
}

fn memory(config: &Config) -> Result<(), InvalidValue> {
    let least = config.cores.saturating_mul(config.wal_block_bytes).saturating_mul(8);
    if config.memory_bytes >= least {
        return Ok(());
    }
    let expected = format!(
        "must be at least {least}: 8 blocks of thalweg.wal.block.bytes ({}) for each of {} cores",
        config.wal_block_bytes, config.cores
    );
    Err(invalid("thalweg.memory.bytes", &config.memory_bytes.to_string(), expected))
}

/// Kafka takes -1 for "forever", and nothing for "at once".
fn retention(config: &Config) -> Result<(), InvalidValue> {
    for name in ["log.retention.ms", "log.retention.minutes", "log.retention.hours"] {
        if text(config, name).trim() == "0" {
            return Err(invalid(name, "0", "must be unlimited (-1) or at least 1".to_owned()));
        }
    }
    Ok(())
}
