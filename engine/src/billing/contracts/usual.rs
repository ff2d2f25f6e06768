//! Demand that is usual, kept over restarts.

use crate::billing::{UsualDemand, UtcOffset};
use coverage::Timestamp;

impl super::Contracts {
    /// Demand that is usual at a time, `[unit]` Mbps; `None` where that is not known.
    pub(crate) fn usual_mbps(&self, at: Timestamp) -> Option<&[f64]> {
        self.forecast.usual_mbps(at)
    }

    /// Zone of the days that demand is learnt by.
    pub(crate) const fn zone(&self) -> UtcOffset {
        self.zone
    }

    /// Demand learnt since the last call, to be kept; once in half an hour.
    pub(crate) fn take_learnt_demand(&mut self) -> Option<UsualDemand> {
        self.forecast.take_learnt()
    }

    /// Takes back demand learnt before a restart. Returns the number of bins that were of use.
    pub(crate) fn restore_demand(&mut self, known: Vec<UsualDemand>) -> usize {
        self.forecast.restore(known)
    }
}
