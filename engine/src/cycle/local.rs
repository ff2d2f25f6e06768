//! The first tier: when what may be used shrinks, what stood on it moves at once, and nothing else
//! does.
//!
//! Three things take traffic off a part: it is gone (a failure, a drain that is through), it may no
//! longer serve the service, or its capacity fell below what stands on it, which sheds the
//! difference. What lost its place goes through [`optimizer::relieve`] as an instance of its own,
//! over the room that all others leave, at the prices of the last solve.

mod displaced;

use crate::model::Reach;
use displaced::Displaced;
use instance::{Changes, Duals, Instance, Plan};
use optimizer::{Loads, Problem};

/// Result of the first tier.
#[derive(Debug)]
pub(super) struct Relief {
    /// New shares where they differ from the plan in force.
    pub(super) changed: Changes,
    /// `[site]`: traffic of the plan with these changes, Mbps.
    pub(super) sites_mbps: Vec<f64>,
}

/// Moves what `in_force` has on parts that are gone or too full in `ground`, which differs from
/// `before` by limits only. `reach` tells which links may serve which service, `duals` are prices.
///
/// `None` when the result is worse on levels 1 to 3 than leaving what is lost unserved, or when
/// `in_force` does not belong to `ground`.
pub(super) fn relieve(
    before: &Instance,
    ground: &Instance,
    reach: &Reach,
    duals: &Duals,
    in_force: &Plan,
) -> Option<Relief> {
    if in_force.shares.len() != ground.units.len() {
        return None;
    }
    let problem = Problem::new(ground);
    let mut displaced = Displaced::new(&problem, reach, in_force);
    displaced.shed(before);
    let changed = displaced.place(duals)?;
    if !changed.is_empty() {
        // Rounding may have put a little too much somewhere; that is no reason to leave others
        // where they are lost.
        let raised = raise_limits(ground, &displaced.loads);
        checker::fits(&raised, in_force, &changed).ok()?;
    }
    Some(Relief {
        sites_mbps: displaced.sites_with(&changed),
        changed,
    })
}

/// Raises hard limits to what is carried already.
fn raise_limits(ground: &Instance, loads: &Loads) -> Instance {
    let mut raised = ground.clone();
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
