//! Prices of traffic and requests, as the instance has them.

use crate::tolerances::{CAPACITY_TOLERANCE, CHARGE_TOLERANCE};
use instance::{Contract, ContractModel, Instance, Site};

/// Level in Mbps from which a contract charges that is free below `free_mbps`.
pub(crate) fn charged_from(free_mbps: f64) -> f64 {
    free_mbps * (1.0 + CHARGE_TOLERANCE)
}

/// Requests per second that a site has without charge: from where rounding ends on, so that a load
/// at the limit is not dearer for how it was summed.
pub(crate) fn free_rps(site: &Site) -> f64 {
    let limit = site.capacity_rps.unwrap_or(f64::INFINITY);
    limit + CAPACITY_TOLERANCE * limit.max(1.0)
}

/// Charge for a request per second above a limit, in CNY: a hundred times the dearest way that a
/// Mbps with the usual requests could take, whose quality, move and contract are the worst of all,
/// or 1 CNY where all of these are free.
pub(crate) fn excess_charge_cny(instance: &Instance) -> f64 {
    let (mut mbps, mut rps, mut worst_ms, mut dearest) = (0.0, 0.0, 0.0_f64, 0.0_f64);
    for unit in instance.units.iter().filter(|unit| unit.rps > 0.0) {
        mbps += unit.mbps;
        rps += unit.rps;
    }
    if rps <= 0.0 {
        return 0.0;
    }
    for unit in &instance.units {
        for &(_, quality_ms) in &unit.cand {
            worst_ms = worst_ms.max(quality_ms);
        }
    }
    for contract in &instance.contracts {
        dearest = dearest.max(price_above(instance, contract));
    }
    let ms = worst_ms + instance.move_cost_ms;
    let way = ms * instance.value_cny_per_gbps_ms_slot / 1_000.0 + dearest;
    100.0 * if way > 0.0 { way } else { 1.0 } * mbps / rps
}

/// Price of a Mbps above the free level of a contract, in CNY per slot.
pub(crate) fn price_above(instance: &Instance, contract: &Contract) -> f64 {
    match contract.model {
        ContractModel::Flat => 0.0,
        ContractModel::PerGb => {
            let gb_per_mbps = f64::from(instance.slot_seconds) / 8_000.0;
            gb_per_mbps * contract.price_cny_per_gb.unwrap_or(0.0)
        }
        _ if contract.burst => 0.0,
        _ => contract.price_cny_per_mbps.unwrap_or(0.0),
    }
}
