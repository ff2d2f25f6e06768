//! Choice of the arc that enters: block search over the arcs of units and hubs.
//!
//! The best arc of a block of units enters, blocks taken in turn. Large networks are searched by
//! rough prices first, in larger blocks because looking is cheap, over the fronts and then over all
//! arcs; the exact search has the last word.

use crate::network::arcs::Network;
use crate::network::numbers::NONE;
use crate::network::numbers::as_u32;
use crate::simplex::basis::{Basis, Progress};
use crate::simplex::rough::{RoughCosts, Scope, TOLERANCE};

/// Blocks of the exact search have about this many times the square root of the number of arcs.
const BLOCK_FACTOR: f64 = 0.125;

/// The same for the rough search.
const ROUGH_BLOCK_FACTOR: f64 = 0.25;

/// Smallest block in arcs.
const BLOCK_ARCS_MIN: usize = 64;

/// Places that are looked at in turn: first each unit, then the arcs of hubs block by block.
struct Places {
    units: usize,
    first_hub_arc: usize,
    arcs: usize,
    block: usize,
}

impl Places {
    fn of(net: &Network, block: usize) -> Self {
        Self {
            units: net.demand.len(),
            first_hub_arc: net.unit_arc_count(),
            arcs: net.tail.len(),
            block,
        }
    }

    const fn count(&self) -> usize {
        self.units + (self.arcs - self.first_hub_arc).div_ceil(self.block)
    }

    /// The hub arcs of a place beyond the units.
    fn hub_arcs(&self, place: usize) -> std::ops::Range<usize> {
        let start = self.first_hub_arc + (place - self.units) * self.block;
        start..(start + self.block).min(self.arcs)
    }
}

impl Basis {
    /// Pivots until optimal or until `pivots_max` more pivots were made.
    pub(crate) fn run(&mut self, net: &Network, pivots_max: u64) -> Progress {
        let places = Places::of(net, block_arcs(net.tail.len(), BLOCK_FACTOR));
        self.lazy.wake_all(net.demand.len());
        for _ in 0..pivots_max {
            let Some(arc) = self.entering(net, &places) else {
                return Progress::Optimal;
            };
            self.pivot(net, arc);
            self.pivots += 1;
        }
        Progress::Paused
    }

    /// The same by rough prices, if there are any: `Optimal` says that these show no gain in
    /// `scope`.
    pub(crate) fn run_roughly(&mut self, net: &Network, scope: Scope, pivots_max: u64) -> Progress {
        let Some(costs) = self.costs.clone() else {
            return Progress::Optimal;
        };
        let arcs = match scope {
            Scope::Front => net.front_arc_count(),
            Scope::All => net.tail.len(),
        };
        let places = Places::of(net, block_arcs(arcs, ROUGH_BLOCK_FACTOR));
        self.rough
            .refresh(&costs, net.demand.len(), &self.potential);
        for _ in 0..pivots_max {
            let Some(arc) = self.entering_roughly(net, &costs, scope, &places) else {
                return Progress::Optimal;
            };
            self.pivot(net, arc);
            self.pivots += 1;
        }
        Progress::Paused
    }

    /// The best arc of the next block that has one; `None` after a full round without any.
    fn entering(&mut self, net: &Network, places: &Places) -> Option<usize> {
        let mut best = (0_i128, None);
        let mut scanned = 0;
        for _ in 0..places.count() {
            let place = self.cursor;
            self.step(places);
            if place >= places.units {
                scanned += self.price_hub_arcs(net, places, place, &mut best);
            } else if !self.lazy.is_resting(place) {
                let (looked, lead) = self.price_unit(net, place, &mut best);
                scanned += looked;
                if lead >= 0 {
                    self.lazy.rest(place, lead);
                }
            }
            if scanned >= places.block {
                if best.1.is_some() {
                    break;
                }
                scanned = 0;
            }
        }
        best.1
    }

