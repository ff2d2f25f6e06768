//! A policy at work: what it expects, what it asks the optimizer, and what it does when a slot
//! turns out otherwise.

use super::common_share::{CommonShare, average_price};
use super::policy::{MonthError, Policy};
use super::scenario::{SLOT_MS, Scenario};
use engine::baseline;
use engine::billing::budget::{Budget, BudgetError, Outlook};
use engine::billing::{ControlOptions, Controller, Forecast, Ledger, Verdict};
use instance::{Instance, Plan};
use optimizer::{Movement, SolveOptions, solve};

/// Part of a slot that passes before a correction is felt: a minute until telemetry shows what
/// came, a minute until answers with a TTL of a minute have been asked for again.
const REACTED_SHARE: f64 = 0.4;
/// Of the difference between a slot's demand and what was expected of it, how much shows after its
/// first minute: demand that goes straight from the middle of one slot to the middle of the next
/// has then gone seven tenths of the way.
const SEEN_SHARE: f64 = 0.7;
/// Load above a watermark below this share of it is none.
const TOLERANCE: f64 = 1e-6;

/// Decision of a policy for a slot.
pub(super) struct Decision {
    /// Parts of the slot, which sum to 1, and the plan of each.
    pub(super) parts: Vec<(f64, Plan)>,
    /// Questions to the optimizer.
    pub(super) solves: u32,
    /// Sum over units of the difference between expected and real demand, Mbps.
    pub(super) error_mbps: f64,
}

/// A policy at work.
pub(super) struct Decider<'a> {
    policy: Policy,
    scenario: &'a Scenario,
    instance: Instance,
    forecast: Forecast,
    control: Option<Controller>,
    common: Option<CommonShare>,
    foreseen: Option<&'a (Outlook<'a>, Budget)>,
    before: Option<Plan>,
    contract_of: Vec<usize>,
}

