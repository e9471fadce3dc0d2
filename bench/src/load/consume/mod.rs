//! Consumers beside the producers: at the tail, and from the beginning.
//!
//! The partitions are dealt out among the consumers, without a group; each has a connection to each leader of its
//! partitions and a thread for it, a [`Lane`](self::lane::Lane).

mod advance;
mod arrivals;
mod count;
mod drain;
mod lane;
mod moved;
mod peers;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

pub(crate) use self::arrivals::Arrivals;
use self::lane::{Lane, Manner};
use self::peers::Peers;
use super::scenario::Consume;
use super::shared::Shared;
use super::topics::Cluster;
use crate::client::cluster::{error_name, topic_name};
use crate::client::fetch::{FetchLimits, FetchedTopic, Moment, list_offsets};
use crate::client::wire::Connection;
use crate::result::{Role, Step};

/// Among what was refused: acknowledged records that did not come before the limit at the end.
const NEVER_ARRIVED: &str = "never arrived";

const TIMEOUT: Duration = Duration::from_secs(30);

/// A partition: its topic's place among the run's topics, and its index.
type Partition = (usize, i32);

/// Starts the consumers that `[tail]` and `[catch_up]` of the scenario ask for, a thread for each and each leader.
///
/// It is called before the run begins and returns when those at the tail know the end of each of their partitions, so that
/// nothing which is produced then escapes them. Those that catch up begin to read when measuring begins. They end when
/// [`Shared::is_producing`] does: those at the tail once they have read what was written by then, within a limit of
/// their own, those that catch up at once; and when [`Shared::has_failed`]. What fails in a thread it gives to
/// [`Shared::fail`].
pub(super) fn start(shared: &Arc<Shared>, cluster: &Arc<Cluster>) -> Result<Vec<JoinHandle<()>>> {
    let mut lanes = Vec::new();
    for (role, consume) in [(Role::Tail, &shared.scenario.tail), (Role::CatchUp, &shared.scenario.catch_up)] {
        if let Some(consume) = consume {
            lanes.extend(prepare(shared, cluster, role, consume)?);
        }
    }
    Ok(lanes.into_iter().map(Lane::spawn).collect())
}

/// Says in the result how many acknowledged records never came to the consumers at the tail. Where the run has a number
/// that others may share, what they wrote came too, and nothing follows from the count.
pub(super) fn tell_missing(shared: &Shared, steps: &mut [Step]) {
    if shared.scenario.run != 0 {
        return;
    }
    let flows = steps.last_mut().map(|step| step.flows.as_mut_slice()).unwrap_or_default();
    let missing = shared.arrivals.missing();
    if let Some(tail) = flows.iter_mut().find(|flow| flow.role == Role::Tail && missing > 0) {
        tail.refused.insert(NEVER_ARRIVED.to_owned(), missing);
    }
}

/// The lanes of one kind of consumers, connected, each partition at the offset from which it is read.
fn prepare(shared: &Arc<Shared>, cluster: &Cluster, role: Role, consume: &Consume) -> Result<Vec<Lane>> {
    let topic = |topic: &super::topics::Topic| FetchedTopic { name: topic_name(&topic.name), id: topic.id };
    let manner = Manner {
        role,
        limits: limits(consume),
        repeat: consume.repeat.unwrap_or(false),
        topics: cluster.topics.iter().map(topic).collect(),
    };
    let begin = match role {
        Role::Tail => Moment::Latest { read_committed: consume.read_committed },
        Role::Produce | Role::CatchUp => Moment::Earliest,
    };
    let offsets = offsets(cluster, &manner.topics, begin)?;
    let mut lanes = Vec::new();
    for consumer in 0..consume.consumers as usize {
        let peers = Arc::new(Peers::default());
        for (leader, partitions) in dealt(cluster, consumer, consume.consumers as usize) {
            let peer = address(cluster, leader)?;
            let mut lane = Lane::open(Arc::clone(shared), manner.clone(), Arc::clone(&peers), leader, peer)?;
            for partition in partitions {
                let offset = *offsets.get(&partition).context("the broker left out a partition's offset")?;
                lane.add(partition, offset);
            }
            lanes.push(lane);
        }
    }
    Ok(lanes)
}

fn limits(consume: &Consume) -> FetchLimits {
    FetchLimits {
        wait_ms: consume.fetch_wait_ms,
        min_bytes: consume.fetch_min_bytes,
        max_bytes: consume.fetch_max_bytes,
        partition_max_bytes: consume.partition_max_bytes,
        read_committed: consume.read_committed,
    }
}

/// The partitions of the consumer with this number, by leader.
fn dealt(cluster: &Cluster, consumer: usize, consumers: usize) -> BTreeMap<i32, Vec<Partition>> {
    let mut dealt: BTreeMap<i32, Vec<Partition>> = BTreeMap::new();
    for (leader, partition) in led(cluster).skip(consumer).step_by(consumers) {
        dealt.entry(leader).or_default().push(partition);
    }
    dealt
}

/// Every partition behind its leader.
fn led(cluster: &Cluster) -> impl Iterator<Item = (i32, Partition)> {
    cluster.topics.iter().enumerate().flat_map(|(topic, described)| {
        (0..).zip(&described.leaders).map(move |(index, leader)| (*leader, (topic, index)))
    })
}

fn address(cluster: &Cluster, leader: i32) -> Result<&str> {
    let address = cluster.brokers.get(&leader).map(String::as_str);
    address.with_context(|| format!("nobody says where broker {leader} is"))
}

/// An offset in every partition. A partition that is new may refuse at first, so it is asked again for a while.
fn offsets(cluster: &Cluster, topics: &[FetchedTopic], moment: Moment) -> Result<BTreeMap<Partition, i64>> {
    let deadline = Instant::now() + TIMEOUT;
    let mut known = BTreeMap::new();
    for (leader, mut wanted) in dealt(cluster, 0, 1) {
        let peer = address(cluster, leader)?;
        let mut connection = Connection::open(peer, TIMEOUT)?;
        while !wanted.is_empty() {
            let mut refused = None;
            for (partition, offset) in list_offsets(&mut connection, topics, &wanted, moment)? {
                match offset {
                    Ok(offset) => drop(known.insert(partition, offset)),
                    Err(code) => refused = error_name(code),
                }
            }
            wanted.retain(|partition| !known.contains_key(partition));
            if !wanted.is_empty() && Instant::now() > deadline {
                let why = refused.unwrap_or_else(|| "nothing".to_owned());
                bail!("{peer} answers {why} when it is asked for the offsets of {} partitions", wanted.len());
            }
            if !wanted.is_empty() {
                std::thread::sleep(Duration::from_millis(50));
            }
        }
    }
    Ok(known)
}
