//! From shares to answers: a plan becomes a coverage map on the 1/64 ladder, and the catalog that it speaks of.
//!
//! A plan says which link carries what share of a unit. Here each share gets a group of the link's site: whole units go to
//! one group wherever they fit, because an answer that does not split has a wider scope. A unit stays in its group as long
//! as that has room.

use crate::inventory::{Front, Inventory};
use crate::limits::Limits;
use crate::model::{Facts, unit_index};
use crate::plan::{Instance, Plan};
use coverage::catalog::{ActiveDrain, Catalog, Endpoint, EndpointNode, Group};
use coverage::map::{AnswerSet, CoverageMapBuilder, RUNNERS_UP_MAX};
use coverage::{AreaId, EndpointId, GroupId, LinkId, NodeId, ServiceId, Snapshot, WEIGHT_TOTAL};
use std::collections::BTreeMap;

/// The plan that a snapshot in service amounts to, in the units of [`crate::model`]: the incumbents of the next cycle.
/// Links are found by name; a link that is gone leaves its share out.
#[must_use]
pub fn incumbent(snapshot: &Snapshot, inventory: &Inventory) -> Plan {
    let links: BTreeMap<&str, u32> = inventory
        .links
        .iter()
        .zip(0..)
        .map(|(link, index)| (link.name.as_str(), index))
        .collect();
    let shares_of = |set: &AnswerSet| {
        let mut shares: BTreeMap<u32, f64> = BTreeMap::new();
        for &(endpoint, weight) in &set.shares {
            if let Some(&link) = links.get(snapshot.endpoint(endpoint).link.as_str()) {
                *shares.entry(link).or_default() += f64::from(weight) / f64::from(WEIGHT_TOTAL);
            }
        }
        shares.into_iter().collect::<Vec<_>>()
    };
    let by_set: Vec<_> = snapshot.map.answer_sets().iter().map(shares_of).collect();
    let row = |service: &crate::inventory::Service| match snapshot
        .catalog
        .service(&service.served.name)
    {
        Some((id, _)) => snapshot
            .map
            .row(id)
            .iter()
            .map(|set| by_set[set.index()].clone())
            .collect(),
        None => vec![Vec::new(); snapshot.table.areas().len()],
    };
    Plan {
        shares: inventory.services.iter().flat_map(row).collect(),
        input_digest: String::new(),
    }
}

