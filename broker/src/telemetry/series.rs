//! One client's metrics, as of its last push: bounded in number and in the length of their names.

use std::collections::BTreeMap;

use super::otlp::{Data, HistogramPoint, KeyValue, MetricsData, NumberPoint, Temporality};
use crate::limits::{TELEMETRY_SERIES_NAME_MAX_BYTES, TELEMETRY_SERIES_PER_CLIENT_MAX};

/// What a value is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Kind {
    Gauge,
    /// Only grows.
    Counter,
}

/// Name and labels of a metric.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Name {
    /// As Prometheus writes names: letters, digits and `_`.
    pub(super) metric: String,
    pub(super) kind: Kind,
    /// In order of their names, none twice.
    pub(super) labels: BTreeMap<String, String>,
}

#[derive(Debug, Default)]
pub(super) struct Series {
    values: BTreeMap<Name, f64>,
}

/// What comes of a point: what the value is, and whether it is added to the one before.
#[derive(Clone, Copy)]
struct Meaning {
    kind: Kind,
    is_delta: bool,
}

impl Series {
    pub(super) fn len(&self) -> usize {
        self.values.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&Name, f64)> {
        self.values.iter().map(|(name, value)| (name, *value))
    }

    /// Takes over a push. `room` is how many more there may be; what does not fit is left out.
    pub(super) fn take(&mut self, data: MetricsData, room: usize) {
        let limit = self.len().saturating_add(room).min(TELEMETRY_SERIES_PER_CLIENT_MAX);
        for resource in data.resources {
            let common = resource.resource.map(|resource| resource.attributes).unwrap_or_default();
            for metric in resource.scopes.into_iter().flat_map(|scope| scope.metrics) {
                if let Some(data) = metric.data {
                    self.take_metric(&metric.name, data, &common, limit);
                }
            }
        }
    }

    fn take_metric(&mut self, name: &str, data: Data, common: &[KeyValue], limit: usize) {
        match data {
            Data::Gauge(gauge) => {
                let meaning = Meaning { kind: Kind::Gauge, is_delta: false };
                gauge.points.iter().for_each(|point| self.take_number(name, meaning, point, common, limit));
            }
            Data::Sum(sum) => {
                let kind = if sum.is_monotonic { Kind::Counter } else { Kind::Gauge };
                let meaning = Meaning { kind, is_delta: is_delta(sum.temporality) };
                sum.points.iter().for_each(|point| self.take_number(name, meaning, point, common, limit));
            }
            Data::Histogram(histogram) => {
                let meaning = Meaning { kind: Kind::Counter, is_delta: is_delta(histogram.temporality) };
                histogram.points.iter().for_each(|point| self.take_histogram(name, meaning, point, common, limit));
            }
        }
    }

    fn take_number(&mut self, name: &str, meaning: Meaning, point: &NumberPoint, common: &[KeyValue], limit: usize) {
        if let Some(value) = point.value {
            self.put(name, meaning, common.iter().chain(&point.attributes), value.as_f64(), limit);
        }
    }

    /// Of a histogram, how many there were and what they come to: without its buckets, which no client has so far.
    fn take_histogram(
        &mut self,
        name: &str,
        meaning: Meaning,
        point: &HistogramPoint,
        common: &[KeyValue],
        limit: usize,
    ) {
        let attributes = || common.iter().chain(&point.attributes);
        self.put(&format!("{name}.count"), meaning, attributes(), point.count as f64, limit);
        if let Some(sum) = point.sum {
            self.put(&format!("{name}.sum"), meaning, attributes(), sum, limit);
        }
    }

    fn put<'a>(
        &mut self,
        name: &str,
        Meaning { kind, is_delta }: Meaning,
        attributes: impl Iterator<Item = &'a KeyValue>,
        value: f64,
        limit: usize,
    ) {
        let labels = attributes.filter_map(|attribute| Some((legal(&attribute.key), attribute.text()?)));
        let name = Name { metric: legal(name), kind, labels: labels.filter(|(label, _)| !is_ours(label)).collect() };
        if name.metric.is_empty() || name.size_bytes() > TELEMETRY_SERIES_NAME_MAX_BYTES {
            return;
        }
        if let Some(known) = self.values.get_mut(&name) {
            *known = if is_delta { *known + value } else { value };
        } else if self.values.len() < limit {
            self.values.insert(name, value);
        }
    }
}

impl Name {
    fn size_bytes(&self) -> usize {
        self.metric.len() + self.labels.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>()
    }
}

fn is_delta(temporality: i32) -> bool {
    temporality == Temporality::Delta as i32
}

/// Labels that say who the client is are not the client's to give.
fn is_ours(label: &str) -> bool {
    matches!(label, "client_id" | "client_instance_id" | "client_software_name" | "client_software_version")
}

/// A name with `_` for everything that Prometheus does not allow in one.
fn legal(name: &str) -> String {
    let legal = |letter: char| if letter.is_ascii_alphanumeric() { letter } else { '_' };
    let name: String = name.chars().map(legal).collect();
    if name.starts_with(|first: char| first.is_ascii_digit()) { format!("_{name}") } else { name }
}
