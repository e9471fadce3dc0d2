//! Whoever calls on `thalweg.rpc.listener`: strangers, misconfigured nodes, and a node of the cluster that has gone mad.

use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

use crate::node::{Facts, Node, PULSE, RAFT, REQUEST, RESPONSE, frame, introduction, message};
use crate::support::Broker;
use crate::wire::PATIENCE;

/// How long an introduction may take.
const HANDSHAKE_MAX: Duration = Duration::from_secs(3);
/// The broker's own node id.
const BROKER: i64 = 1;

/// What is attacked.
pub struct Target<'a> {
    pub broker: &'a Broker,
    /// `thalweg.rpc.listener`
    pub rpc: &'a str,
    pub cluster: String,
}

impl<'a> Target<'a> {
    pub fn new(broker: &'a Broker, rpc: &'a str) -> Self {
        let meta = std::fs::read_to_string(broker.data_dir().join("meta.properties")).unwrap();
        let cluster = meta.lines().find_map(|line| line.strip_prefix("cluster.id=")).unwrap().to_owned();
        Self { broker, rpc, cluster }
    }

    /// A node of the cluster as it should be, welcome.
    fn member(&self, node: i64) -> Node {
        let (node, answer) = Node::called(self.rpc, &Facts::member(&self.cluster, node), "lane");
        assert!(answer.starts_with(r#"{"welcome""#), "{answer}");
        node
    }

    fn logged(&self, text: &str) -> usize {
        self.broker.log().lines().filter(|line| line.contains(text)).count()
    }

    /// The line comes a moment after the connection is closed.
    fn one_line(&self, text: &str) {
        let deadline = Instant::now() + PATIENCE;
        while self.logged(text) == 0 && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(10));
        }
        assert_eq!(self.logged(text), 1, "{text}: {}", self.broker.log_tail());
    }
}

/// Bytes that are no introduction.
pub fn strangers(target: &Target<'_>) {
    let mut random = StdRng::seed_from_u64(crate::SEED);
    let noise: Vec<u8> = (0..5000).map(|_| random.random()).collect();
    let long = [&b"THWG"[..], &[0xff; 8]].concat();
    let mut damaged = Facts::member(&target.cluster, 7).call("lane");
    damaged[30] ^= 1;
    let kafka = [0, 0, 0, 20, 0, 3, 0, 12, 0, 0, 0, 1, 0, 4, b't', b'e', b's', b't'];
    for bytes in
        [&noise[..], b"GET / HTTP/1.1\r\n\r\n", &[0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3, 0], &long, &damaged, &kafka]
    {
        let mut node = Node::connect(target.rpc);
        node.send(bytes);
        assert!(node.closed() < HANDSHAKE_MAX / 2, "what is wrong is known at once");
    }
    for text in ["", "{}", "[", r#"{"facts":null}"#, &"[".repeat(4000)] {
        let mut node = Node::connect(target.rpc);
        node.send(&introduction(text));
        node.closed();
    }
    // The same again and again is one line.
    for _ in 0..20 {
        let mut node = Node::connect(target.rpc);
        node.send(b"GET / HTTP/1.1\r\n\r\n");
        node.closed();
    }
    target.one_line("does not speak the protocol between Thalweg's nodes");
}

