//! What a command says on stdout: text for people, or one JSON document per command.

use std::io::{self, Write};

use serde::Serialize;

use crate::failure::Failure;

#[derive(Debug, Clone, Copy)]
pub(crate) struct Output {
    pub(crate) json: bool,
}

impl Output {
    /// One result, as JSON or as the text that `text` makes of it.
    pub(crate) fn emit<T: Serialize>(self, value: &T, text: impl FnOnce(&T) -> String) -> Result<(), Failure> {
        let text = if self.json {
            serde_json::to_string_pretty(value).map_err(|error| Failure::new(format!("cannot write JSON: {error}")))?
        } else {
            text(value)
        };
        write_stdout(text.trim_end_matches('\n'))
    }
}

fn write_stdout(text: &str) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    let written =
        if text.is_empty() { Ok(()) } else { stdout.write_all(text.as_bytes()).and_then(|()| stdout.write_all(b"\n")) };
    written.and_then(|()| stdout.flush()).map_err(|error| Failure::output(&error))
}

/// Columns under a heading, each as wide as its widest cell.
#[derive(Debug)]
pub(crate) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new<const N: usize>(heading: [&str; N]) -> Self {
        Self { rows: vec![heading.iter().map(|name| name.to_uppercase()).collect()] }
    }

    pub(crate) fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.rows.push(cells.into());
    }

    pub(crate) fn render(&self) -> String {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let widths: Vec<usize> = (0..columns)
            .map(|column| {
                self.rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
            })
            .collect();
        let mut text = String::new();
        for row in &self.rows {
            let cells: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
            text.push_str(cells.join("  ").trim_end());
            text.push('\n');
        }
        text
    }
}

/// A number that may be unknown, for a table.
pub(crate) fn or_dash<T: ToString>(value: Option<T>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}

/// `1 topic`, `2 topics`.
pub(crate) fn count(number: u64, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

/// `1,2,3`.
pub(crate) fn commas<T: ToString>(values: &[T]) -> String {
    values.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}

/// A size for people, in powers of 1024.
pub(crate) fn bytes(size: u64) -> String {
    let mut unit = "B";
    let mut amount = size as f64;
    for larger in ["KiB", "MiB", "GiB", "TiB"] {
        if amount < 1024.0 {
            break;
        }
        amount /= 1024.0;
        unit = larger;
    }
    if unit == "B" { format!("{size} B") } else { format!("{amount:.1} {unit}") }
}

#[cfg(test)]
mod tests {
    use super::{Table, bytes};

    #[test]
    fn tables_align_and_leave_no_trailing_blanks() {
        let mut table = Table::new(["name", "n"]);
        table.row(["orders".to_owned(), "12".to_owned()]);
        table.row(["p".to_owned(), String::new()]);
        assert_eq!(table.render(), "NAME    N\norders  12\np\n");
    }

    #[test]
    fn sizes() {
        for (size, text) in [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (5 << 30, "5.0 GiB")] {
            assert_eq!(bytes(size), text);
        }
    }
}
