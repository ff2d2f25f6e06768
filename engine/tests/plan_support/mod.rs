//! Random instances and a slow, obvious reference solver.

#![allow(dead_code, reason = "shared by tests that each need a part")]

use coverage::LinkId;
use instance::{Contract, ContractModel, Instance, Link, Region, Shares, Site, Unit};

/// A region with 400 Mbps of demand, 100 Mbps of port at one site and 150 Mbps of room at another;
/// the third link has plenty, but only the west may use it.
pub(crate) const HOT_EAST: &str = r#"{
  "version": 1, "slot_seconds": 300, "value_cny_per_gbps_ms_slot": 0.02,
  "links": [
    {"id": "e1/ct", "site": "e1", "capacity_mbps": 100, "watermark_mbps": 90, "meter": "m"},
    {"id": "e2/ct", "site": "e2", "capacity_mbps": 500, "meter": "m"},
    {"id": "w1/ct", "site": "w1", "capacity_mbps": 900, "meter": "m"}
  ],
  "sites": [
    {"id": "e1", "region": "east", "capacity_mbps": 800},
    {"id": "e2", "region": "east", "capacity_mbps": 150},
    {"id": "w1", "region": "west", "capacity_mbps": 900}
  ],
  "meters": [{"id": "m", "model": "flat"}],
  "units": [
    {"area": "east/1", "service": "live", "mbps": 250, "cand": [[0, 5], [1, 9]]},
    {"area": "east/2", "service": "live", "mbps": 150, "cand": [[1, 4]]},
    {"area": "west/1", "service": "live", "mbps": 700, "cand": [[2, 3], [1, 30]]}
  ]
}"#;

/// Sizes of random instances.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// For the reference solver: a handful of everything, odd cases frequent.
    Small,
    /// Too little capacity.
    Short,
    /// Some dozens of units.
    Medium,
    /// Hundreds of units.
    Crowded,
    /// Enough units for a start from a sample.
    Large,
}

/// Draws of numbers; equal seeds give equal sequences.
pub(crate) use testkit::Random as Numbers;

/// A valid random instance in which no contract cuts across sites.
pub(crate) fn random_instance(shape: Shape, seed: u64) -> Instance {
    let mut r = Numbers::new(seed);
    let (units, sites, per_site) = match shape {
        Shape::Small => (1 + r.below(6), 1 + r.below(3), 2),
        Shape::Short => (3 + r.below(8), 1 + r.below(4), 2),
        Shape::Medium => (60, 6, 3),
        Shape::Crowded => (400, 20, 2),
        Shape::Large => (4_500, 12, 3),
    };
    let capacity = match shape {
        Shape::Small => 40,
        Shape::Short => 15,
        Shape::Medium => 350,
        Shape::Crowded => 300,
        Shape::Large => 3_000,
    };
    let mut instance = Instance {
        version: 1,
        slot_seconds: 300,
        value_cny_per_gbps_ms_slot: [0.02, 5.0, 0.0][r.below(3)],
        move_cost_ms: 0.0,
        regions: Vec::new(),
        links: Vec::new(),
        sites: Vec::new(),
        contracts: Vec::new(),
        units: instance::Units::default(),
    };
    for site in 0..sites {
        add_site(&mut instance, &mut r, site, per_site, capacity);
    }
    for unit in 0..units {
        add_unit(&mut instance, &mut r, unit);
    }
    add_regions(&mut instance, &mut r);
    instance.move_cost_ms = [0.0, 7.5, 400.0][r.below(3)];
    instance
}

