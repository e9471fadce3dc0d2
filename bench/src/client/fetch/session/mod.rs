//! A fetch session (KIP-227): the first request names every partition, later ones only what has changed since.
//!
//! Plain state without a socket. As in Kafka's `FetchSessionHandler`, a session that the broker does not know any more,
//! or disagrees about, is begun anew with everything.

use std::collections::HashMap;
use std::sync::Arc;

use thalweg_protocol::messages::fetch_request::{FetchPartition, FetchTopic, ForgottenTopic};
use thalweg_protocol::messages::{BrokerId, FetchRequest};
use thalweg_protocol::{ErrorCode, PartitionIndex, TopicView};
use uuid::Uuid;

use super::{FETCH_NAMED_LAST, FetchLimits, FetchedTopic};

/// A partition of the session.
struct Slot {
    topic: usize,
    index: i32,
    position: i64,
    /// The broker has not been told its position.
    changed: bool,
    /// It is being fetched; slots stay behind partitions that are not any more.
    live: bool,
}

pub(crate) struct Session {
    topics: Arc<[FetchedTopic]>,
    by_id: HashMap<Uuid, usize>,
    by_name: HashMap<Vec<u8>, usize>,
    /// Of each topic, by partition.
    places: Vec<HashMap<i32, usize>>,
    slots: Vec<Slot>,
    live: usize,
    changed: Vec<usize>,
    forgotten: Vec<usize>,
    id: i32,
    /// 0 asks for a new session.
    epoch: i32,
    /// Where full requests begin: a broker without sessions would serve the first partitions only.
    turn: usize,
}

impl Session {
    pub(crate) fn new(topics: Arc<[FetchedTopic]>) -> Self {
        let numbered = || topics.iter().enumerate();
        Self {
            by_id: numbered().map(|(number, topic)| (topic.id, number)).collect(),
            by_name: numbered().map(|(number, topic)| (topic.name.as_bytes().to_vec(), number)).collect(),
            places: vec![HashMap::new(); topics.len()],
            topics,
            slots: Vec::new(),
            live: 0,
            changed: Vec::new(),
            forgotten: Vec::new(),
            id: 0,
            epoch: 0,
            turn: 0,
        }
    }

    /// Partitions that are being fetched.
    pub(crate) const fn len(&self) -> usize {
        self.live
    }

    /// Begins to fetch a partition; gives its slot, by which it is called from now on.
    pub(crate) fn add(&mut self, topic: usize, index: i32, position: i64) -> usize {
        let next = self.slots.len();
        let Some(places) = self.places.get_mut(topic) else { return next };
        let slot = *places.entry(index).or_insert(next);
        if slot == next {
            self.slots.push(Slot { topic, index, position, changed: false, live: false });
        }
        self.forgotten.retain(|forgotten| *forgotten != slot);
        if let Some(known) = self.slots.get_mut(slot) {
            self.live += usize::from(!known.live);
            known.live = true;
        }
        self.seek(slot, position);
        slot
    }

    pub(crate) fn seek(&mut self, slot: usize, position: i64) {
        let Some(known) = self.slots.get_mut(slot) else { return };
        known.position = position;
        if !std::mem::replace(&mut known.changed, true) {
            self.changed.push(slot);
        }
    }

    /// Fetches the partition no more.
    pub(crate) fn remove(&mut self, slot: usize) {
        let Some(known) = self.slots.get_mut(slot) else { return };
        if std::mem::take(&mut known.live) {
            self.live -= 1;
            self.forgotten.push(slot);
        }
    }

    /// The topic of a slot, by its place among the session's topics.
    pub(crate) fn topic(&self, slot: usize) -> usize {
        self.slots.get(slot).map_or(usize::MAX, |slot| slot.topic)
    }

    pub(crate) fn is_live(&self, slot: usize) -> bool {
        self.slots.get(slot).is_some_and(|slot| slot.live)
    }

    pub(crate) fn position(&self, slot: usize) -> i64 {
        self.slots.get(slot).map_or(-1, |slot| slot.position)
    }

