//! RE2J's syntax, which Kafka takes, written in that of the `regex` crate.
//!
//! What the two read differently: `\Q…\E` quotes; within brackets `[` and doubled signs are ordinary characters, and a
//! hyphen may begin or end a range; braces that are no repetition stand for themselves. And what RE2J refuses where the crate would not: a repetition of a
//! repetition (in Perl `a++` is something else), more than 1 000 repetitions, names of classes and flags that it does not
//! know.

/// Most that one repetition may ask for.
const REPETITIONS_MAX: u32 = 1_000;

const CLASSES: &[&str] = &[
    "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct", "space", "upper", "word",
    "xdigit",
];

/// The expression for the `regex` crate, or why RE2J refuses it.
pub(super) fn translate(pattern: &str) -> Result<String, &'static str> {
    let out = String::with_capacity(pattern.len());
    let mut translation = Translation { rest: pattern, out, class: Class::Outside, repeats: false };
    while let Some(next) = translation.rest.chars().next() {
        translation.take(next)?;
    }
    Ok(translation.out)
}

struct Translation<'a> {
    rest: &'a str,
    out: String,
    class: Class,
    /// What was read last is a repetition.
    repeats: bool,
}

/// Where in a bracket expression the reader is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Outside,
    /// Right behind `[`.
    Begins,
    /// Right behind `[^`.
    Negated,
    Inside,
}

impl Class {
    /// Behind any character that is not special.
    const fn within(self) -> Self {
        match self {
            Self::Outside => Self::Outside,
            Self::Begins | Self::Negated | Self::Inside => Self::Inside,
        }
    }
}

impl Translation<'_> {
    fn take(&mut self, next: char) -> Result<(), &'static str> {
        let repeats = std::mem::take(&mut self.repeats);
        match (self.class, next) {
            (_, '\\') => self.escape(),
            (Class::Outside, '[') => self.copy(1, Class::Begins),
            (Class::Outside, '(') if self.rest.starts_with("(?") => return self.group(),
            (Class::Outside, '*' | '+' | '?') => return self.repetition(1, repeats),
            (Class::Outside, '{') => match repetition_length(self.rest)? {
                Some(length) => return self.repetition(length, repeats),
                None => self.replace(1, r"\{", Class::Outside),
            },
            (Class::Begins, '^') => self.copy(1, Class::Negated),
            // The first one stands for itself.
            (Class::Begins | Class::Negated, ']') => {
                self.replace(1, r"\]", Class::Inside);
                self.range_end();
            }
            (Class::Inside, ']') => self.copy(1, Class::Outside),
            (Class::Begins | Class::Negated | Class::Inside, '[') => return self.bracket(),
            (Class::Outside, other) => self.copy(other.len_utf8(), Class::Outside),
            (Class::Begins | Class::Negated | Class::Inside, other) => {
                self.literal(other);
                self.range_end();
            }
        }
        Ok(())
    }

    fn copy(&mut self, length: usize, class: Class) {
        let (taken, rest) = self.rest.split_at_checked(length).unwrap_or((self.rest, ""));
        self.out.push_str(taken);
        (self.rest, self.class) = (rest, class);
    }

    fn replace(&mut self, length: usize, by: &str, class: Class) {
        self.out.push_str(by);
        (self.rest, self.class) = (self.rest.get(length..).unwrap_or_default(), class);
    }

    /// A backslash and what follows it, or a quotation.
    fn escape(&mut self) {
        let class = self.class.within();
        let Some(quoted) = self.rest.strip_prefix(r"\Q") else {
            let escaped = self.rest.chars().nth(1);
            self.copy(1 + escaped.map_or(0, char::len_utf8), class);
            let is_class = escaped.is_some_and(|escaped| "dDsSwWpP".contains(escaped));
            if class == Class::Inside && !is_class {
                self.range_end();
            }
            return;
        };
        let end = quoted.find(r"\E");
        let text = end.and_then(|end| quoted.get(..end)).unwrap_or(quoted);
        self.replace(2 + end.map_or(quoted.len(), |end| end + 2), &regex::escape(text), class);
    }

    /// The rest of a range, if what was read within brackets begins one.
    fn range_end(&mut self) {
        let last = self.rest.strip_prefix('-').and_then(|rest| rest.chars().next());
        let Some(last) = last.filter(|last| *last != ']') else { return };
        self.copy(1, Class::Inside);
        let escaped = self.rest.chars().nth(1).map_or(0, char::len_utf8);
        match last {
            '\\' => self.copy(1 + escaped, Class::Inside),
            last => self.literal(last),
        }
    }

    /// A character within brackets that stands for itself.
    fn literal(&mut self, one: char) {
        if matches!(one, '-' | '&' | '~' | '[') {
            self.out.push('\\');
        }
        self.copy(one.len_utf8(), Class::Inside);
    }

    /// `(?` with flags or a name.
    fn group(&mut self) -> Result<(), &'static str> {
        let flags = self.rest.get(2..).unwrap_or_default().split([')', ':', '<']).next().unwrap_or_default();
        if flags.contains(['x', 'u', 'R']) {
            return Err("invalid or unsupported Perl syntax");
        }
        self.copy(2, Class::Outside);
        Ok(())
    }

    fn repetition(&mut self, length: usize, of_repetition: bool) -> Result<(), &'static str> {
        if of_repetition {
            return Err("invalid nested repetition operator");
        }
        self.copy(length, Class::Outside);
        // As little as possible.
        if self.rest.starts_with('?') {
            self.copy(1, Class::Outside);
        }
        self.repeats = true;
        Ok(())
    }

    /// `[` within brackets: the name of a class, or itself.
    fn bracket(&mut self) -> Result<(), &'static str> {
        let named = self.rest.strip_prefix("[:").and_then(|rest| rest.split_once(":]"));
        let Some((name, _)) = named else {
            self.replace(1, r"\[", Class::Inside);
            return Ok(());
        };
        if !CLASSES.contains(&name.strip_prefix('^').unwrap_or(name)) {
            return Err("invalid character class range");
        }
        self.copy(name.len() + 4, Class::Inside);
        Ok(())
    }
}

