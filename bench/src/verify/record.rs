//! What a record holds: enough to judge each of its bytes from the record alone.
//!
//! `magic u32 | run u64 | producer u32 | partition i32 | sequence u64 | crc32c of all the rest u32 | filling`. The filling
//! follows from the name and the size, so a reader that knows the size knows every byte; the checksum tells a damaged
//! record from one that somebody else wrote.

use bytes::{Buf as _, BufMut as _};

const MAGIC: u32 = 0x5457_4c56;
/// Bytes in front of the filling, and so the smallest value.
pub(crate) const HEAD_BYTES: usize = 32;
/// Where the checksum lies.
const CRC_AT: usize = 28;

/// Which record it is. Sequences count from 0 for each producer and partition.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, serde::Serialize)]
pub(crate) struct Name {
    pub(crate) producer: u32,
    pub(crate) partition: i32,
    pub(crate) sequence: u64,
}

impl std::fmt::Display for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "record {} of producer {} for partition {}", self.sequence, self.producer, self.partition)
    }
}

/// Why a value is none of ours, or not as it was written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Unreadable {
    Foreign(String),
    Damaged(String),
}

impl std::fmt::Display for Unreadable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Foreign(what) => write!(f, "a record of another: {what}"),
            Self::Damaged(what) => write!(f, "damaged: {what}"),
        }
    }
}

/// How the records of a run are made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Format {
    /// Tells this run's records from those of another on the same topic.
    pub(crate) run: u64,
    /// Of the value.
    pub(crate) size: usize,
    pub(crate) keys: bool,
}

impl Format {
    /// The key of a record, if records have one.
    pub(crate) fn key(&self, name: Name) -> Option<[u8; 12]> {
        self.keys.then(|| {
            let mut key = [0; 12];
            let mut at = &mut key[..];
            at.put_u32(name.producer);
            at.put_u64(name.sequence);
            key
        })
    }

    /// Writes the value of a record into `value`, in place of what was there.
    pub(crate) fn value(&self, name: Name, value: &mut Vec<u8>) {
        value.clear();
        value.put_u32(MAGIC);
        value.put_u64(self.run);
        value.put_u32(name.producer);
        value.put_i32(name.partition);
        value.put_u64(name.sequence);
        value.put_u32(0);
        fill(self.run, name, self.size, value);
        let crc = checksum(value);
        if let Some(place) = value.get_mut(CRC_AT..HEAD_BYTES) {
            place.copy_from_slice(&crc.to_be_bytes());
        }
    }

    /// Which record this is; every byte must be as it was written. `scratch` saves an allocation per record.
    pub(crate) fn read(
        &self,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        scratch: &mut Vec<u8>,
    ) -> Result<Name, Unreadable> {
        let Some(value) = value else { return Err(Unreadable::Foreign("it has no value".to_owned())) };
        let (name, run) = self.head(value)?;
        if run != self.run {
            return Err(Unreadable::Foreign(format!("{name}, but of another run ({run:016x})")));
        }
        self.value(name, scratch);
        if let Some(at) = first_difference(scratch, value) {
            let sizes = format!("{} bytes of {}", value.len(), scratch.len());
            return Err(Unreadable::Damaged(format!("{name}, of which byte {at} is another ({sizes})")));
        }
        if key != self.key(name).as_ref().map(<[u8; 12]>::as_slice) {
            return Err(Unreadable::Damaged(format!("{name}, but with the key {key:?}")));
        }
        Ok(name)
    }

    fn head(&self, value: &[u8]) -> Result<(Name, u64), Unreadable> {
        let Some((mut head, _)) = value.split_at_checked(HEAD_BYTES) else {
            return Err(Unreadable::Foreign(format!("its value has {} bytes", value.len())));
        };
        let magic = head.get_u32();
        let run = head.get_u64();
        let name = Name { producer: head.get_u32(), partition: head.get_i32(), sequence: head.get_u64() };
        if head.get_u32() == checksum(value) && magic == MAGIC {
            return Ok((name, run));
        }
        // One that carries this run's number is ours, damaged; anything else was never ours.
        if magic == MAGIC && run == self.run {
            return Err(Unreadable::Damaged(format!("what says it is {name}, with a wrong checksum")));
        }
        if magic == MAGIC || run == self.run {
            return Err(Unreadable::Damaged("what was one of ours, with a wrong checksum".to_owned()));
        }
        Err(Unreadable::Foreign(format!("its value begins with {:02x?}", value.get(..8).unwrap_or_default())))
    }
}

