//! Seeded randomness without state elsewhere: the same seed replays the same world.

use coverage::split::mix;

/// The golden ratio in 64 bits: the increment of SplitMix64 (Steele, Lea, Flood 2014).
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// A SplitMix64 generator.
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    /// A generator; equal seeds give equal sequences.
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits.
    pub(crate) const fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(GOLDEN);
        mix(self.0)
    }

    /// A number in [0, 1).
    pub(crate) fn unit(&mut self) -> f64 {
        to_unit(self.bits())
    }

    /// A number below `bound`; 0 when `bound` is 0.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        // The bias of taking the high part of the product is below 2^-32 for all bounds used here.
        let wide = u128::from(self.bits()) * u128::from(bound);
        u64::try_from(wide >> 64).unwrap_or(0)
    }
}

/// Noise in [-1, 1) that depends on nothing but its arguments.
pub(crate) fn noise(seed: u64, time: u64, place: u64) -> f64 {
    let bits = mix(mix(seed ^ time.wrapping_mul(GOLDEN)).wrapping_add(place));
    to_unit(bits).mul_add(2.0, -1.0)
}

fn to_unit(bits: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "52 bits fit the mantissa")]
    let numerator = (bits >> 12) as f64;
    numerator / (1_u64 << 52) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequences_repeat_and_fill_their_range() {
        let draw = |seed| {
            let mut random = Random::new(seed);
            (0..10_000).map(|_| random.unit()).collect::<Vec<_>>()
        };
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7), draw(8));
        let mean = draw(7).iter().sum::<f64>() / 10_000.0;
        assert!((mean - 0.5).abs() < 0.02, "{mean}");
        let mut random = Random::new(1);
        assert!((0..1_000).all(|_| random.below(3) < 3));
        assert_eq!(random.below(0), 0);
    }

    #[test]
    fn noise_is_centred() {
        let mean = (0..10_000).map(|place| noise(1, 2, place)).sum::<f64>() / 10_000.0;
        assert!(mean.abs() < 0.03, "{mean}");
    }
}
