//! From a basis to the plan, its prices and its certificate.

use crate::movement::Least;
use crate::network::arcs::{ContractPlace, Network, SINK};
use crate::problem::levels::{self, Loads};
use crate::problem::topology::Topology;
use crate::simplex::basis::Basis;
use crate::threads::both;
use coverage::LinkId;
use instance::Shares;
use instance::{BindingRow, Certificate, Duals, LevelBound, Levels, Plan, Price, RowKind};
use instance::{Instance, Link, Region, Site};

/// Most binding rows listed in a certificate; the duals hold all of them.
pub const BINDING_ROWS_MAX: usize = 10_000;

/// Relative slack taken off the cost bound for rounding.
const ROUNDING_SLACK: f64 = 1e-10;

/// Differences on levels 1 to 3 below this share of all demand are rounding.
const LEVEL_TOLERANCE: f64 = 1e-9;

/// Money prices below this are rounding, in CNY per Mbps.
const PRICE_EPSILON_CNY: f64 = 1e-12;

/// Costs below this are roundings of loads that fill a free level exactly, in CNY per slot.
const COST_EPSILON_CNY: f64 = 1e-9;

/// Level counts of a link or site that can carry nothing: dearer than leaving demand unserved.
pub(crate) const CLOSED: Price = Price {
    unserved: 1,
    overload: 0,
    late: 0,
    cny_per_mbps: 0.0,
};

/// The shares of the basis. Units without traffic go where their price is lowest.
pub(crate) fn plan(net: &Network, basis: &Basis, input_digest: String) -> Plan {
    let mut shares = Vec::with_capacity(net.demand.len());
    for unit in 0..net.demand.len() {
        shares.push(if net.demand[unit] == 0 {
            cheapest(net, basis, unit).map_or_else(Shares::new, |link| Shares::whole(LinkId(link)))
        } else {
            unit_shares(net, basis, unit)
        });
    }
    Plan {
        shares,
        input_digest,
    }
}

/// Link shares of a unit with traffic, by rising link.
#[expect(
    clippy::cast_precision_loss,
    reason = "flows are below 2^59; the relative error is 2^-53"
)]
fn unit_shares(net: &Network, basis: &Basis, unit: usize) -> Shares {
    let mut flows: Vec<(u32, i64)> = Vec::new();
    for arc in net.arcs_of_unit(unit) {
        let (hub, flow) = (net.head[arc], basis.flow[arc]);
        if flow == 0 || hub == SINK {
            continue;
        }
        let link = net.link_of_hub[hub as usize];
        match flows.last_mut() {
            Some(last) if last.0 == link => last.1 += flow,
            _ => flows.push((link, flow)),
        }
    }
    flows.sort_unstable();
    let demand = net.demand[unit] as f64;
    flows
        .into_iter()
        .map(|(link, flow)| (LinkId(link), flow as f64 / demand))
        .collect()
}

/// The link where one more quantum of `unit` would cost least.
fn cheapest(net: &Network, basis: &Basis, unit: usize) -> Option<u32> {
    net.arcs_of_unit(unit)
        .filter(|&arc| net.head[arc] != SINK)
        .min_by_key(|&arc| (net.cost[arc] + basis.potential[net.head[arc] as usize], arc))
        .map(|arc| net.link_of_hub[net.head[arc] as usize])
}

/// The prices of the basis, row by row.
///
/// A hub's price is the difference of its potential and its parent's. Money that a contract without a
/// hub puts on its links' arcs is taken out of the links' prices and given to the contract.
pub(crate) fn duals(
    instance: &Instance,
    topology: &Topology,
    net: &Network,
    basis: &Basis,
) -> Duals {
    let own = |hub: u32| {
        let parent = net.hubs[hub as usize].parent as usize;
        basis.potential[hub as usize] - basis.potential[parent]
    };
    let contract_cost = |place: &ContractPlace| match *place {
        ContractPlace::Linear(cost) | ContractPlace::Shared(cost) => cost,
        ContractPlace::Hub(hub) => own(hub),
        // A divided network serves to find a plan, never to price it.
        ContractPlace::Parts => 0,
    };
    let linear = |link: usize| match topology.contract_of[link].map(|m| net.contracts[m]) {
        Some(ContractPlace::Linear(cost) | ContractPlace::Shared(cost)) => cost,
        _ => 0,
    };
    // What carries nothing has no hub; its price must keep units off without costing the bound.
    let absent = |mbps: f64| {
        if net.scale.flow(mbps) == 0 {
            CLOSED
        } else {
            Price::default()
        }
    };
    let link_price = |(index, link): (usize, &Link)| match net.link_hub[index] {
        Some(hub) => net.scale.price(own(hub) - linear(index)),
        None => absent(link.capacity_mbps),
    };
    let site_price = |(index, site): (usize, &Site)| match net.site_hub[index] {
        Some(hub) => net.scale.price(own(hub)),
        None => absent(site.capacity_mbps),
    };
    let region_price = |(index, region): (usize, &Region)| match net.region_hub[index] {
        Some(hub) => net.scale.price(own(hub)),
        None => absent(region.capacity_mbps),
    };
    let links = instance.links.iter().enumerate().map(link_price).collect();
    let sites = instance.sites.iter().enumerate().map(site_price).collect();
    let regions = instance.regions.iter().enumerate().map(region_price);
    let contracts = net
        .contracts
        .iter()
        .map(|m| net.scale.price(contract_cost(m)))
        .collect();
    Duals {
        links,
        sites,
        regions: regions.collect(),
        contracts,
        requests: request_prices(instance, topology, net),
    }
}