/// Introductions that never end.
pub fn half_introductions(target: &Target<'_>) {
    let whole = Facts::member(&target.cluster, 7).call("lane");
    let halves = [0, 1, 4, 11, 12, whole.len() - 1].map(|half| {
        let mut node = Node::connect(target.rpc);
        node.send(&whole[..half]);
        (half, Instant::now(), node)
    });
    for (half, began, node) in halves {
        node.closed();
        assert!(began.elapsed() >= HANDSHAKE_MAX / 2, "{half} bytes were closed after {:?}", began.elapsed());
    }
    let began = Instant::now();
    let mut dripping = Node::connect(target.rpc);
    for byte in &whole {
        if !dripping.send(&[*byte]) {
            break;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    dripping.closed();
    assert!(began.elapsed() < HANDSHAKE_MAX * 5, "one byte after the other took {:?}", began.elapsed());
}

/// Nodes that are set up wrongly hear why, and the log says so once.
pub fn misconfigured(target: &Target<'_>) {
    let member = |node| Facts::member(&target.cluster, node);
    let refused = |facts: Facts, line: &str| {
        for purpose in ["question", "lane"] {
            let (node, answer) = Node::called(target.rpc, &facts, purpose);
            assert!(answer.starts_with(r#"{"refused""#) && answer.contains(line), "{answer}");
            node.closed();
        }
        target.one_line(line);
    };
    refused(Facts { cluster: "somebody-elses".to_owned(), ..member(7) }, "belongs to cluster somebody-elses");
    refused(Facts { versions: (9, 12), ..member(7) }, "speaks versions 9 to 12");
    refused(member(BROKER), "node.id 1 of an unknown address is in use by another live node");
    refused(member(-1), "-1 is no node id");
    refused(Facts { cores: 0, ..member(8) }, "a node cannot have 0 cores");
    refused(Facts { cores: 1 << 40, ..member(8) }, "a node cannot have 1099511627776 cores");
    // Another's node id, while that one is alive: it goes on as if nothing had happened.
    let mut first = target.member(9);
    refused(Facts { directory: 99, incarnation: 99, ..member(9) }, "node.id 9 of an unknown address is in use");
    assert!(first.send(&frame(PULSE, 0, &[])));
    assert!(first.send(&frame(REQUEST, 5, &[&[1][..], br#""hello""#].concat())));
    assert!(first.answer(5).starts_with(&[1]));
}

/// Nodes of no cluster may say hello, and nothing else.
pub fn those_who_do_not_belong_yet(target: &Target<'_>) {
    let blank = Facts { cluster: String::new(), ..Facts::member("", 7) };
    let (node, answer) = Node::called(target.rpc, &blank, "lane");
    assert!(answer.starts_with(r#"{"later""#), "{answer}");
    node.closed();
    let ask = |bytes: &[u8]| {
        let (mut node, answer) = Node::called(target.rpc, &blank, "question");
        assert!(answer.starts_with(r#"{"welcome""#), "{answer}");
        node.send(bytes);
        node
    };
    let hello = ask(&frame(REQUEST, 3, &[&[1][..], br#""hello""#].concat())).answer(3);
    assert!(hello.starts_with(&[1]) && String::from_utf8_lossy(&hello).contains(&target.cluster));
    let propose = [&[3][..], br#"{"propose":[]}"#].concat();
    // As what it is, and as what it is not.
    ask(&frame(REQUEST, 3, &propose)).closed();
    let disguised = ask(&frame(REQUEST, 3, &[&[1][..], br#"{"propose":[]}"#].concat())).answer(3);
    assert!(disguised.starts_with(&[2]), "{disguised:?}");
    for bytes in [frame(PULSE, 0, &[]), frame(RAFT, 0, &message(1, 8, 2, 1)), frame(REQUEST, 1, &vec![1; 2 << 20])] {
        ask(&bytes).closed();
    }
}

/// A node that introduced itself well and then makes no sense.
pub fn mad_members(target: &Target<'_>) {
    let broker = u64::try_from(BROKER).unwrap() + 1;
    let mut damaged = frame(REQUEST, 1, &[1, 2, 3]);
    damaged[22] ^= 1;
    let mut random = StdRng::seed_from_u64(crate::SEED);
    let noise: Vec<u8> = (0..1000).map(|_| random.random()).collect();
    let bad = [
        noise,
        vec![0xff; 21],
        damaged,
        frame(0, 0, &[]),
        frame(9, 0, &[]),
        frame(PULSE, 0, &[1]),
        frame(RESPONSE, 1, &[1]),
        frame(REQUEST, 1, &[]),
        frame(REQUEST, 1, &[77, 1]),
        frame(REQUEST, 1, &[5, 1, 2]),
        frame(RAFT, 0, &[1, 2, 3]),
        // Of another node, to another node, without a term.
        frame(RAFT, 0, &message(1, 5, broker, 1)),
        frame(RAFT, 0, &message(1, 8, 5, 1)),
        frame(RAFT, 0, &message(1, 8, broker, 0)),
    ];
    for bytes in bad {
        let mut node = target.member(7);
        node.send(&bytes);
        node.closed();
    }
    // Lengths that are allowed, and of which nothing comes.
    let hold: Vec<Node> = (20..60)
        .map(|number| {
            let mut node = target.member(number);
            node.send(&[&(100_u32 << 20).to_le_bytes()[..], &[0; 8], &[RAFT], &[0; 8], &[0; 1000]].concat());
            node
        })
        .collect();
    target.member(7);
    drop(hold);
}

/// One who asks without end and reads no answer is closed.
pub fn greedy(target: &Target<'_>) {
    let mut node = target.member(7);
    let request = frame(REQUEST, 1, &[&[1][..], br#""hello""#].concat());
    let many = request.repeat(1000);
    let closed = (0..2000).any(|_| !node.send(&many));
    assert!(closed, "two million answers are kept for somebody who does not read");
}

/// Thousands of connections that say nothing keep no node out.
pub fn flood(target: &Target<'_>) {
    let mut silent: Vec<Node> = Vec::new();
    for _ in 0..3000 {
        silent.push(Node::connect(target.rpc));
    }
    let began = Instant::now();
    let mut node = target.member(7);
    assert!(node.send(&frame(REQUEST, 5, &[&[1][..], br#""hello""#].concat())));
    node.answer(5);
    assert!(began.elapsed() < HANDSHAKE_MAX, "a node waited {:?}", began.elapsed());
    let open = std::fs::read_dir(format!("/proc/{}/fd", target.broker.pid())).unwrap().count();
    assert!(open < 1000, "{open} descriptors are open");
    drop(silent);
}
