//! Connections to the leaders: made, and made again when they are lost or the leaders are others.

use anyhow::{Context as _, Result, anyhow};

use super::Producer;
use super::lane::Lane;
use crate::load::topics::Cluster;

/// How long an idempotent producer looks for its leaders before the run is over.
const PATIENCE_NS: u64 = 30_000_000_000;
const BETWEEN_ATTEMPTS_NS: u64 = 100_000_000;

impl Producer {
    /// A lane for each leader, and each partition on its leader's.
    pub(super) fn connect(&mut self) -> Result<()> {
        for (broker, peer) in self.cluster.brokers.clone() {
            let place = self.lanes.iter().position(|lane| lane.broker == broker);
            match place.and_then(|place| self.lanes.get_mut(place)) {
                Some(lane) if lane.stream().is_some() && lane.peer() == peer => {}
                // Nothing is under way on it: what was, went into what is to be sent again.
                Some(lane) if lane.stream().is_none() => *lane = Lane::open(broker, &peer)?,
                Some(lane) => return Err(anyhow!("broker {broker} was at {} and is at {peer}", lane.peer())),
                None => self.lanes.push(Lane::open(broker, &peer)?),
            }
        }
        for (index, (topic, partition)) in self.partitions.iter().enumerate() {
            let topic = self.cluster.topics.get(*topic).context("a topic has vanished")?;
            let leader = topic.leaders.get(usize::try_from(*partition)?).context("a partition has vanished")?;
            let lane = self.lanes.iter().position(|lane| lane.broker == *leader);
            self.backlog.set_lane(index, lane.context("a leader has no address")?);
        }
        self.backlog.list_again();
        Ok(())
    }

    /// Looks for leaders that were lost, and lets partitions go on whose time has come.
    pub(super) fn retry(&mut self, now_ns: u64) -> Result<()> {
        if let Some(lost_ns) = self.lost_ns
            && now_ns >= self.next_attempt_ns
        {
            match self.find_leaders() {
                Ok(()) => self.lost_ns = None,
                Err(error) if now_ns >= lost_ns + PATIENCE_NS => {
                    let error = error.context("the leaders were not found again within 30 s");
                    return Err(match self.last_loss.take() {
                        Some(loss) => error.context(loss),
                        None => error,
                    });
                }
                Err(_) => {}
            }
            self.next_attempt_ns = self.shared.now_ns() + BETWEEN_ATTEMPTS_NS;
        }
        while let Some((at_ns, partition)) = self.retries.front().copied()
            && at_ns <= now_ns
        {
            self.retries.pop_front();
            self.backlog.send_again(partition);
        }
        Ok(())
    }

    /// Any broker that is known may say who leads now.
    fn find_leaders(&mut self) -> Result<()> {
        let scenario = &self.shared.scenario;
        let known = std::iter::once(&scenario.bootstrap).chain(self.cluster.brokers.values());
        let mut last = anyhow!("no broker is known");
        for peer in known {
            match Cluster::find(scenario, peer) {
                Ok(cluster) => {
                    let same = cluster.topics.iter().zip(&self.cluster.topics);
                    if same.clone().count() != self.cluster.topics.len()
                        || same.clone().any(|(now, before)| now.leaders.len() < before.leaders.len())
                    {
                        last = anyhow!("the topics are not those that they were");
                        continue;
                    }
                    self.cluster = cluster;
                    return self.connect();
                }
                Err(error) => last = error,
            }
        }
        Err(last)
    }
}
