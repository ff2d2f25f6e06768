//! From the plan that is wanted to the one that is published next: the gates' part of a cycle.

use super::tier::Tier;
use super::{Engine, LastSolve};
use crate::health::Health;
use crate::inventory::Contract;
use crate::model::split_index;
use crate::publish::{Gates, Held, Present, Prices, Purpose, Reason, Step};
use coverage::Timestamp;
use instance::{ContractModel, Plan};
use optimizer::Problem;
use std::time::Duration;

/// A plan to be published, and whether it is all that was wanted.
pub(super) struct Taken {
    pub(super) plan: Plan,
    pub(super) whole: bool,
}

impl Engine {
    /// The step back from a large change that serves its canary areas worse than was promised, when
    /// its trial is over.
    pub(super) fn roll_back(&mut self, tier: Tier, now: Timestamp) -> Option<Taken> {
        let before = self.in_force.plan.clone()?;
        let back = self.ask_gates(Purpose::Gain, now, |gates, last, problem, present| {
            let alike = tier == Tier::Full && before.shares.len() == last.instance.units.len();
            alike.then(|| gates.take_back(problem, &before, present))
        });
        let plan = back.flatten().flatten()?.plan;
        Some(Taken { plan, whole: true })
    }

    /// Takes the step the newest plan may be followed at `now`, if its input was `admitted`.
    ///
    /// # Errors
    /// [`Held::Input`], [`Held::Canary`] or [`Held::Withheld`].
    pub(super) fn take_step(
        &mut self,
        tier: Tier,
        reason: Reason,
        admitted: Result<(), Held>,
        now: Timestamp,
    ) -> Result<Taken, Held> {
        let purpose = match (reason, &admitted) {
            // Relief goes on, step by step: what is overloaded is so by its own measure, too.
            (Reason::Gain, Err(held)) => return Err(held.clone()),
            (Reason::Gain, Ok(())) => Purpose::Gain,
            (_, Err(_)) => Purpose::ReliefAlone,
            _ if tier == Tier::Warm => Purpose::Rescue,
            _ => Purpose::Relief,
        };
        let before = self.in_force.plan.clone();
        let taken = self.ask_gates(purpose, now, |gates, last, problem, present| {
            let target = &last.weights.plan;
            match before {
                Some(before) if before.shares.len() == target.shares.len() => {
                    let step = gates.step(problem, (&before, target), present)?;
                    take(step, &before, target)
                }
                _ => Ok(Taken {
                    plan: target.clone(),
                    whole: true,
                }),
            }
        });
        taken.unwrap_or(Err(Held::NoGain))
    }

    /// Asks the gates about the newest plan, with all that is known at `now`; `None` before the
    /// first plan.
    fn ask_gates<T>(
        &mut self,
        purpose: Purpose,
        now: Timestamp,
        ask: impl FnOnce(&mut Gates, &LastSolve, &Problem<'_>, &Present<'_>) -> T,
    ) -> Option<T> {
        let (known, in_force) = (&self.known, &self.in_force);
        let last = self.last.as_ref()?;
        let areas = known.table.areas().len();
        let ttl = |unit: usize| {
            let service = &known.inventory.services[split_index(unit, areas).0.index()];
            Duration::from_secs(u64::from(service.served.ttl_s))
        };
        let measured = |unit: usize| {
            let shares = in_force.plan.as_ref()?.shares.get(unit)?;
            let (_, area) = split_index(unit, areas);
            let (mut ms, mut oldest) = (0.0, now);
            for &(link, share) in shares {
                let estimate = known.estimates.quality(area, link)?;
                ms += share * estimate.value;
                oldest = oldest.min(estimate.at);
            }
            Some((ms, oldest, last.instance.units[unit].mbps))
        };
        let present = Present {
            now,
            site_ages: &known.site_ages(now),
            stale_after: known.options.estimate.stale_after,
            ttl: &ttl,
            measured: &measured,
            purpose,
        };
        let problem = Problem::new(&last.instance);
        Some(ask(&mut self.gates, last, &problem, &present))
    }

    /// Tells the gates what is away and what is frozen.
    pub(super) fn note_state(&mut self, health: &Health, now: Timestamp) {
        let mut up_mbps = vec![0.0; self.known.inventory.sites.len()];
        let mut all_mbps = up_mbps.clone();
        for (node, up) in self.known.inventory.nodes.iter().zip(&health.nodes_up) {
            let site = self.known.inventory.site_of(node).index();
            all_mbps[site] += node.capacity_mbps;
            up_mbps[site] += if *up { node.capacity_mbps } else { 0.0 };
        }
        // A site counts as away while less than half of it is there.
        let away = up_mbps
            .iter()
            .zip(&all_mbps)
            .map(|(up, all)| *up < 0.5 * all);
        self.gates.note_sites(&away.collect::<Vec<_>>(), now);
        self.gates.note_failed_open(&health.failed_open);
        let why = self.frozen(now).map(|held| match held {
            Held::Silent => "too little has been heard since the start",
            _ => "too much of demand is stale",
        });
        self.gates.note_frozen(
            why.map(|why| format!("{why}: only what fails is left, nothing is optimized")),
        );
        self.gates.note_pinned(self.pinned.as_deref());
    }

    /// Tells the gates what a new map has moved.
    pub(super) fn note_moves(&mut self, before: Option<&Plan>, now: Timestamp) {
        if let (Some(before), Some(after), Some(last)) = (before, &self.in_force.plan, &self.last)
            && before.shares.len() == after.shares.len()
            && last.instance.units.len() == after.shares.len()
        {
            let problem = Problem::new(&last.instance);
            self.gates.published(&problem, before, after, now);
        }
    }

    /// Prices of the contracts, to be kept over a restart; `None` while they are doubted.
    #[must_use]
    pub fn believed_prices(&self) -> Option<Prices> {
        self.gates.believes_prices().then(|| self.prices())
    }

    /// Compares prices with those that were kept before a restart: where one jumped, the map stays
    /// until it has lasted. Who serves nothing yet has nothing to lose by them.
    pub fn restore_prices(&mut self, before: &Prices) {
        if self.in_force.snapshot.is_some() {
            self.gates.compare_prices(before, &self.prices());
        }
    }

    fn prices(&self) -> Prices {
        let price = |contract: &Contract| match contract.model {
            ContractModel::PerGb => contract.price_cny_per_gb,
            _ => contract.price_cny_per_mbps_month,
        };
        let contracts = self.known.inventory.contracts.iter();
        contracts
            .map(|contract| (contract.name.clone(), price(contract)))
            .collect()
    }

    /// Believes the next input however much it differs: an operator says so.
    pub fn trust_next_input(&mut self) {
        self.gates.trust_next_input();
    }
}

/// The plan that a step makes.
fn take(step: Step, before: &Plan, target: &Plan) -> Result<Taken, Held> {
    let whole = step.plan.shares == target.shares;
    if !whole && step.plan.shares == before.shares {
        let gates = step.withheld_mbps.iter();
        let words = gates.map(|(gate, mbps)| format!("{} {mbps:.0} Mbps", gate.word()));
        return Err(Held::Withheld(words.collect::<Vec<_>>().join(", ")));
    }
    Ok(Taken {
        plan: step.plan,
        whole,
    })
}
