//! Results as one HTML page that needs nothing else: tables, plots inside of it, and what the figures were measured with.
//! It has no script, and follows the reader's choice of light or dark.

mod tables;

use std::fmt::Write as _;

use anyhow::Result;

use super::names::{Named, notes};
use super::plot::{of_results, svg};
use super::units::moment;
use super::xml::escape;
use crate::probe::Limits;
use crate::result::{Host, RunResult};

const STYLE: &str = "\
:root{color-scheme:light dark}body{font:15px/1.5 system-ui,-apple-system,'Segoe UI','DejaVu Sans',sans-serif;\
max-width:1100px;margin:2em auto;padding:0 1.2em;color:#222;background:#fff}\
h1{font-size:1.7em;margin:0 0 .2em}h2{margin:2em 0 .5em;font-size:1.3em}h3{margin:1.4em 0 .4em;font-size:1.05em}\
.muted{color:#666}.failure{border-left:5px solid #c62828;background:#fdecea;padding:.6em 1em;margin:1em 0}\
.note{border-left:5px solid #b08900;background:#fdf6e0;padding:.4em 1em;margin:.6em 0}\
.scroll{overflow-x:auto}table{border-collapse:collapse;font-variant-numeric:tabular-nums;font-size:.92em}\
th,td{padding:.3em .8em;border-bottom:1px solid #ddd;text-align:right;white-space:nowrap}\
th{font-weight:600;border-bottom:2px solid #bbb}.l{text-align:left}td.run{white-space:normal;min-width:9em}.limit td{color:#666;font-size:.92em;border-top:0}\
.plots svg{width:100%;height:auto;display:block;margin:1em 0;border:1px solid #ddd;border-radius:6px}\
pre{overflow-x:auto;background:#f5f5f5;padding:.8em;border-radius:6px;font-size:.85em}\
dl{display:grid;grid-template-columns:max-content 1fr;gap:.1em 1.2em}dt{color:#666}dd{margin:0}\
@media(prefers-color-scheme:dark){body{color:#ddd;background:#121212}.muted,dt,.limit td{color:#999}\
.failure{background:#3a1614}.note{background:#332a0d}th,td{border-color:#333}th{border-color:#555}\
.plots svg{border-color:#333}pre{background:#1e1e1e}}";

pub(crate) fn page(runs: &[Named<'_>], limits: Option<&Limits>) -> Result<String> {
    let names: Vec<&str> = runs.iter().map(|run| run.name.as_str()).collect();
    let title = escape(&names.join(" · "));
    let mut out = format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"/>\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/><title>{title}</title>\
         <style>{STYLE}{}</style></head>\n<body>\n<h1>{title}</h1>\n<p class=\"muted\">Measured by thalweg-bench.</p>\n",
        svg::STYLE
    );
    for run in runs {
        if let Some(failure) = &run.result.failure {
            let (name, failure) = (escape(&run.name), escape(failure));
            let _ = writeln!(
                out,
                "<p class=\"failure\" role=\"alert\"><strong>{name} ended early:</strong> {failure}<br/>\
                 What follows was measured until then.</p>"
            );
        }
    }
    out.push_str(&tables::overview(runs));
    put_notes(&mut out, runs);
    out.push_str("<section class=\"plots\">\n<h2>Plots</h2>\n");
    for plot in of_results::plots(runs)? {
        out.push_str(&svg::inline(&plot));
    }
    out.push_str("</section>\n");
    for run in runs {
        put_run(&mut out, run, limits);
    }
    out.push_str("</body></html>\n");
    Ok(out)
}

