//! The head of a report: what was measured on what.

use std::process::Command;

use super::session::Bench;
use crate::compare::systems::{Kind, Source};
use crate::host::host;

pub(super) fn lines(bench: &Bench) -> Vec<String> {
    let host = host();
    let cpu = if host.cpu.is_empty() { "an unknown processor" } else { &host.cpu };
    let cores: Vec<String> = bench.cores.0.iter().map(ToString::to_string).collect();
    let mut lines = vec![
        format!("- {}, {}", said("date", &["-u", "+%FT%TZ"]), said("uname", &["-srm"])),
        format!("- {cpu}, {} MiB; cores {}", host.memory_mib, cores.join(",")),
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

fn file_system(bench: &Bench) -> String {
    let work = bench.work.display().to_string();
    said("findmnt", &["-rno", "FSTYPE,OPTIONS", "--target", &work])
}
