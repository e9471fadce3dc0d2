//! Where reading begins.

use crate::time;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Start {
    Beginning,
    End,
    Offset(i64),
    /// So many before the end of each partition.
    Tail(i64),
    /// The first record at or after this time, in milliseconds since 1970.
    Time(i64),
}

pub(super) fn parse(text: &str) -> Result<Start, String> {
    parse_at(text, time::now_ms())
}

fn parse_at(text: &str, now_ms: i64) -> Result<Start, String> {
    let expected = "expected start, end, an offset, -N or @TIME";
    match text {
        "start" | "beginning" | "earliest" => return Ok(Start::Beginning),
        "end" | "latest" => return Ok(Start::End),
        _ => {}
    }
    if let Some(when) = text.strip_prefix('@') {
        return time::parse(when, now_ms).map(Start::Time).ok_or_else(|| {
            "this is no time: 2026-11-20, 2026-11-20T07:00:00Z, milliseconds, or ago: -90s, -10m, -2h, -7d".to_owned()
        });
    }
    let number: i64 = text.parse().map_err(|_| expected.to_owned())?;
    Ok(if text.starts_with('-') { Start::Tail(number.saturating_neg()) } else { Start::Offset(number) })
}

#[cfg(test)]
mod tests {
    use super::{Start, parse_at};

    #[test]
    fn places_to_begin() {
        for (text, start) in [
            ("start", Start::Beginning),
            ("latest", Start::End),
            ("42", Start::Offset(42)),
            ("-5", Start::Tail(5)),
            ("@1700000000000", Start::Time(1_700_000_000_000)),
            ("@-1m", Start::Time(940_000)),
        ] {
            assert_eq!(parse_at(text, 1_000_000), Ok(start), "{text}");
        }
        for text in ["", "begin", "@", "@soon", "1.5", "--5"] {
            assert!(parse_at(text, 0).is_err(), "{text}");
        }
    }
}
