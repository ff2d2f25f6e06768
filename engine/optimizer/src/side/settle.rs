//! Side constraints, which cut across the tree: priced from outside, plans mixed, then made whole
//! again.
//!
//! A contract over several sites is no hub of the tree, and requests per second are no flow of it.
//! Such a constraint is relaxed: for given prices, between 0 and what it charges, the network is
//! exact and its dual value a lower bound. The plans found on the way are mixed by a small master
//! problem (Dantzig and Wolfe 1960), whose duals are the next prices (`columns`). In large networks
//! the search begins at the prices where that of a sample ended. The best mixture splits every unit
//! that its plans do not agree on. Last, traffic moves round until no more units are split than
//! constraints are tight (`crossover`).

use std::cmp::Ordering;

use crate::network::arcs::Network;
use crate::options::SolveOptions;
use crate::problem::compare::{EQUAL, OF_A_BASIC_SOLUTION, Tolerance, split_units, within};
use crate::problem::index::Problem;
use crate::side::columns::{Ends, Search};
use crate::side::constraints::SideConstraints;
use crate::side::crossover;
use crate::side::whole;
use crate::simplex::basis::Basis;
use instance::Plan;

/// Context that stays the same over the rounds.
pub(crate) struct Context<'a, 'b> {
    pub(crate) problem: &'a Problem<'a>,
    pub(crate) options: &'a SolveOptions<'b>,
    pub(crate) rows: &'a SideConstraints<'a>,
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
    let mut plan = whole::mixed(first, &search.mixture());
    for (unit, shares) in plan.shares.iter_mut().enumerate() {
        if net.demand[unit] == 0 {
            shares.clone_from(&first.shares[unit]);
        }
    }
    finished &= rows.reprice(net, basis, search.best_prices(), context.options);
    if rows.any_requests() {
        let relieved = whole::relieved(context, net, &basis.potential, plan.clone());
        take_better(context, &relieved, &mut plan);
    }
    let basic = crossover::below(context.problem, &plan);
    // With as many split it has more rows tight.
    if !order(OF_A_BASIC_SOLUTION, context, &plan, &basic).is_lt() {
        plan = basic;
    }
    // Only a solve that was stopped can be worse than what it started from.
    take_better(context, first, &mut plan);
    Settled { plan, finished }
}

/// Takes `other` when it is better than `plan`.
fn take_better(context: &Context<'_, '_>, other: &Plan, plan: &mut Plan) {
    if order(EQUAL, context, other, plan).is_lt() {
        plan.clone_from(other);
    }
}

/// The order of two plans; of those that cost the same, the one with fewer split units is less.
fn order(tolerance: Tolerance, context: &Context<'_, '_>, a: &Plan, b: &Plan) -> Ordering {
    let order = within(tolerance, context.problem, a, b);
    order.then(split_units(a).cmp(&split_units(b)))
}
