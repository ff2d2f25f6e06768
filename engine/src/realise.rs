//! From shares to answers: a plan becomes a coverage map with weights of 64ths, and the catalog
//! that it speaks of.
//!
//! A plan says which link carries what share of a unit. Here each share gets a group of the link's
//! site: whole units go to one group wherever they fit, because an answer that does not split has a
//! wider scope. A unit stays in its group as long as that has room.

mod rooms;
mod weights;

use crate::inventory::{Front, Inventory};
use crate::limits::Limits;
use crate::model::{Facts, split_index};
use coverage::catalog::{ActiveDrain, Catalog, Endpoint, EndpointNode, Group};
use coverage::map::{AnswerSet, CoverageMap, CoverageMapBuilder};
use coverage::{EndpointId, LinkId, NodeId, Snapshot, WEIGHT_TOTAL};
use instance::{Changes, Instance, Plan, Shares};
use rooms::Rooms;
use std::collections::BTreeMap;

/// The plan that a snapshot in service amounts to, in the units of [`crate::model`]: the incumbents
/// of the next cycle.
#[must_use]
pub fn incumbent(snapshot: &Snapshot, inventory: &Inventory) -> Plan {
    amounts_to(&snapshot.catalog, &snapshot.map, inventory)
}

/// The plan that a map amounts to, in the units of [`crate::model`]. Links are found by the names
/// in its catalog; a link that is gone leaves its share out.
#[must_use]
pub(crate) fn amounts_to(catalog: &Catalog, map: &CoverageMap, inventory: &Inventory) -> Plan {
    let links: BTreeMap<&str, LinkId> = inventory
        .links
        .iter()
        .zip(0..)
        .map(|(link, index)| (link.name.as_str(), LinkId(index)))
        .collect();
    let shares_of = |set: &AnswerSet| {
        let mut shares: BTreeMap<LinkId, f64> = BTreeMap::new();
        for &(endpoint, weight) in &set.shares {
            let known = catalog.endpoints.get(endpoint.index());
            if let Some(&link) = known.and_then(|known| links.get(known.link.as_str())) {
                *shares.entry(link).or_default() += f64::from(weight) / f64::from(WEIGHT_TOTAL);
            }
        }
        shares.into_iter().collect::<Shares>()
    };
    let by_set: Vec<_> = map.answer_sets().iter().map(shares_of).collect();
    let row = |service: &crate::inventory::Service| match catalog.service(&service.served.name) {
        Some((id, _)) => map
            .row(id)
            .iter()
            .map(|set| by_set[set.index()].clone())
            .collect(),
        None => vec![Shares::new(); map.areas() as usize],
    };
    Plan {
        shares: inventory.services.iter().flat_map(row).collect(),
        input_digest: String::new(),
    }
}

/// Catalog of the map as it stands under `limits`. Endpoints keep their inventory indices.
#[must_use]
pub(crate) fn catalog(facts: &Facts<'_>, limits: &Limits, drains: Vec<ActiveDrain>) -> Catalog {
    let inventory = facts.inventory;
    let group = |group: &crate::inventory::Group| {
        let site = &inventory.sites[group.site.index()];
        Group {
            name: group.name.clone(),
            site: site.name.clone(),
            region: site.region.clone(),
        }
    };
    let serving = |node: NodeId| facts.nodes_up[node.index()] && !limits.nodes_out.contains(&node);
    Catalog {
        zones: inventory.zones.clone(),
        services: inventory
            .services
            .iter()
            .map(|service| service.served.clone())
            .collect(),
        groups: inventory.groups.iter().map(group).collect(),
        endpoints: inventory
            .endpoints
            .iter()
            .map(|endpoint| served_endpoint(inventory, endpoint, &serving))
            .collect(),
        drains,
        retired_services: Vec::new(),
    }
}

/// Writes an endpoint as serving sees it. Without a single serving node it names all of them:
/// serving falls open, never empty.
fn served_endpoint(
    inventory: &Inventory,
    endpoint: &crate::inventory::Endpoint,
    serving: &dyn Fn(NodeId) -> bool,
) -> Endpoint {
    let group = &inventory.groups[endpoint.group.index()];
    let any = group.nodes.iter().any(|&node| serving(node));
    let ports = || group.nodes.iter().zip(&endpoint.nodes);
    let named = || {
        ports()
            .filter(|(node, _)| serving(**node) || !any)
            .map(|(_, port)| port)
    };
    let (ipv4, ipv6) = match group.front {
        Front::Vip => (endpoint.ipv4.clone(), endpoint.ipv6.clone()),
        Front::Nodes => (
            named().map(|port| port.ipv4).collect(),
            named().filter_map(|port| port.ipv6).collect(),
        ),
    };
    let node = |(node, port): (&NodeId, &crate::inventory::NodePort)| EndpointNode {
        name: inventory.nodes[node.index()].name.clone(),
        authority: port.authority.clone(),
        serving: serving(*node),
    };
    Endpoint {
        group: endpoint.group,
        link: inventory.links[endpoint.link.index()].name.clone(),
        ipv4,
        ipv6,
        alias: None,
        nodes: ports().map(node).collect(),
    }
}

