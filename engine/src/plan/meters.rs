//! Meters that cut across sites: priced from outside, plans mixed, then made whole again.
//!
//! Such a meter is no hub of the tree. Its money above the free level is relaxed with a price between 0
//! and the contract's: for given prices the network is exact and its dual value a lower bound. The
//! plans found on the way are mixed by a small master problem (Dantzig and Wolfe 1960), whose duals
//! are the next prices, smoothed towards the best ones so far (Wentges 1997). Last, each site gets
//! the part of the free level that it uses in the best mixture, and one more exact solve turns
//! the mixture into a basic plan that is no dearer and splits few units.

use super::input::Instance;
use super::levels::{self, Loads};
use super::master::Master;
use super::network::{MeterPlace, Network, Part, SINK, money_step};
use super::result::Plan;
use super::simplex::{Basis, Progress};
use super::solve::{Deadline, SolveOptions, main_share, run};
use super::topology::Topology;
use super::{certificate, crash};

/// Most rounds of pricing.
const ROUNDS_MAX: usize = 120;

/// Rounds stop when mixture and bound are this close, relative to the mixture's cost.
const GAP_TARGET: f64 = 1e-7;

/// Figures closer than this, relative to their scale, are equal.
const EQUAL_SHARE: f64 = 1e-10;

/// Weight of the best prices so far in the next ones.
const SMOOTHING: f64 = 0.5;

/// What stays the same over the rounds.
pub(super) struct Context<'a, 'b> {
    pub(super) input: &'a Instance,
    pub(super) topology: &'a Topology,
    pub(super) options: &'a SolveOptions<'b>,
}

/// The plan after settling, and whether all rounds could be run.
pub(super) struct Settled {
    pub(super) plan: Plan,
    pub(super) finished: bool,
}

/// Whether any meter has no place in the tree of hubs.
pub(super) fn any_shared(net: &Network) -> bool {
    net.meters
        .iter()
        .any(|m| matches!(m, MeterPlace::Shared(_)))
}

/// One priced round: what the plan costs without the shared meters, its loads, its flows.
struct Round {
    cost: f64,
    loads: Vec<f64>,
    /// (arc, quanta) of unit arcs that carry something.
    flows: Vec<(u32, i64)>,
}

/// Finds prices for the shared meters and the plan that goes with them. On return `net` and `basis`
/// hold the best prices, so that their duals give the best bound.
pub(super) fn settle(
    context: &Context<'_, '_>,
    net: &mut Network,
    basis: &mut Basis,
    first: &Plan,
) -> Settled {
    let shared: Vec<usize> = (0..net.meters.len())
        .filter(|&m| matches!(net.meters[m], MeterPlace::Shared(_)))
        .collect();
    let steps: Vec<(f64, f64)> = shared
        .iter()
        .map(|&m| money_step(context.input, &context.input.meters[m]))
        .collect();
    let mut rounds = vec![round(context, net, basis, &shared)];
    if rounds[0]
        .loads
        .iter()
        .zip(&steps)
        .all(|(load, step)| *load <= step.0)
    {
        return Settled {
            plan: first.clone(),
            finished: true,
        };
    }
    let (free, price): (Vec<f64>, Vec<f64>) = steps.iter().copied().unzip();
    let (cost, loads) = (rounds[0].cost, rounds[0].loads.clone());
    let mut master = Master::new(free.clone(), price, cost, loads);
    let mut best = (cost, vec![0.0; shared.len()]);
    let (mut upper, mut target) = master.solve();
    let mut finished = true;
    for _ in 0..ROUNDS_MAX {
        if upper - best.0 <= GAP_TARGET * upper.abs() {
            break;
        }
        if context.options.deadline.is_some_and(Deadline::expired) {
            finished = false;
            break;
        }
        let prices = smooth(&best.1, &target);
        if !reprice(context, net, basis, &shared, &prices) {
            finished = false;
            break;
        }
        let found = round(context, net, basis, &shared);
        let relaxed = |(i, p): (usize, &f64)| p * (found.loads[i] - free[i]);
        let value = found.cost + prices.iter().enumerate().map(relaxed).sum::<f64>();
        if value > best.0 {
            best = (value, prices);
        }
        master.add(found.cost, found.loads.clone());
        rounds.push(found);
        (upper, target) = master.solve();
    }
    let mut plan = mix(context, net, &rounds, &master.weights());
    for (unit, shares) in plan.shares.iter_mut().enumerate() {
        if net.demand[unit] == 0 {
            shares.clone_from(&first.shares[unit]);
        }
    }
    let (whole, ended) = make_whole(context, &shared, &plan);
    // Only a solve that was stopped can be worse than what it started from.
    for other in [&whole, first] {
        if better(context, other, &plan) {
            plan.clone_from(other);
        }
    }
    finished &= ended & reprice(context, net, basis, &shared, &best.1);
    Settled { plan, finished }
}

