//! Forming a cluster exactly once: what a blank node does, given what the bootstrap servers answer. Sans-IO.
//!
//! A blank node that meets a cluster belongs to it. A new cluster comes into being only when **every** bootstrap server
//! answers, is blank, and lists the same servers; then the one with the lowest node id founds it, and the others learn of it
//! by asking again. So two clusters cannot be born: a founder that was wiped meets those that remember, or meets nobody and
//! waits.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::identity::{ClusterIdentity, Founder};

/// What a node says of itself to one that asks. Asked by address, as ids are not known yet.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Hello {
    pub node_id: i32,
    pub directory_id: Uuid,
    /// As others reach it.
    pub address: String,
    /// Of `controller.quorum.bootstrap.servers`, sorted.
    pub bootstrap: Vec<String>,
    pub cluster: Option<ClusterIdentity>,
}

/// What a blank node is to do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Decision {
    /// Ask again later; why, for the log.
    Wait(String),
    /// Make a cluster of these.
    Found(Vec<Founder>),
    /// This node is one of the founders, and takes its seat.
    Sit(ClusterIdentity),
    /// Ask to be taken in, at this address.
    Join { cluster: ClusterIdentity, via: String },
    /// Nothing that waiting would mend.
    Refuse(String),
}

impl Hello {
    fn founder(&self) -> Founder {
        Founder { node_id: self.node_id, directory_id: self.directory_id, address: self.address.clone() }
    }
}

/// Decides for the blank node `me`. `answers` has one for each bootstrap server, by address; `None` for those that did not.
pub fn decide(me: &Hello, answers: &BTreeMap<String, Option<Hello>>) -> Decision {
    let answered: Vec<(&String, &Hello)> =
        answers.iter().filter_map(|(address, answer)| Some((address, answer.as_ref()?))).collect();
    if let Some(problem) = same_id(me, &answered) {
        return Decision::Refuse(problem);
    }
    if let Some(decision) = met_cluster(me, &answered) {
        return decision;
    }
    let silent: Vec<&str> =
        answers.iter().filter(|(_, answer)| answer.is_none()).map(|(address, _)| address.as_str()).collect();
    if !silent.is_empty() {
        return Decision::Wait(format!("no answer from {}", silent.join(", ")));
    }
    if let Some((address, other)) = answered.iter().find(|(_, other)| other.bootstrap != me.bootstrap) {
        return Decision::Wait(format!(
            "{address} lists {} as controller.quorum.bootstrap.servers, this node {}: they must be the same",
            other.bootstrap.join(","),
            me.bootstrap.join(",")
        ));
    }
    let mut founders: Vec<Founder> = answered.iter().map(|(_, answer)| answer.founder()).collect();
    founders.sort_by_key(|founder| founder.node_id);
    match founders.first() {
        Some(first) if first.directory_id == me.directory_id => Decision::Found(founders),
        Some(first) => Decision::Wait(format!("node {} is to found the cluster", first.node_id)),
        None => Decision::Wait("no bootstrap server is listed".to_owned()),
    }
}

/// Two nodes of one id would each undo what the other promised.
fn same_id(me: &Hello, answered: &[(&String, &Hello)]) -> Option<String> {
    for (at, (address, one)) in answered.iter().enumerate() {
        if one.node_id == me.node_id && one.directory_id != me.directory_id {
            return Some(format!("{address} is node {} already; give this node another node.id", me.node_id));
        }
        let twin = answered.iter().skip(at + 1).find(|(_, other)| other.node_id == one.node_id);
        if let Some((other, twin)) = twin {
            return Some(if twin.directory_id == one.directory_id {
                format!("{address} and {other} are the same node; list it once in controller.quorum.bootstrap.servers")
            } else {
                format!("{address} and {other} both have node.id {}; each needs its own", one.node_id)
            });
        }
    }
    None
}

