//! The search for prices of rows outside the tree, round by round.
//!
//! Each round solves the network at some prices: the plan found joins the mixture of the master
//! problem, and its dual value is a bound. The master's prices are the next to try, between the
//! best ones so far and them (Wentges 1997), and never further from the best than a reach (a trust
//! region, which a mixture of few plans for many rows needs; Marsten and others 1975), which is
//! lengthened where it holds prices on a way that is right, and shortened where round after round
//! brings nothing.

use crate::network::arcs::Network;
use crate::options::{Deadline, SolveOptions};
use crate::side::constraints::{Measured, Placements, SideConstraint, SideConstraints};
use crate::side::master::Master;
use crate::simplex::basis::Basis;

/// Ends of a search that has gone far enough.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ends {
    /// Gap wanted between mixture and bound, relative to the cost of the first plan without the
    /// rows.
    gap: f64,
    /// Relative to this part of all cost where that is more, as sums of rounded numbers demand.
    all_share: f64,
    /// Most rounds.
    rounds: usize,
}

impl Ends {
    /// For prices that are to start from: a sample is no closer to the whole.
    pub(crate) const OF_A_SAMPLE: Self = Self {
        gap: 1e-3,
        all_share: 0.0,
        rounds: 200,
    };

    /// For the best plan. Requests make a round dear; in a small network many are cheap.
    pub(crate) fn of(rows: &SideConstraints<'_>, net: &Network) -> Self {
        let gap = if rows.any_requests() { 5e-7 } else { 1e-7 };
        let rounds = (ARCS_OF_ROUNDS / net.tail.len().max(1)).clamp(500, 3000);
        Self {
            gap,
            all_share: 1e-3,
            rounds,
        }
    }
}

/// In a large network the gap wanted doubles with each [`ARCS_TO_DOUBLE`] arcs looked through, up
/// to this.
const GAP_MAX: f64 = 1e-4;

/// Arcs looked through in all rounds of a small network.
const ARCS_OF_ROUNDS: usize = 200_000_000;

/// Arcs, summed over rounds.
const ARCS_TO_DOUBLE: f64 = 1.5e7;

/// Weight of the best prices so far in the next ones, at first.
const SMOOTHING: f64 = 0.5;

/// The most that it becomes.
const SMOOTHING_MAX: f64 = 0.8;

/// Part of the way to that which it goes after a price that was too far.
const SMOOTHING_STEP: f64 = 0.2;

/// Below this distance between mixture and bound, reaches that hold prices are lengthened: at
/// first, and where prices were known before.
const GAPS_TO_LENGTHEN: [f64; 2] = [1e-2, 1e-5];

/// The first reach of a price of requests, as a multiple of what the requests of the mean Mbps cost
/// now.
const FIRST_REACH: f64 = 0.1;

/// The part of the first reach that is left where prices were known before.
const KNOWN_REACH: f64 = 1.0 / 256.0;

/// There, no more than this part of what the mean Mbps costs now: a dear contract charges far more
/// than that.
const KNOWN_REACH_OF_COST: f64 = 1.0 / 16.0;

/// A cost of no more than this part of what contracts charge for all traffic is nothing to measure
/// distances by.
const LEAST_COST: f64 = 1e-9;

/// No reach is less than this part of a charge: it has to grow.
const LEAST_REACH: f64 = 1e-6;

/// A reach that holds a price grows by this factor, and one that was too long shrinks by it where
/// rounds bring nothing.
const REACH_GROWTH: f64 = 4.0;

/// A reach of less than this part of the best price is not shortened: steps that small add up to
/// nothing.
const SHORTEST_REACH: f64 = 1e-2;

/// So many rounds in a row that do not raise the bound: what the master knows is true only closer
/// to the best prices.
const ROUNDS_IN_VAIN: usize = 10;

/// So many that there is nothing left to be found: the bound is as high as it gets, and plans of
/// equal cost take turns.
const IN_VAIN_MAX: usize = 300;

/// A round that brings more than this part of what the master hoped for went the right way: it may
/// go on further.
const SUCCESS: f64 = 0.5;

/// Prices tried, plans found, and what they prove.
pub(crate) struct Search<'a> {
    rows: &'a SideConstraints<'a>,
    /// `[round]` -> its plan.
    plans: Vec<Placements>,
    /// The best bound so far, and its prices.
    best: (f64, Vec<f64>),
    master: Master,
    /// The cost of the best mixture, as the master sees it.
    upper: f64,
    /// The prices that the master asks for.
    target: Vec<f64>,
    smoothing: f64,
    /// `[row]`: how far prices may go from the best.
    reach: Vec<f64>,
    /// Gap below which reaches are lengthened.
    gap_to_lengthen: f64,
    /// Rounds since the bound has risen.
    in_vain: usize,
    /// Nothing above what is free in the first plan.
    fits: bool,
    /// Cost of the first plan without what rows charge. Contracts may charge thousands of times
    /// what latency costs; prices that are to start from, and the way that a search goes, must be
    /// right for latency, too.
    scale: f64,
    /// The first plan costs next to nothing without what rows charge: there is nothing else to be
    /// right for.
    only_charges: bool,
}

