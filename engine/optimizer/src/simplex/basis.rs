//! Primal network simplex on exact integers.
//!
//! The classic method (Ahuja, Magnanti, Orlin, *Network Flows*, chapter 11): a spanning tree
//! carries the flow, an arc with negative reduced cost enters, flow goes round the cycle it closes,
//! the arc that blocks leaves. Ties for leaving go to the last blocking arc met when the cycle is
//! walked from its apex along the flow; that keeps the tree strongly feasible (from every node one
//! more quantum could be sent to the root), and so no sequence of pivots can repeat. Where entering
//! arcs come from is told in `pricing`.

use crate::network::arcs::Network;
use crate::network::numbers::NONE;
use crate::network::numbers::as_u32;
use crate::simplex::lazy::LazyPricing;
use crate::simplex::rough::{RoughCosts, RoughPrices};
use crate::simplex::tree::Tree;
use std::sync::Arc;

/// End of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Progress {
    /// No arc in scope has a negative reduced cost: the flow is optimal over these.
    Optimal,
    /// The allowance of pivots was used up; the flow is feasible.
    Paused,
}

/// A basic feasible flow with its potentials.
#[derive(Debug, Clone)]
pub(crate) struct Basis {
    pub(crate) tree: Tree,
    /// `[arc]` -> quanta.
    pub(crate) flow: Vec<i64>,
    /// `[arc]` -> whether it is out of the tree at its capacity.
    pub(crate) at_upper: Vec<bool>,
    /// `[hub]` -> cost of sending one more quantum from there to the sink along the tree.
    pub(crate) potential: Vec<i128>,
    /// Place at which block search goes on: `0..units` are units, beyond them blocks of hub arcs.
    pub(crate) cursor: usize,
    /// Costs in floating point; `None` in small networks.
    pub(crate) costs: Option<Arc<RoughCosts>>,
    /// The same potentials in floating point, fresh while a rough run lasts.
    pub(crate) rough: RoughPrices,
    /// Units the exact search may pass over.
    pub(crate) lazy: LazyPricing,
    /// Pivots made so far.
    pub(crate) pivots: u64,
}

/// The arc that leaves, and on which side of the cycle it was.
#[derive(Debug, Clone, Copy)]
enum Leaving {
    /// The entering arc runs full by itself.
    Entering,
    /// The tree arc above this node, on the side the flow comes from.
    Before(u32),
    /// The tree arc above this node, on the side the flow goes to.
    After(u32),
}

impl Basis {
    /// A basis from its tree and flows; computes the potentials.
    pub(crate) fn new(net: &Network, tree: Tree, flow: Vec<i64>, at_upper: Vec<bool>) -> Self {
        let potential = vec![0; net.hubs.len()];
        let mut basis = Self {
            tree,
            flow,
            at_upper,
            potential,
            cursor: 0,
            costs: None,
            rough: RoughPrices::default(),
            lazy: LazyPricing::default(),
            pivots: 0,
        };
        basis.refresh(net, 0);
        basis
    }

    /// Recomputes all potentials after costs have changed.
    pub(crate) fn reprice(&mut self, net: &Network) {
        self.refresh(net, 0);
    }

    /// Takes the costs of `net` in floating point, for runs by rough prices. O(arcs).
    pub(crate) fn take_rough_costs(&mut self, net: &Network) {
        self.costs = Some(Arc::new(RoughCosts::of(net)));
        self.rough = RoughPrices::default();
    }

    /// Follows a new order of unit arcs: `order[new]` is the old number. Hub arcs keep theirs.
    pub(crate) fn renumber(&mut self, order: &[u32]) {
        let mut new = vec![0; order.len()];
        for (at, &old) in order.iter().enumerate() {
            new[old as usize] = as_u32(at);
        }
        let flow: Vec<i64> = order.iter().map(|&old| self.flow[old as usize]).collect();
        let full: Vec<bool> = order
            .iter()
            .map(|&old| self.at_upper[old as usize])
            .collect();
        self.flow[..order.len()].copy_from_slice(&flow);
        self.at_upper[..order.len()].copy_from_slice(&full);
        self.rough = RoughPrices::default();
        for arc in &mut self.tree.pred {
            if let Some(&new) = new.get(*arc as usize) {
                *arc = new;
            }
        }
    }

    /// Potential of a unit: what its traffic pays per quantum along its tree arc.
    pub(crate) fn unit_potential(&self, net: &Network, unit: usize) -> i128 {
        let arc = self.tree.pred[net.hubs.len() + unit] as usize;
        net.cost[arc] + self.potential[net.head[arc] as usize]
    }

