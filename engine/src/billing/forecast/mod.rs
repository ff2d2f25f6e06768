//! Forecast of demand: a profile per unit, by kind of day and time of day, scaled to the latest
//! days.
//!
//! Weekdays and weekends have a profile each, in bins of half an hour, smoothed over the days. The
//! ratio of what came to what the profile said, over all units, follows growth within a day or two.

mod usual;

#[cfg(test)]
mod tests;

pub use usual::UsualDemand;

use super::budget::Scene;
use crate::inventory::calendar::{DAY_MS, UtcOffset};
use coverage::Timestamp;

/// Bins of a day.
const BINS: usize = 48;
/// Weight of the newest day of a kind in its profile.
const PROFILE_WEIGHT: f64 = 0.3;
/// Weight of the newest bin in the ratio of demand to profile: a memory of about a day.
const RATIO_WEIGHT: f64 = 1.0 / 48.0;
/// Neighbouring bins whose totals differ by less than this share of the peak become one scene.
const LIKE_SHARE: f64 = 0.06;
/// Below this share of the day's peak, bins set no level and are taken together more freely.
const QUIET_SHARE: f64 = 0.6;

/// Reason why a demand was not taken in.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum DemandFault {
    /// No number, infinite, or negative.
    #[error("demand of unit {unit} at {} ms: {mbps} is no traffic; send a finite number of Mbps, 0 or more", at.0)]
    NotTraffic {
        /// Index of the unit.
        unit: usize,
        /// Value that was given.
        mbps: f64,
        /// Time.
        at: Timestamp,
    },
    /// Another number of units than the forecast was made for.
    #[error("{given} demands were given for {units} units")]
    Length {
        /// Number of were given.
        given: usize,
        /// Number of them.
        units: usize,
    },
}

/// Time to come as scenes: day 0 is the rest of today, day 1 all later weekdays, day 2 all later
/// weekend days.
#[derive(Clone, Debug, PartialEq)]
pub struct Horizon {
    /// Scenes that are expected.
    pub scenes: Vec<Scene>,
    /// `[day]` -> how many days it stands for.
    pub days: [f64; 3],
}

/// Profiles of demand.
///
/// ```
/// use coverage::Timestamp;
/// use engine::billing::{Forecast, UtcOffset};
///
/// let slot_ms = 300_000;
/// let mut forecast = Forecast::new(1, UtcOffset::UTC, slot_ms);
/// for slot in 0..=288 {
///     forecast.observe(Timestamp(slot * slot_ms), &[40.0])?;
/// }
/// assert_eq!(forecast.usual_mbps(Timestamp(0)), Some(&[40.0][..]));
/// # Ok::<(), engine::billing::DemandFault>(())
/// ```
#[derive(Clone, Debug)]
pub struct Forecast {
    zone: UtcOffset,
    slot_ms: u64,
    units: usize,
    /// `[kind of day × bin]` -> `[unit]` Mbps; empty as long as no such day was seen.
    profile: Vec<Vec<f64>>,
    /// Bin under way: its number since 1970, sums and number of demands.
    open: (i64, Vec<f64>, u32),
    ratio: f64,
    /// Bin that was closed last, until it is kept.
    closed: Option<i64>,
}

impl Forecast {
    /// A forecast without history, for demand that follows the clock of `zone`; slots are at most
    /// half an hour long.
    #[must_use]
    pub fn new(units: usize, zone: UtcOffset, slot_ms: u64) -> Self {
        Self {
            zone,
            slot_ms: slot_ms.max(1),
            units,
            profile: vec![Vec::new(); 2 * BINS],
            open: (i64::MIN, vec![0.0; units], 0),
            ratio: 1.0,
            closed: None,
        }
    }