/// Prices of requests by site; where none of a site's links can carry anything, nothing has been
/// priced.
fn request_prices(instance: &Instance, topology: &Topology, net: &Network) -> Vec<f64> {
    let price = |links: &Vec<usize>| {
        links
            .iter()
            .map(|&l| net.request_cny[l])
            .fold(0.0, f64::max)
    };
    let sites = instance.sites.iter().zip(&topology.links_of_site);
    sites
        .map(|(site, links)| site.capacity_rps.map_or(0.0, |_| price(links)))
        .collect()
}

/// The certificate of `plan` at `duals`. With two threads its two halves are found at the same
/// time.
pub(crate) fn certify(
    instance: &Instance,
    topology: &Topology,
    plan: &Plan,
    duals: Duals,
    moved: Least,
    threads: usize,
) -> Certificate {
    let of_plan = || {
        let loads = Loads::of(instance, topology, plan);
        let levels = levels::levels(instance, plan, &loads);
        (loads, levels)
    };
    let of_prices = || levels::bound(instance, topology, &duals);
    let ((loads, levels), mut bound) = both(threads, of_plan, of_prices);
    let objective = levels.cost_cny();
    // Directed slack: the sums above may be off by their roundings, a bound must not be. Nothing
    // costs less than nothing.
    let slack = ROUNDING_SLACK * (bound.cost_cny.abs() + objective);
    bound.cost_cny = (bound.cost_cny - slack).max(0.0);
    let demand: f64 = instance.units.iter().map(|u| u.mbps).sum();
    if bound.unserved_mbps < -LEVEL_TOLERANCE * demand.max(1.0) {
        // Prices of a search that was stopped can say less than nothing.
        bound = LevelBound::default();
    }
    let (gap_level, gap) = gap(demand, &levels, &bound);
    forget_unproved(&mut bound, gap_level);
    let binding = binding(instance, &loads, &duals);
    Certificate {
        objective,
        lower_bound: bound.cost_cny,
        gap,
        gap_level,
        levels,
        bound,
        moved_min_possible_mbps: moved.mbps(levels.unserved_mbps),
        split_units: plan.shares.iter().filter(|s| s.len() > 1).count(),
        duals,
        binding,
        input_digest: plan.input_digest.clone(),
    }
}

/// A bound counts from the first level on: behind one that is not met it says no more than that
/// nothing is below 0.
fn forget_unproved(bound: &mut LevelBound, gap_level: u8) {
    if gap_level < 2 {
        bound.overload_mbps = 0.0;
    }
    if gap_level < 3 {
        bound.late_mbps = 0.0;
    }
    if gap_level < 4 {
        bound.cost_cny = 0.0;
    }
}

/// The first level on which plan and bound differ by more than rounding, and by how much.
fn gap(demand: f64, levels: &Levels, bound: &LevelBound) -> (u8, f64) {
    let upper = [
        (levels.unserved_mbps, bound.unserved_mbps),
        (levels.overload_mbps, bound.overload_mbps),
        (levels.late_mbps, bound.late_mbps),
    ];
    for (level, (plan, bound)) in (1..).zip(upper) {
        if plan - bound > LEVEL_TOLERANCE * demand.max(1.0) {
            return (level, (plan - bound) / demand);
        }
    }
    (4, cost_gap(levels.cost_cny(), bound.cost_cny))
}

/// Relative distance of a cost to its bound, both in CNY per slot. A cost of nothing has none.
pub fn cost_gap(cost_cny: f64, bound_cny: f64) -> f64 {
    if cost_cny > COST_EPSILON_CNY {
        ((cost_cny - bound_cny) / cost_cny).max(0.0)
    } else {
        0.0
    }
}

/// Rows with a price, dearest first; equal prices in the order links, sites, regions, contracts,
/// requests, index.
fn binding(instance: &Instance, loads: &Loads, duals: &Duals) -> Vec<BindingRow> {
    let mut rows = Vec::new();
    let links = instance.links.iter().map(|l| &l.id);
    let sites = instance.sites.iter().map(|s| &s.id);
    let regions = instance.regions.iter().map(|r| &r.id);
    let contracts = instance.contracts.iter().map(|m| &m.id);
    gather(&mut rows, RowKind::Link, links, &loads.links, &duals.links);
    gather(&mut rows, RowKind::Site, sites, &loads.sites, &duals.sites);
    gather(
        &mut rows,
        RowKind::Region,
        regions,
        &loads.regions,
        &duals.regions,
    );
    gather(
        &mut rows,
        RowKind::Contract,
        contracts,
        &loads.contracts,
        &duals.contracts,
    );
    let requests: Vec<Price> = (duals.requests.iter())
        .map(|&cny_per_mbps| Price {
            cny_per_mbps,
            ..Price::default()
        })
        .collect();
    let sites = instance.sites.iter().map(|s| &s.id);
    gather(
        &mut rows,
        RowKind::Requests,
        sites,
        &loads.requests,
        &requests,
    );
    rows.sort_by(|a, b| {
        b.price
            .partial_cmp(&a.price)
            .unwrap_or(std::cmp::Ordering::Equal)
    });
    rows.truncate(BINDING_ROWS_MAX);
    rows
}

fn gather<'a>(
    rows: &mut Vec<BindingRow>,
    kind: RowKind,
    ids: impl Iterator<Item = &'a String>,
    loads: &[f64],
    prices: &[Price],
) {
    for ((id, &load_mbps), &price) in ids.zip(loads).zip(prices) {
        if price
            > (Price {
                cny_per_mbps: PRICE_EPSILON_CNY,
                ..Price::default()
            })
        {
            rows.push(BindingRow {
                kind,
                id: id.clone(),
                load_mbps,
                price,
            });
        }
    }
}
