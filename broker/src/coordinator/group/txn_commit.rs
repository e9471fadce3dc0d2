//! TxnOffsetCommit, and the markers that decide over what it stored.

use thalweg_protocol::messages::txn_offset_commit_request::{
    TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic,
};
use thalweg_protocol::messages::txn_offset_commit_response::{
    TxnOffsetCommitResponsePartition, TxnOffsetCommitResponseTopic,
};
use thalweg_protocol::messages::{TxnOffsetCommitRequest, TxnOffsetCommitResponse};
use thalweg_protocol::{LeaderEpoch, ProducerEpoch, ProducerId, StrBytes, TimestampMs};
use thalweg_storage::log::producers::EndRequest;
use uuid::Uuid;

use super::append::{Change, Completion, Transaction};
use super::caller::{Caller, ReplyToken, own};
use super::classic::{CommittedOffset, Group};
use super::commit::check_offset;
use super::context::Context;
use super::effect::{Effect, Response};
use super::limits::{GROUPS_MAX, STRING_LENGTH_MAX};
use super::pending::LogOrder;
use super::record::OffsetKey;
use super::shard::GroupShard;
use super::state::GroupState;
use super::{ErrorCode, wire};
use crate::partition::Guard;

impl GroupShard {
    /// Stores offsets within a transaction; answered once they are durable, and seen once the transaction was committed.
    /// The handler has taken out topics that do not exist. `guard` is under which the transaction's coordinator vouched
    /// for it, if it had to.
    pub fn commit_in_transaction(
        &mut self,
        request: &TxnOffsetCommitRequest,
        guard: Option<Guard>,
        caller: &Caller,
        now: TimestampMs,
    ) -> Vec<Effect> {
        self.begin(now);
        if let Err(error) = self.try_commit_in_transaction(request, guard, caller) {
            self.cx.reply(caller.token, Response::TxnOffsetCommit(wire::txn_commit_error(request, error)));
        }
        self.remove_if_vacant(&request.group_id);
        self.finish()
    }

    fn try_commit_in_transaction(
        &mut self,
        request: &TxnOffsetCommitRequest,
        guard: Option<Guard>,
        caller: &Caller,
    ) -> Result<(), ErrorCode> {
        if request.group_id.is_empty() || request.group_id.len() > STRING_LENGTH_MAX {
            return Err(ErrorCode::InvalidGroupId);
        }
        self.check_serving()?;
        if !self.groups.contains_key(&*request.group_id) {
            if request.generation_id >= 0 {
                return Err(ErrorCode::IllegalGeneration);
            }
            if self.groups.len() >= GROUPS_MAX {
                return Err(ErrorCode::CoordinatorNotAvailable);
            }
            self.create_group(&request.group_id);
        }
        let (group, cx) = self.group_and_context(&request.group_id);
        let group = group.ok_or(ErrorCode::UnknownMemberId)?;
        group.check_commit_in_transaction(request, cx)?;
        group.commit_in_transaction(request, guard, caller, cx);
        Ok(())
    }

    /// A transaction that may have committed offsets here ends; answered once its marker is durable.
    pub fn end_transaction(
        &mut self,
        end: EndRequest,
        commit: bool,
        token: ReplyToken,
        now: TimestampMs,
    ) -> Vec<Effect> {
        self.begin(now);
        match self.check_serving() {
            Ok(()) => self.cx.append_end(end, commit, Completion::Reply(token, Response::TransactionEnd(0))),
            Err(error) => self.cx.reply(token, Response::TransactionEnd(error.code())),
        }
        self.finish()
    }
}

impl Group {
    /// `ClassicGroup.validateOffsetCommit` for transactions: who names no member may commit whoever else is in the group,
    /// and a rebalance is no obstacle.
    fn check_commit_in_transaction(&self, request: &TxnOffsetCommitRequest, cx: &Context) -> Result<(), ErrorCode> {
        if let Some(consumer) = self.modern.current() {
            return consumer.check_commit_in_transaction(request, &cx.cluster);
        }
        if self.is(GroupState::Dead) {
            return Err(ErrorCode::CoordinatorNotAvailable);
        }
        let generation = request.generation_id;
        let names_member = !request.member_id.is_empty() || request.group_instance_id.is_some();
        if generation < 0 && (self.is(GroupState::Empty) || !names_member) {
            return Ok(());
        }
        self.check_member(&request.member_id, request.group_instance_id.as_deref())?;
        self.check_generation(generation)
    }

    fn commit_in_transaction(
        &mut self,
        request: &TxnOffsetCommitRequest,
        guard: Option<Guard>,
        caller: &Caller,
        cx: &mut Context,
    ) {
        let transaction = Transaction {
            producer: ProducerId(request.producer_id.0),
            epoch: ProducerEpoch(request.producer_epoch),
            guard,
        };
        let mut changes = Vec::new();
        let topics = request.topics.iter().map(|topic| self.commit_topic_in_transaction(topic, &mut changes, cx));
        let topics: Vec<_> = topics.collect();
        let response = Response::TxnOffsetCommit(TxnOffsetCommitResponse::default().with_topics(topics));
        if changes.is_empty() {
            cx.reply(caller.token, response);
            return;
        }
        for (key, _) in &changes {
            *self.offsets_in_flight.entry((key.topic.clone(), key.partition)).or_default() += 1;
        }
        let hold = |(key, value)| Change::HeldOffset { producer: transaction.producer, key, value };
        let changes = changes.into_iter().map(hold).collect();
        cx.append_in_transaction(changes, transaction, Completion::Reply(caller.token, response));
    }

    fn commit_topic_in_transaction(
        &self,
        topic: &TxnOffsetCommitRequestTopic,
        changes: &mut Vec<(OffsetKey, CommittedOffset)>,
        cx: &Context,
    ) -> TxnOffsetCommitResponseTopic {
        let name = own(&topic.name);
        let mut response = TxnOffsetCommitResponseTopic::default().with_name(topic.name.clone());
        for partition in &topic.partitions {
            let code = match check_offset(&name, partition.committed_metadata.as_deref(), cx) {
                Ok(()) => {
                    let key =
                        OffsetKey { group: self.id.clone(), topic: name.clone(), partition: partition.partition_index };
                    changes.push((key, committed(partition, cx.now)));
                    0
                }
                Err(error) => error.code(),
            };
            response.partitions.push(
                TxnOffsetCommitResponsePartition::default()
                    .with_partition_index(partition.partition_index)
                    .with_error_code(code),
            );
        }
        response
    }
}

fn committed(partition: &TxnOffsetCommitRequestPartition, now: TimestampMs) -> CommittedOffset {
    CommittedOffset {
        offset: partition.committed_offset,
        leader_epoch: LeaderEpoch(partition.committed_leader_epoch),
        metadata: partition.committed_metadata.as_deref().map_or_else(StrBytes::default, own),
        topic_id: Uuid::nil(),
        committed_at: now,
        expires_at: None,
        order: LogOrder::default(),
    }
}
