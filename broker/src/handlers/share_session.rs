//! Share sessions (KIP-932): which partitions a member reads from, told once, and the order of its requests. A session lives on
//! the core that its member's name falls to, wherever its connection is.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::time::{Duration, Instant};

use indexmap::IndexSet;
use thalweg_protocol::StrBytes;
use thalweg_protocol::error::ErrorCode;
use uuid::Uuid;

use crate::limits::SHARE_SESSION_PARTITIONS_MAX;
use crate::reactor::CoreId;

/// Opens a session.
pub const INITIAL_EPOCH: i32 = 0;
/// Closes it.
pub const FINAL_EPOCH: i32 = -1;

/// A session that was not used for this long gives its place to another: its member is gone.
const IDLE_MAX: Duration = Duration::from_secs(120);

/// A partition by its topic's id.
pub type TopicIndex = (Uuid, i32);

/// A member of a group.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Member {
    pub group: StrBytes,
    pub id: StrBytes,
}

impl Member {
    /// The core that has its session.
    pub fn home(&self, cores: usize) -> CoreId {
        let mut hasher = DefaultHasher::new();
        self.hash(&mut hasher);
        CoreId((hasher.finish() % cores.max(1) as u64) as usize)
    }
}

struct Session {
    /// What the next request must say.
    epoch: i32,
    partitions: IndexSet<TopicIndex>,
    used: Instant,
}

/// Owned by one core.
pub struct ShareSessions {
    sessions_max: usize,
    sessions: HashMap<Member, Session>,
}

impl ShareSessions {
    pub fn new(sessions_max: usize) -> Self {
        Self { sessions_max, sessions: HashMap::new() }
    }

    /// Opens a session, in place of one that the member may have.
    pub fn open(&mut self, member: &Member, named: &[TopicIndex], now: Instant) -> Result<(), ErrorCode> {
        if !self.sessions.contains_key(member) && self.sessions.len() >= self.sessions_max {
            self.sessions.retain(|_, session| now.saturating_duration_since(session.used) < IDLE_MAX);
            if self.sessions.len() >= self.sessions_max {
                return Err(ErrorCode::ShareSessionLimitReached);
            }
        }
        let mut session = Session { epoch: INITIAL_EPOCH + 1, partitions: IndexSet::new(), used: now };
        session.add(named)?;
        self.sessions.insert(member.clone(), session);
        Ok(())
    }

    /// The partitions of a session, after what a request with this epoch changes. Each time it begins with another one.
    pub fn advance(
        &mut self,
        member: &Member,
        epoch: i32,
        named: &[TopicIndex],
        forgotten: &[TopicIndex],
        now: Instant,
    ) -> Result<Vec<TopicIndex>, ErrorCode> {
        let session = self.sessions.get_mut(member).ok_or(ErrorCode::ShareSessionNotFound)?;
        if session.epoch != epoch {
            return Err(ErrorCode::InvalidShareSessionEpoch);
        }
        session.add(named)?;
        for partition in forgotten {
            session.partitions.shift_remove(partition);
        }
        session.epoch = if epoch == i32::MAX { INITIAL_EPOCH + 1 } else { epoch + 1 };
        session.used = now;
        let mut all: Vec<TopicIndex> = session.partitions.iter().copied().collect();
        if !all.is_empty() {
            let first = usize::try_from(epoch).unwrap_or(0) % all.len();
            all.rotate_left(first);
        }
        Ok(all)
    }

    /// Ends a session; what was in it.
    pub fn close(&mut self, member: &Member) -> Result<Vec<TopicIndex>, ErrorCode> {
        let session = self.sessions.remove(member).ok_or(ErrorCode::ShareSessionNotFound)?;
        Ok(session.partitions.into_iter().collect())
    }
}

impl Session {
    fn add(&mut self, named: &[TopicIndex]) -> Result<(), ErrorCode> {
        if self.partitions.len().saturating_add(named.len()) > SHARE_SESSION_PARTITIONS_MAX {
            return Err(ErrorCode::InvalidRequest);
        }
        self.partitions.extend(named.iter().copied());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn member(id: &'static str) -> Member {
        Member { group: StrBytes::from_static_str("g"), id: StrBytes::from_static_str(id) }
    }

    #[test]
    fn requests_of_a_session_come_in_order() {
        let (mut sessions, now) = (ShareSessions::new(2), Instant::now());
        let (a, t) = (member("a"), Uuid::from_u128(1));
        assert_eq!(sessions.advance(&a, 1, &[], &[], now), Err(ErrorCode::ShareSessionNotFound));
        sessions.open(&a, &[(t, 0), (t, 1)], now).unwrap();
        assert_eq!(sessions.advance(&a, 2, &[], &[], now), Err(ErrorCode::InvalidShareSessionEpoch));
        assert_eq!(sessions.advance(&a, 1, &[(t, 2)], &[(t, 0)], now).unwrap(), [(t, 2), (t, 1)]);
        assert_eq!(sessions.advance(&a, 1, &[], &[], now), Err(ErrorCode::InvalidShareSessionEpoch));
        assert_eq!(sessions.close(&a).unwrap().len(), 2);
        assert_eq!(sessions.close(&a), Err(ErrorCode::ShareSessionNotFound));
    }

    #[test]
    fn there_are_only_so_many_and_idle_ones_give_way() {
        let (mut sessions, now) = (ShareSessions::new(1), Instant::now());
        sessions.open(&member("a"), &[], now).unwrap();
        assert_eq!(sessions.open(&member("b"), &[], now), Err(ErrorCode::ShareSessionLimitReached));
        sessions.open(&member("a"), &[], now).unwrap();
        sessions.open(&member("b"), &[], now + IDLE_MAX).unwrap();
    }
}
