//! The network: unit -> link -> (contract) -> site -> (contract) -> (region) -> sink, with one arc
//! per price step.
//!
//! ```text
//!   unit ──┬─> link ══> [contract] ══> site ══> [contract over sites] ══> region ══> sink
//!          └──────────────────────────── unserved ─────────────────────────────────┘
//! ```
//! A double line is a stack of parallel arcs, cheapest first: up to the watermark, above it, free
//! of charge, priced. Convexity makes the cheap arc fill first. Links, sites and contracts are
//! *hubs*; each has one parent, so prices add up along one path. A contract that cuts across sites
//! has no place in this tree: it is *shared*, and its links carry a price that `side` finds
//! from outside. So do the arcs of units that bring requests to sites which limit them.

use crate::network::hubs::Draft;
use crate::network::numbers::{NONE, SINK, as_u32};
use crate::network::scale::{MOVED, Scale, UNLIMITED, UNSERVED};
use crate::problem::index::Problem;
use crate::problem::levels::is_late;
use crate::problem::money::latency_cny_per_mbps;
use crate::problem::money::move_cny_per_mbps;
use crate::problem::requests;
use coverage::ContractId;
use instance::Instance;

/// Place of a contract in the network.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum ContractPlace {
    /// Costs the same per Mbps at any load: part of its links' arcs.
    Linear(i128),
    /// A hub of its own.
    Hub(u32),
    /// Cuts across sites: its links carry this price per Mbps, which lies between 0 and the
    /// contract's.
    Shared(i128),
}

impl ContractPlace {
    /// Price per Mbps that its links carry, because no hub does.
    pub(crate) const fn price_of_links(self) -> i128 {
        match self {
            Self::Linear(cost) | Self::Shared(cost) => cost,
            Self::Hub(_) => 0,
        }
    }
}

/// A link, site, region or contract in the tree of hubs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Hub {
    /// Hub that its traffic goes to next.
    pub(crate) parent: u32,
    /// First of its parallel arcs to the parent.
    pub(crate) first_arc: u32,
    /// One past the last.
    pub(crate) end_arc: u32,
}

/// Arcs in parallel arrays, and what they mean.
#[derive(Debug, Clone)]
pub(crate) struct Network {
    /// `[hub]`; entry 0 is the sink, which has no arcs.
    pub(crate) hubs: Vec<Hub>,
    /// `[arc]` -> node it leaves: a hub, or `hubs.len() + unit`.
    pub(crate) tail: Vec<u32>,
    /// `[arc]` -> hub it enters.
    pub(crate) head: Vec<u32>,
    /// `[arc]` -> capacity in quanta, positive.
    pub(crate) capacity: Vec<i64>,
    /// `[arc]` -> cost per quantum.
    pub(crate) cost: Vec<i128>,
    /// `[unit]` -> first of its arcs, and one more entry; the last arc of a unit is its unserved
    /// arc.
    pub(crate) unit_arcs: Vec<u32>,
    /// `[unit]` -> one past the arcs of its front; empty until [`Network::sort_by_price`].
    pub(crate) front_end: Vec<u32>,
    /// `[unit]` -> demand in quanta.
    pub(crate) demand: Vec<i64>,
    /// `[link]` -> its hub; `None` when it can carry nothing.
    pub(crate) link_hub: Vec<Option<u32>>,
    /// `[hub]` -> link index, [`NONE`] for other hubs.
    pub(crate) link_of_hub: Vec<u32>,
    /// `[site]` -> its hub; `None` when it can carry nothing or never binds.
    pub(crate) site_hub: Vec<Option<u32>>,
    /// `[region]` -> its hub; `None` when it never binds.
    pub(crate) region_hub: Vec<Option<u32>>,
    /// `[contract]`.
    pub(crate) contracts: Vec<ContractPlace>,
    /// `[unit]` -> requests per second that one Mbps brings; empty when no site limits them.
    pub(crate) rps_per_mbps: Vec<f64>,
    /// `[link]` -> what its unit arcs carry for one request per second, in CNY.
    pub(crate) request_cny: Vec<f64>,
    /// The fixed point all of this is in.
    pub(crate) scale: Scale,
}

impl Network {
    /// Builds the network of a problem. O(arcs).
    pub(crate) fn build(problem: &Problem<'_>) -> Self {
        let instance = problem.instance;
        let scale = Scale::of(problem);
        let candidates: usize = instance.units.iter().map(|u| u.cand.len() + 1).sum();
        let arcs = candidates + 4 * (instance.links.len() + instance.sites.len());
        let mut network = Self {
            hubs: Vec::new(),
            tail: Vec::with_capacity(arcs),
            head: Vec::with_capacity(arcs),
            capacity: Vec::with_capacity(arcs),
            cost: Vec::with_capacity(arcs),
            unit_arcs: Vec::with_capacity(instance.units.len() + 1),
            front_end: Vec::new(),
            demand: instance.units.iter().map(|u| scale.flow(u.mbps)).collect(),
            link_hub: vec![None; instance.links.len()],
            link_of_hub: Vec::new(),
            site_hub: vec![None; instance.sites.len()],
            region_hub: vec![None; instance.regions.len()],
            contracts: Vec::new(),
            rps_per_mbps: Vec::new(),
            request_cny: vec![0.0; instance.links.len()],
            scale,
        };
        if instance.sites.iter().any(|s| s.capacity_rps.is_some()) {
            network.rps_per_mbps = instance.units.iter().map(requests::per_mbps).collect();
        }
        let drafts = network.place_hubs(problem);
        network.add_unit_arcs(instance, drafts.len());
        network.add_hub_arcs(drafts);
        network
    }

