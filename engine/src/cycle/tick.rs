//! One tick: what is cheap, and what cannot wait.

use super::compose::Half;
use super::{Adopted, Draft, Engine, Tier, Under, local};
use crate::drain::Drain;
use crate::health::Health;
use crate::limits::Limits;
use crate::model::split_index;
use crate::publish::{Held, Reason};
use crate::realise::{RunnersUp, catalog, patch};
use coverage::{NodeId, Snapshot, Timestamp};
use instance::{Duals, Price};
use std::sync::Arc;
use std::time::Duration;

/// Lead over the clock something may be noted with: as far as clocks of senders are borne with.
const AHEAD_MAX: Duration = Duration::from_mins(1);

/// Ages of a stale estimate after a start, after which a silent source is not waited for.
const HEARING_PERIODS: u32 = 5;

/// Outcome of a tick.
#[derive(Debug)]
pub struct Tick {
    /// Drains that changed and must be stored before anything is published.
    pub drains: Vec<Drain>,
    /// Identifiers of drains that were forgotten.
    pub forgotten: Vec<String>,
    /// A map to publish at once, or why the one in force stays; `None` when that is for a job to
    /// say.
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
    /// Outcome of each job, in their order.
    pub adopted: Vec<(Tier, Adopted)>,
}

impl Engine {
    /// One tick at `now`: drains first, then what the local tier and static services answer at
    /// once. Then, and when the draft in it was published, [`Engine::job`] tells what is worth
    /// solving.
    pub fn tick(&mut self, now: Timestamp) -> Tick {
        self.known.awake_since.get_or_insert(now);
        self.follow_clock(now);
        self.advance_contracts(now);
        self.urgent = false;
        let health = self.known.health(now);
        self.note_state(&health, now);
        let changed = self.with_world(&health, now, |drains, world| drains.step(world, now));
        let drains = changed
            .iter()
            .filter_map(|changed| self.drains.get(&changed.id))
            .cloned()
            .collect();
        let forgotten = self.drains.take_forgotten();
        let under = self.under(&health, now);
        self.newest = Some(under.clone());
        let outcome = self.at_once(&health, under, now);
        Tick {
            drains,
            forgotten,
            outcome,
            silent_nodes: self.names_of(&health.silent_nodes),
            failed_open: health.failed_open,
        }
    }

