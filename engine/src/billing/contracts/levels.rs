//! Levels by the day: planned on another thread, kept over restarts.

use super::Contracts;
use crate::billing::budget::{Budget, BudgetError, BudgetOptions, Level, Outlook, Scene};
use coverage::Timestamp;
use instance::Instance;
use optimizer::Deadline;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Version of what is kept.
const KEPT_VERSION: u32 = 1;
/// Time after which what could not be planned is tried again, and not before.
const RETRY_AFTER: Duration = Duration::from_mins(10);

/// Plan of one contract, as it is kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Kept {
    /// Name of the contract.
    #[serde(rename = "meter")]
    contract: String,
    /// Level, Mbps.
    level_mbps: f64,
    /// Worth of a Mbps above it in one slot, CNY.
    above_cny_per_mbps: f64,
    /// Free slots for the day.
    slots_today: f64,
    /// Of them, how many were spent since it was planned; 0 where that was not kept.
    #[serde(default)]
    spent_today: f64,
}

/// State of all plans, as it is kept.
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

/// Outcome of a [`LevelsJob`].
#[derive(Debug)]
pub struct PlannedLevels {
    at: Timestamp,
    levels: Vec<Level>,
    found: Result<Budget, BudgetError>,
}

/// Outcome of planning levels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum LevelsOutcome {
    /// Levels that are acted on.
    Planned {
        /// Certified distance to the optimum, as a share of the plan's cost.
        gap: f64,
        /// Rounds of the method.
        rounds: usize,
    },
    /// Something more urgent came; those of before stay, and it is tried again.
    GivenUp,
    /// Planning failed, [`Contracts::fault`] says why; the levels of before stay, and it is
    /// tried again.
    Failed,
}

impl LevelsOutcome {
    /// In a word, for logs and counters.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Planned { .. } => "planned",
            Self::GivenUp => "given-up",
            Self::Failed => "failed",
        }
    }
}

impl LevelsJob {
    /// Plans the levels. The result is a function of the job, unless `deadline` gives it up.
    #[must_use]
    pub fn run(self, deadline: Option<&dyn Deadline>) -> PlannedLevels {
        let outlook = Outlook {
            instance: &self.instance,
            scenes: self.scenes,
            volume_cny_per_mbps: self.volume_cny_per_mbps,
            levels: self.levels,
            unserved_cny_per_mbps: self.unserved_cny_per_mbps,
        };
        let found = outlook.plan_until(&self.options, deadline.unwrap_or(&|| false));
        PlannedLevels {
            at: self.at,
            levels: outlook.levels,
            found,
        }
    }
}

impl Contracts {
    /// Tells whether a day has begun that no levels were planned for, and enough is known to plan
    /// it.
    pub(crate) fn wants_levels(&self, now: Timestamp) -> bool {
        let day = self.zone.day_of(now).start;
        // A clock that was set back does not make it wait for longer.
        let waits = |failed: Timestamp| failed <= now && now.since(failed) < RETRY_AFTER;
        self.control.is_some()
            && self.planned_day != Some(day)
            && !self.levels_failed_at.is_some_and(waits)
            && self.forecast.knows_a_day()
    }

    /// Notes that levels were not planned, so that it is tried again.
    fn plan_again(&mut self, now: Timestamp) {
        self.planned_day = None;
        self.levels_failed_at = Some(now);
    }

