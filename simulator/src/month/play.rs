//! One policy through one month: decide, let demand come, count.

use super::bill::Month;
use super::decide::Decider;
use super::policy::{MonthError, Policy};
use super::scenario::{SLOT_MS, SLOTS_PER_DAY, Scenario};
use super::tally::Tally;
use engine::billing::budget::{Budget, Outlook};
use engine::billing::{Ledger, SlotSample};
use std::time::Duration;

/// Slots between two plans that the independent checker measures again.
const CHECK_EVERY: usize = 97;

/// Plays a month. `progress` is told of every finished day.
///
/// # Errors
/// [`MonthError`] names the slot.
pub fn play(
    scenario: &Scenario,
    policy: Policy,
    foreseen: Option<&(Outlook<'_>, Budget)>,
    progress: &(dyn Fn(usize) + Sync),
) -> Result<Month, MonthError> {
    let mut ledger = Ledger::new(&scenario.inventory, Duration::from_millis(SLOT_MS));
    let mut decider = Decider::new(policy, scenario, &ledger, foreseen)?;
    let mut tally = Tally::new(scenario);
    for slot in 0..scenario.slots {
        let now = scenario.time(i64::try_from(slot).unwrap_or(0));
        ledger.advance(now);
        let decision = decider.decide(&ledger, slot)?;
        if slot % CHECK_EVERY == 0 && policy != Policy::Nearest {
            // The checker shares no code with the optimizer; a plan that it refuses ends the run.
            // Only the nearest-first policy may exceed capacities. The instance has the demand that
            // the last part was planned for.
            if let Some((_, plan)) = decision.parts.last() {
                checker::evaluate(decider.instance(), plan)
                    .map_err(|fault| MonthError::Slot { slot, fault })?;
            }
        }
        let carried = tally.count(scenario, slot, decider.instance(), decision);
        ledger.restore(
            carried
                .iter()
                .enumerate()
                .map(|(contract, mbps)| SlotSample {
                    contract,
                    slot: now,
                    mbps: *mbps,
                }),
        );
        decider.close(slot, &carried)?;
        if (slot + 1) % SLOTS_PER_DAY == 0 {
            progress(slot / SLOTS_PER_DAY + 1);
        }
    }
    Ok(tally.finish(scenario, policy, &ledger))
}
