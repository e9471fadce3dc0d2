//! The part of Produce that is about transactions: before the first batch of a transaction is appended to a partition, its
//! coordinator says that the partition is in it (KIP-890).
//!
//! - Up to v11 the client has added the partition before; the coordinator is asked whether that is so. From v12 on the
//!   partition is added in passing.
//! - The owner of the partition gives a guard before the coordinator is asked: its answer counts only for what it was asked
//!   about. Where the transaction is open already, nobody is asked.

use std::rc::Rc;

use bytes::Bytes;
use futures::future;
use thalweg_protocol::error::ErrorCode;
use thalweg_protocol::messages::{ProduceResponse, TopicName, TransactionalId};
use thalweg_protocol::records::BatchHeader;
use thalweg_protocol::{ProducerId, StrBytes};
use thalweg_storage::types::GroupId;

use super::k00_produce::{Item, Items};
use super::vouching::{self, Abilities, Named, Patience};
use crate::dispatch::Context;
use crate::partition::{Beginning, Guard};
use crate::reactor::{Core, CoreId};

/// From this version on partitions are added to the transaction in passing.
const ADDS_PARTITIONS_FROM: i16 = 12;
/// From this version on the client knows TRANSACTION_ABORTABLE.
const KNOWS_ABORTABLE_FROM: i16 = 11;

/// What a produced batch says of its transaction; `None` if it is of none, or cannot be read: then it is refused later.
pub fn beginning(version: i16, records: &Bytes) -> Option<Beginning> {
    let header = BatchHeader::parse(records).ok()?;
    header.attributes.is_transactional().then_some(Beginning {
        producer: header.producer_id,
        epoch: header.producer_epoch,
        sequence: header.base_sequence,
        epoch_per_transaction: version >= ADDS_PARTITIONS_FROM,
    })
}

/// Without a producer id there is no transaction to ask about.
fn of_producer(item: &Item) -> Option<Beginning> {
    item.transactional.filter(|beginning| beginning.producer != ProducerId::NONE)
}

/// What Kafka refuses a whole request for.
pub fn check(id: Option<&TransactionalId>, items: &Items) -> Result<(), ErrorCode> {
    let is_transactional = items.values().flatten().any(|item| item.transactional.is_some());
    if is_transactional && id.is_none() {
        return Err(ErrorCode::TransactionalIdAuthorizationFailed);
    }
    let mut producers = items.values().flatten().filter_map(of_producer);
    let Some(first) = producers.next() else { return Ok(()) };
    let is_same = |other: Beginning| (other.producer, other.epoch) == (first.producer, first.epoch);
    if producers.all(is_same) { Ok(()) } else { Err(ErrorCode::InvalidProducerIdMapping) }
}

/// The transaction that a request writes into.
pub struct Transaction {
    named: Named,
}

/// An item that the coordinator is to be asked about.
struct Asked {
    owner: CoreId,
    slot: (usize, usize),
    guard: Guard,
}

impl Transaction {
    /// `None` for a request without transactional batches.
    pub fn of(id: Option<TransactionalId>, items: &Items) -> Option<Self> {
        let Beginning { producer, epoch, .. } = items.values().flatten().find_map(of_producer)?;
        Some(Self { named: Named { id: id?, producer, epoch } })
    }

    /// Has the coordinator vouch for the items that need it. Those it does not vouch for are answered with its error, and
    /// taken out.
    pub async fn vouch(self, context: &Context, response: &mut ProduceResponse, items: &mut Items) {
        let abilities = Abilities {
            knows_abortable: context.version >= KNOWS_ABORTABLE_FROM,
            adds: context.version >= ADDS_PARTITIONS_FROM,
        };
        if !vouching::is_asked(context, abilities) {
            return;
        }
        let mut patience = None;
        let (asked, answers) = loop {
            let asked = begin(context, response, items).await;
            if asked.is_empty() {
                return;
            }
            let patience = patience.get_or_insert_with(|| Patience::new(context));
            // A topic that was deleted meanwhile has no name to ask by: its owner refuses the item anyway.
            let named = |asked: Asked| Some((partition_of(context, response, asked.slot)?, asked));
            let (partitions, asked): (Vec<_>, Vec<_>) = asked.into_iter().filter_map(named).unzip();
            let answers = vouching::ask(context, &self.named, &partitions, abilities).await;
            if !patience.again(context, &answers, abilities).await {
                break (asked, answers);
            }
        };
        for (Asked { owner, slot, guard }, code) in asked.into_iter().zip(answers) {
            if code == ErrorCode::None {
                let of_owner = items.get_mut(&owner).into_iter().flatten();
                of_owner.filter(|item| item.slot == slot).for_each(|item| item.guard = Some(guard));
            } else {
                refuse(response, items, (owner, slot), code);
            }
        }
        items.retain(|_, items| !items.is_empty());
    }
}

