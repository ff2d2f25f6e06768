//! The first basis: every unit at the cheapest place that still has room.
//!
//! Greedy, either at marginal prices or at the prices of a smaller solve. With prices the units
//! that have most to lose choose first, and the many that are nearly indifferent fill up what is
//! left. It leaves at least one quantum of room at every hub, which makes the tree strongly
//! feasible.

use coverage::LinkId;
use std::cmp::Reverse;

use crate::network::arcs::{Hub, Network};
use crate::network::numbers::{SINK, as_u32};
use crate::network::scale::{UNLIMITED, UNSERVED};
use crate::simplex::basis::Basis;
use crate::simplex::tree::Tree;

/// One unit in this many is left undecided: those that are nearly indifferent at the given prices.
const UNDECIDED: usize = 10;

/// One place a unit may go; ordered by cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    cost: i128,
    arc: usize,
    hub: u32,
}

/// Fills hubs step by step.
struct Filler<'a> {
    net: &'a Network,
    /// `[hub]` -> quanta that fit before the next step would cost more than the hub's price.
    fair: Vec<i64>,
    /// `[hub]` -> quanta that fit at all, one less than the truth.
    room: Vec<i64>,
    /// `[hub]` -> load in quanta.
    load: Vec<i64>,
    /// `[hub]` -> the arc that takes the next quantum.
    step: Vec<u32>,
    /// `[hub]` -> capacity of the arcs up to and with `step`.
    filled_at: Vec<i64>,
}

/// Builds a basis at marginal prices. `preferred` is the link that a unit should get if it fits.
pub(crate) fn start(net: &Network, preferred: impl Fn(usize) -> Option<LinkId>) -> Basis {
    let mut filler = Filler::new(net, None);
    let mut chosen = Vec::with_capacity(net.demand.len());
    let mut places = Vec::new();
    for unit in 0..net.demand.len() {
        filler.places(unit, |hub| filler.marginal(hub), &mut places);
        let link = preferred(unit).and_then(|l| net.link_hub.get(l.index()).copied().flatten());
        if let Some(place) = places.iter_mut().find(|p| Some(p.hub) == link) {
            place.cost = i128::MIN;
        }
        places.sort_unstable();
        let whole = (unit, net.demand[unit]);
        chosen.push(filler.choose(whole, |_| places.iter().map(|place| place.arc)));
    }
    filler.basis(&chosen, &[])
}

/// Builds a basis in which units stay where they are, as far as there is room; what is left of them
/// goes to the place that is cheapest by marginal prices.
pub(crate) fn start_from_incumbents(net: &Network) -> Basis {
    let mut filler = Filler::new(net, None);
    let mut chosen = Vec::with_capacity(net.demand.len());
    let mut places = Vec::new();
    let mut full = vec![false; net.unit_arc_count()];
    for unit in 0..net.demand.len() {
        let mut rest = net.demand[unit];
        for arc in net.arcs_of_unit(unit) {
            let (hub, share) = (net.head[arc], net.capacity[arc]);
            if share < UNLIMITED && share <= rest && filler.fits(&filler.room, hub, share) {
                filler.put(hub, share);
                full[arc] = true;
                rest -= share;
            }
        }
        filler.places(unit, |hub| filler.marginal(hub), &mut places);
        places.sort_unstable();
        chosen.push(filler.choose((unit, rest), |_| places.iter().map(|place| place.arc)));
    }
    filler.basis(&chosen, &full)
}

/// Builds a basis at given prices: `potential[hub]` is the price from the hub to the sink. The arcs
/// of units must have been sorted at these prices.
pub(crate) fn start_at_prices(net: &Network, potential: &[i128]) -> Basis {
    let mut filler = Filler::new(net, Some(potential));
    let mut chosen = vec![0; net.demand.len()];
    for unit in filler.by_regret(potential) {
        let whole = (unit, net.demand[unit]);
        chosen[unit] = filler.choose(whole, |filler| filler.open_arcs(unit));
    }
    filler.basis(&chosen, &[])
}

/// `[unit]` -> the arc of its best place at given prices, for those that have most to lose
/// elsewhere. `None` for the others, and where there is no room. The arcs of units must have been
/// sorted at these prices.
pub(crate) fn decide(net: &Network, potential: &[i128]) -> Vec<Option<usize>> {
    let mut filler = Filler::new(net, Some(potential));
    let units = net.demand.len();
    let mut decided = vec![None; units];
    let order = filler.by_regret(potential);
    for &unit in &order[..units - units / UNDECIDED] {
        decided[unit] = filler.take_best(unit);
    }
    decided
}

/// Puts what is left of a unit on the hub of `arc`: `flow` and `at_upper` of its arcs.
pub(crate) fn put_rest(
    net: &Network,
    (unit, arc): (usize, usize),
    (flow, at_upper): (&mut [i64], &mut [bool]),
) {
    let placed: i64 = flow[net.arcs_of_unit(unit)].iter().sum();
    let mut rest = net.demand[unit] - placed;
    // The incumbent's arc, if the same link has one, is just before and fills first.
    let beside = arc > net.unit_arcs[unit] as usize && net.head[arc - 1] == net.head[arc];
    if beside && !at_upper[arc - 1] && net.capacity[arc - 1] <= rest {
        flow[arc - 1] = net.capacity[arc - 1];
        at_upper[arc - 1] = true;
        rest -= net.capacity[arc - 1];
    }
    flow[arc] = rest;
}

