//! A small network in virtual time, and the tests of drains on it.

mod admission;
mod properties;
mod states;

use std::collections::{BTreeMap, BTreeSet};

use coverage::catalog::Service as ServedService;
use coverage::{GroupId, LinkId, MapVersion, NodeId, ServiceId, SiteId};

use super::*;
use crate::inventory::{Endpoint, Front, Group, Link, Node, Service, Site};

/// TTL of all answers.
const TTL: Duration = Duration::from_secs(60);
/// Longest way from publishing to serving.
const LAG: Duration = Duration::from_secs(10);

/// Two regions of two sites of two groups of three nodes of 100 Mbps, one link of 600 Mbps per
/// site. Every group serves `live`; only `gz1-b` and `bj1-b` serve `static`.
fn inventory() -> Inventory {
    let mut inventory = Inventory::default();
    let names = [
        ("gz1", "south"),
        ("gz2", "south"),
        ("bj1", "north"),
        ("bj2", "north"),
    ];
    for (index, (name, region)) in names.into_iter().enumerate() {
        let site = SiteId::from_index(index);
        inventory.sites.push(Site {
            name: name.to_owned(),
            region: region.to_owned(),
            country: "cn".to_owned(),
            province: String::new(),
            latitude: 0.0,
            longitude: 0.0,
        });
        inventory.links.push(Link {
            name: format!("{name}/ct"),
            site,
            isp: "ct".to_owned(),
            capacity_mbps: 600.0,
            watermark_mbps: 600.0,
            contract: 0,
        });
        for letter in ["a", "b"] {
            add_group(&mut inventory, site, &format!("{name}-{letter}"));
        }
    }
    for name in ["live", "static"] {
        inventory.services.push(Service {
            served: ServedService {
                name: name.to_owned(),
                domains: vec![format!("{name}.example.")],
                redirect_hosts: Vec::new(),
                ttl_s: 60,
                addresses_max: 2,
            },
            latency_limit_ms: 100.0,
            initial_mbps: 0.0,
            rps_per_mbps: 0.0,
        });
    }
    inventory
}

/// A group of three nodes with its endpoint.
fn add_group(inventory: &mut Inventory, site: SiteId, name: &str) {
    let group = GroupId::from_index(inventory.groups.len());
    let mut nodes = Vec::new();
    for number in 1..=3 {
        nodes.push(NodeId::from_index(inventory.nodes.len()));
        let name = format!("{name}-{number}");
        inventory.nodes.push(Node {
            name,
            group,
            capacity_mbps: 100.0,
            capacity_rps: None,
        });
    }
    let mut services = vec![ServiceId(0)];
    if name == "gz1-b" || name == "bj1-b" {
        services.push(ServiceId(1));
    }
    let (name, front) = (name.to_owned(), Front::Vip);
    inventory.groups.push(Group {
        name,
        site,
        front,
        services,
        nodes,
    });
    let link = LinkId::from_index(site.index());
    let (ipv4, ipv6, nodes) = (Vec::new(), Vec::new(), Vec::new());
    inventory.endpoints.push(Endpoint {
        group,
        link,
        ipv4,
        ipv6,
        nodes,
    });
}

/// Facts in which each region carries its own demand and no other.
struct Toy {
    inventory: Inventory,
    /// Demand by region, in Mbps.
    demand: BTreeMap<&'static str, f64>,
    /// Sites that are down.
    down: BTreeSet<SiteId>,
    planned: BTreeMap<Part, f64>,
    observed: BTreeMap<Part, Reading>,
}

impl Toy {
    /// Returns what a site can carry.
    fn site_mbps(&self, site: SiteId, limits: &Limits) -> f64 {
        let bound = |bound: Option<&f64>| bound.copied().unwrap_or(f64::INFINITY);
        let mut groups_mbps = 0.0;
        for (index, group) in self.inventory.groups.iter().enumerate() {
            if group.site == site {
                let up = group
                    .nodes
                    .iter()
                    .filter(|node| !limits.nodes_out.contains(node));
                let nodes_mbps: f64 = up
                    .map(|node| self.inventory.nodes[node.index()].capacity_mbps)
                    .sum();
                let id = GroupId::from_index(index);
                let live = bound(limits.services_mbps.get(&(id, ServiceId(0))));
                groups_mbps += nodes_mbps.min(bound(limits.groups_mbps.get(&id))).min(live);
            }
        }
        let link_mbps = 600.0_f64.min(bound(limits.links_mbps.get(&LinkId(site.0))));
        groups_mbps
            .min(link_mbps)
            .min(bound(limits.sites_mbps.get(&site)))
    }
}

impl Facts for Toy {
    fn planned_mbps(&self, part: Part) -> f64 {
        self.planned.get(&part).copied().unwrap_or(0.0)
    }

    fn observed(&self, part: Part) -> Option<Reading> {
        self.observed.get(&part).copied()
    }

    fn unanswered(&self, _limits: &Limits, _factor: f64) -> Unanswered {
        Unanswered::default()
    }

    fn feasibility(&self, limits: &Limits, lost: Option<SiteId>, factor: f64) -> Feasibility {
        let mut answer = Feasibility::default();
        let mut bottleneck = Bottleneck::default();
        for (region, demand_mbps) in &self.demand {
            let sites = (0..self.inventory.sites.len()).map(SiteId::from_index);
            let of_region = sites.filter(|site| {
                let here = self.inventory.sites[site.index()].region == *region;
                here && Some(*site) != lost && !self.down.contains(site)
            });
            let left_mbps: f64 = of_region.map(|site| self.site_mbps(site, limits)).sum();
            let missing_mbps = (demand_mbps * factor - left_mbps).max(0.0);
            if missing_mbps > 0.0 {
                answer.unserved_mbps += missing_mbps;
                bottleneck.regions.push((*region).to_owned());
                bottleneck.missing_mbps += missing_mbps;
            }
        }
        answer.bottleneck = (answer.unserved_mbps > 0.0).then_some(bottleneck);
        answer
    }
}

