//! Records read in place, for who looks at them and moves on: nothing is allocated for a record.

use super::header::{BatchHeader, RecordError};
use crate::types::KafkaOffset;
use crate::wire::{Reader, WireError};

/// One record, without its timestamp and headers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RecordRef<'a> {
    pub offset: KafkaOffset,
    pub key: Option<&'a [u8]>,
    pub value: Option<&'a [u8]>,
}

/// The records of one batch in its (decompressed) body. Gives an error and ends where the body does not hold what the
/// header announces. Headers are stepped over without being looked at.
#[derive(Clone, Debug)]
pub struct RecordRefs<'a> {
    base_offset: KafkaOffset,
    count: i32,
    index: i32,
    reader: Reader<'a>,
}

impl<'a> RecordRefs<'a> {
    pub const fn new(header: &BatchHeader, body: &'a [u8]) -> Self {
        Self { base_offset: header.base_offset, count: header.records_count, index: 0, reader: Reader::new(body) }
    }

    fn read(&mut self) -> Result<RecordRef<'a>, WireError> {
        let size = self.reader.varint()?;
        let size = usize::try_from(size).map_err(|_| WireError::NegativeLength { length: i64::from(size) })?;
        let mut record = Reader::new(self.reader.take(size)?);
        record.u8()?;
        record.varlong()?;
        let offset_delta = record.varint()?;
        let key = nullable(&mut record)?;
        let value = nullable(&mut record)?;
        let offset = KafkaOffset(self.base_offset.0.saturating_add(i64::from(offset_delta)));
        Ok(RecordRef { offset, key, value })
    }
}

fn nullable<'a>(record: &mut Reader<'a>) -> Result<Option<&'a [u8]>, WireError> {
    usize::try_from(record.varint()?).ok().map(|size| record.take(size)).transpose()
}

impl<'a> Iterator for RecordRefs<'a> {
    type Item = Result<RecordRef<'a>, RecordError>;

    fn next(&mut self) -> Option<Self::Item> {
        let bad = |index, reason| Some(Err(RecordError::BadRecord { index, reason }));
        let index = self.index;
        if index >= self.count {
            let left = std::mem::replace(&mut self.reader, Reader::new(&[])).remaining();
            return if left > 0 { bad(index, "bytes are left behind the last record") } else { None };
        }
        self.index += 1;
        match self.read() {
            Ok(record) => Some(Ok(record)),
            Err(_) => {
                (self.index, self.reader) = (self.count, Reader::new(&[]));
                bad(index, "a field is cut")
            }
        }
    }
}
