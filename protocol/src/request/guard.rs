//! Walks a request body before it is decoded.
//!
//! The decoder of the message types allocates room for as many elements as an array's length claims, so four bytes
//! could ask for terabytes. The walk follows the request's shape over the very bytes and allocates nothing; what passes
//! it holds as many elements as it claims, and no more than [`ELEMENTS_MAX`].

use thiserror::Error;

use super::schema::REQUESTS;
use super::shape::{Field, Kind, Schema};
use crate::wire::{Reader, WireError};

/// How many structs, strings and tagged fields one request may hold together. One such element takes a few bytes on
/// the wire and up to some hundred in memory; the widest request that makes sense names every partition of a large
/// cluster once.
pub const ELEMENTS_MAX: usize = 1 << 18;

/// Why a body is not the request that its header announces.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum GuardError {
    #[error(transparent)]
    Wire(#[from] WireError),
    #[error("no API has the key {api_key}")]
    UnknownApi { api_key: i16 },
    #[error("it holds more than {limit} elements")]
    TooManyElements { limit: usize },
    #[error("the tagged field {tag} announces {announced} bytes and has {found}")]
    TaggedFieldSize { tag: u32, announced: usize, found: usize },
    #[error("{value} does not say whether a struct follows")]
    BadPresence { value: u8 },
}

/// Whether `body` begins with a request of this API and version, and how many bytes stand behind it. Those are ignored,
/// as Kafka does: librdkafka 2.16 sends some behind Metadata v13.
///
/// # Errors
/// With the first thing that is wrong.
pub fn check_body(api_key: i16, version: i16, body: &[u8]) -> Result<usize, GuardError> {
    let schema = schema(api_key).ok_or(GuardError::UnknownApi { api_key })?;
    let flexible = version >= schema.flexible_from;
    let mut walk = Walk { reader: Reader::new(body), version, flexible, elements_left: ELEMENTS_MAX };
    walk.fields(schema.fields)?;
    Ok(walk.reader.remaining())
}

fn schema(api_key: i16) -> Option<&'static Schema> {
    let index = REQUESTS.binary_search_by_key(&api_key, |schema| schema.api_key).ok()?;
    REQUESTS.get(index)
}

struct Walk<'a> {
    reader: Reader<'a>,
    version: i16,
    flexible: bool,
    elements_left: usize,
}

impl Walk<'_> {
    /// A struct's fields in their places, then those behind tags.
    fn fields(&mut self, fields: &'static [Field]) -> Result<(), GuardError> {
        for field in fields {
            if field.tag.is_none() && field.is_in(self.version) {
                self.value(&field.kind)?;
            }
        }
        if self.flexible {
            for _ in 0..self.reader.unsigned_varint()? {
                self.spend(1)?;
                self.tagged_field(fields)?;
            }
        }
        Ok(())
    }

    /// A field behind its tag. What is announced must be what it has: the decoder believes the field, not the size.
    fn tagged_field(&mut self, fields: &'static [Field]) -> Result<(), GuardError> {
        let tag = self.reader.unsigned_varint()?;
        let announced = self.reader.unsigned_varint()? as usize;
        let known = fields.iter().find(|field| field.tag == Some(tag) && field.is_in(self.version));
        let Some(field) = known else {
            self.reader.take(announced)?;
            return Ok(());
        };
        let before = self.reader.remaining();
        self.value(&field.kind)?;
        let found = before - self.reader.remaining();
        if found != announced {
            return Err(GuardError::TaggedFieldSize { tag, announced, found });
        }
        Ok(())
    }

    fn value(&mut self, kind: &'static Kind) -> Result<(), GuardError> {
        match kind {
            Kind::Fixed(size) => self.skip(Some(*size)),
            Kind::String => {
                let size = self.string_len()?;
                self.skip(size)
            }
            Kind::Bytes => {
                let size = self.long_len()?;
                self.skip(size)
            }
            Kind::Array(element) => self.array(element),
            Kind::Struct(fields) => self.fields(fields),
            Kind::NullableStruct(fields) => match self.reader.u8()? {
                1 => self.fields(fields),
                0xff => Ok(()),
                value => Err(GuardError::BadPresence { value }),
            },
        }
    }

    fn array(&mut self, element: &'static Kind) -> Result<(), GuardError> {
        let count = self.long_len()?.unwrap_or(0);
        if let Kind::Fixed(size) = element {
            return self.skip(Some(count.saturating_mul(*size)));
        }
        self.spend(count)?;
        for _ in 0..count {
            self.value(element)?;
        }
        Ok(())
    }

    fn spend(&mut self, elements: usize) -> Result<(), GuardError> {
        let left = self.elements_left.checked_sub(elements);
        self.elements_left = left.ok_or(GuardError::TooManyElements { limit: ELEMENTS_MAX })?;
        Ok(())
    }

    fn skip(&mut self, size: Option<usize>) -> Result<(), GuardError> {
        self.reader.take(size.unwrap_or(0))?;
        Ok(())
    }

    /// The length of a string; `None` for null, of which the decoder knows whether it may be.
    fn string_len(&mut self) -> Result<Option<usize>, WireError> {
        if self.flexible { self.compact_len() } else { plain_len(i64::from(self.reader.i16()?)) }
    }

    /// The length of bytes or of an array.
    fn long_len(&mut self) -> Result<Option<usize>, WireError> {
        if self.flexible { self.compact_len() } else { plain_len(i64::from(self.reader.i32()?)) }
    }

    fn compact_len(&mut self) -> Result<Option<usize>, WireError> {
        Ok((self.reader.unsigned_varint()? as usize).checked_sub(1))
    }
}

fn plain_len(length: i64) -> Result<Option<usize>, WireError> {
    match usize::try_from(length) {
        Ok(size) => Ok(Some(size)),
        Err(_) if length == -1 => Ok(None),
        Err(_) => Err(WireError::NegativeLength { length }),
    }
}
