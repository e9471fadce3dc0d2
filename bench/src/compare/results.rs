//! What was measured, as raw lines: one JSON object each, written as soon as it is known.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

/// Figures by name, in the order of their columns.
pub(super) type Metrics = Vec<(String, f64)>;

/// On which side of a ratio a row stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Side {
    /// Above the line.
    Ours,
    /// Below it.
    Theirs,
}

/// One repetition of one case on one system.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(super) struct Row {
    pub(super) phase: String,
    pub(super) case: String,
    pub(super) system: String,
    pub(super) side: Side,
    pub(super) rep: u32,
    #[serde(with = "in_order")]
    pub(super) metrics: Metrics,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(super) enum Line {
    /// The machine, versions, and how the run was asked for.
    About {
        text: String,
    },
    Row(Row),
    /// What is missing, and why.
    Missing {
        phase: String,
        system: String,
        rep: u32,
        why: String,
    },
}

/// The file of raw lines.
pub(super) struct Results {
    file: File,
    pub(super) lines: Vec<Line>,
}

impl Results {
    pub(super) fn create(path: &Path) -> Result<Self> {
        let file = File::create_new(path).with_context(|| format!("cannot create {}", path.display()))?;
        Ok(Self { file, lines: Vec::new() })
    }

    /// To the file and, as a line for people, to the eye.
    pub(super) fn add(&mut self, line: Line) -> Result<()> {
        match &line {
            Line::About { text } => eprintln!("{text}"),
            Line::Row(Row { phase, case, system, rep, metrics, .. }) => {
                let figures = metrics.iter().map(|(name, value)| format!("{name}={value:.2}"));
                let figures: Vec<String> = figures.collect();
                eprintln!("{phase}: {case}: {system} #{rep}: {}", figures.join(" "));
            }
            Line::Missing { phase, system, rep, why } => eprintln!("thalweg-bench: {phase}: {system} #{rep}: {why}"),
        }
        writeln!(self.file, "{}", serde_json::to_string(&line)?).context("cannot write the results")?;
        self.lines.push(line);
        Ok(())
    }
}

pub(super) fn read(path: &Path) -> Result<Vec<Line>> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    parse(&text).with_context(|| format!("{} is not a file of results", path.display()))
}

pub(super) fn parse(text: &str) -> Result<Vec<Line>> {
    let line = |(number, line)| serde_json::from_str(line).with_context(|| format!("line {}", number + 1));
    text.lines().enumerate().filter(|(_, line)| !line.is_empty()).map(line).collect()
}

/// An object whose keys stay in the order that they are written in.
mod in_order {
    use std::fmt;

    use serde::de::{MapAccess, Visitor};
    use serde::{Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(metrics: &super::Metrics, to: S) -> Result<S::Ok, S::Error> {
        to.collect_map(metrics.iter().map(|(name, value)| (name, value)))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<super::Metrics, D::Error> {
        struct Figures;
        impl<'de> Visitor<'de> for Figures {
            type Value = super::Metrics;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("figures by name")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut metrics = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    metrics.push(entry);
                }
                Ok(metrics)
            }
        }
        from.deserialize_map(Figures)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn lines_come_back_as_they_were_with_their_columns_in_order() {
        let row = Row {
            phase: "p".to_owned(),
            case: "c".to_owned(),
            system: "s".to_owned(),
            side: Side::Ours,
            rep: 2,
            metrics: vec![("z".to_owned(), 1.0), ("a".to_owned(), 2.5)],
        };
        let lines = [Line::About { text: "x".to_owned() }, Line::Row(row)];
        let text: Vec<String> = lines.iter().map(|line| serde_json::to_string(line).unwrap()).collect();
        assert_eq!(parse(&text.join("\n\n")).unwrap(), lines);
    }

    #[test]
    fn a_line_that_is_not_a_result_is_named() {
        let error = parse("{\"kind\":\"about\",\"text\":\"x\"}\na\tb\n").unwrap_err();
        assert!(error.to_string().contains("line 2"), "{error:#}");
    }
}
