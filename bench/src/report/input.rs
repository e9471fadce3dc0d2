//! Results out of files, which may be anything.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};
use serde::Deserialize;

use crate::result::{FORMAT, RunResult};

/// A day of seconds for three flows is 40 MB.
const SIZE_MAX_BYTES: u64 = 256 << 20;
/// Ten years; no figure of a run is further out, and sums of such stay exact.
const SECONDS_MAX: i64 = 315_360_000;

#[derive(Deserialize)]
struct Head {
    format: String,
}

pub(crate) fn load(path: &Path) -> Result<RunResult> {
    let mut text = String::new();
    let read = File::open(path).and_then(|file| file.take(SIZE_MAX_BYTES + 1).read_to_string(&mut text));
    read.with_context(|| format!("cannot read {}", path.display()))?;
    ensure!(text.len() as u64 <= SIZE_MAX_BYTES, "{} is larger than {SIZE_MAX_BYTES} bytes", path.display());
    parse(&text).with_context(|| format!("{} is not a result of `run --out`", path.display()))
}

pub(crate) fn load_all(paths: &[impl AsRef<Path>]) -> Result<Vec<RunResult>> {
    paths.iter().map(|path| load(path.as_ref())).collect()
}

/// Another version is named as such, whatever else it holds.
fn parse(text: &str) -> Result<RunResult> {
    let head: Head = serde_json::from_str(text)?;
    if head.format != FORMAT {
        bail!("its format is \"{}\", and this program reads \"{FORMAT}\"", head.format);
    }
    let result: RunResult = serde_json::from_str(text)?;
    check(&result)?;
    Ok(result)
}

fn check(result: &RunResult) -> Result<()> {
    let seconds = 0.0..=SECONDS_MAX as f64;
    ensure!((0..=1000 * SECONDS_MAX * 100).contains(&result.began_ms), "began_ms is {}", result.began_ms);
    for (number, step) in (1..).zip(&result.steps) {
        ensure!(seconds.contains(&step.measured_s), "step {number}: measured_s is {}", step.measured_s);
        for flow in &step.flows {
            let place = || format!("step {number}, {}", flow.role.name());
            let same = step.flows.iter().filter(|other| other.role == flow.role).count();
            ensure!(same == 1, "{} is there twice", place());
            for (name, latency) in &flow.latencies {
                let histogram = latency.histogram().with_context(|| format!("{}, {name}", place()))?;
                ensure!(
                    histogram.len() == latency.count,
                    "{}, {name}: count is {}, and the histogram holds {}",
                    place(),
                    latency.count,
                    histogram.len()
                );
            }
            let far = flow.seconds.iter().find(|second| !(-SECONDS_MAX..=SECONDS_MAX).contains(&second.at_s));
            ensure!(far.is_none(), "{}: a second's at_s is {}", place(), far.map_or(0, |second| second.at_s));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

    use super::*;
    use crate::report::sample;

    fn refused(change: impl FnOnce(&mut serde_json::Value)) -> String {
        let mut json = serde_json::to_value(sample::steady("x")).unwrap();
        change(&mut json);
        format!("{:#}", parse(&json.to_string()).unwrap_err())
    }

    #[test]
    fn a_result_is_read_as_it_was_written() {
        let text = serde_json::to_string(&sample::steady("x")).unwrap();
        assert_eq!(serde_json::to_string(&parse(&text).unwrap()).unwrap(), text);
    }

    #[test]
    fn what_is_no_result_is_refused_by_what_is_wrong_with_it() {
        let flow = "/steps/0/flows/0";
        let said = refused(|json| json["format"] = "thalweg-bench run 9".into());
        assert!(said.contains("\"thalweg-bench run 9\"") && said.contains(FORMAT), "{said}");
        let said = refused(|json| json.pointer_mut(flow).unwrap()["latencies"]["latency"]["histogram"] = "AAAA".into());
        assert!(said.contains("step 1, produce, latency: a histogram cannot be read"), "{said}");
        let said = refused(|json| json.pointer_mut(flow).unwrap()["latencies"]["latency"]["count"] = 3.into());
        assert!(said.contains("count is 3, and the histogram holds 10000"), "{said}");
        let said = refused(|json| json["steps"][0]["flows"][1]["role"] = "produce".into());
        assert!(said.contains("step 1, produce is there twice"), "{said}");
        let said = refused(|json| json["steps"][0]["measured_s"] = (-1).into());
        assert!(said.contains("measured_s is -1"), "{said}");
        let said = refused(|json| json["steps"][0]["flows"][0]["seconds"][0]["at_s"] = i64::MAX.into());
        assert!(said.contains("at_s is 9223372036854775807"), "{said}");
        let said = refused(|json| drop(json["hosts"].take()));
        assert!(said.contains("null"), "{said}");
    }

    #[test]
    fn a_missing_or_broken_file_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.json");
        assert!(format!("{:#}", load(&path).unwrap_err()).contains("a.json"));
        for text in ["", "{", "[]", "{\"format\": 1}"] {
            std::fs::write(&path, text).unwrap();
            let said = format!("{:#}", load(&path).unwrap_err());
            assert!(said.contains("a.json is not a result of `run --out`"), "{said}");
        }
    }
}
