//! The programs that a comparison needs: found, or fetched, or said to be missing before anything is measured.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::interrupt::Interrupt;
use super::process::output;

const POM: &str = include_str!("../../kafka/pom.xml");
const FETCH_LIMIT: Duration = Duration::from_secs(900);

pub(super) struct Programs {
    pub(super) bench: PathBuf,
    pub(super) thalwegd: PathBuf,
    /// Kafka's jars.
    pub(super) libs: PathBuf,
}

/// Cargo's target directory, when this program lies in one; otherwise where it was started.
pub(super) fn target_dir() -> Result<PathBuf> {
    let bench = std::env::current_exe().context("cannot tell where this program lies")?;
    let profile = bench.parent().unwrap_or(Path::new("."));
    match profile.file_name().and_then(|name| name.to_str()) {
        Some("release" | "ci" | "debug") => Ok(profile.parent().unwrap_or(profile).to_owned()),
        _ => Ok(std::env::current_dir()?.join("thalweg-bench")),
    }
}

impl Programs {
    pub(super) fn find(thalwegd: Option<&Path>, libs: Option<&Path>) -> Result<Self> {
        let bench = std::env::current_exe()?;
        let beside = bench.with_file_name("thalwegd");
        let target = target_dir()?;
        Ok(Self {
            thalwegd: thalwegd.map_or(beside, Path::to_owned),
            libs: libs.map_or_else(|| target.join("kafka/libs"), Path::to_owned),
            bench,
        })
    }

    pub(super) fn require_thalweg(&self) -> Result<()> {
        if !self.thalwegd.is_file() {
            bail!(
                "{} is not there: build it with `cargo build --release`, or name one with --thalwegd",
                self.thalwegd.display()
            );
        }
        Ok(())
    }

    /// Java, and Kafka's jars; these are fetched when they are not there.
    pub(super) fn require_kafka(&self, out: &Path, interrupt: &Interrupt) -> Result<()> {
        self.java_version().context("Kafka needs Java 17 or newer")?;
        if self.kafka_version().is_some() {
            return Ok(());
        }
        if Command::new("mvn").arg("--version").output().is_err() {
            bail!(
                "there are no jars of Kafka in {}, and no Maven to fetch them: install it, or name a directory of jars with --kafka-libs",
                self.libs.display()
            );
        }
        eprintln!("fetching Apache Kafka into {}", self.libs.display());
        let pom = out.join("pom.xml");
        std::fs::write(&pom, POM)?;
        let mut mvn = Command::new("mvn");
        mvn.args(["-B", "-q", "-f"]).arg(&pom).args(["dependency:copy-dependencies", "-DincludeScope=runtime"]);
        mvn.arg(format!("-DoutputDirectory={}", self.libs.display()));
        output(&mut mvn, "Maven", out, FETCH_LIMIT, interrupt).context("Apache Kafka could not be fetched")?;
        if self.kafka_version().is_none() {
            bail!("Maven has left no jar of Kafka in {}", self.libs.display());
        }
        Ok(())
    }

    /// From the name of its jar: `kafka_2.13-4.3.1`.
    pub(super) fn kafka_version(&self) -> Option<String> {
        let names =
            std::fs::read_dir(&self.libs).ok()?.flatten().filter_map(|entry| entry.file_name().into_string().ok());
        names.filter_map(|name| Some(name.strip_suffix(".jar")?.to_owned())).find(|name| {
            name.strip_prefix("kafka_2.13-").is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
        })
    }

    pub(super) fn java_version(&self) -> Option<String> {
        let said = Command::new("java").arg("-version").output().ok()?;
        String::from_utf8_lossy(&said.stderr).lines().next().map(str::to_owned)
    }

    pub(super) fn thalweg_version(&self) -> Option<String> {
        let said = Command::new(&self.thalwegd).arg("--version").output().ok()?;
        String::from_utf8_lossy(&said.stdout).lines().next().map(str::to_owned)
    }
}
