//! Where each partition's offset goes: nothing here asks a broker.

use std::fmt;

/// Where offsets shall go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    Earliest,
    Latest,
    /// Where they are; at the end where there are none.
    Current,
    Offset(i64),
    Shift(i64),
    /// The first record at or after this time, in milliseconds since 1970; the end if there is none.
    Time(i64),
}

/// What is known of a partition.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Known {
    pub(crate) earliest: i64,
    pub(crate) latest: i64,
    pub(crate) committed: Option<i64>,
    /// For `Target::Time`: the first offset from then on.
    pub(crate) at_time: Option<i64>,
}

/// The offset to commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Moved {
    pub(crate) offset: i64,
    /// What was asked for, where the partition has no such offset and the nearest is taken.
    pub(crate) wanted: Option<i64>,
}

/// There is nothing to shift.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NothingCommitted;

impl fmt::Display for NothingCommitted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the group has committed no offset there")
    }
}

pub(crate) fn moved(target: &Target, known: Known) -> Result<Moved, NothingCommitted> {
    let within = |wanted: i64| {
        // A partition that was emptied begins where it ends.
        let offset = wanted.clamp(known.earliest, known.latest.max(known.earliest));
        Moved { offset, wanted: (offset != wanted).then_some(wanted) }
    };
    let exactly = |offset| Moved { offset, wanted: None };
    Ok(match target {
        Target::Earliest => exactly(known.earliest),
        Target::Latest => exactly(known.latest),
        Target::Current => exactly(known.committed.unwrap_or(known.latest)),
        Target::Offset(offset) => within(*offset),
        Target::Shift(by) => within(known.committed.ok_or(NothingCommitted)?.saturating_add(*by)),
        Target::Time(_) => exactly(known.at_time.filter(|offset| *offset >= 0).unwrap_or(known.latest)),
    })
}

#[cfg(test)]
mod tests {
    use super::{Known, Moved, NothingCommitted, Target, moved};

    const KNOWN: Known = Known { earliest: 10, latest: 100, committed: Some(40), at_time: Some(70) };

    #[test]
    fn every_target() {
        for (target, offset, wanted) in [
            (Target::Earliest, 10, None),
            (Target::Latest, 100, None),
            (Target::Current, 40, None),
            (Target::Offset(55), 55, None),
            (Target::Offset(9), 10, Some(9)),
            (Target::Offset(101), 100, Some(101)),
            (Target::Shift(-5), 35, None),
            (Target::Shift(-31), 10, Some(9)),
            (Target::Shift(i64::MAX), 100, Some(i64::MAX)),
            (Target::Time(1), 70, None),
        ] {
            assert_eq!(moved(&target, KNOWN), Ok(Moved { offset, wanted }), "{target:?}");
        }
    }

    #[test]
    fn without_a_committed_offset_or_a_young_record_the_end_counts() {
        let nothing = Known { committed: None, at_time: Some(-1), ..KNOWN };
        let end = Ok(Moved { offset: 100, wanted: None });
        assert_eq!(moved(&Target::Current, nothing), end);
        assert_eq!(moved(&Target::Time(1), nothing), end);
        assert_eq!(moved(&Target::Shift(1), nothing), Err(NothingCommitted));
    }
}
