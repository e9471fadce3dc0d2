//! Which cells are measured, and how long: everything would take an hour.

use std::time::Duration;

use super::file::{Durable, Extent, Measure};
use super::measure::Spec;

const KIB: u32 = 1024;
const MIB: u32 = 1024 * KIB;
const WAYS: [Durable; 5] = [Durable::No, Durable::ODsync, Durable::RwfDsync, Durable::Fdatasync, Durable::Linked];
/// The depths that the write-ahead log's is chosen from.
const DEPTHS: [u32; 5] = [1, 2, 4, 8, 16];

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Selection {
    /// About 15 s.
    Quick,
    /// About a minute.
    Default,
    /// About ten minutes.
    Full,
}

impl Selection {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Quick => "quick",
            Self::Default => "default",
            Self::Full => "full",
        }
    }

    pub(super) fn cell_time(self) -> Duration {
        Duration::from_millis(if self == Self::Quick { 400 } else { 1000 })
    }

    /// How long the large file should be, and how long it may take to write it.
    pub(super) fn filled(self) -> (u64, Duration) {
        match self {
            Self::Quick => (256 << 20, Duration::from_secs(3)),
            Self::Default => (1 << 30, Duration::from_secs(10)),
            Self::Full => (4 << 30, Duration::from_secs(60)),
        }
    }

    pub(super) fn cells(self) -> Vec<Spec> {
        match self {
            Self::Quick => quick(),
            Self::Default => default(),
            Self::Full => full(),
        }
    }
}

fn write(extent: Extent, durable: Durable, size: u32, depth: u32) -> Spec {
    Spec { measure: Measure::Write, extent: Some(extent), durable, size, depth }
}

fn read(measure: Measure, size: u32, depth: u32) -> Spec {
    Spec { measure, extent: None, durable: Durable::No, size, depth }
}

/// How a write-ahead log writes.
fn log(size: u32, depth: u32) -> Spec {
    write(Extent::Prezeroed, Durable::ODsync, size, depth)
}

fn quick() -> Vec<Spec> {
    let mut cells =
        vec![write(Extent::Prezeroed, Durable::No, 4 * KIB, 1), write(Extent::Prezeroed, Durable::No, MIB, 4)];
    cells.extend(DEPTHS.map(|depth| log(4 * KIB, depth)));
    cells.extend([log(64 * KIB, 1), log(MIB, 1), log(MIB, 4)]);
    let others = [Durable::RwfDsync, Durable::Fdatasync, Durable::Linked];
    cells.extend(others.map(|durable| write(Extent::Prezeroed, durable, 4 * KIB, 1)));
    cells.extend([Extent::Growing, Extent::Fallocated].map(|extent| write(extent, Durable::ODsync, 4 * KIB, 1)));
    cells.extend([1, 16].map(|depth| read(Measure::ReadRandom, 4 * KIB, depth)));
    cells.push(read(Measure::ReadSequential, MIB, 4));
    cells
}

fn default() -> Vec<Spec> {
    let mut cells = Vec::new();
    for (size, depths) in [(4 * KIB, [1, 4, 16].as_slice()), (64 * KIB, &[1]), (MIB, &[1, 4])] {
        cells.extend(depths.iter().map(|depth| write(Extent::Prezeroed, Durable::No, size, *depth)));
    }
    cells.extend(DEPTHS.map(|depth| log(4 * KIB, depth)));
    for size in [16 * KIB, 64 * KIB, 256 * KIB, MIB] {
        cells.extend([1, 4].map(|depth| log(size, depth)));
    }
    for durable in [Durable::RwfDsync, Durable::Fdatasync, Durable::Linked] {
        cells.extend([1, 4].map(|depth| write(Extent::Prezeroed, durable, 4 * KIB, depth)));
    }
    for extent in [Extent::Growing, Extent::Fallocated] {
        cells.extend([1, 4].map(|depth| write(extent, Durable::ODsync, 4 * KIB, depth)));
        cells.push(write(extent, Durable::Fdatasync, 4 * KIB, 1));
    }
    cells.extend([1, 4, 16, 32].map(|depth| read(Measure::ReadRandom, 4 * KIB, depth)));
    cells.extend([1, 4].map(|depth| read(Measure::ReadSequential, MIB, depth)));
    cells
}

fn full() -> Vec<Spec> {
    let mut cells = Vec::new();
    for extent in [Extent::Prezeroed, Extent::Growing, Extent::Fallocated] {
        for durable in WAYS {
            for size in [4 * KIB, 16 * KIB, 64 * KIB, 256 * KIB, MIB] {
                cells.extend([1, 2, 4, 8, 16, 32].map(|depth| write(extent, durable, size, depth)));
            }
        }
    }
    for depth in [1, 2, 4, 8, 16, 32, 64, 128] {
        cells.push(read(Measure::ReadRandom, 4 * KIB, depth));
    }
    cells.extend([1, 2, 4, 8].map(|depth| read(Measure::ReadSequential, MIB, depth)));
    cells
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selections_take_the_time_they_say_and_hold_what_conclusions_need() {
        for (selection, most) in [(Selection::Quick, 9.0), (Selection::Default, 45.0), (Selection::Full, 600.0)] {
            let cells = selection.cells();
            let took = selection.cell_time().as_secs_f64() * f64::from(u32::try_from(cells.len()).unwrap_or(u32::MAX));
            assert!(took <= most, "{selection:?}: {took} s");
            assert!(DEPTHS.iter().all(|depth| cells.contains(&log(4 * KIB, *depth))));
            assert!(cells.contains(&write(Extent::Prezeroed, Durable::No, 4 * KIB, 1)));
            assert!(cells.iter().any(|cell| cell.measure == Measure::ReadSequential));
            let twice =
                cells.iter().enumerate().find(|(at, cell)| cells.iter().skip(at + 1).any(|other| other == *cell));
            assert_eq!(twice, None);
        }
    }
}
