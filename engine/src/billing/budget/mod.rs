//! Levels and free slots of a month, planned as one linear program over scenes of the time to come.
//!
//! A *scene* stands for many slots with like demand. A *level* is what one contract will be charged
//! for: of a month (month-95), or of a day (daily-95-mean). Traffic above the level is allowed in
//! as many slots as the contract forgives ("tokens"); the program counts them by volume: a slot
//! used up to the capacity spends a whole one. With y the load of a contract, θ its level, e what
//! goes above it, K its capacity, k its tokens, n the slots of a scene:
//!
//! ```text
//!   min  Σ price·θ + Σ n·(latency and volume money)
//!   with y <= θ + e,   Σ n·e <= k·(K - θ),   loads <= capacities
//! ```
//! Real slots are used whole or not at all, so this is a relaxation. Its value is a lower bound for
//! every way to serve the same demand, also when slots are merged into scenes by their mean demand:
//! the mean of feasible plans is feasible for it.

mod bound;
mod bundle;
mod method;
mod primal;
mod program;
mod run;
mod simplex;
mod steps;

use instance::Instance;
use optimizer::Deadline;

pub use method::BudgetOptions;

/// Slots with like demand, taken together.
#[derive(Clone, Debug, PartialEq)]
pub struct Scene {
    /// Day it belongs to; levels of a day hold for its scenes alone.
    pub day: usize,
    /// Number of slots it stands for.
    pub slots: f64,
    /// `[unit]` -> demand, Mbps.
    pub demand_mbps: Vec<f64>,
}

/// Something that will be charged: the level of a contract over a month or a day.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Level {
    /// Index of the contract.
    pub contract: usize,
    /// The day it holds for; `None`: all scenes.
    pub day: Option<usize>,
    /// CNY per Mbps of the level, for all days that it stands for together.
    pub price_cny_per_mbps: f64,
    /// Charged in any case, Mbps.
    pub min_mbps: f64,
    /// Capacity of the contract, Mbps.
    pub max_mbps: f64,
    /// Slots that may go above, for all days that it stands for together.
    pub tokens: f64,
}

/// The time to be planned.
#[derive(Clone, Debug)]
pub struct Outlook<'a> {
    /// Links, sites, candidates and the value of latency. Its demand and its contracts' prices are
    /// not read.
    pub instance: &'a Instance,
    /// Scenes that will be asked for.
    pub scenes: Vec<Scene>,
    /// `[contract]` -> CNY per Mbps and slot at any level: volume contracts.
    pub volume_cny_per_mbps: Vec<f64>,
    /// Levels that will be charged.
    pub levels: Vec<Level>,
    /// CNY for one Mbps unserved during one slot; far above every other cost.
    pub unserved_cny_per_mbps: f64,
}

/// Reason why an outlook cannot be planned.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum BudgetError {
    /// Nothing is known of the time to come.
    #[error(
        "there is no demand history to plan a month from: let the ledger run for a day, or give last month's levels"
    )]
    NoScenes,
    /// A number that is none.
    #[error("{what} is {value}: give a finite number, 0 or more")]
    NotFinite {
        /// Name of the value.
        what: String,
        /// Value.
        value: f64,
    },
    /// A record that contradicts another one.
    #[error("{what}")]
    Inconsistent {
        /// Fault, and what to do.
        what: String,
    },
    /// There was a better use for the time.
    #[error("planning was given up for something more urgent")]
    GivenUp,
}

/// A planned month.
#[derive(Clone, Debug, PartialEq)]
pub struct Budget {
    /// `[level]` -> Mbps that is worth paying for.
    pub level_mbps: Vec<f64>,
    /// `[level][day]` -> free slots that the plan uses in all days that a day of scenes stands for.
    pub slots_by_day: Vec<Vec<f64>>,
    /// `[level]` -> what a Mbps above the level is worth in one slot, CNY: the value of a token per
    /// Mbps that it opens.
    pub above_cny_per_mbps: Vec<f64>,
    /// Cost of the plan found, CNY: levels, latency, volume.
    pub cost_cny: f64,
    /// Of that, what levels and volume cost, CNY.
    pub money_cny: f64,
    /// No plan costs less, CNY; of units taken together, where there were too many.
    pub lower_bound_cny: f64,
    /// Rounds of the method.
    pub rounds: usize,
}