/// What the map speaks of, as it stands under `limits`. Endpoints keep their inventory indices.
#[must_use]
pub fn catalog(facts: &Facts<'_>, limits: &Limits, drains: Vec<ActiveDrain>) -> Catalog {
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

/// One endpoint as serving sees it. Without a single serving node all are named: serving falls open, never empty.
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

/// Most groups that share one unit: more would narrow every scope and keep caches cold.
const SPLIT_MAX: usize = 8;

/// Fills the rows of a coverage map from a plan. `previous` keeps units in their groups. What a service cannot answer in
/// some area, because it has not a single endpoint left, is left unset for the map's builder to report.
pub fn realise(
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
    for unit in by_demand(instance) {
        let (service, area) = split_index(unit, areas);
        let mbps = instance.units[unit].mbps;
        for &(link, share) in &plan.shares[unit] {
            rooms.place(
                area,
                service,
                LinkId(link),
                (mbps, share),
                &mut placed[unit],
            );
        }
    }
    for (unit, shares) in placed.into_iter().enumerate() {
        if let Some(answers) = rooms.answers(instance, unit, shares) {
            let (service, area) = split_index(unit, areas);
            map.set(service, area, answers);
        }
    }
}

/// Rewrites the rows that changed in `map`, which holds those of `serving`: the units in `changed` (rising), and those with
/// an endpoint that may not serve any more although its link may. Returns whether there was any.
///
/// `serving` speaks of the same inventory; all other rows keep their groups and take their room first.
pub(crate) fn patch(
    facts: &Facts<'_>,
    limits: &Limits,
    (instance, plan, changed): (&Instance, &Plan, &[usize]),
    serving: &Snapshot,
    map: &mut CoverageMapBuilder,
) -> bool {
    let areas = facts.table.areas().len();
    let site_mbps = planned_by_site(facts.inventory, instance, plan);
    let mut rooms = Rooms::new(facts, limits, &site_mbps, Some(serving));
    let mut again = Vec::new();
    for unit in 0..instance.units.len() {
        let (service, area) = split_index(unit, areas);
        let shares = &serving.map.get(service, area).shares;
        let may_serve = |&(endpoint, _): &(EndpointId, u8)| rooms.may_serve(endpoint, service);
        if changed.binary_search(&unit).is_ok() || !shares.iter().all(may_serve) {
            again.push(unit);
            continue;
        }
        for &(endpoint, weight) in shares {
            let share = f64::from(weight) / f64::from(WEIGHT_TOTAL);
            rooms.take(endpoint, service, instance.units[unit].mbps * share);
        }
    }
    again.sort_by(|&a, &b| {
        let mbps = |unit: usize| instance.units[unit].mbps;
        mbps(b).total_cmp(&mbps(a)).then(a.cmp(&b))
    });
    for &unit in &again {
        let (service, area) = split_index(unit, areas);
        let mbps = instance.units[unit].mbps;
        let mut placed = Vec::new();
        for &(link, share) in &plan.shares[unit] {
            rooms.place(area, service, LinkId(link), (mbps, share), &mut placed);
        }
        if let Some(answers) = rooms.answers(instance, unit, placed) {
            map.set(service, area, answers);
        }
    }
    !again.is_empty()
}

/// The inverse of [`unit_index`].
fn split_index(unit: usize, areas: usize) -> (ServiceId, AreaId) {
    let area = AreaId(u32::try_from(unit % areas).unwrap_or(u32::MAX));
    let service = ServiceId::from_index(unit / areas);
    debug_assert_eq!(unit_index(areas, area, service), unit);
    (service, area)
}

/// Unit indices, largest demand first, ties by index: large units find whole rooms while there are some.
fn by_demand(instance: &Instance) -> Vec<usize> {
    let mut order: Vec<usize> = (0..instance.units.len()).collect();
    order.sort_by(|&a, &b| {
        instance.units[b]
            .mbps
            .total_cmp(&instance.units[a].mbps)
            .then(a.cmp(&b))
    });
    order
}

/// [site]: traffic that the plan sends there, Mbps.
fn planned_by_site(inventory: &Inventory, instance: &Instance, plan: &Plan) -> Vec<f64> {
    let mut site_mbps = vec![0.0; inventory.sites.len()];
    for (unit, shares) in instance.units.iter().zip(&plan.shares) {
        for &(link, share) in shares {
            site_mbps[inventory.links[link as usize].site.index()] += unit.mbps * share;
        }
    }
    site_mbps
}

/// [group]: its part of its site's traffic by capacity, and a little more, Mbps.
fn fair_parts_mbps(inventory: &Inventory, group_mbps: &[f64], site_mbps: &[f64]) -> Vec<f64> {
    const SLACK: f64 = 1.1;
    let mut capacity_mbps = vec![0.0; inventory.sites.len()];
    for (group, mbps) in inventory.groups.iter().zip(group_mbps) {
        capacity_mbps[group.site.index()] += mbps;
    }
    let part = |(group, mbps): (&crate::inventory::Group, &f64)| {
        let site = group.site.index();
        SLACK * site_mbps[site] * mbps / capacity_mbps[site].max(1e-9)
    };
    inventory.groups.iter().zip(group_mbps).map(part).collect()
}

/// Room left in every group while units are placed.
struct Rooms<'a> {
    facts: &'a Facts<'a>,
    previous: Option<&'a Snapshot>,
    /// [group], Mbps.
    group_left_mbps: Vec<f64>,
    /// [group]: what is left of its fair part of its site's traffic, Mbps. Beyond it a unit does not stay for old times'
    /// sake, so that a group which was drained gets its part back.
    fair_left_mbps: Vec<f64>,
    /// (group, service) where a limit of its own holds, Mbps.
    service_left_mbps: BTreeMap<(GroupId, ServiceId), f64>,
    /// [link][service] -> endpoints that may serve, by inventory order.
    open: Vec<Vec<Vec<EndpointId>>>,
}

impl<'a> Rooms<'a> {
    fn new(
        facts: &'a Facts<'a>,
        limits: &'a Limits,
        site_mbps: &[f64],
        previous: Option<&'a Snapshot>,
    ) -> Self {
        let inventory = facts.inventory;
        let groups = (0..inventory.groups.len()).map(GroupId::from_index);
        let group_mbps: Vec<f64> = groups
            .map(|group| facts.group_capacity_mbps(group, limits))
            .collect();
        let mut open = vec![vec![Vec::new(); inventory.services.len()]; inventory.links.len()];
        for (index, endpoint) in inventory.endpoints.iter().enumerate() {
            for &service in &inventory.groups[endpoint.group.index()].services {
                if facts.service_capacity_mbps(endpoint.group, service, limits) > 0.0 {
                    let id = EndpointId::from_index(index);
                    open[endpoint.link.index()][service.index()].push(id);
                }
            }
        }
        Self {
            facts,
            previous,
            fair_left_mbps: fair_parts_mbps(inventory, &group_mbps, site_mbps),
            group_left_mbps: group_mbps,
            service_left_mbps: limits.services_mbps.clone(),
            open,
        }
    }