    /// Takes in what was asked for in a slot, `[unit]` Mbps.
    ///
    /// # Errors
    /// [`DemandFault`]; then nothing of the slot is taken in, and all that was known stays.
    pub fn observe(&mut self, at: Timestamp, demand_mbps: &[f64]) -> Result<(), DemandFault> {
        if demand_mbps.len() != self.units {
            return Err(DemandFault::Length {
                given: demand_mbps.len(),
                units: self.units,
            });
        }
        let sane = |mbps: &f64| mbps.is_finite() && *mbps >= 0.0;
        if let Some(unit) = demand_mbps.iter().position(|mbps| !sane(mbps)) {
            let mbps = demand_mbps[unit];
            return Err(DemandFault::NotTraffic { unit, mbps, at });
        }
        let bin = self.bin(at);
        if bin != self.open.0 {
            self.close();
            self.open = (bin, vec![0.0; self.units], 0);
        }
        for (sum, mbps) in self.open.1.iter_mut().zip(demand_mbps) {
            *sum += mbps;
        }
        self.open.2 += 1;
        Ok(())
    }

    /// Folds the bin under way into its profile.
    fn close(&mut self) {
        let (bin, sums, count) = &self.open;
        if *count == 0 {
            return;
        }
        let mean = |sum: &f64| sum / f64::from(*count);
        let place = place_of(*bin);
        self.closed = Some(*bin);
        let profile = &mut self.profile[place];
        if profile.is_empty() {
            *profile = sums.iter().map(mean).collect();
            return;
        }
        let (now, then): (f64, f64) = (sums.iter().map(mean).sum(), profile.iter().sum());
        if then > 0.0 {
            self.ratio += RATIO_WEIGHT * (now / then - self.ratio);
        }
        for (known, sum) in profile.iter_mut().zip(sums) {
            *known += PROFILE_WEIGHT * (mean(sum) - *known);
        }
    }

    /// Number of the local bin since 1970.
    fn bin(&self, at: Timestamp) -> i64 {
        let day = self.zone.day_of(at);
        let bin_ms = DAY_MS.unsigned_abs() / BINS as u64;
        let whole = |ms: u64| i64::try_from(ms).unwrap_or(i64::MAX);
        self.zone.number_of_day(at) * whole(BINS as u64)
            + whole(at.0.saturating_sub(day.start.0) / bin_ms)
    }

    /// Profile of a bin; of the other kind of day while this one was never seen.
    fn profile(&self, bin: i64) -> Option<&[f64]> {
        let place = place_of(bin);
        let other = (place + BINS) % (2 * BINS);
        [place, other]
            .into_iter()
            .map(|place| self.profile[place].as_slice())
            .find(|profile| !profile.is_empty())
    }

    /// Returns what is usual at a time, `[unit]` Mbps, before growth; `None` where no such time was
    /// seen.
    #[must_use]
    pub fn usual_mbps(&self, at: Timestamp) -> Option<&[f64]> {
        self.profile(self.bin(at))
    }

    /// Tells whether every time of the day was seen, on whatever kind of day.
    #[must_use]
    pub fn knows_a_day(&self) -> bool {
        let (weekdays, weekends) = self.profile.split_at(BINS);
        let mut bins = weekdays.iter().zip(weekends);
        bins.all(|(weekday, weekend)| !(weekday.is_empty() && weekend.is_empty()))
    }

    /// Expected change of each unit's demand from one slot to the next, by the slope of its
    /// profile; 1 where unknown.
    #[must_use]
    pub fn growth(&self, from: Timestamp, to: Timestamp) -> Vec<f64> {
        let at = |time: Timestamp, unit: usize| {
            let bin_ms = DAY_MS.unsigned_abs() / BINS as u64;
            let before = Timestamp(time.0.saturating_sub(bin_ms / 2));
            #[expect(clippy::cast_precision_loss, reason = "a part of half an hour")]
            let part = (before.0 % bin_ms) as f64 / bin_ms as f64;
            let bin = self.bin(before);
            let (a, b) = (self.profile(bin)?[unit], self.profile(bin + 1)?[unit]);
            Some(a + (b - a) * part)
        };
        let growth = |unit: usize| match (at(from, unit), at(to, unit)) {
            (Some(from), Some(to)) if from > 0.0 && to > 0.0 => (to / from).clamp(0.5, 2.0),
            _ => 1.0,
        };
        (0..self.units).map(growth).collect()
    }

