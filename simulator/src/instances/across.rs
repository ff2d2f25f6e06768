//! Contracts of operators: one for all ports of an ISP in a region, whose free level any of its
//! sites may use.

use super::assemble::cents;
use crate::random::Random;
use instance::{Contract, ContractModel, Instance};
use std::collections::BTreeMap;

/// Range of prices above a free level, in CNY per Mbps and slot.
const PRICE_CNY: (f64, f64) = (0.000_5, 0.01);
/// Free levels as parts of the ports, lie between these.
const FREE_SHARE: (f64, f64) = (0.2, 0.8);

/// Puts all ports of an ISP in a region under one contract in place of their own ones.
pub(super) fn share_contracts(instance: &mut Instance, seed: u64) {
    let mut random = Random::new(seed ^ 0x6163_726f);
    let mut region_of = BTreeMap::new();
    for site in &instance.sites {
        region_of.insert(site.id.clone(), site.region.clone());
    }
    let mut ports_mbps: BTreeMap<String, f64> = BTreeMap::new();
    for link in &mut instance.links {
        let isp = link.id.rsplit('/').next().unwrap_or_default();
        let region = region_of.get(&link.site).map_or("", String::as_str);
        link.contract = format!("{region}/{isp}");
        *ports_mbps.entry(link.contract.clone()).or_default() += link.capacity_mbps;
    }
    let between =
        |(least, most): (f64, f64), random: &mut Random| least + (most - least) * random.unit();
    let contract = |(id, mbps): (String, f64)| Contract {
        id,
        model: ContractModel::Month95,
        price_cny_per_mbps: Some(between(PRICE_CNY, &mut random)),
        price_cny_per_gb: None,
        free_below_mbps: cents(mbps * between(FREE_SHARE, &mut random)),
        burst: false,
    };
    instance.contracts = ports_mbps.into_iter().map(contract).collect();
}
