//! Records of a plan: the time to come, what is found for it, and what may be wrong with it.

use instance::Instance;

/// Slots with like demand, taken together.
#[derive(Clone, Debug, PartialEq)]
pub struct Scene {
    /// Day that it belongs to; levels of a day hold for its scenes alone.
    pub day: usize,
    /// Number of slots that it stands for.
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
    /// Expected demand.
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
        /// Number that is meant.
        what: String,
        /// Value that was given.
        value: f64,
    },
    /// A record that contradicts another one.
    #[error("{what}")]
    Inconsistent {
        /// Contradiction, and what to do about it.
        what: String,
    },
    /// There was a better use for the time.
    #[error("planning was given up for something more urgent")]
    GivenUp,
}

/// A planned month.
///
/// ```
/// let budget = engine::billing::budget::Budget {
///     level_mbps: vec![80.0],
///     slots_by_day: vec![vec![4.0]],
///     above_cny_per_mbps: vec![0.1],
///     cost_cny: 100.0,
///     money_cny: 90.0,
///     lower_bound_cny: 99.0,
///     rounds: 50,
/// };
/// assert!((budget.gap() - 0.01).abs() < 1e-12);
/// ```
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
    /// Checks that the records fit each other and hold finite numbers.
    pub(super) fn check(&self) -> Result<(), BudgetError> {
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
                    "meter {} has no link: give it one or take it out",
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
