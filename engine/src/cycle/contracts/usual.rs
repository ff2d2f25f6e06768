//! What is usually asked for, kept over restarts.

use crate::billing::UsualDemand;
use crate::cycle::Engine;
use coverage::{Digest, Timestamp};
use sha2::{Digest as _, Sha256};

impl super::Contracts {
    /// What is usual at a time, `[unit]` Mbps; `None` where that is not known.
    pub(in crate::cycle) fn usual_mbps(&self, at: Timestamp) -> Option<&[f64]> {
        self.forecast.usual_mbps(at)
    }
}

impl Engine {
    /// What [`UsualDemand`] is counted by: SHA-256 over the names of services and areas in their
    /// order, and the clock of demand, as lower-case hex. Demand that was learnt under another
    /// digest is that of others.
    #[must_use]
    pub fn demand_digest(&self) -> String {
        let services = self.inventory.services.iter();
        let areas = self.table.areas().iter();
        let counts = [services.len(), areas.len()].map(|count| count as u64);
        let zone = self.contracts.zone.to_string();
        let names = services
            .map(|service| service.served.name.as_str())
            .chain(areas.map(|area| &*area.name));
        let mut hash = Sha256::new();
        for count in counts {
            hash.update(count.to_le_bytes());
        }
        for name in names.chain([zone.as_str()]) {
            hash.update((name.len() as u64).to_le_bytes());
            hash.update(name.as_bytes());
        }
        Digest(hash.finalize().into()).to_string()
    }

    /// What was learnt of demand since the last call, to be kept; once in half an hour.
    pub fn take_learnt_demand(&mut self) -> Option<UsualDemand> {
        self.contracts.forecast.take_learnt()
    }

    /// Takes back what [`Self::take_learnt_demand`] gave before a restart, under the same
    /// [`Self::demand_digest`]. Returns how many bins were of use.
    pub fn restore_demand(&mut self, known: Vec<UsualDemand>) -> usize {
        self.contracts.forecast.restore(known)
    }
}
