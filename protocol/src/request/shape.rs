//! How the shape of a request is written down.

/// What a field holds.
#[derive(Debug)]
pub(super) enum Kind {
    /// A number, a boolean, a uuid: always so many bytes.
    Fixed(usize),
    String,
    /// Bytes, and records too.
    Bytes,
    Array(&'static Kind),
    Struct(&'static [Field]),
    /// A struct behind a byte that says whether it is there.
    NullableStruct(&'static [Field]),
}

/// A field, and the versions that have it.
#[derive(Debug)]
pub(super) struct Field {
    pub(super) kind: Kind,
    pub(super) version_min: i16,
    pub(super) version_max: i16,
    /// The tag behind which it stands, if it is not in its place in the struct (KIP-482).
    pub(super) tag: Option<u32>,
}

impl Field {
    pub(super) const fn is_in(&self, version: i16) -> bool {
        self.version_min <= version && version <= self.version_max
    }
}

/// The shape of one request in all its versions.
#[derive(Debug)]
pub(super) struct Schema {
    pub(super) api_key: i16,
    /// From this version on lengths are compact and every struct ends with tagged fields (KIP-482).
    pub(super) flexible_from: i16,
    pub(super) fields: &'static [Field],
}

pub(super) const fn field(kind: Kind, version_min: i16, version_max: i16) -> Field {
    Field { kind, version_min, version_max, tag: None }
}

pub(super) const fn tagged(tag: u32, kind: Kind, version_min: i16, version_max: i16) -> Field {
    Field { kind, version_min, version_max, tag: Some(tag) }
}
