//! `listeners` and its relatives: names, protocols, addresses.

use std::collections::HashMap;
use std::fmt;

use super::value::InvalidValue;

/// A host and a port, of which nothing has been resolved yet.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct HostPort {
    /// A name, an IPv4 address, or an IPv6 address without its brackets.
    pub host: String,
    /// 0 where any free port will do.
    pub port: u16,
}

impl HostPort {
    /// Reads `host:port` or `[v6 address]:port`.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let (host, port) = text.rsplit_once(':').ok_or("must be host:port")?;
        let port = port.parse().map_err(|_| format!("{port} is not a port: must be 0 to 65535"))?;
        let host = match host.strip_prefix('[') {
            Some(inner) => inner.strip_suffix(']').ok_or("an IPv6 address must stand between [ and ]")?,
            None if host.contains(':') => {
                return Err("an IPv6 address must stand between [ and ]".to_owned());
            }
            None => host,
        };
        if host.contains(|c: char| c.is_whitespace() || matches!(c, '/' | '[' | ']' | '@')) {
            return Err(format!("{host} is not a host"));
        }
        Ok(Self { host: host.to_owned(), port })
    }

    /// Writes "every address" out, as the socket calls want it.
    pub(super) fn bind_everywhere(&mut self) {
        if self.host.is_empty() {
            "0.0.0.0".clone_into(&mut self.host);
        }
    }

    /// Whether it stands for every address, which no client can connect to.
    pub fn is_wildcard(&self) -> bool {
        matches!(self.host.as_str(), "" | "0.0.0.0" | "::")
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// One listener, or one advertised listener.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Listener {
    /// Its name, in capitals.
    pub name: String,
    /// Where it listens, or what is advertised.
    pub address: HostPort,
}

/// Reads a list of `NAME://host:port`, whose names differ.
pub(super) fn parse_listeners(key: &str, list: &[String]) -> Result<Vec<Listener>, InvalidValue> {
    let mut listeners: Vec<Listener> = Vec::new();
    for text in list {
        let listener = parse_listener(text).map_err(|expected| invalid(key, text, expected))?;
        if listeners.iter().any(|other| other.name == listener.name) {
            return Err(invalid(
                key,
                text,
                format!("there is another listener {}: each needs its own name", listener.name),
            ));
        }
        listeners.push(listener);
    }
    Ok(listeners)
}

fn parse_listener(text: &str) -> Result<Listener, String> {
    let form = "must be NAME://host:port, for example PLAINTEXT://127.0.0.1:9092";
    let (name, address) = text.split_once("://").ok_or(form)?;
    if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.')) {
        return Err(form.to_owned());
    }
    let address = HostPort::parse(address).map_err(|why| format!("{why}; {form}"))?;
    Ok(Listener { name: name.to_ascii_uppercase(), address })
}

/// Reads `listener.security.protocol.map`: `NAME:PROTOCOL` between commas.
pub(super) fn parse_protocol_map(text: &str) -> Result<HashMap<String, String>, InvalidValue> {
    let key = "listener.security.protocol.map";
    let mut protocols = HashMap::new();
    for pair in super::value::split_list(text) {
        let Some((name, protocol)) = pair.split_once(':') else {
            return Err(invalid(key, &pair, "must be NAME:PROTOCOL".to_owned()));
        };
        let protocol = protocol.trim().to_ascii_uppercase();
        if !matches!(protocol.as_str(), "PLAINTEXT" | "SSL" | "SASL_PLAINTEXT" | "SASL_SSL") {
            let expected = "the protocol must be one of: PLAINTEXT, SSL, SASL_PLAINTEXT, SASL_SSL".to_owned();
            return Err(invalid(key, &pair, expected));
        }
        protocols.insert(name.trim().to_ascii_uppercase(), protocol);
    }
    Ok(protocols)
}

/// What clients are told: the advertised listeners, or the listeners themselves with this machine's name where they
/// stand for every address (as Kafka's `getCanonicalHostName`).
pub(super) fn advertise(
    listeners: &[Listener],
    advertised: Option<&[String]>,
    host_name: &str,
) -> Result<Vec<Listener>, InvalidValue> {
    let key = "advertised.listeners";
    let Some(advertised) = advertised.filter(|list| !list.is_empty()) else {
        return Ok(listeners.iter().map(|listener| named(listener, host_name)).collect());
    };
    let advertised = parse_listeners(key, advertised)?;
    for listener in &advertised {
        if listener.address.is_wildcard() && !listener.address.host.is_empty() {
            let expected = "0.0.0.0 is nothing that a client can connect to: name a host".to_owned();
            return Err(invalid(key, &listener.address.to_string(), expected));
        }
    }
    Ok(advertised.iter().map(|listener| named(listener, host_name)).collect())
}

fn named(listener: &Listener, host_name: &str) -> Listener {
    let mut listener = listener.clone();
    if listener.address.is_wildcard() {
        listener.address.host = host_name.to_owned();
    }
    listener
}

pub(super) fn invalid(name: &str, given: &str, expected: String) -> InvalidValue {
    InvalidValue { name: name.to_owned(), given: given.to_owned(), expected }
}
