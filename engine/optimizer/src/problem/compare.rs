//! Comparison of two plans.

use crate::problem::index::Problem;
use crate::problem::levels::levels;
use crate::problem::loads::Loads;
use instance::Plan;
use std::cmp::Ordering;

/// Distance within which figures of two plans count as equal.
#[derive(Clone, Copy)]
pub(crate) struct Tolerance {
    /// Of all demand, or of 1 Mbps.
    mbps_share: f64,
    /// Of the cost.
    cny_share: f64,
    /// In CNY per slot, where the cost is next to nothing.
    cny: f64,
}

/// Distance by which sums differ for the order in which they are added up.
pub(crate) const EQUAL: Tolerance = Tolerance {
    mbps_share: 1e-10,
    cny_share: 1e-10,
    cny: 1e-10,
};

/// Distance by which a basic solution differs for the dust that it leaves out; requests that it
/// brings above a limit are charged many times over.
pub(crate) const OF_A_BASIC_SOLUTION: Tolerance = Tolerance {
    mbps_share: 5e-10,
    cny_share: 1e-7,
    cny: 1e-9,
};

/// The order of two plans by the first four levels; the better one is less.
pub(crate) fn compare(problem: &Problem<'_>, a: &Plan, b: &Plan) -> Ordering {
    within(EQUAL, problem, a, b)
}

/// The same, where figures that differ by no more than `tolerance` are equal.
pub(crate) fn within(tolerance: Tolerance, problem: &Problem<'_>, a: &Plan, b: &Plan) -> Ordering {
    let figures = |plan: &Plan| {
        let loads = Loads::of(problem, &plan.shares);
        let levels = levels(problem.instance, plan, &loads);
        let mbps = [levels.unserved_mbps, levels.overload_mbps, levels.late_mbps];
        (mbps, levels.cost_cny())
    };
    let (a, b) = (figures(a), figures(b));
    let demand: f64 = problem.instance.units.iter().map(|u| u.mbps).sum();
    let mbps = tolerance.mbps_share * demand.max(1.0);
    let cny = tolerance.cny.max(tolerance.cny_share * b.1.abs());
    let pairs = a.0.iter().zip(&b.0).map(|(a, b)| (a, b, mbps));
    for (a, b, tolerance) in pairs.chain([(&a.1, &b.1, cny)]) {
        if (a - b).abs() > tolerance {
            return a.total_cmp(b);
        }
    }
    Ordering::Equal
}

/// Counts units in more than one place.
pub(crate) fn split_units(plan: &Plan) -> usize {
    plan.shares.iter().filter(|shares| shares.len() > 1).count()
}
