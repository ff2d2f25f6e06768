//! The network: unit -> link -> (meter) -> site -> (meter) -> sink, with one arc per price step.
//!
//! ```text
//!   unit ──┬─> link ══> [meter of this site] ══> site ══> [meter over sites] ══> sink
//!          └──────────────────────── unserved ────────────────────────────────────┘
//! ```
//! A double line is a stack of parallel arcs, cheapest first: up to the watermark, above it, free of
//! charge, priced. Convexity makes the cheap arc fill first. Links, sites and meters are *hubs*; each
//! has one parent, so prices add up along one path. A meter that cuts across sites has no place in
//! this tree: it is *shared*, and its links carry a price that `meters` finds from outside.

use super::input::{Instance, Meter, MeterModel};
use super::scale::{
    BELOW_FLOOR, MOVED, OVERLOAD, Scale, UNLIMITED, UNSERVED, gb_per_mbps_slot,
    latency_cny_per_mbps,
};
use super::topology::Topology;

/// The hub that everything drains to.
pub(super) const SINK: u32 = 0;

/// What a meter became.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum MeterPlace {
    /// Costs the same per Mbps at any load: part of its links' arcs.
    Linear(i128),
    /// A hub of its own.
    Hub(u32),
    /// Cuts across sites: its links carry this price per Mbps, which lies between 0 and the contract's.
    Shared(i128),
    /// Cuts across sites, but each site has been given a part of the free level: one hub per site.
    Parts,
}

/// The part of a meter's free level that one site may use.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Part {
    /// Site index.
    pub(super) site: usize,
    /// Free level in Mbps.
    pub(super) free_mbps: f64,
}

/// A link, site or meter in the tree of hubs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Hub {
    /// Where its traffic goes next.
    pub(super) parent: u32,
    /// First of its parallel arcs to the parent.
    pub(super) first_arc: u32,
    /// One past the last.
    pub(super) end_arc: u32,
}

/// Arcs in parallel arrays, and what they mean.
#[derive(Debug, Clone)]
pub(super) struct Network {
    /// `[hub]`; entry 0 is the sink, which has no arcs.
    pub(super) hubs: Vec<Hub>,
    /// `[arc]` -> node it leaves: a hub, or `hubs.len() + unit`.
    pub(super) tail: Vec<u32>,
    /// `[arc]` -> hub it enters.
    pub(super) head: Vec<u32>,
    /// `[arc]` -> capacity in quanta, positive.
    pub(super) capacity: Vec<i64>,
    /// `[arc]` -> cost per quantum.
    pub(super) cost: Vec<i128>,
    /// `[unit]` -> first of its arcs, and one more entry; the last arc of a unit is its unserved arc.
    pub(super) unit_arcs: Vec<u32>,
    /// `[unit]` -> demand in quanta.
    pub(super) demand: Vec<i64>,
    /// `[link]` -> its hub; `None` when it can carry nothing.
    pub(super) link_hub: Vec<Option<u32>>,
    /// `[hub]` -> link index, `u32::MAX` for other hubs.
    pub(super) link_of_hub: Vec<u32>,
    /// `[site]` -> its hub; `None` when it can carry nothing or never binds.
    pub(super) site_hub: Vec<Option<u32>>,
    /// `[meter]`.
    pub(super) meters: Vec<MeterPlace>,
    /// The fixed point all of this is in.
    pub(super) scale: Scale,
}

/// A hub before its arcs exist: parent, and steps of (capacity in quanta, cost).
struct Draft {
    parent: u32,
    steps: Vec<(i64, i128)>,
}

impl Network {
    /// Builds the network of `instance`. O(arcs).
    ///
    /// `parts`: `[meter]` -> how the free level of a shared meter is divided among its sites; an
    /// empty entry, or no entry, leaves the meter as it is.
    pub(super) fn build(instance: &Instance, topology: &Topology, parts: &[Vec<Part>]) -> Self {
        let scale = Scale::of(instance);
        let mut network = Self {
            hubs: Vec::new(),
            tail: Vec::new(),
            head: Vec::new(),
            capacity: Vec::new(),
            cost: Vec::new(),
            unit_arcs: Vec::with_capacity(instance.units.len() + 1),
            demand: instance.units.iter().map(|u| scale.flow(u.mbps)).collect(),
            link_hub: vec![None; instance.links.len()],
            link_of_hub: Vec::new(),
            site_hub: vec![None; instance.sites.len()],
            meters: Vec::new(),
            scale,
        };
        let drafts = network.place_hubs(instance, topology, parts);
        network.add_unit_arcs(instance, drafts.len());
        network.add_hub_arcs(drafts);
        network
    }

    /// Number of arcs that leave units; the arcs of hubs come after them.
    pub(super) fn unit_arc_count(&self) -> usize {
        self.unit_arcs.last().map_or(0, |&end| end as usize)
    }

    /// The arcs of one unit, its unserved arc last.
    pub(super) fn arcs_of_unit(&self, unit: usize) -> std::ops::Range<usize> {
        self.unit_arcs[unit] as usize..self.unit_arcs[unit + 1] as usize
    }

