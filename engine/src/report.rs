//! Reports of ticks, as data for people and programs.

use crate::billing::ContractState;
use crate::cycle::{LastSolve, Tier};
use coverage::Timestamp;
use instance::Levels;
use serde::Serialize;

/// The newest tick.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct CycleReport {
    /// Time of the tick, ms since 1970.
    pub at: Timestamp,
    /// `published` or the word for why the map stayed, such as `no-gain`.
    pub outcome: String,
    /// The same in a sentence.
    pub detail: String,
    /// Tier of the answer that `outcome` speaks of; `None` when nothing was to be found.
    pub tier: Option<Tier>,
    /// Version of the map in force, `epoch.version`; empty before the first.
    pub map_version: String,
    /// Digest of the map in force.
    pub map_digest: String,
    /// Time at which the map in force was published, ms since 1970.
    pub map_created_at: Timestamp,
    /// Time that the tier took, from its input to a checked plan, ms.
    pub solve_ms: f64,
    /// Demand of all units, Mbps.
    pub demand_mbps: f64,
    /// Worth of the newest plan; `None` when nothing was solved yet.
    pub plan: Option<PlanSummary>,
    /// Levels of the map in force under the same input.
    pub incumbent: Option<Levels>,
    /// Regions whose health reports were not believed.
    pub failed_open: Vec<String>,
    /// Nodes that were taken for down because they alone of their site say nothing.
    pub silent_nodes: Vec<String>,
    /// State of contracts.
    #[serde(rename = "meters")]
    pub contracts: Vec<ContractState>,
    /// Reason why the levels of contracts are not planned; empty when they are, or will be after a
    /// day.
    pub levels_fault: String,
}

/// The certificate of the newest plan, without its duals.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PlanSummary {
    /// Time at which its input was taken, ms since 1970.
    pub at: Timestamp,
    /// Tier that solved it.
    pub tier: Tier,
    /// Level-4 cost, CNY per slot.
    pub objective: f64,
    /// No plan as good on levels 1 to 3 costs less, CNY per slot.
    pub lower_bound: f64,
    /// `(objective - lower_bound) / objective`.
    pub gap: f64,
    /// Levels of the plan.
    pub levels: Levels,
    /// Least movement that was possible, Mbps; `None` where it was not searched for.
    pub moved_min_possible_mbps: Option<f64>,
    /// Levels of the map made of it, with weights of 64ths; what does not fit counts as
    /// unserved.
    pub on_weights: Levels,
    /// Relative distance of that to `lower_bound`; `None` when rounding costs something on levels 1
    /// to 3.
    pub on_weights_gap: Option<f64>,
    /// Units that are split.
    pub split_units: usize,
    /// Digest of the instance.
    pub input_digest: String,
}

impl CycleReport {
    /// Fills in what was solved last.
    #[must_use]
    pub fn with_solve(mut self, last: Option<&LastSolve>) -> Self {
        let Some(last) = last else { return self };
        let certificate = &last.certificate;
        self.demand_mbps = last.instance.units.iter().map(|unit| unit.mbps).sum();
        self.incumbent = last.incumbent;
        self.plan = Some(PlanSummary {
            at: last.at,
            tier: last.tier,
            objective: certificate.objective,
            lower_bound: certificate.lower_bound,
            gap: certificate.gap,
            levels: certificate.levels,
            moved_min_possible_mbps: certificate.moved_min_possible_mbps,
            on_weights: last.weights.levels,
            on_weights_gap: last.weights.gap,
            split_units: certificate.split_units,
            input_digest: certificate.input_digest.clone(),
        });
        self
    }
}
