//! Cost of the month for somebody who knew it: levels from the demand that came, and a
//! certified bound.

use super::policy::MonthError;
use super::scenario::{SLOTS_PER_DAY, Scenario};
use engine::billing::budget::{Budget, BudgetOptions, Level, Outlook};
use engine::billing::{Ledger, free_slots, merge};
use instance::ContractModel;
use std::time::Duration;

/// Cost of one unserved Mbps in one slot when levels are planned, CNY.
const UNSERVED_CNY_PER_MBPS: f64 = 0.5;

/// The whole month as one program, with every slot's true demand merged into scenes day by day.
///
/// The bound holds for every plan that keeps watermarks and serves everything, whatever it knew:
/// merging slots, sharing tokens by volume and forgetting outages can only make the program
/// cheaper.
///
/// # Errors
/// [`MonthError::Budget`].
pub fn offline<'a>(
    scenario: &'a Scenario,
    token_share: f64,
    options: &BudgetOptions,
) -> Result<(Outlook<'a>, Budget), MonthError> {
    let days = scenario.slots / SLOTS_PER_DAY;
    let mut scenes = Vec::new();
    for day in 0..days {
        let demands: Vec<Vec<f64>> = (day * SLOTS_PER_DAY..(day + 1) * SLOTS_PER_DAY)
            .map(|slot| scenario.demand_mbps(slot).to_vec())
            .collect();
        scenes.extend(merge(&demands, 1.0, day));
    }
    let ledger = Ledger::new(
        &scenario.inventory,
        Duration::from_millis(super::scenario::SLOT_MS),
    );
    let mut volume = vec![0.0; scenario.inventory.contracts.len()];
    let mut levels = Vec::new();
    #[expect(clippy::cast_precision_loss, reason = "slots and days of a month")]
    let real = |n: u64| n as f64;
    let month = ledger.statement(0, scenario.start, scenario.start);
    for (contract, terms) in scenario.inventory.contracts.iter().enumerate() {
        let links = scenario
            .instance
            .links
            .iter()
            .filter(|link| link.contract == terms.name);
        let max_mbps = links
            .map(|link| link.watermark_mbps().min(link.capacity_mbps))
            .sum();
        let level = |day: Option<usize>, price: f64, tokens: u64| Level {
            contract,
            day,
            price_cny_per_mbps: price,
            min_mbps: terms.commit_mbps,
            max_mbps,
            tokens: real(tokens) * token_share,
        };
        let price = terms.price_cny_per_mbps_month;
        let daily = price / real(month.month.days());
        let of_days = |tokens: u64| (0..days).map(move |day| (day, tokens));
        match terms.model {
            ContractModel::Flat => {}
            ContractModel::PerGb => {
                volume[contract] = ledger.marginal(contract, scenario.start).price_cny_per_mbps
            }
            ContractModel::Month95 => levels.push(level(None, price, free_slots(month.slots))),
            ContractModel::DailyPeakMean => {
                levels.extend(of_days(0).map(|(day, tokens)| level(Some(day), daily, tokens)))
            }
            ContractModel::Daily95Mean => {
                levels.extend(
                    of_days(free_slots(SLOTS_PER_DAY as u64))
                        .map(|(day, tokens)| level(Some(day), daily, tokens)),
                );
            }
        }
    }
    let outlook = Outlook {
        instance: &scenario.instance,
        scenes,
        volume_cny_per_mbps: volume,
        levels,
        unserved_cny_per_mbps: UNSERVED_CNY_PER_MBPS,
    };
    let budget = outlook.plan(options)?;
    Ok((outlook, budget))
}

/// Returns what contracts cost that nobody can change: ports paid as a whole, and days that are not
/// played.
#[must_use]
pub fn fixed_cny(scenario: &Scenario) -> f64 {
    let ledger = Ledger::new(
        &scenario.inventory,
        Duration::from_millis(super::scenario::SLOT_MS),
    );
    let of_contract = |(contract, terms): (usize, &engine::inventory::Contract)| {
        let statement = ledger.statement(contract, scenario.start, scenario.start);
        #[expect(clippy::cast_precision_loss, reason = "days of a month")]
        let left_out = (statement.month.days() as f64 - (scenario.slots / SLOTS_PER_DAY) as f64)
            / statement.month.days() as f64;
        match terms.model {
            ContractModel::Flat => statement.certain_cny,
            ContractModel::DailyPeakMean | ContractModel::Daily95Mean => {
                statement.certain_cny * left_out
            }
            ContractModel::Month95 | ContractModel::PerGb => 0.0,
        }
    };
    scenario
        .inventory
        .contracts
        .iter()
        .enumerate()
        .map(of_contract)
        .sum()
}
