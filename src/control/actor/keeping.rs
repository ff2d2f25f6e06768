//! State that the actor learns and keeps over a restart: billing slots with what their links said,
//! those that the store refused, usual demand, levels and prices.

use super::{Actor, LEVELS_FLAG, PRICES_FLAG};
use crate::store::LedgerRow;
use coverage::Timestamp;
use engine::billing::{LinkPart, SlotSample};
use serde_json::json;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Most slots that wait for a store that refuses them.
const UNSTORED_MAX: usize = 100_000;
/// Time between two tries of a store that refuses, so that nobody else waits for it.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// State that is still to be stored.
#[derive(Default)]
pub(super) struct Unstored {
    /// (meter, slot) -> Mbps.
    slots: BTreeMap<(usize, Timestamp), f64>,
    /// Time at which the store refused them last.
    refused: Option<Instant>,
    /// True when the prices that there are now are stored.
    prices_kept: bool,
}

impl Unstored {
    /// Lets the next try be at once.
    pub(super) fn try_again(&mut self) {
        self.refused = None;
    }

    /// Tells whether there is something to be stored, and now is a time to try it.
    fn is_due(&self) -> bool {
        let waits = self.refused.is_some_and(|at| at.elapsed() < AGAIN_AFTER);
        !self.slots.is_empty() && !waits
    }
}

impl Actor {
    /// Stores billing slots, and those that the store refused before.
    pub(super) fn keep_ledger(&mut self, samples: &[SlotSample]) {
        // Of a slot that changed many times the last state counts.
        let changed = samples
            .iter()
            .map(|sample| ((sample.contract, sample.slot), sample.mbps));
        self.unstored.slots.extend(changed);
        if self.unstored.is_due() {
            let slots = self.unstored.slots.iter();
            let rows: Vec<LedgerRow> = slots
                .map(|(&(meter, slot), &mbps)| self.ledger_row(meter, slot, mbps))
                .collect();
            let span = self.engine.contracts().ledger().open_span();
            match self.store.put_ledger(&rows, span) {
                Ok(()) => {
                    self.unstored.slots.clear();
                    self.unstored.refused = None;
                }
                Err(fault) => {
                    tracing::warn!(%fault, "billing slots are not stored; a restart now would forget them");
                    self.unstored.refused = Some(Instant::now());
                }
            }
        }
        while self.unstored.slots.len() > UNSTORED_MAX {
            self.unstored.slots.pop_first();
        }
    }

    /// Keeps what was learnt of demand over a restart.
    pub(super) fn keep_demand(&mut self) {
        let Some(usual) = self.engine.take_learnt_demand() else {
            return;
        };
        let units = self.engine.demand_digest();
        if let Err(fault) = self.store.put_demand(&units, &usual) {
            tracing::warn!(%fault, "what is usually asked for is not stored; after a restart it is learnt anew");
        }
    }

    /// Keeps the levels of contracts, and what was spent above them, over a restart.
    pub(super) fn keep_levels(&mut self) {
        let Some(levels) = self.engine.take_levels() else {
            return;
        };
        if let Err(fault) = self.store.set_flag(LEVELS_FLAG, Some(&levels)) {
            tracing::warn!(%fault, "planned levels are not stored; it is tried again");
            self.engine.levels_not_kept();
        }
    }

    /// Keeps the prices of contracts, once they are believed: the next start compares its own with
    /// them.
    pub(super) fn keep_prices(&mut self) {
        if self.unstored.prices_kept {
            return;
        }
        let Some(prices) = self.engine.believed_prices() else {
            return;
        };
        let stored = self
            .store
            .set_flag(PRICES_FLAG, Some(&json!(prices).to_string()));
        self.unstored.prices_kept = stored
            .inspect_err(|fault| tracing::warn!(%fault, "prices are not stored; it is tried again"))
            .is_ok();
    }

    /// A slot as it is now as long as it is open, else as it was.
    fn ledger_row(&self, meter: usize, slot: Timestamp, mbps: f64) -> LedgerRow {
        let (inventory, ledger) = (self.engine.inventory(), self.engine.contracts().ledger());
        let named = |part: LinkPart| {
            let name = inventory.links[part.link].name.clone();
            (name, (part.mbps_sum, part.samples))
        };
        LedgerRow {
            meter: inventory.contracts[meter].name.clone(),
            slot,
            mbps: ledger.open_mbps(meter, slot).unwrap_or(mbps),
            parts: ledger.parts(meter, slot).map(named).collect(),
        }
    }
}