    /// Whether an endpoint may serve a service under the limits.
    fn may_serve(&self, endpoint: EndpointId, service: ServiceId) -> bool {
        let link = self.facts.inventory.endpoints[endpoint.index()].link;
        self.open[link.index()][service.index()].contains(&endpoint)
    }

    /// The answers of a unit from where its parts were placed; `None` when there is not one endpoint for it.
    fn answers(
        &self,
        instance: &Instance,
        unit: usize,
        mut placed: Vec<(EndpointId, f64)>,
    ) -> Option<AnswerSet> {
        let (service, _) = split_index(unit, self.facts.table.areas().len());
        let ranked = self.ranked(&instance.units[unit].cand, service);
        if placed.is_empty() {
            // Nothing could be placed: the answer still names the best that exists, for a name is never left empty.
            placed.extend(ranked.first().map(|&endpoint| (endpoint, 1.0)));
        }
        let shares = ladder(&placed);
        if shares.is_empty() {
            return None;
        }
        let others = |id: &&EndpointId| shares.iter().all(|(taken, _)| taken != *id);
        let runners_up = ranked.iter().filter(others).take(RUNNERS_UP_MAX).copied();
        Some(AnswerSet {
            runners_up: runners_up.collect(),
            shares,
        })
    }

    fn group_of(&self, endpoint: EndpointId) -> GroupId {
        self.facts.inventory.endpoints[endpoint.index()].group
    }

    fn left_mbps(&self, endpoint: EndpointId, service: ServiceId) -> f64 {
        let group = self.group_of(endpoint);
        let own = self
            .service_left_mbps
            .get(&(group, service))
            .copied()
            .unwrap_or(f64::MAX);
        self.group_left_mbps[group.index()].min(own)
    }

    /// Places `share` of a unit that goes through `link`: into the group it was in if that has room, else whole into the
    /// roomiest, else in parts, roomiest first; what fits nowhere goes to the roomiest all the same.
    fn place(
        &mut self,
        area: AreaId,
        service: ServiceId,
        link: LinkId,
        (mbps, share): (f64, f64),
        placed: &mut Vec<(EndpointId, f64)>,
    ) {
        let mut order = self.open[link.index()][service.index()].clone();
        let stays = self.previous_endpoints(area, service);
        order.sort_by(|&a, &b| {
            let kept = |id: EndpointId| {
                let fair_left_mbps = self.fair_left_mbps[self.group_of(id).index()];
                let left_mbps = self.left_mbps(id, service).min(fair_left_mbps);
                stays.contains(&id) && left_mbps >= mbps * share
            };
            let room = self
                .left_mbps(b, service)
                .total_cmp(&self.left_mbps(a, service));
            kept(b).cmp(&kept(a)).then(room).then(a.cmp(&b))
        });
        let mut rest = share;
        for (rank, &endpoint) in order.iter().enumerate() {
            let left_mbps = self.left_mbps(endpoint, service).max(0.0);
            let fits = if mbps > 0.0 {
                (left_mbps / mbps).min(rest)
            } else {
                rest
            };
            let last = rank + 1 == order.len();
            let taken = if fits >= rest || last { rest } else { fits };
            if taken > 0.0 {
                self.take(endpoint, service, mbps * taken);
                placed.push((endpoint, taken));
            }
            rest -= taken;
            if rest <= 0.0 {
                break;
            }
        }
    }

    fn take(&mut self, endpoint: EndpointId, service: ServiceId, mbps: f64) {
        let group = self.group_of(endpoint);
        self.group_left_mbps[group.index()] -= mbps;
        self.fair_left_mbps[group.index()] -= mbps;
        if let Some(left) = self.service_left_mbps.get_mut(&(group, service)) {
            *left -= mbps;
        }
    }

    /// Endpoints that serve (area, service) now, if the snapshot in service speaks of the same inventory.
    fn previous_endpoints(&self, area: AreaId, service: ServiceId) -> Vec<EndpointId> {
        let same = |snapshot: &&Snapshot| {
            snapshot.catalog.endpoints.len() >= self.facts.inventory.endpoints.len()
                && snapshot.map.areas() as usize == self.facts.table.areas().len()
                && service.index() < snapshot.map.services()
        };
        let shares = |snapshot: &Snapshot| {
            snapshot
                .map
                .get(service, area)
                .shares
                .iter()
                .map(|&(endpoint, _)| endpoint)
                .collect()
        };
        self.previous.filter(same).map(shares).unwrap_or_default()
    }