    /// The time from `now` to `end` as scenes; `None` without any history.
    #[must_use]
    pub fn horizon(&self, now: Timestamp, end: Timestamp) -> Option<Horizon> {
        self.profile.iter().find(|profile| !profile.is_empty())?;
        let mut horizon = Horizon {
            scenes: Vec::new(),
            days: [0.0; 3],
        };
        let today = self.zone.day_of(now);
        let mut day = today;
        while day.start < end {
            let kind = if day == today {
                0
            } else {
                1 + kind_of(self.bin(day.start))
            };
            horizon.days[kind] += 1.0;
            day = self.zone.day_of(day.end);
        }
        let first = self.bin(now);
        let rest: Vec<i64> = (first..self.bin(today.end).min(self.bin(end))).collect();
        self.add(&mut horizon.scenes, 0, 1.0, &rest);
        for kind in 0..2 {
            let times = horizon.days[1 + kind];
            if times > 0.0 {
                // Monday the 5th and Saturday the 10th of January 1970 stand for their kinds.
                let start = if kind == 0 { 4 } else { 9 } * i64::try_from(BINS).unwrap_or(0);
                let bins: Vec<i64> = (start..start + i64::try_from(BINS).unwrap_or(0)).collect();
                self.add(&mut horizon.scenes, 1 + kind, times, &bins);
            }
        }
        Some(horizon)
    }

    /// Adds bins to scenes; neighbours with like totals are taken together.
    fn add(&self, scenes: &mut Vec<Scene>, day: usize, times: f64, bins: &[i64]) {
        let expected = |bin: i64| {
            let profile = self.profile(bin)?;
            Some(
                profile
                    .iter()
                    .map(|mbps| mbps * self.ratio)
                    .collect::<Vec<f64>>(),
            )
        };
        let known: Vec<Vec<f64>> = bins.iter().filter_map(|bin| expected(*bin)).collect();
        #[expect(clippy::cast_precision_loss, reason = "slots of half an hour")]
        let slots = (DAY_MS.unsigned_abs() / BINS as u64) as f64 / self.slot_ms as f64 * times;
        scenes.extend(merge(&known, slots, day));
    }
}

/// Merges consecutive demands whose totals are alike into scenes of their mean. `slots`: how many
/// each stands for.
#[must_use]
pub fn merge(demands: &[Vec<f64>], slots: f64, day: usize) -> Vec<Scene> {
    let totals: Vec<f64> = demands.iter().map(|demand| demand.iter().sum()).collect();
    let peak = totals.iter().copied().fold(0.0, f64::max);
    let mut scenes = Vec::new();
    let mut start = 0;
    for index in 1..=demands.len() {
        let group = &totals[start..index];
        let (low, high) = group
            .iter()
            .chain(totals.get(index))
            .fold((f64::MAX, 0.0), |(low, high): (f64, f64), total| {
                (low.min(*total), high.max(*total))
            });
        let alike = high - low <= LIKE_SHARE * peak || high <= QUIET_SHARE * peak;
        if index < demands.len() && alike {
            continue;
        }
        #[expect(clippy::cast_precision_loss, reason = "bins of a day")]
        let count = (index - start) as f64;
        let mut mean = vec![0.0; demands[start].len()];
        for demand in &demands[start..index] {
            for (sum, mbps) in mean.iter_mut().zip(demand) {
                *sum += mbps / count;
            }
        }
        scenes.push(Scene {
            day,
            slots: slots * count,
            demand_mbps: mean,
        });
        start = index;
    }
    scenes
}

/// 0 for weekdays, 1 for weekends: 1 January 1970 was a Thursday.
fn kind_of(bin: i64) -> usize {
    let day = bin.div_euclid(i64::try_from(BINS).unwrap_or(1));
    usize::from((day + 3).rem_euclid(7) >= 5)
}

fn place_of(bin: i64) -> usize {
    let of_day = bin.rem_euclid(i64::try_from(BINS).unwrap_or(1));
    kind_of(bin) * BINS + usize::try_from(of_day).unwrap_or(0)
}
