//! The first tier: when what may be used shrinks, what stood on it moves at once, and nothing else
//! does.
//!
//! Three things take traffic off a part: it is gone (a failure, a drain that is through), it may no
//! longer serve the service, or its capacity fell below what stands on it, which sheds the
//! difference. What lost its place goes through [`optimizer::relieve`] as an instance of its own,
//! over the room that all others leave, at the prices of the last solve.

mod bench;

use crate::limits::Limits;
use crate::model::Facts;
use bench::Bench;
use coverage::LinkId;
use instance::{Changes, Duals, Instance, Plan, Shares};
use std::mem;

/// What the first tier makes of the plan in force.
#[derive(Debug)]
pub(super) struct Relieved {
    /// What differs from the plan in force.
    pub(super) changed: Changes,
    /// `[site]`: what the plan with these changes puts there.
    pub(super) sites_mbps: Vec<f64>,
}

/// Moves what `in_force` has on parts that are gone or too full under `limits`. `ground` tells
/// demand and candidates, `duals` are prices for it. `None` when the result is worse on levels 1 to
/// 3 than leaving what is lost unserved, or when `in_force` does not belong to `ground`.
///
/// Neither is copied: what is said about other units than those that move is read where it stands.
/// `ground` is left as it was.
pub(super) fn relieved(
    facts: &Facts<'_>,
    limits: &Limits,
    ground: &mut Instance,
    duals: &Duals,
    in_force: &Plan,
) -> Option<Relieved> {
    if in_force.shares.len() != ground.units.len() {
        return None;
    }
    let was = Rates::capacities(ground);
    let links = mem::replace(&mut ground.links, facts.links(limits));
    let sites = mem::replace(&mut ground.sites, facts.sites(limits));
    let regions = mem::replace(&mut ground.regions, facts.regions(limits));
    let mut bench = Bench::new(facts, limits, ground, in_force);
    bench.shed(&was);
    let relieved = bench.replaced(duals).map(|changed| Relieved {
        sites_mbps: bench.sites_with(&changed),
        changed,
    });
    let kept = bench.loads;
    // Rounding may have put a little too much somewhere; that is no reason to leave others where
    // they are lost.
    raise_to(ground, &kept);
    let fits = |relieved: &Relieved| {
        let changed = &relieved.changed;
        changed.is_empty() || checker::fits(ground, in_force, changed).is_ok()
    };
    let relieved = relieved.filter(fits);
    (ground.links, ground.sites, ground.regions) = (links, sites, regions);
    relieved
}

/// Raises hard limits to what is carried already.
fn raise_to(ground: &mut Instance, loads: &Rates) {
    for (link, load) in ground.links.iter_mut().zip(&loads.links_mbps) {
        link.capacity_mbps = link.capacity_mbps.max(*load);
    }
    for region in &mut ground.regions {
        let load = loads.region_mbps(&ground.sites, &region.id);
        region.capacity_mbps = region.capacity_mbps.max(load);
    }
    for (site, load) in ground.sites.iter_mut().zip(&loads.sites_mbps) {
        site.capacity_mbps = site.capacity_mbps.max(*load);
    }
}

/// Whether a plan is feasible and at least as good on levels 1 to 3, in their order, as one that
/// serves nobody.
fn better_than_nothing(instance: &Instance, plan: &Plan) -> bool {
    let nothing = Plan {
        shares: vec![Shares::new(); plan.shares.len()],
        input_digest: String::new(),
    };
    let levels = |plan: &Plan| {
        let levels = checker::evaluate(instance, plan).ok()?.levels;
        Some([levels.unserved_mbps, levels.overload_mbps, levels.late_mbps])
    };
    let (Some(with), Some(without)) = (levels(plan), levels(&nothing)) else {
        return false;
    };
    with <= without
}

/// [link], [site], Mbps: capacities or loads.
struct Rates {
    links_mbps: Vec<f64>,
    sites_mbps: Vec<f64>,
}

impl Rates {
    fn capacities(ground: &Instance) -> Self {
        let links = ground.links.iter().map(|link| link.capacity_mbps);
        let sites = ground.sites.iter().map(|site| site.capacity_mbps);
        Self {
            links_mbps: links.collect(),
            sites_mbps: sites.collect(),
        }
    }

    fn none(ground: &Instance) -> Self {
        Self {
            links_mbps: vec![0.0; ground.links.len()],
            sites_mbps: vec![0.0; ground.sites.len()],
        }
    }

    /// Adds to a link and its site.
    fn add(&mut self, facts: &Facts<'_>, link: LinkId, mbps: f64) {
        let site = facts.inventory.links[link.index()].site.index();
        self.links_mbps[link.index()] += mbps;
        self.sites_mbps[site] += mbps;
    }

    /// Sum over the sites of a region, Mbps.
    fn region_mbps(&self, sites: &[instance::Site], region: &str) -> f64 {
        let loads = sites.iter().zip(&self.sites_mbps);
        let here = loads.filter(|(site, _)| site.region == region);
        here.map(|(_, load)| load).sum()
    }
}
