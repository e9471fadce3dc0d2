//! Raw result lines to markdown: medians, spread, and ratios of ours to theirs.
//!
//! A line is `phase<TAB>case<TAB>system<TAB>repetition<TAB>metric=value…`. Values that are not numbers are skipped.

use std::path::PathBuf;

use anyhow::{Context, Result};

#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// results.tsv as compare.sh writes it
    file: PathBuf,
}

/// What says how a run was made, not how it went.
const NO_RATIO: [&str; 3] = ["count", "records", "others_pct"];

/// All repetitions of one system in one case.
#[derive(Debug)]
struct System {
    name: String,
    metrics: Vec<(String, Vec<f64>)>,
}

#[derive(Debug)]
struct Case {
    title: String,
    systems: Vec<System>,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let text = std::fs::read_to_string(&args.file).with_context(|| format!("cannot read {}", args.file.display()))?;
    for case in parse(&text)? {
        print!("{}", render(&case));
    }
    Ok(())
}

fn parse(text: &str) -> Result<Vec<Case>> {
    let mut cases: Vec<Case> = Vec::new();
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.is_empty() && !line.starts_with('#')) {
        let mut fields = line.split('\t');
        let (Some(phase), Some(case), Some(system), Some(_repetition)) =
            (fields.next(), fields.next(), fields.next(), fields.next())
        else {
            anyhow::bail!("line {} has fewer than four fields", number + 1);
        };
        let title = format!("{phase}: {case}");
        let case = entry(&mut cases, |c| c.title == title, || Case { title: title.clone(), systems: Vec::new() })?;
        let named = || System { name: system.to_owned(), metrics: Vec::new() };
        let system = entry(&mut case.systems, |s| s.name == system, named)?;
        for (key, value) in fields.filter_map(|field| field.split_once('=')) {
            let Ok(value) = value.parse::<f64>() else { continue };
            entry(&mut system.metrics, |(name, _)| name == key, || (key.to_owned(), Vec::new()))?.1.push(value);
        }
    }
    Ok(cases)
}

/// The first item that `is` it, or a new one at the end.
fn entry<T>(items: &mut Vec<T>, is: impl Fn(&T) -> bool, new: impl FnOnce() -> T) -> Result<&mut T> {
    let at = items.iter().position(is).unwrap_or_else(|| {
        items.push(new());
        items.len() - 1
    });
    items.get_mut(at).context("an item that was just there is gone")
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
        let cells: Vec<String> = columns.iter().map(|column| cell(system.values(column))).collect();
        out.push_str(&format!("| {} | {runs} | {} |\n", system.name, cells.join(" | ")));
    }
    let (ours, theirs): (Vec<&System>, Vec<&System>) =
        case.systems.iter().partition(|system| system.name.starts_with("thalweg"));
    for (our, their) in ours.iter().flat_map(|our| theirs.iter().map(move |their| (our, their))) {
        let cell = |column: &&str| match *column {
            column if NO_RATIO.contains(&column) => String::new(),
            column => ratio(our.values(column), their.values(column)),
        };
        let cells: Vec<String> = columns.iter().map(cell).collect();
        out.push_str(&format!("| **{} ÷ {}** | | {} |\n", our.name, their.name, cells.join(" | ")));
    }
    out
}

impl System {
    fn values(&self, metric: &str) -> &[f64] {
        self.metrics.iter().find(|(name, _)| name == metric).map_or(&[], |(_, values)| values)
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
    #![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

    use super::*;

    #[test]
    fn medians_spread_and_ratios_of_ours_to_theirs() {
        let text = "# a comment\n\
            produce\t1 KiB\tthalweg\t1\trate=200\tp50=3\twhat=x\n\
            produce\t1 KiB\tkafka\t1\trate=100\tp50=6\n\
            produce\t1 KiB\tthalweg\t2\trate=400\n\
            produce\t1 KiB\tthalweg\t3\trate=300\n";
        let cases = parse(text).unwrap();
        assert_eq!(cases.len(), 1);
        assert_eq!(
            render(&cases[0]),
            "\n### produce: 1 KiB\n\n| | runs | rate | p50 |\n|---|---|---|---|\n\
             | thalweg | 3 | 300 (200–400) | 3.00 |\n| kafka | 1 | 100 | 6.00 |\n\
             | **thalweg ÷ kafka** | | 3.00× | 0.50× |\n"
        );
    }

    #[test]
    fn an_even_number_of_runs_has_the_mean_of_the_middle_two_as_median() {
        assert_eq!(median(&[4.0, 1.0, 3.0, 2.0]), Some(2.5));
        assert_eq!(median(&[]), None);
    }

    #[test]
    fn a_short_line_is_named() {
        assert!(parse("a\tb\n").unwrap_err().to_string().contains("line 1"));
    }
}
