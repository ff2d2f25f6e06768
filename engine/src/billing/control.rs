//! The controller: levels and free slots planned by the day, slots decided every five minutes.
//!
//! A percentile contract forgives some slots. Once a day the [budget](super::budget) says what level each meter is worth
//! and what a free slot ("token") is worth. In each slot the optimizer is first asked at these prices; meters that it
//! would use far above their level then *burst*: the slot is free for them up to the capacity, and the others are kept to
//! their levels by rising prices, until nobody exceeds a level without spending a token. The method follows Singh et al.
//! (CASCARA, NSDI 2021); its plan is a linear program with a certified bound instead of an integer one.
//!
//! Everything it says is a price. Serving never waits for money: beyond tokens and levels traffic costs more, and flows.

use super::budget::{BudgetError, BudgetOptions};
use super::deviation::Deviation;
use super::ledger::Ledger;
use super::marginal::{Marginal, period_price};
use crate::inventory::BillingModel;
use crate::plan::Instance;
use coverage::Timestamp;

/// Questions to the optimizer within one slot.
const ROUNDS_MAX: u32 = 24;
/// Part of what a token opens that must be used for it to be spent at first sight.
const WORTH_SHARE: f64 = 0.5;
/// From this part on, several meters may begin to burst at a time; below it the fullest alone, because it takes traffic
/// that the others would have gone above their levels for.
const FULL_SHARE: f64 = 0.85;
/// A meter that burst in the slot before is asked at this part of its price: changing meters moves clients.
const STAY_SHARE: f64 = 0.8;
/// Part of what tokens open that is used, before any was seen, and the weight of the newest.
const USED_SHARE_START: f64 = 0.85;
/// Weight of the newest.
const USED_SHARE_STEP: f64 = 0.002;
/// Excess below this share of the capacity is none.
const TOLERANCE: f64 = 1e-4;

/// How the controller behaves.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ControlOptions {
    /// Whether free slots are used on purpose.
    pub bursts: bool,
    /// Share of tokens kept for failures at the start of a period; it falls to 0 at its end.
    pub reserve_share: f64,
    /// What one Mbps unserved during one slot is taken to cost when levels are planned, CNY.
    pub unserved_cny_per_mbps: f64,
    /// How exactly levels are planned.
    pub budget: BudgetOptions,
}

impl Default for ControlOptions {
    fn default() -> Self {
        Self {
            bursts: true,
            reserve_share: 0.1,
            unserved_cny_per_mbps: 0.5,
            budget: BudgetOptions::default(),
        }
    }
}

/// What a slot still needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Prices changed: ask the optimizer again.
    AskAgain,
    /// The plan stands.
    Settled,
}

/// Levels and tokens of all meters.
#[derive(Debug)]
pub struct Controller {
    pub(super) options: ControlOptions,
    pub(super) meters: Vec<Steer>,
    round: u32,
    /// Part of what tokens open that is used when they are spent: they are whole, needs are not.
    pub(super) used_share: f64,
}

/// One meter's state.
#[derive(Debug, Clone)]
pub(super) struct Steer {
    pub(super) model: BillingModel,
    pub(super) capacity_mbps: f64,
    /// What is planned to be charged; `None` while nothing was planned.
    pub(super) level_mbps: Option<f64>,
    /// Worth of one Mbps above the level in one slot, CNY.
    pub(super) above_cny_per_mbps: f64,
    /// What the optimizer is asked above the level in this round, CNY.
    asked_cny_per_mbps: f64,
    /// Cost of one Mbps more of level, CNY.
    pub(super) level_cny_per_mbps: f64,
    /// Level less what plans and reality differ by: where the optimizer is stopped.
    target_mbps: f64,
    tokens: u64,
    bursting: bool,
    burst_before: bool,
    planned_mbps: f64,
    deviation: Deviation,
}

impl Steer {
    /// Whether the contract has a level at all.
    const fn has_level(&self) -> bool {
        matches!(
            self.model,
            BillingModel::Month95 | BillingModel::Daily95Mean | BillingModel::DailyPeakMean
        )
    }

    fn excess_mbps(&self, load_mbps: f64) -> f64 {
        let excess = load_mbps - self.target_mbps;
        if excess > TOLERANCE * self.capacity_mbps {
            excess
        } else {
            0.0
        }
    }
}

