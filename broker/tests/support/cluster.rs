//! Several `thalwegd` processes on loopback that form one cluster.

use super::{Broker, Options, free_ports};

/// Nodes 1, 2, 3, ...: `nodes[0]` is node 1.
#[derive(Debug)]
pub struct Cluster {
    pub nodes: Vec<Broker>,
    /// `thalweg.rpc.listener` of each.
    pub rpc: Vec<String>,
    options: Options,
    /// `controller.quorum.bootstrap.servers` of all.
    bootstrap: String,
}

impl Cluster {
    /// `N` nodes that found a cluster; returns when all are ready.
    pub fn start<const N: usize>(options: Options) -> Self {
        let mut cluster = Self::prepare::<N>(options);
        cluster.nodes.iter_mut().for_each(Broker::spawn);
        cluster.await_ready();
        cluster
    }

    /// The same with no process running yet.
    pub fn prepare<const N: usize>(options: Options) -> Self {
        let rpc: Vec<String> = free_ports::<N>().iter().map(|port| format!("127.0.0.1:{port}")).collect();
        let bootstrap = rpc.join(",");
        let mut cluster = Self { nodes: Vec::new(), rpc: Vec::new(), options, bootstrap };
        rpc.into_iter().for_each(|address| cluster.add(address));
        cluster
    }

    /// One more node, with the same bootstrap servers; started by whoever asked for it.
    pub fn prepare_another(&mut self) -> &mut Broker {
        let [port] = free_ports();
        self.add(format!("127.0.0.1:{port}"));
        self.nodes.last_mut().unwrap()
    }

    fn add(&mut self, address: String) {
        let options = self
            .options
            .clone()
            .property("node.id", self.nodes.len() + 1)
            .property("thalweg.rpc.listener", &address)
            .property("controller.quorum.bootstrap.servers", &self.bootstrap);
        self.nodes.push(Broker::prepare(options));
        self.rpc.push(address);
    }

    pub fn await_ready(&mut self) {
        for node in &mut self.nodes {
            node.await_ready().unwrap_or_else(|error| panic!("{error}"));
        }
    }

    /// Kafka listeners of all nodes, as clients list them.
    pub fn bootstrap(&self) -> String {
        self.nodes.iter().map(Broker::bootstrap).collect::<Vec<_>>().join(",")
    }

    /// The node of this id.
    pub fn node(&mut self, id: i32) -> &mut Broker {
        let at = usize::try_from(id - 1).unwrap();
        &mut self.nodes[at]
    }
}
