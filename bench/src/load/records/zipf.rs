//! Zipf's distribution: the k-th of `count` things comes 1/k as often as the first.
//!
//! By rejection from the integral of 1/x (Hörmann and Derflinger, "Rejection-inversion to generate variates from monotone
//! discrete distributions"): constant time and memory, whatever `count` is.

use super::random::Random;

#[derive(Clone, Debug)]
pub(crate) struct Zipf {
    count: f64,
    /// The area under 1/x from which points are drawn: from just enough to hold the first thing to the end of the last.
    from: f64,
    until: f64,
    /// How far below a thing's number a point may lie and be taken without a further look.
    surely: f64,
}

impl Zipf {
    #[expect(clippy::cast_precision_loss, reason = "there are at most 2^40 keys")]
    pub(crate) fn new(count: u64) -> Self {
        let count = count.max(1) as f64;
        Self { count, from: 1.5_f64.ln() - 1.0, until: (count + 0.5).ln(), surely: 2.0 - (2.5_f64.ln() - 0.5).exp() }
    }

    /// From 0, which is the most frequent.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is from 1 to the count")]
    pub(crate) fn next(&self, random: &mut Random) -> u64 {
        loop {
            let area = self.from + random.unit() * (self.until - self.from);
            let point = area.exp();
            let number = point.round().clamp(1.0, self.count);
            if number - point <= self.surely || area >= (number + 0.5).ln() - 1.0 / number {
                return number as u64 - 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::indexing_slicing, clippy::cast_precision_loss, reason = "tests")]

    use super::*;

    #[test]
    fn the_kth_comes_a_kth_as_often() {
        const DRAWN: usize = 1_000_000;
        for count in [1_usize, 2, 10, 1000] {
            let zipf = Zipf::new(count as u64);
            let mut random = Random::new(3);
            let mut seen = vec![0_u32; count];
            for _ in 0..DRAWN {
                seen[usize::try_from(zipf.next(&mut random)).unwrap_or(usize::MAX)] += 1;
            }
            let sum: f64 = (1..=count).map(|k| 1.0 / k as f64).sum();
            for k in [1, 2, 3, 5, 10, 100, 1000].into_iter().filter(|k| *k <= count) {
                let expected = DRAWN as f64 / (k as f64 * sum);
                // Five standard deviations.
                let far = (f64::from(seen[k - 1]) - expected).abs() / expected.sqrt();
                assert!(far < 5.0, "{k} of {count}: {} for {expected}", seen[k - 1]);
            }
        }
    }

    #[test]
    fn the_largest_count_is_drawn_from_its_whole_range() {
        let zipf = Zipf::new(1 << 40);
        let mut random = Random::new(3);
        let drawn: Vec<u64> = (0..10_000).map(|_| zipf.next(&mut random)).collect();
        assert!(drawn.contains(&0) && drawn.iter().all(|key| *key < 1 << 40));
        assert!(drawn.iter().any(|key| *key > 1 << 38));
    }
}
