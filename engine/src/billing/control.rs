//! The controller: levels and free slots planned by the day, slots decided every five minutes.
//!
//! A percentile contract forgives some slots. Once a day the [budget](super::budget) says what
//! level each contract is worth and what a free slot ("token") is worth. In each slot the optimizer
//! is first asked at these prices; contracts that it would use far above their level then *burst*:
//! the slot is free for them up to the capacity, and the others are kept to their levels by rising
//! prices, until nobody exceeds a level without spending a token. Who has spent the day's part of
//! its tokens asks more for the next. After the first minutes of a slot its rest can be decided
//! again, so that what noise has brought costs no token. The method follows Singh et al. (CASCARA,
//! NSDI 2021); its plan is a linear program with a certified bound instead of an integer one.
//!
//! Everything it says is a price. Serving never waits for money: beyond tokens and levels traffic
//! costs more, and flows.

use super::budget::{BudgetError, BudgetOptions};
use super::ledger::Ledger;
use super::marginal::{Marginal, period_price};
use super::steer::Steer;
use coverage::Timestamp;
use instance::Instance;

/// Questions to the optimizer within one slot.
const ROUNDS_MAX: u32 = 24;
/// Part of what a token opens that must be used for it to be spent at first sight.
const WORTH_SHARE: f64 = 0.5;
/// From this part on, several contracts may begin to burst at a time; below it the fullest alone,
/// because it takes traffic that the others would have gone above their levels for.
const FULL_SHARE: f64 = 0.85;
/// Part of what tokens open that is used, before any was seen, and the weight of the newest.
const USED_SHARE_START: f64 = 0.95;
/// Weight of the newest.
const USED_SHARE_STEP: f64 = 0.002;

/// Options of the controller.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ControlOptions {
    /// True when free slots are used on purpose.
    pub bursts: bool,
    /// Share of tokens kept for failures at the start of a period; it falls to 0 at its end.
    pub reserve_share: f64,
    /// Cost of one Mbps unserved during one slot, as taken when levels are planned, CNY.
    pub unserved_cny_per_mbps: f64,
    /// Precision with which levels are planned.
    pub budget: BudgetOptions,
}

impl Default for ControlOptions {
    fn default() -> Self {
        Self {
            bursts: true,
            reserve_share: 0.03,
            unserved_cny_per_mbps: 0.5,
            budget: BudgetOptions::default(),
        }
    }
}

/// Need of a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Prices changed: ask the optimizer again.
    AskAgain,
    /// The plan stands.
    Settled,
}

/// Levels and tokens of all contracts.
#[derive(Debug)]
pub struct Controller {
    pub(super) options: ControlOptions,
    pub(super) contracts: Vec<Steer>,
    round: u32,
    /// Part of what tokens open that is used when they are spent: they are whole, needs are not.
    pub(super) used_share: f64,
}

impl Controller {
    /// A controller for the contracts of `ledger`, which `instance` has at the same indices.
    ///
    /// # Errors
    /// [`BudgetError::Inconsistent`] names a contract without links, or whose name is not at its
    /// place.
    pub fn new(
        ledger: &Ledger,
        instance: &Instance,
        options: ControlOptions,
    ) -> Result<Self, BudgetError> {
        let wrong = |what: String| BudgetError::Inconsistent { what };
        if instance.contracts.len() != ledger.contracts() {
            return Err(wrong(format!(
                "the ledger has {} contracts, the instance {}",
                ledger.contracts(),
                instance.contracts.len()
            )));
        }
        let steer = |(index, contract): (usize, &instance::Contract)| {
            let terms = ledger.terms(index);
            if terms.name != contract.id {
                return Err(wrong(format!(
                    "contract number {index} is {} in the ledger and {} in the instance",
                    terms.name, contract.id
                )));
            }
            let capacity = capacity_mbps(instance, &contract.id).ok_or_else(|| {
                wrong(format!(
                    "contract {} has no link: give it one or take it out",
                    contract.id
                ))
            })?;
            Ok(Steer::new(terms.model, capacity))
        };
        Ok(Self {
            options,
            contracts: instance
                .contracts
                .iter()
                .enumerate()
                .map(steer)
                .collect::<Result<_, _>>()?,
            round: 0,
            used_share: USED_SHARE_START,
        })
    }

    /// Begins the slot that holds `now`.
    pub fn open(&mut self, ledger: &Ledger, now: Timestamp) {
        self.round = 0;
        for (contract, steer) in self.contracts.iter_mut().enumerate() {
            steer.burst_before = std::mem::take(&mut steer.bursting);
            let certain = ledger.certain_mbps(contract, now);
            if let Some(level) = &mut steer.level_mbps {
                *level = level.max(certain);
                let level = *level;
                let tokens = if self.options.bursts {
                    ledger.tokens_left(contract, level, now)
                } else {
                    0
                };
                steer.open(level, tokens);
                steer.level_cny_per_mbps = period_price(ledger, contract, now);
            }
        }
    }