/// A random instance in which contracts cut across sites: one per port position.
pub(crate) fn crossing_instance(shape: Shape, seed: u64) -> Instance {
    let mut instance = random_instance(shape, seed);
    let mut r = Numbers::new(!seed);
    for (index, link) in instance.links.iter_mut().enumerate() {
        link.contract = format!("isp{}", index % 2);
    }
    let total: f64 = instance.units.iter().map(|u| u.mbps).sum();
    instance.contracts = (0..2)
        .map(|isp| Contract {
            id: format!("isp{isp}"),
            model: ContractModel::Month95,
            price_cny_per_mbps: Some(1.0 + r.quarter(10)),
            price_cny_per_gb: None,
            free_below_mbps: (total * 0.3).floor(),
            burst: false,
        })
        .collect();
    instance
}

/// Requests for the units of any instance, few or many per Mbps, and limits on them at some sites.
pub(crate) fn with_requests(mut instance: Instance, seed: u64) -> Instance {
    let mut r = Numbers::new(seed ^ 0x5eed);
    let mut total = 0.0;
    for unit in &mut instance.units {
        if unit.mbps > 0.0 {
            unit.rps = unit.mbps * [0.0, 1.0, 8.0, 60.0][r.below(4)] * (1.0 + r.quarter(1));
            total += unit.rps;
        }
    }
    let mean = total / r.quarter(4).max(1.0);
    for site in &mut instance.sites {
        if !r.one_in(4) {
            site.capacity_rps = Some((mean * r.quarter(1)).floor());
        }
    }
    instance
}

fn add_site(i: &mut Instance, r: &mut Numbers, site: usize, links: usize, capacity: usize) {
    let shared = r.one_in(3);
    for link in 0..links {
        let hard = if r.one_in(9) {
            0.0
        } else {
            r.quarter(capacity)
        };
        let soft = if r.one_in(2) {
            Some((hard * 0.75).floor())
        } else {
            None
        };
        let contract = if shared {
            format!("m{site}")
        } else {
            format!("m{site}.{link}")
        };
        i.links.push(Link {
            id: format!("s{site}/{link}"),
            site: format!("s{site}"),
            capacity_mbps: hard,
            watermark_mbps: soft,
            contract: contract.clone(),
        });
        if i.contracts.iter().all(|m| m.id != contract) {
            i.contracts.push(random_contract(r, contract, capacity));
        }
    }
    let hard = r.quarter(capacity * links);
    let soft = if r.one_in(2) {
        Some((hard * 0.9).floor())
    } else {
        None
    };
    i.sites.push(Site {
        id: format!("s{site}"),
        region: format!("r{}", site % 2),
        capacity_mbps: hard,
        watermark_mbps: soft,
        capacity_rps: None,
    });
}

/// Limits on one region, on both or on none.
fn add_regions(instance: &mut Instance, r: &mut Numbers) {
    for id in ["r0", "r1"] {
        let sites = instance.sites.iter().filter(|s| s.region == id);
        let sites_mbps: f64 = sites.map(|s| s.capacity_mbps).sum();
        if sites_mbps > 0.0 && r.one_in(2) {
            let hard = (sites_mbps * [0.5, 1.0, 1.5][r.below(3)]).floor();
            instance.regions.push(Region {
                id: id.to_owned(),
                capacity_mbps: hard,
                watermark_mbps: if r.one_in(2) {
                    Some((hard * 0.6).floor())
                } else {
                    None
                },
            });
        }
    }
}

/// A contract of any model.
pub(crate) fn random_contract(r: &mut Numbers, id: String, capacity: usize) -> Contract {
    let models = [
        ContractModel::Month95,
        ContractModel::DailyPeakMean,
        ContractModel::Daily95Mean,
        ContractModel::Flat,
        ContractModel::PerGb,
    ];
    Contract {
        id,
        model: models[r.below(models.len())],
        price_cny_per_mbps: Some(r.quarter(12)),
        price_cny_per_gb: Some(r.quarter(2)),
        free_below_mbps: if r.one_in(4) {
            0.0
        } else {
            r.quarter(capacity)
        },
        burst: r.one_in(5),
    }
}

