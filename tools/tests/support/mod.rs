//! A broker to talk to, and `thalweg` itself.

mod broker;
mod command;
mod program;
mod running;

pub(crate) use broker::{Broker, broker, unique};
pub(crate) use command::{Outcome, thalweg, thalweg_with_input};
