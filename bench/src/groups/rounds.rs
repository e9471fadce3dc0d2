//! A round: every member of every group joins at the same moment, and the round is over when all have their assignments.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use thalweg_protocol::messages::{JoinGroupRequest, SyncGroupRequest};

use crate::client::answer;
use crate::client::wire::frame;
use crate::summary::Timings;

use super::member::{JOIN_VERSION, Member, Next, SYNC_VERSION};
use super::poll::Poll;

/// How long to wait for answers before looking at the clock.
const LOOK: Duration = Duration::from_millis(200);

/// What a member waits for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Waiting {
    Joined,
    Synced,
    Nothing,
}

/// How long each group took until its last member was assigned. Members and connections have the same numbers.
pub(super) fn rebalance(
    poll: &mut Poll,
    members: &mut [Member],
    groups: usize,
    round: u32,
    patience: Duration,
) -> Result<Timings> {
    let began = Instant::now();
    let mut waiting = Vec::with_capacity(members.len());
    for (line, member) in members.iter_mut().enumerate() {
        let next = member.begin(round);
        waiting.push(send(poll, line, &next)?);
    }
    let mut timings = Timings::new()?;
    let mut missing = vec![0_usize; groups];
    for member in members.iter() {
        if let Some(count) = missing.get_mut(member.group) {
            *count += 1;
        }
    }
    let (mut left, mut arrived) = (members.len(), Vec::new());
    while left > 0 {
        if began.elapsed() > patience {
            bail!("{left} members have no assignment after {} s", patience.as_secs());
        }
        poll.wait(LOOK, &mut arrived)?;
        for answered in arrived.drain(..) {
            let (Some(member), Some(state)) = (members.get_mut(answered.line), waiting.get_mut(answered.line)) else {
                bail!("an answer came to nobody");
            };
            let next = match state {
                Waiting::Joined => {
                    member.joined(answer::open::<JoinGroupRequest>(answered.frame, JOIN_VERSION, CORRELATION)?)?
                }
                Waiting::Synced => {
                    member.synced(&answer::open::<SyncGroupRequest>(answered.frame, SYNC_VERSION, CORRELATION)?)?
                }
                Waiting::Nothing => bail!("a member was answered that asked nothing"),
            };
            *state = send(poll, answered.line, &next)?;
            if *state == Waiting::Nothing {
                left -= 1;
                if let Some(count) = missing.get_mut(member.group) {
                    *count -= 1;
                    if *count == 0 {
                        timings.record(began.elapsed());
                    }
                }
            }
        }
    }
    Ok(timings)
}

/// A member has one request under way at a time, so all may have the same number.
const CORRELATION: i32 = 1;

fn send(poll: &mut Poll, line: usize, next: &Next) -> Result<Waiting> {
    match next {
        Next::Join(request) => {
            poll.send(line, &frame(request.as_ref(), JOIN_VERSION, CORRELATION)?)?;
            Ok(Waiting::Joined)
        }
        Next::Sync(request) => {
            poll.send(line, &frame(request.as_ref(), SYNC_VERSION, CORRELATION)?)?;
            Ok(Waiting::Synced)
        }
        Next::Done => Ok(Waiting::Nothing),
    }
}
