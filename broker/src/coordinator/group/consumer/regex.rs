//! Subscriptions by regular expression. Kafka takes RE2J's syntax; the `regex` crate's is RE2's too, but for what is
//! translated in `re2`. Both run in linear time, so that no expression can keep the core busy.

use std::collections::BTreeSet;

use regex::{Regex, RegexBuilder};
use thalweg_protocol::StrBytes;

use super::re2::translate;
use super::refusal::Refusal;
use crate::coordinator::codec::own;
use crate::coordinator::group::ErrorCode;

/// Longest expression, in bytes.
const LENGTH_MAX: usize = 4096;

/// Bytes that a compiled expression may take: 1 000 repetitions of a character class fit, nested ones do not.
const SIZE_MAX_BYTES: usize = 1 << 20;

/// Groups within groups.
const NESTING_MAX: u32 = 100;

/// The expression as it is asked for whole names; refused with Kafka's code.
pub(super) fn compile(pattern: &str) -> Result<Regex, Refusal> {
    let refused = |why: &str| {
        let message = format!("SubscribedTopicRegex `{pattern}` is not a valid regular expression: {why}.");
        Refusal::new(ErrorCode::InvalidRegularExpression, message)
    };
    if pattern.len() > LENGTH_MAX {
        return Err(Refusal::new(
            ErrorCode::InvalidRegularExpression,
            format!("SubscribedTopicRegex is longer than {LENGTH_MAX} bytes."),
        ));
    }
    // By itself first: what closes a group too much must not close ours.
    let translated = translate(pattern).map_err(refused)?;
    let build = |pattern: &str| {
        RegexBuilder::new(pattern).size_limit(SIZE_MAX_BYTES).nest_limit(NESTING_MAX).build().map_err(|error| {
            let text = error.to_string();
            refused(text.lines().last().unwrap_or_default().trim_start_matches("error: "))
        })
    };
    build(&translated)?;
    build(&format!(r"\A(?:{translated})\z"))
}

/// The topics that an expression means.
pub(super) fn matches<'a>(regex: &Regex, names: impl Iterator<Item = &'a str>) -> BTreeSet<StrBytes> {
    names.filter(|name| regex.is_match(name)).map(own).collect()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn matched(pattern: &str, names: &[&str]) -> Vec<String> {
        let regex = compile(pattern).unwrap();
        matches(&regex, names.iter().copied()).iter().map(|name| name.to_string()).collect()
    }

    #[test]
    fn whole_names_match() {
        assert_eq!(matched("ab", &["ab", "abc", "xab"]), ["ab"]);
        assert_eq!(matched("a|b", &["a", "b", "ab"]), ["a", "b"]);
        assert_eq!(matched("foo.*", &["foo", "foo-1", "bar"]), ["foo", "foo-1"]);
    }

    #[test]
    fn reads_what_re2j_reads() {
        assert_eq!(matched(r"\Qa.b\E.*", &["a.b", "axb", "a.b-1"]), ["a.b", "a.b-1"]);
        assert_eq!(matched(r"[[.]", &["[", ".", "a"]), [".", "["]);
        assert_eq!(matched(r"[a&&b]", &["a", "&", "b"]), ["&", "a", "b"]);
        assert_eq!(matched(r"[]a]", &["]", "a"]), ["]", "a"]);
        assert_eq!(matched(r"[[:digit:]]+", &["12", "a"]), ["12"]);
        assert_eq!(matched(r"[^a-c]", &["a", "d"]), ["d"]);
        assert_eq!(matched(r"(?i)ABC", &["abc"]), ["abc"]);
    }

    #[test]
    fn refuses_what_is_none() {
        for bad in [
            "(",
            "a)",
            "[a",
            "a{2,1}",
            "*a",
            "a++",
            "(?=a)",
            r"\1",
            "((a{1000}){1000}){1000}",
            &"a".repeat(LENGTH_MAX + 1),
        ] {
            let refusal = compile(bad).unwrap_err();
            assert_eq!(refusal.code, ErrorCode::InvalidRegularExpression, "{bad}");
        }
    }
}
