//! Who is connected to this core: nodes whose introductions were accepted.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::future::AbortHandle;
use thalweg_protocol::NodeId;

use super::handshake::Facts;
use super::traffic::NodeTraffic;
use super::wire::Progress;
use crate::limits::{
    PEER_CALLERS_MAX, PEER_FRAME_TIME_MAX, PEER_IDLE_TIME_MAX, PEER_QUESTION_IDLE_TIME_MAX, PEER_REPLIES_MAX_BYTES,
    PEER_STRANGERS_MAX, PEER_WRITE_TIME_MAX,
};
use crate::reactor::Signal;

/// Which lane of a node it is the other end of: the caller's core, and the core that it wanted. There is one of each.
pub(super) type LaneEnds = (usize, usize);

/// What an answer takes besides its bytes.
const REPLY_BYTES: usize = 512;

/// One connection that others made.
pub(super) struct Caller {
    id: u64,
    pub(super) facts: Facts,
    /// `None` where it was made to ask something, no more.
    pub(super) lane: Option<LaneEnds>,
    /// Both nodes belong to one cluster.
    pub(super) is_kin: bool,
    pub(super) address: SocketAddr,
    pub(super) progress: Progress,
    pub(super) traffic: Arc<NodeTraffic>,
    /// Requests that are being answered.
    pub(super) answering: Cell<usize>,
    replies: RefCell<VecDeque<Vec<Bytes>>>,
    replies_bytes: Cell<usize>,
    pub(super) replied: Signal,
    /// When the kernel was given what it has not taken yet.
    pub(super) writing_since: Cell<Option<Instant>>,
    abort: AbortHandle,
}

/// What a connection is opened with.
pub(super) struct Opening {
    pub(super) facts: Facts,
    pub(super) lane: Option<LaneEnds>,
    pub(super) is_kin: bool,
    pub(super) address: SocketAddr,
    pub(super) traffic: Arc<NodeTraffic>,
    pub(super) abort: AbortHandle,
}

/// All of them, of one core.
#[derive(Default)]
pub(super) struct Callers {
    open: RefCell<BTreeMap<u64, Rc<Caller>>>,
    next: Cell<u64>,
}

impl Callers {
    /// A connection comes. What it replaces, or has no room beside it, is closed.
    pub(super) fn open(&self, opening: Opening) -> Rc<Caller> {
        let Opening { facts, lane, is_kin, address, traffic, abort } = opening;
        let id = self.next.get();
        self.next.set(id + 1);
        self.make_room(&facts, lane);
        let caller = Rc::new(Caller {
            id,
            facts,
            lane,
            is_kin,
            address,
            progress: Progress::default(),
            traffic,
            answering: Cell::new(0),
            replies: RefCell::default(),
            replies_bytes: Cell::new(0),
            replied: Signal::default(),
            writing_since: Cell::default(),
            abort,
        });
        self.open.borrow_mut().insert(id, Rc::clone(&caller));
        caller
    }

    fn make_room(&self, facts: &Facts, lane: Option<LaneEnds>) {
        let open = self.open.borrow();
        let same = |other: &&Rc<Caller>| lane.is_some() && other.lane == lane && other.facts.node == facts.node;
        open.values().filter(same).for_each(|caller| caller.abort.abort());
        // The oldest goes: whoever floods does not keep others out.
        let (room, alike): (usize, fn(&&Rc<Caller>) -> bool) = match lane {
            Some(_) => (PEER_CALLERS_MAX, |caller| caller.lane.is_some()),
            None => (PEER_STRANGERS_MAX, |caller| caller.lane.is_none()),
        };
        let surplus = (open.values().filter(alike).count() + 1).saturating_sub(room);
        open.values().filter(alike).take(surplus).for_each(|caller| caller.abort.abort());
    }

    pub(super) fn close(&self, caller: &Caller) {
        self.open.borrow_mut().remove(&caller.id);
    }

