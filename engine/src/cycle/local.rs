//! The first tier: when what may be used shrinks, what stood on it moves at once, and nothing else
//! does.
//!
//! Three things take traffic off a part: it is gone (a failure, a drain that is through), it may no
//! longer serve the service, or its capacity fell below what stands on it, which sheds the
//! difference. What lost its place goes through [`optimizer::relieve`] as an instance of its own,
//! over the room that all others leave, at the prices of the last solve.

mod displaced;

use crate::limits::Limits;
use crate::model::Facts;
use displaced::Displacement;
use instance::{Changes, Duals, Instance, Plan, Shares};
use optimizer::{Loads, Problem};

/// Plan the first tier makes of the one in force.
#[derive(Debug)]
pub(super) struct Relieved {
    /// Changes from the plan in force.
    pub(super) changed: Changes,
    /// `[site]`: what the plan with these changes puts there.
    pub(super) sites_mbps: Vec<f64>,
}

/// Moves what `in_force` has on parts that are gone or too full under `limits`. `base` tells demand
/// and candidates, `duals` are prices for it. `None` when the result is worse on levels 1 to 3 than
/// leaving what is lost unserved, or when `in_force` does not belong to `base`.
///
/// Units are shared with `base`: what is said about others than those that move is read where it
/// stands.
pub(super) fn relieve(
    facts: &Facts<'_>,
    limits: &Limits,
    base: &Instance,
    duals: &Duals,
    in_force: &Plan,
) -> Option<Relieved> {
    if in_force.shares.len() != base.units.len() {
        return None;
    }
    let was = Loads::hard_limits(&Problem::new(base));
    let now = Instance {
        links: facts.links(limits),
        sites: facts.sites(limits),
        regions: facts.regions(limits),
        ..base.clone()
    };
    let mut displacement = Displacement::new(facts, limits, &now, in_force);
    displacement.shed(&was);
    let changed = displacement.replace(duals)?;
    let fits = || checker::fits(&raised_to(&now, &displacement.loads), in_force, &changed).is_ok();
    (changed.is_empty() || fits()).then(|| Relieved {
        sites_mbps: displacement.sites_with(&changed),
        changed,
    })
}

/// The instance with hard limits raised to what is carried already. Rounding may have put a little
/// too much somewhere; that is no reason to leave others where they are lost.
fn raised_to(instance: &Instance, loads: &Loads) -> Instance {
    let mut raised = instance.clone();
    for (link, load) in raised.links.iter_mut().zip(&loads.links) {
        link.capacity_mbps = link.capacity_mbps.max(*load);
    }
    for (site, load) in raised.sites.iter_mut().zip(&loads.sites) {
        site.capacity_mbps = site.capacity_mbps.max(*load);
    }
    for (region, load) in raised.regions.iter_mut().zip(&loads.regions) {
        region.capacity_mbps = region.capacity_mbps.max(*load);
    }
    raised
}

/// Tells whether a plan is feasible and at least as good on levels 1 to 3, in their order, as one
/// that serves nobody.
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
