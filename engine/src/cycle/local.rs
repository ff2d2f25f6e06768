//! The first tier: when what may be used shrinks, what stood on it moves at once, and nothing else does.
//!
//! Three things take traffic off a part: it is gone (a failure, a drain that is through), it may no longer serve the service,
//! or its capacity fell below what stands on it, which sheds the difference. What lost its place goes through [`crate::plan::relieve`] as
//! an instance of its own, over the room that all others leave, at the prices of the last solve.

mod bench;

use crate::check;
use crate::limits::Limits;
use crate::model::Facts;
use crate::plan::{self, Duals, Instance, Plan};
use bench::Bench;
use std::mem;

/// A unit and its new shares, by rising link.
type Moved = (usize, Vec<(u32, f64)>);

/// What the first tier makes of the plan in force.
#[derive(Debug)]
pub(super) struct Relieved {
    /// The plan in force with the changes in it.
    pub(super) plan: Plan,
    /// Units that changed, rising.
    pub(super) changed: Vec<usize>,
}

/// Moves what `in_force` has on parts that are gone or too full under `limits`. `ground` tells demand and candidates,
/// `duals` are prices for it. `None` when the result is worse on levels 1 to 3 than leaving what is lost unserved, or
/// when `in_force` does not belong to `ground`.
///
/// `ground` is left as it was; it is borrowed so that nothing of its size is copied.
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
    let was = Capacities::of(ground.links.iter(), ground.sites.iter());
    let links = mem::replace(&mut ground.links, facts.links(limits));
    let sites = mem::replace(&mut ground.sites, facts.sites(limits));
    let regions = mem::replace(&mut ground.regions, facts.regions(limits));
    let mut bench = Bench::new(facts, limits, ground, in_force);
    bench.shed(&was);
    let moves = bench.replaced(duals);
    let Bench { kept, lost, .. } = bench;
    let mut plan = Plan {
        shares: kept,
        input_digest: String::new(),
    };
    // Rounding may have put a little too much somewhere; that is no reason to leave others where they are lost.
    let loads = loads(facts, ground, &plan.shares);
    raise_to(ground, &loads);
    let changed: Vec<usize> = lost.into_keys().collect();
    let sound = moves.is_some_and(|moves| {
        for (unit, shares) in moves {
            plan.shares[unit] = shares;
        }
        changed.is_empty() || check::fits(ground, &plan, &changed).is_ok()
    });
    (ground.links, ground.sites, ground.regions) = (links, sites, regions);
    sound.then_some(Relieved { plan, changed })
}

/// Raises hard limits to what is carried already.
fn raise_to(ground: &mut Instance, loads: &Capacities) {
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

/// Whether a plan is feasible and at least as good on levels 1 to 3, in their order, as one that serves nobody.
fn better_than_nothing(instance: &Instance, plan: &Plan) -> bool {
    let nothing = Plan {
        shares: vec![Vec::new(); plan.shares.len()],
        input_digest: String::new(),
    };
    let levels = |plan: &Plan| {
        let levels = check::evaluate(instance, plan).ok()?.levels;
        Some([
            levels.unserved_mbps,
            levels.overload_mbps,
            levels.below_floor_mbps,
        ])
    };
    let (Some(with), Some(without)) = (levels(plan), levels(&nothing)) else {
        return false;
    };
    with <= without
}

/// [link], [site], Mbps.
struct Capacities {
    links_mbps: Vec<f64>,
    sites_mbps: Vec<f64>,
}

impl Capacities {
    fn of<'a>(
        links: impl Iterator<Item = &'a plan::Link>,
        sites: impl Iterator<Item = &'a plan::Site>,
    ) -> Self {
        Self {
            links_mbps: links.map(|link| link.capacity_mbps).collect(),
            sites_mbps: sites.map(|site| site.capacity_mbps).collect(),
        }
    }
}

impl Capacities {
    /// Sum over the sites of a region, Mbps.
    fn region_mbps(&self, sites: &[plan::Site], region: &str) -> f64 {
        let loads = sites.iter().zip(&self.sites_mbps);
        let here = loads.filter(|(site, _)| site.region == region);
        here.map(|(_, load)| load).sum()
    }
}

/// Requests per second that a plan puts on sites, [site].
fn requests(facts: &Facts<'_>, ground: &Instance, shares: &[Vec<(u32, f64)>]) -> Vec<f64> {
    let mut sites_rps = vec![0.0; ground.sites.len()];
    for (unit, shares) in ground.units.iter().zip(shares) {
        for &(link, share) in shares {
            sites_rps[facts.inventory.links[link as usize].site.index()] += unit.rps * share;
        }
    }
    sites_rps
}

/// What a plan puts on links and sites, Mbps.
fn loads(facts: &Facts<'_>, ground: &Instance, shares: &[Vec<(u32, f64)>]) -> Capacities {
    let mut loads = Capacities {
        links_mbps: vec![0.0; ground.links.len()],
        sites_mbps: vec![0.0; ground.sites.len()],
    };
    for (unit, shares) in ground.units.iter().zip(shares) {
        for &(link, share) in shares {
            let site = facts.inventory.links[link as usize].site.index();
            loads.links_mbps[link as usize] += unit.mbps * share;
            loads.sites_mbps[site] += unit.mbps * share;
        }
    }
    loads
}
