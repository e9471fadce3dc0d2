//! `thalweg-bench report`: text, a page and plots out of kept results.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use super::names::named;
use super::plot::{of_results, svg};
use super::units::moment;
use super::{hgrm, input, page, text};
use crate::probe::Limits;
use crate::result::RunResult;

#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// Files that `run --out` or `merge` wrote; of several each plot has a line for each
    #[arg(required = true)]
    results: Vec<PathBuf>,
    /// Write one HTML page with everything in it
    #[arg(long)]
    html: Option<PathBuf>,
    /// Write each plot as an SVG file of its own into this directory
    #[arg(long)]
    svg: Option<PathBuf>,
    /// Write each latency's distribution as a .hgrm file of its own into this directory
    #[arg(long)]
    hgrm: Option<PathBuf>,
    /// A result of `probe`: figures are set against what the host and its device take at best
    #[arg(long)]
    probe: Option<PathBuf>,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let results = input::load_all(&args.results)?;
    let limits = args.probe.as_deref().map(Limits::load).transpose()?;
    for run in named(&results) {
        println!("{}, {}", run.name, moment(run.result.began_ms));
        println!("{}", text::text(run.result, limits.as_ref()));
    }
    if let Some(path) = &args.html {
        write_page(path, &results, limits.as_ref())?;
    }
    if let Some(directory) = &args.svg {
        write_plots(directory, &results)?;
    }
    if let Some(directory) = &args.hgrm {
        write_distributions(directory, &results)?;
    }
    Ok(())
}

pub(crate) fn write_page(path: &Path, results: &[RunResult], limits: Option<&Limits>) -> Result<()> {
    write(path, &page::page(&named(results), limits)?)
}

fn write_plots(directory: &Path, results: &[RunResult]) -> Result<()> {
    create(directory)?;
    for plot in of_results::plots(&named(results))? {
        write(&directory.join(format!("{}.svg", plot.stem)), &svg::file(&plot))?;
    }
    Ok(())
}

/// Named by the run's place among the arguments, the step, the flow and the latency.
fn write_distributions(directory: &Path, results: &[RunResult]) -> Result<()> {
    create(directory)?;
    for (number, run) in (1..).zip(results) {
        for (step_number, step) in (1..).zip(&run.steps) {
            for flow in &step.flows {
                for (name, latency) in &flow.latencies {
                    let name: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
                    let file = format!("run{number}-step{step_number}-{}-{name}.hgrm", flow.role.name());
                    write(&directory.join(file), &hgrm::distribution(&latency.histogram()?))?;
                }
            }
        }
    }
    Ok(())
}

fn create(directory: &Path) -> Result<()> {
    std::fs::create_dir_all(directory).with_context(|| format!("cannot create {}", directory.display()))
}

fn write(path: &Path, text: &str) -> Result<()> {
    std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::report::sample;

    #[test]
    fn files_are_where_they_were_asked_for() {
        let dir = tempfile::tempdir().unwrap();
        let result = dir.path().join("run.json");
        std::fs::write(&result, serde_json::to_string(&sample::steady("x")).unwrap()).unwrap();
        let (html, svg, hgrm) = (dir.path().join("x.html"), dir.path().join("svg"), dir.path().join("a/hgrm"));
        let files = (Some(html.clone()), Some(svg.clone()), Some(hgrm.clone()));
        run(&Args { results: vec![result], html: files.0, svg: files.1, hgrm: files.2, probe: None }).unwrap();
        assert!(std::fs::read_to_string(html).unwrap().ends_with("</html>\n"));
        assert_eq!(std::fs::read_dir(svg).unwrap().count(), 6);
        let mut names: Vec<_> =
            std::fs::read_dir(hgrm).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        let expected = ["produce-latency", "produce-service", "tail-end_to_end", "tail-fetch"];
        assert_eq!(names, expected.map(|name| format!("run1-step1-{name}.hgrm")));
    }
}
