//! A probe's result for people: tables by size and depth, then what follows from them.

use std::fmt::Write as _;

use super::conclude::OTHERS_PCT_MAX;
use super::file::{Cell, Durable, Extent, Measure, Micros, ProbeFile};

pub(super) fn render(file: &ProbeFile) -> String {
    let mut out = String::new();
    head(&mut out, file);
    for extent in [Extent::Prezeroed, Extent::Growing, Extent::Fallocated] {
        for durable in [Durable::ODsync, Durable::RwfDsync, Durable::Fdatasync, Durable::Linked, Durable::No] {
            let is_it = |cell: &&Cell| cell.extent == Some(extent) && cell.durable == Some(durable);
            table(&mut out, &format!("writes, {}, {}", extent.says(), durable.says()), file.cells.iter().filter(is_it));
        }
    }
    for (measure, title) in [(Measure::ReadRandom, "reads at random"), (Measure::ReadSequential, "reads in sequence")] {
        table(&mut out, title, file.cells.iter().filter(|cell| cell.measure == measure));
    }
    host(&mut out, &file.cells);
    conclusions(&mut out, file);
    out
}

fn head(out: &mut String, file: &ProbeFile) {
    let device = &file.device;
    let or = |text: &Option<String>| text.as_deref().unwrap_or("?").to_owned();
    let _ = writeln!(
        out,
        "device  {} ({}, {}), write cache {}, FUA {}, scheduler {}, {} requests\n        {} on {}, {}",
        or(&device.name),
        device.model.as_deref().unwrap_or("no model"),
        device.number,
        or(&device.write_cache),
        device.fua.map_or("?", |fua| if fua { "yes" } else { "no" }),
        or(&device.scheduler),
        device.nr_requests.map_or("?".to_owned(), |count| count.to_string()),
        or(&device.file_system),
        file.directory,
        or(&device.mount_options),
    );
    let host = &file.host;
    let _ = writeln!(out, "host    {} × {}, {} MiB, Linux {}", host.cores, host.cpu, host.memory_mib, host.kernel);
    let _ = writeln!(out, "file    {} MiB, O_DIRECT throughout; times in µs", file.file_bytes >> 20);
}

fn table<'a>(out: &mut String, title: &str, cells: impl Iterator<Item = &'a Cell>) {
    let mut cells: Vec<&Cell> = cells.collect();
    if cells.is_empty() {
        return;
    }
    cells.sort_by_key(|cell| (cell.size_bytes, cell.depth));
    let _ = writeln!(
        out,
        "\n{title}\n{:>9} {:>6} {:>9} {:>9} {:>9} {:>9} {:>9} {:>10} {:>9}",
        "size", "depth", "p50", "p90", "p99", "p99.9", "max", "ops/s", "MB/s"
    );
    for cell in cells {
        let us = cell.us.unwrap_or_default();
        let _ = writeln!(
            out,
            "{:>9} {:>6} {:>9.1} {:>9.1} {:>9.1} {:>9.1} {:>9.1} {:>10.0} {:>9.1}",
            size(cell.size_bytes),
            cell.depth,
            us.p50,
            us.p90,
            us.p99,
            us.p999,
            us.max,
            cell.bytes_s / bytes(cell.size_bytes),
            cell.bytes_s / 1e6
        );
    }
}

fn host(out: &mut String, cells: &[Cell]) {
    let _ = writeln!(out, "\nhost");
    for cell in cells {
        let threads = if cell.depth == 1 { "1 thread".to_owned() } else { format!("{} threads", cell.depth) };
        let gb_s = cell.bytes_s / f64::from(cell.depth) / 1e9;
        let (what, figures) = match cell.measure {
            Measure::LoopbackRoundTrip => ("round trip over loopback".to_owned(), latency(cell.us)),
            Measure::Floor => ("round trip with a durable 4 KiB write".to_owned(), latency(cell.us)),
            Measure::LoopbackStream => ("one connection over loopback".to_owned(), format!("{gb_s:.2} GB/s")),
            Measure::Crc32c => (format!("CRC32C, {threads}"), format!("{gb_s:.2} GB/s per core")),
            Measure::MemoryCopy => (format!("copying memory, {threads}"), format!("{gb_s:.2} GB/s per core")),
            Measure::Write | Measure::ReadRandom | Measure::ReadSequential => continue,
        };
        let _ = writeln!(out, "  {what:<40} {figures}");
    }
}

