//! Demand, capacity, candidates and contracts: from clients and sites to an instance.

use super::Name;
use super::draw::log_normal;
use super::east::confine_the_east;
use super::ground::Ground;
use crate::geography::distance_km;
use crate::random::Random;
use coverage::LinkId;
use instance::{Contract, ContractModel, INSTANCE_VERSION, Instance, Link, Shares, Site, Unit};

/// Share of its ports that a site can fill.
const SITE_SHARE: f64 = 0.98;
/// Fill of links when each unit is spread evenly over its candidates; below both watermarks.
const EVEN_SHARE: f64 = 0.9;
/// Soft limits as a share of hard ones.
pub(super) const WATERMARK_SHARE: f64 = 0.95;
/// Sites around a home among which its clients choose.
const NEAR_SITES: usize = 60;
/// Services of several-service instances: name, share of demand, floor in ms.
const SERVICES: [(&str, f64, Option<f64>); 3] = [
    ("live", 0.5, Some(80.0)),
    ("static", 0.3, Some(150.0)),
    ("download", 0.2, None),
];

/// The figures of one named instance.
#[derive(Clone, Copy, Debug)]
pub(super) struct Recipe {
    name: Name,
    pub(super) units: usize,
    pub(super) sites: usize,
    /// Demand as a share of the capacity of all sites.
    load: f64,
    demand_mbps: f64,
    /// Candidates of best quality, and large sites beside them.
    candidates: (usize, usize),
    /// True when contracts span the ports of one ISP in many sites.
    contracts_across: bool,
}

impl Recipe {
    /// The recipe of `name`.
    pub(super) const fn of(name: Name) -> Self {
        let ecs = Self {
            name,
            units: 100_000,
            sites: 1_000,
            load: 0.75,
            demand_mbps: 20_000_000.0,
            candidates: (14, 6),
            contracts_across: false,
        };
        match name {
            Name::Ecs100k | Name::Ecs100kContracts => ecs,
            Name::Ecs500k5k => Self {
                units: 500_000,
                sites: 5_000,
                demand_mbps: 100_000_000.0,
                ..ecs
            },
            Name::InfeasibleEast => Self {
                units: 20_000,
                sites: 300,
                demand_mbps: 5_000_000.0,
                ..ecs
            },
            Name::Cn488 | Name::Cn488Requests => Self {
                units: 0,
                sites: 300,
                load: 0.7,
                demand_mbps: 8_000_000.0,
                contracts_across: true,
                ..ecs
            },
            Name::World242 => Self {
                units: 0,
                sites: 0,
                load: 0.7,
                demand_mbps: 3_000_000.0,
                ..ecs
            },
        }
    }
}

impl Recipe {
    /// The same with other numbers of units and sites; demand grows with the units.
    pub(super) fn sized(self, units: usize, sites: usize) -> Self {
        let number = |count: usize| f64::from(u32::try_from(count).unwrap_or(u32::MAX));
        Self {
            units,
            sites,
            demand_mbps: self.demand_mbps * number(units) / number(self.units).max(1.0),
            ..self
        }
    }
}

