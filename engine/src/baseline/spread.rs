//! Weighted round robin by capacity.

use super::Baseline;
use checker::CheckFailure;
use coverage::LinkId;
use instance::{Instance, Shares};
use optimizer::{Loads, Problem};

/// Every unit over all its candidates, in proportion to what their links can carry: weighted round
/// robin with static weights. A site's or region's limit counts as the part of it that falls to
/// each link.
///
/// # Errors
/// [`CheckFailure`] when the instance is not valid.
pub fn spread(instance: &Instance) -> Result<Baseline, CheckFailure> {
    let weights = weights(instance);
    let shares = instance.units.iter().map(|unit| {
        let weight = |link: LinkId| weights.get(link.index()).copied().unwrap_or(0.0);
        let total: f64 = unit.cand.iter().map(|cand| weight(cand.0)).sum();
        let mut shares: Shares = (unit.cand.iter())
            .map(|cand| (cand.0, weight(cand.0) / total))
            .filter(|(_, share)| *share > 0.0)
            .collect();
        shares.sort();
        shares
    });
    Baseline::of(instance, shares.collect())
}

/// Capacity of every link after the limits above it, in Mbps.
fn weights(instance: &Instance) -> Vec<f64> {
    let problem = Problem::new(instance);
    let limits = Loads::hard_limits(&problem);
    let mut weights = limits.links;
    let mut scale = |limit_mbps: f64, members: &[LinkId]| {
        let sum: f64 = members.iter().map(|link| weights[link.index()]).sum();
        if sum > limit_mbps {
            for link in members {
                weights[link.index()] *= limit_mbps / sum;
            }
        }
    };
    let mut of_region = vec![Vec::new(); limits.regions.len()];
    for place in problem.places() {
        if let Some(region) = place.region {
            of_region[region.index()].push(place.link);
        }
    }
    for (site, limit) in problem.sites() {
        scale(limit.capacity_mbps, problem.links_of_site(site));
    }
    for (limit_mbps, members) in limits.regions.iter().zip(&of_region) {
        scale(*limit_mbps, members);
    }
    weights
}
