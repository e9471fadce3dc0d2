//! Records on stdout.

use rdkafka::message::{BorrowedMessage, Headers, Message};
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use crate::encoding::{Encoding, base64, hex};

use super::Arguments;
use super::format::{self, Format};

pub(super) struct Show {
    style: Style,
    encoding: Encoding,
}

enum Style {
    Value,
    KeyAndValue,
    Template(Format),
    Json,
}

impl Show {
    pub(super) fn new(json: bool, arguments: &Arguments) -> Self {
        let style = match &arguments.format {
            _ if json => Style::Json,
            Some(format) => Style::Template(format.clone()),
            None if arguments.key => Style::KeyAndValue,
            None => Style::Value,
        };
        Self { style, encoding: arguments.bytes }
    }

    /// Appends one record to what is to be written.
    pub(super) fn render(&self, message: &BorrowedMessage<'_>, out: &mut Vec<u8>) {
        match &self.style {
            Style::Template(format) => return format.render(message, self.encoding, out),
            Style::Json => self.json(message, out),
            Style::Value => format::bytes(message.payload(), self.encoding, out),
            Style::KeyAndValue => {
                format::bytes(message.key(), self.encoding, out);
                out.push(b'\t');
                format::bytes(message.payload(), self.encoding, out);
            }
        }
        out.push(b'\n');
    }

    /// One record on one line, in the shape that `produce --json-lines` reads.
    fn json(&self, message: &BorrowedMessage<'_>, out: &mut Vec<u8>) {
        let headers = message.headers().into_iter().flat_map(Headers::iter);
        let record = Record {
            topic: message.topic(),
            partition: message.partition(),
            offset: message.offset(),
            timestamp: message.timestamp().to_millis(),
            key: Field { name: "key", bytes: message.key(), encoding: self.encoding },
            value: Field { name: "value", bytes: message.payload(), encoding: self.encoding },
            headers: headers
                .map(|header| RecordHeader {
                    key: header.key,
                    value: Field { name: "value", bytes: header.value, encoding: self.encoding },
                })
                .collect(),
        };
        // Neither step of writing strings and numbers to memory can fail.
        if let Ok(line) = serde_json::to_string(&record) {
            out.extend_from_slice(line.as_bytes());
        }
    }
}

#[derive(Serialize)]
struct Record<'a> {
    topic: &'a str,
    partition: i32,
    offset: i64,
    timestamp: Option<i64>,
    #[serde(flatten)]
    key: Field<'a>,
    #[serde(flatten)]
    value: Field<'a>,
    headers: Vec<RecordHeader<'a>>,
}

#[derive(Serialize)]
struct RecordHeader<'a> {
    key: &'a str,
    #[serde(flatten)]
    value: Field<'a>,
}

/// Bytes under their name. Those that are not UTF-8 cannot be a JSON string, so they go under `name_base64`.
struct Field<'a> {
    name: &'static str,
    bytes: Option<&'a [u8]>,
    encoding: Encoding,
}

impl Serialize for Field<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1))?;
        match (self.bytes, self.encoding) {
            (None, _) => map.serialize_entry(self.name, &None::<&str>)?,
            (Some(bytes), Encoding::Hex) => map.serialize_entry(&format!("{}_hex", self.name), &hex(bytes))?,
            (Some(bytes), encoding) => match std::str::from_utf8(bytes) {
                Ok(text) if encoding == Encoding::Text => map.serialize_entry(self.name, text)?,
                _ => map.serialize_entry(&format!("{}_base64", self.name), &base64(bytes))?,
            },
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::Field;
    use crate::encoding::Encoding;
    use serde_json::json;

    #[test]
    fn bytes_become_json_without_loss() {
        for (bytes, encoding, expected) in [
            (Some(&b"a"[..]), Encoding::Text, json!({"v": "a"})),
            (Some(&[0xff][..]), Encoding::Text, json!({"v_base64": "/w=="})),
            (Some(&b"a"[..]), Encoding::Base64, json!({"v_base64": "YQ=="})),
            (Some(&b"a"[..]), Encoding::Hex, json!({"v_hex": "61"})),
            (None, Encoding::Base64, json!({"v": null})),
        ] {
            assert_eq!(json!(Field { name: "v", bytes, encoding }), expected);
        }
    }
}
