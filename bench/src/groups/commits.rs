//! Commits at a given rate, whatever the answers take: an open loop, over the members' connections in turn.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use thalweg_protocol::messages::OffsetCommitRequest;

use crate::client::answer;
use crate::client::cluster::error_name;
use crate::client::wire::frame;
use crate::summary::{Summary, Timings};

use super::Args;
use super::member::{COMMIT_VERSION, Member};
use super::poll::{Arrived, Poll};

/// How long to wait for answers when nothing is due.
const LOOK: Duration = Duration::from_millis(50);
/// Commits sent before answers are taken in again.
const BURST_MAX: u64 = 256;

/// When commits are due.
#[derive(Clone, Copy, Debug)]
struct Schedule {
    rate: u64,
    count: u64,
}

impl Schedule {
    /// From the beginning until this one is due.
    fn due(self, at: u64) -> Duration {
        Duration::from_nanos(u64::try_from(u128::from(at) * 1_000_000_000 / u128::from(self.rate)).unwrap_or(u64::MAX))
    }

    /// How many are due by then.
    fn due_by(self, elapsed: Duration) -> u64 {
        let due = elapsed.as_nanos() * u128::from(self.rate) / 1_000_000_000;
        u64::try_from(due + 1).unwrap_or(u64::MAX).min(self.count)
    }
}

/// What was sent on a connection and not answered yet, in order: its number.
struct Sent {
    by_line: Vec<VecDeque<u64>>,
    under_way: u64,
}

/// Latency from when each commit was due until it was answered.
pub(super) fn commit(poll: &mut Poll, members: &[Member], args: &Args) -> Result<Summary> {
    let schedule = Schedule { rate: args.commits, count: args.commits * args.duration };
    let mut sent = Sent { by_line: vec![VecDeque::new(); poll.len()], under_way: 0 };
    let mut timings = Timings::new()?;
    let (began, mut next, mut arrived) = (Instant::now(), 0, Vec::new());
    let deadline = Duration::from_secs(args.duration) + args.patience();
    while next < schedule.count || sent.under_way > 0 {
        let elapsed = began.elapsed();
        if elapsed > deadline {
            bail!("{} commits are not answered {} s after the last was due", sent.under_way, args.patience);
        }
        let burst_end = schedule.due_by(elapsed).min(next + BURST_MAX);
        while next < burst_end {
            send(poll, members, next, &mut sent)?;
            next += 1;
        }
        let due = if next < schedule.count { schedule.due(next).saturating_sub(began.elapsed()) } else { LOOK };
        poll.wait(due.min(LOOK), &mut arrived)?;
        for Arrived { line, frame } in arrived.drain(..) {
            let number = sent.by_line.get_mut(line).and_then(VecDeque::pop_front).context("an answer to nothing")?;
            sent.under_way -= 1;
            check(frame, number)?;
            timings.record(began.elapsed().saturating_sub(schedule.due(number)));
        }
    }
    let rate = schedule.count as f64 / began.elapsed().as_secs_f64();
    Ok(timings.summary(format!("commits, {}/s offered, {rate:.0}/s answered", args.commits)))
}

fn send(poll: &mut Poll, members: &[Member], number: u64, sent: &mut Sent) -> Result<()> {
    let line = usize::try_from(number)? % members.len().max(1);
    let member = members.get(line).context("no member commits")?;
    let partition = i32::try_from(line)? % i32::try_from(member.members())?;
    let request = member.commit(partition, i64::try_from(number)?);
    poll.send(line, &frame(&request, COMMIT_VERSION, correlation(number))?)?;
    if let Some(queue) = sent.by_line.get_mut(line) {
        queue.push_back(number);
    }
    sent.under_way += 1;
    Ok(())
}

/// Several commits may be under way on a connection.
fn correlation(number: u64) -> i32 {
    (number & 0x7fff_ffff) as i32
}

fn check(frame: bytes::Bytes, number: u64) -> Result<()> {
    let answer = answer::open::<OffsetCommitRequest>(frame, COMMIT_VERSION, correlation(number))?;
    let partition = answer.topics.first().and_then(|topic| topic.partitions.first());
    let code = partition.context("an answer to a commit names no partition")?.error_code;
    error_name(code).map_or(Ok(()), |error| bail!("a commit: the broker answered {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commits_are_due_evenly_and_no_more_than_there_are() {
        let schedule = Schedule { rate: 1000, count: 3000 };
        assert_eq!(schedule.due(0), Duration::ZERO);
        assert_eq!(schedule.due(2500), Duration::from_millis(2500));
        assert_eq!(schedule.due_by(Duration::ZERO), 1);
        assert_eq!(schedule.due_by(Duration::from_micros(1999)), 2);
        assert_eq!(schedule.due_by(Duration::from_millis(2)), 3);
        assert_eq!(schedule.due_by(Duration::from_secs(60)), 3000);
    }
}