impl<'a> Search<'a> {
    /// The first round, at the prices that `net` has.
    pub(crate) fn begin(rows: &'a SideConstraints<'a>, net: &Network, basis: &Basis) -> Self {
        let prices = rows.prices(net);
        let first = rows.measure(net, basis);
        let value = rows.relaxed(&first, &prices);
        let known = prices.iter().any(|&price| price > 0.0);
        let charged = mean_charge(rows) * net.traffic();
        let only_charges = first.cost <= LEAST_COST * charged;
        let usual = if only_charges { charged } else { first.cost };
        let reach = first_reach(rows, net, &prices, (usual, known));
        let fits = first
            .loads
            .iter()
            .zip(&rows.free)
            .all(|(load, free)| load <= free);
        let master = Master::new(
            rows.free.clone(),
            rows.charge.clone(),
            first.cost,
            first.loads,
        );
        let mut search = Self {
            rows,
            plans: vec![SideConstraints::placements(net, basis)],
            best: (value, prices),
            master,
            upper: 0.0,
            target: Vec::new(),
            smoothing: SMOOTHING,
            reach,
            gap_to_lengthen: GAPS_TO_LENGTHEN[usize::from(known)],
            in_vain: 0,
            fits,
            scale: first.cost.max(LEAST_COST * charged),
            only_charges,
        };
        search.look_ahead();
        search
    }

    /// Tells whether nothing is above what is free, and no price holds it down.
    pub(crate) fn is_settled(&self) -> bool {
        self.fits && self.best.1.iter().all(|&price| price <= 0.0)
    }

    /// The prices of the best bound.
    pub(crate) fn best_prices(&self) -> &[f64] {
        &self.best.1
    }

    /// Tries prices until mixture and bound meet, or enough have been tried; whether nobody stopped
    /// it.
    pub(crate) fn run(
        &mut self,
        (net, basis): (&mut Network, &mut Basis),
        ends: Ends,
        options: &SolveOptions<'_>,
    ) -> bool {
        while self.plans.len() < ends.rounds && self.in_vain < IN_VAIN_MAX {
            let wanted = self.gap_wanted(ends, net);
            let close = self.is_close(self.upper, wanted, ends);
            if (close || self.is_near()) && self.lengthen() {
                if close {
                    let cost = self.cost_of_mixture();
                    if self.is_close(cost, wanted, ends) {
                        return true;
                    }
                }
                self.look_ahead();
                continue;
            }
            if close {
                return true;
            }
            if options.deadline.is_some_and(Deadline::expired) {
                return false;
            }
            let prices = smooth(
                self.smoothing,
                (&self.best.1, &self.target),
                &self.rows.charge,
            );
            if !self.rows.reprice(net, basis, &prices, options) {
                return false;
            }
            self.plans.push(SideConstraints::placements(net, basis));
            self.take(self.rows.measure(net, basis), prices);
        }
        true
    }

    /// Tells whether reaches that hold prices are lengthened, and none is shortened.
    fn is_near(&self) -> bool {
        let scale = if self.only_charges {
            self.scale.max(self.best.0)
        } else {
            self.scale
        };
        self.upper - self.best.0 <= self.gap_to_lengthen * scale
    }

    /// Gap wanted between mixture and bound by now.
    #[expect(clippy::cast_precision_loss, reason = "a rough measure of time")]
    fn gap_wanted(&self, ends: Ends, net: &Network) -> f64 {
        let looked = (self.plans.len() * net.tail.len()) as f64;
        let eased = ends.gap * (looked / ARCS_TO_DOUBLE).exp2();
        eased.min(GAP_MAX).max(ends.gap)
    }

    /// Tells whether a cost is as close to the bound as is wanted.
    fn is_close(&self, cost: f64, wanted: f64, ends: Ends) -> bool {
        let scale = self.scale.max(ends.all_share * cost.abs());
        cost - self.best.0 <= wanted * scale.max(f64::MIN_POSITIVE)
    }

    /// Cost of the best mixture, with every row at its full charge.
    fn cost_of_mixture(&mut self) -> f64 {
        self.forget_reach();
        self.master.solve().0
    }

    /// Lets the master's prices be anything that rows may charge.
    fn forget_reach(&mut self) {
        let nothing = vec![0.0; self.rows.charge.len()];
        self.master.bound_prices(&nothing, &self.rows.charge);
    }

