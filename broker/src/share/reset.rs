//! Where a share group begins in a partition that it never read: `share.auto.offset.reset`.

/// The group's choice.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum ShareReset {
    Earliest,
    #[default]
    Latest,
    /// At the records of this long ago.
    ByDurationMs(i64),
}

impl ShareReset {
    /// Reads `earliest`, `latest`, or `by_duration:` and an ISO 8601 duration of days, hours, minutes and seconds.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text.trim() {
            "earliest" => Some(Self::Earliest),
            "latest" => Some(Self::Latest),
            other => duration_ms(other.strip_prefix("by_duration:")?).map(Self::ByDurationMs),
        }
    }
}

/// What Java's `Duration.parse` reads, but for signs: a share group does not begin in the future.
fn duration_ms(text: &str) -> Option<i64> {
    let text = text.to_ascii_uppercase();
    let text = text.strip_prefix('P')?;
    let (days, time) = match text.split_once('T') {
        Some((_, "")) => return None,
        Some((days, time)) => (days, time),
        None => (text, ""),
    };
    if days.is_empty() && time.is_empty() {
        return None;
    }
    let mut rest = days;
    let mut total = take(&mut rest, 'D')? * 86_400.0;
    if !rest.is_empty() {
        return None;
    }
    rest = time;
    for (unit, seconds) in [('H', 3_600.0), ('M', 60.0), ('S', 1.0)] {
        total += take(&mut rest, unit)? * seconds;
    }
    let whole = rest.is_empty() && total.is_finite() && total < 1e15;
    whole.then_some((total * 1_000.0) as i64)
}

/// The number before `unit`, if the text goes on with it; 0 otherwise.
fn take(rest: &mut &str, unit: char) -> Option<f64> {
    let Some((number, after)) = rest.split_once(unit) else { return Some(0.0) };
    let fraction = unit == 'S';
    if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit() || (fraction && byte == b'.')) {
        return None;
    }
    *rest = after;
    number.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_java_reads_them() {
        let read = |text: &str| ShareReset::parse(&format!("by_duration:{text}"));
        for (text, ms) in [
            ("PT1H", 3_600_000),
            ("P1DT2M", 86_520_000),
            ("PT0.5S", 500),
            ("p2d", 172_800_000),
            ("PT1H30M5S", 5_405_000),
        ] {
            assert_eq!(read(text), Some(ShareReset::ByDurationMs(ms)), "{text}");
        }
        for text in ["", "P", "PT", "1H", "PT1", "P1H", "PT5S3M", "PTxS", "-PT1S", "PT-1S", "P1DT"] {
            assert_eq!(read(text), None, "{text}");
        }
        assert_eq!(ShareReset::parse("earliest"), Some(ShareReset::Earliest));
        assert_eq!(ShareReset::parse("none"), None);
    }
}
