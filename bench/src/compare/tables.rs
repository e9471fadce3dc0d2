//! Results to markdown: medians, spread, and ratios of ours to theirs.

use std::fmt::Write as _;

use super::results::{Line, Row, Side};

/// What says how a run was made, not how it went.
const NO_RATIO: [&str; 7] = ["count", "records", "others_pct", "offered_s", "refused", "stalled_pct", "stall_max_ms"];
/// A row beside which others took more of the machine than this, in per cent, is marked.
const OTHERS_PCT_MAX: f64 = 5.0;

/// All repetitions of one system in one case.
#[derive(Debug)]
struct System {
    name: String,
    side: Side,
    metrics: Vec<(String, Vec<f64>)>,
}

#[derive(Debug)]
struct Case {
    title: String,
    systems: Vec<System>,
}

/// The whole report: what it is of, the tables, and what is missing.
pub(super) fn markdown(lines: &[Line]) -> String {
    let mut out = String::new();
    for line in lines {
        if let Line::About { text } = line {
            let _ = writeln!(out, "{text}");
        }
    }
    let cases = gather(lines);
    out.extend(cases.iter().map(render));
    if cases.iter().any(|case| case.systems.iter().any(System::is_disturbed)) {
        let _ =
            writeln!(out, "\n⚠: others took more than {OTHERS_PCT_MAX:.0} % of the cores beside a repetition of this.");
    }
    let missing: Vec<String> = lines.iter().filter_map(missing).collect();
    if !missing.is_empty() {
        let _ = write!(out, "\n### Missing\n\n{}", missing.concat());
    }
    out
}

fn missing(line: &Line) -> Option<String> {
    let Line::Missing { phase, system, rep, why } = line else { return None };
    let why = why.lines().next().unwrap_or_default();
    Some(format!("- {phase}, {system}, repetition {rep}: {why}\n"))
}

fn gather(lines: &[Line]) -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    for line in lines {
        let Line::Row(Row { phase, case, system, side, metrics, .. }) = line else { continue };
        let title = format!("{phase}: {case}");
        let case = entry(&mut cases, |c| c.title == title, || Case { title: title.clone(), systems: Vec::new() });
        let named = || System { name: system.clone(), side: *side, metrics: Vec::new() };
        let system = entry(&mut case.systems, |s| s.name == *system, named);
        for (key, value) in metrics {
            entry(&mut system.metrics, |(name, _)| name == key, || (key.clone(), Vec::new())).1.push(*value);
        }
    }
    cases
}

/// The first item that `is` it, or a new one at the end.
fn entry<T>(items: &mut Vec<T>, is: impl Fn(&T) -> bool, new: impl FnOnce() -> T) -> &mut T {
    let at = items.iter().position(is).unwrap_or_else(|| {
        items.push(new());
        items.len() - 1
    });
    #[expect(clippy::indexing_slicing, reason = "found or pushed just above")]
    &mut items[at]
}

fn render(case: &Case) -> String {
    let mut columns: Vec<&str> = Vec::new();
    for (name, _) in case.systems.iter().flat_map(|system| &system.metrics) {
        if !columns.contains(&name.as_str()) {
            columns.push(name);
        }
    }
    let mut out = format!("\n### {}\n\n| | runs | {} |\n|---|---|", case.title, columns.join(" | "));
    out.push_str(&"---|".repeat(columns.len()));
    out.push('\n');
    for system in &case.systems {
        let runs = system.metrics.iter().map(|(_, values)| values.len()).max().unwrap_or(0);
        let cells: Vec<String> = columns.iter().map(|column| system.cell(column)).collect();
        let _ = writeln!(out, "| {} | {runs} | {} |", system.name, cells.join(" | "));
    }
    let (ours, theirs): (Vec<&System>, Vec<&System>) =
        case.systems.iter().partition(|system| system.side == Side::Ours);
    for (our, their) in ours.iter().flat_map(|our| theirs.iter().map(move |their| (our, their))) {
        let cell = |column: &&str| match *column {
            column if NO_RATIO.contains(&column) => String::new(),
            column => ratio(our.values(column), their.values(column)),
        };
        let cells: Vec<String> = columns.iter().map(cell).collect();
        let _ = writeln!(out, "| **{} ÷ {}** | | {} |", our.name, their.name, cells.join(" | "));
    }
    out
}

