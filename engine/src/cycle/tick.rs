//! One tick: what is cheap, and what cannot wait.

use super::draft::Part;
use super::{Adopted, Draft, Engine, Tier, Under, local};
use crate::drain::Drain;
use crate::health::Health;
use crate::model::{Reach, split_index};
use crate::publish::{Held, Reason};
use crate::realise::{RunnersUp, catalog, patch};
use coverage::{NodeId, Snapshot, Timestamp};
use instance::{Duals, Instance};
use std::sync::Arc;

/// Times the age of a stale estimate after a start beyond which nothing more is waited for.
const HEARING_PERIODS: u32 = 5;

/// Result of a tick.
#[derive(Debug)]
pub struct Tick {
    /// Drains that changed and must be stored before anything is published.
    pub drains: Vec<Drain>,
    /// Identifiers of drains that were forgotten.
    pub forgotten: Vec<String>,
    /// A map to publish at once, or the reason why the one in force stays; `None` when that is for
    /// a job to say.
    pub outcome: Option<Result<Draft, Held>>,
    /// Regions whose health reports were not believed.
    pub failed_open: Vec<String>,
    /// Nodes that were taken for down because they alone of their site say nothing.
    pub silent_nodes: Vec<String>,
}

/// A whole cycle, with all jobs that it led to.
#[derive(Debug)]
pub struct Cycle {
    /// The tick.
    pub tick: Tick,
    /// Result of each job, in their order.
    pub adopted: Vec<(Tier, Adopted)>,
}

impl Engine {
    /// Runs one tick at `now`: drains first, then what the local tier and static services answer at
    /// once. Then, and when the draft in it was published, [`Engine::job`] tells what is worth
    /// solving.
    pub fn tick(&mut self, now: Timestamp) -> Tick {
        self.follow_clock(now);
        self.advance_contracts(now);
        self.watch.clear();
        let health = self.health(now);
        self.note_state(&health, now);
        let changed = self.judge_drains(&health, now, |drains, world| drains.step(world, now));
        let drains = changed
            .iter()
            .filter_map(|changed| self.drains.get(&changed.id))
            .cloned()
            .collect();
        let forgotten = self.drains.take_forgotten();
        let under = self.under(&health, now);
        self.newest = Some(under.clone());
        let outcome = self.answer_at_once(&health, under, now);
        Tick {
            drains,
            forgotten,
            outcome,
            silent_nodes: self.names_of(&health.silent_nodes),
            failed_open: health.failed_open,
        }
    }

    /// Runs tick, jobs and adoption one after the other in this thread; `put` brings a draft into
    /// service and returns what is then in force. A daemon does the same with a thread beside; this
    /// is for tests and simulations, a function of its inputs.
    pub fn cycle(
        &mut self,
        now: Timestamp,
        mut put: impl FnMut(&Draft) -> Option<Arc<Snapshot>>,
    ) -> Cycle {
        let mut publish = |engine: &mut Self, draft: &Draft| {
            if let Some(snapshot) = put(draft) {
                engine.note_published(snapshot, Some(draft), now);
            }
        };
        let tick = self.tick(now);
        if let Some(Ok(draft)) = &tick.outcome {
            publish(self, draft);
        }
        if let Some(job) = self.levels_job(now) {
            self.adopt_levels(job.run(None), now);
        }
        let mut adopted = Vec::new();
        while let Some(job) = self.job(now) {
            let tier = job.tier();
            let outcome = self.adopt(job.run(None), now);
            if let Adopted::Draft(draft) = &outcome {
                publish(self, draft);
            }
            adopted.push((tier, outcome));
            // A full solve is the last word, unless a slot needs other prices for it.
            if tier == Tier::Full && !matches!(adopted.last(), Some((_, Adopted::Outdated))) {
                break;
            }
        }
        Cycle { tick, adopted }
    }

    fn names_of(&self, nodes: &[NodeId]) -> Vec<String> {
        let name = |node: &NodeId| self.inventory.nodes[node.index()].name.clone();
        nodes.iter().map(name).collect()
    }

