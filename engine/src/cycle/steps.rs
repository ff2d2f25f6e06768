//! From the plan that is wanted to the one that is published next: the gates' part of a cycle.

use super::{Engine, Tier};
use crate::health::{self, Health};
use crate::inventory::{BillingModel, Contract};
use crate::publish::{Gates, Held, Present, Prices, Purpose, Reason, Step};
use coverage::{AreaId, LinkId, NodeId, Timestamp};
use instance::{Instance, Plan};
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
    pub(super) fn rolled_back(&mut self, tier: Tier, now: Timestamp) -> Option<Taken> {
        let before = self.in_force.clone()?;
        let last = self.last.take()?;
        let alike = tier == Tier::Full && before.shares.len() == last.instance.units.len();
        let back = alike.then(|| {
            self.with_present(&last.instance, Purpose::Gain, now, |gates, problem, now| {
                gates.take_back(problem, &before, now)
            })
        });
        self.last = Some(last);
        let plan = back.flatten()?.plan;
        Some(Taken { plan, whole: true })
    }

    /// How far the newest plan may be followed at `now`, if its input was `admitted`.
    ///
    /// # Errors
    /// [`Held::Input`], [`Held::Canary`] or [`Held::Withheld`].
    pub(super) fn stepped(
        &mut self,
        (tier, reason): (Tier, Reason),
        admitted: Result<(), Held>,
        now: Timestamp,
    ) -> Result<Taken, Held> {
        let Some(last) = self.last.take() else {
            return Err(Held::NoGain);
        };
        let target = &last.weights.plan;
        let doubted = admitted.is_err();
        let taken = match (reason, admitted, self.in_force.clone()) {
            // Relief goes on, step by step: what is overloaded is so by its own measure, too.
            (Reason::Gain, Err(held), _) => Err(held),
            (_, _, Some(before)) if before.shares.len() == target.shares.len() => {
                let purpose = match reason {
                    Reason::Gain => Purpose::Gain,
                    _ if doubted => Purpose::ReliefAlone,
                    _ if tier == Tier::Warm => Purpose::Rescue,
                    _ => Purpose::Relief,
                };
                let step =
                    self.with_present(&last.instance, purpose, now, |gates, problem, now| {
                        gates.step(problem, (&before, target), now)
                    });
                step.and_then(|step| taken(step, &before, target))
            }
            _ => Ok(Taken {
                plan: target.clone(),
                whole: true,
            }),
        };
        self.last = Some(last);
        taken
    }

    /// Asks the gates with all that is known at `now`.
    fn with_present<T>(
        &mut self,
        instance: &Instance,
        purpose: Purpose,
        now: Timestamp,
        ask: impl FnOnce(&mut Gates, &Problem<'_>, &Present<'_>) -> T,
    ) -> T {
        let areas = self.table.areas().len();
        let site_ages = self.site_ages(now);
        let inventory = &self.inventory;
        let ttl = |unit: usize| {
            let service = &inventory.services[unit / areas];
            Duration::from_secs(u64::from(service.served.ttl_s))
        };
        let (estimates, in_force) = (&self.estimates, self.in_force.clone());
        let measured = |unit: usize| {
            let shares = in_force.as_ref()?.shares.get(unit)?;
            let area = AreaId(u32::try_from(unit % areas).ok()?);
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
        let problem = Problem::new(instance);
        ask(&mut self.gates, &problem, &present)
    }

    /// [site] -> age of the newest report of any of its links and nodes, as [`health::ages`] has
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
        if let (Some(before), Some(after), Some(last)) = (before, &self.in_force, &self.last)
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
        if self.serving.is_some() {
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

/// What a step makes of a plan.
fn taken(step: Step, before: &Plan, target: &Plan) -> Result<Taken, Held> {
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
