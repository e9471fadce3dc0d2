//! "Did you mean": the known key that a misspelt one resembles most.

/// The candidate nearest to `word`, if it is near enough to be what was meant.
pub(super) fn nearest<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let word = normalized(word);
    let enough = (word.len() / 4).max(2);
    let scored = candidates.map(|candidate| (distance(word.as_bytes(), normalized(candidate).as_bytes()), candidate));
    scored.filter(|(distance, _)| *distance <= enough).min().map(|(_, candidate)| candidate)
}

/// Environment variables and YAML write keys with `_` or `-`; people write them in capitals.
fn normalized(word: &str) -> String {
    word.chars().take(128).map(|c| if matches!(c, '_' | '-') { '.' } else { c.to_ascii_lowercase() }).collect()
}

/// Insertions, deletions, substitutions and swaps of neighbours (optimal string alignment).
#[expect(clippy::indexing_slicing, reason = "rows are one longer than b, i and j stay within a and b")]
fn distance(a: &[u8], b: &[u8]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 0..a.len() {
        let mut row = vec![i + 1];
        for j in 0..b.len() {
            let mut best = (last[j] + usize::from(a[i] != b[j])).min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && a[i] == b[j - 1] && a[i - 1] == b[j] {
                best = best.min(before[j - 1] + 1);
            }
            row.push(best);
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}