/// A cluster exists: whoever is blank belongs to it.
fn met_cluster(me: &Hello, answered: &[(&String, &Hello)]) -> Option<Decision> {
    let mut clusters = answered.iter().filter_map(|(address, answer)| Some((*address, answer.cluster.as_ref()?)));
    let (via, cluster) = clusters.next()?;
    if let Some((other, another)) = clusters.find(|(_, other)| other.id != cluster.id) {
        return Some(Decision::Refuse(format!(
            "{via} belongs to cluster {} and {other} to {}; list the servers of one cluster",
            cluster.id, another.id
        )));
    }
    let cluster = ClusterIdentity { joined_at: 0, ..cluster.clone() };
    Some(if cluster.founders.contains(&me.founder()) {
        Decision::Sit(cluster)
    } else {
        Decision::Join { cluster, via: via.clone() }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hello(node_id: i32) -> Hello {
        Hello {
            node_id,
            directory_id: Uuid::from_u128(0x1000 + node_id as u128),
            address: address(node_id),
            bootstrap: (1..=3).map(address).collect(),
            cluster: None,
        }
    }

    fn address(node_id: i32) -> String {
        format!("10.0.0.{node_id}:9094")
    }

    fn answers(of: &[Hello]) -> BTreeMap<String, Option<Hello>> {
        let mut answers: BTreeMap<_, _> = (1..=3).map(|node| (address(node), None)).collect();
        answers.extend(of.iter().map(|one| (one.address.clone(), Some(one.clone()))));
        answers
    }

    fn formed() -> ClusterIdentity {
        ClusterIdentity { id: "c".into(), founders: (1..=3).map(|node| hello(node).founder()).collect(), joined_at: 0 }
    }

    #[test]
    fn only_the_lowest_founds_and_only_when_all_are_blank_and_there() {
        let all: Vec<Hello> = (1..=3).map(hello).collect();
        let Decision::Found(founders) = decide(&hello(1), &answers(&all)) else { panic!("the lowest founds") };
        assert_eq!(founders, formed().founders);
        for other in [2, 3] {
            assert!(matches!(decide(&hello(other), &answers(&all)), Decision::Wait(why) if why.contains("node 1")));
        }
        for missing in 0..3 {
            let mut some = all.clone();
            some.remove(missing);
            for node in 1..=3 {
                assert!(
                    matches!(decide(&hello(node), &answers(&some)), Decision::Wait(why) if why.contains("no answer"))
                );
            }
        }
    }

    #[test]
    fn a_founder_takes_its_seat_and_a_wiped_one_must_join() {
        let told = Hello { cluster: Some(formed()), ..hello(1) };
        assert_eq!(decide(&hello(2), &answers(std::slice::from_ref(&told))), Decision::Sit(formed()));
        let wiped = Hello { directory_id: Uuid::from_u128(7), ..hello(2) };
        let joined = Decision::Join { cluster: formed(), via: address(1) };
        assert_eq!(decide(&wiped, &answers(&[told.clone(), hello(3)])), joined);
        assert_eq!(decide(&hello(4), &answers(&[told])), joined);
    }

    #[test]
    fn a_wiped_founder_founds_nothing_while_anybody_remembers_or_is_silent() {
        let wiped = Hello { directory_id: Uuid::from_u128(7), ..hello(1) };
        assert!(matches!(decide(&wiped, &answers(&[wiped.clone(), hello(2)])), Decision::Wait(_)));
        let remembers = Hello { cluster: Some(formed()), ..hello(3) };
        assert!(matches!(decide(&wiped, &answers(&[wiped.clone(), hello(2), remembers])), Decision::Join { .. }));
    }

    #[test]
    fn what_no_waiting_mends_is_refused_with_the_reason() {
        let twin = Hello { directory_id: Uuid::from_u128(9), ..hello(2) };
        let refused = |me: &Hello, of: &[Hello]| match decide(me, &answers(of)) {
            Decision::Refuse(why) => why,
            other => panic!("{other:?}"),
        };
        assert!(refused(&hello(2), &[Hello { address: address(1), ..twin.clone() }]).contains("another node.id"));
        assert!(refused(&hello(1), &[hello(2), Hello { address: address(3), ..twin }]).contains("both have node.id 2"));
        let same = Hello { address: address(3), ..hello(2) };
        assert!(refused(&hello(1), &[hello(2), same]).contains("list it once"));
        let other = ClusterIdentity { id: "d".into(), ..formed() };
        let (one, two) = (Hello { cluster: Some(formed()), ..hello(1) }, Hello { cluster: Some(other), ..hello(2) });
        assert!(refused(&hello(3), &[one, two]).contains("one cluster"));
    }

    #[test]
    fn different_lists_found_nothing() {
        let mut all: Vec<Hello> = (1..=3).map(hello).collect();
        if let Some(last) = all.last_mut() {
            last.bootstrap.pop();
        }
        assert!(matches!(decide(&hello(1), &answers(&all)), Decision::Wait(why) if why.contains("must be the same")));
    }
}