impl Budget {
    /// Distance of plan and bound, relative to the plan.
    #[must_use]
    pub fn gap(&self) -> f64 {
        (self.cost_cny - self.lower_bound_cny).max(0.0) / self.cost_cny.abs().max(f64::MIN_POSITIVE)
    }
}

impl Outlook<'_> {
    /// Plans the levels. Deterministic; stops at the gap or the number of rounds that `options`
    /// give.
    ///
    /// # Errors
    /// [`BudgetError`] names the record that cannot be planned with.
    pub fn plan(&self, options: &BudgetOptions) -> Result<Budget, BudgetError> {
        self.plan_until(options, &|| false)
    }

    /// The same, unless `deadline` comes first. Between two looks at it lies a step of all flows,
    /// which [`BudgetOptions::flows_max`] bounds.
    ///
    /// # Errors
    /// [`BudgetError`] names the record that cannot be planned with, or says that the deadline
    /// came.
    pub fn plan_until(
        &self,
        options: &BudgetOptions,
        deadline: &dyn Deadline,
    ) -> Result<Budget, BudgetError> {
        self.check()?;
        let bundled = bundle::taken_together(self, options.flows_max);
        let fewer = bundled.as_ref().map(|bundled| Outlook {
            instance: &bundled.instance,
            scenes: bundled.scenes.clone(),
            volume_cny_per_mbps: self.volume_cny_per_mbps.clone(),
            levels: self.levels.clone(),
            unserved_cny_per_mbps: self.unserved_cny_per_mbps,
        });
        let program = program::Program::new(fewer.as_ref().unwrap_or(self));
        method::solve(&program, options, deadline).ok_or(BudgetError::GivenUp)
    }

    fn check(&self) -> Result<(), BudgetError> {
        let finite = |what: &dyn Fn() -> String, value: f64| {
            if value.is_finite() && value >= 0.0 {
                Ok(())
            } else {
                Err(BudgetError::NotFinite {
                    what: what(),
                    value,
                })
            }
        };
        if self.scenes.iter().all(|scene| scene.slots <= 0.0) {
            return Err(BudgetError::NoScenes);
        }
        let wrong = |what: String| Err(BudgetError::Inconsistent { what });
        for (index, scene) in self.scenes.iter().enumerate() {
            finite(&|| format!("number of slots of scene {index}"), scene.slots)?;
            if scene.demand_mbps.len() != self.instance.units.len() {
                return wrong(format!(
                    "scene {index} has {} demands for {} units",
                    scene.demand_mbps.len(),
                    self.instance.units.len()
                ));
            }
            for (unit, mbps) in scene.demand_mbps.iter().enumerate() {
                finite(&|| format!("demand of unit {unit} in scene {index}"), *mbps)?;
            }
        }
        if self.volume_cny_per_mbps.len() != self.instance.contracts.len() {
            return wrong(
                "one volume price per contract is needed, 0 where there is none".to_owned(),
            );
        }
        for level in &self.levels {
            let Some(contract) = self.instance.contracts.get(level.contract) else {
                return wrong(format!(
                    "a level names contract number {}, which does not exist",
                    level.contract
                ));
            };
            if !self
                .instance
                .links
                .iter()
                .any(|link| link.contract == contract.id)
            {
                return wrong(format!(
                    "contract {} has no link: give it one or take it out",
                    contract.id
                ));
            }
            for (what, value) in [
                ("price", level.price_cny_per_mbps),
                ("least level", level.min_mbps),
                ("capacity", level.max_mbps),
                ("number of free slots", level.tokens),
            ] {
                finite(&|| format!("{what} of contract {}", contract.id), value)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
