//! What plans put on links and sites, and what differs between two.

use super::step::Ground;
use crate::plan::{Instance, Plan};

/// Traffic of a unit that `target` wants on links, or beyond shares, that it does not have now, Mbps.
pub(super) fn moved_mbps(
    instance: &Instance,
    unit: usize,
    now: &[(u32, f64)],
    target: &Plan,
) -> f64 {
    let gained = |&(link, share): &(u32, f64)| (share - share_on(now, link)).max(0.0);
    instance.units[unit].mbps * target.shares[unit].iter().map(gained).sum::<f64>()
}

/// Loads of links and sites, Mbps; links that do not exist carry nothing.
pub(super) fn loads(ground: Ground<'_>, shares: &[Vec<(u32, f64)>]) -> (Vec<f64>, Vec<f64>) {
    let mut links = vec![0.0; ground.instance.links.len()];
    let mut sites = vec![0.0; ground.instance.sites.len()];
    for (unit, shares) in ground.instance.units.iter().zip(shares) {
        for &(link, share) in shares {
            if let Some(load) = links.get_mut(link as usize) {
                *load += unit.mbps * share;
                sites[ground.site_of[link as usize]] += unit.mbps * share;
            }
        }
    }
    (links, sites)
}

/// [site] -> its region, when that has limits.
pub(super) fn regions(instance: &Instance) -> Vec<Option<usize>> {
    let of = |site: &crate::plan::Site| {
        let same = |region: &crate::plan::Region| region.id == site.region;
        instance.regions.iter().position(same)
    };
    instance.sites.iter().map(of).collect()
}

/// Loads of limited regions, Mbps, from those of sites.
pub(super) fn regions_mbps(
    instance: &Instance,
    region_of: &[Option<usize>],
    sites_mbps: &[f64],
) -> Vec<f64> {
    let mut regions = vec![0.0; instance.regions.len()];
    for (region, load) in region_of.iter().zip(sites_mbps) {
        if let Some(region) = *region {
            regions[region] += load;
        }
    }
    regions
}

/// Share of a unit on a link.
pub(super) fn share_on(shares: &[(u32, f64)], link: u32) -> f64 {
    shares.iter().find(|s| s.0 == link).map_or(0.0, |s| s.1)
}
