//! A type for every number of Kafka's that can be confused with another. Conversions live in this file only.

use std::fmt;

macro_rules! number {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl From<$inner> for $name {
            fn from(value: $inner) -> Self {
                Self(value)
            }
        }
    };
}

number! {
    /// Position of a record in a partition as Kafka clients see it: dense, from 0.
    KafkaOffset(i64)
}
number! {
    /// Kafka's leader epoch: one less than the Raft term of the leader that appended the batch.
    LeaderEpoch(i32)
}
number! {
    /// Index of a partition within its topic.
    PartitionIndex(i32)
}
number! {
    /// Kafka's `node.id`, and the Raft peer id of this node (a Raft id is `NodeId + 1`, as Raft reserves 0).
    NodeId(i32)
}
number! {
    /// Identifies an idempotent or transactional producer.
    ProducerId(i64)
}
number! {
    /// Fences older incarnations of one producer id.
    ProducerEpoch(i16)
}
number! {
    /// Milliseconds since the Unix epoch, as Kafka writes them.
    TimestampMs(i64)
}

impl KafkaOffset {
    /// The first offset of a new partition.
    pub const ZERO: Self = Self(0);

    /// The offset `count` records further on.
    #[must_use]
    pub const fn plus(self, count: i64) -> Self {
        Self(self.0 + count)
    }

    /// How many offsets lie between `earlier` and this one.
    pub const fn since(self, earlier: Self) -> i64 {
        self.0 - earlier.0
    }
}

impl ProducerId {
    /// What a batch carries when its producer is not idempotent.
    pub const NONE: Self = Self(-1);
}

impl LeaderEpoch {
    /// What clients send when they know no epoch.
    pub const NONE: Self = Self(-1);
}

impl TimestampMs {
    /// No timestamp known.
    pub const NONE: Self = Self(-1);
}

/// The digits of Kafka's text form of a uuid: URL-safe base64.
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Kafka's text form of a uuid (`Uuid.toString`): URL-safe base64 without padding, 22 characters.
pub fn uuid_text(bytes: &[u8; 16]) -> String {
    let number = u128::from_be_bytes(*bytes);
    // 21 digits of six bits, and the last two bits with four zeros behind them.
    (0..22)
        .map(|at| {
            let digit =
                if at == 21 { ((number & 0x3) << 4) as usize } else { ((number >> (122 - 6 * at)) & 0x3f) as usize };
            ALPHABET.get(digit).map_or('?', |letter| char::from(*letter))
        })
        .collect()
}

/// The uuid that [`uuid_text`] writes so; `None` for any other text.
pub fn parse_uuid(text: &str) -> Option<[u8; 16]> {
    let mut digits = text.bytes().map(|letter| ALPHABET.iter().position(|digit| *digit == letter));
    let mut number: u128 = 0;
    for _ in 0..21 {
        number = (number << 6) | digits.next()?? as u128;
    }
    // Two bits, and four zeros behind them.
    let last = digits.next()??;
    (last & 0xf == 0 && digits.next().is_none()).then(|| ((number << 2) | (last >> 4) as u128).to_be_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uuids_come_back_and_nothing_else_is_one() {
        for bytes in [[0; 16], [0xff; 16], *b"0123456789abcdef"] {
            assert_eq!(parse_uuid(&uuid_text(&bytes)), Some(bytes));
        }
        for text in
            ["", "AAAAAAAAAAAAAAAAAAAAA", "AAAAAAAAAAAAAAAAAAAAAAA", "AAAAAAAAAAAAAAAAAAAAAB", "AAAAAAAAAAAAAAAAAAAAA+"]
        {
            assert_eq!(parse_uuid(text), None, "{text}");
        }
    }

    #[test]
    fn uuids_as_kafka_writes_them() {
        assert_eq!(uuid_text(&[0; 16]), "AAAAAAAAAAAAAAAAAAAAAA");
        assert_eq!(uuid_text(&[0xff; 16]), "_____________________w");
        assert_eq!(uuid_text(b"0123456789abcdef"), "MDEyMzQ1Njc4OWFiY2RlZg");
    }
}
