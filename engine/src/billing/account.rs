//! One contract's samples, and what they already make certain.

use super::calendar::{DAY_MS, Period};
use super::order::OrderStatistics;
use crate::inventory::Contract;
use coverage::Timestamp;
use instance::ContractModel;
use std::collections::BTreeMap;

/// Of twenty slots, one is left out by a 95th percentile.
const SLOTS_PER_FREE_SLOT: u64 = 20;
/// Days of samples kept: the running month and the one before.
const DAYS_KEPT: u64 = 63;

/// Slots of a period that its 95th percentile leaves out: the charged level is the next largest
/// sample.
#[must_use]
pub const fn free_slots(slots: u64) -> u64 {
    slots / SLOTS_PER_FREE_SLOT
}

/// Charges of a contract for one month, as far as they are known.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Statement {
    /// The month, in the contract's zone.
    pub month: Period,
    /// Slots that the month has.
    pub slots: u64,
    /// Slots of the month with a sample.
    pub known: u64,
    /// Slots without one, between the first sample of the month and `as_of`.
    pub gaps: u64,
    /// Slots of the month before its first sample, when nobody looked.
    pub unseen: u64,
    /// Charged level so far, Mbps: percentile, or mean over all days of the month of what each is
    /// charged; 0 by volume.
    pub level_mbps: f64,
    /// Sum that is due whatever the rest of the month brings, CNY. At the end of the month: the
    /// bill.
    pub certain_cny: f64,
}

/// A contract's samples by slot, with a running order of the period that sets its level.
#[derive(Debug)]
pub(super) struct Account {
    terms: Contract,
    slot_ms: u64,
    samples: BTreeMap<Timestamp, f64>,
    period: Period,
    order: OrderStatistics,
}

impl Account {
    pub(super) fn new(terms: Contract, slot_ms: u64) -> Self {
        Self {
            terms,
            slot_ms,
            samples: BTreeMap::new(),
            period: Period {
                start: Timestamp(0),
                end: Timestamp(0),
            },
            order: OrderStatistics::default(),
        }
    }

    pub(super) const fn terms(&self) -> &Contract {
        &self.terms
    }

    pub(super) fn sample(&self, slot: Timestamp) -> Option<f64> {
        self.samples.get(&slot).copied()
    }

    /// Sets the sample of a slot, finite and not negative.
    pub(super) fn set(&mut self, slot: Timestamp, mbps: f64) {
        let before = self.samples.insert(slot, mbps);
        if self.period.contains(slot) {
            if let Some(before) = before {
                self.order.remove(before);
            }
            self.order.insert(mbps);
        } else if slot >= self.period.end {
            self.period = self.level_period(slot);
            self.order = OrderStatistics::of(self.within(self.period));
        }
        let kept = usize::try_from(DAYS_KEPT * DAY_MS.unsigned_abs() / self.slot_ms);
        // By number and not by age: a clock that jumps ahead forgets nothing.
        while self.samples.len() > kept.unwrap_or(usize::MAX).max(1) {
            self.samples.pop_first();
        }
    }

    /// The period whose order sets the level: the day for contracts by day, else the month.
    pub(super) fn level_period(&self, at: Timestamp) -> Period {
        match self.terms.model {
            ContractModel::DailyPeakMean | ContractModel::Daily95Mean => {
                self.terms.utc_offset.day_of(at)
            }
            ContractModel::Month95 | ContractModel::Flat | ContractModel::PerGb => {
                self.terms.utc_offset.month_of(at)
            }
        }
    }

    /// Slots above the level that a period forgives.
    pub(super) const fn forgiven(&self, period: Period) -> u64 {
        match self.terms.model {
            ContractModel::Month95 | ContractModel::Daily95Mean => {
                free_slots(period.slots(self.slot_ms))
            }
            ContractModel::DailyPeakMean | ContractModel::Flat | ContractModel::PerGb => 0,
        }
    }

    /// The level that the period holding `at` would be charged if it ended then, Mbps; `None`
    /// without samples, or where no level is charged.
    pub(super) fn so_far_mbps(&self, at: Timestamp) -> Option<f64> {
        let period = self.level_period(at);
        let (known, ..) = self.coverage(period, at);
        let begun = Period {
            // Slots count from 1970, and a zone's day may begin within one.
            end: Timestamp((at.0 - at.0 % self.slot_ms).max(period.start.0)),
            ..period
        };
        let forgiven = match self.terms.model {
            ContractModel::Month95 | ContractModel::Daily95Mean => free_slots(known),
            ContractModel::DailyPeakMean => 0,
            ContractModel::Flat | ContractModel::PerGb => return None,
        };
        let order = OrderStatistics::of(self.within(begun));
        (known > 0).then(|| order.nth_largest(forgiven))
    }

