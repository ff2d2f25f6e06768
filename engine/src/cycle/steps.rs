//! From the plan that is wanted to the one that is published next: the gates' part of a cycle.

use super::{Engine, Tier};
use crate::health::{self, Health};
use crate::inventory::{BillingModel, Contract};
use crate::model::split_index;
use crate::publish::{Gates, Ground, Held, Present, Prices, Purpose, Reason, Step};
use coverage::{LinkId, NodeId, Timestamp};
use instance::{Instance, Plan};
use std::time::Duration;

/// The plan that is published next.
pub(super) struct NextPlan {
    pub(super) plan: Plan,
    /// True when it is all that was wanted.
    pub(super) whole: bool,
    /// Tier that found it.
    pub(super) tier: Tier,
    /// Reason why it is worth publishing.
    pub(super) reason: Reason,
}

impl Engine {
    /// Steps back from a large change that serves its canary areas worse than was promised, when
    /// its trial is over.
    pub(super) fn roll_back(&mut self, tier: Tier, now: Timestamp) -> Option<NextPlan> {
        let before = self.in_force.plan.clone()?;
        let last = self.last.clone()?;
        if tier != Tier::Full || before.shares.len() != last.instance.units.len() {
            return None;
        }
        let back = self.ask_gates(
            &last.instance,
            Purpose::Gain,
            now,
            |gates, ground, present| gates.take_back(ground, &before, present),
        )?;
        Some(NextPlan {
            plan: back.plan,
            whole: true,
            tier,
            reason: Reason::RollBack,
        })
    }

    /// Follows the newest plan as far as gates allow at `now`, if its input was `admitted`.
    ///
    /// # Errors
    /// [`Held::Input`], [`Held::Canary`] or [`Held::Withheld`].
    pub(super) fn take_step(
        &mut self,
        tier: Tier,
        reason: Reason,
        admitted: Result<(), Held>,
        now: Timestamp,
    ) -> Result<NextPlan, Held> {
        let last = self.last.clone().ok_or(Held::NoGain)?;
        let target = &last.weights.plan;
        let purpose = match reason {
            Reason::Gain => {
                admitted?;
                Purpose::Gain
            }
            // Relief goes on, step by step: what is overloaded is so by its own measure, too.
            _ if admitted.is_err() => Purpose::ReliefAlone,
            _ if tier == Tier::Warm => Purpose::Rescue,
            _ => Purpose::Relief,
        };
        let same_units = |plan: &&Plan| plan.shares.len() == target.shares.len();
        let plan = match self.in_force.plan.clone().as_deref().filter(same_units) {
            Some(before) => {
                let step =
                    self.ask_gates(&last.instance, purpose, now, |gates, ground, present| {
                        gates.step(ground, (before, target), present)
                    })?;
                refuse_standstill(step, before, target)?
            }
            None => target.clone(),
        };
        Ok(NextPlan {
            whole: plan.shares == target.shares,
            plan,
            tier,
            reason,
        })
    }

    /// Asks the gates with all that is known at `now`.
    fn ask_gates<T>(
        &mut self,
        instance: &Instance,
        purpose: Purpose,
        now: Timestamp,
        ask: impl FnOnce(&mut Gates, Ground<'_>, &Present<'_>) -> T,
    ) -> T {
        let areas = self.table.areas().len();
        let site_ages = self.site_ages(now);
        let inventory = &self.inventory;
        let ttl = |unit: usize| {
            let (service, _) = split_index(unit, areas);
            let ttl_s = inventory.services[service.index()].served.ttl_s;
            Duration::from_secs(u64::from(ttl_s))
        };
        let (estimates, in_force) = (&self.estimates, self.in_force.plan.as_deref());
        let measured = |unit: usize| {
            let shares = in_force?.shares.get(unit)?;
            let (_, area) = split_index(unit, areas);
            let (mut ms, mut oldest) = (0.0, now);
            for &(link, share) in shares {
                let estimate = estimates.quality(area, link)?;
                ms += share * estimate.value;
                oldest = oldest.min(estimate.at);
            }
            Some((ms, oldest, instance.units[unit].mbps))
        };
        let present = Present {
            now,
            site_ages: &site_ages,
            stale_after: self.options.estimate.stale_after,
            ttl: &ttl,
            measured: &measured,
            purpose,
        };
        let ground = Ground {
            instance,
            site_of: &self.site_of,
        };
        ask(&mut self.gates, ground, &present)
    }

