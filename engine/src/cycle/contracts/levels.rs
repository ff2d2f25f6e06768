//! Levels by the day: planned on another thread, kept over restarts.

use super::Contracts;
use crate::billing::budget::{Budget, BudgetError, BudgetOptions, Level, Outlook, Scene};
use crate::cycle::Engine;
use crate::health::Health;
use crate::limits::Limits;
use crate::plan::Instance;
use coverage::Timestamp;
use serde::{Deserialize, Serialize};

/// Version of what is kept.
const KEPT_VERSION: u32 = 1;

/// One meter's plan, as it is kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Kept {
    /// Name of the meter.
    meter: String,
    /// Level, Mbps.
    level_mbps: f64,
    /// Worth of a Mbps above it in one slot, CNY.
    above_cny_per_mbps: f64,
    /// Free slots for the day.
    slots_today: f64,
}

/// All that is kept of a plan.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct State {
    version: u32,
    planned_at: Timestamp,
    levels: Vec<Kept>,
}

/// Levels that wait to be planned.
#[derive(Debug)]
pub struct LevelsJob {
    at: Timestamp,
    instance: Box<Instance>,
    scenes: Vec<Scene>,
    volume_cny_per_mbps: Vec<f64>,
    levels: Vec<Level>,
    unserved_cny_per_mbps: f64,
    options: BudgetOptions,
}

/// What came of a [`LevelsJob`].
#[derive(Debug)]
pub struct PlannedLevels {
    at: Timestamp,
    levels: Vec<Level>,
    found: Result<Budget, BudgetError>,
}

impl LevelsJob {
    /// Plans the levels. The result is a function of the job.
    #[must_use]
    pub fn run(self) -> PlannedLevels {
        let outlook = Outlook {
            instance: &self.instance,
            scenes: self.scenes,
            volume_cny_per_mbps: self.volume_cny_per_mbps,
            levels: self.levels,
            unserved_cny_per_mbps: self.unserved_cny_per_mbps,
        };
        let found = outlook.plan(&self.options);
        PlannedLevels {
            at: self.at,
            levels: outlook.levels,
            found,
        }
    }
}

impl Contracts {
    /// Whether a day has begun that no levels were planned for, and enough is known to plan it.
    fn wants_levels(&self, now: Timestamp) -> bool {
        let day = self.zone.day_of(now).start;
        self.control.is_some() && self.planned_day != Some(day) && self.forecast.knows_a_day()
    }

    /// Acts on the levels of today.
    fn follow(&mut self, levels: Vec<Level>, budget: &Budget, planned_at: Timestamp) {
        let kept = |(index, level): (usize, &Level)| {
            let today = level.day.is_none_or(|day| day == 0);
            today.then(|| Kept {
                meter: self.ledger.terms(level.meter).name.clone(),
                level_mbps: budget.level_mbps[index],
                above_cny_per_mbps: budget.above_cny_per_mbps[index],
                slots_today: budget.slots_by_day[index].first().copied().unwrap_or(0.0),
            })
        };
        self.kept = levels.iter().enumerate().filter_map(kept).collect();
        self.planned_at = Some(planned_at);
        let outlook = Outlook {
            instance: &self.bare,
            scenes: Vec::new(),
            volume_cny_per_mbps: Vec::new(),
            levels,
            unserved_cny_per_mbps: 0.0,
        };
        if let Some(control) = &mut self.control {
            control.follow(&self.ledger, &outlook, budget, 0, planned_at);
        }
        // The slot under way goes on under the new levels.
        if let Some(slot) = self.slot.take() {
            let start = slot.start;
            self.open(start, start);
        }
    }

    /// The levels in force as text, to be kept over a restart; `None` while there are none.
    #[must_use]
    pub fn kept_levels(&self) -> Option<String> {
        let state = State {
            version: KEPT_VERSION,
            planned_at: self.planned_at?,
            levels: self.kept.clone(),
        };
        serde_json::to_string(&state).ok()
    }

