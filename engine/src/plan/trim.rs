//! The last rounding: shares of quanta are shares of demand, and a quantum is missing from each unit.
//!
//! Each unit loses less than a quantum of demand when it is counted in quanta, and gets it back when its quanta become shares. A
//! limit that is filled exactly by very many very small units would then be exceeded by one quantum for each of them.
//! Where that is more than a checker forgives, their shares shrink by as much: parts in a thousand million.

use super::input::Instance;
use super::levels::Loads;
use super::result::Plan;
use super::topology::Topology;

/// Excess up to this share of a limit, or of 1 Mbps, is left: half of what the checker forgives.
const TOLERANCE: f64 = 5e-10;

/// Makes `plan` keep all hard limits to [`TOLERANCE`].
pub(super) fn trim(input: &Instance, topology: &Topology, plan: &mut Plan) {
    let loads = Loads::of(input, topology, plan);
    let keep = |capacity: f64, load: f64| {
        if load > capacity + TOLERANCE * capacity.max(1.0) {
            capacity / load
        } else {
            1.0
        }
    };
    let links = input.links.iter().zip(&loads.links);
    let mut kept: Vec<f64> = links
        .map(|(link, &load)| keep(link.capacity_mbps, load))
        .collect();
    for (link, kept) in kept.iter_mut().enumerate() {
        let Some(site) = topology.site_of[link] else {
            continue;
        };
        *kept = kept.min(keep(input.sites[site].capacity_mbps, loads.sites[site]));
        if let Some(region) = topology.region_of[site] {
            let limit = input.regions[region].capacity_mbps;
            *kept = kept.min(keep(limit, loads.regions[region]));
        }
    }
    if kept.iter().all(|&kept| kept >= 1.0) {
        return;
    }
    for (link, share) in plan.shares.iter_mut().flatten() {
        *share *= kept[*link as usize];
    }
}
