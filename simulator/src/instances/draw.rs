//! Draws from the distributions that instances are made of.

use crate::random::Random;

/// A standard normal deviate (Box and Muller 1958).
pub(super) fn normal(random: &mut Random) -> f64 {
    // One minus a number in [0, 1) is never zero, so its logarithm is finite.
    let radius = (-2.0 * (1.0 - random.unit()).ln()).sqrt();
    radius * (std::f64::consts::TAU * random.unit()).cos()
}

/// A log-normal deviate of median 1; `spread` is the standard deviation of its logarithm.
pub(super) fn log_normal(random: &mut Random, spread: f64) -> f64 {
    (spread * normal(random)).exp()
}

/// Index drawn in proportion to `sums`, which are running totals; 0 when they are empty.
pub(super) fn weighted(random: &mut Random, sums: &[f64]) -> usize {
    let total = sums.last().copied().unwrap_or(0.0);
    let at = random.unit() * total;
    sums.partition_point(|&sum| sum <= at)
        .min(sums.len().saturating_sub(1))
}

/// Running totals of `weights`.
pub(super) fn running(weights: impl Iterator<Item = f64>) -> Vec<f64> {
    weights
        .scan(0.0, |sum, weight| {
            *sum += weight;
            Some(*sum)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_one_and_weights_are_followed() {
        let mut random = Random::new(3);
        let above = (0..10_000)
            .filter(|_| log_normal(&mut random, 1.5) > 1.0)
            .count();
        assert!((4_800..5_200).contains(&above), "{above}");
        let sums = running([1.0, 0.0, 3.0].into_iter());
        let mut counts = [0; 3];
        for _ in 0..10_000 {
            counts[weighted(&mut random, &sums)] += 1;
        }
        assert_eq!(counts[1], 0);
        assert!((7_300..7_700).contains(&counts[2]), "{counts:?}");
    }
}