    /// Number of arcs that leave units; the arcs of hubs come after them.
    pub(crate) fn unit_arc_count(&self) -> usize {
        self.unit_arcs.last().map_or(0, |&end| end as usize)
    }

    /// The arcs of one unit, its unserved arc last.
    pub(crate) fn arcs_of_unit(&self, unit: usize) -> std::ops::Range<usize> {
        self.unit_arcs[unit] as usize..self.unit_arcs[unit + 1] as usize
    }

    /// The cheapest arcs of one unit at the prices given to [`Self::sort_by_price`]; none before.
    pub(crate) fn front_of_unit(&self, unit: usize) -> std::ops::Range<usize> {
        let start = self.unit_arcs[unit];
        let end = self.front_end.get(unit).copied().unwrap_or(start);
        start as usize..end as usize
    }

    /// `hub` and those above it, but for the sink.
    pub(crate) fn way_to_sink(&self, hub: u32) -> impl Iterator<Item = u32> {
        let below_sink = |hub: u32| (hub != SINK).then_some(hub);
        std::iter::successors(below_sink(hub), move |&hub| {
            below_sink(self.hubs[hub as usize].parent)
        })
    }

    /// Number of arcs in fronts.
    pub(crate) fn front_arc_count(&self) -> usize {
        let ends = self.front_end.iter().zip(&self.unit_arcs);
        ends.map(|(end, start)| (end - start) as usize).sum()
    }

    /// All demand, in Mbps.
    pub(crate) fn traffic(&self) -> f64 {
        self.demand.iter().map(|&flow| self.scale.mbps(flow)).sum()
    }

    /// All requests per second; 0 when no site limits them.
    pub(crate) fn requests(&self) -> f64 {
        let asked = self.demand.iter().zip(&self.rps_per_mbps);
        asked.map(|(&flow, rps)| self.scale.mbps(flow) * rps).sum()
    }

    /// Sets the price that the links of a shared contract carry.
    pub(crate) fn set_shared_price(
        &mut self,
        problem: &Problem<'_>,
        contract: ContractId,
        price: i128,
    ) {
        let ContractPlace::Shared(old) = self.contracts[contract.index()] else {
            return;
        };
        for link in problem.links_of_contract(contract) {
            let Some(hub) = self.link_hub[link.index()] else {
                continue;
            };
            let hub = self.hubs[hub as usize];
            for arc in hub.first_arc..hub.end_arc {
                self.cost[arc as usize] += price - old;
            }
        }
        self.contracts[contract.index()] = ContractPlace::Shared(price);
    }

    /// Sets the prices of requests, `[link]` -> CNY per request per second. O(arcs) when any
    /// changes. Rough costs must be taken anew after it.
    pub(crate) fn set_request_prices(&mut self, prices: Vec<f64>) {
        let old = std::mem::replace(&mut self.request_cny, prices);
        if old == self.request_cny {
            return;
        }
        for (unit, &rps) in self.rps_per_mbps.iter().enumerate() {
            if rps <= 0.0 {
                continue;
            }
            for arc in self.unit_arcs[unit] as usize..self.unit_arcs[unit + 1] as usize {
                let Some(&link) = self.link_of_hub.get(self.head[arc] as usize) else {
                    continue;
                };
                let Some((old, new)) = old
                    .get(link as usize)
                    .zip(self.request_cny.get(link as usize))
                else {
                    continue;
                };
                self.cost[arc] += self.scale.money(new * rps) - self.scale.money(old * rps);
            }
        }
    }

    fn add_unit_arcs(&mut self, instance: &Instance, hubs: usize) {
        self.unit_arcs.push(0);
        let move_cost = MOVED + self.scale.money(move_cny_per_mbps(instance));
        for (index, unit) in instance.units.iter().enumerate() {
            let node = as_u32(hubs + index);
            let demand = self.demand[index];
            for &(link, quality_ms) in &unit.cand {
                let Some(&Some(hub)) = self.link_hub.get(link.index()) else {
                    continue;
                };
                let mut cost = self.scale.money(latency_cny_per_mbps(instance, quality_ms));
                if is_late(unit, quality_ms) {
                    cost += self.scale.late();
                }
                let stay = unit.incumbent.on(link);
                let stay = self
                    .scale
                    .flow(instance.units[index].mbps * stay)
                    .min(demand);
                let moves = if unit.incumbent.is_empty() {
                    0
                } else {
                    move_cost
                };
                if stay >= demand {
                    self.push_arc(node, hub, UNLIMITED, cost);
                    continue;
                }
                if stay > 0 {
                    self.push_arc(node, hub, stay, cost);
                }
                self.push_arc(node, hub, UNLIMITED, cost + moves);
            }
            self.push_arc(node, SINK, UNLIMITED, UNSERVED);
            self.unit_arcs.push(as_u32(self.tail.len()));
        }
    }

    fn add_hub_arcs(&mut self, drafts: Vec<Draft>) {
        for (index, draft) in drafts.into_iter().enumerate() {
            let first_arc = as_u32(self.tail.len());
            for (capacity, cost) in draft.steps {
                self.push_arc(as_u32(index), draft.parent, capacity, cost);
            }
            let end_arc = as_u32(self.tail.len());
            self.hubs.push(Hub {
                parent: draft.parent,
                first_arc,
                end_arc,
            });
        }
        self.link_of_hub = vec![NONE; self.hubs.len()];
        for (link, hub) in self.link_hub.iter().enumerate() {
            if let Some(hub) = hub {
                self.link_of_hub[*hub as usize] = as_u32(link);
            }
        }
    }

    /// Appends an arc.
    pub(crate) fn push_arc(&mut self, tail: u32, head: u32, capacity: i64, cost: i128) {
        self.tail.push(tail);
        self.head.push(head);
        self.capacity.push(capacity);
        self.cost.push(cost);
    }
}
