//! A month in figures, and what it would cost were nothing forgiven.

use super::policy::Policy;
use super::scenario::SLOTS_PER_DAY;
use instance::ContractModel;

/// One contract's month.
#[derive(Clone, Debug, PartialEq)]
pub struct ContractBill {
    /// Name of the contract.
    pub contract: String,
    /// Model by which it is billed.
    pub model: ContractModel,
    /// Charged level, Mbps; 0 by volume.
    pub level_mbps: f64,
    /// Bill, CNY.
    pub cny: f64,
    /// Slots above the charged level.
    pub slots_above: usize,
    /// Highest slot, Mbps.
    pub peak_mbps: f64,
    /// Capacity, Mbps.
    pub capacity_mbps: f64,
}

/// One policy's month in figures.
#[derive(Clone, Debug, PartialEq)]
pub struct Month {
    /// Policy.
    pub policy: Policy,
    /// Per contract.
    pub bills: Vec<ContractBill>,
    /// All contracts together, CNY.
    pub bill_cny: f64,
    /// The same were no slot forgiven: what it takes to pay for a level that holds in every slot,
    /// CNY.
    pub every_slot_cny: f64,
    /// Difference of expected and real demand of all units, as a share of the real one.
    pub forecast_error_share: f64,
    /// 50th, 90th and 99th percentile over links and slots of load over capacity.
    pub utilisation_percentiles: [f64; 3],
    /// Value of the latency, CNY: what the optimizer trades against the bill.
    pub latency_cny: f64,
    /// Mean latency of what was carried, ms.
    pub mean_ms: f64,
    /// 50th, 90th and 99th percentile of latency over traffic, ms.
    pub percentiles_ms: [f64; 3],
    /// Share of traffic above its service's floor.
    pub below_floor_share: f64,
    /// Share of traffic that no plan had a place for.
    pub unserved_share: f64,
    /// Share of traffic that was lost on links above their capacity.
    pub lost_share: f64,
    /// Share of traffic that was planned above a watermark.
    pub overload_share: f64,
    /// Share of traffic that changed its link from one slot to the next, mean over slots.
    pub moved_share: f64,
    /// Contract-slots that were planned as bursts.
    pub bursts: usize,
    /// Questions to the optimizer.
    pub solves: u64,
    /// `[hour]` -> load of all links over their capacity.
    pub utilisation: Vec<f64>,
    /// `[hour]` -> 99th percentile over links and slots of load over capacity.
    pub fullest: Vec<f64>,
    /// `[hour]` -> mean latency, ms.
    pub latency_ms: Vec<f64>,
    /// `[hour]` -> share of traffic moved.
    pub moved: Vec<f64>,
    /// `[day]` -> certain bill at its end, CNY.
    pub certain_cny: Vec<f64>,
}

/// Returns what a contract would cost were each of its slots charged, CNY. Days that were not
/// played cost what is paid in any case.
pub(super) fn every_slot_cny(
    terms: &engine::inventory::Contract,
    samples: &[f64],
    days: f64,
    bill: f64,
) -> f64 {
    let highest = |samples: &[f64]| {
        let peak = samples.iter().copied().fold(0.0, f64::max);
        peak.max(terms.commit_mbps)
    };
    match terms.model {
        ContractModel::Month95 => highest(samples) * terms.price_cny_per_mbps_month,
        ContractModel::Daily95Mean => {
            let played = samples.chunks(SLOTS_PER_DAY);
            #[expect(clippy::cast_precision_loss, reason = "days of a month")]
            let left_out = (days - played.len() as f64).max(0.0) * terms.commit_mbps;
            let level = (played.map(highest).sum::<f64>() + left_out) / days.max(1.0);
            level * terms.price_cny_per_mbps_month
        }
        ContractModel::DailyPeakMean | ContractModel::Flat | ContractModel::PerGb => bill,
    }
}
