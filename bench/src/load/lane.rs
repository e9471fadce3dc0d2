//! One connection to one leader: requests go out on the producer's thread, answers come in on a thread of their own.

use std::collections::HashMap;
use std::io::{BufReader, Write as _};
use std::net::{Shutdown, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use thalweg_protocol::messages::{ProduceRequest, ProduceResponse};

use super::backlog::Batch;
use super::recorder::Meter;
use super::shared::Shared;
use crate::client::answer::{open, read_frame};
use crate::client::cluster::{PRODUCE_VERSION, error_name};
use crate::result::Role;

/// A request under way.
pub(super) struct InFlight {
    pub(super) correlation_id: i32,
    pub(super) sent_ns: u64,
    pub(super) batches: HashMap<i32, Batch>,
}

/// How many requests are under way, and who waits for one to end.
#[derive(Default)]
pub(super) struct Slots {
    used: Mutex<usize>,
    freed: Condvar,
}

impl Slots {
    pub(super) fn used(&self) -> usize {
        *self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut usize)) {
        change(&mut self.used.lock().unwrap_or_else(PoisonError::into_inner));
        self.freed.notify_all();
    }

    /// Waits until a request has ended, at most so long.
    pub(super) fn wait(&self, limit: Duration) {
        let used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        let before = *used;
        let _ = self.freed.wait_timeout_while(used, limit, |used| *used == before && before > 0);
    }
}

pub(super) struct Lane {
    stream: TcpStream,
    answers: Option<Sender<InFlight>>,
    pub(super) slots: Arc<Slots>,
    reading: Option<JoinHandle<()>>,
}

impl Lane {
    pub(super) fn new(stream: TcpStream, peer: String, shared: &Arc<Shared>) -> Result<Self> {
        let (answers, expected) = channel();
        let slots = Arc::new(Slots::default());
        let input = stream.try_clone()?;
        let (shared, freed) = (Arc::clone(shared), Arc::clone(&slots));
        let meter = shared.recorder.meter(Role::Produce);
        let reading = std::thread::spawn(move || {
            if let Err(error) = read_answers(input, &expected, &shared, &meter, &freed) {
                shared.fail(error.context(format!("the connection to {peer}")));
            }
            // Nobody is to wait for what does not come any more.
            freed.change(|used| *used = 0);
        });
        Ok(Self { stream, answers: Some(answers), slots, reading: Some(reading) })
    }

    /// Sends a frame; what it holds is accounted for when its answer comes.
    pub(super) fn send(&mut self, frame: &[u8], request: InFlight) -> Result<()> {
        self.slots.change(|used| *used += 1);
        let answers = self.answers.as_ref().context("the connection is closed")?;
        // Before the bytes: the answer may be there at once.
        answers.send(request).map_err(|_| anyhow!("the connection has ended"))?;
        self.stream.write_all(frame).context("sending a request")
    }

    /// No more requests: the answers under way are waited for, or given up.
    pub(super) fn finish(mut self, give_up: bool) {
        self.answers = None;
        if give_up {
            let _ = self.stream.shutdown(Shutdown::Both);
        }
        if let Some(reading) = self.reading.take() {
            let _ = reading.join();
        }
    }
}

fn read_answers(
    stream: TcpStream,
    expected: &Receiver<InFlight>,
    shared: &Shared,
    meter: &Meter,
    slots: &Slots,
) -> Result<()> {
    let mut stream = BufReader::with_capacity(64 << 10, stream);
    while let Ok(request) = expected.recv() {
        let frame = read_frame(&mut stream)?;
        let now_ns = shared.now_ns();
        let answer = open::<ProduceRequest>(frame, PRODUCE_VERSION, request.correlation_id)?;
        slots.change(|used| *used = used.saturating_sub(1));
        account(shared, meter, request, &answer, now_ns)?;
    }
    Ok(())
}

fn account(shared: &Shared, meter: &Meter, request: InFlight, answer: &ProduceResponse, now_ns: u64) -> Result<()> {
    let open_loop = shared.scenario.rates() != [None];
    let InFlight { sent_ns, mut batches, .. } = request;
    meter.note(|tally| {
        for partition in answer.responses.iter().flat_map(|topic| &topic.partition_responses) {
            let Some(batch) = batches.remove(&partition.index) else { continue };
            let error = error_name(partition.error_code);
            let bytes = batch.value_bytes / batch.due.len().max(1) as u64;
            if error.is_none() {
                shared.arrivals.acknowledge(batch.due.len() as u64);
            }
            for due_ns in &batch.due {
                tally.at(now_ns, if open_loop { *due_ns } else { now_ns })?;
                match &error {
                    None => {
                        tally.records(1, bytes);
                        tally.latency(0, now_ns.saturating_sub(*due_ns), 1);
                        tally.latency(1, now_ns - sent_ns, 1);
                    }
                    Some(error) => tally.refused(error, 1),
                }
            }
        }
        let unanswered: usize = batches.values().map(|batch| batch.due.len()).sum();
        if unanswered > 0 {
            tally.refused("no answer for the partition", unanswered as u64);
        }
        Ok(())
    })
}
