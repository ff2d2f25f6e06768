//! Scenario of a month: links and contracts, who asks for how much, and what breaks.

use super::abilene;
use crate::curve::{Shape, local_hour};
use crate::random::{Random, noise};
use coverage::Timestamp;
use engine::billing::UtcOffset;
use engine::inventory::Inventory;
use instance::Instance;
use std::collections::BTreeSet;

/// Length of a slot in ms: what contracts count by.
pub(super) const SLOT_MS: u64 = 300_000;
/// Slots of a day.
pub(super) const SLOTS_PER_DAY: usize = 288;
/// Days before the month that forecasts learn from.
pub const HISTORY_DAYS: usize = 14;

/// Demand never falls below this share of its busiest hour.
const BASE_SHARE: f64 = 0.12;
/// Weekends carry that much more.
const WEEKEND_FACTOR: f64 = 1.12;
/// Largest deviation of a day from its kind, for all areas together.
const DAY_COMMON: f64 = 0.05;
/// The same for each area by itself.
const DAY_AREA: f64 = 0.06;
/// Short noise: what remains from slot to slot, and its step for one unit.
const NOISE_KEPT: f64 = 0.8;
/// Largest step of a unit's short noise.
const NOISE_STEP: f64 = 0.025;
/// Largest step of the short noise that all units share.
const NOISE_COMMON_STEP: f64 = 0.004;
/// Growth from day to day.
const GROWTH_PER_DAY: f64 = 0.0005;

/// Milliseconds of a day.
const DAY_MS: u64 = 86_400_000;

/// The clock of those who ask, in whole hours from Greenwich: what evenings, weekends and working
/// hours go by. Contracts may count their months by another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Clock {
    east_ms: i64,
}

impl Clock {
    /// By the sun, where demand lies on average.
    fn of(shapes: &[UnitShape]) -> Self {
        let (mut east, mut front) = (0.0, 0.0);
        for shape in shapes {
            let (sin, cos) = shape.longitude.to_radians().sin_cos();
            east += shape.peak_mbps * sin;
            front += shape.peak_mbps * cos;
        }
        #[expect(clippy::cast_possible_truncation, reason = "-12..=12")]
        let hours = (east.atan2(front).to_degrees() / 15.0).round() as i64;
        Self::from_hours(hours)
    }

    pub(super) const fn from_hours(hours: i64) -> Self {
        Self {
            east_ms: hours * 3_600_000,
        }
    }

    /// Number of its day since 1970, a Thursday.
    pub(super) const fn day(self, at_ms: u64) -> u64 {
        at_ms.saturating_add_signed(self.east_ms) / DAY_MS
    }

    /// Slots since its midnight.
    pub(super) const fn slot_of_day(self, at_ms: u64) -> u64 {
        at_ms.saturating_add_signed(self.east_ms) % DAY_MS / SLOT_MS
    }

    /// Slots from a moment to its next midnight.
    fn slots_to_midnight(self, at: Timestamp) -> usize {
        let passed = usize::try_from(self.slot_of_day(at.0)).unwrap_or(0);
        (SLOTS_PER_DAY - passed) % SLOTS_PER_DAY
    }
}

/// Way in which one unit's demand moves.
#[derive(Clone, Debug)]
pub(super) struct UnitShape {
    /// Busiest hour of an average weekday, Mbps.
    pub(super) peak_mbps: f64,
    /// Degrees east: when it is evening.
    pub(super) longitude: f64,
    /// Shape of its day.
    pub(super) shape: Shape,
    /// Number of its service; special evenings hit one service.
    pub(super) service: usize,
    /// Number of its area.
    pub(super) area: usize,
}

/// A link or a site that carries nothing for a while.
#[derive(Clone, Debug, PartialEq)]
pub struct Outage {
    /// First slot of the month.
    pub from: usize,
    /// First slot after it.
    pub until: usize,
    /// Links concerned.
    pub links: Vec<usize>,
}

