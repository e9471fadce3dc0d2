//! The head of a report: what was measured on what.

use std::process::Command;

use super::session::Bench;
use crate::compare::systems::{Kind, Source};

pub(super) fn lines(bench: &Bench) -> Vec<String> {
    let cores: Vec<String> = bench.cores.0.iter().map(ToString::to_string).collect();
    let mut lines = vec![
        format!("- {}, {}", said("date", &["-u", "+%FT%TZ"]), said("uname", &["-srm"])),
        format!("- {}, {} MiB; cores {}", cpu(), memory_mib(), cores.join(",")),
        format!("- data on {}", file_system(bench)),
        format!("- repetitions: {}; each load measured for {} s", bench.sizes.reps, bench.sizes.measure_s),
    ];
    let programs = &bench.programs;
    for system in &bench.systems {
        let version = match &system.source {
            Source::Start(Kind::Thalweg) => format!(
                "{}, commit {}",
                programs.thalweg_version().unwrap_or_else(|| "version unknown".to_owned()),
                said("git", &["describe", "--always", "--dirty"])
            ),
            Source::Start(kind) => format!(
                "{} on {}{}",
                programs.kafka_version().unwrap_or_default(),
                programs.java_version().unwrap_or_default(),
                if *kind == Kind::KafkaDurable { ", topics with flush.messages=1" } else { "" }
            ),
            Source::Address { bootstrap, .. } => format!("at {bootstrap}"),
        };
        lines.push(format!("- {}: {version}", system.name));
    }
    lines
}

fn said(program: &str, args: &[&str]) -> String {
    let said = Command::new(program).args(args).output().ok().filter(|done| done.status.success());
    said.map_or_else(|| "unknown".to_owned(), |done| String::from_utf8_lossy(&done.stdout).trim().to_owned())
}

/// The value of a line `name : value` of a file in /proc.
fn proc(file: &str, name: &str) -> Option<String> {
    let text = std::fs::read_to_string(file).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

fn cpu() -> String {
    proc("/proc/cpuinfo", "model name").unwrap_or_else(|| "an unknown processor".to_owned())
}

fn memory_mib() -> u64 {
    let kib = proc("/proc/meminfo", "MemTotal").and_then(|text| text.trim_end_matches(" kB").parse::<u64>().ok());
    kib.unwrap_or(0) / 1024
}

fn file_system(bench: &Bench) -> String {
    let work = bench.work.display().to_string();
    said("findmnt", &["-rno", "FSTYPE,OPTIONS", "--target", &work])
}
