//! The five levels of a plan, and the lower bound on the first four.
//!
//! The bound is the Lagrangian dual in the lexicographic order. With prices `p` on links, sites and
//! contracts, no plan is below `sum_u mbps_u * min_j (cost_uj + p_link + p_site + p_contract) - sum_rows
//! max_y (p_row * y - cost_row(y))`, where costs are vectors over the levels and `min` and `max`
//! compare from the first level on.

use crate::network::arcs::money_step;
use crate::network::scale::latency_cny_per_mbps;
use crate::problem::requests;
use crate::problem::topology::Topology;
use coverage::LinkId;
use instance::{Duals, LevelBound, Levels, Plan, Price};
use instance::{Instance, Unit};

/// What sums of many shares may be above a limit that they fill exactly, relative to it.
pub(crate) const ROUNDING: f64 = 1e-9;

/// What the sum of a contract's traffic may be off, relative to its free level: no more than this
/// above it is none.
const CHARGED_ROUNDING: f64 = 1e-14;

/// Traffic of a plan by link, site, region and contract, in Mbps, and its requests.
#[derive(Debug, Clone, Default)]
pub(crate) struct Loads {
    pub(crate) links: Vec<f64>,
    pub(crate) sites: Vec<f64>,
    pub(crate) regions: Vec<f64>,
    pub(crate) contracts: Vec<f64>,
    /// `[site]`: requests per second.
    pub(crate) requests: Vec<f64>,
}