/// Has the owners look which of the items begin a transaction on their partitions.
async fn begin(context: &Context, response: &mut ProduceResponse, items: &mut Items) -> Vec<Asked> {
    let parts = items.iter().map(|(&owner, items)| {
        let wanted: Vec<_> =
            items.iter().filter_map(|item| Some((item.slot, item.group, of_producer(item)?))).collect();
        let begun = context.core.on(owner, move |core| future::ready(begin_here(&core, wanted)));
        async move { (owner, begun.await.unwrap_or_default()) }
    });
    let begun: Vec<_> = future::join_all(parts).await;
    let mut asked = Vec::new();
    for (owner, begun) in begun {
        for (slot, guard) in begun {
            match guard {
                Ok(Some(guard)) => asked.push(Asked { owner, slot, guard }),
                Ok(None) => {}
                Err(code) => refuse(response, items, (owner, slot), code),
            }
        }
    }
    asked
}

type Begun = ((usize, usize), Result<Option<Guard>, ErrorCode>);

fn begin_here(core: &Rc<Core>, wanted: Vec<((usize, usize), GroupId, Beginning)>) -> Vec<Begun> {
    let begin = |(slot, group, beginning)| {
        let begun = core.with_partition(group, |partition| partition.begin_transaction(beginning));
        (slot, begun.unwrap_or(Err(ErrorCode::NotLeaderOrFollower)))
    };
    wanted.into_iter().map(begin).collect()
}

/// The name of the partition that a slot of the response is about; the request may have named its topic by id only.
fn partition_of(context: &Context, response: &ProduceResponse, slot: (usize, usize)) -> Option<(TopicName, i32)> {
    let topic = response.responses.get(slot.0)?;
    let index = topic.partition_responses.get(slot.1)?.index;
    if context.version < 13 {
        return Some((topic.name.clone(), index));
    }
    let image = context.core.image();
    let name = image.topic_by_id(topic.topic_id).map(|topic| topic.name.to_string())?;
    Some((TopicName(StrBytes::from_string(name)), index))
}

/// Answers an item, and takes it out.
fn refuse(response: &mut ProduceResponse, items: &mut Items, (owner, slot): (CoreId, (usize, usize)), code: ErrorCode) {
    if let Some(items) = items.get_mut(&owner) {
        items.retain(|item: &Item| item.slot != slot);
    }
    let place = response.responses.get_mut(slot.0).and_then(|topic| topic.partition_responses.get_mut(slot.1));
    let Some(place) = place else { return };
    let (code, message) = told(code);
    place.error_code = code.code();
    place.error_message = message.map(StrBytes::from_string);
    place.log_append_time_ms = -1;
    place.log_start_offset = -1;
}

/// The coordinator's errors as Produce tells them (`ReplicaManager.handleProduceAppend`).
fn told(code: ErrorCode) -> (ErrorCode, Option<String>) {
    match code {
        ErrorCode::InvalidTxnState => (code, Some("the partition was not added to the transaction".to_owned())),
        // What old clients retry, and without looking for another leader first.
        ErrorCode::ConcurrentTransactions
        | ErrorCode::NetworkException
        | ErrorCode::CoordinatorLoadInProgress
        | ErrorCode::CoordinatorNotAvailable
        | ErrorCode::NotCoordinator => {
            let message = format!("the coordinator could not say whether the partition is in the transaction: {code}");
            (ErrorCode::NotEnoughReplicas, Some(message))
        }
        other => (other, None),
    }
}
