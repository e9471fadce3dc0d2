//! How the values in messages are written and read, in the old encoding and the compact one (KIP-482).

use std::collections::BTreeMap;

use anyhow::{Result, bail};
use bytes::Bytes;
use kafka_protocol::messages::{BrokerId, GroupId, ProducerId, TopicName, TransactionalId};
use kafka_protocol::protocol::StrBytes;
use kafka_protocol::protocol::buf::{ByteBuf, ByteBufMut};
use uuid::Uuid;

/// Room made for a list before its elements are there: a length alone claims no more.
const ROOM_MAX: usize = 1024;

/// Where a value stands: which version's fields there are, and how lengths are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct At {
    pub(crate) version: i16,
    pub(crate) flexible: bool,
}

impl At {
    pub(crate) const fn is_in(self, min: i16, max: i16) -> bool {
        min <= self.version && self.version <= max
    }
}

/// A value as it stands in a message.
pub(crate) trait Field: Sized {
    fn write<B: ByteBufMut>(&self, buf: &mut B, at: At) -> Result<()>;
    fn size(&self, at: At) -> Result<usize>;
    fn read<B: ByteBuf>(buf: &mut B, at: At) -> Result<Self>;
}

/// A value for which a version has no place must be what a reader of that version assumes.
pub(crate) fn check_absent(harmless: bool) -> Result<()> {
    if !harmless {
        bail!("A field is set that is not available on the selected protocol version");
    }
    Ok(())
}

macro_rules! numbers {
    ($($kind:ty: $put:ident, $get:ident;)*) => {$(
        impl Field for $kind {
            fn write<B: ByteBufMut>(&self, buf: &mut B, _: At) -> Result<()> {
                buf.$put(*self);
                Ok(())
            }

            fn size(&self, _: At) -> Result<usize> {
                Ok(size_of::<Self>())
            }

            fn read<B: ByteBuf>(buf: &mut B, _: At) -> Result<Self> {
                need(buf, size_of::<Self>())?;
                Ok(buf.$get())
            }
        }
    )*};
}

numbers! {
    i8: put_i8, get_i8;
    i16: put_i16, get_i16;
    u16: put_u16, get_u16;
    i32: put_i32, get_i32;
    i64: put_i64, get_i64;
}

/// Types that are another with a name.
macro_rules! named {
    ($($name:ident($inner:ty);)*) => {$(
        impl Field for $name {
            fn write<B: ByteBufMut>(&self, buf: &mut B, at: At) -> Result<()> {
                self.0.write(buf, at)
            }

            fn size(&self, at: At) -> Result<usize> {
                self.0.size(at)
            }

            fn read<B: ByteBuf>(buf: &mut B, at: At) -> Result<Self> {
                <$inner>::read(buf, at).map(Self)
            }
        }
    )*};
}

named! {
    GroupId(StrBytes);
    TopicName(StrBytes);
    TransactionalId(StrBytes);
    BrokerId(i32);
    ProducerId(i64);
}

impl Field for Option<GroupId> {
    fn write<B: ByteBufMut>(&self, buf: &mut B, at: At) -> Result<()> {
        match self {
            Some(group) => group.write(buf, at),
            None => write_len(buf, at, Width::Short, None),
        }
    }

    fn size(&self, at: At) -> Result<usize> {
        self.as_ref().map_or_else(|| len_size(at, Width::Short, None), |group| group.size(at))
    }

    fn read<B: ByteBuf>(buf: &mut B, at: At) -> Result<Self> {
        Ok(Option::<StrBytes>::read(buf, at)?.map(GroupId))
    }
}

/// A struct that may be null stands behind a byte that says so.
macro_rules! nullable_struct {
    ($name:ident) => {
        impl $crate::newer::codec::Field for Option<$name> {
            fn write<B: kafka_protocol::protocol::buf::ByteBufMut>(
                &self,
                buf: &mut B,
                at: $crate::newer::codec::At,
            ) -> anyhow::Result<()> {
                buf.put_i8(if self.is_some() { 1 } else { -1 });
                self.as_ref().map_or(Ok(()), |value| value.write(buf, at))
            }

            fn size(&self, at: $crate::newer::codec::At) -> anyhow::Result<usize> {
                Ok(1 + self.as_ref().map_or(Ok(0), |value| value.size(at))?)
            }

            fn read<B: kafka_protocol::protocol::buf::ByteBuf>(
                buf: &mut B,
                at: $crate::newer::codec::At,
            ) -> anyhow::Result<Self> {
                match i8::read(buf, at)? {
                    1 => $name::read(buf, at).map(Some),
                    -1 => Ok(None),
                    other => anyhow::bail!("{other} does not say whether a struct follows"),
                }
            }
        }
    };
}