    /// Whether that process has a lane to this core.
    pub(super) fn has(&self, node: NodeId, incarnation: u64) -> bool {
        let of_it = |caller: &Rc<Caller>| caller.facts.id() == node && caller.facts.incarnation == incarnation;
        self.open.borrow().values().any(|caller| caller.lane.is_some() && of_it(caller))
    }

    /// Closes what is left of a node's earlier processes.
    pub(super) fn drop_earlier(&self, node: NodeId, incarnation: u64) {
        let earlier = |caller: &&Rc<Caller>| caller.facts.id() == node && caller.facts.incarnation != incarnation;
        self.open.borrow().values().filter(earlier).for_each(|caller| caller.abort.abort());
    }

    /// When lanes last received something. While it is this node that does not read, it knows nothing.
    pub(super) fn signs_of_life(&self, now: Instant) -> Vec<(NodeId, u64, Instant)> {
        let open = self.open.borrow();
        let lanes = open.values().filter(|caller| caller.lane.is_some());
        let sign = |caller: &Rc<Caller>| {
            let at = if caller.progress.held_up.get() { now } else { caller.progress.received.get() };
            (caller.facts.id(), caller.facts.incarnation, at)
        };
        lanes.map(sign).collect()
    }

    /// Closes connections on which nothing gets on.
    pub(super) fn reap(&self, now: Instant) {
        for caller in self.open.borrow().values() {
            if let Some(why) = caller.stuck(now) {
                tracing::debug!(node = caller.facts.node, address = %caller.address, "closing the connection of a node: {why}");
                caller.abort.abort();
            }
        }
    }

    /// Closes all of a node's, by its Raft id.
    pub(super) fn cut_node(&self, id: u64) {
        let of_it = |caller: &&Rc<Caller>| thalweg_raft::raft_id(caller.facts.id()) == id;
        self.open.borrow().values().filter(of_it).for_each(|caller| caller.abort.abort());
    }

    pub(super) fn close_all(&self) {
        self.open.borrow().values().for_each(|caller| caller.abort.abort());
    }
}

impl Caller {
    /// Queues an answer. A caller that asks and does not read is closed.
    pub(super) fn reply(&self, pieces: Vec<Bytes>) {
        if self.abort.is_aborted() {
            return;
        }
        let bytes = size_of_reply(&pieces);
        self.replies_bytes.set(self.replies_bytes.get() + bytes);
        if self.replies_bytes.get() > PEER_REPLIES_MAX_BYTES {
            tracing::warn!(node = self.facts.node, address = %self.address, "closing the connection of a node that does not read its answers");
            self.replies.borrow_mut().clear();
            self.abort.abort();
            return;
        }
        self.replies.borrow_mut().push_back(pieces);
        self.replied.raise();
    }

    pub(super) fn next_reply(&self) -> Option<Vec<Bytes>> {
        self.replies.borrow_mut().pop_front()
    }

    /// An answer is sent: so many bytes, and so much that it counted for.
    pub(super) fn sent(&self, bytes: usize, counted: usize) {
        self.replies_bytes.set(self.replies_bytes.get().saturating_sub(counted));
        self.traffic.sent_bytes.add(bytes as u64);
        self.traffic.sent_frames.add(1);
    }

    pub(super) fn cut(&self) {
        self.abort.abort();
    }

    fn stuck(&self, now: Instant) -> Option<&'static str> {
        let over = |since: Instant, limit: Duration| now.saturating_duration_since(since) > limit;
        let progress = &self.progress;
        if progress.held_up.get() {
            return None;
        }
        if progress.began.get().is_some_and(|began| over(began, PEER_FRAME_TIME_MAX)) {
            return Some("a frame did not arrive whole");
        }
        if self.writing_since.get().is_some_and(|since| over(since, PEER_WRITE_TIME_MAX)) {
            return Some("it does not read its answers");
        }
        let idle_max = if self.lane.is_some() { PEER_IDLE_TIME_MAX } else { PEER_QUESTION_IDLE_TIME_MAX };
        (self.answering.get() == 0 && over(progress.received.get(), idle_max)).then_some("it says nothing")
    }
}

