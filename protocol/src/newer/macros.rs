//! What the generated tables of messages become: structs with the same face as those of the message crate, so that one can
//! stand in for the other.
//!
//! A row is a field: its name and its setter's, its type and default, the versions that have it, and whether a value that
//! a version has no place for may be left out. Otherwise encoding it is an error.

/// A message: `request KEY => its response, …` or `response, …`, then versions and fields.
macro_rules! message {
    (request $key:literal => $module:ident::$response:ident, $min:literal..=$max:literal, flexible $flexible:literal; $name:ident { $($rows:tt)* }) => {
        $crate::newer::macros::message_struct! { $name { $($rows)* } }
        $crate::newer::macros::message_impls! { $name, $min, $max, $flexible, 2, 1 }

        impl kafka_protocol::protocol::Request for $name {
            const KEY: i16 = $key;
            type Response = $module::$response;
        }
    };
    (response, $min:literal..=$max:literal, flexible $flexible:literal; $name:ident { $($rows:tt)* }) => {
        $crate::newer::macros::message_struct! { $name { $($rows)* } }
        $crate::newer::macros::message_impls! { $name, $min, $max, $flexible, 1, 0 }
    };
}

/// The message crate's traits, for a struct that stands on its own.
macro_rules! message_impls {
    ($name:ident, $min:literal, $max:literal, $flexible:literal, $flexible_header:literal, $plain_header:literal) => {
        impl $name {
            fn at(version: i16) -> anyhow::Result<$crate::newer::codec::At> {
                if !($min..=$max).contains(&version) {
                    anyhow::bail!("specified version not supported by this message type");
                }
                Ok($crate::newer::codec::At { version, flexible: version >= $flexible })
            }
        }

        impl kafka_protocol::protocol::Encodable for $name {
            fn encode<B: kafka_protocol::protocol::buf::ByteBufMut>(
                &self,
                buf: &mut B,
                version: i16,
            ) -> anyhow::Result<()> {
                $crate::newer::codec::Field::write(self, buf, Self::at(version)?)
            }

            fn compute_size(&self, version: i16) -> anyhow::Result<usize> {
                $crate::newer::codec::Field::size(self, Self::at(version)?)
            }
        }

        impl kafka_protocol::protocol::Decodable for $name {
            fn decode<B: kafka_protocol::protocol::buf::ByteBuf>(buf: &mut B, version: i16) -> anyhow::Result<Self> {
                $crate::newer::codec::Field::read(buf, Self::at(version)?)
            }
        }

        impl kafka_protocol::protocol::Message for $name {
            const VERSIONS: kafka_protocol::protocol::VersionRange =
                kafka_protocol::protocol::VersionRange { min: $min, max: $max };
            const DEPRECATED_VERSIONS: Option<kafka_protocol::protocol::VersionRange> = None;
        }

        impl kafka_protocol::protocol::HeaderVersion for $name {
            fn header_version(version: i16) -> i16 {
                if version >= $flexible { $flexible_header } else { $plain_header }
            }
        }
    };
}

/// A struct of a message, with its fields in the order in which they are sent.
macro_rules! message_struct {
    ($name:ident { $($field:ident, $with:ident: $type:ty = $default:expr, $min:literal..=$max:literal, $ignorable:literal;)* }) => {
        #[derive(Debug, Clone, PartialEq)]
        pub struct $name {
            $(pub $field: $type,)*
            /// Tagged fields that this version does not know (KIP-482).
            pub unknown_tagged_fields: std::collections::BTreeMap<i32, bytes::Bytes>,
        }

        impl $name {
            $(
                #[must_use]
                pub fn $with(mut self, value: $type) -> Self {
                    self.$field = value;
                    self
                }
            )*
        }

        impl Default for $name {
            fn default() -> Self {
                Self { $($field: $default,)* unknown_tagged_fields: std::collections::BTreeMap::new() }
            }
        }

        impl $crate::newer::codec::Field for $name {
            fn write<B: kafka_protocol::protocol::buf::ByteBufMut>(
                &self,
                buf: &mut B,
                at: $crate::newer::codec::At,
            ) -> anyhow::Result<()> {
                $(
                    if at.is_in($min, $max) {
                        $crate::newer::codec::Field::write(&self.$field, buf, at)?;
                    } else {
                        let default: $type = $default;
                        $crate::newer::codec::check_absent($ignorable || self.$field == default)?;
                    }
                )*
                $crate::newer::codec::write_tagged(&self.unknown_tagged_fields, buf, at)
            }

            fn size(&self, at: $crate::newer::codec::At) -> anyhow::Result<usize> {
                let mut size = 0;
                $(
                    if at.is_in($min, $max) {
                        size += $crate::newer::codec::Field::size(&self.$field, at)?;
                    } else {
                        let default: $type = $default;
                        $crate::newer::codec::check_absent($ignorable || self.$field == default)?;
                    }
                )*
                Ok(size + $crate::newer::codec::tagged_size(&self.unknown_tagged_fields, at)?)
            }

            fn read<B: kafka_protocol::protocol::buf::ByteBuf>(
                buf: &mut B,
                at: $crate::newer::codec::At,
            ) -> anyhow::Result<Self> {
                $(
                    let $field = if at.is_in($min, $max) {
                        $crate::newer::codec::Field::read(buf, at)?
                    } else {
                        $default
                    };
                )*
                let unknown_tagged_fields = $crate::newer::codec::read_tagged(buf, at)?;
                Ok(Self { $($field,)* unknown_tagged_fields })
            }
        }

        $crate::newer::codec::nullable_struct! { $name }
    };
}

pub(crate) use {message, message_impls, message_struct};
