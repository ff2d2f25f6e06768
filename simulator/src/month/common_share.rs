//! A controller after CASCARA's online heuristic, for comparison: one share of capacity for all,
//! free slots where needed.
//!
//! Every contract is held to the same share of its capacity. Where a slot does not fit, the
//! contract with most free slots left takes a whole one; when none is left, the share rises by a
//! step (Singh et al., NSDI 2021, section 5). Left out: their per-link fractions after months of
//! experience. Shared with our own controller: forecast, optimizer, candidates.

use super::scenario::{SLOTS_PER_DAY, Scenario};
use coverage::Timestamp;
use engine::billing::{Ledger, Marginal, Verdict};
use instance::ContractModel;

/// Questions to the optimizer within one slot.
const ROUNDS_MAX: u32 = 64;
/// Step by which the share rises when nobody has a free slot left, relative.
const STEP: f64 = 0.01;
/// Excess below this share is none.
const TOLERANCE: f64 = 1e-3;
/// Kept below a level, so that noise alone spends few free slots.
const MARGIN: f64 = 0.02;
/// One slot of twenty is free.
const FREE_SHARE: f64 = 0.05;
/// Halvings when the first share is searched.
const HALVINGS: u32 = 40;

/// The common share, and who takes a free slot now.
#[derive(Debug)]
pub(super) struct CommonShare {
    share: f64,
    capacity_mbps: Vec<f64>,
    bursting: Vec<bool>,
    rounds: u32,
}

impl CommonShare {
    /// Begins with the share that would have served the days before the month, were all contracts
    /// one.
    pub(super) fn new(scenario: &Scenario) -> Self {
        let mut capacity_mbps = vec![0.0; scenario.inventory.contracts.len()];
        for (link, known) in scenario
            .instance
            .links
            .iter()
            .zip(&scenario.inventory.links)
        {
            capacity_mbps[known.contract] += link.watermark_mbps().min(link.capacity_mbps);
        }
        let total: f64 = capacity_mbps.iter().sum();
        let asked: Vec<f64> = scenario
            .history()
            .map(|(_, demand)| demand.iter().sum())
            .collect();
        #[expect(clippy::cast_precision_loss, reason = "slots of two weeks")]
        let slots = asked.len() as f64;
        let suffices = |share: f64| {
            let above: f64 = asked
                .iter()
                .map(|mbps| (mbps - share * total).max(0.0))
                .sum();
            above <= FREE_SHARE * slots * (1.0 - share) * total
        };
        let (mut low, mut high) = (0.0, 1.0);
        for _ in 0..HALVINGS {
            let middle = f64::midpoint(low, high);
            if suffices(middle) {
                high = middle;
            } else {
                low = middle;
            }
        }
        Self {
            share: high,
            bursting: vec![false; capacity_mbps.len()],
            capacity_mbps,
            rounds: 0,
        }
    }

    pub(super) fn open(&mut self) {
        self.bursting.fill(false);
        self.rounds = 0;
    }

    fn level_mbps(&self, ledger: &Ledger, contract: usize, now: Timestamp) -> f64 {
        (self.share * self.capacity_mbps[contract]).max(ledger.certain_mbps(contract, now))
    }

    /// Free up to the level, and as dear as the level itself above it.
    pub(super) fn marginal(&self, ledger: &Ledger, contract: usize, now: Timestamp) -> Marginal {
        let terms = ledger.terms(contract);
        if matches!(terms.model, ContractModel::Flat | ContractModel::PerGb) {
            return ledger.marginal(contract, now);
        }
        Marginal {
            price_cny_per_mbps: period_price(ledger, contract, now),
            free_below_mbps: self.level_mbps(ledger, contract, now) * (1.0 - MARGIN),
            burst: self.bursting[contract],
        }
    }

    /// Gives a free slot to one contract that needs it, or raises the share.
    pub(super) fn judge(&mut self, ledger: &Ledger, loads: &[f64], now: Timestamp) -> Verdict {
        self.rounds += 1;
        if self.rounds >= ROUNDS_MAX {
            return Verdict::Settled;
        }
        let level = |contract: usize| self.level_mbps(ledger, contract, now);
        let model = |contract: usize| ledger.terms(contract).model;
        let above = |contract: &usize| match model(*contract) {
            ContractModel::Flat => false,
            ContractModel::PerGb => loads[*contract] > TOLERANCE * self.capacity_mbps[*contract],
            _ => {
                !self.bursting[*contract] && loads[*contract] > level(*contract) * (1.0 + TOLERANCE)
            }
        };
        let contracts = 0..loads.len();
        if !contracts.clone().any(|contract| above(&contract)) {
            return Verdict::Settled;
        }
        // Something costs money: a month's contract that is full and has free slots left takes one
        // instead.
        let left = |contract: usize| ledger.tokens_left(contract, level(contract), now);
        let full = |contract: &usize| {
            model(*contract) == ContractModel::Month95
                && !self.bursting[*contract]
                && loads[*contract] > level(*contract) * (1.0 - 1.1 * MARGIN)
                && left(*contract) > 0
        };
        let most = contracts
            .clone()
            .filter(full)
            .max_by_key(|contract| left(*contract));
        let raised = || {
            let over =
                |contract: &usize| model(*contract) == ContractModel::Month95 && above(contract);
            contracts.clone().any(|contract| over(&contract)) && self.share < 1.0
        };
        match most {
            Some(contract) => self.bursting[contract] = true,
            None if raised() => self.share = (self.share * (1.0 + STEP)).min(1.0),
            None => return Verdict::Settled,
        }
        Verdict::AskAgain
    }
}

/// Returns what one Mbps more of a level costs for the period that sets it.
fn period_price(ledger: &Ledger, contract: usize, now: Timestamp) -> f64 {
    let terms = ledger.terms(contract);
    #[expect(clippy::cast_precision_loss, reason = "days of a month")]
    let days = terms.utc_offset.month_of(now).days().max(1) as f64;
    match terms.model {
        ContractModel::DailyPeakMean | ContractModel::Daily95Mean => {
            terms.price_cny_per_mbps_month / days
        }
        _ => terms.price_cny_per_mbps_month,
    }
}

/// Returns what a contract costs on average per Mbps and slot, whatever the slot: how whoever fills
/// the cheapest contract first looks at it.
pub(super) fn average_price(ledger: &Ledger, contract: usize, now: Timestamp) -> Marginal {
    let terms = ledger.terms(contract);
    if matches!(terms.model, ContractModel::Flat | ContractModel::PerGb) {
        return ledger.marginal(contract, now);
    }
    #[expect(clippy::cast_precision_loss, reason = "slots of a month")]
    let slots = (terms.utc_offset.month_of(now).days() * SLOTS_PER_DAY as u64).max(1) as f64;
    Marginal {
        price_cny_per_mbps: terms.price_cny_per_mbps_month / slots,
        free_below_mbps: 0.0,
        burst: false,
    }
}
