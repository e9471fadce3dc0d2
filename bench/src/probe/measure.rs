//! One cell: operations of one kind and size, so many at once, until time or the file is used up.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use super::buffer::Random;
use super::file::{Cell, Durable, Extent, Measure};
use super::ring::{Operation, Ring};
use super::scratch::Scratch;
use super::stop::Stop;
use crate::summary::Timings;

/// What is to be measured.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Spec {
    pub(super) measure: Measure,
    pub(super) extent: Option<Extent>,
    pub(super) durable: Durable,
    pub(super) size: u32,
    pub(super) depth: u32,
}

/// Where, and for how long.
pub(super) struct Bench<'a> {
    pub(super) dir: &'a Path,
    pub(super) filled: &'a Scratch,
    pub(super) time: Duration,
    /// Of a file that is written once.
    pub(super) fresh_bytes: u64,
    pub(super) stop: &'a Stop,
}

impl Bench<'_> {
    pub(super) fn cell(&self, spec: Spec) -> Result<Cell> {
        let fresh = match spec.extent {
            Some(extent @ (Extent::Growing | Extent::Fallocated)) => {
                Some(Scratch::fresh(self.dir, extent, self.fresh_bytes)?)
            }
            Some(Extent::Prezeroed) | None => None,
        };
        let scratch = fresh.as_ref().unwrap_or(self.filled);
        let mut run = Run {
            spec,
            ring: Ring::new(scratch.opened_for(spec.durable), spec.depth, spec.size)?,
            places: Places::new(spec, scratch.len, fresh.is_none()),
            begun: vec![Begun::default(); spec.depth as usize],
            timings: Timings::new()?,
            count: 0,
            first: None,
            last: None,
        };
        run.all(self.time, self.stop)?;
        run.cell()
    }
}

/// Where the next operation goes.
struct Places {
    len: u64,
    size: u64,
    next: u64,
    random: Option<Random>,
    again: bool,
}

impl Places {
    fn new(spec: Spec, len: u64, again: bool) -> Self {
        let random = (spec.measure == Measure::ReadRandom).then(|| Random::new(u64::from(spec.depth)));
        let size = u64::from(spec.size);
        Self { len: len / size * size, size, next: 0, random, again }
    }

    /// None behind the end of a file that is written only once.
    fn next(&mut self) -> Option<u64> {
        if let Some(random) = &mut self.random {
            return Some(random.next() % (self.len / self.size) * self.size);
        }
        if self.next == self.len && self.again {
            self.next = 0;
        }
        (self.next < self.len).then(|| {
            self.next += self.size;
            self.next - self.size
        })
    }
}

/// What a slot is doing.
#[derive(Clone, Copy, Default)]
struct Begun {
    at: Option<Instant>,
    /// The slot's first operation warms up and does not count.
    counts: bool,
    /// Its write is done, and its fdatasync under way.
    syncing: bool,
}

struct Run {
    spec: Spec,
    ring: Ring,
    places: Places,
    begun: Vec<Begun>,
    timings: Timings,
    count: u64,
    first: Option<Instant>,
    last: Option<Instant>,
}

impl Run {
    /// Each slot is used twice at least, however slow the device is.
    fn all(&mut self, time: Duration, stop: &Stop) -> Result<()> {
        let deadline = Instant::now() + time;
        for slot in 0..self.begun.len() {
            self.begin(slot, false)?;
        }
        let mut done = Vec::new();
        while self.ring.is_busy() {
            stop.check()?;
            self.ring.wait(&mut done)?;
            let now = Instant::now();
            for slot in done.drain(..) {
                self.step(slot, now, deadline)?;
            }
        }
        Ok(())
    }

    fn begin(&mut self, slot: usize, counts: bool) -> Result<()> {
        let Some(position) = self.places.next() else { return Ok(()) };
        let now = Instant::now();
        if let Some(begun) = self.begun.get_mut(slot) {
            *begun = Begun { at: Some(now), counts, syncing: false };
        }
        if counts {
            self.first.get_or_insert(now);
        }
        self.ring.start(slot, self.operation(), position)
    }

    fn operation(&self) -> Operation {
        match (self.spec.measure, self.spec.durable) {
            (Measure::Write, Durable::RwfDsync) => Operation::WriteDsync,
            (Measure::Write, Durable::Linked) => Operation::WriteLinked,
            (Measure::Write, _) => Operation::Write,
            _ => Operation::Read,
        }
    }

