//! The ledger: link samples become slot samples of contracts, in whatever order they arrive.
//!
//! A slot stays open to late samples for [`LATE_MAX_SLOTS`]. A link of a contract that is silent
//! while others speak is taken for what it carried last, for a while: silence is not zero traffic.
//! What is refused is counted and named; a clock that jumps makes samples be refused until it is
//! right again, and takes nothing away that was known. What links said of slots that are still open
//! outlives a restart beside what contracts carried; where it does not, what comes later counts
//! where it is more than that.

use super::Marginal;
use super::account::{Account, Statement};
use super::fault::{Refused, SampleFault};
use crate::inventory::calendar::Period;
use crate::inventory::{Contract, Inventory};
use coverage::Timestamp;
use std::collections::BTreeMap;
use std::time::Duration;

/// Slots after its end that a slot still takes samples.
const LATE_MAX_SLOTS: u64 = 12;
/// Slots that a sample may lie ahead of the clock.
const AHEAD_MAX_SLOTS: u64 = 2;
/// Slots that a silent link is taken for what it carried last.
const CARRIED_MAX_SLOTS: u64 = 3;
/// Most slots of a contract that take samples at a time, whatever the clock says.
const OPEN_MAX: usize = 64;
/// Difference two sums of the same parts may have, relative to them.
const ROUNDING: f64 = 1e-9;

/// Sample of one slot of one contract.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SlotSample {
    /// Index of the contract.
    pub contract: usize,
    /// Start of the slot, a multiple of the slot length.
    pub slot: Timestamp,
    /// Mean traffic of the slot, Mbps.
    pub mbps: f64,
}

/// Part of one link in a slot that still takes samples.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LinkPart {
    /// Index of the link.
    pub link: usize,
    /// Start of the slot.
    pub slot: Timestamp,
    /// Sum of its samples, Mbps.
    pub mbps_sum: f64,
    /// Number of them.
    pub samples: u32,
}

/// Slot samples of the running month and the one before, per contract.
///
/// ```
/// use coverage::Timestamp;
/// use engine::billing::{Ledger, SlotSample, UtcOffset};
/// use engine::inventory::{Contract, Inventory};
/// use std::time::Duration;
///
/// let mut inventory = Inventory::default();
/// inventory.contracts.push(Contract {
///     name: "ct".into(),
///     model: instance::ContractModel::Month95,
///     price_cny_per_mbps_month: 30.0,
///     price_cny_per_gb: 0.0,
///     commit_mbps: 10.0,
///     utc_offset: UtcOffset::UTC,
/// });
/// let mut ledger = Ledger::new(&inventory, Duration::from_secs(300));
/// let slot = Timestamp(1_793_491_200_000); // 2026-11-01T00:00Z
/// ledger.restore([SlotSample { contract: 0, slot, mbps: 80.0 }]);
/// // One slot is free: the commitment is charged.
/// assert_eq!(ledger.statement(0, slot, slot).certain_cny, 300.0);
/// ```
#[derive(Debug)]
pub struct Ledger {
    slot_ms: u64,
    accounts: Vec<Account>,
    /// `[contract]`.
    open: Vec<Gathering>,
    /// `[link]` -> contract, and the link's place among the contract's.
    places: Vec<(usize, usize)>,
    now: Option<Timestamp>,
    refused: Refused,
}

/// Slots of a contract that still take samples.
#[derive(Debug, Default)]
struct Gathering {
    /// Indices of the links of the contract.
    links: Vec<usize>,
    slots: BTreeMap<Timestamp, Gathered>,
    newest: Timestamp,
}

/// Facts known of one slot.
#[derive(Debug)]
struct Gathered {
    /// Traffic it carried at least: what is known from before this process, and not explained by
    /// `parts`. Mbps.
    restored: f64,
    /// `[link of the contract]` -> sum of its samples in Mbps, and how many there were.
    parts: Vec<(f64, u32)>,
}

impl Gathering {
    /// Returns what is gathered of a slot; begun with what is known of it.
    fn entry(&mut self, slot: Timestamp, account: &Account) -> &mut Gathered {
        self.slots.entry(slot).or_insert_with(|| Gathered {
            restored: account.sample(slot).unwrap_or(0.0),
            parts: vec![(0.0, 0); self.links.len()],
        })
    }

