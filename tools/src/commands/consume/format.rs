//! Templates for records, with kcat's letters.

use rdkafka::message::{BorrowedMessage, Headers, Message};

use crate::encoding::Encoding;

/// What kcat prints where there is no key or value.
const NULL: &[u8] = b"NULL";

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Format {
    pieces: Vec<Piece>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Literal(Vec<u8>),
    Value,
    ValueSize,
    Key,
    KeySize,
    Topic,
    Partition,
    Offset,
    Timestamp,
    Headers,
}

pub(super) fn parse(template: &str) -> Result<Format, String> {
    let mut pieces = Vec::new();
    let mut letters = template.chars();
    while let Some(letter) = letters.next() {
        let piece = match letter {
            '%' => directive(letters.next())?,
            '\\' => Piece::Literal(escape(&mut letters)?),
            other => Piece::Literal(other.to_string().into_bytes()),
        };
        pieces.push(piece);
    }
    Ok(Format { pieces })
}

fn directive(letter: Option<char>) -> Result<Piece, String> {
    Ok(match letter {
        Some('s') => Piece::Value,
        Some('S') => Piece::ValueSize,
        Some('k') => Piece::Key,
        Some('K') => Piece::KeySize,
        Some('t') => Piece::Topic,
        Some('p') => Piece::Partition,
        Some('o') => Piece::Offset,
        Some('T') => Piece::Timestamp,
        Some('h') => Piece::Headers,
        Some('%') => Piece::Literal(b"%".to_vec()),
        Some(other) => return Err(format!("%{other} means nothing; there are %s %S %k %K %t %p %o %T %h and %%")),
        None => return Err("the template ends in the middle of a %; a percent sign is %%".to_owned()),
    })
}

fn escape(letters: &mut std::str::Chars<'_>) -> Result<Vec<u8>, String> {
    Ok(match letters.next() {
        Some('n') => b"\n".to_vec(),
        Some('r') => b"\r".to_vec(),
        Some('t') => b"\t".to_vec(),
        Some('0') => b"\0".to_vec(),
        Some('\\') => b"\\".to_vec(),
        Some('x') => {
            let digits: String = letters.take(2).collect();
            let byte =
                Some(&digits).filter(|digits| digits.len() == 2).and_then(|digits| u8::from_str_radix(digits, 16).ok());
            vec![byte.ok_or("\\x wants two hexadecimal digits")?]
        }
        Some(other) => return Err(format!("\\{other} means nothing; there are \\n \\r \\t \\0 \\xNN and \\\\")),
        None => return Err("the template ends in a backslash; write \\\\ for one".to_owned()),
    })
}

impl Format {
    pub(super) fn render(&self, message: &BorrowedMessage<'_>, encoding: Encoding, out: &mut Vec<u8>) {
        for piece in &self.pieces {
            match piece {
                Piece::Literal(bytes) => out.extend_from_slice(bytes),
                Piece::Value => bytes(message.payload(), encoding, out),
                Piece::Key => bytes(message.key(), encoding, out),
                Piece::ValueSize => number(size(message.payload()), out),
                Piece::KeySize => number(size(message.key()), out),
                Piece::Topic => out.extend_from_slice(message.topic().as_bytes()),
                Piece::Partition => number(message.partition().into(), out),
                Piece::Offset => number(message.offset(), out),
                Piece::Timestamp => number(message.timestamp().to_millis().unwrap_or(-1), out),
                Piece::Headers => headers(message, encoding, out),
            }
        }
    }
}

/// -1 for none, as kcat has it.
fn size(bytes: Option<&[u8]>) -> i64 {
    bytes.map_or(-1, |bytes| i64::try_from(bytes.len()).unwrap_or(i64::MAX))
}

fn number(number: i64, out: &mut Vec<u8>) {
    out.extend_from_slice(number.to_string().as_bytes());
}

pub(super) fn bytes(bytes: Option<&[u8]>, encoding: Encoding, out: &mut Vec<u8>) {
    match bytes {
        Some(bytes) => out.extend_from_slice(&encoding.encode(bytes)),
        None => out.extend_from_slice(NULL),
    }
}

fn headers(message: &BorrowedMessage<'_>, encoding: Encoding, out: &mut Vec<u8>) {
    let Some(headers) = message.headers() else { return };
    for (number, header) in headers.iter().enumerate() {
        if number > 0 {
            out.push(b',');
        }
        out.extend_from_slice(header.key.as_bytes());
        out.push(b'=');
        bytes(header.value, encoding, out);
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::{Format, Piece, parse};

    #[test]
    fn templates_are_read() {
        let literal = |text: &[u8]| Piece::Literal(text.to_vec());
        let expected = vec![Piece::Key, literal(b":"), Piece::Value, literal(b"%"), literal(b"\n"), literal(b"\xff")];
        assert_eq!(parse("%k:%s%%\\n\\xff"), Ok(Format { pieces: expected }));
    }

    #[test]
    fn wrong_templates_say_what_there_is() {
        for (template, why) in [
            ("%q", "%q means nothing"),
            ("100%", "ends in the middle"),
            ("\\q", "\\q means nothing"),
            ("\\x1", "two hexadecimal"),
            ("\\xé1", "two hexadecimal"),
            ("\\", "backslash"),
        ] {
            let error = parse(template).unwrap_err();
            assert!(error.contains(why), "{template}: {error}");
        }
    }
}