impl<'a> Filler<'a> {
    /// Nothing placed yet. Without prices every step of a hub is fair.
    fn new(net: &'a Network, potential: Option<&[i128]>) -> Self {
        let arcs = |hub: &Hub| hub.first_arc as usize..hub.end_arc as usize;
        let total =
            |hub: &Hub| arcs(hub).fold(0_i64, |sum, arc| sum.saturating_add(net.capacity[arc])) - 1;
        let fair = |(index, hub): (usize, &Hub)| match potential {
            None => total(hub),
            Some(potential) => {
                let own = potential[index] - potential[hub.parent as usize];
                let paid = arcs(hub).filter(|&arc| net.cost[arc] <= own);
                paid.fold(0_i64, |sum, arc| sum.saturating_add(net.capacity[arc])) - 1
            }
        };
        let first = |hub: &Hub| {
            net.capacity
                .get(hub.first_arc as usize)
                .copied()
                .unwrap_or(0)
        };
        Self {
            net,
            fair: net.hubs.iter().enumerate().map(fair).collect(),
            room: net.hubs.iter().map(total).collect(),
            load: vec![0; net.hubs.len()],
            step: net.hubs.iter().map(|h| h.first_arc).collect(),
            filled_at: net.hubs.iter().map(first).collect(),
        }
    }

    /// The places of `unit` at the given path prices: one per hub, the arc without limit.
    fn places(&self, unit: usize, path: impl Fn(u32) -> i128, places: &mut Vec<Place>) {
        places.clear();
        for arc in self.net.arcs_of_unit(unit) {
            let hub = self.net.head[arc];
            if hub != SINK && self.net.capacity[arc] >= UNLIMITED {
                let cost = self.net.cost[arc] + path(hub);
                places.push(Place { cost, arc, hub });
            }
        }
    }

    /// The arcs of `unit` without limit that lead to a hub, in their order.
    fn open_arcs(&self, unit: usize) -> impl Iterator<Item = usize> + use<'a> {
        let net = self.net;
        let arcs = net.arcs_of_unit(unit);
        arcs.filter(move |&arc| net.head[arc] != SINK && net.capacity[arc] >= UNLIMITED)
    }

    /// All units, those that lose most without their best place first.
    fn by_regret(&self, potential: &[i128]) -> Vec<usize> {
        let net = self.net;
        let price = |arc: usize| net.cost[arc] + potential[net.head[arc] as usize];
        let regret = |unit: usize| {
            let mut open = self.open_arcs(unit);
            match (open.next(), open.next()) {
                (None, _) => 0,
                (Some(only), None) => UNSERVED - price(only),
                (Some(first), Some(second)) => price(second) - price(first),
            }
        };
        let units = 0..net.demand.len();
        let mut order: Vec<(Reverse<i128>, usize)> =
            units.map(|unit| (Reverse(regret(unit)), unit)).collect();
        order.sort_unstable();
        order.into_iter().map(|(_, unit)| unit).collect()
    }

    /// Puts `unit` on the first of its places if that is fair, and tells the arc.
    fn take_best(&mut self, unit: usize) -> Option<usize> {
        let arc = self.open_arcs(unit).next()?;
        let (hub, demand) = (self.net.head[arc], self.net.demand[unit]);
        self.fits(&self.fair, hub, demand).then(|| {
            self.put(hub, demand);
            arc
        })
    }

    /// Puts `demand` of `unit` on the first of `arcs` that is fair, else on the first with room,
    /// else nowhere.
    fn choose<I: Iterator<Item = usize>>(
        &mut self,
        (unit, demand): (usize, i64),
        arcs: impl Fn(&Self) -> I,
    ) -> usize {
        let hub = |arc: usize| self.net.head[arc];
        let fair = arcs(self).find(|&arc| self.fits(&self.fair, hub(arc), demand));
        let place =
            fair.or_else(|| arcs(self).find(|&arc| self.fits(&self.room, hub(arc), demand)));
        let Some(arc) = place else {
            return self.net.arcs_of_unit(unit).end - 1;
        };
        self.put(self.net.head[arc], demand);
        arc
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

    /// Tells whether `room` suffices all the way to the sink.
    fn fits(&self, room: &[i64], mut hub: u32, demand: i64) -> bool {
        while hub != SINK {
            if room[hub as usize] < demand {
                return false;
            }
            hub = self.net.hubs[hub as usize].parent;
        }
        true
    }

    /// Adds `demand` to every hub from `hub` to the sink.
    fn put(&mut self, mut hub: u32, demand: i64) {
        while hub != SINK {
            let at = hub as usize;
            self.room[at] -= demand;
            self.fair[at] -= demand;
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

    /// The basis in which units use the limited arcs that are `full`, and unit `u` arc `chosen[u]`
    /// for the rest.
    fn basis(&self, chosen: &[usize], full: &[bool]) -> Basis {
        let net = self.net;
        let hubs = net.hubs.len();
        let mut flow = vec![0; net.tail.len()];
        let mut at_upper = vec![false; net.tail.len()];
        for arc in (0..full.len()).filter(|&arc| full[arc]) {
            flow[arc] = net.capacity[arc];
            at_upper[arc] = true;
        }
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
            put_rest(net, (unit, arc), (&mut flow, &mut at_upper));
            tree.attach(as_u32(hubs + unit), net.head[arc], as_u32(arc));
        }
        Basis::new(net, tree, flow, at_upper)
    }
}
