//! The five levels of a plan.

use crate::problem::loads::{Loads, ROUNDING};
use crate::problem::money::{latency_cny_per_mbps, money_step, move_cny_per_mbps};
use crate::problem::requests;
use coverage::LinkId;
use instance::{Instance, Levels, Plan, Unit};

/// Error that the sum of a contract's traffic may have, relative to its free level: no more than
/// this above it is none.
const CHARGED_ROUNDING: f64 = 1e-14;

/// The levels of `plan`.
pub(crate) fn levels(instance: &Instance, plan: &Plan, loads: &Loads) -> Levels {
    let mut levels = Levels::default();
    for (unit, shares) in instance.units.iter().zip(&plan.shares) {
        add_unit(instance, unit, shares, &mut levels);
    }
    for (link, load) in instance.links.iter().zip(&loads.links) {
        levels.overload_mbps += over(*load, link.watermark_mbps());
    }
    for (site, load) in instance.sites.iter().zip(&loads.sites) {
        levels.overload_mbps += over(*load, site.watermark_mbps());
    }
    for (region, load) in instance.regions.iter().zip(&loads.regions) {
        levels.overload_mbps += over(*load, region.watermark_mbps());
    }
    for (contract, load) in instance.contracts.iter().zip(&loads.contracts) {
        let (free_mbps, price) = money_step(instance, contract);
        levels.money_cny += price * charged(*load, free_mbps);
    }
    levels.moving_cny = levels.moved_mbps * move_cny_per_mbps(instance);
    levels.excess_rps = requests::excess_rps(instance, &loads.requests);
    if levels.excess_rps > 0.0 {
        levels.excess_cny = levels.excess_rps * requests::excess_cny_per_rps(instance);
    }
    levels
}

/// A free level with what the sum of the traffic on it may be off; plans and bounds are charged
/// from there, however dear.
pub(crate) fn with_rounding(free_mbps: f64) -> f64 {
    free_mbps * (1.0 + CHARGED_ROUNDING)
}

/// Traffic above a level that is free.
fn charged(load_mbps: f64, free_mbps: f64) -> f64 {
    (load_mbps - with_rounding(free_mbps)).max(0.0)
}

/// Traffic above a watermark; what rounding of sums can produce is none.
fn over(load_mbps: f64, watermark_mbps: f64) -> f64 {
    let excess = load_mbps - watermark_mbps;
    if excess > ROUNDING * watermark_mbps.max(1.0) {
        excess
    } else {
        0.0
    }
}

/// Tells whether quality is above a unit's latency limit.
pub(crate) fn is_late(unit: &Unit, quality_ms: f64) -> bool {
    unit.latency_limit_ms
        .is_some_and(|limit| quality_ms > limit)
}

fn add_unit(instance: &Instance, unit: &Unit, shares: &[(LinkId, f64)], levels: &mut Levels) {
    let mut served = 0.0;
    for &(link, share) in shares {
        served += share;
        let mbps = share * unit.mbps;
        let Some(&(_, quality_ms)) = unit.cand.iter().find(|c| c.0 == link) else {
            continue;
        };
        levels.latency_cny += mbps * latency_cny_per_mbps(instance, quality_ms);
        if is_late(unit, quality_ms) {
            levels.late_mbps += mbps;
        }
        if !unit.incumbent.is_empty() {
            let stay = unit.incumbent.on(link);
            levels.moved_mbps += unit.mbps * (share - stay).max(0.0);
        }
    }
    // Shares are quotients of integers; their sum may miss 1 by a few roundings.
    if served < 1.0 - 1e-12 {
        levels.unserved_mbps += unit.mbps * (1.0 - served);
    }
}