impl<'a> Decider<'a> {
    pub(super) fn new(
        policy: Policy,
        scenario: &'a Scenario,
        ledger: &Ledger,
        foreseen: Option<&'a (Outlook<'a>, Budget)>,
    ) -> Result<Self, MonthError> {
        let instance = scenario.instance.clone();
        let mut forecast = Forecast::new(instance.units.len(), scenario.zone, SLOT_MS);
        for (slot, demand) in scenario.history() {
            forecast
                .observe(scenario.time(slot), demand)
                .map_err(|fault| MonthError::Demand { slot, fault })?;
        }
        let options = ControlOptions {
            bursts: policy != Policy::NoBurst,
            ..ControlOptions::default()
        };
        let steers = matches!(
            policy,
            Policy::NoBurst | Policy::Controlled | Policy::Foreseen
        );
        let control = steers
            .then(|| Controller::new(ledger, &instance, options))
            .transpose()?;
        Ok(Self {
            policy,
            scenario,
            forecast,
            control,
            common: (policy == Policy::CommonShare).then(|| CommonShare::new(scenario)),
            foreseen: foreseen.filter(|_| policy == Policy::Foreseen),
            before: None,
            contract_of: scenario
                .inventory
                .links
                .iter()
                .map(|link| link.contract)
                .collect(),
            instance,
        })
    }

    /// Decides a slot before its demand is known. The first slot of a day also plans levels.
    pub(super) fn decide(&mut self, ledger: &Ledger, slot: usize) -> Result<Decision, MonthError> {
        self.prepare(slot);
        let came = self.scenario.demand_mbps(slot).iter();
        let error_mbps = came
            .zip(&self.instance.units)
            .map(|(came, unit)| (came - unit.mbps).abs())
            .sum();
        let failed = |fault| MonthError::Slot { slot, fault };
        let plan = match self.policy {
            Policy::Nearest => Some(baseline::nearest(&self.instance).map_err(failed)?.plan),
            Policy::Rank => Some(
                baseline::rank_and_fill(&self.instance, 1)
                    .map_err(failed)?
                    .plan,
            ),
            Policy::Stable => Some(baseline::stable(&self.instance).map_err(failed)?.plan),
            _ => None,
        };
        if let Some(plan) = plan {
            return Ok(Decision {
                parts: vec![(1.0, plan)],
                solves: 0,
                error_mbps,
            });
        }
        self.open(ledger, slot)?;
        let mut solves = 0;
        let plan = self.settle(ledger, slot, &mut solves)?;
        let corrected = if self.corrects(slot, &plan) {
            Some(self.settle(ledger, slot, &mut solves)?)
        } else {
            None
        };
        let parts = match corrected {
            Some(rest) => vec![(REACTED_SHARE, plan), (1.0 - REACTED_SHARE, rest)],
            None => vec![(1.0, plan)],
        };
        Ok(Decision {
            parts,
            solves,
            error_mbps,
        })
    }

    /// Asks the optimizer until nobody exceeds a level without a free slot.
    fn settle(
        &mut self,
        ledger: &Ledger,
        slot: usize,
        solves: &mut u32,
    ) -> Result<Plan, MonthError> {
        let now = self.scenario.time(i64::try_from(slot).unwrap_or(0));
        loop {
            self.price(ledger, now);
            let plan = self.solve(slot)?;
            *solves += 1;
            let loads = self.loads(&plan);
            self.before = Some(plan.clone());
            let verdict = match (&mut self.control, &mut self.common) {
                (Some(control), _) => control.judge(&loads),
                (None, Some(common)) => common.judge(ledger, &loads, now),
                (None, None) => Verdict::Settled,
            };
            if verdict == Verdict::Settled {
                return Ok(plan);
            }
        }
    }

    /// After the first minutes of the slot: whether what has shown by then makes the rest of it
    /// worth another plan, for a level that would be exceeded or for a link beyond its watermark.
    fn corrects(&mut self, slot: usize, plan: &Plan) -> bool {
        // The one knows what comes, the other decides once per slot by its authors' rules.
        if matches!(self.policy, Policy::Foreseen | Policy::CommonShare) {
            return false;
        }
        let came = self.scenario.demand_mbps(slot);
        let seen =
            |(unit, came): (&instance::Unit, &f64)| SEEN_SHARE.mul_add(came - unit.mbps, unit.mbps);
        let seen: Vec<f64> = self.instance.units.iter().zip(came).map(seen).collect();
        let expected = self.link_loads(plan, &seen);
        let carried = self.link_loads(plan, came);
        let crowded = expected
            .iter()
            .zip(&self.instance.links)
            .any(|(load, link)| *load > link.watermark_mbps() * (1.0 + TOLERANCE));
        let (carried, expected) = (self.by_contract(&carried), self.by_contract(&expected));
        let verdict = self
            .control
            .as_mut()
            .map(|control| control.reopen(REACTED_SHARE, &carried, &expected));
        if !crowded && verdict != Some(Verdict::AskAgain) {
            return false;
        }
        for (unit, mbps) in self.instance.units.iter_mut().zip(seen) {
            unit.mbps = mbps;
        }
        true
    }

    /// `[link]` -> Mbps under a plan if units asked for `demand_mbps`.
    fn link_loads(&self, plan: &Plan, demand_mbps: &[f64]) -> Vec<f64> {
        let mut loads = vec![0.0; self.instance.links.len()];
        for (shares, mbps) in plan.shares.iter().zip(demand_mbps) {
            for (link, share) in shares {
                loads[link.index()] += mbps * share;
            }
        }
        loads
    }

    /// Fills in expected demand, what is out, and who serves now.
    fn prepare(&mut self, slot: usize) {
        let here = i64::try_from(slot).unwrap_or(0);
        let before = self.scenario.demand_before(slot);
        let growth = if self.policy == Policy::Foreseen {
            Vec::new()
        } else {
            self.forecast
                .growth(self.scenario.time(here - 1), self.scenario.time(here))
        };
        for (unit, asked) in self.instance.units.iter_mut().enumerate() {
            asked.mbps = growth.get(unit).map_or_else(
                || self.scenario.demand_mbps(slot)[unit],
                |growth| before[unit] * growth,
            );
        }
        for (link, template) in self
            .instance
            .links
            .iter_mut()
            .zip(&self.scenario.instance.links)
        {
            (link.capacity_mbps, link.watermark_mbps) =
                (template.capacity_mbps, template.watermark_mbps);
        }
        for out in self.scenario.out(slot) {
            let link = &mut self.instance.links[out];
            (link.capacity_mbps, link.watermark_mbps) = (0.0, Some(0.0));
        }
    }

    /// Plans levels on the first slot of a day, and begins the slot.
    fn open(&mut self, ledger: &Ledger, slot: usize) -> Result<(), MonthError> {
        if let Some(common) = &mut self.common {
            common.open();
        }
        let Some(control) = &mut self.control else {
            return Ok(());
        };
        let now = self.scenario.time(i64::try_from(slot).unwrap_or(0));
        if slot.is_multiple_of(super::scenario::SLOTS_PER_DAY) {
            if let Some((outlook, budget)) = self.foreseen {
                control.follow(
                    ledger,
                    outlook,
                    budget,
                    slot / super::scenario::SLOTS_PER_DAY,
                    now,
                );
            } else {
                let end = self
                    .scenario
                    .time(i64::try_from(self.scenario.slots).unwrap_or(0));
                let horizon = self
                    .forecast
                    .horizon(now, end)
                    .ok_or(BudgetError::NoScenes)?;
                control.plan(ledger, &self.scenario.instance, &horizon, now)?;
            }
        }
        control.open(ledger, now);
        Ok(())
    }

    fn price(&mut self, ledger: &Ledger, now: coverage::Timestamp) {
        for (index, contract) in self.instance.contracts.iter_mut().enumerate() {
            if contract.price_cny_per_mbps.is_none() {
                continue;
            }
            let marginal = match (&self.control, &self.common, self.policy) {
                (_, _, Policy::Latency) => continue,
                (_, _, Policy::Cheapest) => average_price(ledger, index, now),
                (Some(control), _, _) => control.marginal(ledger, index, now),
                (None, Some(common), _) => common.marginal(ledger, index, now),
                (None, None, _) => ledger.marginal(index, now),
            };
            contract.price_cny_per_mbps = Some(marginal.price_cny_per_mbps);
            contract.free_below_mbps = marginal.free_below_mbps;
            contract.burst = marginal.burst;
        }
        if self.policy == Policy::Latency {
            for contract in &mut self.instance.contracts {
                contract.price_cny_per_gb = contract.price_cny_per_gb.map(|_| 0.0);
            }
        }
    }

    fn solve(&self, slot: usize) -> Result<Plan, MonthError> {
        self.instance
            .validate()
            .map_err(|fault| MonthError::Instance { slot, fault })?;
        let options = SolveOptions {
            movement: Movement::Unbounded,
            ..SolveOptions::default()
        };
        Ok(solve(&self.instance, &options, self.before.as_ref()).plan)
    }

    /// `[contract]` -> Mbps that a plan expects.
    fn loads(&self, plan: &Plan) -> Vec<f64> {
        let demand: Vec<f64> = self.instance.units.iter().map(|unit| unit.mbps).collect();
        self.by_contract(&self.link_loads(plan, &demand))
    }

    /// Sums of links by contract.
    fn by_contract(&self, link_mbps: &[f64]) -> Vec<f64> {
        let mut sums = vec![0.0; self.instance.contracts.len()];
        for (load, contract) in link_mbps.iter().zip(&self.contract_of) {
            sums[*contract] += load;
        }
        sums
    }

    /// Ends a slot with what came and what contracts carried.
    pub(super) fn close(&mut self, slot: usize, carried_mbps: &[f64]) -> Result<(), MonthError> {
        let here = i64::try_from(slot).unwrap_or(0);
        self.forecast
            .observe(self.scenario.time(here), self.scenario.demand_mbps(slot))
            .map_err(|fault| MonthError::Demand { slot: here, fault })?;
        if let Some(control) = &mut self.control {
            control.close(carried_mbps);
        }
        Ok(())
    }

    /// The instance as it was last decided on.
    pub(super) const fn instance(&self) -> &Instance {
        &self.instance
    }
}