/// Whether `a` is better than `b`, or as good with fewer split units.
fn better(context: &Context<'_, '_>, a: &Plan, b: &Plan) -> bool {
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

/// The next prices.
fn smooth(best: &[f64], target: &[f64]) -> Vec<f64> {
    best.iter()
        .zip(target)
        .map(|(b, t)| SMOOTHING * b + (1.0 - SMOOTHING) * t)
        .collect()
}

/// Sets the prices and solves again from the present basis; whether it came to its end.
fn reprice(
    context: &Context<'_, '_>,
    net: &mut Network,
    basis: &mut Basis,
    shared: &[usize],
    prices: &[f64],
) -> bool {
    for (&meter, &price) in shared.iter().zip(prices) {
        net.set_shared_price(context.topology, meter, net.scale.money(price));
    }
    basis.reprice(net);
    run(net, basis, context.options) == Progress::Optimal
}

/// Takes down the present plan.
fn round(context: &Context<'_, '_>, net: &Network, basis: &Basis, shared: &[usize]) -> Round {
    let plan = certificate::plan(net, basis, String::new());
    let loads = Loads::of(context.input, context.topology, &plan);
    let levels = levels::levels(context.input, &plan, &loads);
    let mut cost = levels.cost_cny();
    let mut shared_loads = Vec::with_capacity(shared.len());
    for &meter in shared {
        let (free, price) = money_step(context.input, &context.input.meters[meter]);
        cost -= price * (loads.meters[meter] - free).max(0.0);
        shared_loads.push(loads.meters[meter]);
    }
    let used = |arc: &usize| basis.flow[*arc] != 0 && net.head[*arc] != SINK;
    let flows = (0..net.unit_arc_count())
        .filter(used)
        .map(|arc| (super::network::as_u32(arc), basis.flow[arc]))
        .collect();
    Round {
        cost,
        loads: shared_loads,
        flows,
    }
}

/// The weighted mean of the plans.
#[expect(
    clippy::cast_precision_loss,
    reason = "flows are below 2^56; the error is 2^-53"
)]
fn mix(
    context: &Context<'_, '_>,
    net: &Network,
    rounds: &[Round],
    weights: &[(usize, f64)],
) -> Plan {
    let total: f64 = weights.iter().map(|w| w.1).sum();
    let mut entries: Vec<(u32, u32, f64)> = Vec::new();
    for &(index, weight) in weights {
        for &(arc, flow) in &rounds[index].flows {
            let unit = net.tail[arc as usize] - super::network::as_u32(net.hubs.len());
            let link = net.link_of_hub[net.head[arc as usize] as usize];
            let demand = net.demand[unit as usize];
            entries.push((unit, link, weight / total * flow as f64 / demand as f64));
        }
    }
    entries.sort_unstable_by_key(|e| (e.0, e.1));
    let mut plan = Plan {
        shares: vec![Vec::new(); context.input.units.len()],
        input_digest: context.input.digest(),
    };
    for (unit, link, share) in entries {
        let shares = &mut plan.shares[unit as usize];
        match shares.last_mut() {
            Some(last) if last.0 == link => last.1 += share,
            _ => shares.push((link, share)),
        }
    }
    plan
}

/// Gives every site the part of each free level that it uses in `mixture` and solves that exactly.
/// Returns the plan, and whether the solve came to its end.
fn make_whole(context: &Context<'_, '_>, shared: &[usize], mixture: &Plan) -> (Plan, bool) {
    let (input, topology) = (context.input, context.topology);
    let loads = Loads::of(input, topology, mixture);
    let mut parts = vec![Vec::new(); input.meters.len()];
    for &meter in shared {
        let (free_mbps, _) = money_step(input, &input.meters[meter]);
        parts[meter] = divide(topology, meter, free_mbps, &loads);
    }
    let net = Network::build(input, topology, &parts);
    let mut basis = crash::start(&net, |unit| main_share(&mixture.shares[unit]));
    let finished = run(&net, &mut basis, context.options) == Progress::Optimal;
    (certificate::plan(&net, &basis, input.digest()), finished)
}

/// Divides a free level among the sites of a meter: what each uses, scaled down when that is too
/// much; what is left over in proportion to the same use.
fn divide(topology: &Topology, meter: usize, free_mbps: f64, loads: &Loads) -> Vec<Part> {
    let mut parts: Vec<Part> = Vec::new();
    for &link in &topology.links_of_meter[meter] {
        let Some(site) = topology.site_of[link] else {
            continue;
        };
        let load = loads.links[link];
        match parts.iter_mut().find(|p| p.site == site) {
            Some(part) => part.free_mbps += load,
            None => parts.push(Part {
                site,
                free_mbps: load,
            }),
        }
    }
    let used: f64 = parts.iter().map(|p| p.free_mbps).sum();
    if used > 0.0 {
        for part in &mut parts {
            part.free_mbps *= free_mbps / used;
        }
    }
    parts
}
