//! Pages with plots: one for each load, in which every system has a line.

use std::path::Path;

use anyhow::{Context, Result};

use crate::report::write_page;
use crate::result::RunResult;

/// The loads of the first repetition: lines of several would only hide each other.
pub(super) const REPETITION: u32 = 1;

#[derive(Default)]
pub(super) struct Plots(Vec<(String, Vec<RunResult>)>);

impl Plots {
    /// A system's further runs of the same load, at other rates, are further steps of its line.
    pub(super) fn add(&mut self, page: &str, system: &str, mut result: RunResult) {
        system.clone_into(&mut result.name);
        let Some((_, results)) = self.0.iter_mut().find(|(name, _)| name == page) else {
            self.0.push((page.to_owned(), vec![result]));
            return;
        };
        match results.iter_mut().find(|earlier| earlier.name == system) {
            Some(earlier) => {
                earlier.steps.append(&mut result.steps);
                let offered = |step: &crate::result::Step| step.offered_records_s.unwrap_or(f64::INFINITY);
                earlier.steps.sort_by(|one, other| offered(one).total_cmp(&offered(other)));
            }
            None => results.push(result),
        }
    }

    pub(super) fn write(&self, dir: &Path) -> Result<()> {
        if self.0.is_empty() {
            return Ok(());
        }
        std::fs::create_dir_all(dir).with_context(|| format!("cannot create {}", dir.display()))?;
        self.0.iter().try_for_each(|(page, results)| write_page(&dir.join(format!("{page}.html")), results, None))
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

    use super::*;
    use crate::report::sample;

    #[test]
    fn a_page_has_a_line_for_each_system_with_its_rates_in_order() {
        let offered = |rate: f64| {
            let mut result = sample::steady("x");
            result.steps.truncate(1);
            result.steps[0].offered_records_s = Some(rate);
            result
        };
        let mut plots = Plots::default();
        plots.add("rates", "kafka", offered(200.0));
        plots.add("rates", "thalweg", offered(300.0));
        plots.add("rates", "thalweg", offered(100.0));
        let (_, results) = &plots.0[0];
        let rates: Vec<_> = results[1].steps.iter().filter_map(|step| step.offered_records_s).collect();
        assert_eq!((results.len(), results[1].name.as_str(), rates), (2, "thalweg", vec![100.0, 300.0]));
        let dir = tempfile::tempdir().unwrap();
        plots.write(&dir.path().join("plots")).unwrap();
        let page = std::fs::read_to_string(dir.path().join("plots/rates.html")).unwrap();
        assert!(page.contains("kafka") && page.contains("thalweg") && page.contains("<svg"), "{page}");
    }
}