    /// `[site]` -> age of the newest report of any of its links and nodes, as [`health::ages`] has
    /// it.
    fn site_ages(&self, now: Timestamp) -> Vec<Option<Duration>> {
        let links = self.site_of.iter().enumerate().map(|(link, &site)| {
            let heard = self.estimates.link(LinkId::from_index(link));
            (site, heard.map(|estimate| estimate.at))
        });
        let nodes = self
            .inventory
            .nodes
            .iter()
            .enumerate()
            .map(|(index, node)| {
                let site = self.inventory.site_of(node).index();
                (site, self.estimates.health(NodeId::from_index(index)).at)
            });
        let mut newest: Vec<Option<Timestamp>> = vec![None; self.inventory.sites.len()];
        for (site, at) in links.chain(nodes) {
            newest[site] = newest[site].max(at);
        }
        health::ages(&newest, self.moment(now))
    }

    /// Tells the gates what is away and what is frozen.
    pub(super) fn note_state(&mut self, health: &Health, now: Timestamp) {
        let mut up_mbps = vec![0.0; self.inventory.sites.len()];
        let mut all_mbps = up_mbps.clone();
        for (node, up) in self.inventory.nodes.iter().zip(&health.nodes_up) {
            let site = self.inventory.site_of(node).index();
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
        let why = self.why_frozen(now).map(|held| match held {
            Held::Silent => "too little has been heard since the start",
            _ => "too much of demand is stale",
        });
        self.gates.note_frozen(
            why.map(|why| format!("{why}: only what fails is left, nothing is optimized")),
        );
        self.gates.note_pinned(self.pinned.as_deref());
    }

    /// Tells the gates what a new map has moved.
    pub(super) fn note_moves(&mut self, before: &Plan, now: Timestamp) {
        if let (Some(after), Some(last)) = (&self.in_force.plan, &self.last)
            && before.shares.len() == after.shares.len()
            && last.instance.units.len() == after.shares.len()
        {
            let ground = Ground {
                instance: &last.instance,
                site_of: &self.site_of,
            };
            self.gates.published(ground, before, after, now);
        }
    }

    /// Prices of the contracts, to be kept over a restart; `None` while they are doubted.
    #[must_use]
    pub fn believed_prices(&self) -> Option<Prices> {
        self.gates.believes_prices().then(|| self.prices())
    }

    /// Compares prices with those that were kept before a restart: where one jumped, the map stays
    /// until it has lasted. Without a map there is nothing to lose by them.
    pub fn restore_prices(&mut self, before: &Prices) {
        if self.in_force.snapshot.is_some() {
            self.gates.compare_prices(before, &self.prices());
        }
    }

    fn prices(&self) -> Prices {
        let price = |contract: &Contract| match contract.model {
            BillingModel::PerGb => contract.price_cny_per_gb,
            _ => contract.price_cny_per_mbps_month,
        };
        let contracts = self.inventory.contracts.iter();
        contracts
            .map(|contract| (contract.name.clone(), price(contract)))
            .collect()
    }

    /// Believes the next input however much it differs: an operator says so.
    pub fn trust_next_input(&mut self) {
        self.gates.trust_next_input();
    }
}

/// Plan that a step leads to.
///
/// # Errors
/// [`Held::Withheld`] when it stays where it was and is not all that was wanted.
fn refuse_standstill(step: Step, before: &Plan, target: &Plan) -> Result<Plan, Held> {
    if step.plan.shares == before.shares && step.plan.shares != target.shares {
        let gates = step.withheld_mbps.iter();
        let words = gates.map(|(gate, mbps)| format!("{} {mbps:.0} Mbps", gate.word()));
        return Err(Held::Withheld(words.collect::<Vec<_>>().join(", ")));
    }
    Ok(step.plan)
}
