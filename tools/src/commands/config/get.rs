//! `thalweg config get`

use clap::Args;
use serde::Serialize;
use thalweg_protocol::error::ErrorCode;

use crate::cli::Global;
use crate::cluster::Cluster;
use crate::failure::Failure;
use crate::output::Table;

use super::{Entry, Kind, Resource, describe, keys};

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Whose settings
    kind: Kind,
    /// The topic; or the broker's id, or `default` for what all brokers were given
    name: String,
    /// Only these settings
    keys: Vec<String>,
    /// Also settings at their default
    #[arg(short, long, conflicts_with = "keys")]
    all: bool,
    /// Say what each setting is for
    #[arg(short, long)]
    docs: bool,
}

#[derive(Serialize)]
struct Settings {
    config: Vec<Entry>,
}

pub(crate) fn run(global: &Global, arguments: &Arguments) -> Result<(), Failure> {
    let resource = Resource::parse(arguments.kind, &arguments.name)?;
    let mut cluster = Cluster::connect(global)?;
    let entries = describe(&mut cluster, &resource, &[])?;
    if let Some(unknown) = arguments.keys.iter().find(|key| entries.iter().all(|entry| entry.key != **key)) {
        return Err(Failure::new(format!("{resource} has no setting `{unknown}`"))
            .with_code(ErrorCode::InvalidConfig)
            .hint(keys::hint(unknown, &entries, &resource)));
    }
    let wanted = |entry: &Entry| {
        if arguments.keys.is_empty() {
            arguments.all || !entry.is_default()
        } else {
            arguments.keys.contains(&entry.key)
        }
    };
    let settings = Settings { config: entries.into_iter().filter(wanted).collect() };
    global.output().emit(&settings, |settings| text_of(settings, &resource, arguments))
}

fn text_of(settings: &Settings, resource: &Resource, arguments: &Arguments) -> String {
    if settings.config.is_empty() {
        return format!("{resource}: every setting is at its default (--all shows them)");
    }
    if arguments.docs {
        return settings.config.iter().map(paragraph).collect::<Vec<_>>().join("\n");
    }
    let mut table = Table::new(["key", "value", "source"]);
    for entry in &settings.config {
        table.row([entry.key.clone(), value(entry), entry.source.to_owned()]);
    }
    table.render()
}

fn value(entry: &Entry) -> String {
    match &entry.value {
        Some(value) => value.clone(),
        None if entry.sensitive => "(hidden)".to_owned(),
        None => "-".to_owned(),
    }
}

fn paragraph(entry: &Entry) -> String {
    let read_only = if entry.read_only { ", read-only" } else { "" };
    let about = entry.documentation.as_deref().unwrap_or("(the broker says nothing about it)");
    format!("{}={}\n  {}, {}{read_only}\n  {about}\n", entry.key, value(entry), entry.kind, entry.source)
}
