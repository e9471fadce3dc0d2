//! A flow's figures against what the host and its device take at best.

use super::names::asks_for_durability;
use crate::probe::{Limits, Micros};
use crate::result::{Flow, Role, RunResult, Step};

/// What no flow of this kind can be faster than: a round trip, with a durable write in it where records are written.
pub(super) fn floor<'a>(limits: &'a Limits, result: &RunResult, role: Role) -> &'a Micros {
    if role == Role::CatchUp || !asks_for_durability(result) { &limits.round_trip } else { &limits.floor }
}

/// One sentence, without a latency when there is none.
pub(super) fn sentence(limits: &Limits, result: &RunResult, step: &Step, flow: &Flow) -> String {
    let volatile = flow.role == Role::CatchUp || !asks_for_durability(result);
    let us = flow.first_latency().filter(|(_, latency)| latency.count > 0).map(|(_, latency)| latency.us);
    let latency = us.map(|us| match volatile {
        true => format!("p50 {}, p99 {}", limits.volatile_p50(us.p50), limits.volatile_p99(us.p99)),
        false => format!("p50 {}, p99 {}", limits.durable_p50(us.p50), limits.durable_p99(us.p99)),
    });
    let bytes_s = flow.mb_s(step) * 1e6;
    let bandwidth = match flow.role {
        Role::Produce => Some(format!("bandwidth {}", limits.written(bytes_s))),
        Role::Tail => None,
        Role::CatchUp => Some(format!("bandwidth {}", limits.read(bytes_s))),
    };
    [latency, bandwidth].into_iter().flatten().collect::<Vec<_>>().join(", ")
}