/// Fills the rows of a coverage map from a plan. `previous` keeps units in their groups. What a
/// service cannot answer in some area, because it has not a single endpoint left, is left unset for
/// the map's builder to report.
pub(crate) fn realise(
    facts: &Facts<'_>,
    limits: &Limits,
    instance: &Instance,
    plan: &Plan,
    previous: Option<&Snapshot>,
    map: &mut CoverageMapBuilder,
) {
    let areas = facts.table.areas().len();
    let site_mbps = planned_by_site(facts.inventory, instance, plan);
    let mut rooms = Rooms::new(facts, limits, &site_mbps, previous);
    let mut placed: Vec<Vec<(EndpointId, f64)>> = vec![Vec::new(); instance.units.len()];
    let mut order: Vec<usize> = (0..instance.units.len()).collect();
    sort_by_demand(instance, &mut order);
    for unit in order {
        let (service, area) = split_index(unit, areas);
        let mbps = instance.units[unit].mbps;
        for &(link, share) in &plan.shares[unit] {
            rooms.place(area, service, link, (mbps, share), &mut placed[unit]);
        }
    }
    for (unit, shares) in placed.into_iter().enumerate() {
        if let Some(answers) = rooms.answers(instance, unit, shares) {
            let (service, area) = split_index(unit, areas);
            map.set(service, area, answers);
        }
    }
}

/// Treatment of the runners-up of rows that stay as they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RunnersUp {
    /// Left as they are: looking at them takes time.
    Old,
    /// Written anew where they name what takes nobody.
    Fresh,
}

/// Rewrites the rows that changed in `map`, which holds those of `serving`: the units in `changed`,
/// with the shares there instead of those of `plan`, and those with an endpoint that may not serve
/// any more although its link may. `site_mbps` is what all that puts on sites. Returns whether
/// there was any.
///
/// `serving` speaks of the same inventory; all other rows keep their groups and take their room
/// first. Rows with a runner-up that takes nobody any more are rewritten where these are to be
/// [`RunnersUp::Fresh`]. A row for which there is not one endpoint stays.
pub(crate) fn patch(
    facts: &Facts<'_>,
    limits: &Limits,
    (instance, site_mbps): (&Instance, &[f64]),
    (plan, changed): (&Plan, &Changes),
    runners_up: RunnersUp,
    serving: &Snapshot,
    map: &mut CoverageMapBuilder,
) -> bool {
    let areas = facts.table.areas().len();
    let mut rooms = Rooms::new(facts, limits, site_mbps, Some(serving));
    let mut again = Vec::new();
    let mut next = changed.keys().copied().peekable();
    for unit in 0..instance.units.len() {
        let (service, area) = split_index(unit, areas);
        let answers = serving.map.get(service, area);
        let may_serve = |&(endpoint, _): &(EndpointId, u8)| rooms.may_serve(endpoint, service);
        let takes = |&endpoint: &EndpointId| rooms.takes(endpoint, service);
        let stands = answers.shares.iter().all(may_serve)
            && (runners_up == RunnersUp::Old || answers.runners_up.iter().all(takes));
        if next.next_if_eq(&unit).is_some() || !stands {
            again.push(unit);
            continue;
        }
        for &(endpoint, weight) in &answers.shares {
            let share = f64::from(weight) / f64::from(WEIGHT_TOTAL);
            rooms.take(endpoint, service, instance.units[unit].mbps * share);
        }
    }
    sort_by_demand(instance, &mut again);
    for &unit in &again {
        let (service, area) = split_index(unit, areas);
        let mbps = instance.units[unit].mbps;
        let mut placed = Vec::new();
        for &(link, share) in changed.get(&unit).unwrap_or(&plan.shares[unit]) {
            rooms.place(area, service, link, (mbps, share), &mut placed);
        }
        if let Some(answers) = rooms.answers(instance, unit, placed) {
            map.set(service, area, answers);
        }
    }
    !again.is_empty()
}

/// Sorts units by demand, largest first, ties by index: large units find whole rooms while there
/// are some.
fn sort_by_demand(instance: &Instance, units: &mut [usize]) {
    let mbps = |unit: usize| instance.units[unit].mbps;
    units.sort_by(|&a, &b| mbps(b).total_cmp(&mbps(a)).then(a.cmp(&b)));
}

/// [site]: traffic that the plan sends there, Mbps.
pub(crate) fn planned_by_site(inventory: &Inventory, instance: &Instance, plan: &Plan) -> Vec<f64> {
    let mut site_mbps = vec![0.0; inventory.sites.len()];
    for (unit, shares) in instance.units.iter().zip(&plan.shares) {
        for &(link, share) in shares {
            site_mbps[inventory.links[link.index()].site.index()] += unit.mbps * share;
        }
    }
    site_mbps
}
