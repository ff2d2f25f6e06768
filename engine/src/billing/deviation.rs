//! Deviation of reality above plans: a running quantile, the margin that plans keep below a level.

/// Step of one observation.
const STEP: f64 = 0.001;
/// Margin before anything was seen.
const START: f64 = 0.01;
/// Bounds of the margin.
const RANGE: (f64, f64) = (0.001, 0.06);

/// A quantile followed by steps (stochastic approximation, Robbins and Monro 1951): up by the share
/// that should stay within when a deviation exceeds it, down by the rest when not.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Deviation {
    margin: f64,
    /// Part of slots in which reality stays within it.
    within_share: f64,
}

impl Deviation {
    /// A margin that reality stays within in the given share of slots.
    pub(super) const fn within(share: f64) -> Self {
        Self {
            margin: START,
            within_share: share,
        }
    }

    pub(super) fn learn(&mut self, above: f64) {
        if !above.is_finite() {
            return;
        }
        let step = if above > self.margin {
            self.within_share
        } else {
            self.within_share - 1.0
        };
        self.margin = (self.margin + STEP * step).clamp(RANGE.0, RANGE.1);
    }

    pub(super) const fn margin(&self) -> f64 {
        self.margin
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_margin_follows_the_quantile() {
        let mut deviation = Deviation::within(0.99);
        let mut state = 1_u32;
        for _ in 0..20_000 {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            // Even over -0.04..0.04: of a hundred, 99 lie below 0.0392.
            deviation.learn(f64::from(state) / f64::from(u32::MAX) * 0.08 - 0.04);
        }
        assert!(
            (deviation.margin() - 0.0392).abs() < 0.001,
            "{}",
            deviation.margin()
        );
        deviation.learn(f64::NAN);
        assert!(deviation.margin().is_finite());
    }
}
