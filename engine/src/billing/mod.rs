//! Billing: what contracts have counted so far, what that makes certain, and what the next slot
//! costs.
//!
//! ```text
//!   link samples -> ledger (slots per contract) -> certain floor, free slots left
//!                -> marginal price of the slot
//! ```
//! The [`Ledger`] keeps each contract's samples of the running month and the one before. From them
//! follows what will be paid whatever happens from now on: below that level a slot is free.

mod account;
pub mod budget;
mod contracts;
mod control;
mod deviation;
mod fault;
mod forecast;
mod ledger;
mod levels;
mod marginal;
mod order;
mod steer;

pub use crate::inventory::{OffsetError, Period, UtcOffset};
pub use account::{Statement, free_slots, gb_per_mbps_slot};
pub use contracts::{
    Bill, Bills, ContractState, Contracts, LevelsJob, LevelsOutcome, PlannedLevels, RefusedSamples,
};
pub use control::{ControlOptions, Controller, Verdict};
pub use fault::{Refused, SampleFault};
pub use forecast::{DemandFault, Forecast, Horizon, UsualDemand, merge};
pub use ledger::{Ledger, LinkPart, SlotSample};
pub use marginal::Marginal;

#[cfg(test)]
mod control_tests;
