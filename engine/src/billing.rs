//! Billing: a ledger of slot samples per meter, and what one more Mbps would cost in the next slot.
//!
//! The ledger keeps each meter's samples of the running month. From them follows the certain floor of the bill: the level
//! that will be paid whatever happens from now on, below which a slot is free.

use crate::inventory::{BillingModel, Inventory, Meter};
use coverage::Timestamp;
use std::collections::BTreeMap;
use std::time::Duration;

/// Days that prices per month are spread over.
const DAYS_PER_MONTH: f64 = 30.0;
/// Share of slots that a 95th percentile does not count.
const PERCENTILE_FREE_SHARE: f64 = 0.05;
/// Most samples kept per meter: a month of 5-minute slots with room for 31 days.
const SAMPLES_MAX: usize = 31 * 288;

/// What a meter charges in one slot.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Marginal {
    /// CNY for one Mbps more during one slot, above [`Self::free_below_mbps`].
    pub price_cny_per_mbps: f64,
    /// Level up to which the slot costs nothing more, Mbps.
    pub free_below_mbps: f64,
}

/// One meter's closed slot.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SlotSample {
    /// Index of the meter.
    pub meter: usize,
    /// Start of the slot, a multiple of the slot length.
    pub slot: Timestamp,
    /// Mean traffic of the slot, Mbps.
    pub mbps: f64,
}

/// Slot samples of the running month.
#[derive(Debug)]
pub struct Ledger {
    slot_ms: u64,
    /// Per meter: slot start -> mean Mbps.
    closed: Vec<BTreeMap<Timestamp, f64>>,
    /// Per link: the slot under way, sum of samples and their number.
    open: Vec<(Timestamp, f64, u32)>,
}

impl Ledger {
    /// An empty ledger for slots of the given length (5 minutes by contract).
    #[must_use]
    pub fn new(inventory: &Inventory, slot: Duration) -> Self {
        let slot_ms = u64::try_from(slot.as_millis()).unwrap_or(u64::MAX).max(1);
        Self {
            slot_ms,
            closed: vec![BTreeMap::new(); inventory.meters.len()],
            open: vec![(Timestamp(0), 0.0, 0); inventory.links.len()],
        }
    }

    /// Takes back samples that were stored before a restart.
    pub fn restore(&mut self, samples: impl IntoIterator<Item = SlotSample>) {
        for sample in samples {
            if let Some(meter) = self.closed.get_mut(sample.meter) {
                meter.insert(sample.slot, sample.mbps);
            }
        }
    }

    /// Counts a link's sample into its slot. When that opens a new slot, the closed one is added to the link's meter and
    /// the meter's sample is returned as it now stands, to be stored. A sample of an earlier slot is late and left out.
    pub fn count(
        &mut self,
        inventory: &Inventory,
        link: usize,
        mbps: f64,
        at: Timestamp,
    ) -> Option<SlotSample> {
        let slot = Timestamp(at.0 - at.0 % self.slot_ms);
        let open = &mut self.open[link];
        if slot < open.0 {
            return None;
        }
        let mut closed = None;
        if slot > open.0 {
            if open.2 > 0 {
                closed = Some((open.0, open.1 / f64::from(open.2)));
            }
            *open = (slot, 0.0, 0);
        }
        open.1 += mbps;
        open.2 += 1;
        let (slot, mean_mbps) = closed?;
        let meter = inventory.links[link].meter;
        let samples = &mut self.closed[meter];
        let total = samples.entry(slot).or_insert(0.0);
        *total += mean_mbps;
        let mbps = *total;
        while samples.len() > SAMPLES_MAX {
            samples.pop_first();
        }
        Some(SlotSample { meter, slot, mbps })
    }

    /// What one more Mbps through a meter costs in the slot that holds `now`.
    #[must_use]
    pub fn marginal(&self, meter_index: usize, meter: &Meter, now: Timestamp) -> Marginal {
        let monthly = meter.price_cny_per_mbps_month;
        let samples = &self.closed[meter_index];
        let day_start = Timestamp(now.0 - now.0 % 86_400_000);
        let today = || samples.range(day_start..=now).map(|(_, &mbps)| mbps);
        let (price_cny_per_mbps, seen_mbps) = match meter.model {
            BillingModel::Flat => (0.0, f64::MAX),
            // 1 Mbps during the slot is slot seconds / 8000 gigabytes.
            BillingModel::PerGb => (meter.price_cny_per_gb * self.slot_seconds() / 8000.0, 0.0),
            // The level is set by the (free slots + 1)-th largest sample: raising it takes that many slots above it, so
            // one slot bears that part of a month's price.
            BillingModel::Month95 => {
                let free = self.free_slots(DAYS_PER_MONTH);
                (
                    monthly / (free + 1.0),
                    nth_largest(samples.values().copied(), free),
                )
            }
            BillingModel::Daily95Mean => {
                let free = self.free_slots(1.0);
                (
                    monthly / DAYS_PER_MONTH / (free + 1.0),
                    nth_largest(today(), free),
                )
            }
            BillingModel::DailyPeakMean => (monthly / DAYS_PER_MONTH, nth_largest(today(), 0.0)),
        };
        Marginal {
            price_cny_per_mbps,
            free_below_mbps: seen_mbps.max(meter.commit_mbps),
        }
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "slot lengths are far below 2^52 ms"
    )]
    fn slot_seconds(&self) -> f64 {
        self.slot_ms as f64 / 1000.0
    }

    /// Slots of so many days that a 95th percentile leaves out.
    fn free_slots(&self, days: f64) -> f64 {
        (days * 86_400.0 / self.slot_seconds() * PERCENTILE_FREE_SHARE).floor()
    }
}

