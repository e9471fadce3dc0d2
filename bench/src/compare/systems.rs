//! Who is compared.

use anyhow::{Context, Result, bail};

use super::results::Side;

/// What `compare` can start by itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
pub(crate) enum Kind {
    Thalweg,
    /// With its default: an answer does not wait for the device
    Kafka,
    /// The same broker on topics with flush.messages=1: an answer means what Thalweg's means
    KafkaDurable,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Source {
    Start(Kind),
    /// One that runs already; without its process id its CPU time and memory are not known.
    Address {
        bootstrap: String,
        pid: Option<u32>,
    },
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct System {
    pub(super) name: String,
    pub(super) source: Source,
}

impl System {
    pub(super) fn of(kind: Kind) -> Self {
        let name = match kind {
            Kind::Thalweg => "thalweg",
            Kind::Kafka => "kafka",
            Kind::KafkaDurable => "kafka-durable",
        };
        Self { name: name.to_owned(), source: Source::Start(kind) }
    }

    pub(super) fn kind(&self) -> Option<Kind> {
        match self.source {
            Source::Start(kind) => Some(kind),
            Source::Address { .. } => None,
        }
    }

    pub(super) fn side(&self) -> Side {
        if self.kind() == Some(Kind::Thalweg) { Side::Ours } else { Side::Theirs }
    }

    /// What every topic of a load gets.
    pub(super) fn topic_config(&self) -> Option<(&'static str, &'static str)> {
        (self.kind() == Some(Kind::KafkaDurable)).then_some(("flush.messages", "1"))
    }
}

/// In the order in which a repetition goes through them: ours last, since its rates follow from what the others take.
pub(super) fn systems(kinds: &[Kind], addresses: &[String], pids: &[String]) -> Result<Vec<System>> {
    let mut systems = Vec::new();
    for kind in [Kind::Kafka, Kind::KafkaDurable].into_iter().filter(|kind| kinds.contains(kind)) {
        systems.push(System::of(kind));
    }
    for address in addresses {
        let (name, bootstrap) = pair(address, "--address", "NAME=HOST:PORT")?;
        let well_formed =
            bootstrap.rsplit_once(':').is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok());
        if !well_formed {
            bail!("--address {address}: `{bootstrap}` is not HOST:PORT");
        }
        if !name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c)) {
            bail!("--address {address}: a name has letters, digits, `-`, `_` and `.`");
        }
        if ["thalweg", "kafka", "kafka-durable"].contains(&name)
            || systems.iter().any(|system: &System| system.name == name)
        {
            bail!("--address {address}: there is a system of that name already");
        }
        let source = Source::Address { bootstrap: bootstrap.to_owned(), pid: None };
        systems.push(System { name: name.to_owned(), source });
    }
    for given in pids {
        let (name, number) = pair(given, "--pid", "NAME=PID")?;
        let number: u32 = number.parse().with_context(|| format!("--pid {given}: `{number}` is not a process id"))?;
        let system = systems.iter_mut().find(|system| system.name == name);
        match system.map(|system| &mut system.source) {
            Some(Source::Address { pid, .. }) => *pid = Some(number),
            _ => bail!("--pid {given}: no --address gives a system of that name"),
        }
        if super::meter::cpu_s(number).is_none() {
            bail!("--pid {given}: there is no such process on this machine");
        }
    }
    if kinds.contains(&Kind::Thalweg) {
        systems.push(System::of(Kind::Thalweg));
    }
    if systems.is_empty() {
        bail!("there is nothing to compare: give --systems or --address");
    }
    Ok(systems)
}

fn pair<'a>(text: &'a str, flag: &str, form: &str) -> Result<(&'a str, &'a str)> {
    let pair = text.split_once('=').filter(|(name, value)| !name.is_empty() && !value.is_empty());
    pair.with_context(|| format!("{flag} {text}: it is given as {form}"))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn ours_comes_last_and_others_are_added_by_address() {
        let own = std::process::id();
        let systems =
            systems(&[Kind::Thalweg, Kind::Kafka], &["other=127.0.0.1:9092".to_owned()], &[format!("other={own}")]);
        let systems = systems.unwrap();
        let names: Vec<&str> = systems.iter().map(|system| system.name.as_str()).collect();
        assert_eq!(names, ["kafka", "other", "thalweg"]);
        let other = Source::Address { bootstrap: "127.0.0.1:9092".to_owned(), pid: Some(own) };
        assert!(systems.iter().any(|system| system.source == other));
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        let refused = |addresses: &[&str], pids: &[&str], said: &str| {
            let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
            let error = systems(&[Kind::Kafka], &owned(addresses), &owned(pids)).unwrap_err().to_string();
            assert!(error.contains(said), "{error}");
        };
        refused(&["x"], &[], "NAME=HOST:PORT");
        refused(&["x=host"], &[], "not HOST:PORT");
        refused(&["kafka=h:1"], &[], "already");
        refused(&["x=h:1"], &["y=1"], "no --address");
        refused(&["x=h:1"], &["x=z"], "not a process id");
        refused(&["x=h:1"], &["x=4294967295"], "no such process");
        assert!(systems(&[], &[], &[]).is_err());
    }
}