    /// At most [`OPEN_MAX`] slots: first those go that are further ahead than the clock at `slot`
    /// allows, then the oldest.
    fn bound(&mut self, slot: Timestamp, slot_ms: u64) {
        let ahead = Timestamp(slot.0.saturating_add(AHEAD_MAX_SLOTS * slot_ms));
        while self.slots.len() > OPEN_MAX {
            if self
                .slots
                .last_key_value()
                .is_some_and(|(last, _)| *last > ahead)
            {
                self.slots.pop_last();
            } else {
                self.slots.pop_first();
            }
        }
    }

    /// Forgets what was restored of slots that their parts explain: with more samples these may
    /// carry less.
    fn explain(&mut self, slot_ms: u64) {
        let explained = |(&slot, gathered): (&Timestamp, &Gathered)| {
            let known = self.of_parts(slot, slot_ms);
            (known >= gathered.restored * (1.0 - ROUNDING)).then_some(slot)
        };
        let slots: Vec<Timestamp> = self.slots.iter().filter_map(explained).collect();
        for slot in slots {
            if let Some(gathered) = self.slots.get_mut(&slot) {
                gathered.restored = 0.0;
            }
        }
    }

    /// Returns what a link of the contract carried in a slot, or in the last before it that is not
    /// too far away.
    fn link_mbps(&self, link: usize, slot: Timestamp, slot_ms: u64) -> Option<f64> {
        let from = Timestamp(slot.0.saturating_sub(CARRIED_MAX_SLOTS * slot_ms));
        let slots = self.slots.range(from..=slot).rev();
        let mut parts = slots.map(|(_, gathered)| gathered.parts[link]);
        let (sum, count) = parts.find(|(_, count)| *count > 0)?;
        Some(sum / f64::from(count))
    }

    /// Returns what all links of the contract carried in a slot.
    fn of_parts(&self, slot: Timestamp, slot_ms: u64) -> f64 {
        let mean = |link: usize| self.link_mbps(link, slot, slot_ms).unwrap_or(0.0);
        (0..self.links.len()).map(mean).sum()
    }

    /// Returns what a slot carried, as far as it is known.
    fn mbps(&self, slot: Timestamp, slot_ms: u64) -> f64 {
        let restored = self.slots.get(&slot).map_or(0.0, |known| known.restored);
        self.of_parts(slot, slot_ms).max(restored)
    }

    /// The first slot that may still be under way: links whose clocks are ahead speak of the newest
    /// before it begins.
    fn first_under_way(&self, slot_ms: u64) -> Timestamp {
        Timestamp(self.newest.0.saturating_sub(AHEAD_MAX_SLOTS * slot_ms))
    }

    /// Under a clock that was far ahead no slot is the newest.
    fn not_after(&mut self, now: Timestamp, slot_ms: u64) {
        if self.newest.0 > now.0.saturating_add(AHEAD_MAX_SLOTS * slot_ms) {
            let known = self.slots.range(..=now).next_back();
            self.newest = known.map_or_else(Timestamp::default, |(slot, _)| *slot);
        }
    }
}

impl Ledger {
    /// An empty ledger for slots of the given length (5 minutes by contract).
    #[must_use]
    pub fn new(inventory: &Inventory, slot: Duration) -> Self {
        let slot_ms = u64::try_from(slot.as_millis()).unwrap_or(u64::MAX).max(1);
        let account = |contract: &Contract| Account::new(contract.clone(), slot_ms);
        let mut open: Vec<Gathering> = inventory
            .contracts
            .iter()
            .map(|_| Gathering::default())
            .collect();
        let mut places = Vec::with_capacity(inventory.links.len());
        for (index, link) in inventory.links.iter().enumerate() {
            let links = &mut open[link.contract].links;
            places.push((link.contract, links.len()));
            links.push(index);
        }
        Self {
            slot_ms,
            accounts: inventory.contracts.iter().map(account).collect(),
            open,
            places,
            now: None,
            refused: Refused::default(),
        }
    }

    /// Takes back samples that were stored before a restart. What is no traffic, or of no known
    /// contract, is refused and counted.
    pub fn restore(&mut self, samples: impl IntoIterator<Item = SlotSample>) {
        for SlotSample {
            contract,
            slot,
            mbps,
        } in samples
        {
            if let Some(slot) = self.known_slot(contract, slot, mbps) {
                self.accounts[contract].set(slot, mbps);
            }
        }
    }

