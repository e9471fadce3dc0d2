//! A node's first start: asking the bootstrap servers until it is known which cluster it belongs to, and writing that down.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use futures::future::join_all;
use thalweg_protocol::NodeId;

use super::forming::{Decision, Hello, decide};
use super::identity::ClusterIdentity;
use super::question::{Joining, Question, Reply};
use crate::config::listeners::HostPort;
use crate::limits::PEER_ANSWER_TIME_MAX;
use crate::preflight;
use crate::reactor::{Core, Shared, fatal};

/// How often the bootstrap servers are asked.
const ASK_INTERVAL: Duration = Duration::from_millis(200);

/// How often the log says what is waited for.
const ROUNDS_BETWEEN_LINES: usize = 50;

impl Shared {
    /// What this node says of itself.
    pub(crate) fn hello(&self) -> Hello {
        let mut bootstrap: Vec<String> = self.config.bootstrap_servers.iter().map(ToString::to_string).collect();
        bootstrap.sort();
        bootstrap.dedup();
        Hello {
            node_id: self.config.node_id.0,
            directory_id: self.directory_id,
            address: self.config.rpc_address().unwrap_or_default(),
            bootstrap,
            cluster: self.cluster.get().cloned(),
        }
    }
}

impl Core {
    /// On the first core: returns once this node belongs to a cluster.
    pub(crate) async fn begin_cluster(self: &Rc<Self>) {
        if self.shared.cluster.get().is_some() {
            return;
        }
        let mut round = 0_usize;
        while !self.shared.is_stopping() {
            match self.look_for_cluster().await {
                Ok(cluster) => return self.settle_in(cluster),
                Err(waiting) if round.is_multiple_of(ROUNDS_BETWEEN_LINES) => {
                    tracing::info!("not in a cluster yet: {waiting}");
                }
                Err(_) => {}
            }
            round += 1;
            crate::reactor::sleep(ASK_INTERVAL).await;
        }
    }

    /// Where all nodes listen: as they registered, and before that as they founded.
    pub(crate) fn refresh_directory(&self) {
        let mut addresses = BTreeMap::new();
        if let Some(cluster) = self.shared.cluster.get() {
            addresses.extend(cluster.founders.iter().map(|one| (NodeId(one.node_id), one.address.clone())));
        }
        if let Some(controller) = &self.controller {
            let image = controller.image();
            let registered = image.brokers.values().filter_map(|one| Some((NodeId(one.node_id), one.rpc.clone()?)));
            addresses.extend(registered);
        }
        addresses.retain(|_, address| !address.is_empty());
        self.shared.directory.set(addresses);
    }

    /// One round; an error is what is waited for.
    async fn look_for_cluster(self: &Rc<Self>) -> Result<ClusterIdentity, String> {
        let me = self.shared.hello();
        let servers: Vec<HostPort> = self.shared.config.bootstrap_servers.clone();
        let asked = join_all(servers.into_iter().map(|server| {
            let core = Rc::clone(self);
            async move {
                let address = server.to_string();
                let answer = if address == core.shared.hello().address {
                    Some(core.shared.hello())
                } else {
                    core.ask_hello(server).await
                };
                (address, answer)
            }
        }));
        let answers: BTreeMap<String, Option<Hello>> = asked.await.into_iter().collect();
        match decide(&me, &answers) {
            Decision::Wait(why) => Err(why),
            Decision::Refuse(why) => fatal(&format!("this node cannot be in the cluster: {why}")),
            Decision::Found(founders) => {
                let id = preflight::new_id();
                tracing::info!(cluster = id, nodes = ?founders.iter().map(|it| it.node_id).collect::<Vec<_>>(), "founding a cluster");
                Ok(ClusterIdentity { id, founders, joined_at: 0 })
            }
            Decision::Sit(cluster) => Ok(cluster),
            Decision::Join { via, .. } => self.ask_to_join(&me, &via).await,
        }
    }

    /// Why a server does not answer is said in the log where somebody has to do something about it.
    async fn ask_hello(self: &Rc<Self>, server: HostPort) -> Option<Hello> {
        match self.ask_question_at(server, Question::Hello, PEER_ANSWER_TIME_MAX).await {
            Ok(Reply::Hello(hello)) => Some(hello),
            _ => None,
        }
    }

    async fn ask_to_join(self: &Rc<Self>, me: &Hello, via: &str) -> Result<ClusterIdentity, String> {
        let server = HostPort::parse(via).map_err(|why| format!("{via}: {why}"))?;
        let joining = Joining { node_id: me.node_id, directory_id: me.directory_id, address: me.address.clone() };
        match self.ask_question_at(server, Question::Join(joining), PEER_ANSWER_TIME_MAX).await {
            Ok(Reply::Joined(cluster)) => Ok(cluster),
            Ok(Reply::Refused(why)) => Err(format!("{via} does not take this node in: {why}")),
            Ok(_) => Err(format!("{via} knows no controller that could take this node in")),
            Err(error) => Err(format!("{via}: {error}")),
        }
    }

    /// What was decided is on the disk before anybody hears of it.
    fn settle_in(&self, cluster: ClusterIdentity) {
        if let Err(error) = preflight::record_cluster(&self.shared.config, &cluster) {
            fatal(&error);
        }
        tracing::info!(cluster = cluster.id, joined = cluster.joined_at > 0, "this node is in a cluster");
        // Set once: this is the only place that does, and it returns at once if it is set.
        let _ = self.shared.cluster.set(cluster);
    }
}
