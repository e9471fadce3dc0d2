//! Text inside of XML and HTML.

/// Fit for an element's text and for an attribute in double quotes. What XML cannot hold at all becomes U+FFFD.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\n' | '\t' => out.push(character),
            _ if character.is_control() || matches!(character, '\u{fffe}' | '\u{ffff}') => out.push('\u{fffd}'),
            _ => out.push(character),
        }
    }
    out
}

/// What is wrong with a document's tags, for tests: every element is closed by its own name, every attribute is quoted, no
/// character stands bare that begins something else. Enough to see that nothing broke out of a string.
#[cfg(test)]
pub(crate) fn malformed(document: &str) -> Option<String> {
    let mut open: Vec<&str> = Vec::new();
    let mut rest = document.strip_prefix("<!DOCTYPE html>").unwrap_or(document);
    while let Some(at) = rest.find('<') {
        let (text, tail) = rest.split_at(at);
        if let Some(wrong) = bare(text) {
            return Some(wrong);
        }
        let Some((tag, after)) = tail[1..].split_once('>') else { return Some(format!("unended {tail}")) };
        rest = after;
        if let Some(name) = tag.strip_prefix('/') {
            match open.pop() {
                Some(opened) if opened == name => {}
                opened => return Some(format!("</{name}> closes {opened:?}")),
            }
            continue;
        }
        let name = tag.split([' ', '/', '\n']).next().unwrap_or_default();
        let attributes = tag[name.len()..].trim_end_matches('/');
        if let Some(wrong) = unquoted(attributes).or_else(|| bare(attributes)) {
            return Some(format!("<{tag}>: {wrong}"));
        }
        if !tag.ends_with('/') {
            open.push(name);
        }
    }
    bare(rest).or_else(|| (!open.is_empty()).then(|| format!("left open: {open:?}")))
}

#[cfg(test)]
fn bare(text: &str) -> Option<String> {
    let entities = ["amp;", "lt;", "gt;", "quot;", "#39;"];
    let loose = text.split('&').skip(1).find(|after| !entities.iter().any(|entity| after.starts_with(entity)));
    let wrong = text.contains('>') || text.chars().any(|c| c.is_control() && c != '\n' && c != '\t');
    loose.map(|after| format!("bare & before {after}")).or_else(|| wrong.then(|| format!("bare character in {text:?}")))
}

#[cfg(test)]
fn unquoted(attributes: &str) -> Option<String> {
    let mut parts = attributes.split('"');
    loop {
        let Some(outside) = parts.next().map(str::trim) else { return Some("an unended attribute".to_owned()) };
        if outside.is_empty() && parts.clone().next().is_none() {
            return None;
        }
        let name = outside.strip_suffix('=').unwrap_or_default();
        let plain = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == ':');
        if !plain || parts.next().is_none() {
            return Some(format!("attribute {outside}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_breaks_out_of_text_or_attribute() {
        assert_eq!(escape("a<b>&\"'\u{0}\nü"), "a&lt;b&gt;&amp;&quot;&#39;\u{fffd}\nü");
    }

    #[test]
    fn the_check_sees_what_is_wrong() {
        assert_eq!(malformed("<a x=\"1\" y-z=\"&lt;\">t<b/><c>u&amp;</c></a>"), None);
        let wrong = [
            "<a>",
            "<a></b>",
            "<a x=1></a>",
            "<a x=\"1></a>",
            "a & b",
            "a > b",
            "<a",
            "<a x=\"1\"onload></a>",
            "\u{1}",
        ];
        for document in wrong {
            assert!(malformed(document).is_some(), "{document}");
        }
    }
}
