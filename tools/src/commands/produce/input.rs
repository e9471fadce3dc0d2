//! Where records come from: arguments, or the lines of a file or of stdin.

use std::fs::File;
use std::io::{self, BufRead, BufReader, IsTerminal, Read};
use std::path::Path;

use crate::failure::Failure;

use super::Arguments;
use super::record::Record;

/// No broker takes a record this large; a line that has no end must not fill the memory.
const RECORD_SIZE_MAX_BYTES: u64 = 1 << 30;

pub(super) struct Input {
    source: Source,
    name: String,
    line: u64,
    /// The whole input's, where it is a file.
    pub(super) size_bytes: Option<u64>,
    pub(super) from_file: bool,
}

enum Source {
    Values(std::vec::IntoIter<String>),
    Stream(Box<dyn BufRead>),
}

pub(super) fn open(arguments: &Arguments) -> Result<Input, Failure> {
    if !arguments.values.is_empty() {
        let source = Source::Values(arguments.values.clone().into_iter());
        return Ok(Input { source, name: "argument".to_owned(), line: 0, size_bytes: None, from_file: false });
    }
    match &arguments.file {
        Some(path) if path != Path::new("-") => open_file(path),
        _ => {
            if io::stdin().is_terminal() && !arguments.quiet {
                eprintln!("one record per line; Ctrl-D ends");
            }
            let source = Source::Stream(Box::new(BufReader::new(io::stdin())));
            let from_file = !io::stdin().is_terminal();
            Ok(Input { source, name: "stdin".to_owned(), line: 0, size_bytes: None, from_file })
        }
    }
}

fn open_file(path: &Path) -> Result<Input, Failure> {
    let name = path.display().to_string();
    let unreadable = |error: io::Error| Failure::new(format!("cannot read {name}: {error}"));
    let file = File::open(path).map_err(unreadable)?;
    let metadata = file.metadata().map_err(unreadable)?;
    let size_bytes = metadata.is_file().then_some(metadata.len());
    let source = Source::Stream(Box::new(BufReader::with_capacity(1 << 16, file)));
    Ok(Input { source, name, line: 0, size_bytes, from_file: true })
}

impl Input {
    pub(super) fn next(&mut self, arguments: &Arguments) -> Result<Option<Record>, Failure> {
        let Some(bytes) = self.next_bytes(arguments.whole)? else { return Ok(None) };
        self.line += 1;
        let record = if arguments.json_lines {
            Record::from_json(&bytes, arguments.partition)
        } else {
            Record::from_text(bytes, arguments)
        };
        record.map(Some).map_err(|reason| Failure::new(format!("{} {}: {reason}", self.place(), self.line)))
    }

    fn place(&self) -> String {
        if matches!(self.source, Source::Values(_)) { "value".to_owned() } else { format!("{}: line", self.name) }
    }

    fn next_bytes(&mut self, whole: bool) -> Result<Option<Vec<u8>>, Failure> {
        let stream = match &mut self.source {
            Source::Values(values) => return Ok(values.next().map(String::into_bytes)),
            Source::Stream(stream) => stream,
        };
        let mut bytes = Vec::new();
        let mut limited = stream.take(RECORD_SIZE_MAX_BYTES);
        let read = if whole {
            if self.line > 0 { Ok(0) } else { limited.read_to_end(&mut bytes) }
        } else {
            limited.read_until(b'\n', &mut bytes)
        };
        let read = read.map_err(|error| Failure::new(format!("cannot read {}: {error}", self.name)))?;
        if read as u64 >= RECORD_SIZE_MAX_BYTES {
            return Err(Failure::new(format!(
                "{}: line {} is longer than any record may be",
                self.name,
                self.line + 1
            )));
        }
        if !whole && bytes.last() == Some(&b'\n') {
            bytes.pop();
        }
        Ok((read > 0 || (whole && self.line == 0)).then_some(bytes))
    }
}
