//! `thalweg-bench report`: text, a page and plots out of kept results.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use super::names::named;
use super::plot::{of_results, svg};
use super::{input, page, text};
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
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let results = input::load_all(&args.results)?;
    for run in named(&results) {
        if results.len() > 1 {
            println!("{}", run.name);
        }
        print!("{}", text::text(run.result));
    }
    if let Some(path) = &args.html {
        write_page(path, &results)?;
    }
    if let Some(directory) = &args.svg {
        write_plots(directory, &results)?;
    }
    Ok(())
}

pub(crate) fn write_page(path: &Path, results: &[RunResult]) -> Result<()> {
    write(path, &page::page(&named(results))?)
}

fn write_plots(directory: &Path, results: &[RunResult]) -> Result<()> {
    std::fs::create_dir_all(directory).with_context(|| format!("cannot create {}", directory.display()))?;
    for plot in of_results::plots(&named(results))? {
        write(&directory.join(format!("{}.svg", plot.stem)), &svg::file(&plot))?;
    }
    Ok(())
}

fn write(path: &Path, text: &str) -> Result<()> {
    std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}