/// A month to be played.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Name, for reports.
    pub name: String,
    /// Links, sites, contracts and candidates; demand and prices are filled in slot by slot.
    pub instance: Instance,
    /// Contracts, for the ledger.
    pub inventory: Inventory,
    /// Areas that ask.
    pub areas: usize,
    /// Areas that there are: the others' demand is added to those that ask.
    pub areas_known: usize,
    /// Source of the movement of demand.
    pub traffic: Traffic,
    /// Zone of the month and of forecasts.
    pub zone: UtcOffset,
    /// First moment of the month.
    pub start: Timestamp,
    /// Slots of the month.
    pub slots: usize,
    /// Outages that happen.
    pub outages: Vec<Outage>,
    /// `[slot]` -> `[unit]` Mbps; the first [`HISTORY_DAYS`] lie before the month.
    demand: Vec<Vec<f64>>,
}

/// Options a scenario is drawn with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MonthOptions {
    /// Seed of everything random.
    pub seed: u64,
    /// Days to play; at most those of the month.
    pub days: usize,
    /// Special evenings, when one service is asked for half as much again.
    pub specials: usize,
    /// Link failures and site drains.
    pub outages: usize,
    /// Movement of demand.
    pub traffic: Traffic,
    /// Busiest hours of all units of a configured CDN together, Mbps; what its services assume when
    /// absent.
    pub peak_mbps: Option<f64>,
}

/// Source of the movement of demand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Traffic {
    /// Drawn: a curve by hour for each service, days that differ, short noise.
    #[default]
    Drawn,
    /// Measured: two weeks of a research network, repeated. Special evenings are left out, it has
    /// its own.
    Abilene,
}

impl Default for MonthOptions {
    fn default() -> Self {
        Self {
            seed: 1,
            days: 31,
            specials: 3,
            outages: 12,
            traffic: Traffic::Drawn,
            peak_mbps: None,
        }
    }
}

impl Scenario {
    /// Draws demand and outages for what exists.
    pub(super) fn draw(
        name: &str,
        (instance, inventory): (Instance, Inventory),
        shapes: &[UnitShape],
        options: &MonthOptions,
    ) -> Self {
        let zone = inventory
            .contracts
            .first()
            .map(|contract| contract.utc_offset)
            .unwrap_or_default();
        // November 2026 as the contracts count it.
        let month = zone.month_of(Timestamp(1_795_000_000_000));
        let days = options
            .days
            .clamp(1, usize::try_from(month.days()).unwrap_or(30));
        let slots = days * SLOTS_PER_DAY;
        let clock = Clock::of(shapes);
        let demand = match options.traffic {
            Traffic::Drawn => draw_demand(shapes, (month.start, clock), slots, options),
            Traffic::Abilene => abilene::demand(shapes, (month.start, clock), slots),
        };
        let outages = draw_outages(
            &instance,
            slots,
            clock.slots_to_midnight(month.start),
            options,
        );
        let areas: BTreeSet<usize> = shapes.iter().map(|shape| shape.area).collect();
        Self {
            name: name.to_owned(),
            areas: areas.len(),
            areas_known: areas.len(),
            traffic: options.traffic,
            instance,
            inventory,
            zone,
            start: month.start,
            slots,
            outages,
            demand,
        }
    }

    /// Bandwidth that contracts charge in any case, Mbps.
    #[must_use]
    pub fn commit_mbps(&self) -> f64 {
        let contracts = self.inventory.contracts.iter();
        contracts.map(|contract| contract.commit_mbps).sum()
    }

    /// The most that all units together ask for in a slot of the month, Mbps.
    #[must_use]
    pub fn peak_mbps(&self) -> f64 {
        let total = |slot| self.demand_mbps(slot).iter().sum::<f64>();
        (0..self.slots).map(total).fold(0.0, f64::max)
    }

    /// Days that are played.
    #[must_use]
    pub const fn days(&self) -> usize {
        self.slots / SLOTS_PER_DAY
    }

    /// Days that the month has.
    #[must_use]
    pub fn month_days(&self) -> u64 {
        self.zone.month_of(self.start).days()
    }

    /// Start of a slot of the month; negative ones lie in the history.
    #[must_use]
    pub fn time(&self, slot: i64) -> Timestamp {
        let offset = slot.unsigned_abs() * SLOT_MS;
        if slot < 0 {
            Timestamp(self.start.0.saturating_sub(offset))
        } else {
            Timestamp(self.start.0 + offset)
        }
    }

