//! What is made of a run's result: text, the formats of HdrHistogram's tools, plots and a page.

mod command;
pub(crate) mod hgrm;
#[expect(dead_code, reason = "the load generator is about to write it")]
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

#[expect(unused_imports, reason = "the load generator is about to use it")]
pub(crate) use self::command::write_page;
pub(crate) use self::command::{Args, run};
