//! What readers of committed records may have seen of a history of transactions: nothing aborted, nothing lost, nothing torn,
//! nothing twice, nothing out of order.

use std::collections::{BTreeMap, HashMap};

/// One transaction: its producer, and as which of its transactions.
pub(crate) type TransactionName = (u64, u64);

/// A record: its transaction, and as which of its records.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct RecordName {
    pub(crate) transaction: TransactionName,
    pub(crate) index: u64,
}

/// How a transaction ended, as its producer knows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Fate {
    Committed,
    Aborted,
    /// The answer was lost with the broker: one or the other, as a whole.
    Unknown,
}

/// What producers did.
#[derive(Clone, Debug, Default)]
pub(crate) struct History {
    /// Fate and number of records.
    pub(crate) transactions: BTreeMap<TransactionName, (Fate, u64)>,
}

/// Records by partition, in order.
pub(crate) type Seen = BTreeMap<i32, Vec<RecordName>>;

/// What is wrong with what was seen; empty if nothing is.
pub(crate) fn violations(history: &History, seen: &Seen) -> Vec<String> {
    let mut found = Vec::new();
    let mut times: HashMap<RecordName, u64> = HashMap::new();
    for (partition, records) in seen {
        let mut latest: HashMap<u64, RecordName> = HashMap::new();
        for record in records {
            *times.entry(*record).or_default() += 1;
            let before = latest.insert(record.transaction.0, *record);
            if let Some(before) = before.filter(|before| *before >= *record) {
                found.push(format!("{record:?} stands behind {before:?} in partition {partition}"));
            }
        }
    }
    found.extend(
        times
            .iter()
            .filter(|(_, count)| **count > 1)
            .map(|(record, count)| format!("{record:?} was seen {count} times")),
    );
    let mut counted: HashMap<TransactionName, u64> = HashMap::new();
    for record in times.keys() {
        *counted.entry(record.transaction).or_default() += 1;
    }
    for (name, (fate, count)) in &history.transactions {
        let seen = counted.remove(name).unwrap_or_default();
        let complaint = match fate {
            Fate::Committed if seen == 0 => "was committed and is lost",
            Fate::Aborted if seen > 0 => "was aborted and is seen",
            _ if seen > 0 && seen < *count => "is torn",
            _ if seen > *count => "has more records than were sent",
            _ => continue,
        };
        found.push(format!("transaction {name:?} {complaint}: {seen} of {count} records"));
    }
    found.extend(counted.keys().map(|name| format!("transaction {name:?} was never sent")));
    found.sort();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(transaction: u64, index: u64) -> RecordName {
        RecordName { transaction: (0, transaction), index }
    }

    fn history(fates: &[Fate]) -> History {
        let transactions = (0..).zip(fates).map(|(number, fate)| ((0, number), (*fate, 2)));
        History { transactions: transactions.collect() }
    }

    fn seen(records: &[RecordName]) -> Seen {
        BTreeMap::from([(0, records.to_vec())])
    }

    fn only(history: &History, seen: &Seen) -> String {
        let found = violations(history, seen);
        assert_eq!(found.len(), 1, "{found:?}");
        found[0].clone()
    }

    #[test]
    fn a_good_history_is_good() {
        let history = history(&[Fate::Committed, Fate::Aborted, Fate::Unknown, Fate::Unknown]);
        let seen = seen(&[record(0, 0), record(0, 1), record(3, 0), record(3, 1)]);
        assert_eq!(violations(&history, &seen), Vec::<String>::new());
    }

    #[test]
    fn every_violation_is_found() {
        let committed = history(&[Fate::Committed]);
        assert!(only(&committed, &seen(&[])).contains("is lost"));
        assert!(only(&committed, &seen(&[record(0, 0)])).contains("is torn"));
        assert!(only(&history(&[Fate::Unknown]), &seen(&[record(0, 1)])).contains("is torn"));
        assert!(only(&history(&[Fate::Aborted]), &seen(&[record(0, 0), record(0, 1)])).contains("aborted and is seen"));
        assert!(only(&history(&[]), &seen(&[record(7, 0)])).contains("never sent"));
        let twice = BTreeMap::from([(0, vec![record(0, 0), record(0, 1)]), (1, vec![record(0, 1)])]);
        assert!(only(&committed, &twice).contains("seen 2 times"));
        assert!(only(&committed, &seen(&[record(0, 1), record(0, 0)])).contains("stands behind"));
    }
}
