//! The mesh: how a core asks another to do something, over a queue from each core to each other.
//!
//! A job is a closure that runs on the owning core. The part of it before its first `.await` runs in the order in which
//! jobs were submitted by one core, and that is what keeps one connection's batches for a partition in order. There is
//! one message per target core and request; nobody hops twice.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::collections::{HashMap, VecDeque};
use std::future::{Future, poll_fn};
use std::rc::Rc;
use std::task::Poll;

use futures::channel::oneshot;
use futures::future::{Either, LocalBoxFuture};
use thalweg_reactor::queue::{Receiver, Sender, bounded};
use thalweg_reactor::{spawn, yield_now};

use super::core::{Core, CoreId};
use super::signal::Signal;
use crate::limits::MESH_QUEUE_MESSAGES_MAX;

type Reply = Box<dyn Any + Send>;
type Job = Box<dyn FnOnce(Rc<Core>) -> LocalBoxFuture<'static, Reply> + Send>;
type Notice = Box<dyn FnOnce(Rc<Core>) + Send>;

/// Envelopes that a core takes from another before it looks at everything else.
const TAKEN_BEFORE_YIELD: usize = 32;

/// What travels between two cores.
pub(crate) enum Envelope {
    Job { id: u64, job: Job },
    Notice(Notice),
    Reply { id: u64, value: Reply },
}

/// The asked core went away before it answered: the process is stopping.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the broker is shutting down")]
pub struct Stopping;

/// One core's ends of the queues, by the core at the other end; there is none to itself.
pub(crate) struct Ends {
    to: Vec<Option<Sender<Envelope>>>,
    from: Vec<Option<Receiver<Envelope>>>,
}

/// The ends for each of `cores` cores.
pub(crate) fn connect(cores: usize) -> Vec<Ends> {
    let none = || Ends { to: Vec::with_capacity(cores), from: Vec::with_capacity(cores) };
    let mut ends: Vec<Ends> = (0..cores).map(|_| none()).collect();
    for sender in 0..cores {
        for (receiver, other) in (0..cores).map(|receiver| (receiver, receiver != sender)) {
            let (to, from) = bounded(MESH_QUEUE_MESSAGES_MAX);
            if let Some(ends) = ends.get_mut(sender) {
                ends.to.push(other.then_some(to));
            }
            if let Some(ends) = ends.get_mut(receiver) {
                ends.from.push(other.then_some(from));
            }
        }
    }
    ends
}

/// One core's side of the mesh.
pub(crate) struct Mesh {
    me: CoreId,
    lanes: Vec<Lane>,
    /// Who waits for an answer, and of which core.
    waiting: RefCell<HashMap<u64, (CoreId, oneshot::Sender<Reply>)>>,
    next_id: Cell<u64>,
}

/// The way to one other core, and what did not fit its queue yet.
struct Lane {
    queue: RefCell<Option<Sender<Envelope>>>,
    overflow: RefCell<VecDeque<Envelope>>,
    overflown: Signal,
}

impl Lane {
    /// Sends at once if there is room, else keeps the envelope, in order.
    fn post(&self, envelope: Envelope) {
        let mut overflow = self.overflow.borrow_mut();
        overflow.push_back(envelope);
        if overflow.len() == 1 && !self.send_from(&mut overflow) {
            self.overflown.raise();
        }
    }

    /// Moves what fits into the queue; says whether that was all.
    fn send_from(&self, overflow: &mut VecDeque<Envelope>) -> bool {
        let mut queue = self.queue.borrow_mut();
        let Some(queue) = queue.as_mut() else { return true };
        while let Some(envelope) = overflow.pop_front() {
            if let Err(envelope) = queue.try_send(envelope) {
                overflow.push_front(envelope);
                return false;
            }
        }
        true
    }

    /// Sends what was kept as room appears.
    async fn drain(&self) {
        let mut seen = 0;
        loop {
            seen = self.overflown.wait(seen).await;
            while !self.send_from(&mut self.overflow.borrow_mut()) {
                let gone = poll_fn(|context| {
                    let queue = self.queue.borrow();
                    let gone = queue.as_ref().is_none_or(Sender::is_closed);
                    queue.as_ref().map_or(Poll::Ready(()), |queue| queue.poll_room(context)).map(|()| gone)
                });
                if gone.await {
                    return;
                }
            }
        }
    }
}

impl Mesh {
    /// The mesh as core `me` sees it, and where it receives.
    pub(crate) fn new(me: CoreId, ends: Ends) -> (Self, Vec<Option<Receiver<Envelope>>>) {
        let lane =
            |queue| Lane { queue: RefCell::new(queue), overflow: RefCell::default(), overflown: Signal::default() };
        let lanes = ends.to.into_iter().map(lane).collect();
        (Self { me, lanes, waiting: RefCell::default(), next_id: Cell::new(0) }, ends.from)
    }

    fn post(&self, target: CoreId, envelope: Envelope) {
        if let Some(lane) = self.lanes.get(target.0) {
            lane.post(envelope);
        }
    }

    fn expect(&self, from: CoreId) -> (u64, oneshot::Receiver<Reply>) {
        let id = self.next_id.get();
        self.next_id.set(id + 1);
        let (sender, receiver) = oneshot::channel();
        self.waiting.borrow_mut().insert(id, (from, sender));
        (id, receiver)
    }

    fn answered(&self, id: u64, value: Reply) {
        if let Some((_, sender)) = self.waiting.borrow_mut().remove(&id) {
            // Whoever asked may have gone: a closed connection does not wait for its answers.
            let _ = sender.send(value);
        }
    }

    /// A core has ended: who waits for its answers is told.
    fn gone(&self, core: CoreId) {
        self.waiting.borrow_mut().retain(|_, (from, _)| *from != core);
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
        let (id, receiver) = self.mesh.expect(target);
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

    /// Runs `notice` on core `target`, in order with this core's jobs there, and hears no more of it. A core that is
    /// stopping drops it.
    pub fn tell(self: &Rc<Self>, target: CoreId, notice: impl FnOnce(Rc<Self>) + Send + 'static) {
        if target == self.mesh.me {
            notice(Rc::clone(self));
        } else {
            self.mesh.post(target, Envelope::Notice(Box::new(notice)));
        }
    }

    /// Carries envelopes in and out of this core.
    pub(crate) fn run_mesh(self: &Rc<Self>, receivers: Vec<Option<Receiver<Envelope>>>) {
        for (peer, receiver) in receivers.into_iter().enumerate() {
            let Some(mut receiver) = receiver else { continue };
            let core = Rc::clone(self);
            self.in_background(async move {
                let mut taken = 0_usize;
                while let Some(envelope) = receiver.receive().await {
                    core.receive(CoreId(peer), envelope);
                    taken += 1;
                    if taken.is_multiple_of(TAKEN_BEFORE_YIELD) {
                        yield_now().await;
                    }
                }
                core.mesh.gone(CoreId(peer));
            });
            let core = Rc::clone(self);
            self.in_background(async move {
                if let Some(lane) = core.mesh.lanes.get(peer) {
                    lane.drain().await;
                }
            });
        }
    }

    fn receive(self: &Rc<Self>, from: CoreId, envelope: Envelope) {
        match envelope {
            Envelope::Reply { id, value } => self.mesh.answered(id, value),
            Envelope::Notice(notice) => notice(Rc::clone(self)),
            Envelope::Job { id, job } => {
                let running = job(Rc::clone(self));
                let core = Rc::clone(self);
                spawn(async move {
                    let value = running.await;
                    core.mesh.post(from, Envelope::Reply { id, value });
                })
                .detach();
            }
        }
    }
}