/// Puts an instance together. Demand and ports in Mbps with two decimals.
pub(super) fn assemble(recipe: &Recipe, ground: &Ground, seed: u64) -> Instance {
    let mut random = Random::new(seed ^ 2);
    let mut instance = Instance {
        version: INSTANCE_VERSION,
        slot_seconds: 300,
        value_cny_per_gbps_ms_slot: 0.02,
        move_cost_ms: 0.0,
        regions: Vec::new(),
        links: Vec::new(),
        sites: Vec::new(),
        contracts: Vec::new(),
        units: instance::Units::default(),
    };
    let sizes: Vec<f64> = ground
        .sites
        .iter()
        .map(|_| log_normal(&mut random, 0.8))
        .collect();
    let first_link = running_ports(ground);
    let choices = Choices::of(recipe, ground, &sizes);
    let weights: f64 = ground.clients.iter().map(|client| client.weight).sum();
    let services: &[_] = match recipe.name {
        Name::Cn488 | Name::Cn488Requests => &SERVICES,
        _ => &SERVICES[..1],
    };
    for (index, client) in ground.clients.iter().enumerate() {
        let cand = choices.of_client(recipe, ground, seed, index, &first_link);
        for &(service, share, latency_limit_ms) in services {
            let share = if services.len() == 1 { 1.0 } else { share };
            instance.units.push(Unit {
                area: client.name.clone(),
                service: service.to_owned(),
                mbps: cents(recipe.demand_mbps * share * client.weight / weights),
                rps: 0.0,
                latency_limit_ms,
                incumbent: Shares::new(),
                cand: cand.clone(),
            });
        }
    }
    let ports_mbps = ports(recipe, ground, &sizes, &instance.units);
    add_sites(recipe, ground, &ports_mbps, &mut random, &mut instance);
    if recipe.name == Name::InfeasibleEast {
        confine_the_east(&mut instance);
    }
    instance
}

/// `[site]` -> index of its first link, and one more entry.
fn running_ports(ground: &Ground) -> Vec<usize> {
    let mut first = vec![0];
    for site in &ground.sites {
        first.push(first[first.len() - 1] + site.ports.len());
    }
    first
}

/// Capacity of every link. One part is what it would carry if each unit were spread evenly over its
/// candidates, so that a plan without shortage exists; the other is drawn, so that what is near is
/// often too small.
fn ports(recipe: &Recipe, ground: &Ground, sizes: &[f64], units: &[Unit]) -> Vec<f64> {
    let mut mbps = vec![0.0; ground.sites.iter().map(|site| site.ports.len()).sum()];
    for unit in units {
        let part = f64::from(u32::try_from(unit.cand.len()).unwrap_or(u32::MAX));
        for &(link, _) in &unit.cand {
            mbps[link.index()] += unit.mbps / part / EVEN_SHARE;
        }
    }
    let even: f64 = mbps.iter().sum();
    let drawn = (recipe.demand_mbps / recipe.load - even).max(0.0);
    let total: f64 = sizes.iter().sum();
    let mut link = 0;
    for (site, size) in ground.sites.iter().zip(sizes) {
        let count = f64::from(u32::try_from(site.ports.len()).unwrap_or(1));
        for _ in &site.ports {
            mbps[link] += drawn * size / total / count;
            link += 1;
        }
    }
    mbps
}

/// Sites, links and contracts.
fn add_sites(
    recipe: &Recipe,
    ground: &Ground,
    ports_mbps: &[f64],
    random: &mut Random,
    instance: &mut Instance,
) {
    let mut ports_mbps = ports_mbps.iter();
    for draft in &ground.sites {
        let mut site_mbps = 0.0;
        for (isp, mbps) in draft.ports.iter().zip(ports_mbps.by_ref()) {
            let link_mbps = cents(*mbps);
            site_mbps += link_mbps;
            let id = format!("{}/{isp}", draft.name);
            let across = recipe.contracts_across && isp == "cu";
            let billed_by = if across {
                "cu-all".to_owned()
            } else {
                id.clone()
            };
            if !across {
                instance.contracts.push(contract(&id, link_mbps, random));
            }
            instance.links.push(Link {
                id,
                site: draft.name.clone(),
                capacity_mbps: link_mbps,
                watermark_mbps: Some(cents(link_mbps * WATERMARK_SHARE)),
                contract: billed_by,
            });
        }
        let capacity_mbps = cents(site_mbps * SITE_SHARE);
        instance.sites.push(Site {
            id: draft.name.clone(),
            region: draft.region.clone(),
            capacity_mbps,
            watermark_mbps: Some(cents(capacity_mbps * WATERMARK_SHARE)),
            capacity_rps: None,
        });
    }
    if recipe.contracts_across {
        let across = instance
            .links
            .iter()
            .filter(|link| link.contract == "cu-all");
        let mbps: f64 = across.map(|link| link.capacity_mbps).sum();
        instance.contracts.push(Contract {
            id: "cu-all".to_owned(),
            model: ContractModel::DailyPeakMean,
            price_cny_per_mbps: Some(0.000_8),
            price_cny_per_gb: None,
            free_below_mbps: cents(mbps * 0.4),
            burst: false,
        });
    }
}