    /// Brings `arc` into the basis.
    pub(crate) fn pivot(&mut self, net: &Network, arc: usize) {
        let (tail, head) = (net.tail[arc], net.head[arc]);
        let (first, second) = if self.at_upper[arc] {
            (head, tail)
        } else {
            (tail, head)
        };
        let apex = self.apex(first, second);
        let (delta, leaving) = self.blocking(net, arc, first, second, apex);
        if delta > 0 {
            self.augment(net, arc, first, second, apex, delta);
        }
        let (top, from, onto) = match leaving {
            Leaving::Entering => {
                self.wake(net, tail);
                self.at_upper[arc] = !self.at_upper[arc];
                return;
            }
            Leaving::Before(node) => (node, first, second),
            Leaving::After(node) => (node, second, first),
        };
        let gone = self.tree.pred[top as usize] as usize;
        // A tree arc that blocks is empty or full; an arc of capacity 0 does not exist.
        self.at_upper[gone] = self.flow[gone] != 0;
        self.at_upper[arc] = false;
        // Not yet in the tree, the arc's reduced cost is what the moved side gains or loses.
        let behind = match (tail as usize).checked_sub(net.hubs.len()) {
            Some(unit) => self.unit_potential(net, unit),
            None => self.potential[tail as usize],
        };
        let reduced = net.cost[arc] + self.potential[head as usize] - behind;
        for node in [from, onto, top] {
            self.wake(net, node);
        }
        self.tree.rehang(from, top, onto, as_u32(arc));
        let change = if from == tail { reduced } else { -reduced };
        self.shift(net, from, change);
    }

    /// Has the exact search look at a node again, if that is a unit.
    fn wake(&mut self, net: &Network, node: u32) {
        if let Some(unit) = (node as usize).checked_sub(net.hubs.len()) {
            self.lazy.wake(unit);
        }
    }

    /// The deepest node above both.
    fn apex(&self, first: u32, second: u32) -> u32 {
        let (mut a, mut b) = (first, second);
        let (mut depth_a, mut depth_b) = (self.tree.depth_of(a), self.tree.depth_of(b));
        while a != b {
            if depth_a >= depth_b {
                a = self.tree.parent(a);
                depth_a -= 1;
            } else {
                b = self.tree.parent(b);
                depth_b -= 1;
            }
        }
        a
    }

    /// Quanta that can go round the cycle, and the arc that stops them.
    fn blocking(
        &self,
        net: &Network,
        arc: usize,
        first: u32,
        second: u32,
        apex: u32,
    ) -> (i64, Leaving) {
        let mut delta = if self.at_upper[arc] {
            self.flow[arc]
        } else {
            net.capacity[arc] - self.flow[arc]
        };
        let mut leaving = Leaving::Entering;
        let mut node = first;
        while node != apex {
            // The flow comes down from the apex on this side.
            let room = self.room(
                net,
                node,
                net.tail[self.tree.pred[node as usize] as usize] != node,
            );
            if room < delta {
                (delta, leaving) = (room, Leaving::Before(node));
            }
            node = self.tree.parent(node);
        }
        node = second;
        while node != apex {
            let room = self.room(
                net,
                node,
                net.tail[self.tree.pred[node as usize] as usize] == node,
            );
            // Not strict: the last blocking arc before the apex leaves.
            if room <= delta {
                (delta, leaving) = (room, Leaving::After(node));
            }
            node = self.tree.parent(node);
        }
        (delta, leaving)
    }

    /// Room on the tree arc above `node`, along its direction or against it.
    fn room(&self, net: &Network, node: u32, along: bool) -> i64 {
        let arc = self.tree.pred[node as usize] as usize;
        if along {
            net.capacity[arc] - self.flow[arc]
        } else {
            self.flow[arc]
        }
    }

    /// Sends `delta` quanta round the cycle.
    fn augment(
        &mut self,
        net: &Network,
        arc: usize,
        first: u32,
        second: u32,
        apex: u32,
        delta: i64,
    ) {
        self.flow[arc] += if self.at_upper[arc] { -delta } else { delta };
        for (start, downwards) in [(first, true), (second, false)] {
            let mut node = start;
            while node != apex {
                let pred = self.tree.pred[node as usize] as usize;
                let upward_arc = net.tail[pred] == node;
                self.flow[pred] += if upward_arc == downwards {
                    -delta
                } else {
                    delta
                };
                node = self.tree.parent(node);
            }
        }
    }

    /// Adds `change` to the potentials of `node` and all below it; renews their depths.
    fn shift(&mut self, net: &Network, node: u32, change: i128) {
        let hubs = net.hubs.len();
        let potential = &mut self.potential[..hubs];
        let (rough, lazy) = (&mut self.rough.potential[..], &mut self.lazy);
        let mut any = false;
        let about = self.costs.as_ref().map_or(0.0, |costs| costs.weigh(change));
        self.tree.below(node, |_, node| {
            let at = node as usize;
            if let Some(potential) = potential.get_mut(at) {
                *potential += change;
                any = true;
            } else {
                // It hangs from another arc, or carries on two.
                lazy.wake(at - hubs);
            }
            if let Some(rough) = rough.get_mut(at) {
                *rough += about;
            }
        });
        if any {
            lazy.shift(change);
        }
    }

    /// Recomputes potentials and depths of `node` and all below it.
    fn refresh(&mut self, net: &Network, node: u32) {
        let potential = &mut self.potential;
        let hubs = net.hubs.len();
        self.tree.below(node, |tree, node| {
            let at = node as usize;
            let arc = tree.pred[at];
            if at >= hubs || arc == NONE {
                return;
            }
            let (arc, parent) = (arc as usize, tree.parent(node) as usize);
            potential[at] = if net.tail[arc] == node {
                net.cost[arc] + potential[parent]
            } else if parent < hubs {
                potential[parent] - net.cost[arc]
            } else {
                let up = tree.pred[parent] as usize;
                net.cost[up] + potential[net.head[up] as usize] - net.cost[arc]
            };
        });
    }
}