impl Loads {
    /// Adds up `plan`.
    pub(crate) fn of(instance: &Instance, topology: &Topology, plan: &Plan) -> Self {
        let mut loads = Self {
            links: vec![0.0; instance.links.len()],
            sites: vec![0.0; instance.sites.len()],
            regions: vec![0.0; instance.regions.len()],
            contracts: vec![0.0; instance.contracts.len()],
            requests: requests::loads(instance, topology, plan),
        };
        for (unit, shares) in instance.units.iter().zip(&plan.shares) {
            for &(link, share) in shares {
                loads.links[link.index()] += share * unit.mbps;
            }
        }
        for (link, &load) in loads.links.iter().enumerate() {
            if let Some(site) = topology.site_of[link] {
                loads.sites[site] += load;
                if let Some(region) = topology.region_of[site] {
                    loads.regions[region] += load;
                }
            }
            if let Some(contract) = topology.contract_of[link] {
                loads.contracts[contract] += load;
            }
        }
        loads
    }
}

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
fn with_rounding(free_mbps: f64) -> f64 {
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

fn add_unit(instance: &Instance, unit: &Unit, shares: &[(LinkId, f64)], levels: &mut Levels) {
    let mut served = 0.0;
    for &(link, share) in shares {
        served += share;
        let mbps = share * unit.mbps;
        let Some(&(_, quality_ms)) = unit.cand.iter().find(|c| c.0 == link) else {
            continue;
        };
        levels.latency_cny += mbps * latency_cny_per_mbps(instance, quality_ms);
        if unit
            .latency_limit_ms
            .is_some_and(|floor| quality_ms > floor)
        {
            levels.late_mbps += mbps;
        }
        if !unit.incumbent.is_empty() {
            let stay = unit
                .incumbent
                .iter()
                .find(|i| i.0 == link)
                .map_or(0.0, |i| i.1);
            levels.moved_mbps += unit.mbps * (share - stay).max(0.0);
        }
    }
    // Shares are quotients of integers; their sum may miss 1 by a few roundings.
    if served < 1.0 - 1e-12 {
        levels.unserved_mbps += unit.mbps * (1.0 - served);
    }
}

/// Sum of two prices.
pub(crate) fn add(a: Price, b: Price) -> Price {
    Price {
        unserved: a.unserved.saturating_add(b.unserved),
        overload: a.overload.saturating_add(b.overload),
        late: a.late.saturating_add(b.late),
        cny_per_mbps: a.cny_per_mbps + b.cny_per_mbps,
    }
}

/// What moving one Mbps costs, in CNY per slot.
pub(crate) fn move_cny_per_mbps(instance: &Instance) -> f64 {
    latency_cny_per_mbps(instance, instance.move_cost_ms)
}

/// Price of a path by link: its own, its site's, its region's and its contract's.
pub(crate) fn path_price(topology: &Topology, duals: &Duals, link: usize) -> Price {
    let site = topology.site_of[link].map_or_else(Price::default, |s| duals.sites[s]);
    let region = region_price(topology, duals, link);
    let contract = topology.contract_of[link].map_or_else(Price::default, |m| duals.contracts[m]);
    add(add(duals.links[link], site), add(region, contract))
}

/// Price of the region that a link is in.
pub(crate) fn region_price(topology: &Topology, duals: &Duals, link: usize) -> Price {
    let region = topology.site_of[link].and_then(|site| topology.region_of[site]);
    region.map_or_else(Price::default, |region| duals.regions[region])
}

/// Cost of one Mbps of `unit` at candidate `(link, quality)`, before any price; with the move when
/// the link does not serve it now.
pub(crate) fn own_cost(
    instance: &Instance,
    unit: &Unit,
    (link, quality_ms): (LinkId, f64),
) -> Price {
    let moves = !unit.incumbent.is_empty() && unit.incumbent.iter().all(|i| i.0 != link);
    let move_cny = if moves {
        move_cny_per_mbps(instance)
    } else {
        0.0
    };
    Price {
        late: i32::from(
            unit.latency_limit_ms
                .is_some_and(|floor| quality_ms > floor),
        ),
        cny_per_mbps: latency_cny_per_mbps(instance, quality_ms) + move_cny,
        ..Price::default()
    }
}

/// Cost of one Mbps left unserved.
pub(crate) const UNSERVED_PRICE: Price = Price {
    unserved: 1,
    overload: 0,
    late: 0,
    cny_per_mbps: 0.0,
};

/// The dual value at `duals`: a lower bound whatever they are.
pub(crate) fn bound(instance: &Instance, topology: &Topology, duals: &Duals) -> LevelBound {
    let paths: Vec<Price> = (0..instance.links.len())
        .map(|l| path_price(topology, duals, l))
        .collect();
    let mut value = [0.0; 4];
    let mut stays = Vec::new();
    let requests = requests::by_link(topology, &duals.requests);
    for unit in &instance.units {
        let prices = (&paths[..], &requests[..]);
        bound_unit(instance, unit, prices, &mut stays, &mut value);
    }
    let excess_cny = requests::excess_cny_per_rps(instance);
    for (site, &price) in instance.sites.iter().zip(&duals.requests) {
        value[3] -= requests::conjugate(site, price, excess_cny);
    }
    for (link, &price) in instance.links.iter().zip(&duals.links) {
        let step = Price {
            overload: 1,
            ..Price::default()
        };
        conjugate(
            &mut value,
            price,
            link.watermark_mbps(),
            link.capacity_mbps,
            step,
        );
    }
    for (site, &price) in instance.sites.iter().zip(&duals.sites) {
        let step = Price {
            overload: 1,
            ..Price::default()
        };
        conjugate(
            &mut value,
            price,
            site.watermark_mbps(),
            site.capacity_mbps,
            step,
        );
    }
    for (region, &price) in instance.regions.iter().zip(&duals.regions) {
        let step = Price {
            overload: 1,
            ..Price::default()
        };
        let (breakpoint, end) = (region.watermark_mbps(), region.capacity_mbps);
        conjugate(&mut value, price, breakpoint, end, step);
    }
    for (index, (contract, &price)) in instance.contracts.iter().zip(&duals.contracts).enumerate() {
        let links = &topology.links_of_contract[index];
        let ports: f64 = links.iter().map(|&l| instance.links[l].capacity_mbps).sum();
        let (free_mbps, money) = money_step(instance, contract);
        let step = Price {
            cny_per_mbps: money,
            ..Price::default()
        };
        let breakpoint = with_rounding(free_mbps).min(ports);
        conjugate(&mut value, price, breakpoint, ports, step);
    }
    LevelBound {
        unserved_mbps: value[0],
        overload_mbps: value[1],
        late_mbps: value[2],
        cost_cny: value[3],
    }
}

/// Adds what `unit` costs at least at these path prices: what stays fills the cheapest links up to
/// the share that they have now, the rest goes where it is cheapest with the move. `stays` is
/// scratch space.
fn bound_unit(
    instance: &Instance,
    unit: &Unit,
    (paths, requests): (&[Price], &[f64]),
    stays: &mut Vec<(Price, f64)>,
    value: &mut [f64; 4],
) {
    let mut best = UNSERVED_PRICE;
    stays.clear();
    let move_cny = move_cny_per_mbps(instance);
    let settled = move_cny > 0.0 && !unit.incumbent.is_empty();
    for &(link, quality_ms) in &unit.cand {
        let here = Price {
            late: i32::from(
                unit.latency_limit_ms
                    .is_some_and(|floor| quality_ms > floor),
            ),
            cny_per_mbps: latency_cny_per_mbps(instance, quality_ms),
            ..Price::default()
        };
        let mut price = add(here, paths[link.index()]);
        price.cny_per_mbps += requests::price_per_mbps(unit, requests, link);
        if settled {
            if let Some(&(_, share)) = unit.incumbent.iter().find(|i| i.0 == link) {
                stays.push((price, share));
            }
            price.cny_per_mbps += move_cny;
        }
        if price < best {
            best = price;
        }
    }
    let mut rest = 1.0;
    stays.sort_unstable_by(|a, b| a.0.partial_cmp(&b.0).unwrap_or(std::cmp::Ordering::Equal));
    for &(price, share) in stays.iter().filter(|stay| stay.0 < best) {
        let share = share.min(rest);
        accumulate(value, price, share * unit.mbps);
        rest -= share;
    }
    accumulate(value, best, rest * unit.mbps);
}

/// Subtracts `max over 0 <= y <= end of price * y - step * max(0, y - breakpoint)`.
///
/// The maximum of a concave piecewise-linear function is where its slope turns from positive to not
/// positive: the slope is `price` up to the breakpoint and `price - step` after it.
fn conjugate(value: &mut [f64; 4], price: Price, breakpoint: f64, end: f64, step: Price) {
    let zero = Price::default();
    if price > zero {
        accumulate(value, price, -breakpoint);
        let beyond = Price {
            unserved: price.unserved - step.unserved,
            overload: price.overload - step.overload,
            late: price.late - step.late,
            cny_per_mbps: price.cny_per_mbps - step.cny_per_mbps,
        };
        if beyond > zero {
            accumulate(value, beyond, -(end - breakpoint));
        }
    }
}

fn accumulate(value: &mut [f64; 4], price: Price, mbps: f64) {
    value[0] += f64::from(price.unserved) * mbps;
    value[1] += f64::from(price.overload) * mbps;
    value[2] += f64::from(price.late) * mbps;
    value[3] += price.cny_per_mbps * mbps;
}
