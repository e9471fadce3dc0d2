//! Points in time as people write them: RFC 3339 in UTC or with an offset, milliseconds, or "so long ago".

use std::time::{SystemTime, UNIX_EPOCH};

const MS_PER_DAY: i64 = 86_400_000;

/// Now, in milliseconds since 1970.
pub(crate) fn now_ms() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .ok()
        .and_then(|since| i64::try_from(since.as_millis()).ok())
        .unwrap_or(0)
}

/// `2026-11-20T07:00:00.000Z`.
pub(crate) fn format_ms(ms: i64) -> String {
    let (year, month, day) = civil(ms.div_euclid(MS_PER_DAY));
    let in_day = ms.rem_euclid(MS_PER_DAY);
    let (seconds, millis) = (in_day / 1000, in_day % 1000);
    format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.{millis:03}Z",
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60
    )
}

/// Reads `2026-11-20`, `2026-11-20T07:00[:00[.000]][Z|+02:00]`, `1700000000000` or `-90s|-10m|-2h|-7d` before `now_ms`.
pub(crate) fn parse(text: &str, now_ms: i64) -> Option<i64> {
    if let Some(ago) = text.strip_prefix('-') {
        return now_ms.checked_sub(duration_ms(ago)?);
    }
    if text.len() > 4 && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse().ok();
    }
    let (date, time) = text.split_once(['T', ' ']).unwrap_or((text, "00:00"));
    let midnight = days(date)?.checked_mul(MS_PER_DAY)?;
    let (clock, offset_ms) = split_offset(time)?;
    Some(midnight + clock_ms(clock)? - offset_ms)
}

/// Reads `90s|10m|2h|7d`, or ISO 8601's `P7D`, `PT1H30M`, `P1DT12H`, as Kafka's tools take it.
pub(crate) fn parse_duration(text: &str) -> Option<i64> {
    let Some(iso) = text.strip_prefix(['P', 'p']) else { return duration_ms(text) };
    let upper = iso.to_uppercase();
    let (days, clock) = upper.split_once('T').map_or((upper.as_str(), None), |(days, clock)| (days, Some(clock)));
    let days_ms =
        if days.is_empty() { 0 } else { duration_ms(&days.to_lowercase()).filter(|_| days.ends_with('D'))? };
    let Some(clock) = clock else { return (!days.is_empty()).then_some(days_ms) };
    days_ms.checked_add(iso_clock_ms(clock)?)
}

/// `1H30M5S`: hours, minutes and seconds in this order, at least one of them.
fn iso_clock_ms(clock: &str) -> Option<i64> {
    let mut total: i64 = 0;
    let mut rest = clock;
    for unit in ['H', 'M', 'S'] {
        if let Some((digits, behind)) = rest.split_once(unit) {
            total = total.checked_add(duration_ms(&format!("{digits}{}", unit.to_ascii_lowercase()))?)?;
            rest = behind;
        }
    }
    (rest.is_empty() && !clock.is_empty()).then_some(total)
}

fn duration_ms(text: &str) -> Option<i64> {
    let unit = match text.chars().last()? {
        's' => 1000,
        'm' => 60_000,
        'h' => 3_600_000,
        'd' => MS_PER_DAY,
        _ => return None,
    };
    number(text.get(..text.len() - 1).filter(|digits| !digits.is_empty())?)?.checked_mul(unit)
}

/// Digits only: `parse` would take a sign as well.
fn number(text: &str) -> Option<i64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

fn split_offset(time: &str) -> Option<(&str, i64)> {
    if let Some(clock) = time.strip_suffix(['Z', 'z']) {
        return Some((clock, 0));
    }
    let Some(at) = time.find(['+', '-']) else { return Some((time, 0)) };
    let (clock, offset) = time.split_at(at);
    let sign = if offset.starts_with('-') { -1 } else { 1 };
    Some((clock, sign * clock_ms(offset.get(1..)?)?))
}

fn clock_ms(clock: &str) -> Option<i64> {
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
    let mut parts = clock.split(':');
    let (hour, minute) = (number(parts.next()?)?, number(parts.next()?)?);
    let second = parts.next().map_or(Some(0), number)?;
    if hour > 23 || minute > 59 || second > 59 || parts.next().is_some() || fraction.is_empty() {
        return None;
    }
    let millis = number(&format!("{fraction:0<3}").chars().take(3).collect::<String>())?;
    Some(((hour * 60 + minute) * 60 + second) * 1000 + millis)
}

/// Days between 1970-01-01 and a date that exists.
fn days(date: &str) -> Option<i64> {
    let mut parts = date.split('-');
    let (year, month, day) = (number(parts.next()?)?, number(parts.next()?)?, number(parts.next()?)?);
    if parts.next().is_some() || !(1970..=9999).contains(&year) || !(1..=12).contains(&month) {
        return None;
    }
    let days = days_from_civil(year, month, day);
    (civil(days) == (year, month, day)).then_some(days)
}

/// Years are counted from March, so that the leap day is a year's last; eras are 400 years of 146 097 days.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let (month, day) =
        (if shifted < 10 { shifted + 3 } else { shifted - 9 }, day_of_year - (153 * shifted + 2) / 5 + 1);
    (era * 400 + year_of_era + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::{format_ms, parse, parse_duration};

    #[test]
    fn times_come_back() {
        for ms in [0, 951_782_400_000, 1_700_000_000_123, 4_102_444_799_999] {
            assert_eq!(parse(&format_ms(ms), 0), Some(ms), "{}", format_ms(ms));
        }
        assert_eq!(format_ms(1_700_000_000_123), "2023-11-14T22:13:20.123Z");
    }

    #[test]
    fn forms_people_write() {
        for (text, ms) in [
            ("1700000000123", 1_700_000_000_123),
            ("2023-11-14", 1_699_920_000_000),
            ("2023-11-14T22:13", 1_700_000_000_000 - 20_000),
            ("2023-11-14 22:13:20", 1_700_000_000_000),
            ("2023-11-15T00:13:20.5+02:00", 1_700_000_000_500),
            ("-10m", 1_000_000_000 - 600_000),
        ] {
            assert_eq!(parse(text, 1_000_000_000), Some(ms), "{text}");
        }
    }

    #[test]
    fn durations_people_and_kafka_write() {
        for (text, ms) in [
            ("90s", 90_000),
            ("7d", 604_800_000),
            ("P7D", 604_800_000),
            ("PT1H30M", 5_400_000),
            ("P1DT12H5S", 129_605_000),
            ("pt5m", 300_000),
        ] {
            assert_eq!(parse_duration(text), Some(ms), "{text}");
        }
        for text in ["", "P", "PT", "P1H", "PT1D", "PT5M1H", "P1DT", "PT-5M", "5", "ten minutes", "P99999999999999D"] {
            assert_eq!(parse_duration(text), None, "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "",
            "-",
            "-10",
            "-+5m",
            "2023-02-29",
            "2023-13-01",
            "2023-11-14T24:00",
            "2023-11-14T1",
            "yesterday",
            "-10ü",
        ] {
            assert_eq!(parse(text, 0), None, "{text}");
        }
    }
}