    /// `[unit]` Mbps that were asked for in a slot of the month.
    #[must_use]
    pub fn demand_mbps(&self, slot: usize) -> &[f64] {
        &self.demand[HISTORY_DAYS * SLOTS_PER_DAY + slot]
    }

    /// Slots before the month, oldest first, with their number.
    pub fn history(&self) -> impl Iterator<Item = (i64, &[f64])> {
        let past = HISTORY_DAYS * SLOTS_PER_DAY;
        let first = -i64::try_from(past).unwrap_or(0);
        (first..0).zip(self.demand.iter().map(Vec::as_slice))
    }

    /// Demand of the slot before; of the month's first slot: the last of the history.
    #[must_use]
    pub fn demand_before(&self, slot: usize) -> &[f64] {
        &self.demand[HISTORY_DAYS * SLOTS_PER_DAY + slot - 1]
    }

    /// The same month with every `step`-th unit alone, which asks for as much more: for tests,
    /// which have little time.
    #[cfg(test)]
    pub(super) fn thinned(mut self, step: usize) -> Self {
        let kept = |unit: &usize| unit.is_multiple_of(step);
        let units = std::mem::take(&mut self.instance.units);
        self.instance.units = units.iter().step_by(step).cloned().collect();
        for demand in &mut self.demand {
            let total: f64 = demand.iter().sum();
            let left: Vec<f64> = (0..demand.len())
                .filter(kept)
                .map(|unit| demand[unit])
                .collect();
            let part = total / left.iter().sum::<f64>();
            *demand = left.iter().map(|mbps| mbps * part).collect();
        }
        self
    }

    /// Links that are out in a slot.
    pub(super) fn out(&self, slot: usize) -> impl Iterator<Item = usize> {
        self.outages
            .iter()
            .filter(move |outage| (outage.from..outage.until).contains(&slot))
            .flat_map(|outage| outage.links.iter().copied())
    }
}

#[expect(clippy::cast_precision_loss, reason = "slots of a month")]
const fn real(n: usize) -> f64 {
    n as f64
}

fn draw_demand(
    shapes: &[UnitShape],
    (start, clock): (Timestamp, Clock),
    slots: usize,
    options: &MonthOptions,
) -> Vec<Vec<f64>> {
    let past = HISTORY_DAYS * SLOTS_PER_DAY;
    let specials = draw_specials(slots, clock.slots_to_midnight(start), options);
    let mut random = Random::new(options.seed ^ 0xd1ce);
    let mut short = vec![0.0; shapes.len()];
    let mut common = 0.0;
    let first_ms = start.0 - past as u64 * SLOT_MS;
    let mut demand = Vec::with_capacity(past + slots);
    for index in 0..past + slots {
        let at_ms = first_ms + index as u64 * SLOT_MS;
        let utc_hour = real(usize::try_from(at_ms % 86_400_000).unwrap_or(0)) / 3_600_000.0;
        let day = index / SLOTS_PER_DAY;
        // Centred steps: the mean of what is kept and what is new has no drift.
        let mut step = |size: f64| size * random.unit().mul_add(2.0, -1.0);
        common = NOISE_KEPT * common + step(NOISE_COMMON_STEP);
        let special = specials
            .iter()
            .find(|(from, until, _)| (*from..*until).contains(&index));
        let of_unit = |(unit, shape): (usize, &UnitShape)| {
            short[unit] = NOISE_KEPT * short[unit] + step(NOISE_STEP);
            let hour = local_hour(utc_hour, shape.longitude);
            let curve = (1.0 - BASE_SHARE).mul_add(shape.shape.at(hour), BASE_SHARE);
            let weekend = if (clock.day(at_ms) + 3) % 7 >= 5 {
                WEEKEND_FACTOR
            } else {
                1.0
            };
            let deviation = DAY_COMMON * noise(options.seed, day as u64, u64::MAX)
                + DAY_AREA * noise(options.seed, day as u64, shape.area as u64);
            let next = DAY_COMMON * noise(options.seed, day as u64 + 1, u64::MAX)
                + DAY_AREA * noise(options.seed, day as u64 + 1, shape.area as u64);
            // From one day's deviation to the next without a step.
            let part = real(index % SLOTS_PER_DAY) / real(SLOTS_PER_DAY);
            let daily = 1.0 + deviation + (next - deviation) * part;
            let extra = special
                .filter(|(_, _, service)| *service == shape.service)
                .map_or(1.0, |(from, until, _)| {
                    1.0 + 0.5
                        * (std::f64::consts::PI * real(index - from) / real(until - from)).sin()
                });
            let growth = 1.0 + GROWTH_PER_DAY * real(day);
            let quick = (1.0 + short[unit] + common).max(0.2);
            shape.peak_mbps * curve * weekend * daily * extra * growth * quick
        };
        demand.push(shapes.iter().enumerate().map(of_unit).collect());
    }
    demand
}

