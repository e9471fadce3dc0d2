//! Records on stdout.

use rdkafka::message::{BorrowedMessage, Headers, Message};
use serde_json::{Map, Value};

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
            Style::Json => out.extend_from_slice(self.json(message).to_string().as_bytes()),
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
    fn json(&self, message: &BorrowedMessage<'_>) -> Value {
        let mut record = Map::new();
        record.insert("topic".to_owned(), message.topic().into());
        record.insert("partition".to_owned(), message.partition().into());
        record.insert("offset".to_owned(), message.offset().into());
        record.insert("timestamp".to_owned(), message.timestamp().to_millis().into());
        put(&mut record, "key", message.key(), self.encoding);
        put(&mut record, "value", message.payload(), self.encoding);
        let headers = message.headers().into_iter().flat_map(Headers::iter);
        let header = |header: rdkafka::message::Header<'_, &[u8]>| {
            let mut fields = Map::new();
            fields.insert("key".to_owned(), header.key.into());
            put(&mut fields, "value", header.value, self.encoding);
            Value::Object(fields)
        };
        record.insert("headers".to_owned(), headers.map(header).collect());
        Value::Object(record)
    }
}

/// Text under its name. Bytes that are not UTF-8 cannot be a JSON string, so they go under `name_base64`.
fn put(fields: &mut Map<String, Value>, name: &str, bytes: Option<&[u8]>, encoding: Encoding) {
    let Some(bytes) = bytes else {
        fields.insert(name.to_owned(), Value::Null);
        return;
    };
    let (name, text) = match (encoding, std::str::from_utf8(bytes)) {
        (Encoding::Text, Ok(text)) => (name.to_owned(), text.to_owned()),
        (Encoding::Hex, _) => (format!("{name}_hex"), hex(bytes)),
        (Encoding::Text | Encoding::Base64, _) => (format!("{name}_base64"), base64(bytes)),
    };
    fields.insert(name, text.into());
}

#[cfg(test)]
mod tests {
    use super::put;
    use crate::encoding::Encoding;
    use serde_json::{Map, Value, json};

    #[test]
    fn bytes_become_json_without_loss() {
        for (bytes, encoding, expected) in [
            (Some(&b"a"[..]), Encoding::Text, json!({"v": "a"})),
            (Some(&[0xff][..]), Encoding::Text, json!({"v_base64": "/w=="})),
            (Some(&b"a"[..]), Encoding::Hex, json!({"v_hex": "61"})),
            (None, Encoding::Base64, json!({"v": null})),
        ] {
            let mut fields = Map::new();
            put(&mut fields, "v", bytes, encoding);
            assert_eq!(Value::Object(fields), expected);
        }
    }
}
