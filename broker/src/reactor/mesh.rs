//! The mesh: how a core asks another to do something, over glommio's single-producer single-consumer queues.
//!
//! A job is a closure that runs on the owning core. The part of it before its first `.await` runs in the order in which
//! jobs were submitted by one core, and that is what keeps one connection's batches for a partition in order. There is
//! one message per target core and request; nobody hops twice.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::collections::{HashMap, VecDeque};
use std::future::Future;
use std::rc::Rc;

use futures::channel::oneshot;
use futures::future::{Either, LocalBoxFuture};
use glommio::channels::channel_mesh::{Receivers, Senders};

use super::core::{Core, CoreId};
use super::signal::Signal;

type Reply = Box<dyn Any + Send>;
type Job = Box<dyn FnOnce(Rc<Core>) -> LocalBoxFuture<'static, Reply> + Send>;

/// What travels between two cores.
pub(crate) enum Envelope {
    Job { id: u64, job: Job },
    Reply { id: u64, value: Reply },
}

/// The asked core went away before it answered: the process is stopping.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the broker is shutting down")]
pub struct Stopping;

/// One core's ends of the mesh.
pub(crate) struct Mesh {
    me: CoreId,
    senders: Senders<Envelope>,
    outboxes: Vec<Outbox>,
    waiting: RefCell<HashMap<u64, oneshot::Sender<Reply>>>,
    next_id: Cell<u64>,
}

/// What did not fit the queue to one core yet.
#[derive(Default)]
struct Outbox {
    envelopes: RefCell<VecDeque<Envelope>>,
    /// An envelope taken from the outbox is on its way: nothing may overtake it.
    sending: Cell<bool>,
    filled: Signal,
}

impl Mesh {
    pub(crate) fn new(me: CoreId, cores: usize, senders: Senders<Envelope>) -> Self {
        let outboxes = (0..cores).map(|_| Outbox::default()).collect();
        Self { me, senders, outboxes, waiting: RefCell::default(), next_id: Cell::new(0) }
    }

    /// Sends at once if there is room, else keeps the envelope, in order.
    fn post(&self, target: CoreId, envelope: Envelope) {
        let Some(outbox) = self.outboxes.get(target.0) else { return };
        let mut envelopes = outbox.envelopes.borrow_mut();
        let rejected = if envelopes.is_empty() && !outbox.sending.get() {
            match self.senders.try_send_to(target.0, envelope) {
                Ok(()) => None,
                Err(glommio::GlommioError::WouldBlock(glommio::ResourceType::Channel(envelope))) => Some(envelope),
                Err(_) => None,
            }
        } else {
            Some(envelope)
        };
        if let Some(envelope) = rejected {
            envelopes.push_back(envelope);
            outbox.filled.raise();
        }
    }

    /// Moves one target's outbox into its queue as room appears.
    async fn drain(&self, target: CoreId) {
        let Some(outbox) = self.outboxes.get(target.0) else { return };
        let mut seen = 0;
        loop {
            seen = outbox.filled.wait(seen).await;
            loop {
                let Some(envelope) = outbox.envelopes.borrow_mut().pop_front() else { break };
                outbox.sending.set(true);
                let sent = self.senders.send_to(target.0, envelope).await;
                outbox.sending.set(false);
                if sent.is_err() {
                    return;
                }
            }
        }
    }

    fn expect(&self) -> (u64, oneshot::Receiver<Reply>) {
        let id = self.next_id.get();
        self.next_id.set(id + 1);
        let (sender, receiver) = oneshot::channel();
        self.waiting.borrow_mut().insert(id, sender);
        (id, receiver)
    }

    fn answered(&self, id: u64, value: Reply) {
        if let Some(sender) = self.waiting.borrow_mut().remove(&id) {
            // Whoever asked may have gone: a closed connection does not wait for its answers.
            let _ = sender.send(value);
        }
    }
}

impl Core {
    /// Runs `job` on core `target`. The job's synchronous part is ordered with other jobs this core sent there; on
    /// this very core it runs before `on` returns.
    pub fn on<R, F, Fut>(
        self: &Rc<Self>,
        target: CoreId,
        job: F,
    ) -> impl Future<Output = Result<R, Stopping>> + 'static + use<R, F, Fut>
    where
        R: Send + 'static,
        F: FnOnce(Rc<Self>) -> Fut + Send + 'static,
        Fut: Future<Output = R> + 'static,
    {
        if target == self.mesh.me {
            let local = job(Rc::clone(self));
            return Either::Left(async move { Ok(local.await) });
        }
        let (id, receiver) = self.mesh.expect();
        let job: Job = Box::new(move |core| {
            let running = job(core);
            Box::pin(async move { Box::new(running.await) as Reply })
        });
        self.mesh.post(target, Envelope::Job { id, job });
        Either::Right(async move {
            let value = receiver.await.map_err(|_| Stopping)?;
            value.downcast::<R>().map(|value| *value).map_err(|_| Stopping)
        })
    }

    /// Spawns what carries envelopes in and out of this core.
    pub(crate) fn run_mesh(self: &Rc<Self>, mut receivers: Receivers<Envelope>) {
        for (peer, receiver) in receivers.streams() {
            let core = Rc::clone(self);
            glommio::spawn_local(async move {
                while let Some(envelope) = receiver.recv().await {
                    core.receive(CoreId(peer), envelope);
                }
            })
            .detach();
        }
        for target in (0..self.shared.cores).map(CoreId).filter(|target| *target != self.mesh.me) {
            let core = Rc::clone(self);
            glommio::spawn_local(async move { core.mesh.drain(target).await }).detach();
        }
    }

    fn receive(self: &Rc<Self>, from: CoreId, envelope: Envelope) {
        match envelope {
            Envelope::Reply { id, value } => self.mesh.answered(id, value),
            Envelope::Job { id, job } => {
                let running = job(Rc::clone(self));
                let core = Rc::clone(self);
                glommio::spawn_local(async move {
                    let value = running.await;
                    core.mesh.post(from, Envelope::Reply { id, value });
                })
                .detach();
            }
        }
    }
}
