//! The shards of one kind on one core, and who waits for their answers. What drives them is in `reactor/shards.rs`.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use futures::channel::{mpsc, oneshot};
use thalweg_protocol::error::ErrorCode;
use thalweg_storage::types::GroupId;

use super::effect::{AppendToken, ReplyToken};
use super::shard::Shard;
use crate::reactor::Signal;

/// A write under way: which, and its fate.
pub type PendingAppend = (AppendToken, oneshot::Receiver<Result<(), ErrorCode>>);

/// The shards of one kind. Owned by one core.
pub struct Coordinators<S: Shard> {
    shards: RefCell<HashMap<GroupId, Rc<Hosted<S>>>>,
}

impl<S: Shard> Default for Coordinators<S> {
    fn default() -> Self {
        Self { shards: RefCell::default() }
    }
}

/// A shard on the core that owns its partition.
pub struct Hosted<S: Shard> {
    /// The partition's Raft group.
    pub group: GroupId,
    pub shard: RefCell<S>,
    pub loaded: Cell<bool>,
    /// Raised once the shard was read from its log.
    pub ready: Signal,
    /// Writes under way, in the order of their tokens.
    pub appends: mpsc::UnboundedSender<PendingAppend>,
    waiting: RefCell<HashMap<ReplyToken, oneshot::Sender<S::Response>>>,
    next_token: Cell<u64>,
}

impl<S: Shard> Coordinators<S> {
    pub fn get(&self, group: GroupId) -> Option<Rc<Hosted<S>>> {
        self.shards.borrow().get(&group).cloned()
    }

    /// Takes in a shard that is to be loaded; also the queue of its writes.
    pub fn host(&self, group: GroupId, shard: S) -> (Rc<Hosted<S>>, mpsc::UnboundedReceiver<PendingAppend>) {
        let (appends, queue) = mpsc::unbounded();
        let hosted = Rc::new(Hosted {
            group,
            shard: RefCell::new(shard),
            loaded: Cell::new(false),
            ready: Signal::default(),
            appends,
            waiting: RefCell::default(),
            next_token: Cell::new(0),
        });
        self.shards.borrow_mut().insert(group, Rc::clone(&hosted));
        (hosted, queue)
    }

    pub fn remove(&self, group: GroupId) -> Option<Rc<Hosted<S>>> {
        self.shards.borrow_mut().remove(&group)
    }

    pub fn all(&self) -> Vec<Rc<Hosted<S>>> {
        self.shards.borrow().values().cloned().collect()
    }
}

impl<S: Shard> Hosted<S> {
    /// A token for a request, and where its answer will come.
    pub fn expect(&self) -> (ReplyToken, oneshot::Receiver<S::Response>) {
        let token = ReplyToken(self.next_token.get());
        self.next_token.set(token.0 + 1);
        let (sender, receiver) = oneshot::channel();
        self.waiting.borrow_mut().insert(token, sender);
        (token, receiver)
    }

    pub fn answer(&self, token: ReplyToken, response: S::Response) {
        if let Some(sender) = self.waiting.borrow_mut().remove(&token) {
            // The member may have hung up.
            let _ = sender.send(response);
        }
    }
}
