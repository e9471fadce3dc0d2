//! What the log was told already. Nodes try again and again, and strangers may call thousands of times: each reason is said
//! once in a while, and not more than a few in all.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// After this long the same is worth saying again.
const REPEAT_AFTER: Duration = Duration::from_secs(600);

/// Reasons that are remembered; while there are so many, others are not said.
const REMEMBERED_MAX: usize = 100;

/// Owned by one core.
#[derive(Default)]
pub(super) struct Said {
    at: RefCell<BTreeMap<String, Instant>>,
}

impl Said {
    /// Whether this is to be said now.
    pub(super) fn is_news(&self, line: &str, now: Instant) -> bool {
        let mut at = self.at.borrow_mut();
        if at.get(line).is_some_and(|said| now.saturating_duration_since(*said) < REPEAT_AFTER) {
            return false;
        }
        if at.len() >= REMEMBERED_MAX {
            at.retain(|_, said| now.saturating_duration_since(*said) < REPEAT_AFTER);
        }
        if at.len() >= REMEMBERED_MAX {
            return false;
        }
        at.insert(line.to_owned(), now);
        true
    }

    /// What was wrong with a node is mended: the next time it is news.
    pub(super) fn forget(&self, line: &str) {
        self.at.borrow_mut().remove(line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_once_in_a_while_and_only_so_many() {
        let (said, now) = (Said::default(), Instant::now());
        assert!(said.is_news("a", now) && !said.is_news("a", now) && said.is_news("b", now));
        assert!(said.is_news("a", now + REPEAT_AFTER));
        said.forget("a");
        assert!(said.is_news("a", now + REPEAT_AFTER));
        let told = (0..1000).filter(|line| said.is_news(&line.to_string(), now)).count();
        assert_eq!(told, REMEMBERED_MAX - 2);
        assert!(said.is_news("later", now + REPEAT_AFTER * 2));
    }
}