    /// Acts on the levels of today.
    fn follow(&mut self, levels: Vec<Level>, budget: &Budget, planned_at: Timestamp) {
        let kept = |(index, level): (usize, &Level)| {
            let today = level.day.is_none_or(|day| day == 0);
            today.then(|| Kept {
                contract: self.ledger.terms(level.contract).name.clone(),
                level_mbps: budget.level_mbps[index],
                above_cny_per_mbps: budget.above_cny_per_mbps[index],
                slots_today: budget.slots_by_day[index].first().copied().unwrap_or(0.0),
                spent_today: 0.0,
            })
        };
        self.kept = levels.iter().enumerate().filter_map(kept).collect();
        self.planned_at = Some(planned_at);
        self.unkept = true;
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

    /// The levels in force as text, to be kept over a restart, when there is something new in it
    /// since the last call.
    pub(crate) fn take_levels(&mut self) -> Option<String> {
        let planned_at = self.planned_at?;
        if !std::mem::take(&mut self.unkept) {
            return None;
        }
        let now = |kept: &Kept| Kept {
            spent_today: self.spent_today(&kept.contract),
            ..kept.clone()
        };
        let state = State {
            version: KEPT_VERSION,
            planned_at,
            levels: self.kept.iter().map(now).collect(),
        };
        serde_json::to_string(&state).ok()
    }

    /// Free slots that a contract has spent of those for the day; 0 without a plan.
    fn spent_today(&self, contract: &str) -> f64 {
        let control = self.control.as_ref();
        let spent = self
            .place_of(contract)
            .zip(control)
            .map(|(at, c)| c.spent_today(at));
        spent.unwrap_or(0.0)
    }

    /// Index of the contract with a name.
    fn place_of(&self, name: &str) -> Option<usize> {
        (0..self.ledger.contracts()).find(|&contract| self.ledger.terms(contract).name == name)
    }

    /// Takes back levels that were kept, if they belong to the month that holds `now`. Returns
    /// whether they do. What does not read, or names contracts that are gone, is left out: levels
    /// are then planned anew after a day.
    pub(crate) fn restore_levels(&mut self, text: &str, now: Timestamp) -> bool {
        let Ok(state) = serde_json::from_str::<State>(text) else {
            return false;
        };
        let of_this_month = self.zone.month_of(state.planned_at) == self.zone.month_of(now);
        if state.version != KEPT_VERSION || state.planned_at > now || !of_this_month {
            return false;
        }
        let sane = |kept: &&Kept| {
            let numbers = [
                kept.level_mbps,
                kept.above_cny_per_mbps,
                kept.slots_today,
                kept.spent_today,
            ];
            numbers.iter().all(|n| n.is_finite() && *n >= 0.0)
        };
        let known = state
            .levels
            .iter()
            .filter(sane)
            .filter_map(|kept| Some((self.place_of(&kept.contract)?, kept)));
        let known: Vec<(usize, &Kept)> = known.collect();
        let level = |&(contract, kept): &(usize, &Kept)| Level {
            contract,
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
        let spent: Vec<(usize, f64)> = known.iter().map(|(m, k)| (*m, k.spent_today)).collect();
        self.follow(levels, &budget, state.planned_at);
        self.unkept = false;
        if let Some(control) = &mut self.control {
            for (contract, slots) in spent {
                control.note_spent(contract, slots);
            }
        }
        self.planned_day = Some(self.zone.day_of(state.planned_at).start);
        any
    }

    /// Levels to be planned at `now` for an instance in which nothing is out; only where
    /// [`Self::wants_levels`].
    pub(crate) fn levels_job(
        &mut self,
        now: Timestamp,
        options: BudgetOptions,
        instance: Instance,
    ) -> Option<LevelsJob> {
        let horizon = self.forecast.horizon(now, self.zone.month_of(now).end)?;
        let control = self.control.as_ref()?;
        let outlook = control.outlook(&self.ledger, &instance, &horizon, now);
        let Outlook {
            scenes,
            volume_cny_per_mbps,
            levels,
            unserved_cny_per_mbps,
            ..
        } = outlook;
        self.planned_day = Some(self.zone.day_of(now).start);
        Some(LevelsJob {
            at: now,
            instance: Box::new(instance),
            scenes,
            volume_cny_per_mbps,
            levels,
            unserved_cny_per_mbps,
            options,
        })
    }

    /// Acts on planned levels at `now`. A plan that failed or was given up leaves those of before,
    /// and is tried again ten minutes later.
    pub(crate) fn adopt_levels(&mut self, planned: PlannedLevels, now: Timestamp) -> LevelsOutcome {
        match planned.found {
            Ok(budget) => {
                self.fault.clear();
                self.levels_failed_at = None;
                self.follow(planned.levels, &budget, planned.at);
                LevelsOutcome::Planned {
                    gap: budget.gap(),
                    rounds: budget.rounds,
                }
            }
            Err(BudgetError::GivenUp) => {
                self.plan_again(now);
                LevelsOutcome::GivenUp
            }
            Err(fault) => self.fail_levels(fault.to_string(), now),
        }
    }

    /// Notes at `now` that levels could not be planned, and why.
    pub(crate) fn fail_levels(&mut self, why: String, now: Timestamp) -> LevelsOutcome {
        self.fault = why;
        self.plan_again(now);
        LevelsOutcome::Failed
    }
}