/// Of everything but the checksum itself.
fn checksum(value: &[u8]) -> u32 {
    let (head, rest) = value.split_at_checked(CRC_AT).unwrap_or((value, &[]));
    crc32c::crc32c_append(crc32c::crc32c(head), rest.get(HEAD_BYTES - CRC_AT..).unwrap_or_default())
}

/// Bytes without a pattern, other ones for each name, until the value has its size.
fn fill(run: u64, name: Name, size: usize, value: &mut Vec<u8>) {
    let mut state = run ^ name.sequence.wrapping_mul(0xD1B5_4A32_D192_ED03);
    state ^= u64::from(name.producer) << 32 | u64::from(name.partition.cast_unsigned());
    while value.len() < size {
        // splitmix64.
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut word = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        let bytes = (word ^ (word >> 31)).to_le_bytes();
        value.extend(bytes.iter().take(size - value.len()));
    }
}

fn first_difference(expected: &[u8], found: &[u8]) -> Option<usize> {
    if expected == found {
        return None;
    }
    let same = expected.iter().zip(found).take_while(|(expected, found)| expected == found).count();
    Some(same)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

    use super::*;

    const FORMAT: Format = Format { run: 7, size: 100, keys: true };
    const NAME: Name = Name { producer: 3, partition: 5, sequence: 1_000_000 };

    fn written(format: Format) -> Vec<u8> {
        let mut value = Vec::new();
        format.value(NAME, &mut value);
        value
    }

    #[test]
    fn a_record_is_known_again() {
        let value = written(FORMAT);
        assert_eq!(value.len(), FORMAT.size);
        let key = FORMAT.key(NAME).unwrap();
        assert_eq!(FORMAT.read(Some(&key), Some(&value), &mut Vec::new()), Ok(NAME));
    }

    #[test]
    fn no_byte_can_be_another() {
        let key = FORMAT.key(NAME).unwrap();
        for at in 0..FORMAT.size {
            let mut value = written(FORMAT);
            value[at] ^= 0x10;
            let read = FORMAT.read(Some(&key), Some(&value), &mut Vec::new());
            assert!(matches!(read, Err(Unreadable::Damaged(_))), "byte {at}: {read:?}");
        }
        let value = written(FORMAT);
        for key in [None, Some(&key[..11])] {
            assert!(matches!(FORMAT.read(key, Some(&value), &mut Vec::new()), Err(Unreadable::Damaged(_))));
        }
        for size in [HEAD_BYTES, 99] {
            let cut = FORMAT.read(Some(&key), Some(&value[..size]), &mut Vec::new());
            assert!(matches!(cut, Err(Unreadable::Damaged(_))), "{cut:?}");
        }
    }

    #[test]
    fn what_others_wrote_is_foreign() {
        let other = written(Format { run: 8, ..FORMAT });
        for value in [None, Some(&other[..]), Some(&b"hello"[..]), Some(&[9; 100][..])] {
            let read = FORMAT.read(None, value, &mut Vec::new());
            assert!(matches!(read, Err(Unreadable::Foreign(_))), "{read:?}");
        }
    }

    #[test]
    fn a_forged_filling_with_a_right_checksum_is_found() {
        let mut value = written(FORMAT);
        value[60] ^= 1;
        let crc = checksum(&value);
        value[CRC_AT..HEAD_BYTES].copy_from_slice(&crc.to_be_bytes());
        let key = FORMAT.key(NAME).unwrap();
        let read = FORMAT.read(Some(&key), Some(&value), &mut Vec::new());
        assert!(matches!(&read, Err(Unreadable::Damaged(text)) if text.contains("is another")), "{read:?}");
    }
}
