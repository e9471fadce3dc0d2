//! What a broker did wrong, with the evidence.

use std::collections::BTreeMap;

use serde::Serialize;

/// A broken rule. The order is that of the report.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    /// Acknowledged, and nowhere in the partition.
    Lost,
    /// Acknowledged at one offset, and found at another.
    Moved,
    /// There more often than it may be.
    Duplicate,
    /// Behind a later record of the same producer.
    Reordered,
    /// Not the bytes that were written.
    Damaged,
    /// A reader saw another record there before.
    Changed,
    /// A reader saw a record there before, and now there is none.
    Gone,
    /// An offset without a record.
    Gap,
    /// A record that nobody wrote.
    Foreign,
    /// A high watermark below one that was told, or below what was acknowledged.
    WatermarkBack,
    /// One offset acknowledged for two records.
    PromisedTwice,
    /// An idempotent producer's next batch refused, though all before it were acknowledged.
    SequenceRefused,
    /// Below the high watermark, and not to be had.
    Unreadable,
}

impl Kind {
    /// As the text of a verdict says it.
    pub(crate) const fn words(self) -> &'static str {
        match self {
            Self::Lost => "lost",
            Self::Moved => "moved",
            Self::Duplicate => "duplicate",
            Self::Reordered => "reordered",
            Self::Damaged => "damaged",
            Self::Changed => "changed",
            Self::Gone => "gone",
            Self::Gap => "gap",
            Self::Foreign => "foreign",
            Self::WatermarkBack => "watermark back",
            Self::PromisedTwice => "promised twice",
            Self::SequenceRefused => "sequence refused",
            Self::Unreadable => "unreadable",
        }
    }
}

/// One thing that is wrong, or several of the same kind that lie side by side.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Violation {
    pub(crate) kind: Kind,
    pub(crate) partition: i32,
    /// Where it begins.
    pub(crate) offset: Option<i64>,
    /// How many records, offsets or occurrences it is.
    pub(crate) count: u64,
    pub(crate) expected: String,
    pub(crate) found: String,
}

/// The list is for people: the first ones tell what happened, and the counts how much of it.
const LISTED_MAX: usize = 100;
/// Of each kind, so that one that comes early does not hide the others.
const LISTED_OF_A_KIND_MAX: usize = 20;

#[derive(Default, Debug)]
pub(crate) struct Violations {
    pub(crate) counts: BTreeMap<Kind, u64>,
    pub(crate) list: Vec<Violation>,
}

impl Violations {
    pub(crate) fn add(&mut self, violation: Violation) {
        *self.counts.entry(violation.kind).or_default() += violation.count;
        if let Some(last) = self.list.last_mut().filter(|last| continues(last, &violation)) {
            last.count += violation.count;
        } else if self.has_room_for(violation.kind) {
            self.list.push(violation);
        }
    }

    pub(crate) fn total(&self) -> u64 {
        self.counts.values().sum()
    }

    /// Whether evidence is still taken. Whatever others there are, the first of a kind is told.
    fn has_room_for(&self, kind: Kind) -> bool {
        let listed = self.list.iter().filter(|violation| violation.kind == kind).count();
        listed == 0 || (listed < LISTED_OF_A_KIND_MAX && self.list.len() < LISTED_MAX)
    }
}

/// Whether it is one more of what was said last, right behind it.
fn continues(last: &Violation, next: &Violation) -> bool {
    let end = last.offset.and_then(|offset| offset.checked_add_unsigned(last.count));
    last.kind == next.kind && last.partition == next.partition && next.offset.is_some() && next.offset == end
}
