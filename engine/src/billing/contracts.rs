//! Contracts at work: slots opened, judged and closed by the clock, levels planned by the day.
//!
//! Without a planned level a contract costs what the ledger expects, and everything goes on: a
//! month without history, a contract without links, a plan that fails, a clock that jumps are all
//! no more than that.

mod bare;
mod bills;
mod levels;
mod usual;

pub use bills::{Bill, Bills, RefusedSamples};
pub use levels::{LevelsJob, LevelsOutcome, PlannedLevels};

use self::bare::bare;
use super::{
    ControlOptions, Controller, Forecast, Ledger, LinkPart, Marginal, SampleFault, SlotSample,
    UtcOffset, Verdict,
};
use crate::inventory::Inventory;
use coverage::{LinkId, Timestamp};
use instance::{Instance, Plan};
use optimizer::{Loads, Problem};
use serde::Serialize;
use std::time::Duration;

/// Part of a slot after which its rest is decided again with what was measured by then.
const REOPENED_AFTER: f64 = 0.4;
/// A slot that is left by more than this many slots was not seen to its end: nothing is learnt from
/// it.
const SLOTS_MISSED_MAX: u64 = 1;

/// State of a contract.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ContractState {
    /// Name.
    pub name: String,
    /// Level that is charged whatever follows, Mbps.
    pub certain_mbps: f64,
    /// Level that it is planned to be charged, Mbps; `None` while nothing was planned.
    pub level_mbps: Option<f64>,
    /// Free slots left above that level; `None` as long as there is none.
    pub tokens: Option<u64>,
    /// True when the slot under way is one of them.
    pub bursting: bool,
}

/// The slot under way.
#[derive(Debug)]
struct Slot {
    start: Timestamp,
    /// True when the next plan is to be judged.
    deciding: bool,
    reopened: bool,
}

/// Ledger, forecast, and the contracts that may go above their levels.
#[derive(Debug)]
pub struct Contracts {
    ledger: Ledger,
    forecast: Forecast,
    zone: UtcOffset,
    control: Option<Controller>,
    /// Links and contracts without demand.
    bare: Instance,
    /// [link] -> contract.
    contract_of: Vec<usize>,
    slot: Option<Slot>,
    /// Start of the day that levels were planned for, or tried to.
    planned_day: Option<Timestamp>,
    /// Time at which the levels in force were planned.
    planned_at: Option<Timestamp>,
    /// Time at which levels could last not be planned; `None` once they were.
    levels_failed_at: Option<Timestamp>,
    /// Prices of the levels in force, for the store.
    kept: Vec<levels::Kept>,
    /// True when these, or what was spent since, are still to be kept.
    pub(crate) unkept: bool,
    /// Reason why levels are not planned; empty when they are.
    fault: String,
}

impl Contracts {
    pub(crate) fn new(
        inventory: &Inventory,
        units: usize,
        (slot, options): (Duration, ControlOptions),
        samples: Vec<SlotSample>,
    ) -> Self {
        let mut ledger = Ledger::new(inventory, slot);
        ledger.restore(samples);
        // Days are those of the first contract: demand has one clock, and contracts of other zones
        // differ by hours.
        let zone = inventory
            .contracts
            .first()
            .map_or(UtcOffset::UTC, |contract| contract.utc_offset);
        let bare = bare(inventory);
        let control = Controller::new(&ledger, &bare, options);
        Self {
            forecast: Forecast::new(units, zone, ledger.slot_ms()),
            zone,
            fault: control
                .as_ref()
                .err()
                .map(ToString::to_string)
                .unwrap_or_default(),
            control: control.ok(),
            bare,
            contract_of: inventory.links.iter().map(|link| link.contract).collect(),
            ledger,
            slot: None,
            planned_day: None,
            planned_at: None,
            levels_failed_at: None,
            kept: Vec::new(),
            unkept: false,
        }
    }

    /// Returns what one more Mbps through a contract costs in the slot that holds `now`.
    pub(crate) fn marginal(&self, contract: usize, now: Timestamp) -> Marginal {
        match &self.control {
            Some(control) if self.slot.is_some() => control.marginal(&self.ledger, contract, now),
            _ => self.ledger.marginal(contract, now),
        }
    }

    /// Tells how contracts stand at `now`.
    #[must_use]
    pub fn states(&self, now: Timestamp) -> Vec<ContractState> {
        let state = |contract: usize| {
            let level_mbps = self.control.as_ref().and_then(|c| c.level_mbps(contract));
            ContractState {
                name: self.ledger.terms(contract).name.clone(),
                certain_mbps: self.ledger.certain_mbps(contract, now),
                level_mbps,
                tokens: level_mbps.map(|level| self.ledger.tokens_left(contract, level, now)),
                bursting: self
                    .control
                    .as_ref()
                    .is_some_and(|c| c.is_bursting(contract)),
            }
        };
        (0..self.ledger.contracts()).map(state).collect()
    }

    /// Returns what links carried, slot by slot.
    #[must_use]
    pub const fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Takes back slots that were under way at a restart, and what links had said of those that
    /// were open.
    pub(crate) fn resume_ledger(&mut self, under_way: Vec<SlotSample>, parts: Vec<LinkPart>) {
        self.ledger.resume(under_way, parts);
    }

    /// Tells why levels are not planned; empty when they are.
    #[must_use]
    pub fn fault(&self) -> &str {
        &self.fault
    }

