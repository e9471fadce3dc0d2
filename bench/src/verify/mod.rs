//! Correctness under load.

mod check;
mod record;
