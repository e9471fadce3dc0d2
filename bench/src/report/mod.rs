//! What is made of a run's result: text, the formats of HdrHistogram's tools, plots and a page.

pub(crate) mod hgrm;
#[expect(dead_code, reason = "the load generator is about to write it")]
pub(crate) mod hlog;
pub(crate) mod text;
