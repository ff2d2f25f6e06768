//! The baselines on the same instance and candidates, each beside the plan.

use super::Failure;
use checker::CheckFailure;
use engine::baseline::{self, Baseline};
use instance::{Instance, Levels};
use serde_json::{Map, Value, json};

/// Cost of demand without a place where costs are compared all the same, equivalent ms.
const UNSERVED_MS: f64 = 400.0;
/// Parts of the problem for POP.
const PARTS: u32 = 8;
/// Seed of orders and parts.
const SEED: u64 = 1;

/// Names of the baselines, in the order of the report.
pub(super) const BASELINES: [&str; 6] = ["stable", "rank", "spread", "nearest", "cost", "pop-8"];

/// Returns what each baseline costs, as multiples of what `ours` does: per Mbps served, and with
/// what is unserved or does not fit charged at 400 ms. A baseline that serves or fits less is too
/// cheap in the first; both levels stand beside it. None of them but POP knows of requests; what
/// they send beyond the limits on these is not held against them.
pub(super) fn measure(instance: &Instance, ours: &Levels) -> Result<Value, Failure> {
    let demand_mbps: f64 = instance.units.iter().map(|unit| unit.mbps).sum();
    let charge_cny = UNSERVED_MS * instance.value_cny_per_gbps_ms_slot / 1e3;
    let cost_cny = |levels: &Levels| levels.cost_cny() - levels.excess_cny;
    let served_cny = |levels: &Levels| cost_cny(levels) / (demand_mbps - levels.unserved_mbps);
    let judge = |found: &Baseline| {
        let levels = &found.levels;
        // Limits of links and of their sites may both be exceeded by the same traffic.
        let over_mbps = found
            .over_capacity_mbps
            .min(demand_mbps - levels.unserved_mbps);
        let fits = 1.0 - over_mbps / (demand_mbps - levels.unserved_mbps);
        let lost_cny = (levels.unserved_mbps + over_mbps) * charge_cny;
        let charged = cost_cny(levels).mul_add(fits, lost_cny);
        json!({
            "cost_ratio": served_cny(levels) / served_cny(ours),
            "charged_ratio": charged / (cost_cny(ours) + ours.unserved_mbps * charge_cny),
            "unserved_share": levels.unserved_mbps / demand_mbps,
            "overload_share": levels.overload_mbps / demand_mbps,
            "below_floor_share": levels.late_mbps / demand_mbps,
            "over_capacity_share": found.over_capacity_mbps / demand_mbps,
        })
    };
    let found: [Result<Baseline, CheckFailure>; 6] = [
        baseline::stable(instance),
        baseline::rank_and_fill(instance, SEED),
        baseline::spread(instance),
        baseline::nearest(instance),
        baseline::cost_and_spill(instance, SEED),
        baseline::pop(instance, PARTS, SEED),
    ];
    let mut figures = Map::new();
    for (name, found) in BASELINES.into_iter().zip(found) {
        figures.insert(name.to_owned(), judge(&found?));
    }
    Ok(Value::Object(figures))
}
