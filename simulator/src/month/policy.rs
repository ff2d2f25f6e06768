//! Policies that a month compares: who decides where traffic goes, slot by slot.

use checker::CheckFailure;
use engine::billing::budget::BudgetError;

/// A way to run a month.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Policy {
    /// Everyone to the best quality, whatever fits.
    Nearest,
    /// Candidates by quality, each filled to 80 %.
    Rank,
    /// Stable allocation: links keep whom they serve best.
    Stable,
    /// The optimizer with latency alone.
    Latency,
    /// The optimizer with every contract's average price: the cheapest are filled first.
    Cheapest,
    /// The optimizer with a price for each slot above what is certain, unplanned.
    Unplanned,
    /// The optimizer with levels planned to hold in every slot: no free slot is used, neither on
    /// purpose nor for noise.
    NoBurst,
    /// The optimizer with a common share of all capacities as level, and free slots where that does
    /// not suffice.
    CommonShare,
    /// The optimizer with the controller of levels and free slots.
    Controlled,
    /// The same controller with levels from the demand that really came.
    Foreseen,
}

impl Policy {
    /// All of them, in the order of reports.
    pub const ALL: [Self; 10] = [
        Self::Nearest,
        Self::Rank,
        Self::Stable,
        Self::Latency,
        Self::Cheapest,
        Self::Unplanned,
        Self::NoBurst,
        Self::CommonShare,
        Self::Controlled,
        Self::Foreseen,
    ];

    /// Short word for it in files, for programs.
    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Self::Nearest => "nearest",
            Self::Rank => "rank-watermark",
            Self::Stable => "stable-allocation",
            Self::Latency => "optimizer-latency",
            Self::Cheapest => "optimizer-cheapest",
            Self::Unplanned => "optimizer-unplanned",
            Self::NoBurst => "optimizer-no-burst",
            Self::CommonShare => "cascara-like",
            Self::Controlled => "controller",
            Self::Foreseen => "controller-future-known",
        }
    }

    /// Name in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Nearest => "nearest",
            Self::Rank => "rank + watermark",
            Self::Stable => "stable allocation",
            Self::Latency => "optimizer, latency only",
            Self::Cheapest => "optimizer, cheapest first",
            Self::CommonShare => "CASCARA-like",
            Self::Unplanned => "optimizer, unplanned",
            Self::NoBurst => "optimizer, no burst",
            Self::Controlled => "optimizer + controller",
            Self::Foreseen => "controller, future known",
        }
    }
}

/// Reason why a month could not be played.
#[derive(Debug, thiserror::Error)]
pub enum MonthError {
    /// Levels could not be planned.
    #[error("levels: {0}")]
    Budget(#[from] BudgetError),
    /// A baseline refused the instance.
    #[error("slot {slot}: {fault}")]
    Slot {
        /// Slot of the month.
        slot: usize,
        /// Reason.
        fault: CheckFailure,
    },
    /// An instance that the optimizer cannot read.
    #[error("slot {slot}: {fault}")]
    Instance {
        /// Slot of the month.
        slot: usize,
        /// Reason.
        fault: instance::InstanceError,
    },
    /// Demand that is none.
    #[error("slot {slot}: {fault}")]
    Demand {
        /// Slot, negative before the month.
        slot: i64,
        /// Reason.
        fault: engine::billing::DemandFault,
    },
}
