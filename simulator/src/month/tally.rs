//! Tally of a month: cost and quality, counted from what was really carried.

use super::bill::{ContractBill, Month, every_slot_cny};
use super::decide::Decision;
use super::policy::Policy;
use super::scenario::{SLOTS_PER_DAY, Scenario};
use coverage::Timestamp;
use engine::billing::Ledger;
use instance::{Instance, Plan};

/// Bins of the latency histogram, half a millisecond each.
const LATENCY_BINS: usize = 1000;
/// Width of a bin in ms.
const LATENCY_STEP_MS: f64 = 0.5;
/// Bins of the histogram of utilisation, a hundredth each, the last for all above.
const FILL_BINS: usize = 102;
/// Percentiles that are reported.
const PARTS: [f64; 3] = [0.5, 0.9, 0.99];
/// Fill of all but a hundredth of the links: a percentile within each hour.
const FULL_PART: f64 = 0.99;
/// Slots of an hour: the resolution of series.
const SLOTS_PER_HOUR: usize = 12;

/// Counts while a month is played.
pub(super) struct Tally {
    histogram: Vec<f64>,
    carried: f64,
    asked: f64,
    latency: f64,
    below_floor: f64,
    unserved: f64,
    lost: f64,
    overload: f64,
    moved_total: f64,
    bursts: usize,
    solves: u64,
    error: f64,
    /// `[hour]` -> links and slots by load over capacity, in hundredths. Parts of a slot count as
    /// such.
    fills: Vec<[f64; FILL_BINS]>,
    before: Option<Plan>,
    samples: Vec<Vec<f64>>,
    /// `[hour]` -> (load, capacity, latency × load, load, moved, asked).
    hours: Vec<[f64; 6]>,
}

impl Tally {
    pub(super) fn new(scenario: &Scenario) -> Self {
        Self {
            histogram: vec![0.0; LATENCY_BINS],
            carried: 0.0,
            asked: 0.0,
            latency: 0.0,
            below_floor: 0.0,
            unserved: 0.0,
            lost: 0.0,
            overload: 0.0,
            moved_total: 0.0,
            bursts: 0,
            solves: 0,
            error: 0.0,
            fills: vec![[0.0; FILL_BINS]; scenario.slots.div_ceil(SLOTS_PER_HOUR)],
            before: None,
            samples: vec![Vec::with_capacity(scenario.slots); scenario.inventory.contracts.len()],
            hours: vec![[0.0; 6]; scenario.slots.div_ceil(SLOTS_PER_HOUR)],
        }
    }

    /// Lets the demand that really came follow a decision. Returns what each contract carried,
    /// Mbps.
    pub(super) fn count(
        &mut self,
        scenario: &Scenario,
        slot: usize,
        instance: &Instance,
        decision: Decision,
    ) -> Vec<f64> {
        let demand = scenario.demand_mbps(slot);
        let mut carried = vec![0.0; scenario.inventory.contracts.len()];
        for (part, plan) in decision.parts {
            let loads = self.carry(slot, instance, &plan, demand, part);
            for (index, (link, load)) in instance.links.iter().zip(&loads).enumerate() {
                if link.capacity_mbps > 0.0 {
                    let fill = bin_of(load / link.capacity_mbps * 100.0, FILL_BINS);
                    self.fills[slot / SLOTS_PER_HOUR][fill] += part;
                }
                self.overload += part * (load - link.watermark_mbps()).max(0.0);
                carried[scenario.inventory.links[index].contract] += part * load;
            }
            let moved = self
                .before
                .as_ref()
                .map_or(0.0, |before| moved_mbps(before, &plan, demand));
            self.hours[slot / SLOTS_PER_HOUR][4] += moved;
            self.moved_total += moved;
            self.before = Some(plan);
        }
        for (samples, mbps) in self.samples.iter_mut().zip(&carried) {
            samples.push(*mbps);
        }
        self.bursts += instance
            .contracts
            .iter()
            .filter(|contract| contract.burst)
            .count();
        self.solves += u64::from(decision.solves);
        self.error += decision.error_mbps;
        carried
    }

    /// One part of a slot under one plan. Returns what links carried in it, Mbps.
    fn carry(
        &mut self,
        slot: usize,
        instance: &Instance,
        plan: &Plan,
        demand: &[f64],
        part: f64,
    ) -> Vec<f64> {
        let mut loads = vec![0.0; instance.links.len()];
        for (shares, mbps) in plan.shares.iter().zip(demand) {
            for (link, share) in shares {
                loads[link.index()] += mbps * share;
            }
        }
        // What does not fit is lost from all alike.
        let kept = |(offered, link): (&f64, &instance::Link)| {
            if *offered > link.capacity_mbps {
                link.capacity_mbps / offered
            } else {
                1.0
            }
        };
        let kept: Vec<f64> = loads.iter().zip(&instance.links).map(kept).collect();
        let hour = &mut self.hours[slot / SLOTS_PER_HOUR];
        for ((unit, shares), mbps) in instance.units.iter().zip(&plan.shares).zip(demand) {
            let mbps = mbps * part;
            let mut placed = 0.0;
            for (link, share) in shares {
                let carried = mbps * share * kept[link.index()];
                placed += share;
                let ms = unit
                    .cand
                    .iter()
                    .find(|cand| cand.0 == *link)
                    .map_or(0.0, |cand| cand.1);
                self.latency += carried * ms;
                hour[2] += carried * ms;
                hour[3] += carried;
                self.carried += carried;
                self.lost += mbps * share - carried;
                if unit.latency_limit_ms.is_some_and(|floor| ms > floor) {
                    self.below_floor += carried;
                }
                self.histogram[bin_of(ms / LATENCY_STEP_MS, LATENCY_BINS)] += carried;
            }
            self.asked += mbps;
            hour[5] += mbps;
            self.unserved += mbps * (1.0 - placed).max(0.0);
        }
        for (load, link) in loads.iter_mut().zip(&instance.links) {
            *load = load.min(link.capacity_mbps);
            hour[0] += part * *load;
            hour[1] += part * link.capacity_mbps;
        }
        loads
    }