    /// Takes back levels that were kept, if they belong to the month that holds `now`. Returns whether they do. What does
    /// not read, or names meters that are gone, is left out: levels are then planned anew after a day.
    fn restore_levels(&mut self, text: &str, now: Timestamp) -> bool {
        let Ok(state) = serde_json::from_str::<State>(text) else {
            return false;
        };
        let of_this_month = self.zone.month_of(state.planned_at) == self.zone.month_of(now);
        if state.version != KEPT_VERSION || state.planned_at > now || !of_this_month {
            return false;
        }
        let sane = |kept: &&Kept| {
            let numbers = [kept.level_mbps, kept.above_cny_per_mbps, kept.slots_today];
            numbers.iter().all(|n| n.is_finite() && *n >= 0.0)
        };
        let known = state.levels.iter().filter(sane).filter_map(|kept| {
            let mut meters = 0..self.ledger.meters();
            let meter = meters.find(|&meter| self.ledger.terms(meter).name == kept.meter)?;
            Some((meter, kept))
        });
        let known: Vec<(usize, &Kept)> = known.collect();
        let level = |&(meter, kept): &(usize, &Kept)| Level {
            meter,
            day: None,
            price_cny_per_mbps: 0.0,
            min_mbps: 0.0,
            max_mbps: kept.level_mbps,
            tokens: 0.0,
        };
        let levels: Vec<Level> = known.iter().map(level).collect();
        let budget = Budget {
            level_mbps: known.iter().map(|(_, kept)| kept.level_mbps).collect(),
            slots_by_day: known
                .iter()
                .map(|(_, kept)| vec![kept.slots_today])
                .collect(),
            above_cny_per_mbps: known.iter().map(|(_, k)| k.above_cny_per_mbps).collect(),
            cost_cny: 0.0,
            money_cny: 0.0,
            lower_bound_cny: 0.0,
            rounds: 0,
        };
        let any = !levels.is_empty();
        self.follow(levels, &budget, state.planned_at);
        self.planned_day = Some(self.zone.day_of(state.planned_at).start);
        any
    }
}

impl Engine {
    /// Levels to be planned at `now`: once a day, as soon as a day was seen. It takes seconds; run it where there is time.
    pub fn levels_job(&mut self, now: Timestamp) -> Option<LevelsJob> {
        if !self.contracts.wants_levels(now) {
            return None;
        }
        let contracts = &self.contracts;
        let zone = contracts.zone;
        let horizon = contracts.forecast.horizon(now, zone.month_of(now).end)?;
        // What is out today is not out for the month.
        let health = Health::all_well(&self.inventory);
        let instance = self.facts(&health, None).instance(&Limits::default(), now);
        let control = contracts.control.as_ref()?;
        let outlook = control.outlook(&contracts.ledger, &instance, &horizon, now);
        let Outlook {
            scenes,
            volume_cny_per_mbps,
            levels,
            unserved_cny_per_mbps,
            ..
        } = outlook;
        self.contracts.planned_day = Some(zone.day_of(now).start);
        Some(LevelsJob {
            at: now,
            instance: Box::new(instance),
            scenes,
            volume_cny_per_mbps,
            levels,
            unserved_cny_per_mbps,
            options: self.options.billing.budget,
        })
    }

    /// Acts on planned levels. Returns whether there are new ones to be kept; a plan that failed leaves those of before,
    /// and is tried again on the next day.
    pub fn adopt_levels(&mut self, planned: PlannedLevels) -> bool {
        match planned.found {
            Ok(budget) => {
                self.contracts.fault.clear();
                self.contracts.follow(planned.levels, &budget, planned.at);
                true
            }
            Err(fault) => {
                self.contracts.fault = fault.to_string();
                false
            }
        }
    }

    /// Takes back what [`Contracts::kept_levels`] gave before a restart. Returns whether it was of use.
    pub fn restore_levels(&mut self, text: &str, now: Timestamp) -> bool {
        self.contracts.restore_levels(text, now)
    }
}