    /// Tick, jobs and adoption one after the other in this thread; `put` brings a draft into
    /// service and returns what is then in force. What a daemon does with a thread beside, for
    /// tests and simulations: a function of its inputs.
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
        let name = |node: &NodeId| self.known.inventory.nodes[node.index()].name.clone();
        nodes.iter().map(name).collect()
    }

    /// Brings what was noted under a clock that was ahead back to `now`. It would count as new
    /// until the clock is there again: measurements would be taken for late ones, and what gates
    /// hold would be held.
    fn follow_clock(&mut self, now: Timestamp) {
        if self.noted_until > now.after(AHEAD_MAX) {
            self.noted_until = now;
            self.in_force.holds_as_of = self.in_force.holds_as_of.min(now);
            self.known.estimates.not_after(now);
            self.gates.not_after(now);
        }
        self.noted_until = self.noted_until.max(now);
    }

    /// Returns what can be said without a solve.
    fn at_once(
        &mut self,
        health: &Health,
        under: Under,
        now: Timestamp,
    ) -> Option<Result<Draft, Held>> {
        if let Some(reason) = &self.pinned {
            return Some(Err(Held::Pinned(reason.clone())));
        }
        let half = if self.known.inventory.services.is_empty() {
            let facts = self.known.facts(health, None);
            Some(self.without_services(&facts, &under, now))
        } else {
            // What the optimizer's gates hold back must not hold back a failover of static
            // services.
            let fixed = !self.steering.policies.services.is_empty();
            self.relief(health, &under, now)
                .or_else(|| self.as_served().filter(|_| fixed))
        };
        let draft = half.map_or(Ok(None), |half| self.finish_draft(half, under));
        match draft {
            Ok(Some(draft)) => Some(Ok(draft)),
            Err(held) => Some(Err(held)),
            Ok(None) if self.known.inventory.services.is_empty() => {
                self.in_force.holds_as_of = now;
                Some(Err(Held::NoGain))
            }
            Ok(None) => self.frozen(now).map(Err),
        }
    }

    /// Tells why nothing is optimized at `now`: too much of demand is stale, or nothing is known
    /// since the start, and a map made of assumptions must not replace one made of measurements.
    /// The local tier goes on, because it only takes away.
    pub(super) fn frozen(&self, now: Timestamp) -> Option<Held> {
        self.in_force.snapshot.as_ref()?;
        let freshness = self.known.estimates.demand_freshness(now);
        if freshness.known == 0 || !self.has_heard_enough(now) {
            return Some(Held::Silent);
        }
        let stale = freshness.stale_share() > self.known.options.publish.stale_share_max;
        stale.then_some(Held::Stale {
            stale: freshness.stale,
            known: freshness.known,
        })
    }

    /// Tells whether those who usually ask for most have been heard since the start, or it is long
    /// ago: until then demand is mostly assumed.
    fn has_heard_enough(&self, now: Timestamp) -> bool {
        let Some(usual) = self.known.contracts.usual_mbps(now) else {
            return true;
        };
        let hearing = self.known.options.estimate.stale_after * HEARING_PERIODS;
        if self
            .known
            .awake_since
            .is_none_or(|since| now.since(since) > hearing)
        {
            return true;
        }
        let areas = self.known.table.areas().len();
        let is_known = |unit: usize| {
            let (service, area) = split_index(unit, areas);
            self.known.estimates.demand(area, service).is_some()
        };
        let (mut all, mut heard) = (0.0, 0.0);
        for (unit, mbps) in usual.iter().enumerate() {
            all += mbps;
            heard += if is_known(unit) { *mbps } else { 0.0 };
        }
        heard >= (1.0 - self.known.options.publish.stale_share_max) * all
    }

    /// The local tier: the map in force with everything moved that stands on what is gone, if what
    /// may be used changed.
    fn relief(&mut self, health: &Health, under: &Under, now: Timestamp) -> Option<Half> {
        let everything = under.limits == Limits::default() && under.nodes_up.iter().all(|up| *up);
        let seen = self.in_force.relieved_under.as_ref();
        if seen.map_or(everything, |seen| seen == under) {
            return None;
        }
        let (in_force, serving) = (self.in_force.plan.clone()?, self.in_force.snapshot.clone()?);
        let mut half = self.as_served()?;
        let facts = self.known.facts(health, Some(&in_force));
        // Without a solve since the start, prices are unknown and demand is what is known now.
        let (built, unpriced);
        let (base, duals) = if let Some(last) = &self.last {
            (&*last.instance, &last.certificate.duals)
        } else {
            (built, unpriced) = (facts.instance(&under.limits, now), unpriced_duals(&facts));
            (&built, &unpriced)
        };
        let relieved = local::relieve(&facts, &under.limits, base, duals, &in_force)?;
        patch(
            &facts,
            &under.limits,
            (base, &relieved.sites_mbps),
            (&in_force, &relieved.changed),
            RunnersUp::Old,
            &serving,
            &mut half.map,
        );
        half.catalog = catalog(&facts, &under.limits, self.drains.active(now));
        half.reason = Reason::Limits;
        half.tier = Some(Tier::Local);
        self.in_force.holds_as_of = now;
        Some(half)
    }
}

/// No prices at all.
fn unpriced_duals(facts: &crate::model::Facts<'_>) -> Duals {
    let none = |rows: usize| vec![Price::default(); rows];
    Duals {
        links: none(facts.inventory.links.len()),
        sites: none(facts.inventory.sites.len()),
        regions: Vec::new(),
        contracts: none(facts.inventory.contracts.len()),
        requests: Vec::new(),
    }
}
