//! What groups cost a coordinator: many of them rebalancing at the same moment, and offsets committed at a given rate.
//!
//! Each member is a connection of its own, as a consumer is, and all of them are turned by one thread: the broker is what is
//! to be busy. Members do not read; sessions are long, so that none needs a heartbeat.

mod commits;
mod member;
mod poll;
mod rounds;

use std::collections::HashMap;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use thalweg_protocol::StrBytes;
use thalweg_protocol::messages::FindCoordinatorRequest;

use crate::client::cluster::error_name;
use crate::client::wire::Connection;
use crate::summary::{Output, print};
use crate::topic;

use self::member::Member;
use self::poll::Poll;

/// Served by every Kafka from 3.0 on: several groups at once.
const FIND_COORDINATOR_VERSION: i16 = 4;
/// Groups that are looked for in one request.
const KEYS_PER_REQUEST: usize = 500;
/// Files that are open beside the members' connections.
const OTHER_FILES: u64 = 64;

#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// host:port of a broker
    #[arg(long)]
    bootstrap: String,
    /// What the groups read; created, with a partition for each member of a group, unless it is there
    #[arg(long, default_value = "bench-groups")]
    topic: String,
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    groups: u32,
    /// Of each group
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1000))]
    members: u32,
    /// How often all groups rebalance at once, after they have formed
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(0..=1000))]
    rounds: u32,
    /// Commits a second that are offered, by all members together; 0 for none
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(0..=10_000_000))]
    commits: u64,
    /// How long commits are offered, in seconds
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=3600))]
    duration: u64,
    /// Ends the run with an error if a round, or the last commits, take longer, in seconds
    #[arg(long, default_value_t = 120, value_parser = clap::value_parser!(u64).range(1..=3600))]
    patience: u64,
    #[command(flatten)]
    output: Output,
}

impl Args {
    fn patience(&self) -> Duration {
        Duration::from_secs(self.patience)
    }

    fn member_count(&self) -> u64 {
        u64::from(self.groups) * u64::from(self.members)
    }
}

pub(crate) fn run(args: &Args) -> Result<()> {
    allow_files(args.member_count() + OTHER_FILES)?;
    prepare_topic(args)?;
    let names = group_names(args.groups)?;
    let coordinators = find_coordinators(&names, args)?;
    let mut poll = Poll::new()?;
    let mut members = Vec::new();
    for (group, name) in names.iter().enumerate() {
        let coordinator = coordinators.get(name).with_context(|| format!("group {name} has no coordinator"))?;
        for _ in 0..args.members {
            poll.connect(coordinator, args.patience())?;
            members.push(Member::new(group, name.clone(), &args.topic, args.members));
        }
    }
    eprintln!("thalweg-bench: {} members are connected", members.len());
    let mut summaries = Vec::new();
    for round in 0..=args.rounds {
        let timings = rounds::rebalance(&mut poll, &mut members, names.len(), round, args.patience())?;
        let what = if round == 0 { "groups formed".to_owned() } else { format!("rebalance {round}") };
        summaries.push(timings.summary(format!("{what}, {} groups of {}", args.groups, args.members)));
    }
    if args.commits > 0 {
        summaries.push(commits::commit(&mut poll, &members, args)?);
    }
    print(args.output, &summaries)
}

/// A name that no other run uses, for each group.
fn group_names(count: u32) -> Result<Vec<StrBytes>> {
    let now = std::time::SystemTime::now().duration_since(std::time::SystemTime::UNIX_EPOCH)?;
    let run = now.as_millis();
    Ok((0..count).map(|at| StrBytes::from_string(format!("bench-{run:x}-{at}"))).collect())
}

/// A connection is a file: as many as there are members must be allowed.
fn allow_files(needed: u64) -> Result<()> {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    if maximum.is_some_and(|maximum| maximum < needed) {
        bail!("{needed} files are needed and {} allowed: raise it with ulimit -n", maximum.unwrap_or(0));
    }
    setrlimit(Resource::Nofile, Rlimit { current: maximum.or(Some(needed)), maximum })
        .context("the limit on open files")
}

fn prepare_topic(args: &Args) -> Result<()> {
    let target = crate::client::Target { bootstrap: args.bootstrap.clone(), topic: args.topic.clone() };
    let partitions = i32::try_from(args.members)?;
    let created = topic::create(&topic::Args { target, partitions, config: Vec::new(), seconds: args.patience });
    match created {
        Err(error) if format!("{error:#}").contains("TOPIC_ALREADY_EXISTS") => Ok(()),
        other => other.map(drop),
    }
}

/// Where each group's coordinator is. Asking makes the topic of the groups, which takes a moment.
fn find_coordinators(names: &[StrBytes], args: &Args) -> Result<HashMap<StrBytes, String>> {
    let mut connection = Connection::open(&args.bootstrap, args.patience())?;
    let deadline = std::time::Instant::now() + args.patience();
    let mut found = HashMap::new();
    for keys in names.chunks(KEYS_PER_REQUEST) {
        let request = FindCoordinatorRequest::default().with_coordinator_keys(keys.to_vec());
        loop {
            let answer = connection.call(&request, FIND_COORDINATOR_VERSION)?;
            let problem = answer.coordinators.iter().find_map(|coordinator| error_name(coordinator.error_code));
            let Some(problem) = problem else {
                let places = answer.coordinators.into_iter();
                found.extend(places.map(|place| (place.key, format!("{}:{}", place.host.as_str(), place.port))));
                break;
            };
            if std::time::Instant::now() > deadline {
                bail!("the groups' coordinators: the broker answered {problem}");
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }
    Ok(found)
}
