//! What follows from the cells.

use super::file::{Cell, Conclusions, Device, Durable, Extent, Measure, Micros};
use super::verdict::{Cache, Flush, Medium, Pace, Seen, judge};

const SMALL: u64 = 4096;

/// More writes at once must be worth it: at least so much more throughput than with fewer,
const GAIN_MIN: f64 = 1.1;
/// and none of them may take longer than this many times a single one. A record that finds the one write of a log under
/// way waits for it and then for its own: two writes' time. Beyond that, waiting for a turn is the better choice.
const SLOWER_MAX: f64 = 2.0;

/// Where others use more of the processors than this (per cent), a write is done long before its thread gets a core to
/// notice: what was measured is the scheduler, and what would follow from it is wrong.
pub(super) const OTHERS_PCT_MAX: f64 = 10.0;

pub(super) fn conclude(cells: &[Cell], device: &Device, others_pct: f64) -> Conclusions {
    let quiet = others_pct <= OTHERS_PCT_MAX;
    let durable_4k = at(cells, Durable::ODsync, 1).and_then(|cell| cell.us);
    let plain_4k = at(cells, Durable::No, 1).and_then(|cell| cell.us);
    let durable_p50 = durable_4k.map(|us| us.p50);
    let seen = Seen {
        cache: Cache::of(device),
        medium: Medium::of(device),
        flush: Flush::of(plain_4k.map(|us| us.p50), durable_p50),
        pace: Pace::of(durable_p50.filter(|_| quiet)),
    };
    let is_durable = |cell: &&Cell| cell.durable.is_some_and(|durable| durable != Durable::No);
    let is_read = |cell: &&Cell| matches!(cell.measure, Measure::ReadRandom | Measure::ReadSequential);
    Conclusions {
        wal_writes_in_flight: writes_in_flight(cells).filter(|_| quiet),
        durable_4k,
        round_trip: of(cells, Measure::LoopbackRoundTrip),
        floor: of(cells, Measure::Floor),
        durable_bytes_s: most(cells.iter().filter(is_durable)),
        read_bytes_s: most(cells.iter().filter(is_read)),
        drive: judge(seen).drive(),
    }
}

/// The cell of small writes over a pre-zeroed file.
fn at(cells: &[Cell], durable: Durable, depth: u32) -> Option<&Cell> {
    cells.iter().find(|cell| is_small_write(cell, durable) && cell.depth == depth)
}

fn is_small_write(cell: &Cell, durable: Durable) -> bool {
    cell.extent == Some(Extent::Prezeroed) && cell.durable == Some(durable) && cell.size_bytes == SMALL
}

fn of(cells: &[Cell], measure: Measure) -> Option<Micros> {
    cells.iter().find(|cell| cell.measure == measure && cell.count > 0).and_then(|cell| cell.us)
}

fn most<'a>(cells: impl Iterator<Item = &'a Cell>) -> Option<f64> {
    cells.map(|cell| cell.bytes_s).max_by(f64::total_cmp)
}

/// The largest depth up to which each step brought [`GAIN_MIN`] without making writes more than [`SLOWER_MAX`] slower.
fn writes_in_flight(cells: &[Cell]) -> Option<u32> {
    let mut small: Vec<&Cell> = cells.iter().filter(|cell| is_small_write(cell, Durable::ODsync)).collect();
    small.sort_by_key(|cell| cell.depth);
    let alone = at(cells, Durable::ODsync, 1)?;
    let slowest_us = alone.us?.p50 * SLOWER_MAX;
    let mut chosen = alone;
    for deeper in small.into_iter().filter(|cell| cell.depth > 1) {
        let gains = deeper.bytes_s >= chosen.bytes_s * GAIN_MIN;
        if !gains || deeper.us.is_none_or(|us| us.p50 > slowest_us) {
            break;
        }
        chosen = deeper;
    }
    Some(chosen.depth)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::super::file::ProbeFile;
    use super::super::verdict::Verdict;
    use super::*;

    fn small(depth: u32, bytes_s: f64, p50: f64) -> Cell {
        Cell {
            measure: Measure::Write,
            extent: Some(Extent::Prezeroed),
            durable: Some(Durable::ODsync),
            size_bytes: SMALL,
            depth,
            count: 1,
            seconds: 1.0,
            bytes_s,
            us: Some(Micros { p50, ..Micros::default() }),
        }
    }

    fn chosen(cells: &[(u32, f64, f64)]) -> Option<u32> {
        writes_in_flight(&cells.iter().map(|(depth, bytes_s, p50)| small(*depth, *bytes_s, *p50)).collect::<Vec<_>>())
    }

    #[test]
    fn the_example_has_the_conclusions_that_follow_from_its_cells() {
        let file = ProbeFile::parse(include_str!("../../../docs/formats/probe-example.json")).unwrap();
        assert_eq!(conclude(&file.cells, &file.device, 10.0), file.conclusions);
    }

    #[test]
    fn a_busy_machine_decides_nothing() {
        let file = ProbeFile::parse(include_str!("../../../docs/formats/probe-example.json")).unwrap();
        let found = conclude(&file.cells, &file.device, 10.1);
        assert_eq!((found.wal_writes_in_flight, found.drive.verdict), (None, Verdict::Unknown));
        assert_eq!(found.durable_4k, file.conclusions.durable_4k);
    }

    #[test]
    fn depth_grows_while_it_pays() {
        // A device that does one at a time; one that does four; one that does as many as it gets.
        assert_eq!(chosen(&[(1, 100.0, 10.0), (2, 101.0, 20.0), (4, 102.0, 40.0)]), Some(1));
        assert_eq!(chosen(&[(1, 100.0, 10.0), (2, 200.0, 10.0), (4, 390.0, 10.5), (8, 400.0, 20.0)]), Some(4));
        assert_eq!(chosen(&[(1, 100.0, 10.0), (2, 200.0, 10.0), (4, 400.0, 10.0), (8, 800.0, 10.0)]), Some(8));
        // Throughput at any price is not wanted.
        assert_eq!(chosen(&[(1, 100.0, 10.0), (2, 150.0, 14.0), (4, 190.0, 20.1), (8, 800.0, 10.0)]), Some(2));
        assert_eq!(chosen(&[(1, 100.0, 10.0), (2, 109.0, 10.0)]), Some(1));
        assert_eq!(chosen(&[(2, 100.0, 10.0)]), None);
        assert_eq!(chosen(&[]), None);
    }

    #[test]
    fn nothing_measured_is_nothing_concluded() {
        let nothing = conclude(&[], &Device::default(), 0.0);
        assert_eq!((nothing.wal_writes_in_flight, nothing.floor, nothing.read_bytes_s), (None, None, None));
        assert!(!nothing.drive.suspected);
    }
}
