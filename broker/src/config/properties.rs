//! Java's properties syntax, as `java.util.Properties.load` reads it, with the line each key came from.

use std::fmt;

/// Where a setting was made; errors and warnings begin with it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Origin {
    /// A line of the properties file, counted from 1.
    Line {
        /// The file, as it was given on the command line.
        file: String,
        /// The line on which the key begins.
        line: usize,
    },
    /// `--override key=value`.
    Override,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line { file, line } => write!(f, "{file}:{line}"),
            Self::Override => f.write_str("override"),
        }
    }
}

/// One `key=value`, unescaped.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Property {
    /// The key.
    pub key: String,
    /// The value; Java keeps space at its end, parsing trims it.
    pub value: String,
    /// The line on which it begins, counted from 1.
    pub line: usize,
}

/// Text that is not in properties syntax. The only possible mistake in it is a broken `\u` escape.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("\\u must be followed by four hexadecimal digits")]
pub struct BadEscape {
    /// The line on which the property begins, counted from 1.
    pub line: usize,
}

/// Decodes a file's bytes: UTF-8, or else ISO 8859-1, which is what Java reads and what older files are written in.
pub fn decode(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.strip_prefix('\u{feff}').unwrap_or(text).to_owned(),
        Err(_) => bytes.iter().map(|&byte| char::from(byte)).collect(),
    }
}

/// All properties in the order of the file, repeated keys included.
pub fn parse(text: &str) -> Result<Vec<Property>, BadEscape> {
    let mut properties = Vec::new();
    let mut lines = text.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line)).enumerate();
    while let Some((number, first)) = lines.next() {
        let first = trim_start(first);
        if first.is_empty() || first.starts_with(['#', '!']) {
            continue;
        }
        let mut logical = first.to_owned();
        while continues(&logical) {
            logical.pop();
            match lines.next() {
                Some((_, next)) => logical.push_str(trim_start(next)),
                None => break,
            }
        }
        let line = number + 1;
        let (key, value) = split(&logical);
        let unescape = |text| unescape(text).ok_or(BadEscape { line });
        properties.push(Property { key: unescape(key)?, value: unescape(value)?, line });
    }
    Ok(properties)
}

fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\u{c}')
}

fn trim_start(line: &str) -> &str {
    line.trim_start_matches(is_space)
}

/// A line goes on in the next one when an odd number of backslashes ends it.
fn continues(line: &str) -> bool {
    line.chars().rev().take_while(|&c| c == '\\').count() % 2 == 1
}

/// The key ends at the first unescaped `=`, `:` or space; around one `=` or `:` there may be space.
fn split(line: &str) -> (&str, &str) {
    let mut escaped = false;
    let end = line.char_indices().find(|&(_, c)| {
        let ends = !escaped && (matches!(c, '=' | ':') || is_space(c));
        escaped = c == '\\' && !escaped;
        ends
    });
    let Some((end, _)) = end else {
        return (line, "");
    };
    let (key, rest) = line.split_at(end);
    let rest = trim_start(rest);
    (key, trim_start(rest.strip_prefix(['=', ':']).unwrap_or(rest)))
}

fn unescape(text: &str) -> Option<String> {
    if !text.contains('\\') {
        return Some(text.to_owned());
    }
    // UTF-16, since a character beyond the first plane is written as two \u escapes.
    let mut units: Vec<u16> = Vec::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        let unit = match c {
            '\\' => match chars.next() {
                Some('u') => {
                    units.push(hex4(&mut chars)?);
                    continue;
                }
                Some('t') => '\t',
                Some('n') => '\n',
                Some('r') => '\r',
                Some('f') => '\u{c}',
                Some(other) => other,
                None => break,
            },
            other => other,
        };
        units.extend_from_slice(unit.encode_utf16(&mut [0; 2]));
    }
    Some(String::from_utf16_lossy(&units))
}

fn hex4(chars: &mut std::str::Chars<'_>) -> Option<u16> {
    let mut unit = 0;
    for _ in 0..4 {
        unit = unit * 16 + u16::try_from(chars.next()?.to_digit(16)?).ok()?;
    }
    Some(unit)
}
