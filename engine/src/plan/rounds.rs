//! The search for prices of rows outside the tree, round by round.

use super::certificate;
use super::coupling::{Context, Row};
use super::levels::{self, Loads};
use super::master::Master;
use super::network::{MeterPlace, Network, SINK, as_u32};
use super::requests;
use super::result::Plan;
use super::rough::RoughCosts;
use super::simplex::{Basis, Progress};
use super::solve::{Deadline, run};

/// Most rounds of pricing.
const ROUNDS_MAX: usize = 120;

/// Rounds stop when mixture and bound are this close, relative to the mixture's cost: where all rows are contracts, whose
/// plan is made whole, and where some are requests, which make a round dear.
const GAP_TARGETS: [f64; 2] = [1e-7, 5e-7];

/// Weight of the best prices so far in the next ones, at first.
const SMOOTHING: f64 = 0.5;

/// The most that it becomes.
const SMOOTHING_MAX: f64 = 0.8;

/// How much of the way to that it goes after a price that was too far.
const SMOOTHING_STEP: f64 = 0.2;

/// Below this distance between mixture and bound, ceilings that hold prices down are lifted.
const GAP_TO_LIFT: f64 = 1e-2;

/// The first ceiling on a price of requests, as a multiple of what the requests of the mean Mbps cost now.
const FIRST_CEILING: f64 = 0.1;

/// A ceiling that holds a price down grows by this factor.
const CEILING_GROWTH: f64 = 4.0;

/// One priced round: what the plan costs without the rows, its loads on them, its flows.
struct Round {
    cost: f64,
    loads: Vec<f64>,
    /// (arc, quanta) of unit arcs that carry something.
    flows: Vec<(u32, i64)>,
}

/// Prices tried, plans found, and what they prove.
pub(super) struct Search {
    /// `[row]`: what it carries without charge.
    free: Vec<f64>,
    /// `[row]`: what it charges for one more.
    charge: Vec<f64>,
    rounds: Vec<Round>,
    /// The best bound so far, and its prices.
    best: (f64, Vec<f64>),
    master: Master,
    /// The cost of the best mixture, as the master sees it.
    upper: f64,
    /// The prices that the master asks for.
    target: Vec<f64>,
    smoothing: f64,
}

impl Search {
    /// The first round, at the prices that `net` has.
    pub(super) fn begin(context: &Context<'_, '_>, net: &Network, basis: &Basis) -> Self {
        let limits = context.rows.iter().map(|&row| context.limit(row));
        let (free, charge): (Vec<f64>, Vec<f64>) = limits.unzip();
        let prices = context.rows.iter().map(|&row| price(context, net, row));
        let prices: Vec<f64> = prices.collect();
        let first = round(context, net, basis);
        let value = relaxed(&first, &prices, &free);
        let ceilings = first_ceilings(context, &charge, &prices, first.cost);
        let mut master = Master::new(free.clone(), ceilings, first.cost, first.loads.clone());
        let (upper, target) = master.solve();
        Self {
            free,
            charge,
            rounds: vec![first],
            best: (value, prices),
            master,
            upper,
            target,
            smoothing: SMOOTHING,
        }
    }

    /// Whether nothing is above what is free, and no price holds it down.
    pub(super) fn is_settled(&self) -> bool {
        let fits = |(load, free): (&f64, &f64)| load <= free;
        self.best.1.iter().all(|&price| price <= 0.0)
            && (self.rounds[0].loads.iter().zip(&self.free)).all(fits)
    }

    /// The prices of the best bound.
    pub(super) fn best_prices(&self) -> &[f64] {
        &self.best.1
    }

    /// Tries prices until mixture and bound meet, or enough have been tried; whether nobody stopped it.
    pub(super) fn run(
        &mut self,
        context: &Context<'_, '_>,
        net: &mut Network,
        basis: &mut Basis,
    ) -> bool {
        let gap_target = GAP_TARGETS[usize::from(context.any_requests())];
        while self.rounds.len() < ROUNDS_MAX {
            let gap = self.upper - self.best.0;
            let near = gap <= GAP_TO_LIFT * self.upper.abs();
            if near && self.master.lift(&self.charge, CEILING_GROWTH) {
                (self.upper, self.target) = self.master.solve();
                continue;
            }
            if gap <= gap_target * self.upper.abs() {
                return true;
            }
            if context.options.deadline.is_some_and(Deadline::expired) {
                return false;
            }
            let prices = smooth(self.smoothing, (&self.best.1, &self.target), &self.charge);
            if !reprice(context, net, basis, &prices) {
                return false;
            }
            self.take(round(context, net, basis), prices);
        }
        true
    }

    /// Takes down what a round found at these prices.
    fn take(&mut self, found: Round, prices: Vec<f64>) {
        let value = relaxed(&found, &prices, &self.free);
        self.smoothing = if leads_on(&found.loads, &self.free, (&self.best.1, &self.target)) {
            self.smoothing / 2.0
        } else {
            self.smoothing + SMOOTHING_STEP * (SMOOTHING_MAX - self.smoothing)
        };
        if value > self.best.0 {
            self.best = (value, prices);
        }
        self.master.add(found.cost, found.loads.clone());
        self.rounds.push(found);
        (self.upper, self.target) = self.master.solve();
    }

