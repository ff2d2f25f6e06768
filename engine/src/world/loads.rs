//! Loads that the map in service plans.

use crate::model::Facts;
use coverage::{AreaId, EndpointId, ServiceId, Snapshot, WEIGHT_TOTAL};
use std::collections::BTreeMap;

/// Planned traffic, [endpoint][service] row-major over the inventory's endpoints, Mbps.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Loads {
    services: usize,
    mbps: Vec<f64>,
}

impl Loads {
    /// Loads of the map in service, under the demand of `facts`. Endpoints are matched by
    /// name, so a map made for an earlier inventory counts as far as the two agree.
    pub(super) fn planned(facts: &Facts<'_>, snapshot: Option<&Snapshot>) -> Self {
        let services = facts.inventory.services.len();
        let mut loads = Self {
            services,
            mbps: vec![0.0; services * facts.inventory.endpoints.len()],
        };
        let Some(snapshot) = snapshot else {
            return loads;
        };
        let known = endpoints_by_name(facts);
        let name = |id: usize| {
            let endpoint = &snapshot.catalog.endpoints[id];
            (
                snapshot.catalog.groups[endpoint.group.index()]
                    .name
                    .as_str(),
                endpoint.link.as_str(),
            )
        };
        let here: Vec<Option<EndpointId>> = (0..snapshot.catalog.endpoints.len())
            .map(|id| known.get(&name(id)).copied())
            .collect();
        for (index, service) in facts.inventory.services.iter().enumerate() {
            let Some((served, _)) = snapshot.catalog.service(&service.served.name) else {
                continue;
            };
            for (area, set) in snapshot
                .map
                .row(served)
                .iter()
                .zip(0..)
                .map(|(set, area)| (AreaId(area), set))
            {
                let mbps = facts.demand_mbps(area, ServiceId::from_index(index));
                for &(endpoint, weight) in &snapshot.map.answer_sets()[set.index()].shares {
                    if let Some(endpoint) = here[endpoint.index()] {
                        let share = f64::from(weight) / f64::from(WEIGHT_TOTAL);
                        loads.mbps[endpoint.index() * services + index] += mbps * share;
                    }
                }
            }
        }
        loads
    }

    /// Planned traffic of the endpoints and services that `counts`, Mbps.
    pub(super) fn sum(&self, counts: impl Fn(EndpointId, ServiceId) -> bool) -> f64 {
        let cell = |index: usize| {
            (
                EndpointId::from_index(index / self.services),
                ServiceId::from_index(index % self.services),
            )
        };
        let counted = self.mbps.iter().enumerate().filter(|(index, _)| {
            let (endpoint, service) = cell(*index);
            counts(endpoint, service)
        });
        counted.map(|(_, mbps)| mbps).sum()
    }
}

fn endpoints_by_name<'a>(facts: &'a Facts<'_>) -> BTreeMap<(&'a str, &'a str), EndpointId> {
    let inventory = facts.inventory;
    let name = |endpoint: &crate::inventory::Endpoint| {
        (
            inventory.groups[endpoint.group.index()].name.as_str(),
            inventory.links[endpoint.link.index()].name.as_str(),
        )
    };
    inventory
        .endpoints
        .iter()
        .enumerate()
        .map(|(id, endpoint)| (name(endpoint), EndpointId::from_index(id)))
        .collect()
}
