//! Instances: from what is known to what is to be solved in one cycle.
//!
//! Units are all (area, service) pairs, service-major; links, sites and contracts keep their
//! inventory indices, so that a plan's link index is a [`LinkId`]. Eligibility is the list of
//! candidates and never a penalty.

mod reach;
mod reserve;

pub(crate) use reach::Reach;

use crate::billing::Contracts;
use crate::estimate::{Estimates, Priors};
use crate::health::Margins;
use crate::inventory::Inventory;
use crate::limits::Limits;
use coverage::{AreaId, AreaTable, GroupId, LinkId, NodeId, ServiceId, SiteId, Timestamp};
use instance::{
    Contract, ContractModel, INSTANCE_VERSION, Instance, Link, Plan, RPS_MIN, RPS_PER_MBPS_MAX,
    Site, Unit,
};
use optimizer::both;
use reach::Shortlist;
use std::ops::Range;

/// Share of capacity above which a site counts as overloaded, like a link's watermark.
const SITE_WATERMARK_SHARE: f64 = 0.9;

/// Share of what nodes can answer that a site plans with; the rest is for what forecasts do not
/// see.
const REQUESTS_SHARE: f64 = 0.9;

/// Product knobs of the instance.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ModelOptions {
    /// Slot length in seconds.
    pub slot_seconds: u32,
    /// Worth of one ms for one Gbps during one slot, CNY.
    pub value_cny_per_gbps_ms_slot: f64,
    /// Most candidates per unit.
    pub candidates_max: usize,
    /// Cost of moving a client, in equivalent ms on every candidate that does not serve it
    /// now: the cold cache and the new connection, spread over the time it stays.
    pub move_cost_ms: f64,
    /// True when each region keeps room for the loss of its largest site. Use of that room counts
    /// as overload; what is drained or down may use it.
    pub reserve_worst_site: bool,
}

/// Facts that an instance is made from.
#[derive(Clone, Copy)]
pub(crate) struct Facts<'a> {
    /// Parts that exist.
    pub(crate) inventory: &'a Inventory,
    /// Areas of clients.
    pub(crate) table: &'a AreaTable,
    /// Assumptions where nothing was measured.
    pub(crate) priors: &'a Priors,
    /// Estimates from observations.
    pub(crate) estimates: &'a Estimates,
    /// Costs of slots.
    pub(crate) contracts: &'a Contracts,
    /// `[node]`: true when it may serve (health, after failing open).
    pub(crate) nodes_up: &'a [bool],
    /// Reliance on soft limits.
    pub(crate) margins: &'a Margins,
    /// Plan in force, for incumbents.
    pub(crate) incumbent: Option<&'a Plan>,
    /// Product knobs.
    pub(crate) options: ModelOptions,
    /// Threads for what takes long; nothing depends on it.
    pub(crate) threads: usize,
}

/// Index of the unit of (area, service).
#[must_use]
pub(crate) const fn unit_index(areas: usize, area: AreaId, service: ServiceId) -> usize {
    service.index() * areas + area.index()
}

/// Service and area of a unit: the inverse of [`unit_index`].
pub(crate) fn split_index(unit: usize, areas: usize) -> (ServiceId, AreaId) {
    let area = AreaId::from_index(unit % areas);
    let service = ServiceId::from_index(unit / areas);
    debug_assert_eq!(unit_index(areas, area, service), unit);
    (service, area)
}

