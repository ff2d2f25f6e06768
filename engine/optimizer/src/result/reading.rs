//! The plan and the prices that a basis stands for.

use crate::network::arcs::{ContractPlace, Network};
use crate::network::numbers::SINK;
use crate::problem::index::Problem;
use crate::problem::prices::UNSERVED_PRICE;
use crate::simplex::basis::Basis;
use coverage::{LinkId, SiteId};
use instance::{Duals, Link, Plan, Price, Region, Shares, Site};

/// Price of a link, site or region that can carry nothing: as dear as leaving demand unserved.
pub(crate) const CLOSED: Price = UNSERVED_PRICE;

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
/// A hub's price is the difference of its potential and its parent's. Money that a contract without
/// a hub puts on its links' arcs is taken out of the links' prices and given to the contract.
pub(crate) fn duals(problem: &Problem<'_>, net: &Network, basis: &Basis) -> Duals {
    let instance = problem.instance;
    let own = |hub: u32| {
        let parent = net.hubs[hub as usize].parent as usize;
        basis.potential[hub as usize] - basis.potential[parent]
    };
    let contract_cost = |place: &ContractPlace| match *place {
        ContractPlace::Linear(cost) | ContractPlace::Shared(cost) => cost,
        ContractPlace::Hub(hub) => own(hub),
    };
    let linear = |link: usize| {
        let contract = problem.places()[link].contract;
        net.contracts[contract.index()].price_of_links()
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
        requests: request_prices(problem, net),
    }
}

/// Prices of requests by site; where none of a site's links can carry anything, nothing has been
/// priced.
fn request_prices(problem: &Problem<'_>, net: &Network) -> Vec<f64> {
    let price = |site: SiteId| {
        let links = problem.links_of_site(site).iter();
        links
            .map(|&l| net.request_cny[l.index()])
            .fold(0.0, f64::max)
    };
    let sites = problem.sites();
    sites
        .map(|(id, site)| site.capacity_rps.map_or(0.0, |_| price(id)))
        .collect()
}