fn add_unit(instance: &mut Instance, r: &mut Numbers, unit: usize) {
    let links = instance.links.len();
    let mut cand: Vec<(LinkId, f64)> = Vec::new();
    for _ in 0..1 + r.below(6) {
        let link = LinkId::from_index(r.below(links));
        if cand.iter().all(|c| c.0 != link) {
            cand.push((link, r.quarter(80)));
        }
    }
    let pick = |r: &mut Numbers| LinkId::from_index(r.below(links));
    let (a, b) = (pick(r), pick(r));
    let incumbent = match r.below(4) {
        0 => Shares::new(),
        1 if a != b => vec![(a, 0.25), (b, 0.5)].into(),
        _ => Shares::whole(cand[0].0),
    };
    instance.units.push(Unit {
        area: format!("a{unit}"),
        service: "live".to_owned(),
        mbps: if r.one_in(8) { 0.0 } else { r.quarter(30) },
        rps: 0.0,
        latency_limit_ms: if r.one_in(3) {
            None
        } else {
            Some(r.quarter(80))
        },
        incumbent,
        cand,
    });
}

/// Cost vector: unserved, overload, late, CNY.
type Vector = [f64; 4];

/// An arc of the reference network.
struct Arc {
    head: usize,
    room: f64,
    cost: Vector,
}

/// The reference network: arcs in pairs, and the arcs of each node.
struct Reference {
    arcs: Vec<Arc>,
    out: Vec<Vec<usize>>,
}

impl Reference {
    fn connect(&mut self, tail: usize, head: usize, room: f64, cost: Vector) {
        self.out[tail].push(self.arcs.len());
        self.arcs.push(Arc { head, room, cost });
        self.out[head].push(self.arcs.len());
        self.arcs.push(Arc {
            head: tail,
            room: 0.0,
            cost: cost.map(|c| -c),
        });
    }

    /// A soft and a hard limit.
    fn connect_limits(&mut self, tail: usize, head: usize, (soft, hard): (Option<f64>, f64)) {
        let soft = soft.unwrap_or(hard);
        self.connect(tail, head, soft, [0.0; 4]);
        self.connect(tail, head, hard - soft, [0.0, 1.0, 0.0, 0.0]);
    }

    /// Demand, unserved and candidate arcs.
    fn connect_units(
        &mut self,
        instance: &Instance,
        (source, sink): (usize, usize),
        (first_unit, first_link): (usize, usize),
    ) {
        for (index, unit) in instance.units.iter().enumerate() {
            self.connect(source, first_unit + index, unit.mbps, [0.0; 4]);
            self.connect(first_unit + index, sink, 1e12, [1.0, 0.0, 0.0, 0.0]);
            for &(link, ms) in &unit.cand {
                let below = f64::from(u8::from(unit.latency_limit_ms.is_some_and(|f| ms > f)));
                let cny = ms / 1000.0 * instance.value_cny_per_gbps_ms_slot;
                let now = unit.incumbent.iter().find(|i| i.0 == link);
                let moved = if unit.incumbent.is_empty() {
                    0.0
                } else {
                    instance.move_cost_ms / 1000.0 * instance.value_cny_per_gbps_ms_slot
                };
                let (tail, link) = (first_unit + index, first_link + link.index());
                if let Some((_, share)) = now {
                    self.connect(tail, link, share * unit.mbps, [0.0, 0.0, below, cny]);
                }
                self.connect(tail, link, 1e12, [0.0, 0.0, below, cny + moved]);
            }
        }
    }