/// Special evenings within the month: 3 hours around 21 h by the clock of those who ask, of one
/// service each.
fn draw_specials(
    slots: usize,
    midnight: usize,
    options: &MonthOptions,
) -> Vec<(usize, usize, usize)> {
    let mut random = Random::new(options.seed ^ 0x5bec);
    let days = (slots / SLOTS_PER_DAY) as u64;
    let mut draw = |_| {
        let day = usize::try_from(random.below(days)).unwrap_or(0) + HISTORY_DAYS;
        let from = day * SLOTS_PER_DAY + (midnight + 20 * 12) % SLOTS_PER_DAY;
        (
            from,
            from + 36,
            usize::try_from(random.below(2)).unwrap_or(0),
        )
    };
    (0..options.specials).map(&mut draw).collect()
}

/// Half of the outages are failures of one link for 1 to 6 hours at any time; half are drains of a
/// site for 2 hours between 9 and 15 h, when people work. Days begin `midnight` slots after those
/// of the month.
fn draw_outages(
    instance: &Instance,
    slots: usize,
    midnight: usize,
    options: &MonthOptions,
) -> Vec<Outage> {
    let mut random = Random::new(options.seed ^ 0xfa11);
    let below = |random: &mut Random, bound: usize| {
        usize::try_from(random.below(bound as u64)).unwrap_or(0)
    };
    let mut draw = |number: usize| {
        if number.is_multiple_of(2) {
            let from = below(&mut random, slots);
            let until = (from + 12 + below(&mut random, 60)).min(slots);
            return Outage {
                from,
                until,
                links: vec![below(&mut random, instance.links.len())],
            };
        }
        let site = &instance.sites[below(&mut random, instance.sites.len())].id;
        let from = below(&mut random, slots / SLOTS_PER_DAY) * SLOTS_PER_DAY
            + (midnight + 108 + below(&mut random, 48)) % SLOTS_PER_DAY;
        let links = (0..instance.links.len())
            .filter(|link| instance.links[*link].site == *site)
            .collect();
        Outage {
            from,
            until: (from + 24).min(slots),
            links,
        }
    };
    (0..options.outages).map(&mut draw).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn evenings_are_where_demand_is() {
        let shape = |longitude, peak_mbps| UnitShape {
            peak_mbps,
            longitude,
            shape: Shape::Evening,
            service: 0,
            area: 0,
        };
        let china = Clock::of(&[shape(113.0, 9.0), shape(121.0, 5.0), shape(-98.0, 1.0)]);
        assert_eq!(china, Clock::from_hours(8));
        // Both sides of the date line are neither noon nor Greenwich.
        let pacific = Clock::of(&[shape(176.0, 1.0), shape(-172.0, 1.0)]);
        assert_eq!(pacific.slot_of_day(DAY_MS), 144);
        // Of a month that begins at midnight in Greenwich, 20 h in China is at noon.
        let midnight = china.slots_to_midnight(Timestamp(1_793_491_200_000));
        assert_eq!((midnight + 240) % SLOTS_PER_DAY, 144);
        assert_eq!(Clock::of(&[shape(-75.0, 1.0)]).day(3_600_000 + DAY_MS), 0);
    }
}