impl Controller {
    /// A controller for the meters of `ledger`, which `instance` has at the same indices.
    ///
    /// # Errors
    /// [`BudgetError::Inconsistent`] names a meter without links, or whose name is not at its place.
    pub fn new(
        ledger: &Ledger,
        instance: &Instance,
        options: ControlOptions,
    ) -> Result<Self, BudgetError> {
        let wrong = |what: String| BudgetError::Inconsistent { what };
        if instance.meters.len() != ledger.meters() {
            return Err(wrong(format!(
                "the ledger has {} meters, the instance {}",
                ledger.meters(),
                instance.meters.len()
            )));
        }
        let steer = |(index, meter): (usize, &crate::plan::Meter)| {
            let terms = ledger.terms(index);
            if terms.name != meter.id {
                return Err(wrong(format!(
                    "meter number {index} is {} in the ledger and {} in the instance",
                    terms.name, meter.id
                )));
            }
            let capacity = capacity_mbps(instance, &meter.id).ok_or_else(|| {
                wrong(format!(
                    "meter {} has no link: give it one or take it out",
                    meter.id
                ))
            })?;
            Ok(Steer {
                model: terms.model,
                capacity_mbps: capacity,
                level_mbps: None,
                above_cny_per_mbps: 0.0,
                asked_cny_per_mbps: 0.0,
                level_cny_per_mbps: 0.0,
                target_mbps: 0.0,
                tokens: 0,
                bursting: false,
                burst_before: false,
                planned_mbps: 0.0,
                deviation: Deviation::default(),
            })
        };
        Ok(Self {
            options,
            meters: instance
                .meters
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
        for (meter, steer) in self.meters.iter_mut().enumerate() {
            steer.burst_before = std::mem::take(&mut steer.bursting);
            let certain = ledger.certain_mbps(meter, now);
            if let Some(level) = &mut steer.level_mbps {
                *level = level.max(certain);
                steer.target_mbps = *level * (1.0 - steer.deviation.margin());
                steer.tokens = if self.options.bursts {
                    ledger.tokens_left(meter, *level, now)
                } else {
                    0
                };
                let stay = if steer.burst_before { STAY_SHARE } else { 1.0 };
                steer.asked_cny_per_mbps = steer.above_cny_per_mbps * stay;
                steer.level_cny_per_mbps = period_price(ledger, meter, now);
            }
        }
    }

    /// What a meter costs in the open slot.
    #[must_use]
    pub fn marginal(&self, ledger: &Ledger, meter: usize, now: Timestamp) -> Marginal {
        let steer = &self.meters[meter];
        if steer.level_mbps.is_none() || !steer.has_level() {
            return ledger.marginal(meter, now);
        }
        let price_cny_per_mbps = if steer.tokens > 0 {
            steer.asked_cny_per_mbps.min(steer.level_cny_per_mbps)
        } else {
            steer.level_cny_per_mbps
        };
        Marginal {
            price_cny_per_mbps,
            free_below_mbps: steer.target_mbps,
            burst: steer.bursting,
        }
    }

    /// Judges the optimizer's plan for the open slot, `[meter]` Mbps, and decides who bursts.
    pub fn judge(&mut self, load_mbps: &[f64]) -> Verdict {
        for (steer, load) in self.meters.iter_mut().zip(load_mbps) {
            steer.planned_mbps = *load;
        }
        let last = self.round + 1 >= ROUNDS_MAX;
        let wants = |steer: &Steer| {
            let open = steer.capacity_mbps - steer.target_mbps;
            let may = steer.level_mbps.is_some()
                && steer.has_level()
                && !steer.bursting
                && steer.tokens > 0;
            if may && open > 0.0 {
                steer.excess_mbps(steer.planned_mbps) / open
            } else {
                0.0
            }
        };
        let wanted: Vec<f64> = self.meters.iter().map(wants).collect();
        let most = wanted.iter().copied().fold(0.0, f64::max);
        if most <= 0.0 {
            return Verdict::Settled;
        }
        let justified = |steer: &Steer, wanted: f64| {
            steer.asked_cny_per_mbps >= steer.above_cny_per_mbps / wanted
        };
        let fullest = wanted.iter().position(|wanted| *wanted >= most);
        let any_justified = self
            .meters
            .iter()
            .zip(&wanted)
            .any(|(steer, wanted)| *wanted > 0.0 && justified(steer, *wanted));
        for (meter, (steer, wanted)) in self.meters.iter_mut().zip(&wanted).enumerate() {
            if *wanted <= 0.0 {
                continue;
            }
            let chosen = *wanted >= FULL_SHARE || (most >= WORTH_SHARE && fullest == Some(meter));
            if last || chosen || (most < WORTH_SHARE && justified(steer, *wanted)) {
                steer.bursting = true;
            } else if most < WORTH_SHARE && !any_justified {
                // What a token costs per Mbps that would use it.
                steer.asked_cny_per_mbps = steer.above_cny_per_mbps / wanted;
            }
        }
        self.round += 1;
        if last {
            Verdict::Settled
        } else {
            Verdict::AskAgain
        }
    }

    /// Ends the slot with what was really carried, `[meter]` Mbps, and learns from the difference.
    pub fn close(&mut self, carried_mbps: &[f64]) {
        for (steer, carried) in self.meters.iter_mut().zip(carried_mbps) {
            let open = steer.capacity_mbps - steer.target_mbps;
            if steer.bursting && open > 0.0 && *carried > steer.target_mbps {
                let used = ((carried - steer.target_mbps) / open).min(1.0);
                self.used_share += USED_SHARE_STEP * (used - self.used_share);
            }
            let Some(level) = &mut steer.level_mbps else {
                continue;
            };
            if !steer.bursting
                && steer.planned_mbps > 0.9 * steer.target_mbps
                && steer.target_mbps > 0.0
            {
                steer.deviation.learn(carried / steer.planned_mbps - 1.0);
            }
            // Where nothing is forgiven, what was carried is what is charged.
            if steer.tokens == 0 && carried.is_finite() {
                *level = level.max(*carried);
            }
        }
    }

    /// Whether a meter bursts in the open slot.
    #[must_use]
    pub fn bursting(&self, meter: usize) -> bool {
        self.meters[meter].bursting
    }

    /// Level that a meter is planned to be charged, Mbps; `None` while nothing was planned.
    #[must_use]
    pub fn level_mbps(&self, meter: usize) -> Option<f64> {
        self.meters[meter].level_mbps
    }
}

/// Watermarks of all links of a meter together, Mbps; `None` when it has none.
fn capacity_mbps(instance: &Instance, meter: &str) -> Option<f64> {
    let links = || instance.links.iter().filter(|link| link.meter == meter);
    links().next()?;
    Some(
        links()
            .map(|link| link.watermark_mbps().min(link.capacity_mbps))
            .sum(),
    )
}
