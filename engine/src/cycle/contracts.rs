//! The engine's part in billing: its clock, its levels, and what is learnt of demand.

use super::Engine;
use crate::billing::{
    Contracts, LevelsJob, LevelsOutcome, LinkPart, PlannedLevels, SlotSample, UsualDemand,
};
use crate::health::Health;
use crate::limits::Limits;
use coverage::{Digest, Timestamp};
use optimizer::{Loads, Problem};
use sha2::{Digest as _, Sha256};

impl Engine {
    /// Billing as it stands.
    #[must_use]
    pub const fn contracts(&self) -> &Contracts {
        &self.known.contracts
    }

    /// Billing slots that are under way, with their means so far; to be kept now and then, so that
    /// a restart loses little.
    #[must_use]
    pub fn slots_under_way(&self) -> Vec<SlotSample> {
        self.known.contracts.ledger().under_way().collect()
    }

    /// Takes back slots that were under way at a restart, and what links had said of those that
    /// were open.
    pub fn resume_ledger(&mut self, under_way: Vec<SlotSample>, parts: Vec<LinkPart>) {
        self.known.contracts.resume_ledger(under_way, parts);
    }

    /// Lets the clock of billing go on to `now`.
    pub(super) fn advance_contracts(&mut self, now: Timestamp) {
        let ends = self.known.contracts.ends(now);
        // What is too old to plan from is too old to learn from.
        let fresh =
            || self.known.estimates.demand_freshness(now).known > 0 && self.frozen(now).is_none();
        let demand = (ends && fresh()).then(|| {
            let health = self.known.health(now);
            self.known.facts(&health, None).demands_mbps()
        });
        let map = (ends || self.known.contracts.reopens(now)).then(|| self.map_mbps());
        let map_mbps = map.flatten().unwrap_or_default();
        let contracts = &mut self.known.contracts;
        contracts.advance(now, demand.as_deref(), &map_mbps);
        contracts.reopen(&map_mbps, now);
    }

    /// `[link]` -> Mbps that the map in force puts on it, as of the last solve; `None` before the
    /// first.
    fn map_mbps(&self) -> Option<Vec<f64>> {
        let (last, in_force) = self.last.as_ref().zip(self.in_force.plan.as_ref())?;
        let same_units = last.instance.units.len() == in_force.shares.len();
        same_units.then(|| Loads::of(&Problem::new(&last.instance), &in_force.shares).links)
    }

    /// Levels to be planned at `now`: once a day, as soon as a day was seen. It takes seconds; run
    /// it where there is time.
    pub fn levels_job(&mut self, now: Timestamp) -> Option<LevelsJob> {
        let known = &mut self.known;
        if !known.contracts.wants_levels(now) {
            return None;
        }
        // What is out today is not out for the month.
        let health = Health::all_well(&known.inventory);
        let instance = known.facts(&health, None).instance(&Limits::default(), now);
        let options = known.options.billing.budget;
        known.contracts.levels_job(now, options, instance)
    }

    /// Acts on planned levels at `now`. A plan that failed or was given up leaves those of before,
    /// and is tried again ten minutes later.
    pub fn adopt_levels(&mut self, planned: PlannedLevels, now: Timestamp) -> LevelsOutcome {
        self.known.contracts.adopt_levels(planned, now)
    }

    /// Notes at `now` that levels could not be planned, and why.
    pub fn fail_levels(&mut self, why: String, now: Timestamp) -> LevelsOutcome {
        self.known.contracts.fail_levels(why, now)
    }

    /// Levels in force and what was spent of the day's free slots, as text to be kept over a
    /// restart; `None` when nothing of it has changed since the last call.
    pub fn take_levels(&mut self) -> Option<String> {
        self.known.contracts.take_levels()
    }

    /// Takes back levels that were kept, if they belong to the month that holds `now`. Returns
    /// whether they do.
    pub fn restore_levels(&mut self, text: &str, now: Timestamp) -> bool {
        self.known.contracts.restore_levels(text, now)
    }

    /// Gives [`Self::take_levels`] again next time: it could not be kept.
    pub const fn levels_not_kept(&mut self) {
        self.known.contracts.unkept = true;
    }

    /// Returns what [`UsualDemand`] is counted by: SHA-256 over the names of services and areas in
    /// their order, and the clock of demand, as lower-case hex. Demand that was learnt under
    /// another digest is that of others.
    #[must_use]
    pub fn demand_digest(&self) -> String {
        let services = self.known.inventory.services.iter();
        let areas = self.known.table.areas().iter();
        let counts = [services.len(), areas.len()].map(|count| count as u64);
        let zone = self.known.contracts.zone().to_string();
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

    /// Returns what was learnt of demand since the last call, to be kept; once in half an hour.
    pub fn take_learnt_demand(&mut self) -> Option<UsualDemand> {
        self.known.contracts.take_learnt_demand()
    }

    /// Takes back what [`Self::take_learnt_demand`] gave before a restart, under the same
    /// [`Self::demand_digest`]. Returns how many bins were of use.
    pub fn restore_demand(&mut self, known: Vec<UsualDemand>) -> usize {
        self.known.contracts.restore_demand(known)
    }
}
