//! What becomes of a plan when answers have weights of 64ths.

use crate::check;
use crate::plan::{Certificate, Instance, Levels, Plan};

/// What rounding onto weights may add to levels 1 to 3, as a share of all demand, before it is told.
const ROUNDING_SHARE: f64 = 1e-6;

/// A plan with shares as answers can have them, and what that rounding costs.
#[derive(Debug)]
pub struct OnWeights {
    /// The plan, every share a multiple of 1/64.
    pub plan: Plan,
    /// Its levels; what does not fit below a hard limit counts as unserved.
    pub levels: Levels,
    /// Relative distance of its level-4 cost to the certified bound; `None` when rounding costs something on a level above.
    pub gap: Option<f64>,
}

impl OnWeights {
    /// Judged by the checker, which shares no code with the rounding.
    pub(super) fn new(instance: &Instance, plan: Plan, certificate: &Certificate) -> Self {
        let levels = as_answered(instance, &plan, 0.0).unwrap_or_default();
        let exact = &certificate.levels;
        let demand: f64 = instance.units.iter().map(|unit| unit.mbps).sum();
        let same = |a: f64, b: f64| a - b <= ROUNDING_SHARE * demand.max(1.0);
        let kept = same(levels.unserved_mbps, exact.unserved_mbps)
            && same(levels.overload_mbps, exact.overload_mbps)
            && same(levels.below_floor_mbps, exact.below_floor_mbps);
        let cost = levels.cost_cny();
        let distance = || match cost > 0.0 {
            true => ((cost - certificate.lower_bound) / cost).max(0.0),
            false => 0.0,
        };
        Self {
            gap: kept.then(distance),
            plan,
            levels,
        }
    }
}

/// The levels of a plan that answers really follow: what is sent beyond a hard limit is as good as unserved. `None` when it
/// names what is gone.
/// Overload counts from this share above the watermarks.
pub(super) fn as_answered(instance: &Instance, plan: &Plan, band: f64) -> Option<Levels> {
    let found = check::measure_beyond(instance, plan, band).ok()?;
    let mut levels = found.levels;
    levels.unserved_mbps += found.over_capacity_mbps;
    Some(levels)
}
