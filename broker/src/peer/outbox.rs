//! What waits to be sent to one core of another node. Sans-IO; time comes in.
//!
//! Raft messages of a turn are gathered, and become one frame at its end. While there is no connection little is kept: Raft
//! sends again, and what is old is of no use. Whatever is dropped is told, by group.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use bytes::Bytes;
use thalweg_raft::PeerMessage;
use thalweg_storage::types::GroupId;

use super::frame;
use crate::limits::{PEER_LANE_MAX_BYTES, PEER_LANE_UNCONNECTED_MAX_BYTES};

/// What is gathered before a frame is made of it although the turn goes on.
const FRAME_BYTES: usize = 4 << 20;

/// What a message counts for besides its entries, and an entry besides its data.
const MESSAGE_BYTES: usize = 64;
const ENTRY_BYTES: usize = 16;

/// What is handed to the socket at once, where more waits.
const WRITE_BYTES: usize = 2 << 20;
const WRITE_PIECES: usize = 512;

/// Pauses between tries to connect. In a pause nothing is taken.
const BACKOFF_MIN: Duration = Duration::from_millis(20);
const BACKOFF_MAX: Duration = Duration::from_millis(500);

/// Whether there is a connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Link {
    /// Nobody needed one yet, or it broke: it may be tried at once.
    Idle,
    Connecting,
    Up,
    /// Connecting failed; not before this moment again.
    Failed {
        until: Instant,
    },
}

/// Too much waits, or the node was not reached a moment ago.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Dropped;

/// Owned by a lane.
pub(super) struct Outbox {
    link: Link,
    backoff: Duration,
    gathered: Vec<(GroupId, PeerMessage)>,
    gathered_bytes: usize,
    /// Pieces of frames, in order.
    sealed: VecDeque<Bytes>,
    sealed_bytes: usize,
    /// Handed to the socket and not taken by the kernel yet.
    writing_bytes: usize,
    /// Frames that were sealed since this was last asked.
    frames: u64,
}

impl Outbox {
    pub(super) fn new() -> Self {
        Self {
            link: Link::Idle,
            backoff: BACKOFF_MIN,
            gathered: Vec::new(),
            gathered_bytes: 0,
            sealed: VecDeque::new(),
            sealed_bytes: 0,
            writing_bytes: 0,
            frames: 0,
        }
    }

    /// Takes a Raft message for the frame of this turn.
    pub(super) fn push(&mut self, group: GroupId, message: PeerMessage, now: Instant) -> Result<(), Dropped> {
        self.admit(now)?;
        let data: usize = message.entries.iter().map(|entry| ENTRY_BYTES + entry.data.len()).sum();
        let offer = message.snapshot.as_ref().map_or(0, |snapshot| snapshot.data.len());
        self.gathered.push((group, message));
        self.gathered_bytes += MESSAGE_BYTES + data + offer;
        if self.link == Link::Up && self.gathered_bytes > FRAME_BYTES {
            self.seal();
        }
        Ok(())
    }

    /// Takes a frame as it is.
    pub(super) fn post(&mut self, pieces: Vec<Bytes>, now: Instant) -> Result<(), Dropped> {
        self.admit(now)?;
        self.append(pieces);
        Ok(())
    }

    fn admit(&mut self, now: Instant) -> Result<(), Dropped> {
        let room = match self.link {
            Link::Failed { until } if now < until => return Err(Dropped),
            Link::Failed { .. } => {
                self.link = Link::Idle;
                PEER_LANE_UNCONNECTED_MAX_BYTES
            }
            Link::Idle | Link::Connecting => PEER_LANE_UNCONNECTED_MAX_BYTES,
            Link::Up => PEER_LANE_MAX_BYTES,
        };
        if self.waiting_bytes() > room { Err(Dropped) } else { Ok(()) }
    }

    fn append(&mut self, pieces: Vec<Bytes>) {
        self.sealed_bytes += pieces.iter().map(Bytes::len).sum::<usize>();
        self.sealed.extend(pieces);
        self.frames += 1;
    }

