//! Running bills: what each contract comes to so far, as the ledger has it.

use super::Contracts;
use crate::billing::{Period, Refused};
use coverage::Timestamp;
use instance::ContractModel;
use serde::Serialize;

/// Bill of one contract so far.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Bill {
    /// Name of the contract.
    #[serde(rename = "meter")]
    pub contract: String,
    /// Model by which it is charged.
    pub model: ContractModel,
    /// Start of the billing month in the contract's zone, ms since 1970.
    pub month_start: Timestamp,
    /// End of the billing month, ms since 1970.
    pub month_end: Timestamp,
    /// Slots that the month has.
    pub slots: u64,
    /// Slots of it that are over and have a sample.
    pub slots_closed: u64,
    /// Slots without one, after the first of the month that has one.
    pub slots_missing: u64,
    /// Slots before that one: nobody looked yet.
    pub slots_unseen: u64,
    /// Start of what sets the level, ms since 1970: the day for contracts by day, else the month.
    pub period_start: Timestamp,
    /// End of that period, ms since 1970.
    pub period_end: Timestamp,
    /// Level of that period if it ended now, Mbps: 95th percentile or peak of its samples; `None`
    /// where there are none, or no level is charged.
    pub so_far_mbps: Option<f64>,
    /// Level that the month is charged whatever follows, the commitment included, Mbps; 0 for
    /// contracts by volume.
    pub certain_mbps: f64,
    /// Cost of the month whatever follows, CNY.
    pub certain_cny: f64,
    /// Level that the period is planned to be charged, Mbps; `None` while nothing is planned.
    pub planned_mbps: Option<f64>,
    /// Slots that the period forgives.
    pub burst_slots: u64,
    /// Of them, how many may still go above the planned level, or above the certain one where
    /// nothing is planned; missing slots count as spent.
    pub burst_slots_left: u64,
}

/// Bills of all contracts at one moment, and the samples that they are not made of.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Bills {
    /// Time, ms since 1970.
    pub at: Timestamp,
    /// Bill of each contract, in the order of the inventory.
    #[serde(rename = "meters")]
    pub contracts: Vec<Bill>,
    /// Samples that the ledger did not count since the start.
    pub refused: RefusedSamples,
}

/// Samples that the ledger did not count since the start, by reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RefusedSamples {
    /// No traffic, or of nothing known.
    pub malformed: u64,
    /// Too late for their slot.
    pub late: u64,
    /// Ahead of the clock.
    pub ahead: u64,
    /// The latest of them in words, oldest first, at most 16.
    pub recent: Vec<String>,
}

impl RefusedSamples {
    fn of(refused: &Refused) -> Self {
        Self {
            malformed: refused.malformed,
            late: refused.late,
            ahead: refused.ahead,
            recent: refused.recent.iter().map(ToString::to_string).collect(),
        }
    }
}

impl Contracts {
    /// Returns what every contract comes to as of `now`.
    #[must_use]
    pub fn bills(&self, now: Timestamp) -> Bills {
        Bills {
            at: now,
            contracts: (0..self.ledger.contracts())
                .map(|contract| self.bill(contract, now))
                .collect(),
            refused: RefusedSamples::of(self.ledger.refused()),
        }
    }

    fn bill(&self, contract: usize, now: Timestamp) -> Bill {
        let terms = self.ledger.terms(contract);
        let statement = self.ledger.statement(contract, now, now);
        let Period { start, end } = self.ledger.level_period(contract, now);
        let planned_mbps = self.control.as_ref().and_then(|c| c.level_mbps(contract));
        let level_mbps = planned_mbps.unwrap_or_else(|| self.ledger.certain_mbps(contract, now));
        Bill {
            contract: terms.name.clone(),
            model: terms.model,
            month_start: statement.month.start,
            month_end: statement.month.end,
            slots: statement.slots,
            slots_closed: statement.known,
            slots_missing: statement.gaps,
            slots_unseen: statement.unseen,
            period_start: start,
            period_end: end,
            so_far_mbps: self.ledger.so_far_mbps(contract, now),
            certain_mbps: statement.level_mbps,
            certain_cny: statement.certain_cny,
            planned_mbps,
            burst_slots: self.ledger.tokens(contract, now),
            burst_slots_left: self.ledger.tokens_left(contract, level_mbps, now),
        }
    }
}
