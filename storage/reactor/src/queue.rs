//! A bounded queue from one core to another: one producer, one consumer, no lock.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

use futures::task::AtomicWaker;

/// A queue for `capacity` values.
pub fn bounded<T: Send>(capacity: usize) -> (Sender<T>, Receiver<T>) {
    let (producer, consumer) = rtrb::RingBuffer::new(capacity);
    let bells = Arc::new(Bells::default());
    (Sender { producer, bells: Last(Arc::clone(&bells)) }, Receiver { consumer, bells: Last(bells) })
}

#[derive(Default)]
struct Bells {
    /// The receiver waits for a value.
    filled: AtomicWaker,
    /// The sender waits for room.
    drained: AtomicWaker,
}

pub struct Sender<T> {
    producer: rtrb::Producer<T>,
    // Behind the producer: fields are dropped in order, and the bell must ring when the other side can see it gone.
    bells: Last,
}

pub struct Receiver<T> {
    consumer: rtrb::Consumer<T>,
    bells: Last,
}

/// Rings both bells when it is dropped.
struct Last(Arc<Bells>);

impl Drop for Last {
    fn drop(&mut self) {
        self.0.filled.wake();
        self.0.drained.wake();
    }
}

impl<T> Sender<T> {
    /// # Errors
    /// The value, when there is no room for it. Nobody may be there to make room any more: see [`Sender::is_closed`].
    pub fn try_send(&mut self, value: T) -> Result<(), T> {
        match self.producer.push(value) {
            Ok(()) => {
                self.bells.0.filled.wake();
                Ok(())
            }
            Err(rtrb::PushError::Full(value)) => Err(value),
        }
    }

    /// The receiver is gone.
    pub fn is_closed(&self) -> bool {
        self.producer.is_abandoned()
    }

    /// Registers the waker for when there is room, or the receiver is gone.
    pub fn poll_room(&self, context: &std::task::Context<'_>) -> Poll<()> {
        self.bells.0.drained.register(context.waker());
        if self.producer.slots() > 0 || self.is_closed() { Poll::Ready(()) } else { Poll::Pending }
    }
}

impl<T> Receiver<T> {
    /// The next value; `None` when the sender is gone and all it sent was taken.
    pub async fn receive(&mut self) -> Option<T> {
        poll_fn(|context| {
            if let Some(value) = self.take() {
                return Poll::Ready(Some(value));
            }
            self.bells.0.filled.register(context.waker());
            let gone = self.consumer.is_abandoned();
            match self.take() {
                Some(value) => Poll::Ready(Some(value)),
                None if gone => Poll::Ready(None),
                None => Poll::Pending,
            }
        })
        .await
    }

    fn take(&mut self) -> Option<T> {
        let value = self.consumer.pop().ok()?;
        self.bells.0.drained.wake();
        Some(value)
    }
}
