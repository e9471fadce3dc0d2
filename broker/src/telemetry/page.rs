//! Clients' metrics as Prometheus text: all values of a metric stand together, under one line that says what it is.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::clients::Clients;
use super::series::Kind;

/// Before every name.
const PREFIX: &str = "thalweg_client_";

pub(super) fn render(clients: &Clients) -> String {
    let mut metrics: BTreeMap<(&str, Kind), String> = BTreeMap::new();
    for client in clients.iter() {
        for (name, value) in client.series.iter() {
            let lines = metrics.entry((&name.metric, name.kind)).or_default();
            let own = client.about.labels();
            let labels = own.into_iter().chain(name.labels.iter().map(|(name, value)| (name.as_str(), value.as_str())));
            // Writing to a string cannot fail.
            let _ = writeln!(lines, "{}{{{}}} {}", full_name(&name.metric, name.kind), text_of(labels), number(value));
        }
    }
    let mut page = String::new();
    for ((metric, kind), lines) in metrics {
        let (name, word) = (full_name(metric, kind), if kind == Kind::Counter { "counter" } else { "gauge" });
        let _ = write!(page, "# HELP {name} Pushed by clients.\n# TYPE {name} {word}\n{lines}");
    }
    page
}

fn full_name(metric: &str, kind: Kind) -> String {
    let is_to_say = kind == Kind::Counter && !metric.ends_with("_total");
    format!("{PREFIX}{metric}{}", if is_to_say { "_total" } else { "" })
}

fn text_of<'a>(labels: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    labels.map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect::<Vec<_>>().join(",")
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

fn number(value: f64) -> String {
    if value.is_nan() {
        "NaN".to_owned()
    } else if value.is_infinite() {
        if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned()
    } else {
        value.to_string()
    }
}
