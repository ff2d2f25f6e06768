//! Contracts without demand, as a controller knows them.

use crate::inventory::Inventory;
use crate::inventory::contract_model;
use instance::{Contract, INSTANCE_VERSION, Instance, Link};

/// Meters and links as they are built, without demand: what a controller needs to know of them.
pub(super) fn bare(inventory: &Inventory) -> Instance {
    let link = |link: &crate::inventory::Link| Link {
        id: link.name.clone(),
        site: inventory.sites[link.site.index()].name.clone(),
        capacity_mbps: link.capacity_mbps,
        watermark_mbps: Some(link.watermark_mbps),
        contract: inventory.contracts[link.contract].name.clone(),
    };
    let contract = |contract: &crate::inventory::Contract| Contract {
        id: contract.name.clone(),
        model: contract_model(contract.model),
        price_cny_per_mbps: None,
        price_cny_per_gb: None,
        free_below_mbps: 0.0,
        burst: false,
    };
    Instance {
        version: INSTANCE_VERSION,
        slot_seconds: 300,
        value_cny_per_gbps_ms_slot: 0.0,
        move_cost_ms: 0.0,
        links: inventory.links.iter().map(link).collect(),
        sites: Vec::new(),
        regions: Vec::new(),
        contracts: inventory.contracts.iter().map(contract).collect(),
        units: instance::Units::default(),
    }
}
