//! A histogram of durations with a bounded relative error: 32 equal steps per power of two.

use std::time::Duration;

/// Steps per power of two; a value is known to 1/32, about 3 %.
const STEPS: usize = 32;
/// Powers of two above the first linear range: up to 2^40 ns, about 18 minutes.
const POWERS: usize = 36;

/// Counts of durations.
#[derive(Clone, Debug)]
pub struct Histogram {
    counts: Box<[u64]>,
    total: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self {
            counts: vec![0; STEPS * POWERS].into(),
            total: 0,
        }
    }
}

impl Histogram {
    /// Counts one duration; those beyond the range count as the greatest.
    pub fn record(&mut self, duration: Duration) {
        let ns = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        let slot = slot_of(ns).min(self.counts.len() - 1);
        self.counts[slot] += 1;
        self.total += 1;
    }

    /// The duration below or at which the share `quantile` (0 to 1) of all lies; zero when nothing
    /// was counted.
    #[must_use]
    pub fn quantile(&self, quantile: f64) -> Duration {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_precision_loss,
            clippy::cast_sign_loss,
            reason = "a rank between 0 and the total, which is far below 2^52"
        )]
        let rank = (self.total as f64 * quantile.clamp(0.0, 1.0)).ceil() as u64;
        let mut seen = 0;
        for (slot, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= rank.max(1) {
                return Duration::from_nanos(upper_ns(slot));
            }
        }
        Duration::ZERO
    }
}

/// The slot of a value.
fn slot_of(ns: u64) -> usize {
    let bits = u64::BITS - ns.leading_zeros();
    let shift = bits.saturating_sub(STEPS.ilog2() + 1);
    // Below 64 each value has a slot; above, the upper six bits choose it.
    let mantissa = usize::try_from(ns >> shift).unwrap_or(usize::MAX);
    shift as usize * STEPS + mantissa
}

/// The greatest value of a slot, in nanoseconds.
fn upper_ns(slot: usize) -> u64 {
    if slot < 2 * STEPS {
        return slot as u64;
    }
    let shift = slot / STEPS - 1;
    let mantissa = (slot - shift * STEPS) as u64;
    ((mantissa + 1) << shift) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_is_known_to_a_thirtysecond() {
        for ns in (0..1_u64 << 24)
            .step_by(997)
            .chain([0, 1, 31, 32, 63, 64, 65])
        {
            let upper = upper_ns(slot_of(ns));
            assert!(upper >= ns && upper - ns <= ns / 32, "{ns} -> {upper}");
        }
    }

    #[test]
    fn quantiles_of_a_known_row() {
        let mut histogram = Histogram::default();
        assert_eq!(histogram.quantile(0.5), Duration::ZERO);
        for us in 1..=1000 {
            histogram.record(Duration::from_micros(us));
        }
        for (quantile, us) in [(0.5, 500), (0.99, 990), (0.999, 999), (1.0, 1000)] {
            let found = histogram.quantile(quantile);
            let wanted = Duration::from_micros(us);
            assert!(
                found >= wanted && found <= wanted.mul_f64(1.04),
                "{found:?}"
            );
        }
    }

    #[test]
    fn beyond_the_range_counts_as_the_greatest() {
        let mut histogram = Histogram::default();
        histogram.record(Duration::MAX);
        assert!(histogram.quantile(0.5) > Duration::from_secs(600));
    }
}
