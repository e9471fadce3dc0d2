//! The machine: what it is, and what one of its cores does to memory.

use std::hint::black_box;
use std::sync::Barrier;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};

use super::buffer::AlignedBuffer;
use super::file::{Cell, Measure};
use super::measure::{bytes_s, rounded};
use super::stop::Stop;

/// As a batch that was just received: in the core's own cache.
const CHECKED_BYTES: usize = 64 << 10;
/// Beyond every cache of a core.
const COPIED_BYTES: usize = 32 << 20;

/// CRC32C and copying, by one thread and by one on each core.
pub(super) fn cells(time: Duration, stop: &Stop) -> Result<Vec<Cell>> {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let mut cells = Vec::new();
    for threads in if cores > 1 { vec![1, cores] } else { vec![1] } {
        stop.check()?;
        cells.push(on(threads, Measure::Crc32c, CHECKED_BYTES, time, checker)?);
        cells.push(on(threads, Measure::MemoryCopy, COPIED_BYTES, time, copier)?);
    }
    Ok(cells)
}

fn checker() -> impl FnMut() {
    let buffer = AlignedBuffer::incompressible(CHECKED_BYTES, 1);
    move || {
        black_box(crc32c::crc32c(black_box(buffer.bytes())));
    }
}

fn copier() -> impl FnMut() {
    let from = AlignedBuffer::incompressible(COPIED_BYTES, 1);
    let mut to = AlignedBuffer::new(COPIED_BYTES, 1);
    move || {
        black_box(to.bytes_mut()).copy_from_slice(black_box(from.bytes()));
        black_box(to.bytes());
    }
}

fn on<W: FnMut()>(threads: usize, measure: Measure, size: usize, time: Duration, make: fn() -> W) -> Result<Cell> {
    let together = Barrier::new(threads);
    let each = || {
        let mut work = make();
        work();
        together.wait();
        let (began, mut count) = (Instant::now(), 0_u64);
        while began.elapsed() < time {
            work();
            count += 1;
        }
        (count, began.elapsed().as_secs_f64())
    };
    let done = std::thread::scope(|scope| {
        let running: Vec<_> = (0..threads).map(|_| scope.spawn(each)).collect();
        running.into_iter().map(std::thread::ScopedJoinHandle::join).collect::<Vec<_>>()
    });
    let (mut count, mut all_bytes_s, mut seconds) = (0, 0.0, 0.0_f64);
    for one in done {
        let (own, took) = one.map_err(|_| anyhow!("a thread that was measured panicked"))?;
        count += own;
        all_bytes_s += bytes_s(own, size as u64, took);
        seconds = seconds.max(took);
    }
    Ok(Cell {
        measure,
        extent: None,
        durable: None,
        size_bytes: size as u64,
        depth: u32::try_from(threads)?,
        count,
        seconds: rounded(seconds, 1e6),
        bytes_s: all_bytes_s,
        us: None,
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn threads_are_counted_together() {
        let cell = on(2, Measure::Crc32c, CHECKED_BYTES, Duration::from_millis(5), checker).unwrap();
        assert!(cell.count >= 2 && cell.depth == 2 && cell.bytes_s > 0.0, "{cell:?}");
    }
}