    /// The same by rough prices. What has none is priced exactly and weighed; what only seems to
    /// gain is passed over.
    fn entering_roughly(
        &mut self,
        net: &Network,
        costs: &RoughCosts,
        scope: Scope,
        places: &Places,
    ) -> Option<usize> {
        let mut best = (TOLERANCE, NONE);
        let mut scanned = 0;
        for _ in 0..places.count() {
            let place = self.cursor;
            self.step(places);
            let exactly = place >= places.units || costs.is_limited(place);
            if exactly {
                let mut exact = (0, None);
                scanned += if place < places.units {
                    self.price_unit(net, place, &mut exact).0
                } else {
                    self.price_hub_arcs(net, places, place, &mut exact)
                };
                let gain = -costs.weigh(exact.0);
                if let Some(arc) = exact.1
                    && gain > best.0
                {
                    best = (gain, as_u32(arc));
                }
            } else {
                let pred = self.tree.pred[net.hubs.len() + place];
                let before = best;
                scanned += costs.look(net, scope, (place, pred), &mut self.rough, &mut best);
                if best.1 != before.1 && !self.gains(net, best.1 as usize) {
                    best = before;
                }
            }
            if scanned >= places.block && best.1 != NONE {
                break;
            }
        }
        (best.1 != NONE).then_some(best.1 as usize)
    }

    /// Moves on to the next place.
    const fn step(&mut self, places: &Places) {
        self.cursor += 1;
        if self.cursor >= places.count() {
            self.cursor = 0;
        }
    }

    /// Tells whether using `arc` more, or less when it is full, saves something: the exact word.
    fn gains(&self, net: &Network, arc: usize) -> bool {
        let mut best = (0, None);
        let tail = net.tail[arc] as usize;
        let tail = match tail.checked_sub(net.hubs.len()) {
            Some(unit) => self.unit_potential(net, unit),
            None => self.potential[tail],
        };
        self.consider(net, arc, tail, &mut best);
        best.1.is_some()
    }

    /// Considers the arcs of one place beyond the units; returns how many there were.
    fn price_hub_arcs(
        &self,
        net: &Network,
        places: &Places,
        place: usize,
        best: &mut (i128, Option<usize>),
    ) -> usize {
        let arcs = places.hub_arcs(place);
        for arc in arcs.clone() {
            let tail = self.potential[net.tail[arc] as usize];
            self.consider(net, arc, tail, best);
        }
        arcs.len()
    }

    /// Considers the arcs of one unit; returns how many there were, and by how much the best of
    /// those that are not its own loses.
    fn price_unit(
        &self,
        net: &Network,
        unit: usize,
        best: &mut (i128, Option<usize>),
    ) -> (usize, i128) {
        // A unit without traffic would only cause pivots that move nothing; it is placed at the
        // end.
        if net.demand[unit] == 0 {
            return (0, i128::MAX / 2);
        }
        let own = self.tree.pred[net.hubs.len() + unit] as usize;
        let tail = net.cost[own] + self.potential[net.head[own] as usize];
        let arcs = net.arcs_of_unit(unit);
        let (start, count) = (arcs.start, arcs.len());
        let costs = &net.cost[arcs.clone()];
        let heads = &net.head[arcs.clone()];
        let full = &self.at_upper[arcs];
        let own = own.wrapping_sub(start);
        let mut least = (i128::MAX, start);
        for (offset, ((cost, head), full)) in costs.iter().zip(heads).zip(full).enumerate() {
            let reduced = cost + self.potential[*head as usize] - tail;
            let gain = if *full { -reduced } else { reduced };
            if gain < least.0 && offset != own {
                least = (gain, start + offset);
            }
        }
        if least.0 < best.0 {
            *best = (least.0, Some(least.1));
        }
        (count, least.0)
    }

    /// Keeps `arc` if using it more (or less, at its capacity) saves more than the best so far.
    #[inline]
    fn consider(&self, net: &Network, arc: usize, tail: i128, best: &mut (i128, Option<usize>)) {
        let mut reduced = net.cost[arc] + self.potential[net.head[arc] as usize] - tail;
        if self.at_upper[arc] {
            reduced = -reduced;
        }
        if reduced < best.0 {
            *best = (reduced, Some(arc));
        }
    }
}

/// Arcs per block.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a rough size; the root of a count is a small positive number"
)]
fn block_arcs(arcs: usize, factor: f64) -> usize {
    (((arcs as f64).sqrt() * factor) as usize).max(BLOCK_ARCS_MIN)
}