pub(crate) use nullable_struct;

impl Field for bool {
    fn write<B: ByteBufMut>(&self, buf: &mut B, _: At) -> Result<()> {
        buf.put_u8(u8::from(*self));
        Ok(())
    }

    fn size(&self, _: At) -> Result<usize> {
        Ok(1)
    }

    fn read<B: ByteBuf>(buf: &mut B, at: At) -> Result<Self> {
        Ok(i8::read(buf, at)? != 0)
    }
}

impl Field for Uuid {
    fn write<B: ByteBufMut>(&self, buf: &mut B, _: At) -> Result<()> {
        buf.put_slice(self.as_bytes());
        Ok(())
    }

    fn size(&self, _: At) -> Result<usize> {
        Ok(16)
    }

    fn read<B: ByteBuf>(buf: &mut B, _: At) -> Result<Self> {
        need(buf, 16)?;
        Ok(Self::from_u128(buf.get_u128()))
    }
}

impl Field for StrBytes {
    fn write<B: ByteBufMut>(&self, buf: &mut B, at: At) -> Result<()> {
        write_len(buf, at, Width::Short, Some(self.len()))?;
        buf.put_slice(self.as_bytes());
        Ok(())
    }

    fn size(&self, at: At) -> Result<usize> {
        Ok(len_size(at, Width::Short, Some(self.len()))? + self.len())
    }

    fn read<B: ByteBuf>(buf: &mut B, at: At) -> Result<Self> {
        match Option::<Self>::read(buf, at)? {
            Some(text) => Ok(text),
            None => bail!("a string is null that must not be"),
        }
    }
}

impl Field for Option<StrBytes> {
    fn write<B: ByteBufMut>(&self, buf: &mut B, at: At) -> Result<()> {
        match self {
            Some(text) => text.write(buf, at),
            None => write_len(buf, at, Width::Short, None),
        }
    }

    fn size(&self, at: At) -> Result<usize> {
        self.as_ref().map_or_else(|| len_size(at, Width::Short, None), |text| text.size(at))
    }

    fn read<B: ByteBuf>(buf: &mut B, at: At) -> Result<Self> {
        let Some(len) = read_len(buf, at, Width::Short)? else { return Ok(None) };
        Ok(Some(StrBytes::from_utf8(buf.try_get_bytes(len)?)?))
    }
}

impl Field for Option<Bytes> {
    fn write<B: ByteBufMut>(&self, buf: &mut B, at: At) -> Result<()> {
        write_len(buf, at, Width::Long, self.as_ref().map(Bytes::len))?;
        buf.put_slice(self.as_deref().unwrap_or_default());
        Ok(())
    }

    fn size(&self, at: At) -> Result<usize> {
        let len = self.as_ref().map(Bytes::len);
        Ok(len_size(at, Width::Long, len)? + len.unwrap_or(0))
    }

    fn read<B: ByteBuf>(buf: &mut B, at: At) -> Result<Self> {
        let Some(len) = read_len(buf, at, Width::Long)? else { return Ok(None) };
        Ok(Some(buf.try_get_bytes(len)?))
    }
}

impl<T: Field> Field for Vec<T> {
    fn write<B: ByteBufMut>(&self, buf: &mut B, at: At) -> Result<()> {
        write_len(buf, at, Width::Long, Some(self.len()))?;
        self.iter().try_for_each(|element| element.write(buf, at))
    }

    fn size(&self, at: At) -> Result<usize> {
        let elements: usize = self.iter().map(|element| element.size(at)).sum::<Result<_>>()?;
        Ok(len_size(at, Width::Long, Some(self.len()))? + elements)
    }

    fn read<B: ByteBuf>(buf: &mut B, at: At) -> Result<Self> {
        match Option::<Self>::read(buf, at)? {
            Some(list) => Ok(list),
            None => bail!("a list is null that must not be"),
        }
    }
}

impl<T: Field> Field for Option<Vec<T>> {
    fn write<B: ByteBufMut>(&self, buf: &mut B, at: At) -> Result<()> {
        match self {
            Some(list) => list.write(buf, at),
            None => write_len(buf, at, Width::Long, None),
        }
    }

    fn size(&self, at: At) -> Result<usize> {
        self.as_ref().map_or_else(|| len_size(at, Width::Long, None), |list| list.size(at))
    }

