//! Rows that cut across the tree: priced from outside, plans mixed, then made whole again.
//!
//! A contract over several sites is no hub of the tree, and requests per second are no flow of it.
//! Such a row is relaxed: for given prices, between 0 and what the row charges, the network is
//! exact and its dual value a lower bound. The plans found on the way are mixed by a small master
//! problem (Dantzig and Wolfe 1960), whose duals are the next prices (`rounds`). In large networks
//! the search begins at the prices where that of a sample ended. The best mixture splits every unit
//! that its plans do not agree on. Where these are many, and contracts are all there is, they are
//! made whole: each site gets the part of a free level that it uses in the mixture, and one more
//! exact solve turns the mixture into a plan that is no dearer. Last, traffic moves round until no
//! more units are split than rows are tight.

use std::cmp::Ordering;

use crate::network::arcs::Network;
use crate::problem::levels::{self, Loads};
use crate::problem::topology::Topology;
use crate::side::columns::{Ends, Search};
use crate::side::constraints::Rows;
use crate::side::crossover;
use crate::side::whole;
use crate::simplex::basis::Basis;
use crate::solve::SolveOptions;
use instance::Instance;
use instance::Plan;

/// How close the figures of two plans are that count as equal.
#[derive(Clone, Copy)]
struct Slack {
    /// Of all demand, or of 1 Mbps.
    mbps_share: f64,
    /// Of the cost.
    cny_share: f64,
    /// In CNY per slot, where the cost is next to nothing.
    cny: f64,
}

/// What sums differ by for the order in which they are added up.
const EQUAL: Slack = Slack {
    mbps_share: 1e-10,
    cny_share: 1e-10,
    cny: 1e-10,
};

/// What a vertex differs by for the dust that it leaves out; requests that it brings above a limit
/// are charged many times over.
const OF_A_VERTEX: Slack = Slack {
    mbps_share: 5e-10,
    cny_share: 1e-7,
    cny: 1e-9,
};

/// A mixture that splits more than so many times what one plan does is made whole by a solve; fewer
/// are sooner brought to a vertex.
const SPLIT_BY_MIXING: usize = 2;

/// What stays the same over the rounds.
pub(crate) struct Context<'a, 'b> {
    pub(crate) input: &'a Instance,
    pub(crate) topology: &'a Topology,
    pub(crate) options: &'a SolveOptions<'b>,
    pub(crate) rows: &'a Rows<'a>,
}

/// The plan after settling, and whether all rounds could be run.
pub(crate) struct Settled {
    pub(crate) plan: Plan,
    pub(crate) finished: bool,
}

/// Finds prices for the rows and the plan that goes with them. On return `net` and `basis`
/// hold the best prices, so that their duals give the best bound.
pub(crate) fn settle(
    context: &Context<'_, '_>,
    net: &mut Network,
    basis: &mut Basis,
    first: &Plan,
) -> Settled {
    let rows = context.rows;
    let mut search = Search::begin(rows, net, basis);
    if search.is_settled() {
        return Settled {
            plan: first.clone(),
            finished: true,
        };
    }
    let ends = Ends::of(rows, net);
    let mut finished = search.run((net, basis), ends, context.options);
    let mut plan = whole::mixed(context.input, &search.mixture());
    for (unit, shares) in plan.shares.iter_mut().enumerate() {
        if net.demand[unit] == 0 {
            shares.clone_from(&first.shares[unit]);
        }
    }
    finished &= rows.reprice(net, basis, search.best_prices(), context.options);
    if rows.any_requests() {
        let relieved = whole::relieved(context, net, &basis.potential, plan.clone());
        take_better(context, &relieved, &mut plan);
    } else if split(&plan) > SPLIT_BY_MIXING * split(first) {
        let loads = Loads::of(context.input, context.topology, &plan);
        let (whole, ended) = whole::by_parts(context, &loads.links, (net, &basis.potential));
        finished &= ended;
        take_better(context, &whole, &mut plan);
    }
    let vertex = crossover::below(context.input, context.topology, &plan);
    // With as many split it has more rows tight.
    if !order(OF_A_VERTEX, context, &plan, &vertex).is_lt() {
        plan = vertex;
    }
    // Only a solve that was stopped can be worse than what it started from.
    take_better(context, first, &mut plan);
    Settled { plan, finished }
}

/// Units in more than one place.
fn split(plan: &Plan) -> usize {
    plan.shares.iter().filter(|shares| shares.len() > 1).count()
}

/// Takes `other` when it is better than `plan`.
fn take_better(context: &Context<'_, '_>, other: &Plan, plan: &mut Plan) {
    if order(EQUAL, context, other, plan).is_lt() {
        plan.clone_from(other);
    }
}

/// The order of two plans; of those that cost the same, the one with fewer split units is less.
fn order(slack: Slack, context: &Context<'_, '_>, a: &Plan, b: &Plan) -> Ordering {
    let order = within(slack, (context.input, context.topology), a, b);
    order.then(split(a).cmp(&split(b)))
}

/// The order of two plans by the first four levels; the better one is less.
pub(crate) fn compare(input: &Instance, topology: &Topology, a: &Plan, b: &Plan) -> Ordering {
    within(EQUAL, (input, topology), a, b)
}

/// The same, where figures that differ by no more than `slack` are equal.
fn within(slack: Slack, (input, topology): (&Instance, &Topology), a: &Plan, b: &Plan) -> Ordering {
    let figures = |plan: &Plan| {
        let loads = Loads::of(input, topology, plan);
        let levels = levels::levels(input, plan, &loads);
        let mbps = [levels.unserved_mbps, levels.overload_mbps, levels.late_mbps];
        (mbps, levels.cost_cny())
    };
    let (a, b) = (figures(a), figures(b));
    let demand: f64 = input.units.iter().map(|u| u.mbps).sum();
    let mbps = slack.mbps_share * demand.max(1.0);
    let cny = slack.cny.max(slack.cny_share * b.1.abs());
    let pairs = a.0.iter().zip(&b.0).map(|(a, b)| (a, b, mbps));
    for (a, b, slack) in pairs.chain([(&a.1, &b.1, cny)]) {
        if (a - b).abs() > slack {
            return a.total_cmp(b);
        }
    }
    Ordering::Equal
}