    /// Sets the price that the links of a shared meter carry.
    pub(super) fn set_shared_price(&mut self, topology: &Topology, meter: usize, price: i128) {
        let MeterPlace::Shared(old) = self.meters[meter] else {
            return;
        };
        for &link in &topology.links_of_meter[meter] {
            let Some(hub) = self.link_hub[link] else {
                continue;
            };
            let hub = self.hubs[hub as usize];
            for arc in hub.first_arc..hub.end_arc {
                self.cost[arc as usize] += price - old;
            }
        }
        self.meters[meter] = MeterPlace::Shared(price);
    }

    /// Decides the tree of hubs; fills the hub maps and `meters`.
    fn place_hubs(
        &mut self,
        instance: &Instance,
        topology: &Topology,
        parts: &[Vec<Part>],
    ) -> Vec<Draft> {
        let mut drafts = vec![Draft {
            parent: SINK,
            steps: Vec::new(),
        }];
        let usable = usable_links(instance, topology, self.scale);
        for (site, links) in topology.links_of_site.iter().enumerate() {
            let limits = &instance.sites[site];
            let ports: f64 = links.iter().map(|&l| instance.links[l].capacity_mbps).sum();
            // A site that its own ports cannot fill never binds and needs no hub.
            if links.iter().any(|&l| usable[l]) && limits.watermark_mbps() < ports {
                let steps = self.limit_steps(limits.watermark_mbps(), limits.capacity_mbps, 0);
                self.site_hub[site] = Some(push(&mut drafts, SINK, steps));
            }
        }
        let above = self.place_meters(instance, topology, parts, &mut drafts);
        for (site, hub) in self.site_hub.iter().enumerate() {
            let first = topology.links_of_site[site].first();
            if let (Some(hub), Some(over)) = (hub, first.and_then(|&l| above[l].over)) {
                drafts[*hub as usize].parent = over;
            }
        }
        for (index, link) in instance.links.iter().enumerate() {
            if !usable[index] {
                continue;
            }
            let site = topology.site_of[index].and_then(|s| self.site_hub[s]);
            let Above { within, over } = above[index];
            let parent = within.or(site).or(over).unwrap_or(SINK);
            let linear = match topology.meter_of[index].map(|m| self.meters[m]) {
                Some(MeterPlace::Linear(cost) | MeterPlace::Shared(cost)) => cost,
                _ => 0,
            };
            let steps = self.limit_steps(link.watermark_mbps(), link.capacity_mbps, linear);
            self.link_hub[index] = Some(push(&mut drafts, parent, steps));
        }
        drafts
    }

    /// Places every meter; fills `meters` and returns the meter hubs above each link.
    fn place_meters(
        &mut self,
        instance: &Instance,
        topology: &Topology,
        parts: &[Vec<Part>],
        drafts: &mut Vec<Draft>,
    ) -> Vec<Above> {
        let mut above = vec![Above::default(); instance.links.len()];
        for (index, meter) in instance.meters.iter().enumerate() {
            let links = &topology.links_of_meter[index];
            let (place, position) = self.place_meter(instance, topology, meter, links, drafts);
            let divided = parts.get(index).map_or(&[][..], Vec::as_slice);
            match (place, position) {
                (MeterPlace::Hub(hub), Position::Within) => {
                    links.iter().for_each(|&l| above[l].within = Some(hub));
                }
                (MeterPlace::Hub(hub), Position::Over) => {
                    links.iter().for_each(|&l| above[l].over = Some(hub));
                }
                _ => {}
            }
            if !matches!(place, MeterPlace::Shared(_)) || divided.is_empty() {
                self.meters.push(place);
                continue;
            }
            let price = self.scale.money(money_step(instance, meter).1);
            for part in divided {
                let free = (self.scale.flow(part.free_mbps), 0);
                let steps = [free, (UNLIMITED, price)];
                let steps = steps.into_iter().filter(|s| s.0 > 0).collect();
                let hub = push(drafts, self.site_hub[part.site].unwrap_or(SINK), steps);
                for &link in links
                    .iter()
                    .filter(|&&l| topology.site_of[l] == Some(part.site))
                {
                    above[link].within = Some(hub);
                }
            }
            self.meters.push(MeterPlace::Parts);
        }
        above
    }

    /// Parallel arcs of a soft and a hard limit, each with `cost` on top.
    fn limit_steps(&self, watermark: f64, capacity: f64, cost: i128) -> Vec<(i64, i128)> {
        let hard = self.scale.flow(capacity);
        let soft = self.scale.flow(watermark).min(hard);
        let steps = [(soft, cost), (hard - soft, OVERLOAD + cost)];
        steps.into_iter().filter(|step| step.0 > 0).collect()
    }

