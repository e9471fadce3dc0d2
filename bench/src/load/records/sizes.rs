//! How long values are: one of several sizes, as often as their weights say.

use super::random::Random;
use crate::load::scenario::Size;

#[derive(Clone, Debug)]
pub(crate) struct Sizes {
    /// Bytes, and the sum of the weights so far.
    steps: Vec<(usize, u64)>,
    total: u64,
}

impl Sizes {
    pub(crate) fn new(sizes: &[Size]) -> Self {
        let mut total = 0;
        let steps = sizes.iter().map(|size| {
            total += u64::from(size.weight);
            (size.bytes as usize, total)
        });
        let steps = steps.collect();
        Self { steps, total }
    }

    pub(crate) fn largest(&self) -> usize {
        self.steps.iter().map(|(bytes, _)| *bytes).max().unwrap_or(0)
    }

    pub(crate) fn next(&self, random: &mut Random) -> usize {
        if let [(only, _)] = self.steps.as_slice() {
            return *only;
        }
        let drawn = random.below(self.total.max(1));
        let step = self.steps.partition_point(|(_, until)| *until <= drawn);
        self.steps.get(step).map_or(0, |(bytes, _)| *bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_come_as_often_as_they_weigh() {
        let sizes =
            Sizes::new(&[Size { bytes: 10, weight: 7 }, Size { bytes: 500, weight: 1 }, Size { bytes: 3, weight: 2 }]);
        assert_eq!(sizes.largest(), 500);
        let mut random = Random::new(1);
        let drawn: Vec<usize> = (0..100_000).map(|_| sizes.next(&mut random)).collect();
        for (bytes, per_cent) in [(10, 70), (500, 10), (3, 20)] {
            let share = drawn.iter().filter(|drawn| **drawn == bytes).count() as u64;
            assert!(share.abs_diff(per_cent * 1000) < 600, "{bytes}: {share}");
        }
    }
}
