//! A solved instance kept ready for the next event: its network, its spanning tree, its prices.
//!
//! A drain or a failure takes a few links away. Instead of building everything anew, the arcs of
//! these links become dearer than leaving traffic unserved: the flow that stands is still feasible,
//! the tree is still a basis, and the simplex only has to walk from there. Taking the capacity
//! itself would make the tree infeasible and throw it away. When links come back their costs do,
//! too.

use crate::movement;
use crate::network::arcs::Network;
use crate::network::scale::UNSERVED;
use crate::optimize::optimize;
use crate::options::{Movement, Outcome, SolveOptions, Solved};
use crate::problem::index::Problem;
use crate::result::certificate::Least;
use crate::result::reading::CLOSED;
use crate::salvage;
use crate::side::constraints::SideConstraints;
use crate::simplex::basis::Basis;
use crate::start::crash;
use crate::start::sample;
use crate::threads::both;
use coverage::LinkId;
use instance::Instance;
use instance::{Duals, Plan, Price};

/// Most links that may be closed at once; sums of their costs stay far inside `i128` up to here.
pub const CLOSED_LINKS_MAX: usize = 24;

/// Extra cost of each Mbps on a closed link: twice what leaving it unserved does.
const CLOSED_COST: i128 = 2 * UNSERVED;

/// A solved instance, ready for the next one that differs by closed links only.
#[derive(Debug, Clone)]
pub struct WarmStart {
    net: Network,
    basis: Basis,
    /// Indices of the closed links, rising.
    closed: Vec<LinkId>,
    finished: bool,
}

impl WarmStart {
    /// Solves like [`crate::solve`] and keeps what it takes to go on from there.
    #[must_use]
    pub fn solve(
        input: &Instance,
        options: &SolveOptions<'_>,
        warm: Option<&Plan>,
    ) -> (Solved, Self) {
        let (solved, mut start) = Self::cold(input, options, warm);
        let order = start
            .net
            .sort_by_price(&start.basis.potential, sample::FRONT_LINKS);
        start.basis.renumber(&order);
        start.basis.take_rough_costs(&start.net);
        (solved, start)
    }

    /// The solve itself; arcs are left in the order in which it needed them.
    pub(crate) fn cold(
        input: &Instance,
        options: &SolveOptions<'_>,
        warm: Option<&Plan>,
    ) -> (Solved, Self) {
        let problem = Problem::new(input);
        let mut net = Network::build(&problem);
        let rows = SideConstraints::of(&problem, &net);
        let movement = || match options.movement {
            Movement::Bounded => movement::least(&problem, options),
            Movement::Unbounded => (Least::Unknown, 0),
        };
        let plan = || {
            let mut pivots = 0;
            // Where rows cut across the tree, prices say more than an earlier plan does.
            let mut basis = match warm.filter(|_| rows.is_empty()) {
                Some(plan) => {
                    let main = |unit: usize| plan.shares.get(unit)?.main();
                    let mut basis = crash::start(&net, main);
                    basis.take_rough_costs(&net);
                    basis
                }
                None => sample::start(&mut net, &rows, options, &mut pivots),
            };
            let found = optimize(&problem, &rows, (&mut net, &mut basis), options);
            pivots += basis.pivots;
            (found, basis, pivots)
        };
        let ((mut found, basis, pivots), (moved, more)) = both(options.threads, plan, movement);
        let finished = found.outcome == Outcome::Finished;
        if !finished {
            found.plan = salvage::best(&problem, found.plan, warm);
        }
        let solved = found.certify(&problem, options, pivots + more, moved);
        let closed = Vec::new();
        (
            solved,
            Self {
                net,
                basis,
                closed,
                finished,
            },
        )
    }

    /// Solves `input` from where this stands and moves on to it.
    ///
    /// `input` must be the instance of [`Self::solve`] but for links or sites whose capacity is now
    /// 0, or no longer 0. The result is as good as a cold one; it is a function of all inputs since
    /// then. `None` when `input` has another shape, when more than [`CLOSED_LINKS_MAX`] links are
    /// closed, or when an earlier solve was stopped: solve it cold. The least movement is only
    /// searched for by a cold solve.
    #[must_use]
    pub fn resolve(&mut self, input: &Instance, options: &SolveOptions<'_>) -> Option<Solved> {
        let same_shape = input.units.len() == self.net.demand.len()
            && input.links.len() == self.net.link_hub.len()
            && input.sites.len() == self.net.site_hub.len();
        if !same_shape || !self.finished {
            return None;
        }
        let problem = Problem::new(input);
        // What had no capacity from the beginning has no place in the network.
        let mut closed = problem.closed_links();
        closed.retain(|&link| self.net.link_hub[link.index()].is_some());
        if closed.len() > CLOSED_LINKS_MAX {
            return None;
        }
        self.close(closed);
        self.basis.reprice(&self.net);
        let before = self.basis.pivots;
        let rows = SideConstraints::of(&problem, &self.net);
        let from = (&mut self.net, &mut self.basis);
        let mut found = optimize(&problem, &rows, from, options);
        self.finished = found.outcome == Outcome::Finished;
        forbid(&problem, &self.closed, &mut found.duals);
        let pivots = self.basis.pivots - before;
        Some(found.certify(&problem, options, pivots, Least::Unknown))
    }

    /// Closes exactly these links.
    fn close(&mut self, closed: Vec<LinkId>) {
        let old = std::mem::replace(&mut self.closed, closed);
        let change = |net: &mut Network, links: &[LinkId], cost: i128| {
            for &link in links {
                let Some(hub) = net.link_hub[link.index()] else {
                    continue;
                };
                let hub = net.hubs[hub as usize];
                for arc in hub.first_arc..hub.end_arc {
                    net.cost[arc as usize] += cost;
                }
            }
        };
        change(&mut self.net, &old, -CLOSED_COST);
        change(&mut self.net, &self.closed, CLOSED_COST);
    }
}

/// Gives closed rows the price that keeps all units off without costing the bound, and frees what
/// stands behind them.
fn forbid(problem: &Problem<'_>, closed: &[LinkId], duals: &mut Duals) {
    let input = problem.instance;
    for &link in closed {
        let place = problem.place(link);
        let gone = input.links[link.index()].capacity_mbps <= 0.0;
        duals.links[link.index()] = if gone { CLOSED } else { Price::default() };
        if input.sites[place.site.index()].capacity_mbps <= 0.0 {
            duals.sites[place.site.index()] = CLOSED;
        }
        let mut links = problem.links_of_contract(place.contract).iter();
        if links.all(|link| closed.binary_search(link).is_ok()) {
            duals.contracts[place.contract.index()] = Price::default();
        }
    }
}
