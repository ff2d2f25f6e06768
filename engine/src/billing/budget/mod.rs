//! Levels and free slots of a month, planned as one linear program over scenes of the time to come.
//!
//! A *scene* stands for many slots with like demand. A *level* is what one contract will be charged
//! for: of a month, or of a day. Traffic above the level is allowed in as many slots as the
//! contract forgives ("tokens"); the program counts them by volume: a slot used up to the capacity
//! spends a whole one. With y the load of a contract, θ its level, e what goes above it, K its
//! capacity, k its tokens, n the slots of a scene:
//!
//! ```text
//!   min  Σ price·θ + Σ n·(latency and volume money)      y <= θ + e,   Σ n·e <= k·(K - θ),   loads <= capacities
//! ```
//! Real slots are used whole or not at all, so this is a relaxation. Its value is a lower bound for
//! every way to serve the same demand, also when slots are merged into scenes by their mean demand:
//! the mean of feasible plans is feasible for it.

mod bound;
mod bundle;
mod method;
mod outlook;
mod primal;
mod program;
mod run;
mod simplex;
mod steps;

use optimizer::Deadline;

pub use method::BudgetOptions;
pub use outlook::{Budget, BudgetError, Level, Outlook, Scene};

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
        let bundled = bundle::take_together(self, options.flows_max);
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
}

#[cfg(test)]
mod tests;