    /// Counts what a link carries.
    ///
    /// # Errors
    /// [`SampleFault`], as the ledger has it.
    pub(crate) fn count(
        &mut self,
        inventory: &Inventory,
        (link, mbps): (LinkId, f64),
        at: Timestamp,
    ) -> Result<Vec<SlotSample>, SampleFault> {
        self.ledger.count(inventory, link.index(), mbps, at)
    }

    /// Tells whether the slot under way is over at `now`.
    pub(crate) fn ends(&self, now: Timestamp) -> bool {
        let start = self.start_of(now);
        self.slot.as_ref().is_some_and(|slot| slot.start != start)
    }

    /// Start of the slot that holds `now`.
    fn start_of(&self, now: Timestamp) -> Timestamp {
        Timestamp(now.0 - now.0 % self.ledger.slot_ms().max(1))
    }

    /// Tells whether the slot under way is to be taken up again at `now`.
    pub(crate) fn reopens(&self, now: Timestamp) -> bool {
        let length_ms = self.ledger.slot_ms();
        self.slot.as_ref().is_some_and(|slot| {
            let passed = share_passed(now.since(slot.start), length_ms);
            !slot.reopened && !slot.deciding && (REOPENED_AFTER..1.0).contains(&passed)
        })
    }

    /// Goes on to `now`: at the end of a slot it is closed and the next one begins. `demand_mbps`
    /// is the demand of all units, `None` when it is not known well enough to learn from;
    /// `map_mbps` is what the map in force puts on each link, empty when that is not known.
    pub(crate) fn advance(
        &mut self,
        now: Timestamp,
        demand_mbps: Option<&[f64]>,
        map_mbps: &[f64],
    ) {
        self.ledger.advance(now);
        let start = self.start_of(now);
        if let Some(ended) = self.slot.take_if(|slot| slot.start != start) {
            let gone = start.0.saturating_sub(ended.start.0) / self.ledger.slot_ms().max(1);
            // A clock that went back, or far ahead, leaves a slot of which too little is known.
            if start > ended.start && gone <= SLOTS_MISSED_MAX {
                self.close(&ended, demand_mbps, map_mbps);
            }
        }
        if self.slot.is_none() {
            self.open(start, now);
        }
    }

    fn close(&mut self, ended: &Slot, demand_mbps: Option<&[f64]>, map_mbps: &[f64]) {
        let carried = self.carried_mbps(ended.start, map_mbps);
        if let Some(control) = &mut self.control {
            self.unkept |= control.close(&carried);
        }
        if let Some(demand) = demand_mbps
            && let Err(fault) = self.forecast.observe(ended.start, demand)
        {
            self.fault = fault.to_string();
        }
    }

    fn open(&mut self, start: Timestamp, now: Timestamp) {
        if let Some(control) = &mut self.control {
            control.open(&self.ledger, now);
        }
        self.slot = Some(Slot {
            start,
            deciding: !self.kept.is_empty(),
            reopened: false,
        });
    }

    /// [contract]: mean of a slot so far, Mbps. A link that is silent in it is taken for what it
    /// carried last, as the ledger does for a while, and then for what the map puts on it: silence
    /// spends free slots like traffic.
    pub(crate) fn carried_mbps(&self, slot: Timestamp, map_mbps: &[f64]) -> Vec<f64> {
        let by_map = |link: usize| map_mbps.get(link).copied().unwrap_or(0.0);
        let carried = |link| {
            self.ledger
                .link_mbps(link, slot)
                .unwrap_or_else(|| by_map(link))
        };
        self.by_contract((0..self.contract_of.len()).map(carried))
    }

    /// [contract]: what its links have together.
    fn by_contract(&self, link_mbps: impl Iterator<Item = f64>) -> Vec<f64> {
        let mut sums = vec![0.0; self.ledger.contracts()];
        for (contract, mbps) in self.contract_of.iter().zip(link_mbps) {
            sums[*contract] += mbps;
        }
        sums
    }

    /// Judges a plan for the slot under way: whether it is to be solved again, at other prices.
    pub(crate) fn asks_again(&mut self, problem: &Problem<'_>, plan: &Plan) -> bool {
        let loads = Loads::of(problem, &plan.shares).contracts;
        let (Some(control), Some(slot)) = (&mut self.control, &mut self.slot) else {
            return false;
        };
        if !slot.deciding {
            return false;
        }
        slot.deciding = control.judge(&loads) == Verdict::AskAgain;
        slot.deciding
    }

    /// Takes the slot up again, once, when enough of it has passed to know how it goes: what the
    /// map puts on links is held against what was carried, and where that would end above a level,
    /// the next plan is judged again.
    pub(crate) fn reopen(&mut self, map_mbps: &[f64], now: Timestamp) {
        if map_mbps.is_empty() || !self.reopens(now) {
            return;
        }
        let Some(mut slot) = self.slot.take() else {
            return;
        };
        slot.reopened = true;
        let passed = share_passed(now.since(slot.start), self.ledger.slot_ms());
        let expected = self.by_contract(map_mbps.iter().copied());
        let carried = self.carried_mbps(slot.start, map_mbps);
        if let Some(control) = &mut self.control {
            slot.deciding = control.reopen(passed, &carried, &expected) == Verdict::AskAgain;
        }
        self.slot = Some(slot);
    }
}

/// Share of a slot that has passed, 0..=1.
fn share_passed(passed: Duration, length_ms: u64) -> f64 {
    let length = Duration::from_millis(length_ms.max(1));
    (passed.as_secs_f64() / length.as_secs_f64()).min(1.0)
}