fn conclusions(out: &mut String, file: &ProbeFile) {
    let found = &file.conclusions;
    let _ = writeln!(out, "\nconclusions");
    if file.others_pct > OTHERS_PCT_MAX {
        let _ = writeln!(
            out,
            "  DISTURBED: others used {:.0} % of the processors; the times are too long, and no depth or verdict follows from \
             them. Measure again on a quiet machine",
            file.others_pct
        );
    }
    if let Some(depth) = found.wal_writes_in_flight {
        let _ = writeln!(
            out,
            "  WAL writes in flight: {depth} (more brings less than a tenth, or makes a write more than twice as slow)"
        );
    }
    if let Some(us) = found.durable_4k {
        let _ = writeln!(out, "  a durable 4 KiB write: {}", latency(Some(us)));
    }
    let _ = writeln!(out, "  the floor of a durable request: {}", latency(found.floor));
    let mark = if found.drive.suspected { "SUSPECT: " } else { "" };
    let _ = writeln!(out, "  the drive: {mark}{}", found.drive.reason);
}

fn latency(us: Option<Micros>) -> String {
    us.map_or("not measured".to_owned(), |us| {
        format!("p50 {:.1} µs, p99 {:.1} µs, max {:.1} µs", us.p50, us.p99, us.max)
    })
}

fn size(bytes: u64) -> String {
    if bytes < 1 << 20 { format!("{} KiB", bytes >> 10) } else { format!("{} MiB", bytes >> 20) }
}

#[expect(clippy::cast_precision_loss, reason = "sizes of operations are far below 2^53")]
fn bytes(size: u64) -> f64 {
    size as f64
}

impl Extent {
    fn says(self) -> &'static str {
        match self {
            Self::Growing => "growing file",
            Self::Fallocated => "fallocated file",
            Self::Prezeroed => "pre-zeroed file",
        }
    }
}

impl Durable {
    fn says(self) -> &'static str {
        match self {
            Self::No => "not durable",
            Self::ODsync => "O_DSYNC",
            Self::RwfDsync => "RWF_DSYNC",
            Self::Fdatasync => "then fdatasync",
            Self::Linked => "fdatasync linked",
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn every_cell_and_conclusion_is_printed() {
        let mut file = ProbeFile::parse(include_str!("../../../docs/formats/probe-example.json")).unwrap();
        let text = render(&file);
        let lines = [
            "device  nvme0n1 (EXAMPLE SSD 960, 259:1), write cache write through, FUA no, scheduler none, 1023 requests",
            "    4 KiB      1      20.0      22.0      40.0      95.0     310.5      48000     196.6",
            "writes, growing file, then fdatasync",
            "    1 MiB      4    1700.0",
            "  round trip with a durable 4 KiB write    p50 35.0 µs, p99 61.0 µs, max 350.0 µs",
            "  CRC32C, 1 thread                         19.66 GB/s per core",
            "  WAL writes in flight: 4 (",
            "  the drive: the drive reports no volatile",
        ];
        for line in lines {
            assert!(text.contains(line), "{line} is not in\n{text}");
        }
        assert_eq!(text.matches("not durable").count(), 1);
        file.conclusions.drive.suspected = true;
        file.others_pct = 40.0;
        let text = render(&file);
        assert!(text.contains("SUSPECT: ") && text.contains("DISTURBED: others used 40 %"), "{text}");
    }
}
