//! Writes `docs/configuration.md` from the tables, so that it cannot say anything else than what the code does.

use std::fmt::Write;

use super::schema::{ConfigKey, DefaultValue, Use};
use super::tables::{self, Area, BROKER_AREAS, GROUP_AREAS, TOPIC_AREAS};

const INTRODUCTION: &str = "\
# Configuration

This page is written by the broker's own tables (`broker/src/config/`); a test fails where it differs from them.
`THALWEG_WRITE_DOCS=1 cargo test -p thalweg-broker reference_page` writes it anew.

`thalwegd [server.properties] [--override key=value]...` reads Kafka's own `server.properties`, in Java's properties
syntax, and then the overrides, which count more. Keys have Kafka's meanings; our own begin with `thalweg.`. Without a
file, one node runs on 127.0.0.1:9092, with its data in `./thalweg-data` and its admin HTTP on 127.0.0.1:9644.

- A key that is neither Kafka's nor ours, or a value that its key cannot have, stops the start with one line that names
  the place and what would be right.
- A key of Kafka's that means nothing here is accepted and named once in the log with the reason. It is marked
  *no effect* below.
- Where going on without what a key asks for would be unsafe, a value other than the default is refused. Such keys are
  marked *refused*.
- *Update* says whether a running broker's value can be altered: `cluster-wide` for one broker or for all at once,
  `per-broker` for one broker, `read-only` by a restart alone.
- Listener settings may stand behind `listener.name.<listener>.`; so far none of them differs between listeners.
";

/// The whole page.
pub fn page() -> String {
    let mut page = INTRODUCTION.to_owned();
    page.push_str("\n## Topics\n");
    page.push_str("\nWhat a topic does not set itself comes from this broker: the first of the keys named under *default from* that is set.\n");
    for area in TOPIC_AREAS {
        write_area(&mut page, area, synonyms);
    }
    page.push_str("\n## Groups\n");
    page.push_str("\nSet as configuration of a resource of type GROUP. What a group does not set itself comes from this broker.\n");
    for area in GROUP_AREAS {
        write_area(&mut page, area, |key| tables::group_synonyms(key.name).default.map_or_else(String::new, code));
    }
    page.push_str("\n## Broker\n");
    for area in BROKER_AREAS {
        write_area(&mut page, area, |key| key.mode.name().to_owned());
    }
    write_foreign(&mut page);
    page
}

fn code(name: &str) -> String {
    format!("`{name}`")
}

fn write_area(page: &mut String, area: &Area, place: impl Fn(&ConfigKey) -> String) {
    let mut keys: Vec<&ConfigKey> = area.keys.iter().filter(|key| !key.internal).collect();
    if keys.is_empty() {
        return;
    }
    keys.sort_by_key(|key| key.name);
    let of_broker = BROKER_AREAS.iter().any(|known| known.title == area.title);
    let column = if of_broker { "update" } else { "default from" };
    push(page, format_args!("\n### {}\n\n", area.title));
    push(page, format_args!("| key | type | default | values | {column} | |\n|---|---|---|---|---|---|\n"));
    for key in keys {
        let place = place(key);
        push(
            page,
            format_args!(
                "| `{}` | {} | {} | {} | {} | {} |\n",
                key.name,
                key.kind.name(),
                default(key),
                key.check.describe(),
                place,
                sentence(key)
            ),
        );
    }
}

/// Formatting into a `String` cannot fail.
fn push(page: &mut String, text: std::fmt::Arguments<'_>) {
    let _ = page.write_fmt(text);
}

fn synonyms(key: &ConfigKey) -> String {
    let names = tables::topic_synonyms(key.name).iter().map(|synonym| format!("`{}`", synonym.name));
    names.collect::<Vec<_>>().join(", ")
}

fn default(key: &ConfigKey) -> String {
    match key.default {
        DefaultValue::Is("") => "(empty)".to_owned(),
        DefaultValue::Is(text) => format!("`{text}`"),
        DefaultValue::Unset => "(none)".to_owned(),
        DefaultValue::Differs { ours, kafka, .. } => {
            let show = |text: Option<&str>| {
                text.filter(|text| !text.is_empty()).map_or("none".to_owned(), |text| format!("`{text}`"))
            };
            format!("{} (Kafka: {})", show(ours), show(kafka))
        }
    }
}

fn sentence(key: &ConfigKey) -> String {
    let mut sentence = key.doc.to_owned();
    if let DefaultValue::Differs { why, .. } = key.default {
        push(&mut sentence, format_args!(" Default: {why}."));
    }
    match key.usage {
        Use::Used => {}
        Use::NoEffect(reason) => push(&mut sentence, format_args!(" *No effect:* {reason}.")),
        Use::Refused(reason) => push(&mut sentence, format_args!(" *Refused:* {reason}.")),
    }
    sentence
}

fn write_foreign(page: &mut String) {
    page.push_str(
        "\n### Keys of older versions and of plug-ins\n\nThey are not Kafka 4's, but users' files carry them.\n\n",
    );
    page.push_str("| key | |\n|---|---|\n");
    for (name, usage) in tables::FOREIGN {
        let star = if name.ends_with('.') { "*" } else { "" };
        let (word, reason) = match usage {
            Use::Used => continue,
            Use::NoEffect(reason) => ("No effect", reason),
            Use::Refused(reason) => ("Refused", reason),
        };
        push(page, format_args!("| `{name}{star}` | *{word}:* {reason}. |\n"));
    }
}