/// How long the repetition in braces is that the text begins with; `None` where it begins with none.
fn repetition_length(text: &str) -> Result<Option<usize>, &'static str> {
    let Some((inner, _)) = text.strip_prefix('{').and_then(|rest| rest.split_once('}')) else { return Ok(None) };
    let (least, most) = match inner.split_once(',') {
        Some((least, "")) => (least, None),
        Some((least, most)) => (least, Some(most)),
        None => (inner, Some(inner)),
    };
    if !is_number(least) || most.is_some_and(|most| !is_number(most)) {
        return Ok(None);
    }
    // Too long for a number is too many.
    let count = |digits: &str| digits.parse::<u32>().unwrap_or(u32::MAX);
    let (least, most) = (count(least), most.map(count));
    if most.unwrap_or(least).max(least) > REPETITIONS_MAX || most.is_some_and(|most| most < least) {
        return Err("invalid repeat count");
    }
    Ok(Some(inner.len() + 2))
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_alike_stays() {
        for same in [
            "a.*b+c?",
            "(a|b){2,3}?",
            "a*?b+?",
            "[a-c]{5,}",
            "(?P<n>a)(?i:b)(?s).",
            r"\d\{",
            "[[:^digit:]x]",
            "x}",
            r"[\x20-\x7e]",
            r"[\+-a]",
            r"[+-\-]",
        ] {
            assert_eq!(translate(same).as_deref(), Ok(same));
        }
    }

    #[test]
    fn what_is_read_differently_is_translated() {
        for (pattern, expected) in [
            (r"\Qa.b\E*", r"a\.b*"),
            (r"[[.]", r"[\[.]"),
            ("[a&&b~~]", r"[a\&\&b\~\~]"),
            ("[+--]", r"[+-\-]"),
            ("[--a]", r"[\--a]"),
            ("[-a]", r"[\-a]"),
            ("[]-a]", r"[\]-a]"),
            (r"[\d-z]", r"[\d\-z]"),
            ("[a-]", r"[a\-]"),
            ("[]a]", r"[\]a]"),
            ("{", r"\{"),
            ("a{,5}", r"a\{,5}"),
            ("a{x}", r"a\{x}"),
            ("a{01}", r"a\{01}"),
            ("[*+{]", "[*+{]"),
        ] {
            assert_eq!(translate(pattern).as_deref(), Ok(expected), "{pattern}");
        }
    }

    #[test]
    fn what_re2j_refuses_is_refused() {
        for bad in [
            "a**",
            "a++",
            "a*?*",
            "a{2}{3}",
            "a{2}*",
            "a{1001}",
            "a{5,1001}",
            "a{99999999999}",
            "a{2,1}",
            "[[:nope:]]",
            "(?x)a",
        ] {
            assert!(translate(bad).is_err(), "{bad}");
        }
    }
}