    /// Every contract at the end of the month.
    fn bills(&self, scenario: &Scenario, ledger: &Ledger, end: Timestamp) -> Vec<ContractBill> {
        let bill = |(contract, terms): (usize, &engine::inventory::Contract)| {
            let statement = ledger.statement(contract, scenario.start, end);
            let samples = &self.samples[contract];
            let links = scenario
                .inventory
                .links
                .iter()
                .filter(|link| link.contract == contract);
            ContractBill {
                contract: terms.name.clone(),
                model: terms.model,
                level_mbps: statement.level_mbps,
                cny: statement.certain_cny,
                slots_above: samples
                    .iter()
                    .filter(|mbps| **mbps > statement.level_mbps)
                    .count(),
                peak_mbps: samples.iter().copied().fold(0.0, f64::max),
                capacity_mbps: links.map(|link| link.capacity_mbps).sum(),
            }
        };
        scenario
            .inventory
            .contracts
            .iter()
            .enumerate()
            .map(bill)
            .collect()
    }

    pub(super) fn finish(self, scenario: &Scenario, policy: Policy, ledger: &Ledger) -> Month {
        let end = scenario.time(i64::try_from(scenario.slots).unwrap_or(0));
        let bills = self.bills(scenario, ledger, end);
        #[expect(clippy::cast_precision_loss, reason = "days of a month")]
        let month_days = scenario.zone.month_of(scenario.start).days() as f64;
        let every_slot_cny = bills
            .iter()
            .zip(&scenario.inventory.contracts)
            .zip(&self.samples)
            .map(|((bill, terms), samples)| every_slot_cny(terms, samples, month_days, bill.cny))
            .sum();
        let share = |part: f64, whole: f64| if whole > 0.0 { part / whole } else { 0.0 };
        let value = scenario.instance.value_cny_per_gbps_ms_slot / 1000.0;
        let days = (1..=scenario.slots / SLOTS_PER_DAY).map(|day| {
            let as_of = scenario.time(i64::try_from(day * SLOTS_PER_DAY).unwrap_or(0));
            (0..bills.len())
                .map(|contract| {
                    ledger
                        .statement(contract, scenario.start, as_of)
                        .certain_cny
                })
                .sum()
        });
        let all_fills: Vec<f64> = (0..FILL_BINS)
            .map(|bin| self.fills.iter().map(|fills| fills[bin]).sum())
            .collect();
        Month {
            policy,
            bill_cny: bills.iter().map(|bill| bill.cny).sum(),
            latency_cny: self.latency * value,
            mean_ms: share(self.latency, self.carried),
            percentiles_ms: PARTS
                .map(|part| percentile(self.histogram.iter().copied(), part) * LATENCY_STEP_MS),
            every_slot_cny,
            forecast_error_share: share(self.error, self.asked),
            utilisation_percentiles: PARTS
                .map(|part| percentile(all_fills.iter().copied(), part) / 100.0),
            below_floor_share: share(self.below_floor, self.carried),
            unserved_share: share(self.unserved, self.asked),
            lost_share: share(self.lost, self.asked),
            overload_share: share(self.overload, self.carried),
            moved_share: share(self.moved_total, self.asked),
            bursts: self.bursts,
            solves: self.solves,
            utilisation: self
                .hours
                .iter()
                .map(|hour| share(hour[0], hour[1]))
                .collect(),
            fullest: self
                .fills
                .iter()
                .map(|fills| percentile(fills.iter().copied(), FULL_PART) / 100.0)
                .collect(),
            latency_ms: self
                .hours
                .iter()
                .map(|hour| share(hour[2], hour[3]))
                .collect(),
            moved: self
                .hours
                .iter()
                .map(|hour| share(hour[4], hour[5]))
                .collect(),
            certain_cny: days.collect(),
            bills,
        }
    }
}

/// The bin of a value that counts bins from 0; what lies beyond goes into the last.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clamped to the bins"
)]
fn bin_of(value: f64, bins: usize) -> usize {
    (value.max(0.0) as usize).min(bins - 1)
}

/// First bin at which a part of all is reached.
fn percentile(weights: impl Iterator<Item = f64> + Clone, part: f64) -> f64 {
    let total: f64 = weights.clone().sum();
    let mut sum = 0.0;
    let mut reached = |weight: f64| {
        sum += weight;
        sum >= part * total
    };
    let bin = weights.into_iter().position(&mut reached).unwrap_or(0);
    f64::from(u32::try_from(bin).unwrap_or(0))
}

/// Traffic that goes to another link than before, at the demand of now.
fn moved_mbps(before: &Plan, now: &Plan, demand: &[f64]) -> f64 {
    let mut moved = 0.0;
    for ((before, now), mbps) in before.shares.iter().zip(&now.shares).zip(demand) {
        for (link, share) in now {
            let known = before.iter().find(|known| known.0 == *link);
            moved += mbps * (share - known.map_or(0.0, |known| known.1)).max(0.0);
        }
    }
    moved
}
