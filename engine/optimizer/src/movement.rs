//! The least movement among plans that are as good on levels 1 to 3.
//!
//! The same network with money and latency taken out of every cost, started from the incumbents:
//! where these still fit, nothing is left to do. Where they have little to do with what fits now,
//! the search takes longer than the plan itself; it ends then, and what the tree of limits cannot
//! keep in its place is the bound.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::network::arcs::Network;
use crate::options::{Deadline, SolveOptions};
use crate::problem::index::Problem;
use crate::problem::loads::Loads;
use crate::result::certificate::Least;
use crate::simplex::basis::Progress;
use crate::simplex::run::{PIVOTS_PER_STAGE, run};
use crate::start::crash;

/// Pivots that the search may take for each unit, at least [`STAGES_MIN`] stages of them.
const PIVOTS_PER_UNIT: u64 = 1;

/// Stages that any search may take.
const STAGES_MIN: u64 = 5;

/// A deadline that also comes after so many looks at it.
struct Patience<'a> {
    deadline: Option<&'a dyn Deadline>,
    looks: AtomicU64,
}

impl Patience<'_> {
    fn is_late(&self) -> bool {
        self.deadline.is_some_and(Deadline::expired)
    }
}

impl Deadline for Patience<'_> {
    fn expired(&self) -> bool {
        let left = |looks: u64| looks.checked_sub(1);
        let counted = self
            .looks
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, left);
        counted.is_err() || self.is_late()
    }
}

/// The least movement, and the pivots that it took to find it.
pub(crate) fn least(problem: &Problem<'_>, options: &SolveOptions<'_>) -> (Least, u64) {
    let input = problem.instance;
    if input.units.iter().all(|u| u.incumbent.is_empty()) {
        return (Least::Exactly(0.0), 0);
    }
    let mut net = Network::build(problem);
    for cost in &mut net.cost {
        *cost = net.scale.of_movement(*cost);
    }
    let mut basis = crash::start_from_incumbents(&net);
    basis.take_rough_costs(&net);
    let stages = net.demand.len() as u64 * PIVOTS_PER_UNIT / PIVOTS_PER_STAGE;
    let patience = Patience {
        deadline: options.deadline,
        looks: AtomicU64::new(stages.max(STAGES_MIN)),
    };
    let patient = SolveOptions {
        deadline: Some(&patience),
        ..*options
    };
    let ended = run(&net, &mut basis, &patient);
    let least = if ended == Progress::Optimal {
        let moves = (0..net.unit_arc_count()).filter(|&arc| net.scale.parts(net.cost[arc]).1 > 0);
        Least::Exactly(net.scale.mbps(moves.map(|arc| basis.flow[arc]).sum()))
    } else if patience.is_late() {
        Least::Unknown
    } else {
        Least::Beyond(displaced(problem))
    };
    (least, basis.pivots)
}

/// Traffic of units with incumbents that cannot all stay: what of it finds no room where it is, in
/// Mbps.
fn displaced(problem: &Problem<'_>) -> f64 {
    let mut settled = 0.0;
    let mut links = vec![0.0; problem.instance.links.len()];
    for unit in problem
        .instance
        .units
        .iter()
        .filter(|unit| !unit.incumbent.is_empty())
    {
        settled += unit.mbps;
        for &(link, share) in &unit.incumbent {
            if unit.cand.iter().any(|cand| cand.0 == link) {
                links[link.index()] += unit.mbps * share;
            }
        }
    }
    let limits = Loads::hard_limits(problem);
    let mut sites = vec![0.0; limits.sites.len()];
    for (place, mbps) in problem.places().iter().zip(links) {
        sites[place.site.index()] += f64::min(mbps, limits.links[place.link.index()]);
    }
    let mut regions = vec![0.0; limits.regions.len()];
    let mut kept = 0.0;
    for ((site, _), mbps) in problem.sites().zip(sites) {
        let mbps = f64::min(mbps, limits.sites[site.index()]);
        match problem.region_of(site) {
            Some(region) => regions[region.index()] += mbps,
            None => kept += mbps,
        }
    }
    let limited = regions.iter().zip(&limits.regions);
    kept += limited.map(|(mbps, limit)| mbps.min(*limit)).sum::<f64>();
    (settled - kept).max(0.0)
}