    /// Takes back slots that were under way at a restart, with what they carried so far, and what
    /// [`Self::parts`] gave of them and of those before, after [`Self::restore`] of all that are
    /// over: late samples add to it. What is no traffic, or of nothing known, is refused and
    /// counted.
    pub fn resume(
        &mut self,
        under_way: impl IntoIterator<Item = SlotSample>,
        parts: impl IntoIterator<Item = LinkPart>,
    ) {
        for SlotSample {
            contract,
            slot,
            mbps,
        } in under_way
        {
            if let Some(slot) = self.known_slot(contract, slot, mbps) {
                self.reopen(contract, slot, |gathered| gathered.restored = mbps);
            }
        }
        for part in parts {
            let Some(&(contract, place)) = self.places.get(part.link) else {
                self.refused
                    .add(SampleFault::UnknownLink { link: part.link });
                continue;
            };
            if let Some(slot) = self.known_slot(contract, part.slot, part.mbps_sum) {
                let known = (part.mbps_sum, part.samples);
                self.reopen(contract, slot, |gathered| gathered.parts[place] = known);
            }
        }
        for open in &mut self.open {
            open.explain(self.slot_ms);
        }
    }

    /// The slot that what was stored of a contract belongs to; `None`, counted, when it is no
    /// traffic or of no known contract.
    fn known_slot(&mut self, contract: usize, at: Timestamp, mbps: f64) -> Option<Timestamp> {
        let judged = match self.accounts.get(contract) {
            Some(account) => sane(&account.terms().name, mbps, at),
            None => Err(SampleFault::UnknownContract { contract }),
        };
        match judged {
            Ok(()) => Some(self.slot_of(at)),
            Err(fault) => {
                self.refused.add(fault);
                None
            }
        }
    }

    /// Changes what is gathered of a slot that takes samples again.
    fn reopen(&mut self, contract: usize, slot: Timestamp, change: impl FnOnce(&mut Gathered)) {
        let open = &mut self.open[contract];
        change(open.entry(slot, &self.accounts[contract]));
        open.newest = open.newest.max(slot);
        open.bound(slot, self.slot_ms);
    }

    /// Start of the slot that holds `at`.
    const fn slot_of(&self, at: Timestamp) -> Timestamp {
        Timestamp(at.0 - at.0 % self.slot_ms)
    }

    /// Returns what a slot carried as far as it is known, Mbps; `None` when it takes no more
    /// samples.
    #[must_use]
    pub fn open_mbps(&self, contract: usize, slot: Timestamp) -> Option<f64> {
        let open = &self.open[contract];
        let is_open = open.slots.contains_key(&slot);
        is_open.then(|| open.mbps(slot, self.slot_ms))
    }

    /// Span, at most, between slots that take samples at the same time.
    #[must_use]
    pub const fn open_span(&self) -> Duration {
        Duration::from_millis(
            (LATE_MAX_SLOTS + CARRIED_MAX_SLOTS + AHEAD_MAX_SLOTS + 1) * self.slot_ms,
        )
    }

    /// Returns what links of a contract said of a slot that still takes samples: what a restart
    /// would lose.
    pub fn parts(&self, contract: usize, slot: Timestamp) -> impl Iterator<Item = LinkPart> {
        let open = &self.open[contract];
        let known = open.slots.get(&slot).into_iter();
        let parts = known.flat_map(|known| open.links.iter().zip(&known.parts));
        parts.filter_map(move |(&link, &(mbps_sum, samples))| {
            (samples > 0).then_some(LinkPart {
                link,
                slot,
                mbps_sum,
                samples,
            })
        })
    }

    /// Tells the ledger what time it is: slots that are over count, and samples far from it are
    /// refused from then on.
    pub fn advance(&mut self, now: Timestamp) {
        self.now = Some(now);
        let slot_ms = self.slot_ms;
        let kept = (LATE_MAX_SLOTS + CARRIED_MAX_SLOTS + 1) * slot_ms;
        for contract in 0..self.open.len() {
            self.open[contract].not_after(now, slot_ms);
            self.settle(contract, self.open[contract].first_under_way(slot_ms), now);
            // Those that were under way at a restart, when the clock may have been wrong.
            let account = &self.accounts[contract];
            let slots = self.open[contract].slots.keys();
            let uncounted = slots.filter(|slot| account.sample(**slot).is_none());
            for slot in uncounted.copied().collect::<Vec<_>>() {
                self.settle(contract, slot, now);
            }
            let open = &mut self.open[contract];
            open.slots = open.slots.split_off(&Timestamp(now.0.saturating_sub(kept)));
        }
    }