    /// Bellman and Ford's shortest path in lexicographic order; the arcs from the end backwards.
    fn path(&self, source: usize, sink: usize) -> Option<(Vector, Vec<usize>)> {
        let mut best: Vec<Option<(Vector, usize)>> = vec![None; self.out.len()];
        best[source] = Some(([0.0; 4], usize::MAX));
        for _ in 0..self.out.len() {
            for node in 0..self.out.len() {
                let Some((cost, _)) = best[node] else {
                    continue;
                };
                for &arc in &self.out[node] {
                    let Arc {
                        head,
                        room,
                        cost: step,
                    } = &self.arcs[arc];
                    let next: Vector = std::array::from_fn(|k| cost[k] + step[k]);
                    let better = best[*head].is_none_or(|(old, _)| less(&next, &old));
                    if *room > 1e-9 && better {
                        best[*head] = Some((next, arc));
                    }
                }
            }
        }
        let (cost, _) = best[sink]?;
        let mut arcs = Vec::new();
        let mut node = sink;
        while node != source {
            let (_, arc) = best[node].unwrap();
            arcs.push(arc);
            node = self.arcs[arc ^ 1].head;
        }
        Some((cost, arcs))
    }
}

/// Lexicographic comparison with room for rounding.
fn less(a: &Vector, b: &Vector) -> bool {
    for (a, b) in a.iter().zip(b) {
        if (a - b).abs() > 1e-9 {
            return a < b;
        }
    }
    false
}

/// The optimal first four levels by successive shortest paths, for instances in which every
/// contract stays within one site.
pub(crate) fn reference_levels(instance: &Instance) -> Vector {
    let (sites, links, contracts) = (
        instance.sites.len(),
        instance.links.len(),
        instance.contracts.len(),
    );
    let (source, sink, first_site) = (0, 1, 2);
    let first_contract = first_site + sites;
    let first_link = first_contract + contracts;
    let first_region = first_link + links;
    let first_unit = first_region + instance.regions.len();
    let nodes = first_unit + instance.units.len();
    let mut net = Reference {
        arcs: Vec::new(),
        out: vec![Vec::new(); nodes],
    };
    for (index, region) in instance.regions.iter().enumerate() {
        let limits = (region.watermark_mbps, region.capacity_mbps);
        net.connect_limits(first_region + index, sink, limits);
    }
    for (index, site) in instance.sites.iter().enumerate() {
        let region = instance.regions.iter().position(|r| r.id == site.region);
        let above = region.map_or(sink, |region| first_region + region);
        let limits = (site.watermark_mbps, site.capacity_mbps);
        net.connect_limits(first_site + index, above, limits);
    }
    let site_of = |id: &str| instance.sites.iter().position(|s| s.id == id).unwrap();
    for (index, contract) in instance.contracts.iter().enumerate() {
        let link = instance
            .links
            .iter()
            .find(|l| l.contract == contract.id)
            .unwrap();
        let site = first_site + site_of(&link.site);
        let (free, price) = match contract.model {
            ContractModel::Flat => (0.0, 0.0),
            ContractModel::PerGb => (0.0, contract.price_cny_per_gb.unwrap() * 0.0375),
            _ if contract.burst => (0.0, 0.0),
            _ => (
                contract.free_below_mbps,
                contract.price_cny_per_mbps.unwrap(),
            ),
        };
        net.connect(first_contract + index, site, free, [0.0; 4]);
        net.connect(first_contract + index, site, 1e12, [0.0, 0.0, 0.0, price]);
    }
    for (index, link) in instance.links.iter().enumerate() {
        let contract = instance
            .contracts
            .iter()
            .position(|m| m.id == link.contract)
            .unwrap();
        let limits = (link.watermark_mbps, link.capacity_mbps);
        net.connect_limits(first_link + index, first_contract + contract, limits);
    }
    net.connect_units(instance, (source, sink), (first_unit, first_link));
    let mut total = [0.0; 4];
    while let Some((cost, arcs)) = net.path(source, sink) {
        let amount = arcs
            .iter()
            .map(|&a| net.arcs[a].room)
            .fold(f64::INFINITY, f64::min);
        for &arc in &arcs {
            net.arcs[arc].room -= amount;
            net.arcs[arc ^ 1].room += amount;
        }
        for (sum, cost) in total.iter_mut().zip(cost) {
            *sum += cost * amount;
        }
    }
    total
}
