//! Planning of levels and tokens: from the ledger and a forecast to the budget's program, and back.

use super::budget::{Budget, BudgetError, Level, Outlook};
use super::control::Controller;
use super::forecast::Horizon;
use super::ledger::Ledger;
use super::marginal::period_price;
use super::steer::Pace;
use coverage::Timestamp;
use instance::ContractModel;
use instance::Instance;

/// Levels, relative to the present one, at which the tokens that the past has left are compared.
const REFERENCES: [f64; 13] = [
    0.9, 0.95, 0.98, 1.0, 1.01, 1.02, 1.05, 1.1, 1.2, 1.4, 1.7, 2.0, 3.0,
];

/// A lower level is looked at when it leaves this share of the free slots of the present one.
const KEPT_SHARE: f64 = 0.9;

impl Controller {
    /// Plans levels and tokens for what `horizon` says is to come. Once a day is enough.
    ///
    /// # Errors
    /// [`BudgetError`]; the levels of the plan before stay.
    pub fn plan(
        &mut self,
        ledger: &Ledger,
        instance: &Instance,
        horizon: &Horizon,
        now: Timestamp,
    ) -> Result<Budget, BudgetError> {
        let outlook = self.outlook(ledger, instance, horizon, now);
        let budget = outlook.plan(&self.options.budget)?;
        for (index, level) in outlook.levels.iter().enumerate() {
            // Levels of later days are planned along, but only today's are acted on.
            if level.day.is_none_or(|day| day == 0) {
                self.adopt(ledger, (level, index), &budget, 0, now);
            }
        }
        Ok(budget)
    }

    /// Follows levels that were planned elsewhere, for one of the days of `outlook`.
    pub fn follow(
        &mut self,
        ledger: &Ledger,
        outlook: &Outlook<'_>,
        budget: &Budget,
        day: usize,
        now: Timestamp,
    ) {
        for (index, level) in outlook.levels.iter().enumerate() {
            if level.day.is_none_or(|of| of == day) {
                self.adopt(ledger, (level, index), budget, day, now);
            }
        }
    }

    /// The program that [`Self::plan`] solves.
    #[must_use]
    pub fn outlook<'a>(
        &self,
        ledger: &Ledger,
        instance: &'a Instance,
        horizon: &Horizon,
        now: Timestamp,
    ) -> Outlook<'a> {
        let mut levels = Vec::new();
        let mut volume = vec![0.0; self.contracts.len()];
        for (contract, steer) in self.contracts.iter().enumerate() {
            let price = period_price(ledger, contract, now);
            let (tokens, least_mbps) = self.tokens(ledger, contract, now);
            let by_day = |day: usize| Level {
                contract,
                day: Some(day),
                price_cny_per_mbps: price * horizon.days[day],
                min_mbps: if day == 0 {
                    least_mbps
                } else {
                    ledger.terms(contract).commit_mbps
                },
                max_mbps: steer.capacity_mbps,
                tokens: if day == 0 {
                    tokens
                } else {
                    self.tokens_per_day(ledger, contract, now) * horizon.days[day]
                },
            };
            match steer.model {
                ContractModel::Flat => {}
                ContractModel::PerGb => {
                    volume[contract] = ledger.marginal(contract, now).price_cny_per_mbps
                }
                ContractModel::Month95 => levels.push(Level {
                    day: None,
                    price_cny_per_mbps: price,
                    ..by_day(0)
                }),
                ContractModel::DailyPeakMean | ContractModel::Daily95Mean => {
                    levels.extend((0..3).filter(|day| horizon.days[*day] > 0.0).map(by_day));
                }
            }
        }
        Outlook {
            instance,
            scenes: horizon.scenes.clone(),
            volume_cny_per_mbps: volume,
            levels,
            unserved_cny_per_mbps: self.options.unserved_cny_per_mbps,
        }
    }

    /// Tokens to plan with, and the lowest level that leaves them: at a lower level the past would
    /// have spent more.
    ///
    /// The reference is the level near the present one at which what the past left is worth most:
    /// tokens at their last known value, as far as the rest of the period can use them, less the
    /// price of the level itself.
    #[expect(clippy::cast_precision_loss, reason = "slots of a month")]
    fn tokens(&self, ledger: &Ledger, contract: usize, now: Timestamp) -> (f64, f64) {
        let certain = ledger.certain_mbps(contract, now);
        let steer = &self.contracts[contract];
        let left = |level: f64| ledger.tokens_left(contract, level, now) as f64;
        if !self.options.bursts || left(0.0) >= ledger.tokens(contract, now) as f64 {
            let tokens = if self.options.bursts { left(0.0) } else { 0.0 };
            return (
                tokens * (1.0 - self.options.reserve_share) * self.used_share,
                certain,
            );
        }
        let period = ledger.level_period(contract, now);
        let to_come = period.end.0.saturating_sub(now.0) as f64 / period.length_ms().max(1) as f64;
        let level = steer.level_mbps.unwrap_or(certain).max(certain);
        // More than its part of what is left of the period can hardly be used.
        let useful = to_come * ledger.tokens(contract, now) as f64;
        let worth = |level: f64| {
            let open = (steer.capacity_mbps - level).max(0.0);
            steer.above_cny_per_mbps * open * left(level).min(useful)
                - steer.level_cny_per_mbps * level
        };
        let candidates = REFERENCES
            .iter()
            .map(|by| (by * level).clamp(certain, steer.capacity_mbps.max(certain)))
            .filter(|mbps| *mbps >= level || left(*mbps) >= KEPT_SHARE * left(level));
        let reference = candidates
            .max_by(|a, b| worth(*a).total_cmp(&worth(*b)))
            .unwrap_or(level);
        let reserve = self.options.reserve_share * to_come * ledger.tokens(contract, now) as f64;
        (
            (left(reference) - reserve).max(0.0) * self.used_share,
            reference,
        )
    }

    #[expect(clippy::cast_precision_loss, reason = "slots of a day")]
    fn tokens_per_day(&self, ledger: &Ledger, contract: usize, now: Timestamp) -> f64 {
        if self.options.bursts {
            ledger.tokens(contract, now) as f64
                * (1.0 - self.options.reserve_share)
                * self.used_share
        } else {
            0.0
        }
    }

    /// Takes over a planned level, never below what is certain, and what of its free slots is for
    /// today.
    fn adopt(
        &mut self,
        ledger: &Ledger,
        (planned, index): (&Level, usize),
        budget: &Budget,
        day: usize,
        now: Timestamp,
    ) {
        let contract = planned.contract;
        let certain = ledger.certain_mbps(contract, now);
        let steer = &mut self.contracts[contract];
        steer.level_mbps = Some(budget.level_mbps[index].max(certain));
        steer.above_cny_per_mbps = budget.above_cny_per_mbps[index];
        steer.today = Pace {
            planned: budget.slots_by_day[index].get(day).copied().unwrap_or(0.0),
            spent: 0.0,
        };
    }
}
