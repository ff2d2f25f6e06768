//! Price of one more Mbps in one slot: the form in which contracts reach the optimizer.

use super::account::gb_per_mbps_slot;
use super::ledger::Ledger;
use coverage::Timestamp;
use instance::ContractModel;

/// Price of a contract in one slot.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Marginal {
    /// CNY for one Mbps more during one slot, above [`Self::free_below_mbps`].
    pub price_cny_per_mbps: f64,
    /// Level up to which the slot costs nothing more, Mbps.
    pub free_below_mbps: f64,
    /// True when the slot is one of the contract's free ones: nothing costs anything.
    pub burst: bool,
}

impl Marginal {
    /// The expectation while nothing is planned. A percentile is set by the (free slots + 1)-th
    /// largest sample: raising it takes that many slots above it, so one slot bears that part of
    /// the price. Below what is certain a slot is free.
    pub(super) fn unplanned(ledger: &Ledger, contract: usize, now: Timestamp) -> Self {
        let terms = ledger.terms(contract);
        #[expect(clippy::cast_precision_loss, reason = "slots of a month")]
        let bearing_slots = ledger.tokens(contract, now) as f64 + 1.0;
        let (price_cny_per_mbps, free_below_mbps) = match terms.model {
            ContractModel::Flat => (0.0, f64::MAX),
            ContractModel::PerGb => (
                terms.price_cny_per_gb * gb_per_mbps_slot(ledger.slot_ms()),
                0.0,
            ),
            ContractModel::Month95 | ContractModel::DailyPeakMean | ContractModel::Daily95Mean => (
                period_price(ledger, contract, now) / bearing_slots,
                ledger.certain_mbps(contract, now),
            ),
        };
        Self {
            price_cny_per_mbps,
            free_below_mbps,
            burst: false,
        }
    }
}

/// Returns the price of one Mbps more of the charged level for the period that sets it: a month, or
/// a day's part of one.
#[expect(clippy::cast_precision_loss, reason = "days of a month")]
pub(super) fn period_price(ledger: &Ledger, contract: usize, now: Timestamp) -> f64 {
    let terms = ledger.terms(contract);
    let days = terms.utc_offset.month_of(now).days().max(1) as f64;
    match terms.model {
        ContractModel::Month95 => terms.price_cny_per_mbps_month,
        ContractModel::DailyPeakMean | ContractModel::Daily95Mean => {
            terms.price_cny_per_mbps_month / days
        }
        ContractModel::Flat | ContractModel::PerGb => 0.0,
    }
}