    /// Returns what a contract costs in the open slot.
    #[must_use]
    pub fn marginal(&self, ledger: &Ledger, contract: usize, now: Timestamp) -> Marginal {
        let steer = &self.contracts[contract];
        if steer.level_mbps.is_none() || !steer.has_level() {
            return ledger.marginal(contract, now);
        }
        let price_cny_per_mbps = if steer.tokens > 0 {
            steer.asked_cny_per_mbps.min(steer.level_cny_per_mbps)
        } else {
            steer.level_cny_per_mbps
        };
        Marginal {
            price_cny_per_mbps,
            free_below_mbps: steer.rest_mbps,
            burst: steer.bursting,
        }
    }

    /// Judges the optimizer's plan for the open slot, `[contract]` Mbps, and decides which
    /// contracts burst.
    pub fn judge(&mut self, load_mbps: &[f64]) -> Verdict {
        for (steer, load) in self.contracts.iter_mut().zip(load_mbps) {
            steer.planned_mbps = *load;
        }
        let last = self.round + 1 >= ROUNDS_MAX;
        let wanted: Vec<f64> = self.contracts.iter().map(Steer::wanted_share).collect();
        let most = wanted.iter().copied().fold(0.0, f64::max);
        if most <= 0.0 {
            return Verdict::Settled;
        }
        let justified = |steer: &Steer, wanted: f64| {
            steer.asked_cny_per_mbps >= steer.worth_cny_per_mbps / wanted
        };
        let fullest = wanted.iter().position(|wanted| *wanted >= most);
        let any_justified = self
            .contracts
            .iter()
            .zip(&wanted)
            .any(|(steer, wanted)| *wanted > 0.0 && justified(steer, *wanted));
        for (contract, (steer, wanted)) in self.contracts.iter_mut().zip(&wanted).enumerate() {
            if *wanted <= 0.0 {
                continue;
            }
            let chosen =
                *wanted >= FULL_SHARE || (most >= WORTH_SHARE && fullest == Some(contract));
            if last || chosen || (most < WORTH_SHARE && justified(steer, *wanted)) {
                steer.bursting = true;
            } else if most < WORTH_SHARE && !any_justified {
                // What a token costs per Mbps that would use it.
                steer.asked_cny_per_mbps = steer.worth_cny_per_mbps / wanted;
            }
        }
        self.round += 1;
        if last {
            Verdict::Settled
        } else {
            Verdict::AskAgain
        }
    }

    /// Takes up the open slot again after a part of it has passed, with what `[contract]` carried
    /// on average by then and what it would carry from then on if the plan stayed, Mbps. Where that
    /// would end above a level that no free slot was spent on, prices hold the rest of the slot to
    /// what is left below it, and the optimizer is to be asked again.
    pub fn reopen(&mut self, passed: f64, carried_mbps: &[f64], expected_mbps: &[f64]) -> Verdict {
        if !(0.0..1.0).contains(&passed) {
            return Verdict::Settled;
        }
        self.round = 0;
        let mut verdict = Verdict::Settled;
        let loads = carried_mbps.iter().zip(expected_mbps);
        for (steer, (carried, expected)) in self.contracts.iter_mut().zip(loads) {
            let known = carried.is_finite() && expected.is_finite();
            if known && steer.reopen(passed, *carried, *expected) {
                verdict = Verdict::AskAgain;
            }
        }
        verdict
    }

    /// Ends the slot with what was really carried, `[contract]` Mbps, and learns from the
    /// difference. Returns whether a free slot was spent.
    pub fn close(&mut self, carried_mbps: &[f64]) -> bool {
        let mut spent = false;
        for (steer, carried) in self.contracts.iter_mut().zip(carried_mbps) {
            if let Some(used) = steer.used_share(*carried) {
                self.used_share += USED_SHARE_STEP * (used - self.used_share);
            }
            spent |= steer.close(*carried, self.options.bursts);
        }
        spent
    }

    /// Free slots that a contract has spent since the plan of the day.
    #[must_use]
    pub fn spent_today(&self, contract: usize) -> f64 {
        self.contracts[contract].today.spent
    }

    /// Takes over how many free slots a contract had spent since the plan of the day, from before a
    /// restart.
    pub fn note_spent(&mut self, contract: usize, slots: f64) {
        self.contracts[contract].today.spent = slots;
    }

    /// Tells whether a contract bursts in the open slot.
    #[must_use]
    pub fn is_bursting(&self, contract: usize) -> bool {
        self.contracts[contract].bursting
    }

    /// Level that a contract is planned to be charged, Mbps; `None` while nothing was planned.
    #[must_use]
    pub fn level_mbps(&self, contract: usize) -> Option<f64> {
        self.contracts[contract].level_mbps
    }
}

/// Watermarks of all links of a contract together, Mbps; `None` when it has none.
fn capacity_mbps(instance: &Instance, contract: &str) -> Option<f64> {
    let links = || {
        instance
            .links
            .iter()
            .filter(|link| link.contract == contract)
    };
    links().next()?;
    Some(
        links()
            .map(|link| link.watermark_mbps().min(link.capacity_mbps))
            .sum(),
    )
}
