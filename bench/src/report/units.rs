//! Figures as people read them: three digits and a unit.

/// Microseconds, in the unit that keeps the number short.
pub(crate) fn duration(us: f64) -> String {
    match us.abs() {
        size if size >= 999_500.0 => format!("{} s", digits(us / 1e6)),
        size if size >= 999.5 => format!("{} ms", digits(us / 1e3)),
        _ => format!("{} µs", digits(us)),
    }
}

/// A number of things, or of things per second.
pub(crate) fn count(value: f64) -> String {
    match value.abs() {
        size if size >= 999.5e6 => format!("{} G", digits(value / 1e9)),
        size if size >= 999_500.0 => format!("{} M", digits(value / 1e6)),
        size if size >= 999.5 => format!("{} k", digits(value / 1e3)),
        _ => digits(value),
    }
}

/// Three digits, or the whole number when that is longer; no zeros behind the last one that says something.
pub(crate) fn digits(value: f64) -> String {
    let places = match value.abs() {
        size if size >= 99.95 => 0,
        size if size >= 9.995 => 1,
        size if size >= 0.9995 => 2,
        _ => 3,
    };
    let text = format!("{value:.places$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// Milliseconds since 1970 as `2026-11-24 20:40:35 UTC`.
pub(crate) fn moment(ms: i64) -> String {
    let (days, seconds) = (ms.div_euclid(86_400_000), ms.rem_euclid(86_400_000) / 1000);
    let (year, month, day) = civil(days);
    format!("{year:04}-{month:02}-{day:02} {:02}:{:02}:{:02} UTC", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

/// Year, month and day of a number of days since 1970, in the Gregorian calendar.
///
/// Years are counted from 1 March, so that the leap day is the last of its year; 400 of them have 146 097 days.
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days.saturating_add(719_468);
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (era * 400 + year_of_era + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_three_digits_and_the_unit_that_fits() {
        let durations = [0.0, 0.25, 9.876, 123.4, 999.6, 12_340.0, 1_000_000.0, 3.6e9].map(duration);
        assert_eq!(durations, ["0 µs", "0.25 µs", "9.88 µs", "123 µs", "1 ms", "12.3 ms", "1 s", "3600 s"]);
        let counts = [0.0, 7.0, 50_000.0, 104_341.0, 2_500_000.0, 3e9].map(count);
        assert_eq!(counts, ["0", "7", "50 k", "104 k", "2.5 M", "3 G"]);
    }

    #[test]
    fn moments_are_dates() {
        assert_eq!(moment(0), "1970-01-01 00:00:00 UTC");
        assert_eq!(moment(951_782_400_000), "2000-02-29 00:00:00 UTC");
        assert_eq!(moment(1_795_552_835_999), "2026-11-24 20:40:35 UTC");
        assert_eq!(moment(-1), "1969-12-31 23:59:59 UTC");
    }
}
