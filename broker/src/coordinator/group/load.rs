//! Building a shard from its partition's log, and giving it up.

use indexmap::IndexMap;
use thalweg_protocol::records::{self, ControlRecord, Marker};
use thalweg_protocol::{ProducerId, TimestampMs};

use super::ErrorCode;
use super::caller::own;
use super::classic::{CommittedOffset, Group};
use super::effect::Effect;
use super::limits::LOAD_BATCH_SIZE_MAX_BYTES;
use super::member::{Member, Protocol};
use super::pending::LogOrder;
use super::record::{GroupRecord, MemberRecord, Record};
use super::record_codec;
use super::shard::GroupShard;
use super::state::GroupState;
use crate::coordinator::Phase;
use crate::coordinator::load::{LoadError, LogOf};

const LOG: LogOf = LogOf { topic: "__consumer_offsets", batch_size_max_bytes: LOAD_BATCH_SIZE_MAX_BYTES };

impl GroupShard {
    /// Replays record batches of the partition, in order, from its start: one or more whole ones, whose
    /// checksums were looked at. What a transaction committed waits for its marker.
    pub fn load(&mut self, batch: &[u8]) -> Result<(), LoadError> {
        LOG.each_batch(batch, |view| {
            let (attributes, producer) = (view.header.attributes, view.header.producer_id);
            for record in LOG.records(view)? {
                let record = record?;
                if attributes.is_control() {
                    self.replay_control(producer, &record)?;
                    continue;
                }
                let Some(key) = record.key.as_deref() else { continue };
                let order = LogOrder(record.offset.0);
                self.note_order(order);
                let decoded = LOG.decoded(&record, record_codec::decode(key, record.value.as_deref()))?;
                self.replay(decoded, attributes.is_transactional().then_some(producer), order);
            }
            Ok(())
        })
    }

    fn replay_control(&mut self, producer: ProducerId, record: &records::Record) -> Result<(), LoadError> {
        let control = ControlRecord::parse(record).map_err(|error| LOG.damaged(error))?;
        if let ControlRecord::TransactionEnd { marker, .. } = control {
            self.release_offsets(producer, marker == Marker::Commit);
        }
        Ok(())
    }

    fn replay(&mut self, record: Record, transaction: Option<ProducerId>, order: LogOrder) {
        match record {
            Record::Offset(key, Some(value)) => match transaction {
                Some(producer) => self.hold_offset(producer, &key, value, order),
                None => {
                    let group = self.create_group(&key.group);
                    group.set_offset(&key, Some(CommittedOffset { order, ..value }));
                }
            },
            Record::Offset(key, None) => {
                if let Some(group) = self.groups.get_mut(&key.group) {
                    group.set_offset(&key, None);
                }
            }
            Record::Group(id, Some(record)) => {
                let group = self.create_group(&id);
                group.restore(record);
            }
            Record::Group(id, None) => self.group_gone(&id),
            Record::Modern(id, kind, record) => self.create_group(&id).modern.replay(kind, &record),
            Record::Other(_) => {}
        }
    }

    /// The log has been replayed: begins to serve. Members get a whole session to be heard of.
    pub fn loaded(&mut self, now: TimestampMs) -> Vec<Effect> {
        self.begin(now);
        self.phase = Phase::Serving;
        self.groups.retain(|_, group| !group.is_vacant());
        let members_max = self.cx.config.members_max();
        for group in self.groups.values_mut() {
            group.modern.loaded();
            for member in group.members.values() {
                group.schedule_session(member.id.clone(), member.session_timeout_ms, &mut self.cx);
            }
            if group.members.len() > members_max {
                // `group.max.size` was lowered: the rebalance leaves out those that come last.
                group.prepare_rebalance(&mut self.cx);
            }
        }
        self.watch_consumers();
        self.schedule_expiry();
        self.finish()
    }

    /// The partition is led elsewhere: everybody who waits is told, and all is forgotten. To lead again, make a new
    /// shard and load it.
    pub fn unload(&mut self) -> Vec<Effect> {
        self.phase = Phase::Unloaded;
        self.fail_appends(ErrorCode::NotCoordinator);
        for (_, mut group) in std::mem::replace(&mut self.groups, IndexMap::new()) {
            let members: Vec<_> = group.members.keys().cloned().collect();
            for member in members {
                group.fail_join(&member, member.clone(), ErrorCode::NotCoordinator, &mut self.cx);
                group.fail_sync(&member, ErrorCode::NotCoordinator, &mut self.cx);
            }
        }
        self.transactions.clear();
        self.cx.timers.clear();
        self.expiry_at = None;
        let mut effects = self.finish();
        // There is no log any more to append to.
        effects.retain(|effect| matches!(effect, Effect::Reply { .. }));
        effects
    }
}

impl Group {
    /// Becomes what its metadata record says; offsets stay.
    fn restore(&mut self, record: GroupRecord) {
        self.recorded = true;
        self.generation = record.generation;
        self.protocol_type = Some(record.protocol_type).filter(|kind| !kind.is_empty());
        self.protocol_name = record.protocol;
        self.leader = record.leader;
        self.members.clear();
        self.static_members.clear();
        let protocol = self.protocol_name.clone().unwrap_or_default();
        for member in record.members {
            if let Some(instance) = &member.instance_id {
                self.static_members.insert(instance.clone(), member.id.clone());
            }
            self.members.insert(member.id.clone(), member.restored(own(&protocol)));
        }
        let state = if self.members.is_empty() { GroupState::Empty } else { GroupState::Stable };
        self.restore_state(state, record.state_since);
        self.subscribed = self.compute_subscribed();
    }
}

impl MemberRecord {
    fn restored(self, protocol: thalweg_protocol::StrBytes) -> Member {
        Member {
            id: self.id,
            instance_id: self.instance_id,
            client_id: self.client_id,
            client_host: self.client_host,
            session_timeout_ms: self.session_timeout_ms,
            rebalance_timeout_ms: self.rebalance_timeout_ms,
            protocols: vec![Protocol { name: protocol, metadata: self.subscription }],
            assignment: self.assignment,
            join: None,
            sync: None,
            is_new: false,
        }
    }
}
