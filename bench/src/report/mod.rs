//! What is made of a run's result: text, the formats of HdrHistogram's tools, plots and a page.

pub(crate) mod hlog;
