//! Text scripts: a command, `----`, and what it must say. `RAFT_SCRIPTS_REWRITE=1` writes what it says now; look at
//! every difference before keeping it.

use std::fmt::Write as _;
use std::path::Path;

use bytes::Bytes;
use thalweg_raft::{Member, MemberChange, Membership, MembershipChange};
use thalweg_storage::types::RaftIndex;

use crate::harness::{Cluster, GROUP};

fn number(word: &str) -> u64 {
    word.parse().unwrap_or_else(|_| panic!("`{word}` is no number"))
}

/// `v4 l5 r2`: voter, learner, remove.
fn change(words: &[&str]) -> MembershipChange {
    let one = |word: &&str| {
        let (to, id) = word.split_at(1);
        let to = match to {
            "v" => Member::Voter,
            "l" => Member::Learner,
            "r" => Member::Remove,
            other => panic!("`{other}` is none of v, l, r"),
        };
        MemberChange { id: number(id), to }
    };
    MembershipChange { changes: words.iter().map(one).collect() }
}

fn run_command(cluster: &mut Cluster, line: &str) -> String {
    let words: Vec<_> = line.split_whitespace().collect();
    let id = || number(words[1]);
    match words[0] {
        "cluster" => *cluster = Cluster::new(1, id()),
        "add" => cluster.add(id(), Membership { voters: vec![1], ..Membership::default() }),
        "campaign" => return said(cluster.with(id(), |raft| raft.campaign(GROUP))),
        "tick" => (0..number(words[2])).for_each(|_| _ = cluster.with(id(), |raft| raft.tick())),
        "propose" => {
            let data = Bytes::from(words[2].to_owned());
            return said(cluster.with(id(), |raft| raft.propose(GROUP, data)));
        }
        "members" => {
            let change = change(&words[2..]);
            return said(cluster.with(id(), |raft| raft.propose_membership(GROUP, &change)));
        }
        "node_down" => _ = cluster.with(id(), |raft| raft.node_down(number(words[2]))),
        "transfer" => return said(cluster.with(id(), |raft| raft.transfer_leader(GROUP, number(words[2])))),
        "flush" => while cluster.flush(id()) {},
        "flush_one" => _ = cluster.flush(id()),
        "deliver" => (0..cluster.network.len()).for_each(|_| cluster.deliver(0)),
        "lose" => cluster.network.clear(),
        "stabilize" => cluster.stabilize(),
        "isolate" => {
            let others: Vec<_> = cluster.nodes.keys().copied().filter(|other| *other != id()).collect();
            for other in others {
                cluster.cut.extend([(id(), other), (other, id())]);
            }
        }
        "heal" => cluster.cut.clear(),
        "crash" => cluster.crash(id(), 0),
        "restart" => cluster.restart(id()),
        "evict" => cluster.evict(id(), RaftIndex(number(words[2]))),
        "compact" => cluster.compact(id(), RaftIndex(number(words[2]))),
        "status" => return status(cluster),
        "log" => return log(cluster, id()),
        "network" => {
            return cluster.network.iter().map(|it| format!("{}->{} {}\n", it.from, it.to, kind(&it.bytes))).collect();
        }
        other => panic!("unknown command `{other}`"),
    }
    cluster.check_logs();
    "ok\n".to_owned()
}

fn said<T: std::fmt::Debug, E: std::fmt::Display>(result: Option<Result<T, E>>) -> String {
    match result {
        None => "down\n".to_owned(),
        Some(Ok(_)) => "ok\n".to_owned(),
        Some(Err(error)) => format!("error: {error}\n"),
    }
}

fn status(cluster: &Cluster) -> String {
    let mut out = String::new();
    for (id, node) in &cluster.nodes {
        let Some(raft) = &node.raft else {
            let _ = writeln!(out, "{id} down");
            continue;
        };
        let status = raft.status(GROUP).unwrap();
        let leader = status.leader.map_or("nobody".to_owned(), |leader| leader.to_string());
        let members = raft.membership(GROUP).unwrap();
        let _ = write!(
            out,
            "{id} {:?} term={} leader={leader} last={} persisted={} commit={} applied={} voters={:?}",
            status.role, status.term, status.last, status.persisted, status.commit, node.applied.0, members.voters
        );
        if !members.learners.is_empty() {
            let _ = write!(out, " learners={:?}", members.learners);
        }
        if !members.voters_outgoing.is_empty() {
            let _ = write!(out, " outgoing={:?}", members.voters_outgoing);
        }
        out.push('\n');
    }
    out
}

fn log(cluster: &Cluster, id: u64) -> String {
    let view = cluster.nodes[&id].disk.view();
    let mut out = format!("behind {}/{}:", view.base, view.base_term);
    for entry in &view.entries {
        let data = String::from_utf8_lossy(&entry.data);
        let data = if data.chars().all(|c| c.is_ascii_graphic()) { data.into_owned() } else { String::new() };
        let _ = write!(out, " {}/{}:{:?}:{data}", entry.index, entry.term, entry.kind);
    }
    out + "\n"
}

fn kind(bytes: &Bytes) -> String {
    let limits =
        thalweg_raft::MessageLimits { entries_max: 1000, entry_size_max_bytes: 1000, snapshot_size_max_bytes: 1000 };
    let message = thalweg_raft::decode_message(bytes.clone(), &limits).unwrap().1;
    let reject = if message.reject { " reject" } else { "" };
    let entries =
        if message.entries.is_empty() { String::new() } else { format!(" entries={}", message.entries.len()) };
    format!("{:?} term={} index={}{entries}{reject}", message.kind, message.term, message.index)
}

/// Runs one script, and gives it back with what was really said.
fn run_script(text: &str) -> String {
    let mut cluster = Cluster::new(1, 3);
    let mut out = String::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        out.push_str(line);
        out.push('\n');
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        assert_eq!(lines.next(), Some("----"), "behind `{line}`");
        out.push_str("----\n");
        while lines.peek().is_some_and(|line| !line.trim().is_empty()) {
            lines.next();
        }
        out.push_str(&run_command(&mut cluster, line));
    }
    out
}

fn check(name: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cluster/testdata").join(name).with_extension("txt");
    let text = std::fs::read_to_string(&path).unwrap();
    let said = run_script(&text);
    if std::env::var_os("RAFT_SCRIPTS_REWRITE").is_some() {
        return std::fs::write(&path, said).unwrap();
    }
    for (at, (expected, found)) in text.lines().zip(said.lines()).enumerate() {
        assert_eq!(found, expected, "{name}.txt line {}", at + 1);
    }
    assert_eq!(said, text, "{name}.txt");
}

macro_rules! scripts {
    ($($name:ident)*) => {
        $(#[test] fn $name() { check(stringify!($name)); })*

        #[test]
        fn every_script_runs() {
            let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cluster/testdata");
            let mut found: Vec<_> = std::fs::read_dir(dir).unwrap().map(|it| it.unwrap().path()).collect();
            found.sort();
            let mut named = vec![$(stringify!($name)),*];
            named.sort_unstable();
            let found: Vec<_> = found.iter().map(|path| path.file_stem().unwrap().to_str().unwrap()).collect();
            assert_eq!(found, named);
        }
    };
}

scripts! {
    check_quorum conflict durable_members election lagging leader_transfer learner membership node_down persistence prevote replication restart snapshot
    snapshot_members
}