    /// Endpoints behind a unit's candidates, best quality first, one per group, that may serve under the limits.
    fn ranked(&self, cand: &[(u32, f64)], service: ServiceId) -> Vec<EndpointId> {
        let mut order: Vec<&(u32, f64)> = cand.iter().collect();
        order.sort_by(|a, b| a.1.total_cmp(&b.1).then(a.0.cmp(&b.0)));
        let mut groups = Vec::new();
        let mut ranked = Vec::new();
        for &&(link, _) in &order {
            for &endpoint in &self.open[link as usize][service.index()] {
                let group = self.group_of(endpoint);
                if !groups.contains(&group) {
                    groups.push(group);
                    ranked.push(endpoint);
                }
            }
            if ranked.len() > SPLIT_MAX + RUNNERS_UP_MAX {
                break;
            }
        }
        ranked
    }
}

/// Rounds shares onto the 1/64 ladder by largest remainders; the result sums to 64, ordered by endpoint. Shares that
/// round to nothing are left out; at most [`SPLIT_MAX`] are kept, largest first.
fn ladder(shares: &[(EndpointId, f64)]) -> Vec<(EndpointId, u8)> {
    let mut merged: BTreeMap<EndpointId, f64> = BTreeMap::new();
    for &(endpoint, share) in shares {
        *merged.entry(endpoint).or_default() += share.max(0.0);
    }
    let mut largest: Vec<(EndpointId, f64)> = merged.into_iter().collect();
    largest.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    largest.truncate(SPLIT_MAX);
    let total: f64 = largest.iter().map(|(_, share)| share).sum();
    if total <= 0.0 {
        return largest
            .first()
            .map(|&(endpoint, _)| vec![(endpoint, 64)])
            .unwrap_or_default();
    }
    let exact = |share: f64| share / total * f64::from(WEIGHT_TOTAL);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "exact lies in 0..=64"
    )]
    let floor = |share: f64| exact(share) as u8;
    let mut weights: Vec<(EndpointId, u8, f64)> = largest
        .iter()
        .map(|&(id, share)| (id, floor(share), exact(share).fract()))
        .collect();
    let given: u16 = weights
        .iter()
        .map(|(_, weight, _)| u16::from(*weight))
        .sum();
    weights.sort_by(|a, b| b.2.total_cmp(&a.2).then(a.0.cmp(&b.0)));
    let missing = usize::from(u16::from(WEIGHT_TOTAL).saturating_sub(given));
    weights
        .iter_mut()
        .take(missing)
        .for_each(|(_, weight, _)| *weight += 1);
    let mut weights: Vec<_> = weights
        .iter()
        .map(|&(id, weight, _)| (id, weight))
        .filter(|(_, w)| *w > 0)
        .collect();
    weights.sort_unstable_by_key(|(id, _)| *id);
    weights
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn thirds_round_to_64() {
        let third = 1.0 / 3.0;
        let weights = ladder(&[
            (EndpointId(4), third),
            (EndpointId(1), third),
            (EndpointId(9), third),
        ]);
        assert_eq!(
            weights,
            [
                (EndpointId(1), 22),
                (EndpointId(4), 21),
                (EndpointId(9), 21)
            ]
        );
    }

    #[test]
    fn a_unit_that_is_partly_unserved_still_has_a_whole_answer() {
        assert_eq!(
            ladder(&[(EndpointId(1), 0.25), (EndpointId(2), 0.25)]),
            [(EndpointId(1), 32), (EndpointId(2), 32)]
        );
        assert_eq!(ladder(&[(EndpointId(1), 0.0)]), [(EndpointId(1), 64)]);
    }

    proptest! {
        #[test]
        fn a_ladder_is_a_valid_answer_and_near_the_shares(parts in prop::collection::vec(0.0..1.0f64, 1..8)) {
            prop_assume!(parts.iter().sum::<f64>() > 1e-6);
            let total: f64 = parts.iter().sum();
            let shares: Vec<_> = parts.iter().zip(0..).map(|(part, id)| (EndpointId(id), part / total)).collect();
            let weights = ladder(&shares);
            prop_assert_eq!(weights.iter().map(|(_, weight)| u32::from(*weight)).sum::<u32>(), 64);
            prop_assert!(weights.is_sorted_by(|a, b| a.0 < b.0));
            for (id, share) in shares {
                let weight = weights.iter().find(|(other, _)| *other == id).map_or(0, |(_, weight)| *weight);
                prop_assert!((f64::from(weight) - share * 64.0).abs() < 1.0);
            }
        }
    }
}