/// Each once, with whose it is unless it is everyone's.
fn put_notes(out: &mut String, runs: &[Named<'_>]) {
    let mut said: Vec<(&str, Vec<&str>)> = Vec::new();
    for (run, note) in runs.iter().flat_map(|run| notes(run.result).into_iter().map(move |note| (run, note))) {
        match said.iter_mut().find(|(other, _)| *other == note) {
            Some((_, names)) => names.push(&run.name),
            None => said.push((note, vec![&run.name])),
        }
    }
    for (note, names) in said {
        let whose = if names.len() < runs.len() { format!("{}: ", names.join(", ")) } else { String::new() };
        let _ = writeln!(out, "<p class=\"note\">{}{}</p>", escape(&whose), escape(note));
    }
}

fn put_run(out: &mut String, run: &Named<'_>, limits: Option<&Limits>) {
    let RunResult { version, began_ms, hosts, scenario, steps, .. } = run.result;
    let _ =
        writeln!(out, "<section>\n<h2>{}</h2>\n<dl><dt>began</dt><dd>{}</dd>", escape(&run.name), moment(*began_ms));
    for (host, count) in grouped(hosts) {
        let times = if count > 1 { format!("{count} × ") } else { String::new() };
        let _ = writeln!(out, "<dt>load from</dt><dd>{times}{}</dd>", escape(&described(host)));
    }
    let _ = writeln!(out, "<dt>thalweg-bench</dt><dd>{}</dd>", escape(version));
    if let Some(limits) = limits {
        let device = escape(&limits.device);
        let _ = writeln!(out, "<dt>limit</dt><dd>what `probe` found on {device}</dd>");
    }
    out.push_str("</dl>\n");
    for (number, step) in (1..).zip(steps) {
        out.push_str(&tables::step(run.result, number, step, limits));
    }
    let text = serde_json::to_string_pretty(scenario).unwrap_or_default();
    let _ = writeln!(out, "<details><summary>Scenario</summary>\n<pre>{}</pre>\n</details>\n</section>", escape(&text));
}

pub(crate) fn described(host: &Host) -> String {
    let Host { kernel, cpu, cores, memory_mib } = host;
    format!("{cpu}, {cores} cores, {memory_mib} MiB, {kernel}")
}

/// Equal machines once, with their number.
pub(crate) fn grouped(hosts: &[Host]) -> Vec<(&Host, usize)> {
    let mut groups: Vec<(&Host, usize)> = Vec::new();
    for host in hosts {
        match groups.iter_mut().find(|(other, _)| *other == host) {
            Some((_, count)) => *count += 1,
            None => groups.push((host, 1)),
        }
    }
    groups
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

    use serde_json::json;

    use super::*;
    use crate::report::names::named;
    use crate::report::sample;
    use crate::report::xml::malformed;

    #[test]
    fn a_page_is_well_formed_and_needs_nothing_else() {
        let runs = [sample::steps("ours", &[1e3, 2e3]), sample::steady("theirs")];
        let page = page(&named(&runs), None).unwrap();
        assert_eq!(malformed(&page), None);
        for needle in ["src=", "href=", "@import", "url(", "<script", "<link"] {
            assert!(!page.contains(needle), "{needle}");
        }
        assert!(page.contains("2026-11-24 20:40:35 UTC") && page.contains("CPU 9000, 2 cores"), "{page}");
        assert!(page.matches("<svg").count() >= 5);
    }

    #[test]
    fn every_string_of_a_result_is_escaped() {
        let evil = "<script>alert(\"1\")</script>&'";
        let mut run = sample::steady(evil);
        run.version = evil.to_owned();
        run.failure = Some(evil.to_owned());
        run.scenario = json!({ evil: evil, "produce": {"acks": evil} });
        run.hosts[0].cpu = evil.to_owned();
        run.hosts[0].kernel = evil.to_owned();
        let flow = &mut run.steps[0].flows[0];
        flow.refused.insert(evil.to_owned(), 3);
        let latency = flow.latencies["service"].clone();
        flow.latencies.insert(evil.to_owned(), latency);
        let page = page(&named(&[run]), Some(&sample::limits())).unwrap();
        assert_eq!(malformed(&page), None);
        assert!(!page.contains("<script"), "{page}");
        assert!(page.matches("&lt;script&gt;").count() >= 9, "{}", page.matches("&lt;script&gt;").count());
    }

    #[test]
    fn a_note_says_whose_it_is_unless_it_is_everyones() {
        let (both, mut closed) = (sample::steady("open"), sample::steady("<closed>"));
        closed.steps[0].offered_records_s = None;
        let page = page(&named(&[both, closed]), None).unwrap();
        assert!(page.contains("<p class=\"note\">&lt;closed&gt;: Closed loop"), "whose it is");
        assert!(page.contains("<p class=\"note\">End-to-end"), "everyone's");
        assert_eq!(page.matches("End-to-end latency compares").count(), 1);
    }

    #[test]
    fn a_failure_is_to_be_seen_before_any_figure() {
        let page = page(&named(&[sample::empty("broken")]), None).unwrap();
        let said = page.find("refuses &lt;connections&gt;").unwrap();
        assert!(page.find("<table").is_none_or(|table| said < table));
    }

    #[test]
    fn with_a_probe_tables_say_how_far_from_the_limit() {
        let page = page(&named(&[sample::steady("x")]), Some(&sample::limits())).unwrap();
        // Median and p90 of the floor are 100 and 150 µs, those of the run 248 and 288.
        let row = "<tr class=\"limit\"><td class=\"l\"></td><td class=\"l\">× of the limit</td><td></td><td></td>\
                   <td>2.48</td><td>1.92</td><td>1.48</td><td>7.4</td><td></td><td>28.9</td></tr>";
        let found = page.lines().find(|line| line.starts_with("<tr class=\"limit\">"));
        assert_eq!(found, Some(row));
        assert!(page.contains("&lt;SSD&gt; 960"), "{page}");
    }

    #[test]
    fn equal_machines_are_named_once() {
        let hosts = [sample::host("a"), sample::host("b"), sample::host("a")];
        let counts: Vec<_> = grouped(&hosts).into_iter().map(|(host, count)| (host.cpu.as_str(), count)).collect();
        assert_eq!(counts, [("a", 2), ("b", 1)]);
    }
}