    /// Takes down what a round found at these prices.
    fn take(&mut self, found: Measured, prices: Vec<f64>) {
        let value = self.rows.relaxed(&found, &prices);
        let way = (&self.best.1[..], &self.target[..]);
        // Of what the master hopes for at its target, the part of the way that was gone.
        let hoped = (1.0 - self.smoothing) * (self.upper - self.best.0);
        self.smoothing = if leads_on(&found.loads, &self.rows.free, way) {
            self.smoothing / 2.0
        } else {
            self.smoothing + SMOOTHING_STEP * (SMOOTHING_MAX - self.smoothing)
        };
        if value - self.best.0 > SUCCESS * hoped {
            self.lengthen();
        }
        if value > self.best.0 {
            self.best = (value, prices);
            self.in_vain = 0;
        } else {
            self.in_vain += 1;
            if self.in_vain.is_multiple_of(ROUNDS_IN_VAIN) && !self.is_near() {
                self.shorten(&found.loads);
            }
        }
        self.master.add(found.cost, &found.loads);
        self.look_ahead();
    }

    /// Asks the master what comes next, within reach of the best prices.
    fn look_ahead(&mut self) {
        let ends = self.best.1.iter().zip(&self.reach).zip(&self.rows.charge);
        let ends = ends.map(|((price, reach), charge)| {
            ((price - reach).max(0.0), (price + reach).min(*charge))
        });
        let (least, most): (Vec<f64>, Vec<f64>) = ends.unzip();
        self.master.bound_prices(&least, &most);
        (self.upper, self.target) = self.master.solve();
    }

    /// Lengthens the reaches that hold prices; whether there was one.
    fn lengthen(&mut self) -> bool {
        let held = self.master.held(&self.rows.charge);
        for &row in &held {
            self.reach[row] *= REACH_GROWTH;
        }
        !held.is_empty()
    }

    /// Shortens the reaches that were too long: not those of rows that would go on even from where
    /// these loads were found.
    fn shorten(&mut self, loads: &[f64]) {
        let ways = self.target.iter().zip(&self.best.1);
        let over = loads.iter().zip(&self.rows.free);
        for (reach, ((target, best), (load, free))) in self.reach.iter_mut().zip(ways.zip(over)) {
            if (target - best) * (load - free) <= 0.0 && *reach > SHORTEST_REACH * best {
                *reach /= REACH_GROWTH;
            }
        }
    }

    /// The best mixture of the plans, every row at its full charge: (weight, plan).
    pub(crate) fn mixture(&mut self) -> Vec<(f64, &Placements)> {
        self.forget_reach();
        self.master.solve();
        let weights = self.master.weights();
        let total: f64 = weights.iter().map(|weight| weight.1).sum();
        let plan = |(round, weight): (usize, f64)| (weight / total, &self.plans[round]);
        weights.into_iter().map(plan).collect()
    }
}

/// Reach of prices at first: a contract's as far as its charge; a limit on requests, which
/// charges far more than its price will ever be, as far as prices of traffic are in a plan of this
/// `cost`. Less where they were `known`.
fn first_reach(
    rows: &SideConstraints<'_>,
    net: &Network,
    prices: &[f64],
    (cost, known): (f64, bool),
) -> Vec<f64> {
    let rps = net.requests();
    let usual = if rps > 0.0 {
        FIRST_REACH * cost / rps
    } else {
        0.0
    };
    let part = if known { KNOWN_REACH } else { 1.0 };
    let traffic = net.traffic();
    let most = if known && traffic > 0.0 {
        KNOWN_REACH_OF_COST * cost / traffic
    } else {
        f64::INFINITY
    };
    let reach = |((row, &charge), &price): ((&SideConstraint, &f64), &f64)| match row {
        SideConstraint::Requests(_) if usual > 0.0 => {
            usual.max(price * (REACH_GROWTH - 1.0)).min(charge) * part
        }
        _ => (charge * part).min(most.max(charge * LEAST_REACH)),
    };
    rows.list
        .iter()
        .zip(&rows.charge)
        .zip(prices)
        .map(reach)
        .collect()
}

/// Charge of the mean contract for one Mbps: the only costs where latency is worth nothing.
fn mean_charge(rows: &SideConstraints<'_>) -> f64 {
    let rows = rows.list.iter().zip(&rows.charge);
    let contracts = rows.filter(|(row, _)| !matches!(row, SideConstraint::Requests(_)));
    let (sum, count) = contracts.fold((0.0, 0.0), |(sum, count), (_, charge)| {
        (sum + charge, count + 1.0)
    });
    sum / f64::max(count, 1.0)
}

/// Tells whether the bound still rises from the prices that were tried towards the target of the
/// master (Pessoa and others 2018).
fn leads_on(loads: &[f64], free: &[f64], (best, target): (&[f64], &[f64])) -> bool {
    let over = loads.iter().zip(free).map(|(load, free)| load - free);
    let way = target.iter().zip(best).map(|(target, best)| target - best);
    over.zip(way).map(|(over, way)| over * way).sum::<f64>() > 0.0
}

/// The next prices: between the best so far and the master's, and never above the charge, not even
/// by a rounding.
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
