//! What it costs to ask another core: a job over the mesh and its answer back, between two cores of a whole broker.
//!
//! The broker runs in this process, as `thalwegd` starts it, on an empty directory and without listeners; a guest on its
//! first core does the asking. `cargo bench -p thalweg-broker`.

#![expect(clippy::unwrap_used, reason = "a benchmark that cannot begin says why and ends")]

use std::future::ready;
use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::sync::{Arc, mpsc as answers};
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput};
use futures::StreamExt as _;
use futures::channel::mpsc as questions;
use futures::stream::FuturesUnordered;
use thalweg_broker::config::Config;
use thalweg_broker::preflight;
use thalweg_broker::reactor::{Core, CoreId, Shared, start_with};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    let mut criterion = Criterion::default().without_plots().configure_from_args();
    mesh_hop(&mut criterion);
    criterion.final_summary();
}

/// So many jobs on that core, so many of them under way at once.
struct Question {
    target: CoreId,
    jobs: u64,
    in_flight: u64,
    answer: answers::Sender<Duration>,
}

async fn ask(core: &Rc<Core>, target: CoreId, jobs: u64, in_flight: u64) -> Duration {
    let began = Instant::now();
    // The job answers what it was told and where it ran, so that an answer of another job, or from this core, shows.
    let job = |number: u64| core.on(target, move |there| ready((number, there.id)));
    let mut sum = 0;
    if in_flight == 1 {
        for number in 0..jobs {
            assert_eq!(job(number).await, Ok((number, target)));
            sum += number;
        }
    } else {
        let mut waiting: FuturesUnordered<_> = (0..in_flight.min(jobs)).map(job).collect();
        let mut next = in_flight.min(jobs);
        while let Some(answer) = waiting.next().await {
            let (number, ran_on) = answer.unwrap();
            assert_eq!(ran_on, target);
            sum += number;
            if next < jobs {
                waiting.push(job(next));
                next += 1;
            }
        }
    }
    let took = began.elapsed();
    assert_eq!(sum, (0..jobs).sum::<u64>(), "each job was answered once");
    took
}

fn mesh_hop(criterion: &mut Criterion) {
    let dir = tempfile::tempdir().unwrap();
    let overrides = [
        format!("log.dirs={}", dir.path().display()),
        "thalweg.cores=2".to_owned(),
        "thalweg.wal.file.bytes=4194304".to_owned(),
    ];
    let config = Config::load(None, &overrides).unwrap().config;
    preflight::check_kernel().unwrap();
    preflight::raise_limits(config.cores).unwrap();
    let identity = preflight::claim_directories(&config).unwrap();
    let shared = Arc::new(Shared::new(config, &identity));
    let (asking, mut asked) = questions::unbounded::<Question>();
    let guest = move |core: Rc<Core>| {
        let serve = async move {
            while let Some(Question { target, jobs, in_flight, answer }) = asked.next().await {
                // Nobody waits for the answer once the benchmark has failed.
                let _ = answer.send(ask(&core, target, jobs, in_flight).await);
            }
        };
        Box::pin(serve) as futures::future::LocalBoxFuture<'static, ()>
    };
    let node = start_with(&shared, thalweg_broker::reactor::Doors::default(), Box::new(guest)).unwrap();

    let measure = |target, jobs, in_flight| {
        let (answer, answered) = answers::channel();
        asking.unbounded_send(Question { target, jobs, in_flight, answer }).unwrap();
        answered.recv_timeout(Duration::from_secs(600)).expect("the cores answer")
    };
    let mut group = criterion.benchmark_group("mesh hop");
    group.throughput(Throughput::Elements(1));
    for (name, target, in_flight) in [
        ("own core", CoreId(0), 1),
        ("round trip, nothing else to do", CoreId(1), 1),
        ("round trip, 64 in flight", CoreId(1), 64),
    ] {
        measure(target, 1000, in_flight);
        group.bench_function(name, |bencher| bencher.iter_custom(|jobs| measure(target, jobs, in_flight)));
    }
    group.finish();
    shared.stopping.store(true, Ordering::Release);
    node.join().unwrap();
}
