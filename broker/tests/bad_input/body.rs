//! A request body as a tree of fields, so that one field can be replaced by something absurd while all others stay as
//! they are. Written from Kafka's message definitions, apart from the code under test.

/// A field. What no well-formed request can hold is [`Node::Raw`].
#[derive(Clone, Debug)]
pub enum Node {
    Number {
        size: usize,
        value: i64,
    },
    Id([u8; 16]),
    Text(Option<Vec<u8>>),
    Bytes(Option<Vec<u8>>),
    List(Option<Vec<Node>>),
    Struct(Vec<Node>),
    /// A struct behind a byte that says whether it is there.
    Optional(Option<Vec<Node>>),
    Raw(Vec<u8>),
}

pub fn i8(value: i8) -> Node {
    Node::Number { size: 1, value: value.into() }
}

pub fn flag(value: bool) -> Node {
    Node::Number { size: 1, value: value.into() }
}

pub fn i16(value: i16) -> Node {
    Node::Number { size: 2, value: value.into() }
}

pub fn i32(value: i32) -> Node {
    Node::Number { size: 4, value: value.into() }
}

pub fn i64(value: i64) -> Node {
    Node::Number { size: 8, value }
}

pub fn text(value: &str) -> Node {
    Node::Text(Some(value.as_bytes().to_vec()))
}

pub fn list(elements: Vec<Node>) -> Node {
    Node::List(Some(elements))
}

/// A list of one struct.
pub fn one(fields: Vec<Node>) -> Node {
    list(vec![Node::Struct(fields)])
}

const WIDE_TEXT_BYTES: usize = 30_000;
const MANY_ELEMENTS: usize = 5_000;

impl Node {
    /// As it stands in a request, in the compact encoding of flexible versions (KIP-482) or the old one.
    pub fn encode(&self, flexible: bool, out: &mut Vec<u8>) {
        match self {
            Self::Number { size, value } => out.extend_from_slice(&value.to_be_bytes()[8 - size..]),
            Self::Id(bytes) => out.extend_from_slice(bytes),
            Self::Text(value) => {
                let length = value.as_ref().map(Vec::len);
                if flexible {
                    compact(length, out)
                } else {
                    out.extend(plain(length).to_be_bytes()[2..].iter())
                }
                out.extend_from_slice(value.as_deref().unwrap_or_default());
            }
            Self::Bytes(value) => {
                long_length(value.as_ref().map(Vec::len), flexible, out);
                out.extend_from_slice(value.as_deref().unwrap_or_default());
            }
            Self::List(elements) => {
                long_length(elements.as_ref().map(Vec::len), flexible, out);
                elements.iter().flatten().for_each(|element| element.encode(flexible, out));
            }
            Self::Struct(fields) => {
                fields.iter().for_each(|field| field.encode(flexible, out));
                if flexible {
                    out.push(0);
                }
            }
            Self::Optional(None) => out.push(0xff),
            Self::Optional(Some(fields)) => {
                out.push(1);
                Self::Struct(fields.clone()).encode(flexible, out);
            }
            Self::Raw(bytes) => out.extend_from_slice(bytes),
        }
    }

    /// Every body that differs from this one in one field.
    pub fn mutants(&self, flexible: bool) -> Vec<Self> {
        let mut mutants = self.replacements(flexible);
        let (Self::List(Some(children)) | Self::Struct(children) | Self::Optional(Some(children))) = self else {
            return mutants;
        };
        for (at, child) in children.iter().enumerate() {
            for mutant in child.mutants(flexible) {
                let mut children = children.clone();
                children[at] = mutant;
                mutants.push(match self {
                    Self::List(_) => Self::List(Some(children)),
                    Self::Struct(_) => Self::Struct(children),
                    _ => Self::Optional(Some(children)),
                });
            }
        }
        mutants
    }

    /// What may stand here instead, right in its form or not.
    fn replacements(&self, flexible: bool) -> Vec<Self> {
        let lies = |lengths: &[&[u8]]| lengths.iter().map(|length| Self::Raw(length.to_vec())).collect::<Vec<_>>();
        let long_lies = || match flexible {
            true => lies(&[&[0xff, 0xff, 0xff, 0xff, 0x0f], &[0xff, 0xff, 0xff, 0xff, 0x07], &[0xff; 10], &[0x80; 5]]),
            false => lies(&[&[0xff, 0xff, 0xff, 0xfe], &[0x7f, 0xff, 0xff, 0xff], &[0x80, 0, 0, 0], &[0, 1, 0, 0]]),
        };
        match self {
            Self::Number { size, .. } => [0, 1, -1, 0x7f, i64::from(i32::MIN), i64::from(i32::MAX), i64::MIN, i64::MAX]
                .into_iter()
                .map(|value| Self::Number { size: *size, value })
                .chain([Self::Number { size: *size, value: i64::MAX >> (64 - 8 * size) }])
                .chain([Self::Number { size: *size, value: i64::MIN >> (64 - 8 * size) }])
                .collect(),
            Self::Id(_) => vec![Self::Id([0; 16]), Self::Id([0xff; 16]), Self::Id(*b"nobody has this!")],
            Self::Text(_) => {
                let values =
                    [Vec::new(), vec![b'x'; WIDE_TEXT_BYTES], b"nobody".to_vec(), b"../\0\n".to_vec(), vec![0xff]];
                let mut all: Vec<Self> = values.into_iter().map(|value| Self::Text(Some(value))).collect();
                all.push(Self::Text(None));
                all.extend(if flexible { long_lies() } else { lies(&[&[0xff, 0xfe], &[0x7f, 0xff], &[0x80, 0]]) });
                all
            }
            Self::Bytes(_) => {
                let values = [Vec::new(), vec![0xff; 7], vec![0; WIDE_TEXT_BYTES], vec![0x7f; 1 << 20]];
                let mut all: Vec<Self> = values.into_iter().map(|value| Self::Bytes(Some(value))).collect();
                all.push(Self::Bytes(None));
                all.extend(long_lies());
                all
            }
            Self::List(elements) => {
                let elements = elements.clone().unwrap_or_default();
                let many = elements.iter().cycle().take(MANY_ELEMENTS.min(elements.len() * MANY_ELEMENTS));
                let mut all = vec![Self::List(None), list(Vec::new()), list(many.cloned().collect())];
                all.push(list([elements.clone(), elements].concat()));
                all.extend(long_lies());
                all
            }
            Self::Optional(fields) => {
                let other = if fields.is_some() { Self::Optional(None) } else { Self::Raw(vec![1]) };
                vec![other, Self::Raw(vec![0]), Self::Raw(vec![2])]
            }
            Self::Struct(_) | Self::Raw(_) => Vec::new(),
        }
    }
}

fn plain(length: Option<usize>) -> i32 {
    length.map_or(-1, |length| i32::try_from(length).unwrap())
}

fn long_length(length: Option<usize>, flexible: bool, out: &mut Vec<u8>) {
    if flexible { compact(length, out) } else { out.extend(plain(length).to_be_bytes()) }
}

/// One more than the length, and 0 for null, as an unsigned varint.
fn compact(length: Option<usize>, out: &mut Vec<u8>) {
    let mut left = length.map_or(0, |length| length + 1);
    while left > 0x7f {
        out.push(u8::try_from(left & 0x7f).unwrap() | 0x80);
        left >>= 7;
    }
    out.push(u8::try_from(left).unwrap());
}
