//! Fetch sessions (KIP-227): a client names its partitions once, then only what changes, and is told only what changed.
//!
//! A core keeps the sessions of its own connections. The session id says which core that is: a client that comes back
//! on another core's connection is told FETCH_SESSION_ID_NOT_FOUND and starts anew, as after a broker's restart.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use indexmap::IndexMap;
use thalweg_protocol::error::ErrorCode;
use thalweg_protocol::messages::TopicName;
use uuid::Uuid;

use crate::reactor::CoreId;

/// A session that was used within this time is not evicted for a new one (`FetchSession.EVICTION_MS`).
const EVICTION_AFTER: Duration = Duration::from_secs(120);

/// The epoch of a request without a session, or of its last.
pub const FINAL_EPOCH: i32 = -1;
/// The epoch of a request that wants a new session.
pub const INITIAL_EPOCH: i32 = 0;

/// Names a partition in a session: by id where the client speaks ids, by name where not.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Key {
    pub topic: TopicName,
    pub topic_id: Uuid,
    pub partition: i32,
}

/// What a client wants of a partition, as of its last word on it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Wanted {
    pub fetch_offset: i64,
    pub max_bytes: i32,
    pub current_leader_epoch: i32,
    pub last_fetched_epoch: i32,
}

/// What the client was last told, to tell it again only when it changes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Told {
    pub high_watermark: i64,
    pub log_start_offset: i64,
}

#[derive(Clone, Debug)]
struct Session {
    partitions: IndexMap<Key, (Wanted, Option<Told>)>,
    /// Where the next answer starts, so that a full partition does not starve those behind it.
    start: usize,
    epoch: i32,
    by_id: bool,
    used: Instant,
}

/// The sessions of one core.
pub struct FetchSessions {
    sessions: HashMap<i32, Session>,
    slots: usize,
    next_id: i32,
    step: i32,
}

/// How the answer to a request is to be given.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    /// All partitions, no session.
    Full,
    /// All partitions, and the session's id.
    Created(i32),
    /// Only what changed.
    Incremental(i32),
}

impl FetchSessions {
    pub fn new(core: CoreId, cores: usize, slots: usize) -> Self {
        let step = i32::try_from(cores).unwrap_or(1);
        let first = i32::try_from(core.0).unwrap_or(0);
        // Ids of this core are congruent to its number, and never 0, which means "none".
        Self { sessions: HashMap::new(), slots, next_id: first + step, step }
    }

    pub fn count(&self) -> usize {
        self.sessions.len()
    }

    /// Ends a session, if it is there.
    pub fn close(&mut self, id: i32) {
        self.sessions.remove(&id);
    }

    /// Makes a session of a full request; `None` where all slots are in recent use.
    pub fn create(&mut self, by_id: bool, wanted: &[(Key, Wanted)], now: Instant) -> Option<i32> {
        if !self.make_room(now) {
            return None;
        }
        let id = self.next_id;
        self.next_id = self.next_id.checked_add(self.step).unwrap_or(self.step);
        let partitions = wanted.iter().map(|(key, wanted)| (key.clone(), (*wanted, None))).collect();
        self.sessions.insert(id, Session { partitions, start: 0, epoch: INITIAL_EPOCH + 1, by_id, used: now });
        Some(id)
    }

    fn make_room(&mut self, now: Instant) -> bool {
        if self.sessions.len() < self.slots {
            return true;
        }
        let oldest =
            self.sessions.iter().min_by_key(|(_, session)| session.used).map(|(id, session)| (*id, session.used));
        match oldest {
            Some((id, used)) if now.duration_since(used) > EVICTION_AFTER => {
                self.sessions.remove(&id);
                true
            }
            _ => false,
        }
    }