impl System {
    fn values(&self, metric: &str) -> &[f64] {
        self.metrics.iter().find(|(name, _)| name == metric).map_or(&[], |(_, values)| values)
    }

    fn is_disturbed(&self) -> bool {
        self.values("others_pct").iter().any(|others| *others > OTHERS_PCT_MAX)
    }

    fn cell(&self, column: &str) -> String {
        let mark = if column == "others_pct" && self.is_disturbed() { " ⚠" } else { "" };
        format!("{}{mark}", cell(self.values(column)))
    }
}

fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let upper = *sorted.get(sorted.len() / 2)?;
    if sorted.len() % 2 == 1 {
        return Some(upper);
    }
    Some(f64::midpoint(*sorted.get(sorted.len() / 2 - 1)?, upper))
}

fn cell(values: &[f64]) -> String {
    let Some(middle) = median(values) else { return "–".to_owned() };
    let least = values.iter().copied().fold(f64::INFINITY, f64::min);
    let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if values.len() == 1 {
        number(middle)
    } else {
        format!("{} ({}–{})", number(middle), number(least), number(most))
    }
}

fn ratio(ours: &[f64], theirs: &[f64]) -> String {
    match (median(ours), median(theirs)) {
        (Some(ours), Some(theirs)) if theirs != 0.0 => format!("{:.2}×", ours / theirs),
        _ => "–".to_owned(),
    }
}

fn number(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(system: &str, side: Side, rep: u32, metrics: &[(&str, f64)]) -> Line {
        let metrics = metrics.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect();
        let text = |text: &str| text.to_owned();
        Line::Row(Row { phase: text("produce"), case: text("1 KiB"), system: text(system), side, rep, metrics })
    }

    #[test]
    fn medians_spread_and_ratios_of_ours_to_theirs() {
        let lines = [
            row("thalweg", Side::Ours, 1, &[("rate", 200.0), ("p50", 3.0)]),
            row("kafka", Side::Theirs, 1, &[("rate", 100.0), ("p50", 6.0)]),
            row("thalweg", Side::Ours, 2, &[("rate", 400.0)]),
            row("thalweg", Side::Ours, 3, &[("rate", 300.0)]),
        ];
        assert_eq!(
            markdown(&lines),
            "\n### produce: 1 KiB\n\n| | runs | rate | p50 |\n|---|---|---|---|\n\
             | thalweg | 3 | 300 (200–400) | 3.00 |\n| kafka | 1 | 100 | 6.00 |\n\
             | **thalweg ÷ kafka** | | 3.00× | 0.50× |\n"
        );
    }

    #[test]
    fn what_others_took_has_no_ratio_and_a_mark_when_it_is_much() {
        let lines = [
            row("thalweg", Side::Ours, 1, &[("others_pct", 1.0)]),
            row("thalweg", Side::Ours, 2, &[("others_pct", 40.0)]),
            row("kafka", Side::Theirs, 1, &[("others_pct", 2.0)]),
        ];
        let text = markdown(&lines);
        assert!(text.contains("| thalweg | 2 | 20.5 (1.00–40.0) ⚠ |"), "{text}");
        assert!(text.contains("| kafka | 1 | 2.00 |\n| **thalweg ÷ kafka** | |  |"), "{text}");
        assert!(text.contains("⚠: others took more than 5 %"), "{text}");
    }

    #[test]
    fn what_is_missing_is_said_in_a_line() {
        let missing = Line::Missing {
            phase: "tail".to_owned(),
            system: "kafka".to_owned(),
            rep: 2,
            why: "it died\nof this".to_owned(),
        };
        let about = Line::About { text: "a machine".to_owned() };
        assert_eq!(markdown(&[about, missing]), "a machine\n\n### Missing\n\n- tail, kafka, repetition 2: it died\n");
    }

    #[test]
    fn an_even_number_of_runs_has_the_mean_of_the_middle_two_as_median() {
        assert_eq!(median(&[4.0, 1.0, 3.0, 2.0]), Some(2.5));
        assert_eq!(median(&[]), None);
    }
}
