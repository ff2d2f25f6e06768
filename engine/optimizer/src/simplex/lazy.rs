//! Lazy pricing: units need no look whose second best is further away than prices have moved since.
//!
//! Near the optimum hundreds of pivots follow one another that shift a few prices by little, and
//! each opens the way to the next somewhere in millions of arcs. A unit that was looked at knows by
//! how much its best way is ahead. No reduced cost changes by more than the sum of all shifts, so
//! until that sum has eaten up the lead the unit has nothing to offer.

/// Sum of the changes of prices, and the sum from which each unit is worth a look.
#[derive(Debug, Clone, Default)]
pub(crate) struct LazyPricing {
    /// Sum of all shifts of prices.
    drift: i128,
    /// `[unit]` -> drift up to which it has nothing to offer.
    rests: Vec<i128>,
}

impl LazyPricing {
    /// Forgets everything: all of `units` are worth a look.
    pub(crate) fn wake_all(&mut self, units: usize) {
        self.drift = 0;
        self.rests.clear();
        self.rests.resize(units, -1);
    }

    /// A unit is worth a look whatever prices do.
    pub(crate) fn wake(&mut self, unit: usize) {
        if let Some(rests) = self.rests.get_mut(unit) {
            *rests = -1;
        }
    }

    /// Some prices were shifted by `change`.
    pub(crate) const fn shift(&mut self, change: i128) {
        self.drift = self.drift.saturating_add(change.saturating_abs());
    }

    /// No arc of a unit gains anything now, and the best of those that are not its own loses
    /// `lead`.
    pub(crate) fn rest(&mut self, unit: usize, lead: i128) {
        // At the end of its range the drift counts no more; then nobody rests.
        let end = self.drift.saturating_add(lead);
        self.rests[unit] = if end == i128::MAX { -1 } else { end };
    }

    /// Tells whether a unit has nothing to offer.
    pub(crate) fn is_resting(&self, unit: usize) -> bool {
        self.drift <= self.rests[unit]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_rests_until_prices_have_moved_by_its_lead() {
        let mut lazy = LazyPricing::default();
        lazy.wake_all(2);
        assert!(!lazy.is_resting(0));
        lazy.rest(0, 10);
        lazy.rest(1, 0);
        assert!(lazy.is_resting(0) && lazy.is_resting(1));
        lazy.shift(-7);
        assert!(lazy.is_resting(0) && !lazy.is_resting(1));
        lazy.shift(3);
        assert!(lazy.is_resting(0));
        lazy.shift(1);
        assert!(!lazy.is_resting(0));
        lazy.rest(0, 5);
        lazy.wake(0);
        assert!(!lazy.is_resting(0));
        lazy.shift(i128::MIN);
        lazy.rest(0, 5);
        assert!(!lazy.is_resting(0), "nobody rests beyond the range of sums");
    }
}