    /// The best mixture of the plans, every row at its full charge.
    pub(super) fn mixture(&mut self, context: &Context<'_, '_>, net: &Network) -> Plan {
        self.master.lift_all(&self.charge);
        self.master.solve();
        mix(context, net, &self.rounds, &self.master.weights())
    }
}

/// The dual value of a round at its prices.
fn relaxed(found: &Round, prices: &[f64], free: &[f64]) -> f64 {
    let over = found.loads.iter().zip(free).map(|(load, free)| load - free);
    let priced = prices.iter().zip(over).map(|(price, over)| price * over);
    found.cost + priced.sum::<f64>()
}

/// The charges at first: a contract's is what it is; a limit on requests, which charges far more than its price will ever
/// be, begins with a price like those of traffic, as a plan of this `cost` has them, or above the one it had.
fn first_ceilings(context: &Context<'_, '_>, charge: &[f64], start: &[f64], cost: f64) -> Vec<f64> {
    let rps: f64 = context.input.units.iter().map(|unit| unit.rps).sum();
    let usual = if rps > 0.0 {
        FIRST_CEILING * cost / rps
    } else {
        0.0
    };
    let ceiling = |((row, &charge), &start): ((&Row, &f64), &f64)| match row {
        Row::Requests(_) if usual > 0.0 => usual.max(CEILING_GROWTH * start).min(charge),
        _ => charge,
    };
    context
        .rows
        .iter()
        .zip(charge)
        .zip(start)
        .map(ceiling)
        .collect()
}

/// Whether the bound still rises from the prices that were tried towards the target of the master (Pessoa and others 2018).
fn leads_on(loads: &[f64], free: &[f64], (best, target): (&[f64], &[f64])) -> bool {
    let over = loads.iter().zip(free).map(|(load, free)| load - free);
    let way = target.iter().zip(best).map(|(target, best)| target - best);
    over.zip(way).map(|(over, way)| over * way).sum::<f64>() > 0.0
}

/// The next prices: between the best so far and the master's, and never above the charge, not even by a rounding.
fn smooth(weight: f64, (best, target): (&[f64], &[f64]), charge: &[f64]) -> Vec<f64> {
    let between = best
        .iter()
        .zip(target)
        .map(|(b, t)| weight * b + (1.0 - weight) * t);
    between
        .zip(charge)
        .map(|(price, most)| price.min(*most))
        .collect()
}

/// The price that the network has for a row.
fn price(context: &Context<'_, '_>, net: &Network, row: Row) -> f64 {
    match row {
        Row::Meter(meter) => match net.meters[meter] {
            MeterPlace::Shared(cost) => net.scale.price(cost).cny_per_mbps,
            _ => 0.0,
        },
        Row::Requests(site) => {
            let link = context.topology.links_of_site[site].first();
            link.map_or(0.0, |&link| net.request_cny[link])
        }
    }
}

/// Sets the prices and solves again from the present basis; whether it came to its end.
pub(super) fn reprice(
    context: &Context<'_, '_>,
    net: &mut Network,
    basis: &mut Basis,
    prices: &[f64],
) -> bool {
    let mut sites = vec![0.0; context.input.sites.len()];
    for (&row, &price) in context.rows.iter().zip(prices) {
        match row {
            Row::Meter(meter) => {
                net.set_shared_price(context.topology, meter, net.scale.money(price));
            }
            Row::Requests(site) => sites[site] = price,
        }
    }
    if context.any_requests() {
        net.set_request_prices(requests::by_link(context.topology, &sites));
        if net.rough.is_some() {
            net.rough = Some(RoughCosts::of(net, context.options.threads));
            basis.forget_rough();
        }
    }
    basis.reprice(net);
    run(net, basis, context.options) == Progress::Optimal
}

/// Takes down the present plan.
fn round(context: &Context<'_, '_>, net: &Network, basis: &Basis) -> Round {
    let plan = certificate::plan(net, basis, String::new());
    let loads = Loads::of(context.input, context.topology, &plan);
    let levels = levels::levels(context.input, &plan, &loads);
    let mut cost = levels.cost_cny() - levels.excess_cny;
    let mut row_loads = Vec::with_capacity(context.rows.len());
    for &row in context.rows {
        let load = context.load(row, &loads);
        if let Row::Meter(_) = row {
            let (free, price) = context.limit(row);
            cost -= price * (load - free).max(0.0);
        }
        row_loads.push(load);
    }
    let used = |arc: &usize| basis.flow[*arc] != 0 && net.head[*arc] != SINK;
    let flows = (0..net.unit_arc_count())
        .filter(used)
        .map(|arc| (as_u32(arc), basis.flow[arc]))
        .collect();
    Round {
        cost,
        loads: row_loads,
        flows,
    }
}

/// The weighted mean of the plans.
#[expect(
    clippy::cast_precision_loss,
    reason = "flows are below 2^59; the relative error is 2^-53"
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
            let unit = net.tail[arc as usize] - as_u32(net.hubs.len());
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
