//! The certificate of a plan: its levels, the bound that prices prove, and the gap between them.

use crate::problem::compare::split_units;
use crate::problem::index::Problem;
use crate::problem::levels;
use crate::problem::loads::Loads;
use crate::result::bound;
use instance::{
    BindingRow, Certificate, Duals, Instance, LevelBound, Levels, Plan, Price, RowKind,
};

/// Most binding rows listed in a certificate; the duals hold all of them.
const BINDING_ROWS_MAX: usize = 10_000;

/// Relative slack taken off the cost bound for rounding.
const ROUNDING_SLACK: f64 = 1e-10;

/// Differences on levels 1 to 3 below this share of all demand are rounding.
const LEVEL_TOLERANCE: f64 = 1e-9;

/// Money prices below this are rounding, in CNY per Mbps.
const PRICE_EPSILON_CNY: f64 = 1e-12;

/// Costs below this are roundings of loads that fill a free level exactly, in CNY per slot.
const COST_EPSILON_CNY: f64 = 1e-9;

/// Knowledge of the least movement.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Least {
    /// Exactly this, in Mbps.
    Exactly(f64),
    /// At least this, in Mbps, less what has to be unserved.
    Beyond(f64),
    /// Nothing: nobody asked, or the deadline came first.
    Unknown,
}

impl Least {
    /// The bound on the movement of plans that leave `unserved_mbps`.
    pub(crate) fn mbps(self, unserved_mbps: f64) -> Option<f64> {
        match self {
            Self::Exactly(mbps) => Some(mbps),
            Self::Beyond(mbps) => Some((mbps - unserved_mbps).max(0.0)),
            Self::Unknown => None,
        }
    }
}

/// The certificate of `plan` at `duals`.
pub(crate) fn certify(
    problem: &Problem<'_>,
    plan: &Plan,
    duals: Duals,
    moved: Least,
) -> Certificate {
    let instance = problem.instance;
    let loads = Loads::of(problem, &plan.shares);
    let levels = levels::levels(instance, plan, &loads);
    let mut bound = bound::bound(problem, &duals);
    let objective = levels.cost_cny();
    // Directed slack: the sums above may be off by their roundings, a bound must not be. Nothing
    // costs less than nothing.
    let slack = ROUNDING_SLACK * (bound.cost_cny.abs() + objective);
    bound.cost_cny = (bound.cost_cny - slack).max(0.0);
    let demand: f64 = instance.units.iter().map(|u| u.mbps).sum();
    if bound.unserved_mbps < -LEVEL_TOLERANCE * demand.max(1.0) {
        // Prices of a search that was stopped can say less than nothing.
        bound = LevelBound::default();
    }
    let (gap_level, gap) = gap(demand, &levels, &bound);
    forget_unproved(&mut bound, gap_level);
    let binding = binding(instance, &loads, &duals);
    Certificate {
        objective,
        lower_bound: bound.cost_cny,
        gap,
        gap_level,
        levels,
        bound,
        moved_min_possible_mbps: moved.mbps(levels.unserved_mbps),
        split_units: split_units(plan),
        duals,
        binding,
        input_digest: plan.input_digest.clone(),
    }
}

/// A bound counts from the first level on: behind one that is not met it says no more than that
/// nothing is below 0.
fn forget_unproved(bound: &mut LevelBound, gap_level: u8) {
    if gap_level < 2 {
        bound.overload_mbps = 0.0;
    }
    if gap_level < 3 {
        bound.late_mbps = 0.0;
    }
    if gap_level < 4 {
        bound.cost_cny = 0.0;
    }
}

/// The first level on which plan and bound differ by more than rounding, and by how much.
fn gap(demand: f64, levels: &Levels, bound: &LevelBound) -> (u8, f64) {
    let upper = [
        (levels.unserved_mbps, bound.unserved_mbps),
        (levels.overload_mbps, bound.overload_mbps),
        (levels.late_mbps, bound.late_mbps),
    ];
    for (level, (plan, bound)) in (1..).zip(upper) {
        if plan - bound > LEVEL_TOLERANCE * demand.max(1.0) {
            return (level, (plan - bound) / demand);
        }
    }
    (4, cost_gap(levels.cost_cny(), bound.cost_cny))
}

/// Relative distance of a cost to its bound, both in CNY per slot. A cost of nothing has none.
pub fn cost_gap(cost_cny: f64, bound_cny: f64) -> f64 {
    if cost_cny > COST_EPSILON_CNY {
        ((cost_cny - bound_cny) / cost_cny).max(0.0)
    } else {
        0.0
    }
}

/// Rows with a price, dearest first; equal prices in the order links, sites, regions, contracts,
/// requests, index.
fn binding(instance: &Instance, loads: &Loads, duals: &Duals) -> Vec<BindingRow> {
    let mut rows = Vec::new();
    let links = instance.links.iter().map(|l| &l.id);
    let sites = instance.sites.iter().map(|s| &s.id);
    let regions = instance.regions.iter().map(|r| &r.id);
    let contracts = instance.contracts.iter().map(|m| &m.id);
    gather(&mut rows, RowKind::Link, links, &loads.links, &duals.links);
    gather(&mut rows, RowKind::Site, sites, &loads.sites, &duals.sites);
    gather(
        &mut rows,
        RowKind::Region,
        regions,
        &loads.regions,
        &duals.regions,
    );
    gather(
        &mut rows,
        RowKind::Contract,
        contracts,
        &loads.contracts,
        &duals.contracts,
    );
    let requests: Vec<Price> = (duals.requests.iter())
        .map(|&cny_per_mbps| Price {
            cny_per_mbps,
            ..Price::default()
        })
        .collect();
    let sites = instance.sites.iter().map(|s| &s.id);
    gather(
        &mut rows,
        RowKind::Requests,
        sites,
        &loads.requests,
        &requests,
    );
    rows.sort_by(|a, b| {
        b.price
            .partial_cmp(&a.price)
            .unwrap_or(std::cmp::Ordering::Equal)
    });
    rows.truncate(BINDING_ROWS_MAX);
    rows
}

fn gather<'a>(
    rows: &mut Vec<BindingRow>,
    kind: RowKind,
    ids: impl Iterator<Item = &'a String>,
    loads: &[f64],
    prices: &[Price],
) {
    for ((id, &load_mbps), &price) in ids.zip(loads).zip(prices) {
        if price
            > (Price {
                cny_per_mbps: PRICE_EPSILON_CNY,
                ..Price::default()
            })
        {
            rows.push(BindingRow {
                kind,
                id: id.clone(),
                load_mbps,
                price,
            });
        }
    }
}
