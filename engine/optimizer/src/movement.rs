//! The least movement among plans that are as good on levels 1 to 3.
//!
//! The same network with money and latency taken out of every cost, started from the incumbents:
//! where these still fit, nothing is left to do. Where they have little to do with what fits now,
//! the search takes longer than the plan itself; it ends then, and what the tree of limits cannot
//! keep in its place is the bound.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::network::arcs::Network;
use crate::network::rough::RoughCosts;
use crate::problem::topology::Topology;
use crate::simplex::basis::Progress;
use crate::solve::{Deadline, PIVOTS_PER_STAGE, SolveOptions, run};
use crate::start::crash;
use instance::Instance;

/// Pivots that the search may take for each unit, at least [`STAGES_MIN`] stages of them.
const PIVOTS_PER_UNIT: u64 = 1;

/// Stages that any search may take.
const STAGES_MIN: u64 = 5;

/// What is known of the least movement.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Least {
    /// Exactly this, in Mbps.
    Exactly(f64),
    /// At least this, in Mbps, less what has to be unserved.
    Beyond(f64),
    /// Nothing: nobody asked, or the deadline came first.
    Unknown,
}

impl Least {
    /// The bound on the movement of plans that leave `unserved_mbps`.
    pub(crate) fn mbps(self, unserved_mbps: f64) -> Option<f64> {
        match self {
            Self::Exactly(mbps) => Some(mbps),
            Self::Beyond(mbps) => Some((mbps - unserved_mbps).max(0.0)),
            Self::Unknown => None,
        }
    }
}

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
pub(crate) fn least(
    input: &Instance,
    topology: &Topology,
    options: &SolveOptions<'_>,
) -> (Least, u64) {
    if input.units.iter().all(|u| u.incumbent.is_empty()) {
        return (Least::Exactly(0.0), 0);
    }
    let mut net = Network::build(input, topology, &[]);
    for cost in &mut net.cost {
        *cost = net.scale.of_movement(*cost);
    }
    net.rough = Some(RoughCosts::of(&net, 1));
    let mut basis = crash::start_from_incumbents(&net);
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
        Least::Beyond(displaced(input, topology))
    };
    (least, basis.pivots)
}

/// Traffic of units with incumbents that cannot all stay: what of it finds no room where it is, in
/// Mbps.
fn displaced(input: &Instance, topology: &Topology) -> f64 {
    let mut links = vec![0.0; input.links.len()];
    let mut settled = 0.0;
    for unit in input.units.iter().filter(|unit| !unit.incumbent.is_empty()) {
        settled += unit.mbps;
        for &(link, share) in &unit.incumbent {
            if unit.cand.iter().any(|cand| cand.0 == link) {
                links[link.index()] += unit.mbps * share;
            }
        }
    }
    let mut sites = vec![0.0; input.sites.len()];
    for (link, mbps) in links.iter().enumerate() {
        if let Some(site) = topology.site_of[link] {
            sites[site] += mbps.min(input.links[link].capacity_mbps);
        }
    }
    let mut regions = vec![0.0; input.regions.len()];
    let mut kept = 0.0;
    for (site, mbps) in sites.iter().enumerate() {
        let mbps = mbps.min(input.sites[site].capacity_mbps);
        match topology.region_of[site] {
            Some(region) => regions[region] += mbps,
            None => kept += mbps,
        }
    }
    let limited = regions.iter().zip(&input.regions);
    kept += limited
        .map(|(mbps, region)| mbps.min(region.capacity_mbps))
        .sum::<f64>();
    (settled - kept).max(0.0)
}