/// Drains, the network they are on, and the time.
struct Bench {
    toy: Toy,
    drains: Drains,
    now: Timestamp,
    published: Published,
    edges_confirmed: Option<MapVersion>,
    /// Traffic without drains.
    usual: BTreeMap<Part, f64>,
    /// True when traffic follows the map at once.
    follows: bool,
}

impl Bench {
    /// A network with that demand in each region, all groups at 100 Mbps.
    fn new(demand_mbps: f64, rules: Rules) -> Self {
        let inventory = inventory();
        let mut usual = BTreeMap::new();
        for group in (0..8).map(GroupId) {
            usual.insert(Part::Group(group), 100.0);
        }
        for site in 0..4 {
            usual.insert(Part::Site(SiteId(site)), 200.0);
            usual.insert(Part::Link(LinkId(site)), 200.0);
        }
        let toy = Toy {
            inventory,
            demand: BTreeMap::from([("north", demand_mbps), ("south", demand_mbps)]),
            down: BTreeSet::new(),
            planned: usual.clone(),
            observed: BTreeMap::new(),
        };
        let now = Timestamp(1_000_000_000);
        let version = MapVersion {
            epoch: 1,
            version: 1,
        };
        Self {
            toy,
            drains: Drains::new(rules),
            now,
            published: Published {
                version,
                at: now,
                holds_as_of: now,
            },
            edges_confirmed: None,
            usual,
            follows: true,
        }
    }

    fn world(&self) -> World<'_> {
        World {
            inventory: &self.toy.inventory,
            facts: &self.toy,
            demand_mbps: self.toy.demand.values().sum(),
            published: Some(self.published),
            edges_confirmed: self.edges_confirmed,
            ttl_max: TTL,
            edge_lag_max: LAG,
        }
    }

    /// Calls `act` with the drains and the world.
    fn with<T>(&mut self, act: impl FnOnce(&mut Drains, &World<'_>, Timestamp) -> T) -> T {
        let mut drains = std::mem::take(&mut self.drains);
        let result = act(&mut drains, &self.world(), self.now);
        self.drains = drains;
        result
    }

    /// Asks for a drain of half an hour with a ramp of five minutes.
    fn ask(&mut self, target: &str) -> Drain {
        self.request(request(target)).unwrap()
    }

    fn request(&mut self, request: Request) -> Result<Drain, RequestError> {
        self.with(|drains, world, now| drains.request(request, world, now).cloned())
    }

    /// Does one tick after `seconds`: step, plan, publish; traffic follows the plan.
    fn tick(&mut self, seconds: u64) -> Vec<Changed> {
        self.now = self.now.after(Duration::from_secs(seconds));
        let changed = self.with(|drains, world, now| drains.step(world, now));
        self.publish();
        changed
    }

    /// Publishes a map within the limits of the moment.
    fn publish(&mut self) {
        let limits = self.drains.limits(self.now, &self.toy.inventory);
        for (&part, &usual_mbps) in &self.usual {
            let bound = match part {
                Part::Group(group) => limits.groups_mbps.get(&group),
                Part::Site(site) => limits.sites_mbps.get(&site),
                Part::Link(link) => limits.links_mbps.get(&link),
                _ => None,
            };
            let mbps = usual_mbps.min(bound.copied().unwrap_or(f64::INFINITY));
            self.toy.planned.insert(part, mbps);
        }
        if self.follows {
            let seen = self.toy.planned.iter();
            let fresh = |(&part, &mbps)| {
                (
                    part,
                    Reading {
                        mbps,
                        age: Duration::ZERO,
                    },
                )
            };
            self.toy.observed = seen.map(fresh).collect();
        }
        let version = MapVersion {
            version: self.published.version.version + 1,
            ..self.published.version
        };
        self.published = Published {
            version,
            at: self.now,
            holds_as_of: self.now,
        };
    }

    /// Ticks of 10 s until `id` is in `state`; the time that took.
    fn until(&mut self, id: &str, state: State) -> Duration {
        let from = self.now;
        for _ in 0..10_000 {
            if self.state(id) == state {
                return self.now.since(from);
            }
            self.tick(10);
        }
        panic!("{id} never came to {state}: {:#?}", self.drains.get(id));
    }

    fn state(&self, id: &str) -> State {
        self.drains.get(id).unwrap().state
    }

    fn limits(&self) -> Limits {
        self.drains.limits(self.now, &self.toy.inventory)
    }
}

/// A request of half an hour with a ramp of five minutes.
fn request(target: &str) -> Request {
    Request {
        target: target.parse().unwrap(),
        requester: "rollout".to_owned(),
        reason: "new kernel".to_owned(),
        lease: Duration::from_mins(30),
        ramp: Some(Duration::from_mins(5)),
        force: false,
        idempotency_key: String::new(),
    }
}

/// States in the order of a drain's history.
fn path(drain: &Drain) -> Vec<State> {
    let mut path: Vec<State> = drain.history.iter().map(|event| event.state).collect();
    path.dedup();
    path
}
