//! Knowledge of a forecast, bin by bin, so that it outlives the process.

use super::{BINS, Forecast, place_of};

/// Growth beyond this since a bin was last seen is no growth but damage.
const RATIO_MAX: f64 = 1e3;

/// Demand as it usually is in one bin of half an hour, as it is kept over a restart.
#[derive(Clone, Debug, PartialEq)]
pub struct UsualDemand {
    /// Number of the local bin since 1970 that it was last learnt from.
    pub bin: i64,
    /// Ratio of the latest demand to the usual one, over all bins, as it was then.
    pub ratio: f64,
    /// `[unit]` Mbps.
    pub mbps: Vec<f32>,
}

impl UsualDemand {
    /// Number of its bin, of a weekday (0..48) or of a day of the weekend (48..96): the newest of
    /// each is what counts.
    #[must_use]
    pub fn place(&self) -> usize {
        place_of(self.bin)
    }

    fn is_sane(&self, units: usize) -> bool {
        let traffic = |mbps: &f32| mbps.is_finite() && *mbps >= 0.0;
        self.mbps.len() == units
            && (0.0..=RATIO_MAX).contains(&self.ratio)
            && self.mbps.iter().all(traffic)
    }
}

impl Forecast {
    /// Takes what was learnt since the last call, to be kept; at most one bin of half an hour at a
    /// time.
    pub fn take_learnt(&mut self) -> Option<UsualDemand> {
        let bin = self.closed.take()?;
        #[expect(
            clippy::cast_possible_truncation,
            reason = "seven digits of what is usual"
        )]
        let rounded = |mbps: &f64| *mbps as f32;
        Some(UsualDemand {
            bin,
            ratio: self.ratio,
            mbps: self.profile[place_of(bin)].iter().map(rounded).collect(),
        })
    }

    /// Takes back what [`Self::take_learnt`] gave before a restart, in any order. Returns how many
    /// bins were of use: what is for another number of units, or no traffic, is left out.
    pub fn restore(&mut self, mut known: Vec<UsualDemand>) -> usize {
        known.retain(|usual| usual.is_sane(self.units));
        known.sort_by_key(|usual| usual.bin);
        for usual in &known {
            self.ratio = usual.ratio;
            self.profile[usual.place()] = usual.mbps.iter().copied().map(f64::from).collect();
        }
        known.len().min(2 * BINS)
    }
}
