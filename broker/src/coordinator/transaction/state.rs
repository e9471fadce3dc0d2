//! The states of a transactional id, by Kafka's numbers and names.

/// Where the transaction of a transactional id is. Kafka's `PrepareEpochFence` is never in a log: fencing and the decision
/// to abort are one step here.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum State {
    /// No transaction since the producer was initialised.
    Empty,
    /// Has partitions, and no decision.
    Ongoing,
    /// Decided; markers are being written.
    PrepareCommit,
    /// Decided; markers are being written.
    PrepareAbort,
    /// Every partition has its marker.
    CompleteCommit,
    /// Every partition has its marker.
    CompleteAbort,
    /// The id has expired, its tombstone is being written.
    Dead,
}

impl State {
    const ALL: [(Self, i8, &'static str); 7] = [
        (Self::Empty, 0, "Empty"),
        (Self::Ongoing, 1, "Ongoing"),
        (Self::PrepareCommit, 2, "PrepareCommit"),
        (Self::PrepareAbort, 3, "PrepareAbort"),
        (Self::CompleteCommit, 4, "CompleteCommit"),
        (Self::CompleteAbort, 5, "CompleteAbort"),
        (Self::Dead, 6, "Dead"),
    ];

    /// The name that DescribeTransactions shows.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(state, ..)| *state == self).map_or("", |(.., name)| name)
    }

    /// The state of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(.., known)| *known == name).map(|(state, ..)| *state)
    }

    pub(super) fn number(self) -> i8 {
        Self::ALL.iter().find(|(state, ..)| *state == self).map_or(-1, |(_, number, _)| *number)
    }

    pub(super) fn from_number(number: i8) -> Option<Self> {
        Self::ALL.iter().find(|(_, known, _)| *known == number).map(|(state, ..)| *state)
    }

    /// Whether nothing is under way: a transaction may begin, and the id may expire.
    pub(super) fn is_idle(self) -> bool {
        matches!(self, Self::Empty | Self::CompleteCommit | Self::CompleteAbort)
    }

    /// Whether the decision is made and not yet everywhere; if so, whether it is to commit.
    pub(super) fn decision(self) -> Option<bool> {
        match self {
            Self::PrepareCommit => Some(true),
            Self::PrepareAbort => Some(false),
            _ => None,
        }
    }

    /// What a decision becomes when every partition has its marker.
    pub(super) fn completed(commit: bool) -> Self {
        if commit { Self::CompleteCommit } else { Self::CompleteAbort }
    }

    pub(super) fn prepared(commit: bool) -> Self {
        if commit { Self::PrepareCommit } else { Self::PrepareAbort }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_names_come_back() {
        for (state, number, name) in State::ALL {
            assert_eq!((state.number(), state.name()), (number, name));
            assert_eq!((State::from_number(number), State::from_name(name)), (Some(state), Some(state)));
        }
        assert_eq!((State::from_number(7), State::from_name("Prepared")), (None, None));
    }
}
