//! The last rounding: dust is swept up, and hard limits are kept to the last digits.
//!
//! What is left of a share that has ended is a quantum or the rounding of a sum. It goes to the
//! largest share of its unit, so that no unit is split for it; where there is no other, it is
//! unserved.
//!
//! Shares of quanta are shares of demand, and a quantum is missing from each unit: it loses less
//! than a quantum of demand when it is counted in quanta, and gets it back when its quanta become
//! shares. A limit that is filled exactly by very many very small units would then be exceeded by
//! one quantum for each of them. Where that is more than a checker forgives, their shares shrink by
//! as much: parts in a thousand million.

use crate::problem::dust::sweep;
use crate::problem::index::{Place, Problem};
use crate::problem::loads::Loads;
use instance::Plan;

/// Excess up to this share of a limit, or of 1 Mbps, is left: half of what the checker forgives.
const TOLERANCE: f64 = 5e-10;

/// A share this small is a quantum, or what rounding has left of none.
const DUST: f64 = 1e-12;

/// Makes `plan` keep all hard limits to [`TOLERANCE`], without dust.
pub(crate) fn trim(problem: &Problem<'_>, plan: &mut Plan) {
    for shares in &mut plan.shares {
        let whole = shares.total();
        sweep(shares, whole, DUST);
    }
    let loads = Loads::of(problem, &plan.shares);
    let keep = |capacity: f64, load: f64| {
        if load > capacity + TOLERANCE * capacity.max(1.0) {
            capacity / load
        } else {
            1.0
        }
    };
    let limits = Loads::hard_limits(problem);
    let kept = |place: &Place| {
        let pairs = limits.at(*place).into_iter().zip(loads.at(*place));
        let kept = pairs.map(|(limit, load)| keep(limit, load));
        kept.fold(1.0, f64::min)
    };
    let kept: Vec<f64> = problem.places().iter().map(kept).collect();
    if kept.iter().all(|&kept| kept >= 1.0) {
        return;
    }
    for (link, share) in plan.shares.iter_mut().flat_map(|shares| shares.iter_mut()) {
        *share *= kept[link.index()];
    }
}
