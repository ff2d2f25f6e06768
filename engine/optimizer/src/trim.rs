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

use crate::problem::levels::Loads;
use crate::problem::topology::Topology;
use coverage::LinkId;
use instance::{Instance, Plan, Shares};

/// Excess up to this share of a limit, or of 1 Mbps, is left: half of what the checker forgives.
const TOLERANCE: f64 = 5e-10;

/// A share this small is a quantum, or what rounding has left of none.
const DUST: f64 = 1e-12;

/// What a unit's shares come to.
pub(crate) fn total(shares: &[(LinkId, f64)]) -> f64 {
    shares.iter().map(|share| share.1).sum()
}

/// Gives what is missing of `whole` without the shares up to `dust` to the largest one.
pub(crate) fn sweep(shares: &mut Shares, whole: f64, dust: f64) {
    shares.retain(|share| share.1 > dust);
    let rest = whole - total(shares);
    if let Some(largest) = shares.iter_mut().max_by(|a, b| a.1.total_cmp(&b.1)) {
        largest.1 = (largest.1 + rest).min(1.0);
    }
}

/// Makes `plan` keep all hard limits to [`TOLERANCE`], without dust.
pub(crate) fn trim(input: &Instance, topology: &Topology, plan: &mut Plan) {
    for shares in &mut plan.shares {
        let whole = total(shares);
        sweep(shares, whole, DUST);
    }
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
    for (link, share) in plan.shares.iter_mut().flat_map(|shares| shares.iter_mut()) {
        *share *= kept[link.index()];
    }
}
