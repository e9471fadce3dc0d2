//! Which plots a report has, and what lines each: of one run everything, of several one line for each.

use anyhow::Result;

use super::series::{Clock, Points, first_latency_title, percentiles};
use super::{Axis, Line, Plot, Stroke, Unit, svg};
use crate::report::names::{Named, latency_title};
use crate::report::units::count;
use crate::result::{Role, Step};

/// More lines than a reader tells apart; tables have the rest.
const LINES_MAX: usize = 16;

pub(crate) fn plots(runs: &[Named<'_>]) -> Result<Vec<Plot>> {
    let mut plots = Vec::new();
    for role in Role::ALL {
        plots.extend(throughput_against_latency(runs, role));
    }
    for role in Role::ALL {
        plots.extend(by_percentile(runs, role, None)?);
        plots.extend(latency_over_time(runs, role));
        plots.extend(throughput_over_time(runs, role));
    }
    plots.extend(by_percentile(runs, Role::Produce, Some("commit"))?);
    Ok(plots)
}

/// Of the latency of that name, or of the flow's first.
fn by_percentile(runs: &[Named<'_>], role: Role, name: Option<&str>) -> Result<Option<Plot>> {
    let (mut lines, mut title, mut left_out) = (Vec::new(), "latency", false);
    for (at_run, run) in runs.iter().enumerate() {
        for (at_step, step) in run.result.steps.iter().enumerate() {
            let flow = step.flow(role);
            let latency = flow.and_then(|flow| match name {
                Some(name) => flow.latencies.get_key_value(name).map(|(name, latency)| (name.as_str(), latency)),
                None => flow.first_latency(),
            });
            let Some((name, latency)) = latency else { continue };
            if lines.len() == LINES_MAX {
                left_out = true;
                continue;
            }
            title = latency_title(name);
            let (colour, stroke) = look(runs, at_run, at_step);
            let points = percentiles(&latency.histogram()?);
            lines.push(Line { stroke, ..Line::solid(line_label(runs, run, step), colour, points) });
        }
    }
    let hint = if left_out { format!(" (the first {LINES_MAX})") } else { String::new() };
    let plot = Plot {
        stem: format!("{}-{}-by-percentile", role.name(), title.replace(' ', "-")),
        title: format!("{}: {title} by percentile{hint}", role.title()),
        x: Axis { title: "percentile of records".to_owned(), unit: Unit::Nines },
        y: Axis { title: title.to_owned(), unit: Unit::Microseconds },
        lines,
        shaded: Vec::new(),
    };
    Ok(plot.worthwhile())
}

/// Steps of the same number have the same colour, so that runs are compared at one rate; a run has its own stroke then.
/// Without steps each run has its own colour. A second round of the palette is dashed.
fn look(runs: &[Named<'_>], at_run: usize, at_step: usize) -> (usize, Stroke) {
    let steps = runs.len() > 1 && runs.iter().any(|run| run.result.steps.len() > 1);
    let (colour, round) = if steps { (at_step, at_run) } else { (at_run + at_step, (at_run + at_step) / svg::COLOURS) };
    let stroke = match round {
        0 => Stroke::Solid,
        1 => Stroke::Dashed,
        _ => Stroke::Dotted,
    };
    (colour, stroke)
}

/// What tells a run's step from the others in the same plot.
fn line_label(runs: &[Named<'_>], run: &Named<'_>, step: &Step) -> String {
    let rate = step.offered_records_s.map_or("closed loop".to_owned(), |rate| format!("{} records/s", count(rate)));
    match (runs.len(), run.result.steps.len()) {
        (1, 1) | (1, 0) => run.name.clone(),
        (1, _) => rate,
        (_, 1) => run.name.clone(),
        _ => format!("{}, {rate}", run.name),
    }
}

fn latency_over_time(runs: &[Named<'_>], role: Role) -> Option<Plot> {
    let latency = runs.first().map_or("latency", |run| first_latency_title(run.result, role));
    let clocks = || runs.iter().map(|run| (run, Clock::of(run.result)));
    let lines = match runs {
        [run] => {
            let clock = Clock::of(run.result);
            let line = |label, colour, points| Line::solid(label, colour, points);
            vec![
                line("p50", 0, clock.latency(run.result, role, |second| second.p50_us)),
                line("p99", 1, clock.latency(run.result, role, |second| second.p99_us)),
                Line {
                    stroke: Stroke::Dotted,
                    ..line("max", svg::GREY, clock.latency(run.result, role, |second| second.max_us))
                },
            ]
        }
        _ => clocks()
            .enumerate()
            .map(|(at, (run, clock))| {
                Line::solid(&run.name, at, clock.latency(run.result, role, |second| second.p99_us))
            })
            .collect(),
    };
    let of = if runs.len() == 1 { latency.to_owned() } else { format!("p99 {latency}") };
    over_time(runs, role, "latency", (format!("{of} of each second"), Unit::Microseconds), lines)
}

fn throughput_over_time(runs: &[Named<'_>], role: Role) -> Option<Plot> {
    let rate = |(at, run): (usize, &Named<'_>)| {
        let label = if runs.len() == 1 { role.name().replace('_', " ") } else { run.name.clone() };
        Line::solid(label, at, Clock::of(run.result).rate(run.result, role))
    };
    let mut lines: Vec<Line> = runs.iter().enumerate().map(rate).collect();
    if role == Role::Produce {
        lines.extend(offered(runs));
    }
    over_time(runs, role, "throughput", ("records/s".to_owned(), Unit::PerSecond), lines)
}

/// One line for all that were offered the same, in grey.
fn offered(runs: &[Named<'_>]) -> Vec<Line> {
    let points: Vec<Points> = runs.iter().map(|run| Clock::of(run.result).offered(run.result)).collect();
    let lines: Vec<Line> = match points.split_first() {
        Some((first, others)) if others.iter().all(|other| other == first) => {
            vec![Line::solid("offered", svg::GREY, first.clone())]
        }
        _ => {
            let named = runs.iter().zip(points).enumerate();
            named.map(|(at, (run, points))| Line::solid(format!("{}, offered", run.name), at, points)).collect()
        }
    };
    let known = lines.into_iter().filter(|line| line.points.iter().any(Option::is_some));
    known.map(|line| Line { stroke: Stroke::Dashed, ..line }).collect()
}

fn over_time(runs: &[Named<'_>], role: Role, what: &str, (y, unit): (String, Unit), lines: Vec<Line>) -> Option<Plot> {
    let mut uncounted = runs.iter().map(|run| Clock::of(run.result).uncounted(run.result));
    let mut shaded = uncounted.next().unwrap_or_default();
    // Only what no run counted.
    uncounted.for_each(|others| shaded.retain(|part| others.contains(part)));
    let hint = if shaded.is_empty() { "" } else { "; grey: not counted" };
    let plot = Plot {
        stem: format!("{}-{what}-over-time", role.name().replace('_', "-")),
        title: format!("{}: {what} over time", role.title()),
        x: Axis { title: format!("seconds since measuring began{hint}"), unit: Unit::Seconds },
        y: Axis { title: y, unit },
        lines,
        shaded,
    };
    plot.worthwhile()
}

/// Only where the rate climbs. What was achieved is on the x axis: at the broker's limit the line goes up and not on.
fn throughput_against_latency(runs: &[Named<'_>], role: Role) -> Option<Plot> {
    if !runs.iter().any(|run| run.result.steps.len() > 1) {
        return None;
    }
    let mut lines = Vec::new();
    for (at, run) in runs.iter().enumerate() {
        let prefix = if runs.len() == 1 { String::new() } else { format!("{}, ", run.name) };
        let points = |us: fn(&crate::result::Percentiles) -> f64| -> Points {
            run.result.steps.iter().map(|step| point(step, role, us)).collect()
        };
        let p99 = Line { dots: true, ..Line::solid(format!("{prefix}p99"), at, points(|us| us.p99)) };
        let p50 = Line { dots: true, ..Line::solid(format!("{prefix}p50"), at, points(|us| us.p50)) };
        lines.extend([p99, Line { stroke: Stroke::Dashed, ..p50 }]);
    }
    let latency = runs.first().map_or("latency", |run| first_latency_title(run.result, role));
    let plot = Plot {
        stem: format!("{}-throughput-against-latency", role.name().replace('_', "-")),
        title: format!("{}: {latency} as the rate climbs", role.title()),
        x: Axis { title: "records/s achieved".to_owned(), unit: Unit::PerSecond },
        y: Axis { title: latency.to_owned(), unit: Unit::Microseconds },
        lines,
        shaded: Vec::new(),
    };
    plot.worthwhile()
}

fn point(step: &Step, role: Role, us: fn(&crate::result::Percentiles) -> f64) -> Option<(f64, f64)> {
    let flow = step.flow(role)?;
    let (_, latency) = flow.first_latency().filter(|(_, latency)| latency.count > 0)?;
    Some((flow.records_s(step), us(&latency.us)))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

    use super::*;
    use crate::report::names::named;
    use crate::report::plot::svg;
    use crate::report::sample;
    use crate::report::xml::malformed;

    fn stems(plots: &[Plot]) -> Vec<&str> {
        plots.iter().map(|plot| plot.stem.as_str()).collect()
    }

    #[test]
    fn one_run_without_steps_has_everything_but_the_climb() {
        let runs = [sample::steady("steady")];
        let plots = plots(&named(&runs)).unwrap();
        let expected = [
            "produce-latency-by-percentile",
            "produce-latency-over-time",
            "produce-throughput-over-time",
            "tail-end-to-end-latency-by-percentile",
            "tail-latency-over-time",
            "tail-throughput-over-time",
        ];
        assert_eq!(stems(&plots), expected);
        let labels: Vec<_> = plots[1].lines.iter().map(|line| line.label.as_str()).collect();
        assert_eq!(labels, ["p50", "p99", "max"]);
        assert_eq!(plots[2].lines.last().unwrap().label, "offered");
    }

    #[test]
    fn several_runs_have_one_line_each_and_steps_make_a_climb() {
        let runs = [sample::steps("ours", &[1e3, 2e3, 4e3]), sample::steps("theirs", &[1e3, 2e3, 4e3])];
        let plots = plots(&named(&runs)).unwrap();
        assert_eq!(plots[0].stem, "produce-throughput-against-latency");
        let labels: Vec<_> = plots[0].lines.iter().map(|line| line.label.as_str()).collect();
        assert_eq!(labels, ["ours, p99", "ours, p50", "theirs, p99", "theirs, p50"]);
        assert_eq!(plots[1].lines.len(), 6);
        // Both were offered the same, which is said once.
        let labels: Vec<_> = plots[3].lines.iter().map(|line| line.label.as_str()).collect();
        assert_eq!(labels, ["ours", "theirs", "offered"]);
    }

    #[test]
    fn every_plot_is_well_formed_whatever_runs_are_called() {
        let runs =
            [sample::steps("a</text><script>\"&'", &[1e3, 2e3]), sample::steady("\u{0}<"), sample::empty("none")];
        for plot in plots(&named(&runs)).unwrap() {
            for svg in [svg::inline(&plot), svg::file(&plot).split_once('\n').unwrap().1.to_owned()] {
                assert_eq!(malformed(&svg), None, "{svg}");
                assert!(!svg.contains("<script") && !svg.contains("NaN") && !svg.contains("inf"), "{svg}");
            }
        }
    }

    #[test]
    fn what_measured_nothing_has_no_plots() {
        assert_eq!(plots(&named(&[sample::empty("none")])).unwrap(), []);
    }
}