    /// Says what can be said without a solve.
    fn answer_at_once(
        &mut self,
        health: &Health,
        under: Under,
        now: Timestamp,
    ) -> Option<Result<Draft, Held>> {
        if let Some(reason) = &self.pinned {
            return Some(Err(Held::Pinned(reason.clone())));
        }
        let part = if self.inventory.services.is_empty() {
            let facts = self.facts(health, None);
            Some(self.part_without_services(&facts, &under.limits, now))
        } else {
            // What the optimizer's gates hold back must not hold back a failover of static
            // services.
            let fixed = !self.steering.policies.services.is_empty();
            self.relieve(health, &under, now)
                .or_else(|| self.part_as_served().filter(|_| fixed))
        };
        let draft = part.map_or(Ok(None), |part| self.add_static_services(part, under));
        match draft {
            Ok(Some(draft)) => Some(Ok(draft)),
            Err(held) => Some(Err(held)),
            Ok(None) if self.inventory.services.is_empty() => {
                self.in_force.holds_as_of = now;
                Some(Err(Held::NoGain))
            }
            Ok(None) => self.why_frozen(now).map(Err),
        }
    }

    /// Tells why nothing is optimized at `now`: too much of demand is stale, or nothing is known
    /// since the start, and a map made of assumptions must not replace one made of measurements.
    /// The local tier goes on, because it only takes away.
    pub(super) fn why_frozen(&self, now: Timestamp) -> Option<Held> {
        self.in_force.snapshot.as_ref()?;
        let freshness = self.estimates.demand_freshness(now);
        if freshness.known == 0 || !self.has_heard_enough(now) {
            return Some(Held::Silent);
        }
        let stale = freshness.stale_share() > self.options.publish.stale_share_max;
        stale.then_some(Held::Stale {
            stale: freshness.stale,
            known: freshness.known,
        })
    }

    /// Tells whether the units that usually ask for most have been heard since the start, or it is
    /// long ago: until then demand is mostly assumed.
    fn has_heard_enough(&self, now: Timestamp) -> bool {
        let Some(usual) = self.contracts.usual_mbps(now) else {
            return true;
        };
        let hearing = self.options.estimate.stale_after * HEARING_PERIODS;
        let since = self.clock.awake_since;
        if since.is_none_or(|since| now.since(since) > hearing) {
            return true;
        }
        let areas = self.table.areas().len();
        let is_known = |unit: usize| {
            let (service, area) = split_index(unit, areas);
            self.estimates.demand(area, service).is_some()
        };
        let (mut all, mut heard) = (0.0, 0.0);
        for (unit, mbps) in usual.iter().enumerate() {
            all += mbps;
            heard += if is_known(unit) { *mbps } else { 0.0 };
        }
        heard >= (1.0 - self.options.publish.stale_share_max) * all
    }

    /// The local tier: the map in force with everything moved that stands on what is gone, if what
    /// may be used changed.
    fn relieve(&mut self, health: &Health, under: &Under, now: Timestamp) -> Option<Part> {
        if !self.in_force.needs_relief(under) {
            return None;
        }
        let (in_force, serving) = (self.in_force.plan.clone()?, self.in_force.snapshot.clone()?);
        let mut part = self.part_as_served()?;
        let facts = self.facts(health, Some(&in_force));
        let limits = &under.limits;
        // Without a solve since the start, prices are unknown and demand is what is known now.
        let unsolved;
        let (before, duals) = match &self.last {
            Some(last) => (&*last.instance, last.certificate.duals.clone()),
            None => {
                unsolved = facts.instance(limits, now);
                (&unsolved, Duals::default())
            }
        };
        let ground = Instance {
            links: facts.links(limits),
            sites: facts.sites(limits),
            regions: facts.regions(limits),
            ..before.clone()
        };
        let reach = Reach::new(&facts, limits);
        let relief = local::relieve(before, &ground, &reach, &duals, &in_force)?;
        patch(
            &facts,
            limits,
            (before, &relief.sites_mbps),
            (&in_force, &relief.changed),
            RunnersUp::Old,
            &serving,
            &mut part.map,
        );
        part.catalog = catalog(&facts, limits, self.drains.active(now));
        part.reason = Reason::Limits;
        part.tier = Some(Tier::Local);
        self.in_force.holds_as_of = now;
        Some(part)
    }
}
