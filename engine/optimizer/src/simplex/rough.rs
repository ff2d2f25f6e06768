//! Rough prices: which arc is worth an exact look.
//!
//! Looking for an arc that enters is most of what the simplex does, and nearly every arc it looks
//! at is turned down. For that a copy of the unit arcs in floating point is enough: half as many
//! bytes in the order in which they are read, and sums of one instruction. Levels are added up by
//! weights here, which may mislead; so an arc is taken only after its exact reduced cost has been
//! looked at, and the last word, that nothing is left to gain, is an exact one.

use crate::network::arcs::Network;
use crate::network::numbers::NONE;
use crate::network::numbers::{SINK, as_u32};
use crate::network::scale::{Scale, UNLIMITED};

/// Each level counts this many times the one below it, the least important one this many times the
/// dearest money.
const LEVEL_STEP: f64 = 64.0;

/// Smaller gains, as a share of the dearest arc, are left to the exact prices.
pub(crate) const TOLERANCE: f64 = 1e-6;

/// Unit arcs that may enter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    /// The cheapest few of each unit.
    Front,
    /// All.
    All,
}

/// The arcs of units without limited arcs: (cost, hub entered).
#[derive(Debug, Clone, Default)]
struct Arcs {
    /// `[unit]` -> first of its arcs, and one more entry.
    first: Vec<u32>,
    arcs: Vec<(f32, u32)>,
}

/// Costs of unit arcs, in the order of the network.
#[derive(Debug, Clone)]
pub(crate) struct RoughCosts {
    front: Arcs,
    all: Arcs,
    /// `[unit]` -> whether it has limited arcs; it is not copied then, but always priced exactly.
    limited: Vec<bool>,
    weights: Weights,
}

/// Weights by which the levels of a cost are added up; the dearest money of an arc counts 1.
#[derive(Debug, Clone, Copy)]
struct Weights {
    scale: Scale,
    /// One quantum of money.
    per_quantum: f64,
}

/// Potentials of hubs and of units' own arcs; belongs to a basis.
#[derive(Debug, Clone, Default)]
pub(crate) struct RoughPrices {
    /// `[hub]`.
    pub(crate) potential: Vec<f64>,
    /// `[unit]` -> its tree arc as it was last seen.
    own: Vec<Own>,
}

/// A tree arc.
#[derive(Debug, Clone, Copy)]
struct Own {
    arc: u32,
    cost: f32,
    hub: u32,
}

impl Weights {
    #[expect(clippy::cast_precision_loss, reason = "rough on purpose")]
    fn of(net: &Network) -> Self {
        let dearest = net.cost.iter().map(|&cost| net.scale.parts(cost).1).max();
        Self {
            scale: net.scale,
            per_quantum: 1.0 / dearest.unwrap_or(0).max(1) as f64,
        }
    }

    fn weigh(self, cost: i128) -> f64 {
        let ([unserved, overload, late], money) = self.scale.parts(cost);
        let money = Scale::rough_quanta(money) * self.per_quantum;
        if (unserved | overload | late) == 0 {
            return money;
        }
        f64::from(unserved)
            .mul_add(LEVEL_STEP, f64::from(overload))
            .mul_add(LEVEL_STEP, f64::from(late))
            .mul_add(LEVEL_STEP, money)
    }

    #[expect(clippy::cast_possible_truncation, reason = "rough on purpose")]
    fn weigh_arc(self, cost: i128) -> f32 {
        self.weigh(cost) as f32
    }
}

impl Arcs {
    fn range(&self, unit: usize) -> std::ops::Range<usize> {
        self.first[unit] as usize..self.first[unit + 1] as usize
    }
}

impl RoughCosts {
    /// The costs of `net`. O(arcs).
    pub(crate) fn of(net: &Network) -> Self {
        let weights = Weights::of(net);
        let units = 0..net.demand.len();
        let mut rough = Self {
            front: Arcs::default(),
            all: Arcs::default(),
            limited: Vec::with_capacity(units.len()),
            weights,
        };
        for unit in units {
            rough.front.first.push(as_u32(rough.front.arcs.len()));
            rough.all.first.push(as_u32(rough.all.arcs.len()));
            let range = net.arcs_of_unit(unit);
            let limited = net.capacity[range.clone()].iter().any(|&c| c < UNLIMITED);
            rough.limited.push(limited);
            if limited || net.demand[unit] == 0 {
                continue;
            }
            let ahead = net.front_of_unit(unit).len();
            let arcs = net.cost[range.clone()].iter().zip(&net.head[range]);
            let arcs = arcs.map(|(&cost, &head)| (weights.weigh_arc(cost), head));
            let start = rough.all.arcs.len();
            rough.all.arcs.extend(arcs);
            let front = &rough.all.arcs[start..start + ahead];
            rough.front.arcs.extend_from_slice(front);
        }
        rough.front.first.push(as_u32(rough.front.arcs.len()));
        rough.all.first.push(as_u32(rough.all.arcs.len()));
        rough
    }

    /// Tells whether a unit must be priced exactly.
    pub(crate) fn is_limited(&self, unit: usize) -> bool {
        self.limited[unit]
    }

    /// A cost or a difference of costs.
    pub(crate) fn weigh(&self, cost: i128) -> f64 {
        self.weights.weigh(cost)
    }

    /// Replaces `best` (gain, arc) when an arc of `unit` gains more; returns how many arcs were
    /// looked at. `pred` is the unit's tree arc.
    #[inline]
    pub(crate) fn look(
        &self,
        net: &Network,
        scope: Scope,
        (unit, pred): (usize, u32),
        prices: &mut RoughPrices,
        best: &mut (f64, u32),
    ) -> usize {
        let arcs = match scope {
            Scope::Front => &self.front,
            Scope::All => &self.all,
        };
        let range = arcs.range(unit);
        if range.is_empty() {
            return 0;
        }
        let own = &mut prices.own[unit];
        if own.arc != pred {
            *own = Own {
                arc: pred,
                cost: self.weights.weigh_arc(net.cost[pred as usize]),
                hub: net.head[pred as usize],
            };
        }
        let potential = &prices.potential[..];
        let tail = f64::from(own.cost) + potential[own.hub as usize];
        let mut least = tail - best.0;
        let mut found = None;
        for (offset, &(cost, hub)) in arcs.arcs[range.clone()].iter().enumerate() {
            let price = f64::from(cost) + potential[hub as usize];
            if price < least {
                (least, found) = (price, Some(offset));
            }
        }
        if let Some(offset) = found {
            *best = (tail - least, net.unit_arcs[unit] + as_u32(offset));
        }
        range.len()
    }
}

impl RoughPrices {
    /// Takes over exact potentials; rounding does not add up beyond one run.
    pub(crate) fn refresh(&mut self, costs: &RoughCosts, units: usize, potential: &[i128]) {
        self.potential.clear();
        let weighed = potential.iter().map(|&p| costs.weigh(p));
        self.potential.extend(weighed);
        if self.own.len() != units {
            self.forget_arcs(units);
        }
    }

    /// Forgets tree arcs after arcs have got other numbers.
    pub(crate) fn forget_arcs(&mut self, units: usize) {
        let unknown = Own {
            arc: NONE,
            cost: 0.0,
            hub: SINK,
        };
        self.own.clear();
        self.own.resize(units, unknown);
    }
}