    /// The partitions that are being fetched: slot, topic, index.
    pub(crate) fn live(&self) -> impl Iterator<Item = (usize, (usize, i32))> {
        self.slots
            .iter()
            .enumerate()
            .filter(|(_, slot)| slot.live)
            .map(|(number, slot)| (number, (slot.topic, slot.index)))
    }

    /// The slot of a partition in an answer; `None` if it was never fetched.
    pub(crate) fn find(&self, topic: TopicView<'_>, index: PartitionIndex) -> Option<usize> {
        let topic = match topic {
            TopicView::Id(id) => self.by_id.get(&id),
            TopicView::Name(name) => self.by_name.get(name),
        }?;
        self.places.get(*topic)?.get(&index.0).copied()
    }

    /// The next request. Its answer must be told to [`answered`](Self::answered) before there is another.
    pub(crate) fn request(&mut self, version: i16, limits: &FetchLimits) -> FetchRequest {
        let changed = std::mem::take(&mut self.changed);
        let forgotten = std::mem::take(&mut self.forgotten);
        let (named, forgotten) = if self.epoch == 0 {
            self.turn = self.turn.wrapping_add(1) % self.slots.len().max(1);
            ((self.turn..self.slots.len()).chain(0..self.turn).collect(), Vec::new())
        } else {
            (changed, forgotten)
        };
        let request = FetchRequest::default()
            .with_replica_id(BrokerId(-1))
            .with_max_wait_ms(limits.wait_ms)
            .with_min_bytes(limits.min_bytes)
            .with_max_bytes(limits.max_bytes)
            .with_isolation_level(i8::from(limits.read_committed))
            .with_session_id(self.id)
            .with_session_epoch(self.epoch)
            .with_topics(self.named(&named, version, limits))
            .with_forgotten_topics_data(self.unnamed(&forgotten, version));
        named.iter().for_each(|slot| {
            if let Some(slot) = self.slots.get_mut(*slot) {
                slot.changed = false;
            }
        });
        request
    }

    fn named(&self, slots: &[usize], version: i16, limits: &FetchLimits) -> Vec<FetchTopic> {
        let mut topics: Vec<FetchTopic> = Vec::new();
        let mut last = usize::MAX;
        for slot in slots.iter().filter_map(|slot| self.slots.get(*slot)).filter(|slot| slot.live) {
            if slot.topic != last {
                last = slot.topic;
                let Some(topic) = self.topics.get(slot.topic) else { continue };
                let named = FetchTopic::default();
                topics.push(if version > FETCH_NAMED_LAST {
                    named.with_topic_id(topic.id)
                } else {
                    named.with_topic(topic.name.clone())
                });
            }
            let partition = FetchPartition::default()
                .with_partition(slot.index)
                .with_fetch_offset(slot.position)
                .with_partition_max_bytes(limits.partition_max_bytes);
            topics.last_mut().into_iter().for_each(|topic| topic.partitions.push(partition.clone()));
        }
        topics
    }

    fn unnamed(&self, slots: &[usize], version: i16) -> Vec<ForgottenTopic> {
        let slots = slots.iter().filter_map(|slot| self.slots.get(*slot));
        let each = slots.filter_map(|slot| {
            let topic = self.topics.get(slot.topic)?;
            let forgotten = ForgottenTopic::default().with_partitions(vec![slot.index]);
            Some(if version > FETCH_NAMED_LAST {
                forgotten.with_topic_id(topic.id)
            } else {
                forgotten.with_topic(topic.name.clone())
            })
        });
        each.collect()
    }

    /// What the broker said to the last request as a whole. With an error its partitions say nothing, and the next
    /// request begins a new session.
    pub(crate) fn answered(&mut self, error_code: i16, session_id: i32) {
        if error_code != 0 {
            // An id with epoch 0 closes that session; one that is not known cannot be closed.
            if ErrorCode::from_code(error_code) == Some(ErrorCode::FetchSessionIdNotFound) {
                self.id = 0;
            }
            self.epoch = 0;
        } else if session_id == 0 {
            (self.id, self.epoch) = (0, 0);
        } else {
            self.id = session_id;
            self.epoch = if self.epoch == i32::MAX { 1 } else { self.epoch + 1 };
        }
    }
}

#[cfg(test)]
mod tests;
