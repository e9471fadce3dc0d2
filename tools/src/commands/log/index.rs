//! Kafka's sparse indexes: entries of big-endian numbers, relative to the offset in the file's name.

use std::fs;
use std::os::unix::fs::FileExt as _;

use serde::Serialize;
use thalweg_protocol::records::BatchHeader;

use super::files::{DataFile, Kind, unreadable};
use crate::failure::Failure;

/// Kafka's brokers reserve `segment.index.bytes`, 10 MiB, and cut the rest later; ours never write more.
const INDEX_SIZE_MAX_BYTES: u64 = 1 << 30;
const OFFSET_ENTRY_LEN: usize = 8;
const TIME_ENTRY_LEN: usize = 12;
const TRANSACTION_ENTRY_LEN: usize = 34;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub(super) enum Entry {
    /// The batch that begins at `position` ends at or behind `offset`.
    Offset { offset: i64, position: u32 },
    /// Up to `offset`, no record is newer than `timestamp`.
    Time { timestamp: i64, offset: i64 },
    /// The producer's transaction from `first_offset` on was aborted by the marker at `last_offset`; readers of committed
    /// records stopped at `last_stable_offset` then.
    Aborted { version: i16, producer_id: i64, first_offset: i64, last_offset: i64, last_stable_offset: i64 },
}

impl Entry {
    pub(super) fn text(self) -> String {
        match self {
            Self::Offset { offset, position } => format!("  offset {offset} at {position}"),
            Self::Time { timestamp, offset } => {
                format!("  {} up to offset {offset}", crate::time::format_ms(timestamp))
            }
            Self::Aborted { producer_id, first_offset, last_offset, last_stable_offset, .. } => format!(
                "  producer {producer_id} aborted offsets {first_offset} to {last_offset}, last stable offset \
                 {last_stable_offset}"
            ),
        }
    }

    const fn order(self) -> i64 {
        match self {
            Self::Offset { offset, .. } => offset,
            Self::Time { timestamp, .. } => timestamp,
            Self::Aborted { last_offset, .. } => last_offset,
        }
    }
}

pub(super) fn read(file: &DataFile) -> Result<Vec<Entry>, Failure> {
    if file.size_bytes > INDEX_SIZE_MAX_BYTES {
        return Err(Failure::new(format!("{} is too large for an index", file.path.display())));
    }
    let bytes = fs::read(&file.path).map_err(|error| unreadable(&file.path, &error))?;
    Ok(entries(&bytes, file))
}

/// Unwritten entries at the end are zeros; there is no zero entry behind the first.
fn entries(bytes: &[u8], file: &DataFile) -> Vec<Entry> {
    let length = match file.kind {
        Kind::TimeIndex => TIME_ENTRY_LEN,
        Kind::TransactionIndex => TRANSACTION_ENTRY_LEN,
        _ => OFFSET_ENTRY_LEN,
    };
    bytes
        .chunks_exact(length)
        .take_while(|entry| entry.iter().any(|byte| *byte != 0))
        .filter_map(|entry| parse(entry, file))
        .collect()
}

fn parse(entry: &[u8], file: &DataFile) -> Option<Entry> {
    let absolute = |relative: [u8; 4]| file.base_offset + i64::from(i32::from_be_bytes(relative));
    if file.kind == Kind::TransactionIndex {
        return parse_aborted(entry);
    }
    if file.kind == Kind::TimeIndex {
        let (timestamp, offset) = entry.split_first_chunk::<8>()?;
        return Some(Entry::Time {
            timestamp: i64::from_be_bytes(*timestamp),
            offset: absolute(*offset.first_chunk()?),
        });
    }
    let (offset, position) = entry.split_first_chunk::<4>()?;
    Some(Entry::Offset { offset: absolute(*offset), position: u32::from_be_bytes(*position.first_chunk()?) })
}

/// Kafka's `AbortedTxn`.
fn parse_aborted(entry: &[u8]) -> Option<Entry> {
    let (version, fields) = entry.split_first_chunk::<2>()?;
    let mut fields = fields.as_chunks::<8>().0.iter().map(|field| i64::from_be_bytes(*field));
    Some(Entry::Aborted {
        version: i16::from_be_bytes(*version),
        producer_id: fields.next()?,
        first_offset: fields.next()?,
        last_offset: fields.next()?,
        last_stable_offset: fields.next()?,
    })
}

/// What is wrong with an index taken alone: its entries must rise.
pub(super) fn problem(entries: &[Entry]) -> Option<String> {
    entries.windows(2).enumerate().find_map(|(number, pair)| match pair {
        [before, after] if after.order() <= before.order() => {
            Some(format!("entry {} does not come behind the one before it", number + 1))
        }
        _ => None,
    })
}

/// The first entry that points to no batch of its offset. What the segment does not hold yet is passed over, as is a
/// segment that is not there: an index may be looked at alone.
pub(super) fn problem_in_segment(file: &DataFile, entries: &[Entry]) -> Option<String> {
    let segment = fs::File::open(file.path.with_extension("log")).ok()?;
    entries.iter().enumerate().find_map(|(number, entry)| {
        let Entry::Offset { offset, position } = *entry else { return None };
        let mut bytes = [0; BatchHeader::LEN];
        segment.read_exact_at(&mut bytes, u64::from(position)).ok()?;
        if bytes.iter().all(|byte| *byte == 0) {
            return None;
        }
        let is_there = BatchHeader::parse(&bytes).is_ok_and(|header| header.base_offset.0 <= offset);
        (!is_there)
            .then(|| format!("entry {number}: no batch with offset {offset} begins at {position} of the segment"))
    })
}

#[cfg(test)]
mod tests {
    use super::{Entry, entries, problem};
    use crate::commands::log::files::{DataFile, Kind};

    fn file(kind: Kind) -> DataFile {
        DataFile { path: "00000000000000000100.index".into(), kind, base_offset: 100, size_bytes: 0, newest: true }
    }

    #[test]
    fn entries_end_where_the_zeros_begin() {
        let bytes = [0, 0, 0, 5, 0, 0, 16, 0, 0, 0, 0, 9, 0, 0, 32, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        let read = entries(&bytes, &file(Kind::OffsetIndex));
        assert_eq!(
            read,
            [Entry::Offset { offset: 105, position: 4096 }, Entry::Offset { offset: 109, position: 8192 }]
        );
        assert_eq!(problem(&read), None);
        let time = entries(&[0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 1], &file(Kind::TimeIndex));
        assert_eq!(time, [Entry::Time { timestamp: 7, offset: 101 }]);
    }

    #[test]
    fn aborted_transactions_are_absolute() {
        let mut bytes = vec![0, 0];
        bytes.extend([7_i64, 90, 104, 105].iter().flat_map(|field| field.to_be_bytes()));
        let read = entries(&bytes, &file(Kind::TransactionIndex));
        let expected =
            Entry::Aborted { version: 0, producer_id: 7, first_offset: 90, last_offset: 104, last_stable_offset: 105 };
        assert_eq!(read, [expected]);
        assert!(expected.text().contains("producer 7 aborted offsets 90 to 104"));
        assert!(problem(&[expected, expected]).is_some(), "a marker aborts once");
    }

    #[test]
    fn entries_must_rise() {
        let entry = |offset| Entry::Offset { offset, position: 0 };
        assert!(problem(&[entry(1), entry(3), entry(3)]).is_some_and(|text| text.contains("entry 2")));
    }
}
