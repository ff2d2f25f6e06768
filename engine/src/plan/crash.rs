//! The first basis: every unit at the cheapest place that still has room.
//!
//! Greedy at marginal prices, with a preference for where the unit is already or was in a former
//! plan. It leaves at least one quantum of room at every hub, which makes the tree strongly feasible.

use super::network::{Network, SINK, as_u32};
use super::scale::UNLIMITED;
use super::simplex::Basis;
use super::tree::Tree;

/// Cost, arc, hub: one place a unit may go.
type Option3 = (i128, usize, u32);

/// Fills hubs step by step.
struct Filler<'a> {
    net: &'a Network,
    /// `[hub]` -> quanta that still fit, one less than the truth.
    room: Vec<i64>,
    /// `[hub]` -> load in quanta.
    load: Vec<i64>,
    /// `[hub]` -> the arc that takes the next quantum.
    step: Vec<u32>,
    /// `[hub]` -> capacity of the arcs up to and with `step`.
    filled_at: Vec<i64>,
}

/// Builds a basis. `extra` is a price per hub on top of the arcs' own (empty: none); `preferred` is
/// the link that a unit should get if it fits.
pub(super) fn start(
    net: &Network,
    extra: &[i128],
    preferred: impl Fn(usize) -> Option<u32>,
) -> Basis {
    let mut filler = Filler::new(net);
    let mut chosen = Vec::with_capacity(net.demand.len());
    let mut options: Vec<Option3> = Vec::new();
    for unit in 0..net.demand.len() {
        filler.options(unit, extra, &mut options);
        if let Some(hub) =
            preferred(unit).and_then(|l| net.link_hub.get(l as usize).copied().flatten())
            && let Some(at) = options.iter().position(|o| o.2 == hub)
        {
            options[at].0 = i128::MIN;
        }
        options.sort_unstable();
        let demand = net.demand[unit];
        let place = options.iter().find(|o| filler.fits(o.2, demand));
        if let Some(&(_, arc, hub)) = place {
            filler.put(hub, demand);
            chosen.push(arc);
        } else {
            chosen.push(net.arcs_of_unit(unit).end - 1);
        }
    }
    filler.basis(&chosen)
}

impl<'a> Filler<'a> {
    fn new(net: &'a Network) -> Self {
        let total = |hub: &super::network::Hub| {
            (hub.first_arc..hub.end_arc).fold(0_i64, |sum, arc| {
                sum.saturating_add(net.capacity[arc as usize])
            })
        };
        Self {
            net,
            room: net.hubs.iter().map(|h| total(h) - 1).collect(),
            load: vec![0; net.hubs.len()],
            step: net.hubs.iter().map(|h| h.first_arc).collect(),
            filled_at: net
                .hubs
                .iter()
                .map(|h| {
                    if h.first_arc < h.end_arc {
                        net.capacity[h.first_arc as usize]
                    } else {
                        0
                    }
                })
                .collect(),
        }
    }

    /// The places of `unit` with their marginal costs: one per hub, the arc without limit.
    fn options(&self, unit: usize, extra: &[i128], options: &mut Vec<Option3>) {
        options.clear();
        for arc in self.net.arcs_of_unit(unit) {
            let hub = self.net.head[arc];
            if hub == SINK || self.net.capacity[arc] < UNLIMITED {
                continue;
            }
            let more = extra.get(hub as usize).copied().unwrap_or(0);
            options.push((self.net.cost[arc] + self.marginal(hub) + more, arc, hub));
        }
    }

    /// Cost of one more quantum from `hub` to the sink at the present loads.
    fn marginal(&self, mut hub: u32) -> i128 {
        let mut cost = 0;
        while hub != SINK {
            cost += self.net.cost[self.step[hub as usize] as usize];
            hub = self.net.hubs[hub as usize].parent;
        }
        cost
    }

    fn fits(&self, mut hub: u32, demand: i64) -> bool {
        while hub != SINK {
            if self.room[hub as usize] < demand {
                return false;
            }
            hub = self.net.hubs[hub as usize].parent;
        }
        true
    }

    fn put(&mut self, mut hub: u32, demand: i64) {
        while hub != SINK {
            let at = hub as usize;
            self.room[at] -= demand;
            self.load[at] += demand;
            while self.load[at] >= self.filled_at[at]
                && self.step[at] + 1 < self.net.hubs[at].end_arc
            {
                self.step[at] += 1;
                self.filled_at[at] += self.net.capacity[self.step[at] as usize];
            }
            hub = self.net.hubs[at].parent;
        }
    }

    /// The basis in which unit `u` uses arc `chosen[u]`.
    fn basis(&self, chosen: &[usize]) -> Basis {
        let net = self.net;
        let hubs = net.hubs.len();
        let mut flow = vec![0; net.tail.len()];
        let mut at_upper = vec![false; net.tail.len()];
        let mut tree = Tree::new(hubs, hubs + chosen.len());
        for (index, hub) in net.hubs.iter().enumerate().skip(1) {
            let mut rest = self.load[index];
            for arc in hub.first_arc..self.step[index] {
                flow[arc as usize] = net.capacity[arc as usize];
                at_upper[arc as usize] = true;
                rest -= net.capacity[arc as usize];
            }
            flow[self.step[index] as usize] = rest;
            tree.attach(as_u32(index), hub.parent, self.step[index]);
        }
        for (unit, &arc) in chosen.iter().enumerate() {
            let mut rest = net.demand[unit];
            // The incumbent's arc, if the same link has one, is just before and fills first.
            if arc > net.unit_arcs[unit] as usize && net.head[arc - 1] == net.head[arc] {
                flow[arc - 1] = net.capacity[arc - 1];
                at_upper[arc - 1] = true;
                rest -= net.capacity[arc - 1];
            }
            flow[arc] = rest;
            tree.attach(as_u32(hubs + unit), net.head[arc], as_u32(arc));
        }
        Basis::new(net, tree, flow, at_upper)
    }
}
