//! The levels of the feature `transaction.version`.

/// What client and server agree on for a transaction (KIP-890).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub enum TransactionVersion {
    /// As of KIP-98.
    #[default]
    V0,
    /// Records of the transaction log have tagged fields.
    V1,
    /// Every transaction ends with a new epoch, and partitions are added by producing to them.
    V2,
}

impl TransactionVersion {
    /// The highest that this broker supports.
    pub const MAX: i16 = 2;

    /// From a feature level; what is above the highest counts as that.
    #[must_use]
    pub const fn from_level(level: i16) -> Self {
        match level {
            ..=0 => Self::V0,
            1 => Self::V1,
            _ => Self::V2,
        }
    }

    #[must_use]
    pub const fn level(self) -> i16 {
        self as i16
    }

    /// Whether the epoch goes up whenever a transaction ends.
    #[must_use]
    pub fn bumps_epochs(self) -> bool {
        self >= Self::V2
    }
}
