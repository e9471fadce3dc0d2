//! Partitions that their leader does not serve any more: they go to the lane of the leader they have now.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;

use super::lane::Lane;
use super::{Partition, TIMEOUT, address};
use crate::client::fetch::{Moment, list_offsets};
use crate::client::wire::Connection;
use crate::load::topics::Cluster;

/// Before the brokers are asked again: an election takes a moment.
const AGAIN: Duration = Duration::from_millis(100);

/// Partitions without a lane, and the offset of each; `None` is the start of the log.
#[derive(Default)]
pub(super) struct Moved {
    partitions: Vec<(Partition, Option<i64>)>,
    again: Option<Instant>,
}

impl Moved {
    pub(super) fn add(&mut self, partition: Partition, offset: Option<i64>) {
        self.partitions.push((partition, offset));
        self.again = Some(Instant::now() + AGAIN);
    }

    fn take_due(&mut self) -> Vec<(Partition, Option<i64>)> {
        let due = self.again.is_some_and(|again| Instant::now() >= again);
        if due { std::mem::take(&mut self.partitions) } else { Vec::new() }
    }
}

impl Lane {
    /// Gives partitions that are without a leader to the lane of the one they have now.
    pub(super) fn find_leaders(&mut self) -> Result<()> {
        let due = self.moved.take_due();
        if due.is_empty() {
            return Ok(());
        }
        let Ok(cluster) = Cluster::find(&self.shared.scenario, &self.shared.scenario.bootstrap) else {
            // Brokers that are in the middle of an election. How long that takes is what the run shows.
            due.into_iter().for_each(|(partition, offset)| self.moved.add(partition, offset));
            return Ok(());
        };
        for (partition, offset) in due {
            self.hand_over(&cluster, partition, offset)?;
        }
        Ok(())
    }

    fn hand_over(&mut self, cluster: &Cluster, partition: Partition, offset: Option<i64>) -> Result<()> {
        let (topic, index) = partition;
        let leaders = cluster.topics.get(topic).map(|topic| topic.leaders.as_slice()).unwrap_or_default();
        let leader = usize::try_from(index).ok().and_then(|index| leaders.get(index).copied());
        let Some(leader) = leader else {
            self.moved.add(partition, offset);
            return Ok(());
        };
        let peer = address(cluster, leader)?;
        let offset = match offset {
            Some(offset) => Some(offset),
            None => self.start_of(peer, partition)?,
        };
        let Some(offset) = offset else {
            self.moved.add(partition, None);
            return Ok(());
        };
        if leader == self.leader {
            self.add(partition, offset);
            return Ok(());
        }
        if !self.peers.has(leader) {
            let peers = Arc::clone(&self.peers);
            let lane = Self::open(Arc::clone(&self.shared), self.manner.clone(), peers, leader, peer)?;
            self.children.push(lane.spawn());
        }
        self.peers.give(leader, (partition, offset));
        Ok(())
    }

    fn start_of(&self, peer: &str, partition: Partition) -> Result<Option<i64>> {
        let mut connection = Connection::open(peer, TIMEOUT)?;
        let offsets = list_offsets(&mut connection, &self.manner.topics, &[partition], Moment::Earliest)?;
        Ok(offsets.into_iter().find_map(|(_, offset)| offset.ok()))
    }
}
