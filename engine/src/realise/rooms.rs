//! Room in groups: where the parts of a site's traffic go.

use super::weights::round_weights;
use crate::inventory::Inventory;
use crate::limits::Limits;
use crate::model::{Facts, split_index};
use coverage::map::{AnswerSet, RUNNERS_UP_MAX};
use coverage::{AreaId, EndpointId, GroupId, LinkId, ServiceId, Snapshot};
use instance::{Instance, by_quality};
use std::borrow::Cow;
use std::collections::BTreeMap;

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
pub(super) struct Rooms<'a> {
    facts: &'a Facts<'a>,
    previous: Option<&'a Snapshot>,
    /// [group], Mbps.
    group_left_mbps: Vec<f64>,
    /// [group]: what is left of its fair part of its site's traffic, Mbps. Beyond it a unit does
    /// not stay for old times' sake, so that a group which was drained gets its part back.
    fair_left_mbps: Vec<f64>,
    /// (group, service) where a limit of its own holds, Mbps.
    service_left_mbps: BTreeMap<(GroupId, ServiceId), f64>,
    /// [link][service] -> endpoints that may serve, by inventory order.
    open: Vec<Vec<Vec<EndpointId>>>,
    /// [link]: whether nothing may come to it or its site, whoever could serve there.
    is_closed: Vec<bool>,
}

impl<'a> Rooms<'a> {
    pub(super) fn new(
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
        let is_closed = inventory
            .links
            .iter()
            .enumerate()
            .map(|(index, link)| !limits.opens(LinkId::from_index(index), link.site));
        Self {
            facts,
            previous,
            is_closed: is_closed.collect(),
            fair_left_mbps: fair_parts_mbps(inventory, &group_mbps, site_mbps),
            group_left_mbps: group_mbps,
            service_left_mbps: limits.services_mbps.clone(),
            open,
        }
    }

    /// Tells whether an endpoint may serve a service under the limits.
    pub(super) fn may_serve(&self, endpoint: EndpointId, service: ServiceId) -> bool {
        let link = self.facts.inventory.endpoints[endpoint.index()].link;
        self.open[link.index()][service.index()].contains(&endpoint)
    }

    /// Tells whether an endpoint may serve a service, and clients may come to its link.
    pub(super) fn takes(&self, endpoint: EndpointId, service: ServiceId) -> bool {
        let link = self.facts.inventory.endpoints[endpoint.index()].link;
        self.may_serve(endpoint, service) && !self.is_closed[link.index()]
    }

    /// The answers of a unit from where its parts were placed; `None` when there is not one
    /// endpoint for it.
    pub(super) fn answers(
        &self,
        instance: &Instance,
        unit: usize,
        mut placed: Vec<(EndpointId, f64)>,
    ) -> Option<AnswerSet> {
        let (service, _) = split_index(unit, self.facts.table.areas().len());
        // As many as there can be in the answer.
        let most = placed.len().max(1) + RUNNERS_UP_MAX;
        let ranked = self.ranked(&instance.units[unit].cand, service, most);
        if placed.is_empty() {
            // Nothing could be placed: the answer still names the best that exists, for a name is
            // never left empty.
            placed.extend(ranked.first().map(|&endpoint| (endpoint, 1.0)));
        }
        let shares = round_weights(&placed);
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

    /// Places `share` of a unit that goes through `link`: into the group it was in if that has
    /// room, else whole into the roomiest, else in parts, roomiest first; what fits nowhere goes to
    /// the roomiest all the same.
    pub(super) fn place(
        &mut self,
        area: AreaId,
        service: ServiceId,
        link: LinkId,
        (mbps, share): (f64, f64),
        placed: &mut Vec<(EndpointId, f64)>,
    ) {
        let open = &self.open[link.index()][service.index()];
        if let &[only] = open.as_slice() {
            self.take(only, service, mbps * share);
            placed.push((only, share));
            return;
        }
        let mut order = open.clone();
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

    pub(super) fn take(&mut self, endpoint: EndpointId, service: ServiceId, mbps: f64) {
        let group = self.group_of(endpoint);
        self.group_left_mbps[group.index()] -= mbps;
        self.fair_left_mbps[group.index()] -= mbps;
        if let Some(left) = self.service_left_mbps.get_mut(&(group, service)) {
            *left -= mbps;
        }
    }

    /// Endpoints that serve (area, service) now, if the snapshot in service speaks of the same
    /// inventory.
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

    /// Endpoints behind a unit's candidates, best quality first, one per group, that may serve
    /// under the limits; `most` of them, or a few more. Those on closed links come last: better
    /// than nobody where there are few others.
    fn ranked(&self, cand: &[(LinkId, f64)], service: ServiceId, most: usize) -> Vec<EndpointId> {
        let mut order = Cow::Borrowed(cand);
        // All are in order but for incumbents that were added.
        if !cand.is_sorted_by(|a, b| by_quality(a, b).is_le()) {
            order.to_mut().sort_by(by_quality);
        }
        let mut groups = Vec::with_capacity(most);
        let mut ranked = Vec::with_capacity(most);
        let is_closed = |cand: &&(LinkId, f64)| self.is_closed[cand.0.index()];
        let open = order.iter().filter(|cand| !is_closed(cand));
        for &(link, _) in open.chain(order.iter().filter(is_closed)) {
            for &endpoint in &self.open[link.index()][service.index()] {
                let group = self.group_of(endpoint);
                if !groups.contains(&group) {
                    groups.push(group);
                    ranked.push(endpoint);
                }
            }
            if ranked.len() >= most {
                break;
            }
        }
        ranked
    }
}