    /// Takes what a request changes, and gives all the partitions of the session in the order to serve them.
    pub fn update(
        &mut self,
        id: i32,
        epoch: i32,
        by_id: bool,
        wanted: Vec<(Key, Wanted)>,
        forgotten: &[Key],
        now: Instant,
    ) -> Result<Vec<(Key, Wanted)>, ErrorCode> {
        let session = self.sessions.get_mut(&id).ok_or(ErrorCode::FetchSessionIdNotFound)?;
        if session.epoch != epoch {
            return Err(ErrorCode::InvalidFetchSessionEpoch);
        }
        if session.by_id != by_id {
            return Err(ErrorCode::FetchSessionTopicIdError);
        }
        session.used = now;
        session.epoch = if epoch == i32::MAX { 1 } else { epoch + 1 };
        for key in forgotten {
            session.partitions.swap_remove(key);
        }
        for (key, wanted) in wanted {
            match session.partitions.get_mut(&key) {
                Some(entry) => entry.0 = wanted,
                None => {
                    session.partitions.insert(key, (wanted, None));
                }
            }
        }
        let count = session.partitions.len().max(1);
        let start = session.start % count;
        let in_turn = session.partitions.iter().skip(start).chain(session.partitions.iter().take(start));
        Ok(in_turn.map(|(key, (wanted, _))| (key.clone(), *wanted)).collect())
    }

    /// Whether an answer for this partition says anything new; remembers that it was told.
    pub fn is_news(&mut self, id: i32, key: &Key, told: Told, has_records: bool, has_error: bool) -> bool {
        let Some(session) = self.sessions.get_mut(&id) else { return true };
        let Some((index, _, entry)) = session.partitions.get_full_mut(key) else { return true };
        let changed = entry.1 != Some(told);
        // After an error the client is told all again, as Kafka does.
        entry.1 = if has_error { None } else { Some(told) };
        if has_records {
            session.start = index + 1;
        }
        changed || has_records || has_error
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn key(partition: i32) -> Key {
        Key { topic: TopicName::default(), topic_id: Uuid::from_u128(7), partition }
    }

    fn wanted(fetch_offset: i64) -> Wanted {
        Wanted { fetch_offset, max_bytes: 1, current_leader_epoch: -1, last_fetched_epoch: -1 }
    }

    #[test]
    fn a_session_remembers_and_tells_only_news() {
        let now = Instant::now();
        let mut sessions = FetchSessions::new(CoreId(1), 4, 10);
        let id = sessions.create(true, &[(key(0), wanted(5)), (key(1), wanted(6))], now).unwrap();
        assert_eq!(id % 4, 1);
        let told = Told { high_watermark: 9, log_start_offset: 0 };
        assert!(sessions.is_news(id, &key(0), told, false, false));
        assert!(!sessions.is_news(id, &key(0), told, false, false));
        assert!(sessions.is_news(id, &key(0), told, true, false));
        let all = sessions.update(id, 1, true, vec![(key(1), wanted(8))], &[key(0)], now).unwrap();
        assert_eq!(all, vec![(key(1), wanted(8))]);
    }

    #[test]
    fn wrong_epochs_and_ids_are_refused() {
        let now = Instant::now();
        let mut sessions = FetchSessions::new(CoreId(0), 1, 1);
        let id = sessions.create(true, &[(key(0), wanted(0))], now).unwrap();
        assert_eq!(sessions.update(id, 2, true, vec![], &[], now), Err(ErrorCode::InvalidFetchSessionEpoch));
        assert_eq!(sessions.update(id + 1, 1, true, vec![], &[], now), Err(ErrorCode::FetchSessionIdNotFound));
        assert_eq!(sessions.update(id, 1, false, vec![], &[], now), Err(ErrorCode::FetchSessionTopicIdError));
        assert_eq!(sessions.create(true, &[(key(0), wanted(0))], now), None, "the only slot is in use");
        assert!(sessions.create(true, &[(key(0), wanted(0))], now + EVICTION_AFTER * 2).is_some());
    }

    #[test]
    fn partitions_take_turns() {
        let now = Instant::now();
        let mut sessions = FetchSessions::new(CoreId(0), 1, 1);
        let id = sessions.create(true, &[(key(0), wanted(0)), (key(1), wanted(0)), (key(2), wanted(0))], now).unwrap();
        sessions.is_news(id, &key(0), Told { high_watermark: 1, log_start_offset: 0 }, true, false);
        let order: Vec<i32> =
            sessions.update(id, 1, true, vec![], &[], now).unwrap().iter().map(|(key, _)| key.partition).collect();
        assert_eq!(order, [1, 2, 0]);
    }
}