    /// What a slot does once its operation is done.
    fn step(&mut self, slot: usize, now: Instant, deadline: Instant) -> Result<()> {
        let begun = self.begun.get_mut(slot).context("a slot that is not there is done")?;
        if self.spec.durable == Durable::Fdatasync && !begun.syncing {
            begun.syncing = true;
            return self.ring.start(slot, Operation::Fdatasync, 0);
        }
        if let (true, Some(at)) = (begun.counts, begun.at) {
            self.timings.record(now - at);
            self.count += 1;
            self.last = Some(now);
        }
        if !begun.counts || now < deadline { self.begin(slot, true) } else { Ok(()) }
    }

    fn cell(self) -> Result<Cell> {
        let (Some(first), Some(last)) = (self.first, self.last) else {
            anyhow::bail!("nothing was measured: the file is too short for {:?}", self.spec)
        };
        let seconds = (last - first).as_secs_f64().max(1e-9);
        let spec = self.spec;
        let is_write = spec.measure == Measure::Write;
        Ok(Cell {
            measure: spec.measure,
            extent: spec.extent,
            durable: is_write.then_some(spec.durable),
            size_bytes: u64::from(spec.size),
            depth: spec.depth,
            count: self.count,
            seconds: rounded(seconds, 1e6),
            bytes_s: bytes_s(self.count, u64::from(spec.size), seconds),
            us: Some(self.timings.summary("").into()),
        })
    }
}

pub(super) fn rounded(value: f64, parts: f64) -> f64 {
    (value * parts).round() / parts
}

#[expect(clippy::cast_precision_loss, reason = "bytes of a measurement are far below 2^53")]
pub(super) fn bytes_s(count: u64, size: u64, seconds: f64) -> f64 {
    ((count * size) as f64 / seconds).round()
}

impl From<crate::summary::Summary> for super::file::Micros {
    fn from(it: crate::summary::Summary) -> Self {
        Self { p50: it.p50_us, p90: it.p90_us, p99: it.p99_us, p999: it.p999_us, max: it.max_us }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn spec(measure: Measure, extent: Option<Extent>, durable: Durable) -> Spec {
        Spec { measure, extent, durable, size: 4096, depth: 3 }
    }

    #[test]
    fn every_kind_of_operation_is_measured_and_leaves_nothing_behind() {
        let dir = tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR")).unwrap();
        let stop = Stop::default();
        let filled = Scratch::filled(dir.path(), 1 << 20, Duration::from_secs(60), &stop).unwrap();
        let time = Duration::from_millis(20);
        let bench = Bench { dir: dir.path(), filled: &filled, time, fresh_bytes: 64 << 10, stop: &stop };
        let ways = [Durable::No, Durable::ODsync, Durable::RwfDsync, Durable::Fdatasync, Durable::Linked];
        for extent in [Extent::Growing, Extent::Fallocated, Extent::Prezeroed] {
            for durable in ways {
                let cell = bench.cell(spec(Measure::Write, Some(extent), durable)).unwrap();
                assert_eq!((cell.extent, cell.durable), (Some(extent), Some(durable)));
                assert!(cell.count >= 3 && cell.bytes_s > 0.0 && cell.us.unwrap().p50 > 0.0, "{cell:?}");
                // Sixteen blocks, of which three warm up.
                assert!(extent == Extent::Prezeroed || cell.count <= 13, "{cell:?}");
            }
        }
        for measure in [Measure::ReadRandom, Measure::ReadSequential] {
            let cell = bench.cell(spec(measure, None, Durable::No)).unwrap();
            assert!(cell.count >= 3 && cell.durable.is_none(), "{cell:?}");
        }
        drop(filled);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn an_interrupted_cell_is_an_error_and_leaves_nothing_behind() {
        let dir = tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR")).unwrap();
        let stop = Stop::default();
        let filled = Scratch::filled(dir.path(), 1 << 20, Duration::from_secs(60), &stop).unwrap();
        stop.raise();
        let time = Duration::from_secs(600);
        let bench = Bench { dir: dir.path(), filled: &filled, time, fresh_bytes: 64 << 20, stop: &stop };
        bench.cell(spec(Measure::Write, Some(Extent::Growing), Durable::ODsync)).unwrap_err();
        drop(filled);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn places_stay_inside_the_file() {
        let mut once = Places::new(spec(Measure::Write, None, Durable::No), 9000, false);
        assert_eq!((once.next(), once.next(), once.next()), (Some(0), Some(4096), None));
        let mut again = Places::new(spec(Measure::ReadSequential, None, Durable::No), 8192, true);
        assert_eq!((again.next(), again.next(), again.next()), (Some(0), Some(4096), Some(0)));
        let mut random = Places::new(spec(Measure::ReadRandom, None, Durable::No), 5 << 12, true);
        let places: std::collections::BTreeSet<u64> = (0..200).filter_map(|_| random.next()).collect();
        assert_eq!(places.into_iter().collect::<Vec<_>>(), [0, 4096, 8192, 12288, 16384]);
    }
}
