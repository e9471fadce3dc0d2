//! What clients tell of themselves (KIP-714): each is told which metrics are wanted of it, and pushes those every now and
//! then; `GET /metrics` shows what was pushed last.
//!
//! `clients` is the state, turned by hand; `otlp` reads what is pushed; `series` keeps it; `page` writes it down. Shared by
//! all cores behind one lock, since a client may come to any of them, and comes seldom.

mod clients;
mod otlp;
mod page;
mod series;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use thalweg_protocol::TimestampMs;
use thalweg_protocol::error::ErrorCode;
use uuid::Uuid;

pub use self::clients::{About, Push, Wanted};

use self::clients::Clients;
use crate::config::client_metrics::{Subscription, Subscriptions};

/// Shared by all cores and the admin thread.
#[derive(Default)]
pub struct Telemetry {
    clients: Mutex<Clients>,
    /// As of the image that was seen last, so that patterns are not compiled for each request.
    compiled: Mutex<Compiled>,
}

#[derive(Default)]
struct Compiled {
    of: Subscriptions,
    subscriptions: Arc<Vec<Subscription>>,
}

impl Telemetry {
    /// GetTelemetrySubscriptions: what is wanted of a client.
    ///
    /// # Errors
    /// With Kafka's code when the client asks too often.
    pub fn get(
        &self,
        subscriptions: &Subscriptions,
        id: Uuid,
        about: About,
        now: TimestampMs,
    ) -> Result<Wanted, ErrorCode> {
        let subscriptions = self.compiled(subscriptions);
        lock(&self.clients).get(id, about, &subscriptions, now)
    }

    /// PushTelemetry.
    ///
    /// # Errors
    /// With Kafka's code: nothing of the push is kept.
    pub fn push(
        &self,
        subscriptions: &Subscriptions,
        about: About,
        push: &Push<'_>,
        now: TimestampMs,
    ) -> Result<(), ErrorCode> {
        let subscriptions = self.compiled(subscriptions);
        lock(&self.clients).push(about, push, &subscriptions, now)
    }

    /// Prometheus text of what clients pushed.
    pub fn render(&self, now: TimestampMs) -> String {
        let mut clients = lock(&self.clients);
        clients.expire(now);
        page::render(&clients)
    }

    fn compiled(&self, wanted: &Subscriptions) -> Arc<Vec<Subscription>> {
        let mut compiled = lock(&self.compiled);
        if !compiled.of.ptr_eq(wanted) {
            // What is stored was checked; what an older broker let through and this one does not asks for nothing.
            let subscriptions = wanted.values().filter_map(|settings| Subscription::parse(settings).ok());
            *compiled = Compiled { of: wanted.clone(), subscriptions: Arc::new(subscriptions.collect()) };
        }
        Arc::clone(&compiled.subscriptions)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic on another thread ends the process.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