    /// What becomes of one meter, and on which side of the sites it stands.
    fn place_meter(
        &self,
        instance: &Instance,
        topology: &Topology,
        meter: &Meter,
        links: &[usize],
        drafts: &mut Vec<Draft>,
    ) -> (MeterPlace, Position) {
        let (free_mbps, price) = money_step(instance, meter);
        let ports: f64 = links.iter().map(|&l| instance.links[l].capacity_mbps).sum();
        if price <= 0.0 || free_mbps >= ports {
            return (MeterPlace::Linear(0), Position::Within);
        }
        let price = self.scale.money(price);
        if free_mbps <= 0.0 {
            return (MeterPlace::Linear(price), Position::Within);
        }
        let site_of = |l: usize| topology.site_of[l].filter(|&s| self.site_hub[s].is_some());
        let first = links.first().and_then(|&l| site_of(l));
        let steps = vec![(self.scale.flow(free_mbps).max(1), 0), (UNLIMITED, price)];
        if links.iter().all(|&l| site_of(l) == first) {
            return (
                MeterPlace::Hub(push(drafts, first_hub(first, &self.site_hub), steps)),
                Position::Within,
            );
        }
        let whole = |s: usize| {
            topology.links_of_site[s]
                .iter()
                .all(|l| links.binary_search(l).is_ok())
        };
        if links.iter().all(|&l| site_of(l).is_none_or(whole)) {
            return (MeterPlace::Hub(push(drafts, SINK, steps)), Position::Over);
        }
        (MeterPlace::Shared(0), Position::Within)
    }

    fn add_unit_arcs(&mut self, instance: &Instance, hubs: usize) {
        self.unit_arcs.push(0);
        for (index, unit) in instance.units.iter().enumerate() {
            let node = as_u32(hubs + index);
            let demand = self.demand[index];
            for &(link, quality_ms) in &unit.cand {
                let Some(&Some(hub)) = self.link_hub.get(link as usize) else {
                    continue;
                };
                let mut cost = self.scale.money(latency_cny_per_mbps(instance, quality_ms));
                if unit.floor_ms.is_some_and(|floor| quality_ms > floor) {
                    cost += BELOW_FLOOR;
                }
                let stay = unit
                    .incumbent
                    .iter()
                    .find(|i| i.0 == link)
                    .map_or(0.0, |i| i.1);
                let stay = self
                    .scale
                    .flow(instance.units[index].mbps * stay)
                    .min(demand);
                let moves = if unit.incumbent.is_empty() { 0 } else { MOVED };
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
        self.link_of_hub = vec![u32::MAX; self.hubs.len()];
        for (link, hub) in self.link_hub.iter().enumerate() {
            if let Some(hub) = hub {
                self.link_of_hub[*hub as usize] = as_u32(link);
            }
        }
    }

    /// Appends an arc.
    pub(super) fn push_arc(&mut self, tail: u32, head: u32, capacity: i64, cost: i128) {
        self.tail.push(tail);
        self.head.push(head);
        self.capacity.push(capacity);
        self.cost.push(cost);
    }
}

/// The meter hubs above a link.
#[derive(Debug, Clone, Copy, Default)]
struct Above {
    /// Between the link and its site.
    within: Option<u32>,
    /// Between its whole site and the sink.
    over: Option<u32>,
}

/// On which side of the sites a meter stands.
#[derive(Debug, Clone, Copy)]
enum Position {
    /// Between links and their site.
    Within,
    /// Between whole sites and the sink.
    Over,
}

/// Free level in Mbps and price in CNY per Mbps above it, for this slot.
pub(super) fn money_step(instance: &Instance, meter: &Meter) -> (f64, f64) {
    match meter.model {
        MeterModel::Flat => (0.0, 0.0),
        MeterModel::PerGb => (
            0.0,
            meter.price_cny_per_gb.unwrap_or(0.0) * gb_per_mbps_slot(instance),
        ),
        MeterModel::Month95 | MeterModel::DailyPeakMean | MeterModel::Daily95Mean => {
            let price = if meter.burst {
                0.0
            } else {
                meter.price_cny_per_mbps.unwrap_or(0.0)
            };
            (meter.free_below_mbps, price)
        }
    }
}

/// Links through which at least one quantum can pass.
fn usable_links(instance: &Instance, topology: &Topology, scale: Scale) -> Vec<bool> {
    let open = |index: usize| {
        let site = topology.site_of[index].map_or(0.0, |s| instance.sites[s].capacity_mbps);
        scale.flow(instance.links[index].capacity_mbps) > 0 && scale.flow(site) > 0
    };
    (0..instance.links.len()).map(open).collect()
}

fn first_hub(site: Option<usize>, site_hub: &[Option<u32>]) -> u32 {
    site.and_then(|s| site_hub[s]).unwrap_or(SINK)
}

fn push(drafts: &mut Vec<Draft>, parent: u32, steps: Vec<(i64, i128)>) -> u32 {
    drafts.push(Draft { parent, steps });
    as_u32(drafts.len() - 1)
}

/// An index as `u32`; the limits on instances keep every index below 2^32.
pub(super) fn as_u32(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}
