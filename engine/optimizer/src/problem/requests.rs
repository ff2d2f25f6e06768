//! The second resource of a site: requests per second, which are split like traffic.
//!
//! A unit brings as many requests per Mbps as it has, so a limit on them is no capacity of the
//! network. It is a row of its own, priced from outside like a contract that cuts across sites: a
//! unit's arcs carry the price times its requests per Mbps. What no plan can keep below the limit
//! is charged; the charge is far above every other cost of level 4, so that it is paid only where
//! levels 1 to 3 leave no other way.

use crate::problem::index::Problem;
use crate::problem::loads::ROUNDING;
use crate::problem::money::{latency_cny_per_mbps, money_step};
use coverage::{LinkId, SiteId};
use instance::{Instance, Site, Unit};

/// Factor by which a Mbps with the usual requests is dearer above the limit than anywhere else.
const EXCESS_FACTOR: f64 = 100.0;

/// An excess that is no more than this part of all requests is the rounding of sums.
const ROUNDED_SHARE: f64 = 1e-12;

/// Error that one sum of requests may have, relative to [`ROUNDING`].
const SUM_SHARE: f64 = 1e-3;

/// Requests per second that one Mbps of a unit brings.
pub(crate) fn per_mbps(unit: &Unit) -> f64 {
    if unit.mbps > 0.0 {
        unit.rps / unit.mbps
    } else {
        0.0
    }
}

/// Charge for one request per second above a limit, in CNY per slot: for the mean mix of
/// traffic and requests, per Mbps, [`EXCESS_FACTOR`] times the worst quality, a move and the
/// dearest contract together. 0 when there are no requests.
pub(crate) fn excess_cny_per_rps(instance: &Instance) -> f64 {
    let asking = instance.units.iter().filter(|unit| unit.rps > 0.0);
    let (mbps, rps) = asking.fold((0.0, 0.0), |sum, unit| {
        (sum.0 + unit.mbps, sum.1 + unit.rps)
    });
    if rps <= 0.0
        || instance
            .sites
            .iter()
            .all(|site| site.capacity_rps.is_none())
    {
        return 0.0;
    }
    let path_cny = dearest_cny_per_mbps(instance);
    // Where everything is free, the charge must not be.
    let path_cny = if path_cny > 0.0 { path_cny } else { 1.0 };
    EXCESS_FACTOR * path_cny * mbps / rps
}

/// The worst quality, a move and the dearest contract together, in CNY per Mbps and slot.
fn dearest_cny_per_mbps(instance: &Instance) -> f64 {
    let qualities = instance.units.iter().flat_map(|unit| &unit.cand);
    let worst_ms = worst(qualities.map(|cand| cand.1));
    let contracts = instance.contracts.iter();
    let dearest_cny = worst(contracts.map(|contract| money_step(instance, contract).1));
    latency_cny_per_mbps(instance, worst_ms + instance.move_cost_ms) + dearest_cny
}

/// Excess of sites over their limits at these loads, in requests per second; no more than the
/// rounding of all is none.
pub(crate) fn excess_rps(instance: &Instance, loads: &[f64]) -> f64 {
    let over =
        |(site, load): (&Site, &f64)| free_rps(site).map_or(0.0, |free| (load - free).max(0.0));
    let excess: f64 = instance.sites.iter().zip(loads).map(over).sum();
    let all = || instance.units.iter().map(|unit| unit.rps).sum::<f64>();
    if excess > 0.0 && excess > ROUNDED_SHARE * all() {
        excess
    } else {
        0.0
    }
}

fn worst(figures: impl Iterator<Item = f64>) -> f64 {
    figures.fold(0.0, f64::max)
}

/// `[site]` -> where it is full, if all requests that may come to it are more than that.
pub(crate) fn limits_that_bind(problem: &Problem<'_>) -> Vec<Option<f64>> {
    let sites = problem.instance.sites.iter().zip(reachable(problem));
    sites
        .map(|(site, reachable)| filled_rps(site).filter(|&limit| reachable > limit))
        .collect()
}

/// Most that one Mbps of any unit may be charged for its requests, where that may come to be: 0
/// where no limit can bind.
pub(crate) fn dearest_excess_cny_per_mbps(problem: &Problem<'_>) -> f64 {
    let charge = excess_cny_per_rps(problem.instance);
    if charge <= 0.0 {
        return 0.0;
    }
    let limits = limits_that_bind(problem);
    let is_limited =
        |&(link, _): &(LinkId, f64)| limits[problem.place(link).site.index()].is_some();
    let units = problem.instance.units.iter();
    let limited = units.filter(|unit| unit.cand.iter().any(is_limited));
    charge * worst(limited.map(per_mbps))
}

/// `[site]` -> requests per second of all units that may go there.
fn reachable(problem: &Problem<'_>) -> Vec<f64> {
    let mut reachable = vec![0.0; problem.instance.sites.len()];
    let mut seen = vec![usize::MAX; problem.instance.sites.len()];
    for (index, unit) in problem.instance.units.iter().enumerate() {
        for &(link, _) in &unit.cand {
            let site = problem.place(link).site.index();
            if seen[site] != index {
                seen[site] = index;
                reachable[site] += unit.rps;
            }
        }
    }
    reachable
}

/// Prices of sites as prices of their links.
pub(crate) fn by_link(problem: &Problem<'_>, prices: &[f64]) -> Vec<f64> {
    let price = |site: SiteId| prices.get(site.index()).copied().unwrap_or(0.0);
    let places = problem.places().iter();
    places.map(|place| price(place.site)).collect()
}

/// Cost of the requests of one Mbps on a link at these prices of links, in CNY.
pub(crate) fn price_per_mbps(unit: &Unit, prices: &[f64], link: LinkId) -> f64 {
    let price = prices.get(link.index()).copied().unwrap_or(0.0);
    if price > 0.0 {
        price * per_mbps(unit)
    } else {
        0.0
    }
}

/// Requests per second that a site has without charge: its limit, and what sums of many shares may
/// be above one that they fill exactly.
pub(crate) fn free_rps(site: &Site) -> Option<f64> {
    above_limit(site, ROUNDING)
}

/// Requests per second at which a site is full: so little below what is free that only the sum of
/// the requests is sure not to be charged.
pub(crate) fn filled_rps(site: &Site) -> Option<f64> {
    above_limit(site, ROUNDING * (1.0 - SUM_SHARE))
}

fn above_limit(site: &Site, by: f64) -> Option<f64> {
    let limit = site.capacity_rps;
    limit.map(|limit| limit + by * limit.max(1.0))
}

/// `max over y >= 0 of price * y - charge * max(0, y - free)`: what a site could make of its price.
/// A price above the charge has no maximum and proves nothing.
pub(crate) fn conjugate(site: &Site, price: f64, charge: f64) -> f64 {
    match free_rps(site) {
        Some(free) if price <= charge => price * free,
        _ if price == 0.0 => 0.0,
        _ => f64::INFINITY,
    }
}