impl Facts<'_> {
    /// Capacity of a group under limits, Mbps: its serving nodes, bounded by its own limit.
    #[must_use]
    pub(crate) fn group_capacity_mbps(&self, group: GroupId, limits: &Limits) -> f64 {
        let serving =
            |node: &&NodeId| self.nodes_up[node.index()] && !limits.nodes_out.contains(*node);
        let nodes = self.inventory.groups[group.index()]
            .nodes
            .iter()
            .filter(serving);
        let total: f64 = nodes
            .map(|node| self.inventory.nodes[node.index()].capacity_mbps)
            .sum();
        limits
            .groups_mbps
            .get(&group)
            .map_or(total, |bound| bound.min(total))
    }

    /// Capacity of a group for one service under limits, Mbps; 0 when it may not serve it.
    #[must_use]
    pub(crate) fn service_capacity_mbps(
        &self,
        group: GroupId,
        service: ServiceId,
        limits: &Limits,
    ) -> f64 {
        if !self.inventory.groups[group.index()]
            .services
            .contains(&service)
        {
            return 0.0;
        }
        let total = self.group_capacity_mbps(group, limits);
        limits
            .services_mbps
            .get(&(group, service))
            .map_or(total, |bound| bound.min(total))
    }

    /// Demand of one (area, service), Mbps: as observed, or its share of what was assumed by
    /// address counts.
    #[must_use]
    pub(crate) fn demand_mbps(&self, area: AreaId, service: ServiceId) -> f64 {
        if let Some(estimate) = self.estimates.demand(area, service) {
            return estimate.value.max(0.0);
        }
        self.inventory.services[service.index()].initial_mbps * self.address_share(area)
    }

    /// Requests per second of one (area, service): as observed, or as many as its traffic usually
    /// has.
    #[must_use]
    pub(crate) fn demand_rps(&self, area: AreaId, service: ServiceId) -> f64 {
        let observed = self.estimates.demand_rps(area, service);
        observed.map_or_else(
            || {
                let usual = self.inventory.services[service.index()].rps_per_mbps;
                usual * self.demand_mbps(area, service)
            },
            |estimate| estimate.value.max(0.0),
        )
    }

    /// Capacity of a site under limits, requests per second: the part of its nodes that serves,
    /// in the proportion in which limits leave their traffic. `None` when any of its nodes has no
    /// limit.
    fn site_rps(&self, site: SiteId, limits: &Limits) -> Option<f64> {
        let mut rps = 0.0;
        for (index, group) in self.inventory.groups.iter().enumerate() {
            if group.site != site {
                continue;
            }
            let nodes = || group.nodes.iter().map(|n| &self.inventory.nodes[n.index()]);
            let all_mbps: f64 = nodes().map(|node| node.capacity_mbps).sum();
            let all_rps: f64 = nodes().map(|node| node.capacity_rps).sum::<Option<f64>>()?;
            let left_mbps = self.group_capacity_mbps(GroupId::from_index(index), limits);
            if all_mbps > 0.0 {
                rps += all_rps * left_mbps / all_mbps;
            }
        }
        Some(rps * REQUESTS_SHARE)
    }

    /// Demand of all units, in their order, Mbps.
    #[must_use]
    pub(crate) fn demands_mbps(&self) -> Vec<f64> {
        let areas = self.table.areas().len();
        let units = 0..self.inventory.services.len() * areas;
        let split = units.map(|unit| split_index(unit, areas));
        split
            .map(|(service, area)| self.demand_mbps(area, service))
            .collect()
    }

    /// Share of all known IPv4 addresses that are in an area.
    #[expect(clippy::cast_precision_loss, reason = "at most 2^32 addresses")]
    fn address_share(&self, area: AreaId) -> f64 {
        let all = self.priors.ipv4_addresses;
        if area.0 == 0 || all == 0 {
            return 0.0;
        }
        self.table.area(area).ipv4_addresses as f64 / all as f64
    }

    /// Quality from an area through a link, ms: measured, or the prior.
    #[must_use]
    pub(crate) fn quality_ms(&self, area: AreaId, link: LinkId) -> f64 {
        let measured = self.estimates.quality(area, link);
        let prior = || self.priors.quality_ms(area, link);
        measured.map_or_else(prior, |estimate| estimate.value)
    }

    /// The instance under `limits`, with incumbents from the plan in force.
    #[must_use]
    pub(crate) fn instance(&self, limits: &Limits, now: Timestamp) -> Instance {
        let reach = Reach::new(self, limits);
        Instance {
            version: INSTANCE_VERSION,
            slot_seconds: self.options.slot_seconds,
            value_cny_per_gbps_ms_slot: self.options.value_cny_per_gbps_ms_slot,
            move_cost_ms: self.options.move_cost_ms,
            links: self.links(limits),
            sites: self.sites(limits),
            regions: self.regions(limits),
            contracts: self.contracts(now),
            units: self.units(&reach).into(),
        }
    }

    /// Links as they are under `limits`.
    pub(crate) fn links(&self, limits: &Limits) -> Vec<Link> {
        let link = |(index, link): (usize, &crate::inventory::Link)| {
            let bound = limits
                .links_mbps
                .get(&LinkId::from_index(index))
                .copied()
                .unwrap_or(f64::MAX);
            let relied = 1.0 - self.margins.links[index];
            Link {
                id: link.name.clone(),
                site: self.inventory.sites[link.site.index()].name.clone(),
                capacity_mbps: link.capacity_mbps.min(bound),
                watermark_mbps: Some(link.watermark_mbps.min(bound) * relied),
                contract: self.inventory.contracts[link.contract].name.clone(),
            }
        };
        self.inventory.links.iter().enumerate().map(link).collect()
    }

    /// Sites as they are under `limits`.
    pub(crate) fn sites(&self, limits: &Limits) -> Vec<Site> {
        let mut group_mbps = vec![0.0; self.inventory.sites.len()];
        for (index, group) in self.inventory.groups.iter().enumerate() {
            group_mbps[group.site.index()] +=
                self.group_capacity_mbps(GroupId::from_index(index), limits);
        }
        let site = |(index, site): (usize, &crate::inventory::Site)| {
            let bound = limits
                .sites_mbps
                .get(&SiteId::from_index(index))
                .copied()
                .unwrap_or(f64::MAX);
            let capacity_mbps = f64::min(group_mbps[index], bound);
            let relied = 1.0 - self.margins.sites[index];
            Site {
                id: site.name.clone(),
                region: site.region.clone(),
                capacity_mbps,
                watermark_mbps: Some(capacity_mbps * SITE_WATERMARK_SHARE * relied),
                capacity_rps: self.site_rps(SiteId::from_index(index), limits),
            }
        };
        self.inventory.sites.iter().enumerate().map(site).collect()
    }

    fn contracts(&self, now: Timestamp) -> Vec<Contract> {
        let contract = |(index, contract): (usize, &crate::inventory::Contract)| {
            let marginal = self.contracts.marginal(index, now);
            let model = contract.model;
            let by_bandwidth = !matches!(model, ContractModel::Flat | ContractModel::PerGb);
            Contract {
                id: contract.name.clone(),
                model,
                price_cny_per_mbps: by_bandwidth.then_some(marginal.price_cny_per_mbps),
                price_cny_per_gb: (model == ContractModel::PerGb)
                    .then_some(contract.price_cny_per_gb),
                free_below_mbps: if by_bandwidth {
                    marginal.free_below_mbps
                } else {
                    0.0
                },
                burst: marginal.burst,
            }
        };
        self.inventory
            .contracts
            .iter()
            .enumerate()
            .map(contract)
            .collect()
    }

    /// Units in the order of [`unit_index`].
    fn units(&self, reach: &Reach) -> Vec<Unit> {
        let areas = u32::try_from(self.table.areas().len()).unwrap_or(u32::MAX);
        let (first, second) = both(
            self.threads,
            || self.units_of(0..areas / 2, reach),
            || self.units_of(areas / 2..areas, reach),
        );
        let services = first.into_iter().zip(second);
        services
            .flat_map(|(first, second)| first.into_iter().chain(second))
            .collect()
    }

    /// [service][area]: the units of some areas.
    fn units_of(&self, areas: Range<u32>, reach: &Reach) -> Vec<Vec<Unit>> {
        let services = 0..self.inventory.services.len();
        let mut units: Vec<Vec<Unit>> = services.map(|_| Vec::with_capacity(areas.len())).collect();
        // Area by area, because its services mostly choose from the same links.
        let mut shortlist = Shortlist::default();
        for area in areas.map(AreaId) {
            shortlist.links = None;
            for (service, units) in units.iter_mut().enumerate() {
                let service = ServiceId::from_index(service);
                units.push(self.unit(area, service, reach, &mut shortlist));
            }
        }
        units
    }

    /// Requests of a unit for an instance; as few as a validated instance may have where there is
    /// hardly any traffic, and none where there are hardly any.
    fn requests_of(&self, area: AreaId, service: ServiceId) -> f64 {
        let most = RPS_PER_MBPS_MAX * self.demand_mbps(area, service);
        let rps = self.demand_rps(area, service).min(most);
        if rps < RPS_MIN { 0.0 } else { rps }
    }

    fn unit(
        &self,
        area: AreaId,
        service: ServiceId,
        reach: &Reach,
        shortlist: &mut Shortlist,
    ) -> Unit {
        let links = &reach.by_service[service.index()];
        if shortlist.links.as_ref() != Some(links) {
            shortlist.cand = self.near_and_large(area, links, reach);
            shortlist.links = Some(links.clone());
        }
        let mut cand = shortlist.cand.clone();
        let incumbent = self
            .incumbent
            .and_then(|plan| {
                plan.shares
                    .get(unit_index(self.table.areas().len(), area, service))
            })
            .cloned()
            .unwrap_or_default();
        let latency_limit_ms = self.inventory.services[service.index()].latency_limit_ms;
        // A link that serves now stays a candidate as long as it may serve.
        for &(link, _) in &incumbent {
            let listed = cand.iter().any(|known| known.0 == link);
            if !listed && links.binary_search(&link).is_ok() {
                cand.push((link, self.quality_ms(area, link)));
            }
        }
        Unit {
            area: self.table.area(area).name.clone(),
            service: self.inventory.services[service.index()].served.name.clone(),
            mbps: self.demand_mbps(area, service),
            rps: self.requests_of(area, service),
            latency_limit_ms: Some(latency_limit_ms),
            incumbent,
            cand,
        }
    }
}
