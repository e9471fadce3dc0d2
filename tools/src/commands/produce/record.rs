//! One record, from a line of text or of JSON.

use serde::Deserialize;

use crate::encoding::{Encoding, from_base64, from_hex};

use super::Arguments;

#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) key: Option<Vec<u8>>,
    pub(super) value: Option<Vec<u8>>,
    pub(super) headers: Vec<(String, Option<Vec<u8>>)>,
    pub(super) partition: Option<i32>,
    pub(super) timestamp: Option<i64>,
}

/// The shape that `thalweg consume --json` writes; where it read a record is no part of a new one.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Json {
    key: Option<String>,
    key_base64: Option<String>,
    key_hex: Option<String>,
    value: Option<String>,
    value_base64: Option<String>,
    value_hex: Option<String>,
    #[serde(default)]
    headers: Vec<JsonHeader>,
    partition: Option<i32>,
    timestamp: Option<i64>,
    #[serde(rename = "topic")]
    _topic: Option<String>,
    #[serde(rename = "offset")]
    _offset: Option<i64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct JsonHeader {
    key: String,
    value: Option<String>,
    value_base64: Option<String>,
    value_hex: Option<String>,
}

impl Record {
    pub(super) fn size_bytes(&self) -> u64 {
        let length = |bytes: &Option<Vec<u8>>| bytes.as_ref().map_or(0, |bytes| bytes.len() as u64);
        length(&self.key) + length(&self.value)
    }

    pub(super) fn from_text(line: Vec<u8>, arguments: &Arguments) -> Result<Self, String> {
        let (key, value) = match &arguments.key_separator {
            Some(separator) => split(&line, separator.as_bytes())
                .map(|(key, value)| (Some(key.to_vec()), value.to_vec()))
                .ok_or_else(|| format!("there is no key separator `{separator}`"))?,
            None => (arguments.key.as_ref().map(|key| key.clone().into_bytes()), line),
        };
        let decode = |bytes: Vec<u8>| match arguments.bytes {
            Encoding::Text => Ok(bytes),
            encoding => encoding.decode(&bytes).ok_or_else(|| format!("this is not {encoding:?}").to_lowercase()),
        };
        let headers = arguments.header.iter().map(|(key, value)| (key.clone(), Some(value.clone().into_bytes())));
        let value = (!value.is_empty() || !arguments.empty_is_null).then_some(value);
        Ok(Self {
            key: key.map(decode).transpose()?,
            value: value.map(decode).transpose()?,
            headers: headers.collect(),
            partition: arguments.partition,
            timestamp: None,
        })
    }

    pub(super) fn from_json(line: &[u8], partition: Option<i32>) -> Result<Self, String> {
        let json: Json = serde_json::from_slice(line).map_err(|error| format!("this is no record as JSON: {error}"))?;
        let header = |header: JsonHeader| {
            Ok((header.key, one_of("value", header.value, header.value_base64, header.value_hex)?))
        };
        let partition = partition.or(json.partition);
        if partition.is_some_and(|partition| partition < 0) {
            return Err("a partition is not negative".to_owned());
        }
        Ok(Self {
            key: one_of("key", json.key, json.key_base64, json.key_hex)?,
            value: one_of("value", json.value, json.value_base64, json.value_hex)?,
            headers: json.headers.into_iter().map(header).collect::<Result<_, String>>()?,
            partition,
            timestamp: json.timestamp,
        })
    }
}

/// At most one of the three spellings may be there.
fn one_of(
    name: &str,
    text: Option<String>,
    base64: Option<String>,
    hex: Option<String>,
) -> Result<Option<Vec<u8>>, String> {
    match (text, base64, hex) {
        (None, None, None) => Ok(None),
        (Some(text), None, None) => Ok(Some(text.into_bytes())),
        (None, Some(text), None) => {
            from_base64(text.as_bytes()).map(Some).ok_or_else(|| format!("{name}_base64 is not base64"))
        }
        (None, None, Some(text)) => {
            from_hex(text.as_bytes()).map(Some).ok_or_else(|| format!("{name}_hex is not hexadecimal"))
        }
        _ => Err(format!("there is more than one of {name}, {name}_base64 and {name}_hex")),
    }
}

fn split<'a>(line: &'a [u8], separator: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let at = line.windows(separator.len()).position(|window| window == separator)?;
    Some((line.get(..at)?, line.get(at + separator.len()..)?))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::{Record, split};

    #[test]
    fn a_line_splits_at_the_first_separator() {
        assert_eq!(split(b"a::b::c", b"::"), Some((&b"a"[..], &b"b::c"[..])));
        assert_eq!(split(b"abc", b":"), None);
        assert_eq!(split(b"", b":"), None);
    }

    #[test]
    fn json_takes_text_and_encoded_bytes() {
        let line = br#"{"topic":"t","offset":3,"key":"k","value_base64":"AP8=","headers":[{"key":"h","value":null}],"timestamp":5}"#;
        let record = Record::from_json(line, Some(1));
        assert_eq!(
            record,
            Ok(Record {
                key: Some(b"k".to_vec()),
                value: Some(vec![0, 255]),
                headers: vec![("h".to_owned(), None)],
                partition: Some(1),
                timestamp: Some(5),
            })
        );
    }

    #[test]
    fn json_that_is_not_a_record_says_why() {
        for (line, why) in [
            (&br#"{"value":"a","value_hex":"00"}"#[..], "more than one of value"),
            (br#"{"valeu":"a"}"#, "unknown field `valeu`"),
            (br#"{"value_base64":"?"}"#, "value_base64 is not base64"),
            (br#"{"partition":-1}"#, "not negative"),
            (b"", "EOF"),
        ] {
            let error = Record::from_json(line, None).unwrap_err();
            assert!(error.contains(why), "{error}");
        }
    }
}