    /// Counts a link's sample into its slot. Returns slots to be stored: the one before, when this
    /// sample opens a new one, or the sample's own when it came late; and those after it in which
    /// the link is taken for what it carried there.
    ///
    /// # Errors
    /// [`SampleFault`] names the sample and why it does not count. It is also counted in
    /// [`Self::refused`].
    pub fn count(
        &mut self,
        inventory: &Inventory,
        link: usize,
        mbps: f64,
        at: Timestamp,
    ) -> Result<Vec<SlotSample>, SampleFault> {
        self.judge(inventory, link, mbps, at)
            .map(|(contract, place)| self.gather(contract, place, mbps, at))
            .inspect_err(|fault| self.refused.add(fault.clone()))
    }

    fn judge(
        &self,
        inventory: &Inventory,
        link: usize,
        mbps: f64,
        at: Timestamp,
    ) -> Result<(usize, usize), SampleFault> {
        let known = inventory.links.get(link).zip(self.places.get(link));
        let (known, &place) = known.ok_or(SampleFault::UnknownLink { link })?;
        let name = &known.name;
        sane(name, mbps, at)?;
        if let Some(now) = self.now {
            let slot = self.slot_of(at).0;
            if slot > now.0.saturating_add(AHEAD_MAX_SLOTS * self.slot_ms) {
                return Err(SampleFault::Ahead {
                    name: name.clone(),
                    at,
                    now,
                });
            }
            if slot.saturating_add((LATE_MAX_SLOTS + 1) * self.slot_ms) <= now.0 {
                return Err(SampleFault::Late {
                    name: name.clone(),
                    at,
                    now,
                });
            }
        }
        Ok(place)
    }

    fn gather(
        &mut self,
        contract: usize,
        place: usize,
        mbps: f64,
        at: Timestamp,
    ) -> Vec<SlotSample> {
        let slot = self.slot_of(at);
        let (open, account) = (&mut self.open[contract], &self.accounts[contract]);
        let part = &mut open.entry(slot, account).parts[place];
        part.0 += mbps;
        part.1 = part.1.saturating_add(1);
        open.bound(slot, self.slot_ms);
        let first = if slot > open.newest {
            std::mem::replace(&mut open.newest, slot)
        } else {
            slot
        };
        let now = self.now.unwrap_or(open.newest).max(at);
        self.settle(contract, first, now)
    }

    /// Counts a slot and those that carry on from it, as far as they are over: the mean of a slot
    /// counts when it can fall no more. Returns the first and those that have changed.
    fn settle(&mut self, contract: usize, first: Timestamp, now: Timestamp) -> Vec<SlotSample> {
        let slot_ms = self.slot_ms;
        let (open, account) = (&self.open[contract], &mut self.accounts[contract]);
        let last = Timestamp(first.0.saturating_add(CARRIED_MAX_SLOTS * slot_ms));
        let slots = open.slots.range(first..=last).map(|(slot, _)| *slot);
        let mut changed = Vec::new();
        for slot in slots.take_while(|slot| slot.0.saturating_add(slot_ms) <= now.0) {
            let mbps = open.mbps(slot, slot_ms);
            let differs = account.sample(slot) != Some(mbps);
            if differs {
                account.set(slot, mbps);
            }
            if differs || slot == first {
                changed.push(SlotSample {
                    contract,
                    slot,
                    mbps,
                });
            }
        }
        changed
    }

    /// The newest slots of each contract that has any, with their means so far, newest first: what
    /// a restart in the middle of them would lose.
    pub fn under_way(&self) -> impl Iterator<Item = SlotSample> {
        let slot_ms = self.slot_ms;
        let contracts = self.open.iter().enumerate();
        contracts.flat_map(move |(contract, open)| {
            let slots = open.first_under_way(slot_ms)..=open.newest;
            open.slots.range(slots).rev().map(move |(&slot, _)| {
                let mbps = open.mbps(slot, slot_ms);
                SlotSample {
                    contract,
                    slot,
                    mbps,
                }
            })
        })
    }

