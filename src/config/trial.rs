//! A trial of names: what DNS would refuse when the first map is published is refused when the
//! configuration is read.

use coverage::area::AreaTableBuilder;
use coverage::catalog::{Catalog, Endpoint, Group, Service};
use coverage::map::{AnswerSet, CoverageMapBuilder};
use coverage::{
    AreaId, Body, Digest, EndpointId, GroupId, MapVersion, ServiceId, Snapshot, Timestamp,
    WEIGHT_TOTAL,
};
use dns::DnsView;
use engine::inventory::Inventory;
use engine::policy::{Policies, PoolKind};
use std::net::Ipv4Addr;
use std::sync::Arc;

/// Builds what DNS derives from zones, services and aliases; why it cannot be built.
pub(super) fn names(inventory: &Inventory, policies: &Policies) -> Result<(), String> {
    let endpoint = |alias: Option<&String>| Endpoint {
        group: GroupId(0),
        link: String::new(),
        ipv4: alias.map_or_else(|| vec![Ipv4Addr::LOCALHOST], |_| Vec::new()),
        ipv6: Vec::new(),
        alias: alias.cloned(),
        nodes: Vec::new(),
    };
    let alias = |pool: &engine::policy::Pool| match &pool.kind {
        PoolKind::Alias(name) => Some(endpoint(Some(name))),
        PoolKind::Addresses { .. } => None,
    };
    let served: Vec<Service> = inventory
        .services
        .iter()
        .map(|service| service.served.clone())
        .chain(
            policies
                .services
                .iter()
                .map(|service| service.served.clone()),
        )
        .collect();
    let endpoints: Vec<Endpoint> = policies
        .pools
        .iter()
        .filter_map(alias)
        .chain([endpoint(None)])
        .collect();
    // One area in which every service may give every endpoint.
    let mut map = CoverageMapBuilder::new(served.len(), 1);
    for service in (0..served.len()).map(ServiceId::from_index) {
        map.set(service, AreaId(0), everyone(endpoints.len()));
    }
    let catalog = Catalog {
        zones: inventory.zones.clone(),
        services: served,
        groups: vec![Group {
            name: String::new(),
            site: String::new(),
            region: String::new(),
        }],
        endpoints,
        ..Catalog::default()
    };
    if catalog.services.is_empty() {
        return Ok(());
    }
    let table = AreaTableBuilder::new()
        .finish()
        .map_err(|fault| fault.to_string())?;
    let map = map.finish().map_err(|hole| hole.to_string())?;
    let body = Body { catalog, map };
    let snapshot = Snapshot::new(
        MapVersion::default(),
        Digest::default(),
        Timestamp(0),
        Arc::new(table),
        body,
    );
    let snapshot = snapshot.map_err(|fault| fault.to_string())?;
    DnsView::build(Arc::new(snapshot)).map_err(|fault| fault.to_string())?;
    Ok(())
}

/// A set of the first endpoints, as many as one can weigh.
fn everyone(endpoints: usize) -> AnswerSet {
    let count = u8::try_from(endpoints)
        .unwrap_or(WEIGHT_TOTAL)
        .min(WEIGHT_TOTAL);
    let share = |id: u8| {
        (
            EndpointId(id.into()),
            if id == 0 { WEIGHT_TOTAL + 1 - count } else { 1 },
        )
    };
    AnswerSet {
        shares: (0..count).map(share).collect(),
        runners_up: Vec::new(),
    }
}
