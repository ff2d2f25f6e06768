//! Rows that cut across the tree: priced from outside, plans mixed, then made whole again.
//!
//! A meter over several sites is no hub of the tree, and requests per second are no flow of it. Such a row is relaxed: for
//! given prices, between 0 and what the row charges, the network is exact and its dual value a lower bound. The
//! plans found on the way are mixed by a small master problem (Dantzig and Wolfe 1960), whose duals
//! are the next prices, smoothed towards the best ones so far (Wentges 1997). Where contracts are all there is, units are made
//! whole at last: each site gets the part of a free level that it uses in the best mixture, and one more exact solve turns
//! the mixture into a plan that is no dearer. Last, traffic moves round until no more units are split than rows are tight.

use super::input::Instance;
use super::levels::{self, Loads};
use super::network::{MeterPlace, Network, money_step};
use super::result::Plan;
use super::rounds::{Search, reprice};
use super::simplex::Basis;
use super::solve::SolveOptions;
use super::topology::Topology;
use super::{vertex, whole};

/// Figures closer than this, relative to their scale, are equal.
const EQUAL_SHARE: f64 = 1e-10;

/// A row without a place in the tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Row {
    /// A meter over several sites, in Mbps.
    Meter(usize),
    /// The requests per second of a site.
    Requests(usize),
}

/// What stays the same over the rounds.
pub(super) struct Context<'a, 'b> {
    pub(super) input: &'a Instance,
    pub(super) topology: &'a Topology,
    pub(super) options: &'a SolveOptions<'b>,
    pub(super) rows: &'a [Row],
    /// What a request per second above a limit is charged, in CNY.
    pub(super) excess_cny: f64,
}

/// The plan after settling, and whether all rounds could be run.
pub(super) struct Settled {
    pub(super) plan: Plan,
    pub(super) finished: bool,
}

/// The rows of an instance that have no place in the tree of hubs and may bind.
pub(super) fn rows(input: &Instance, topology: &Topology, net: &Network) -> Vec<Row> {
    let meters = net.meters.iter().enumerate();
    let mut rows: Vec<Row> = meters
        .filter(|(_, place)| matches!(place, MeterPlace::Shared(_)))
        .map(|(meter, _)| Row::Meter(meter))
        .collect();
    if net.rps_per_mbps.is_empty() {
        return rows;
    }
    let mut reachable = vec![0.0; input.sites.len()];
    let mut seen = vec![usize::MAX; input.sites.len()];
    for (index, unit) in input.units.iter().enumerate() {
        for &(link, _) in &unit.cand {
            if let Some(site) = topology.site_of[link as usize]
                && seen[site] != index
            {
                seen[site] = index;
                reachable[site] += unit.rps;
            }
        }
    }
    let limited = input.sites.iter().zip(&reachable).enumerate();
    rows.extend(
        limited
            .filter(|(_, (site, reachable))| site.capacity_rps.is_some_and(|rps| **reachable > rps))
            .map(|(site, _)| Row::Requests(site)),
    );
    rows
}

/// Finds prices for the rows and the plan that goes with them. On return `net` and `basis`
/// hold the best prices, so that their duals give the best bound.
pub(super) fn settle(
    context: &Context<'_, '_>,
    net: &mut Network,
    basis: &mut Basis,
    first: &Plan,
) -> Settled {
    let mut search = Search::begin(context, net, basis);
    if search.is_settled() {
        return Settled {
            plan: first.clone(),
            finished: true,
        };
    }
    let mut finished = search.run(context, net, basis);
    let mut plan = search.mixture(context, net);
    for (unit, shares) in plan.shares.iter_mut().enumerate() {
        if net.demand[unit] == 0 {
            shares.clone_from(&first.shares[unit]);
        }
    }
    finished &= reprice(context, net, basis, search.best_prices());
    if context.any_requests() {
        let relieved = whole::relieved(context, net, &basis.potential, plan.clone());
        take_better(context, &relieved, &mut plan);
    } else {
        let (whole, ended) = whole::by_parts(context, &plan);
        finished &= ended;
        take_better(context, &whole, &mut plan);
    }
    let vertex = vertex::below(context.input, context.topology, &plan);
    take_better(context, &vertex, &mut plan);
    // Only a solve that was stopped can be worse than what it started from.
    take_better(context, first, &mut plan);
    Settled { plan, finished }
}

impl Context<'_, '_> {
    /// What a row carries without charge, and what it charges for one more.
    pub(super) fn limit(&self, row: Row) -> (f64, f64) {
        match row {
            Row::Meter(meter) => money_step(self.input, &self.input.meters[meter]),
            Row::Requests(site) => (
                self.input.sites[site].capacity_rps.unwrap_or(f64::MAX),
                self.excess_cny,
            ),
        }
    }

    pub(super) fn any_requests(&self) -> bool {
        self.rows.iter().any(|row| matches!(row, Row::Requests(_)))
    }

    /// Traffic or requests of a row.
    pub(super) fn load(&self, row: Row, loads: &Loads) -> f64 {
        match row {
            Row::Meter(meter) => loads.meters[meter],
            Row::Requests(site) => loads.requests[site],
        }
    }
}

/// Takes `other` when it is better than `plan`, or as good with fewer split units.
fn take_better(context: &Context<'_, '_>, other: &Plan, plan: &mut Plan) {
    if is_better(context, other, plan) {
        plan.clone_from(other);
    }
}

fn is_better(context: &Context<'_, '_>, a: &Plan, b: &Plan) -> bool {
    let figures = |plan: &Plan| {
        let loads = Loads::of(context.input, context.topology, plan);
        let levels = levels::levels(context.input, plan, &loads);
        let split = plan.shares.iter().filter(|s| s.len() > 1).count();
        let mbps = [
            levels.unserved_mbps,
            levels.overload_mbps,
            levels.below_floor_mbps,
        ];
        (mbps, levels.cost_cny(), split)
    };
    let (a, b) = (figures(a), figures(b));
    let demand: f64 = context.input.units.iter().map(|u| u.mbps).sum();
    let pairs = a.0.iter().zip(&b.0).map(|(a, b)| (a, b, demand));
    for (a, b, scale) in pairs.chain([(&a.1, &b.1, b.1.abs())]) {
        if (a - b).abs() > EQUAL_SHARE * scale.max(1.0) {
            return a < b;
        }
    }
    a.2 < b.2
}