    fn read<B: ByteBuf>(buf: &mut B, at: At) -> Result<Self> {
        let Some(len) = read_len(buf, at, Width::Long)? else { return Ok(None) };
        let mut list = Vec::with_capacity(len.min(ROOM_MAX));
        for _ in 0..len {
            list.push(T::read(buf, at)?);
        }
        Ok(Some(list))
    }
}

/// How many bytes the old encoding has for a length.
#[derive(Clone, Copy)]
enum Width {
    /// Of strings: two.
    Short,
    /// Of bytes and lists: four.
    Long,
}

fn write_len<B: ByteBufMut>(buf: &mut B, at: At, width: Width, len: Option<usize>) -> Result<()> {
    match (at.flexible, width) {
        (true, _) => write_varint(buf, compact(len)?),
        (false, Width::Short) => buf.put_i16(len.map_or(Ok(-1), i16::try_from)?),
        (false, Width::Long) => buf.put_i32(len.map_or(Ok(-1), i32::try_from)?),
    }
    Ok(())
}

fn len_size(at: At, width: Width, len: Option<usize>) -> Result<usize> {
    Ok(match (at.flexible, width) {
        (true, _) => varint_size(compact(len)?),
        (false, Width::Short) => 2,
        (false, Width::Long) => 4,
    })
}

/// `None` is null.
fn read_len<B: ByteBuf>(buf: &mut B, at: At, width: Width) -> Result<Option<usize>> {
    let len = match (at.flexible, width) {
        (true, _) => i64::from(read_varint(buf)?) - 1,
        (false, Width::Short) => i64::from(i16::read(buf, at)?),
        (false, Width::Long) => i64::from(i32::read(buf, at)?),
    };
    match usize::try_from(len) {
        Ok(len) => Ok(Some(len)),
        Err(_) if len == -1 => Ok(None),
        Err(_) => bail!("a length is {len}"),
    }
}

/// One more than the length, 0 for null.
fn compact(len: Option<usize>) -> Result<u32> {
    match len {
        None => Ok(0),
        Some(len) => u32::try_from(len)?.checked_add(1).ok_or_else(|| anyhow::anyhow!("{len} is too long")),
    }
}

fn write_varint<B: ByteBufMut>(buf: &mut B, mut value: u32) {
    while value >= 0x80 {
        buf.put_u8(value as u8 | 0x80);
        value >>= 7;
    }
    buf.put_u8(value as u8);
}

fn varint_size(value: u32) -> usize {
    let bits = 32 - (value | 1).leading_zeros();
    bits.div_ceil(7) as usize
}

fn read_varint<B: ByteBuf>(buf: &mut B) -> Result<u32> {
    let mut value: u64 = 0;
    for shift in (0..35).step_by(7) {
        need(buf, 1)?;
        let byte = buf.get_u8();
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(u32::try_from(value)?);
        }
    }
    bail!("a varint takes more than five bytes")
}

/// The tagged fields behind a struct, of which none is known.
pub(crate) fn write_tagged<B: ByteBufMut>(fields: &BTreeMap<i32, Bytes>, buf: &mut B, at: At) -> Result<()> {
    if at.flexible {
        write_varint(buf, u32::try_from(fields.len())?);
        for (tag, value) in fields {
            write_varint(buf, tag.cast_unsigned());
            write_varint(buf, u32::try_from(value.len())?);
            buf.put_slice(value);
        }
    }
    Ok(())
}

pub(crate) fn tagged_size(fields: &BTreeMap<i32, Bytes>, at: At) -> Result<usize> {
    if !at.flexible {
        return Ok(0);
    }
    let mut size = varint_size(u32::try_from(fields.len())?);
    for (tag, value) in fields {
        size += varint_size(tag.cast_unsigned()) + varint_size(u32::try_from(value.len())?) + value.len();
    }
    Ok(size)
}

pub(crate) fn read_tagged<B: ByteBuf>(buf: &mut B, at: At) -> Result<BTreeMap<i32, Bytes>> {
    let mut fields = BTreeMap::new();
    if at.flexible {
        for _ in 0..read_varint(buf)? {
            let tag = read_varint(buf)?.cast_signed();
            let len = read_varint(buf)? as usize;
            fields.insert(tag, buf.try_get_bytes(len)?);
        }
    }
    Ok(fields)
}

fn need<B: ByteBuf>(buf: &B, len: usize) -> Result<()> {
    if buf.remaining() < len {
        bail!("{len} bytes are missing, {} are there", buf.remaining());
    }
    Ok(())
}