/// The value that `rank` samples exceed or equal before it; 0 when there are not that many.
fn nth_largest(samples: impl Iterator<Item = f64>, rank: f64) -> f64 {
    let mut sorted: Vec<f64> = samples.collect();
    sorted.sort_unstable_by(|a, b| b.total_cmp(a));
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "rank is a small floor >= 0"
    )]
    let rank = rank as usize;
    sorted.get(rank).copied().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::{Link, Site};
    use coverage::SiteId;

    fn inventory(model: BillingModel) -> Inventory {
        let site = Site {
            name: "s".into(),
            region: "r".into(),
            country: "cn".into(),
            province: String::new(),
            latitude: 0.0,
            longitude: 0.0,
        };
        let link = Link {
            name: "s/ct".into(),
            site: SiteId(0),
            isp: "ct".into(),
            capacity_mbps: 100.0,
            watermark_mbps: 90.0,
            meter: 0,
        };
        let meter = Meter {
            name: "m".into(),
            model,
            price_cny_per_mbps_month: 30.0,
            price_cny_per_gb: 0.2,
            commit_mbps: 10.0,
        };
        Inventory {
            sites: vec![site],
            links: vec![link.clone(), link],
            meters: vec![meter],
            ..Inventory::default()
        }
    }

    const SLOT: Duration = Duration::from_secs(300);

    #[test]
    fn links_of_one_meter_add_up_slot_by_slot() {
        let inventory = inventory(BillingModel::Month95);
        let mut ledger = Ledger::new(&inventory, SLOT);
        for (link, mbps, at_s) in [
            (0, 10.0, 0),
            (0, 30.0, 100),
            (1, 5.0, 0),
            (0, 1.0, 300),
            (1, 1.0, 300),
        ] {
            ledger.count(
                &inventory,
                link,
                mbps,
                Timestamp(86_400_000 * 3 + at_s * 1000),
            );
        }
        let samples: Vec<f64> = ledger.closed[0].values().copied().collect();
        assert_eq!(samples, [25.0], "mean 20 of link 0 plus mean 5 of link 1");
        let late = ledger.count(&inventory, 0, 99.0, Timestamp(86_400_000 * 3));
        assert_eq!(late, None);
    }

    #[test]
    fn month_95_is_free_below_the_level_that_is_already_certain() {
        let inventory = inventory(BillingModel::Month95);
        let mut ledger = Ledger::new(&inventory, SLOT);
        let meter = &inventory.meters[0];
        let at = |slot: u64| Timestamp(slot * 300_000);
        ledger.restore((0..432).map(|slot| SlotSample {
            meter: 0,
            slot: at(slot),
            mbps: 50.0,
        }));
        assert!(
            (ledger.marginal(0, meter, at(500)).free_below_mbps - 10.0).abs() < 1e-9,
            "432 slots are free"
        );
        ledger.restore([SlotSample {
            meter: 0,
            slot: at(432),
            mbps: 40.0,
        }]);
        let marginal = ledger.marginal(0, meter, at(500));
        assert!(
            (marginal.free_below_mbps - 40.0).abs() < 1e-9,
            "the 433rd largest sample is certain"
        );
        assert!((marginal.price_cny_per_mbps - 30.0 / 433.0).abs() < 1e-9);
    }

    #[test]
    fn a_daily_peak_is_free_up_to_todays_peak_and_not_yesterdays() {
        let inventory = inventory(BillingModel::DailyPeakMean);
        let mut ledger = Ledger::new(&inventory, SLOT);
        let day = 86_400_000;
        let sample = |slot, mbps| SlotSample {
            meter: 0,
            slot: Timestamp(slot),
            mbps,
        };
        ledger.restore([sample(day - 300_000, 80.0), sample(day, 33.0)]);
        let marginal = ledger.marginal(0, &inventory.meters[0], Timestamp(day + 600_000));
        assert_eq!(
            marginal,
            Marginal {
                price_cny_per_mbps: 1.0,
                free_below_mbps: 33.0
            }
        );
    }

    #[test]
    fn volume_costs_what_the_slot_carries() {
        let inventory = inventory(BillingModel::PerGb);
        let ledger = Ledger::new(&inventory, SLOT);
        let marginal = ledger.marginal(0, &inventory.meters[0], Timestamp(0));
        assert!((marginal.price_cny_per_mbps - 0.2 * 0.0375).abs() < 1e-12);
    }
}
