//! Who is there, who may be, and requests.

use bytes::Bytes;

use super::*;
use crate::peer::{AskError, PeerRequest, PeerResponse};

const TIME_MAX: Duration = Duration::from_secs(30);

fn hello() -> PeerRequest {
    PeerRequest::Hello(Bytes::from_static(b"{}"))
}

fn ask(from: &TestNode, to: NodeId) -> Result<PeerResponse, AskError> {
    from.on(0, move |core| async move { core.ask(to, hello(), TIME_MAX).await })
}

fn ask_address(from: &TestNode, address: String) -> Result<PeerResponse, AskError> {
    from.on(0, move |core| async move { core.ask_address(address, hello(), TIME_MAX).await })
}

#[test]
fn nodes_of_different_sizes_find_each_other_and_answer_on_every_core() {
    let nodes = [(1, 2), (2, 1), (3, 3)].map(|(node, cores)| TestNode::start(node, "one", cores));
    introduce(&nodes);
    await_all_up(&nodes);
    for (from, to) in [(0, 1), (1, 2), (2, 0)] {
        let (from, to) = (&nodes[from], nodes[to].id);
        for (core, asked) in (0..from.shared.cores).flat_map(|core| (0..4).map(move |asked| (core, asked))) {
            // More cores than it has are taken as those that it has.
            let answer =
                from.on(core, move |core| async move { core.ask_core(to, CoreId(asked), hello(), TIME_MAX).await });
            assert!(matches!(answer, Ok(PeerResponse::Refused(_))), "{answer:?}");
        }
    }
    let answer = ask_address(&nodes[0], nodes[2].address());
    assert!(matches!(answer, Ok(PeerResponse::Refused(_))), "{answer:?}");
    let mut metrics = String::new();
    nodes[0].shared.metrics.peers.render(&mut metrics);
    assert!(metrics.contains("thalweg_peer_received_frames_total{node=\"2\"}"), "{metrics}");
}

#[test]
fn a_node_that_stops_is_down_and_the_same_node_comes_back_as_another_process() {
    let mut nodes = Vec::from([1, 2].map(|node| TestNode::start(node, "one", 2)));
    introduce(&nodes);
    await_all_up(&nodes);
    let before = nodes[0].on(1, |core| async move { core.peers.life(NodeId(2)) }).unwrap();
    let second = nodes.pop().unwrap();
    let port = second.port();
    let dir = second.stop();
    eventually("node 2 is down on both cores", || !nodes[0].sees_up(NodeId(2)));
    let asked = ask(&nodes[0], NodeId(2));
    assert!(matches!(asked, Err(AskError::Unreached(_) | AskError::Broken)), "{asked:?}");
    nodes.push(TestNode::start_in(dir, 2, 3, port));
    introduce(&nodes);
    await_all_up(&nodes);
    let after = nodes[0].on(1, |core| async move { core.peers.life(NodeId(2)) }).unwrap();
    assert_eq!(before.directory, after.directory);
    assert_ne!(before.incarnation, after.incarnation);
    assert_eq!((before.cores, after.cores), (2, 3));
    assert!(ask(&nodes[0], NodeId(2)).is_ok());
}

#[test]
fn nobody_at_an_address_is_told_soon_and_drops_what_was_to_be_sent() {
    let nodes = [TestNode::start(1, "one", 1)];
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    introduce(&nodes);
    nodes[0].shared.directory.set(BTreeMap::from([(NodeId(7), free.to_string())]));
    for _ in 0..3 {
        let asked = ask(&nodes[0], NodeId(7));
        assert!(matches!(asked, Err(AskError::Unreached(_) | AskError::Broken)), "{asked:?}");
        let asked = ask_address(&nodes[0], free.to_string());
        assert!(matches!(asked, Err(AskError::Unreached(_))), "{asked:?}");
    }
    let asked = ask(&nodes[0], NodeId(9));
    assert!(matches!(asked, Err(AskError::Unreached(_) | AskError::Broken)), "no address: {asked:?}");
}

#[test]
fn a_foreign_cluster_and_a_second_node_of_one_id_are_refused() {
    let nodes = [TestNode::start(1, "one", 1), TestNode::start(2, "one", 1)];
    introduce(&nodes);
    await_all_up(&nodes);
    let foreign = TestNode::start(3, "other", 1);
    let twins = [TestNode::start(1, "one", 1), TestNode::start(2, "one", 1)];
    for stranger in twins.iter().chain([&foreign]) {
        let refused = ask_address(stranger, nodes[0].address());
        let expected = if stranger.id == NodeId(3) { "belongs to cluster other" } else { "needs its own node.id" };
        assert!(matches!(&refused, Err(AskError::Refused(why)) if why.contains(expected)), "{refused:?}");
    }
    // What is refused to one who asks is refused to one who takes itself for a member, and changes nothing.
    introduce(std::slice::from_ref(&foreign));
    foreign.shared.directory.set(BTreeMap::from([(NodeId(1), nodes[0].address())]));
    eventually("the foreign node was refused", || nodes[0].shared.metrics.peer_refused.get() >= 4);
    assert!(!foreign.sees_up(NodeId(1)) && !nodes[0].sees_up(NodeId(3)));
    await_all_up(&nodes);
}