/// One contract: most ports are paid as a whole, some by a percentile, few by volume.
fn contract(id: &str, link_mbps: f64, random: &mut Random) -> Contract {
    let (model, price, per_gb, free) = match random.below(10) {
        0..=5 => (ContractModel::Flat, None, None, 0.0),
        6..=8 => {
            let price = 0.000_2 + 0.001 * random.unit();
            let free = cents(link_mbps * (0.3 + 0.5 * random.unit()));
            (ContractModel::Month95, Some(price), None, free)
        }
        _ => (
            ContractModel::PerGb,
            None,
            Some(0.002 + 0.02 * random.unit()),
            0.0,
        ),
    };
    Contract {
        id: id.to_owned(),
        model,
        price_cny_per_mbps: price,
        price_cny_per_gb: per_gb,
        free_below_mbps: free,
        burst: model == ContractModel::Month95 && random.below(20) == 0,
    }
}

/// The sites that each home may see.
struct Choices {
    /// `[home]` -> sites, nearest first; empty for homes without clients.
    near: Vec<Vec<usize>>,
    /// Sites by falling size.
    large: Vec<usize>,
}

impl Choices {
    fn of(recipe: &Recipe, ground: &Ground, sizes: &[f64]) -> Self {
        let mut used = vec![false; ground.homes.len()];
        for client in &ground.clients {
            used[client.home] = true;
        }
        let near = |(home, used): (usize, &bool)| {
            if !used {
                return Vec::new();
            }
            let distance = |site: usize| match ground.measured_ms.get(home) {
                Some(row) => row[site],
                None => distance_km(ground.homes[home], ground.sites[site].place),
            };
            let mut order: Vec<(f64, usize)> = (0..ground.sites.len())
                .map(|site| (distance(site), site))
                .collect();
            order.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
            order.truncate(NEAR_SITES.max(10 * recipe.candidates.1));
            order.into_iter().map(|entry| entry.1).collect()
        };
        let mut large: Vec<usize> = (0..sizes.len()).collect();
        large.sort_by(|&a, &b| sizes[b].total_cmp(&sizes[a]).then(a.cmp(&b)));
        Self {
            near: used.iter().enumerate().map(near).collect(),
            large,
        }
    }

    /// Candidates of a client: the best of those near it, and the largest of the wider
    /// neighbourhood.
    fn of_client(
        &self,
        recipe: &Recipe,
        ground: &Ground,
        seed: u64,
        client: usize,
        first_link: &[usize],
    ) -> Vec<(LinkId, f64)> {
        let (best, large) = recipe.candidates;
        let near = &self.near[ground.clients[client].home];
        let ports =
            |&site: &usize| (0..ground.sites[site].ports.len()).map(move |port| (site, port));
        let priced = |(site, port): (usize, usize)| {
            let link = LinkId::from_index(first_link[site] + port);
            (link, ground.quality_ms(seed, client, site, port))
        };
        let mut all: Vec<(LinkId, f64)> = near.iter().flat_map(ports).map(priced).collect();
        all.sort_by(|a, b| a.1.total_cmp(&b.1).then(a.0.cmp(&b.0)));
        let mut cand: Vec<(LinkId, f64)> = all.iter().take(best).copied().collect();
        let beyond: Vec<(LinkId, f64)> = self
            .large
            .iter()
            .filter(|site| near.contains(site))
            .flat_map(ports)
            .map(priced)
            .filter(|(link, _)| cand.iter().all(|taken| taken.0 != *link))
            .take(large)
            .collect();
        cand.extend(beyond);
        cand
    }
}

/// Rounded to two decimals.
pub(super) fn cents(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}