/// What an answer counts for while it waits: small ones take more than their bytes.
pub(super) fn size_of_reply(pieces: &[Bytes]) -> usize {
    REPLY_BYTES + pieces.iter().map(Bytes::len).sum::<usize>()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::indexing_slicing, reason = "tests")]

    use uuid::Uuid;

    use super::*;

    fn open(callers: &Callers, node: i32, incarnation: u64, lane: Option<LaneEnds>) -> Rc<Caller> {
        let facts = Facts {
            versions: (1, 1),
            cluster: "c".into(),
            node,
            directory: Uuid::nil(),
            incarnation,
            cores: 4,
            address: None,
        };
        let address = SocketAddr::from(([127, 0, 0, 1], 1));
        let (abort, _) = AbortHandle::new_pair();
        callers.open(Opening { facts, lane, is_kin: true, address, traffic: Arc::default(), abort })
    }

    fn is_open(caller: &Caller) -> bool {
        !caller.abort.is_aborted()
    }

    #[test]
    fn a_lane_replaces_the_one_between_the_same_cores() {
        let callers = Callers::default();
        let first = open(&callers, 2, 7, Some((0, 0)));
        let others = [(3, Some((0, 0))), (2, Some((1, 0))), (2, Some((0, 1))), (2, None)];
        let others = others.map(|(node, lane)| open(&callers, node, 7, lane));
        assert!(is_open(&first) && others.iter().all(|caller| is_open(caller)));
        let again = open(&callers, 2, 7, Some((0, 0)));
        assert!(!is_open(&first) && is_open(&again) && others.iter().all(|caller| is_open(caller)));
        callers.drop_earlier(NodeId(2), 8);
        assert!(!is_open(&again) && is_open(&others[0]));
    }

    #[test]
    fn a_flood_closes_the_oldest_of_its_kind() {
        let callers = Callers::default();
        let lane = open(&callers, 2, 7, Some((0, 0)));
        let all: Vec<_> = (0..PEER_STRANGERS_MAX * 2).map(|_| open(&callers, 3, 7, None)).collect();
        // Each that is closed goes only when its task ends.
        assert!(is_open(&lane) && !is_open(&all[0]) && is_open(&all[all.len() - 1]));
    }

    #[test]
    fn what_gets_on_stays_and_what_is_stuck_goes() {
        let callers = Callers::default();
        let now = Instant::now();
        let (slow, idle, held) =
            (open(&callers, 2, 7, Some((0, 0))), open(&callers, 3, 7, None), open(&callers, 4, 7, Some((0, 0))));
        slow.progress.began.set(Some(now));
        held.progress.began.set(Some(now));
        held.progress.held_up.set(true);
        callers.reap(now + PEER_FRAME_TIME_MAX / 2);
        assert!(is_open(&slow) && is_open(&idle) && is_open(&held));
        callers.reap(now + PEER_FRAME_TIME_MAX + PEER_QUESTION_IDLE_TIME_MAX + Duration::from_secs(1));
        assert!(!is_open(&slow) && !is_open(&idle) && is_open(&held));
    }

    #[test]
    fn answers_that_nobody_reads_end_the_connection() {
        let callers = Callers::default();
        let caller = open(&callers, 2, 7, Some((0, 0)));
        let answer = Bytes::from(vec![0; 1 << 20]);
        let taken = (0..1000).take_while(|_| is_open(&caller)).inspect(|_| caller.reply(vec![answer.clone()])).count();
        assert_eq!(taken, PEER_REPLIES_MAX_BYTES / (answer.len() + REPLY_BYTES) + 1);
    }
}