    /// Returns what a link carried on average in the slot that starts at `slot`, as far as it has
    /// come, Mbps. A silent one is taken for what it carried in the last three slots; `None` when
    /// it said nothing in these either.
    #[must_use]
    pub fn link_mbps(&self, link: usize, slot: Timestamp) -> Option<f64> {
        let &(contract, place) = self.places.get(link)?;
        self.open[contract].link_mbps(place, slot, self.slot_ms)
    }

    /// Returns what was refused so far.
    #[must_use]
    pub const fn refused(&self) -> &Refused {
        &self.refused
    }

    /// Slot length in ms.
    #[must_use]
    pub const fn slot_ms(&self) -> u64 {
        self.slot_ms
    }

    /// The contract of a contract.
    #[must_use]
    pub fn terms(&self, contract: usize) -> &Contract {
        self.accounts[contract].terms()
    }

    /// Delay with which a sample of a link may come and be counted, whichever moment of its slot it
    /// is of.
    #[must_use]
    pub const fn late_max(&self) -> Duration {
        Duration::from_millis(LATE_MAX_SLOTS * self.slot_ms)
    }

    /// Time since `at` was when the ledger was last told the time; zero before.
    #[must_use]
    pub fn age(&self, at: Timestamp) -> Duration {
        self.now.map_or(Duration::ZERO, |now| now.since(at))
    }

    /// Number of contracts.
    #[must_use]
    pub const fn contracts(&self) -> usize {
        self.accounts.len()
    }

    /// Level that a contract is charged whatever follows, in the month (or the day, by contract)
    /// that holds `at`, Mbps: the (free slots + 1)-th largest sample so far, or the commitment when
    /// that is more. It never falls within the period.
    #[must_use]
    pub fn certain_mbps(&self, contract: usize, at: Timestamp) -> f64 {
        let account = &self.accounts[contract];
        account.certain_mbps(at).max(account.terms().commit_mbps)
    }

    /// Level of the period that holds `at` if it ended then, Mbps: 95th percentile or peak of the
    /// samples so far, without the commitment; `None` where there are none, or no level is charged.
    #[must_use]
    pub fn so_far_mbps(&self, contract: usize, at: Timestamp) -> Option<f64> {
        self.accounts[contract].so_far_mbps(at)
    }

    /// Slots that may still exceed `level_mbps` in the period that holds `at` without being charged
    /// for it.
    #[must_use]
    pub fn tokens_left(&self, contract: usize, level_mbps: f64, at: Timestamp) -> u64 {
        self.accounts[contract].tokens_left(level_mbps, at)
    }

    /// Free slots of the period that holds `at`, whether spent or not.
    #[must_use]
    pub fn tokens(&self, contract: usize, at: Timestamp) -> u64 {
        let account = &self.accounts[contract];
        account.forgiven(account.level_period(at))
    }

    /// The period that sets the level of a contract: the day for contracts by day, else the month.
    #[must_use]
    pub fn level_period(&self, contract: usize, at: Timestamp) -> Period {
        self.accounts[contract].level_period(at)
    }

    /// Charged level of the month before the one that holds `at`, Mbps; `None` when nothing is
    /// known of it.
    #[must_use]
    pub fn last_month_mbps(&self, contract: usize, at: Timestamp) -> Option<f64> {
        let account = &self.accounts[contract];
        let month = account.terms().utc_offset.month_before(at);
        let statement = account.statement(month.start, month.end);
        (statement.known > 0).then_some(statement.level_mbps)
    }

    /// Returns what the month that holds `month_of` is known to cost as of `as_of`.
    #[must_use]
    pub fn statement(&self, contract: usize, month_of: Timestamp, as_of: Timestamp) -> Statement {
        self.accounts[contract].statement(month_of, as_of)
    }

    /// Returns what one more Mbps through a contract costs in the slot that holds `now`, as long as
    /// no controller has planned it.
    #[must_use]
    pub fn marginal(&self, contract: usize, now: Timestamp) -> Marginal {
        Marginal::unplanned(self, contract, now)
    }
}

/// Refuses what cannot be traffic.
fn sane(name: &str, mbps: f64, at: Timestamp) -> Result<(), SampleFault> {
    if mbps.is_finite() && mbps >= 0.0 {
        Ok(())
    } else {
        Err(SampleFault::NotTraffic {
            name: name.to_owned(),
            mbps,
            at,
        })
    }
}

#[cfg(test)]
mod tests;