    /// The level that the period holding `at` is charged whatever follows, Mbps, without the
    /// commitment.
    pub(super) fn certain_mbps(&self, at: Timestamp) -> f64 {
        self.certain_of(self.level_period(at))
    }

    fn certain_of(&self, period: Period) -> f64 {
        let forgiven = self.forgiven(period);
        if period == self.period {
            return self.order.nth_largest(forgiven);
        }
        OrderStatistics::of(self.within(period)).nth_largest(forgiven)
    }

    /// Slots that may still go above `level_mbps` in the period holding `at` without raising what
    /// is charged. Slots that nobody saw are taken for spent: each gap as one, and of the time
    /// before the first sample its part.
    pub(super) fn tokens_left(&self, level_mbps: f64, at: Timestamp) -> u64 {
        let period = self.level_period(at);
        let above = if period == self.period {
            self.order.count_above(level_mbps)
        } else {
            self.within(period)
                .filter(|mbps| *mbps > level_mbps)
                .count()
        };
        let (_, gaps, unseen) = self.coverage(period, at);
        let spent = (above as u64).saturating_add(gaps);
        let unseen = unseen.div_ceil(SLOTS_PER_FREE_SLOT);
        self.forgiven(period)
            .saturating_sub(spent.saturating_add(unseen))
    }

    /// Samples of a period, oldest first, Mbps.
    pub(super) fn within(&self, period: Period) -> impl Iterator<Item = f64> {
        self.samples
            .range(period.start..period.end)
            .map(|(_, mbps)| *mbps)
    }

    /// Known slots, gaps after the first of them, and slots before it, up to the slot that holds
    /// `at` and without it.
    fn coverage(&self, period: Period, at: Timestamp) -> (u64, u64, u64) {
        let slot = at.0 - at.0 % self.slot_ms;
        let end = Timestamp(slot.clamp(period.start.0, period.end.0));
        let begun = Period {
            start: period.start,
            end,
        };
        let mut known = self.samples.range(begun.start..begun.end);
        let Some((&first, _)) = known.next() else {
            return (0, 0, begun.length_ms() / self.slot_ms);
        };
        let count = known.count() as u64 + 1;
        let unseen = (first.0 - period.start.0) / self.slot_ms;
        let closed = (end.0 - first.0) / self.slot_ms;
        (count, closed.saturating_sub(count), unseen)
    }

    /// Returns the statement of the month that holds `month_of`, as far as it is known at `as_of`.
    pub(super) fn statement(&self, month_of: Timestamp, as_of: Timestamp) -> Statement {
        let month = self.terms.utc_offset.month_of(month_of);
        let (known, gaps, unseen) = self.coverage(month, as_of);
        let price_cny = self.terms.price_cny_per_mbps_month;
        let commit_mbps = self.terms.commit_mbps;
        let (level_mbps, certain_cny) = match self.terms.model {
            ContractModel::Month95 => {
                let level = self.certain_of(month).max(commit_mbps);
                (level, level * price_cny)
            }
            ContractModel::DailyPeakMean | ContractModel::Daily95Mean => {
                let level = self.mean_of_days(month, commit_mbps);
                (level, level * price_cny)
            }
            ContractModel::Flat => (commit_mbps, commit_mbps * price_cny),
            ContractModel::PerGb => {
                // A sum of nothing is -0.
                let mbps_slots = self.within(month).sum::<f64>() + 0.0;
                let gb = mbps_slots * gb_per_mbps_slot(self.slot_ms);
                (0.0, gb * self.terms.price_cny_per_gb)
            }
        };
        Statement {
            month,
            slots: month.slots(self.slot_ms),
            known,
            gaps,
            unseen,
            level_mbps,
            certain_cny,
        }
    }

    /// Mean over all days of a month of each day's charged level; days without samples are charged
    /// the commitment.
    #[expect(clippy::cast_precision_loss, reason = "a month has at most 31 days")]
    fn mean_of_days(&self, month: Period, commit_mbps: f64) -> f64 {
        let mut total_mbps = 0.0;
        let mut day = self.terms.utc_offset.day_of(month.start);
        while day.start < month.end {
            total_mbps += self.certain_of(day).max(commit_mbps);
            day = self.terms.utc_offset.day_of(day.end);
        }
        total_mbps / month.days().max(1) as f64
    }
}

/// Gigabytes (10^9 bytes) that one Mbps moves in one slot.
#[must_use]
#[expect(
    clippy::cast_precision_loss,
    reason = "slot lengths are far below 2^52 ms"
)]
pub fn gb_per_mbps_slot(slot_ms: u64) -> f64 {
    slot_ms as f64 / 1000.0 / 8000.0
}
