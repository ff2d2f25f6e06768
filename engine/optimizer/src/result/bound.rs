//! The lower bound on the first four levels.
//!
//! It is the Lagrangian dual in the lexicographic order. With prices `p` on links, sites, regions
//! and contracts, no plan is below `sum_u mbps_u * min_j (cost_uj + sum of p on its path) -
//! sum_rows max_y (p_row * y - cost_row(y))`, where costs are vectors over the levels and `min` and
//! `max` compare from the first level on.

use crate::problem::index::Problem;
use crate::problem::levels::with_rounding;
use crate::problem::money::{money_step, move_cny_per_mbps};
use crate::problem::prices::{UNSERVED_PRICE, add, less, path_prices, staying_cost};
use crate::problem::requests;
use instance::{Duals, Instance, LevelBound, Price, Unit};

/// The dual value at `duals`: a lower bound whatever they are.
pub(crate) fn bound(problem: &Problem<'_>, duals: &Duals) -> LevelBound {
    let instance = problem.instance;
    let paths = path_prices(problem, duals);
    let mut value = [0.0; 4];
    let mut stays = Vec::new();
    let requests = requests::by_link(problem, &duals.requests);
    for unit in &instance.units {
        let prices = (&paths[..], &requests[..]);
        bound_unit(instance, unit, prices, &mut stays, &mut value);
    }
    let excess_cny = requests::excess_cny_per_rps(instance);
    for (site, &price) in instance.sites.iter().zip(&duals.requests) {
        value[3] -= requests::conjugate(site, price, excess_cny);
    }
    let over = Price {
        overload: 1,
        ..Price::default()
    };
    let links = instance.links.iter().zip(&duals.links);
    for (link, &price) in links {
        let (soft, hard) = (link.watermark_mbps(), link.capacity_mbps);
        conjugate(&mut value, price, soft, hard, over);
    }
    for (site, &price) in instance.sites.iter().zip(&duals.sites) {
        let (soft, hard) = (site.watermark_mbps(), site.capacity_mbps);
        conjugate(&mut value, price, soft, hard, over);
    }
    for (region, &price) in instance.regions.iter().zip(&duals.regions) {
        let (soft, hard) = (region.watermark_mbps(), region.capacity_mbps);
        conjugate(&mut value, price, soft, hard, over);
    }
    for ((id, contract), &price) in problem.contracts().zip(&duals.contracts) {
        let ports = problem.ports_mbps(problem.links_of_contract(id));
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
        let here = staying_cost(instance, unit, quality_ms);
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
        let beyond = less(price, step);
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