    /// The end of a turn: what was gathered becomes a frame, if there is a connection to send it over. Says whether there is
    /// something to do for whoever sends.
    pub(super) fn seal(&mut self) -> bool {
        if self.link == Link::Up && !self.gathered.is_empty() {
            let gathered = std::mem::take(&mut self.gathered);
            self.gathered_bytes = 0;
            // Messages that came before the connection did may be more than a frame should hold.
            let mut rest = gathered.as_slice();
            while !rest.is_empty() {
                let (frame, behind) = rest.split_at(frame_len(rest));
                self.append(frame::raft(frame));
                rest = behind;
            }
        }
        !self.is_empty()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.gathered.is_empty() && self.sealed.is_empty()
    }

    /// Nothing waits and nothing is being written: a pulse would say something that nothing else does.
    pub(super) fn is_quiet(&self) -> bool {
        self.is_empty() && self.writing_bytes == 0
    }

    pub(super) fn waiting_bytes(&self) -> usize {
        self.gathered_bytes + self.sealed_bytes + self.writing_bytes
    }

    /// What is to be written next. It counts as waiting until [`written`](Self::written).
    pub(super) fn take(&mut self) -> Vec<Bytes> {
        let (mut pieces, mut bytes) = (Vec::new(), 0);
        while bytes < WRITE_BYTES
            && pieces.len() < WRITE_PIECES
            && let Some(piece) = self.sealed.pop_front()
        {
            bytes += piece.len();
            pieces.push(piece);
        }
        self.sealed_bytes -= bytes;
        self.writing_bytes = bytes;
        pieces
    }

    /// The kernel has what was last taken; how much that was.
    pub(super) fn written(&mut self) -> usize {
        std::mem::take(&mut self.writing_bytes)
    }

    /// Frames since this was last asked.
    pub(super) fn take_frames(&mut self) -> u64 {
        std::mem::take(&mut self.frames)
    }

    pub(super) fn connecting(&mut self) {
        self.link = Link::Connecting;
    }

    pub(super) fn connected(&mut self) {
        self.link = Link::Up;
        self.backoff = BACKOFF_MIN;
        self.seal();
    }

    /// There is no connection, and there will be none for a while. Gives the groups whose messages were dropped.
    pub(super) fn failed(&mut self, now: Instant) -> Vec<GroupId> {
        self.link = Link::Failed { until: now + self.backoff };
        self.backoff = (self.backoff * 2).min(BACKOFF_MAX);
        self.drop_all()
    }

    /// The connection broke. What is dropped may be half sent, and what was sent may not have arrived.
    pub(super) fn broke(&mut self) -> Vec<GroupId> {
        self.link = Link::Idle;
        self.drop_all()
    }

    /// The node is there again: no use in waiting.
    pub(super) fn hurry(&mut self) {
        self.backoff = BACKOFF_MIN;
        if matches!(self.link, Link::Failed { .. }) {
            self.link = Link::Idle;
        }
    }

    fn drop_all(&mut self) -> Vec<GroupId> {
        self.sealed.clear();
        (self.sealed_bytes, self.gathered_bytes, self.writing_bytes) = (0, 0, 0);
        std::mem::take(&mut self.gathered).into_iter().map(|(group, _)| group).collect()
    }
}

