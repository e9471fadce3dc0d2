//! "Did you mean …?"

/// How many suggestions help rather than bury.
const SUGGESTIONS_MAX: usize = 3;

/// The candidates nearest to what was typed, best first; none when all are far.
pub(crate) fn near<'a>(typed: &str, candidates: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let limit = (typed.chars().count() / 3).max(1);
    let mut found: Vec<(usize, &str)> =
        candidates.into_iter().filter_map(|candidate| Some((score(typed, candidate, limit)?, candidate))).collect();
    found.sort_unstable();
    found.into_iter().take(SUGGESTIONS_MAX).map(|(_, candidate)| candidate).collect()
}

/// Fewer is nearer. A candidate that begins with or ends in what was typed is as near as one typing mistake.
fn score(typed: &str, candidate: &str, limit: usize) -> Option<usize> {
    let (typed, candidate) = (typed.to_lowercase(), candidate.to_lowercase());
    let apart = distance(&typed, &candidate);
    let part = typed.len() >= 3 && (candidate.starts_with(&typed) || candidate.ends_with(&typed));
    if part { Some(apart.min(1)) } else { (apart <= limit).then_some(apart) }
}

/// `` `a`, `b` or `c` ``.
pub(crate) fn either(names: &[&str]) -> String {
    match names {
        [] => String::new(),
        [only] => format!("`{only}`"),
        [first @ .., last] => {
            let first: Vec<_> = first.iter().map(|name| format!("`{name}`")).collect();
            format!("{} or `{last}`", first.join(", "))
        }
    }
}

/// Levenshtein's distance, one row at a time.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (line, from) in a.chars().enumerate() {
        let mut left = line + 1;
        let mut next = vec![left];
        for (to, above) in b.iter().zip(row.windows(2)) {
            let &[diagonal, up] = above else { continue };
            left = (diagonal + usize::from(from != *to)).min(up + 1).min(left + 1);
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::{distance, either, near};

    #[test]
    fn distances() {
        for (a, b, apart) in [("", "", 0), ("", "abc", 3), ("kitten", "sitting", 3), ("orders", "ordres", 2)] {
            assert_eq!(distance(a, b), apart, "{a} {b}");
        }
    }

    #[test]
    fn typing_mistakes_find_their_topic() {
        assert_eq!(near("ordrs", ["orders", "payments", "order"]), ["orders"]);
        assert_eq!(near("ms", ["retention.ms", "orders"]), Vec::<&str>::new());
        assert_eq!(near("retention", ["retention.ms", "cleanup.policy"]), ["retention.ms"]);
        assert_eq!(near("zzz", ["orders"]), Vec::<&str>::new());
    }

    #[test]
    fn suggestions_read_as_a_sentence() {
        assert_eq!(either(&["a"]), "`a`");
        assert_eq!(either(&["a", "b", "c"]), "`a`, `b` or `c`");
    }
}
