//! What is made of a run's result: text, the formats of HdrHistogram's tools, plots and a page.

mod against;
mod command;
pub(crate) mod hgrm;
pub(crate) mod hlog;
pub(crate) mod input;
mod names;
mod page;
mod plot;
#[cfg(test)]
pub(crate) mod sample;
pub(crate) mod text;
mod units;
mod xml;

pub(crate) use self::command::{Args, run, write_page};