/// How many of these messages make one frame: at least one.
fn frame_len(messages: &[(GroupId, PeerMessage)]) -> usize {
    let mut bytes = 0;
    let within = messages.iter().take_while(|(_, message)| {
        let fits = bytes < FRAME_BYTES;
        bytes += MESSAGE_BYTES + message.entries.iter().map(|entry| entry.data.len()).sum::<usize>();
        fits
    });
    within.count().max(1)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::super::frame::tests::{append, batch};
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn message(bytes: usize) -> PeerMessage {
        append(1, &[batch(bytes)])
    }

    fn connected() -> Outbox {
        let mut outbox = Outbox::new();
        outbox.connecting();
        outbox.connected();
        outbox
    }

    /// Pushes until nothing more is taken; how much that was.
    fn fill(outbox: &mut Outbox, bytes: usize, now: Instant) -> usize {
        (0..100_000).find(|_| outbox.push(GroupId(1), message(bytes), now).is_err()).unwrap()
    }

    #[test]
    fn a_turn_is_one_frame() {
        let (mut outbox, now) = (connected(), Instant::now());
        for group in 1..=100 {
            outbox.push(GroupId(group), message(10), now).unwrap();
        }
        assert!(outbox.take().is_empty(), "the turn goes on");
        assert!(outbox.seal());
        assert_eq!((outbox.take_frames(), outbox.take().len()), (1, 1));
        assert!(!outbox.seal());
        assert!(!outbox.is_quiet(), "it is being written");
        assert!(outbox.written() > 100 * 10);
        assert!(outbox.is_quiet());
    }

    #[test]
    fn a_budget_bounds_what_waits_and_writing_counts() {
        let (mut outbox, now) = (connected(), Instant::now());
        let taken = fill(&mut outbox, 1 << 20, now);
        assert!((100..=129).contains(&taken), "{taken} messages of 1 MiB");
        assert_eq!(outbox.post(vec![Bytes::from_static(b"x")], now), Err(Dropped));
        outbox.seal();
        let before = outbox.waiting_bytes();
        let pieces = outbox.take();
        assert!(pieces.iter().map(Bytes::len).sum::<usize>() >= WRITE_BYTES);
        assert_eq!(outbox.waiting_bytes(), before);
        outbox.written();
        assert!(outbox.push(GroupId(1), message(10), now).is_ok(), "there is room again");
    }

    #[test]
    fn without_a_connection_little_is_kept_and_it_leaves_when_there_is_one() {
        let (mut outbox, now) = (Outbox::new(), Instant::now());
        let taken = fill(&mut outbox, 1000, now);
        assert!(taken * 1000 <= PEER_LANE_UNCONNECTED_MAX_BYTES + 2000, "{taken}");
        assert!(outbox.seal(), "there is something to connect for");
        assert!(outbox.take().is_empty());
        outbox.connecting();
        outbox.connected();
        assert!(!outbox.take().is_empty());
    }

    #[test]
    fn what_a_failure_drops_is_told_and_nothing_is_taken_for_a_while() {
        let (mut outbox, now) = (Outbox::new(), Instant::now());
        outbox.push(GroupId(3), message(10), now).unwrap();
        outbox.push(GroupId(4), message(10), now).unwrap();
        outbox.connecting();
        assert_eq!(outbox.failed(now), [GroupId(3), GroupId(4)]);
        assert_eq!(outbox.waiting_bytes(), 0);
        assert_eq!(outbox.push(GroupId(3), message(10), now), Err(Dropped));
        assert!(outbox.push(GroupId(3), message(10), now + BACKOFF_MIN).is_ok());
        // Longer each time, up to a limit.
        for _ in 0..20 {
            outbox.failed(now);
        }
        assert_eq!(outbox.push(GroupId(3), message(10), now + BACKOFF_MAX / 2), Err(Dropped));
        assert!(outbox.push(GroupId(3), message(10), now + BACKOFF_MAX).is_ok());
        outbox.failed(now);
        outbox.hurry();
        assert!(outbox.push(GroupId(3), message(10), now).is_ok());
        outbox.connected();
        assert!(outbox.broke().is_empty(), "it was sealed: whoever asks takes all groups of the lane");
        assert!(outbox.push(GroupId(3), message(10), now).is_ok(), "a broken connection is made again at once");
    }

    #[test]
    fn what_gathered_while_connecting_leaves_in_frames_of_a_bounded_size() {
        let (mut outbox, now) = (Outbox::new(), Instant::now());
        let large = message(3 << 20);
        outbox.push(GroupId(1), large.clone(), now).unwrap();
        assert!(outbox.push(GroupId(1), large.clone(), now).is_err());
        outbox.connected();
        for _ in 0..3 {
            outbox.push(GroupId(1), large.clone(), now + SECOND).unwrap();
        }
        outbox.seal();
        assert_eq!(outbox.take_frames(), 3, "one before, one of two messages, one of the rest");
    }
}
