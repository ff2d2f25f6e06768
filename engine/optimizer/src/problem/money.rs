//! Money: what traffic, latency and moves cost in one slot.

use instance::{Contract, ContractModel, Instance};

/// Free level in Mbps and price in CNY per Mbps above it, for this slot.
pub fn money_step(instance: &Instance, contract: &Contract) -> (f64, f64) {
    match contract.model {
        ContractModel::Flat => (0.0, 0.0),
        ContractModel::PerGb => (
            0.0,
            contract.price_cny_per_gb.unwrap_or(0.0) * gb_per_mbps_slot(instance),
        ),
        ContractModel::Month95 | ContractModel::DailyPeakMean | ContractModel::Daily95Mean => {
            let price = if contract.burst {
                0.0
            } else {
                contract.price_cny_per_mbps.unwrap_or(0.0)
            };
            (contract.free_below_mbps, price)
        }
    }
}

/// Cost of one Mbps at quality `ms` in one slot, in CNY.
pub(crate) fn latency_cny_per_mbps(instance: &Instance, ms: f64) -> f64 {
    ms * instance.value_cny_per_gbps_ms_slot / 1_000.0
}

/// Cost of moving one Mbps, in CNY per slot.
pub(crate) fn move_cny_per_mbps(instance: &Instance) -> f64 {
    latency_cny_per_mbps(instance, instance.move_cost_ms)
}

/// Gigabytes that one Mbps carries in one slot: seconds * 10^6 / 8 / 10^9.
pub(crate) fn gb_per_mbps_slot(instance: &Instance) -> f64 {
    f64::from(instance.slot_seconds) / 8_000.0
}
