//! Weighted round robin by capacity.

use super::Baseline;
use super::room::Room;
use checker::CheckFailure;
use coverage::LinkId;
use instance::Instance;
use instance::Shares;

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
        shares.sort_unstable_by_key(|share| share.0);
        shares
    });
    Baseline::of(instance, shares.collect())
}

/// Capacity of every link after the limits above it, in Mbps.
fn weights(instance: &Instance) -> Vec<f64> {
    let room = Room::of(instance, 1.0);
    let mut weights = room.links.clone();
    let mut scale = |limit_mbps: f64, members: &[usize]| {
        let sum: f64 = members.iter().map(|link| weights[*link]).sum();
        if sum > limit_mbps {
            for link in members {
                weights[*link] *= limit_mbps / sum;
            }
        }
    };
    let mut of_site = vec![Vec::new(); room.sites.len()];
    let mut of_region = vec![Vec::new(); room.regions.len()];
    for (link, &site) in room.site_of.iter().enumerate() {
        if let Some(links) = of_site.get_mut(site) {
            links.push(link);
        }
        if let Some(region) = room.region(site) {
            of_region[region].push(link);
        }
    }
    for (limit_mbps, members) in room.sites.iter().zip(&of_site) {
        scale(*limit_mbps, members);
    }
    for (limit_mbps, members) in room.regions.iter().zip(&of_region) {
        scale(*limit_mbps, members);
    }
    weights
}
