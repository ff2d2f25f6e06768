//! Running bills.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Bills of all contracts so far, and the samples that are not in them.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Bills {
    /// Time of the figures.
    pub at: u64,
    /// One per contract, in the order of the inventory.
    pub meters: Vec<Bill>,
    /// Samples that the ledger did not count since the start.
    pub refused: RefusedSamples,
}

/// Bill of one contract so far.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Bill {
    /// Name of the contract.
    pub meter: String,
    /// `month-95`, `daily-peak-mean`, `daily-95-mean`, `flat` or `per-gb`.
    pub model: String,
    /// Start of the billing month in the contract's zone.
    pub month_start: u64,
    /// End of the month.
    pub month_end: u64,
    /// Slots that the month has.
    pub slots: u64,
    /// Slots of it that are over and have a sample.
    pub slots_closed: u64,
    /// Slots without one, after the first of the month that has one.
    pub slots_missing: u64,
    /// Slots before that one: nobody looked yet.
    pub slots_unseen: u64,
    /// Start of what sets the level: the day for contracts by day, else the month.
    pub period_start: u64,
    /// End of the period.
    pub period_end: u64,
    /// Level of that period if it ended now, Mbps: 95th percentile or peak of its samples; null
    /// where there are none, or no level is charged.
    pub so_far_mbps: Option<f64>,
    /// Level that the month is charged whatever follows, the commitment included, Mbps; 0 for
    /// contracts by volume.
    pub certain_mbps: f64,
    /// Money that the month costs whatever follows, CNY.
    pub certain_cny: f64,
    /// Level that the period is planned to be charged, Mbps; null while nothing is planned.
    pub planned_mbps: Option<f64>,
    /// Slots that the period forgives.
    pub burst_slots: u64,
    /// Of them, how many may still go above the planned level, or above the certain one where
    /// nothing is planned; missing slots count as spent.
    pub burst_slots_left: u64,
}

/// Samples that the ledger did not count since the start, by reason.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
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
