//! The mind of the control plane, in steps that never wait for one another.
//!
//! ```text
//! observe ─> tick: drains, limits, health ─> local relief ──────────────> draft ─> published
//!             │                                                            ^
//!             '─> job (instance, tree) ─> run, on any thread ─> adopt: checked, gated, realised
//! ```
//! The engine holds all state and does nothing by itself: whoever owns it feeds observations, calls
//! [`Engine::tick`] at its own pace, runs the [`Job`]s wherever there is time, and publishes the
//! drafts that come out. [`Engine::cycle`] does all of it in one go. There are three tiers of
//! answers ([`Tier`]): in milliseconds, in tenths of a second, in seconds.

mod adopt;
mod contracts;
mod draft;
mod drains;
mod insight;
mod job;
mod local;
mod steps;
mod tick;
mod weights;

#[cfg(test)]
mod tests;

pub use adopt::Adopted;
pub use contracts::{
    Bill, Bills, ContractState, Contracts, LevelsJob, LevelsOutcome, PlannedLevels, RefusedSamples,
};
pub use draft::Draft;
pub use job::{Job, Solved, Tier};
pub use tick::{Cycle, Tick};
pub use weights::OnWeights;

use crate::billing::{ControlOptions, SlotSample};
use crate::drain::{self, Drain, Drains};
use crate::estimate::{EstimateOptions, Estimates, priors};
use crate::health::{self, Health, HealthRules, Moment};
use crate::inventory::Inventory;
use crate::limits::Limits;
use crate::model::{Facts, ModelOptions};
use crate::policy::{CheckStates, Policies, PolicyAreas};
use crate::publish::{Gates, PublishRules, Stop};
use crate::realise::incumbent;
use coverage::observation::{Observation, Sample};
use coverage::{AreaTable, MapVersion, Snapshot, Timestamp};
use instance::{Certificate, Instance, Levels, Plan};
use job::Tree;
use std::sync::Arc;
use std::time::Duration;

/// Everything that a deployment may choose.
#[derive(Clone, Debug)]
pub struct EngineOptions {
    /// How estimates follow.
    pub estimate: EstimateOptions,
    /// How instances are made.
    pub model: ModelOptions,
    /// When plans are published.
    pub publish: PublishRules,
    /// How drains behave.
    pub drain: drain::Rules,
    /// Slot length of billing.
    pub slot: Duration,
    /// How levels and free slots of contracts are used.
    pub billing: ControlOptions,
    /// Threads for building an instance, solving and checking it; the result does not depend on it.
    pub threads: usize,
    /// Seed of everything drawn at random.
    pub seed: u64,
}

/// Static policies, and what every area of the table gets from them.
#[derive(Clone, Debug, Default)]
pub struct Steering {
    /// The policies.
    pub policies: Policies,
    /// What areas get.
    pub areas: PolicyAreas,
}

/// What may be used: what a plan is made under, and what must still hold when it is adopted.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Under {
    /// What drains and refills leave.
    pub(crate) limits: Limits,
    /// Which nodes may serve, [node].
    pub(crate) nodes_up: Vec<bool>,
}

/// What was solved last.
#[derive(Debug)]
pub struct LastSolve {
    /// When its input was taken.
    pub at: Timestamp,
    /// How it was solved.
    pub tier: Tier,
    /// The instance.
    pub instance: Arc<Instance>,
    /// The plan.
    pub plan: Plan,
    /// The same as answers can have it.
    pub weights: OnWeights,
    /// Its certificate.
    pub certificate: Certificate,
    /// How the map in force fared on the same instance; `None` when it named what was gone, or
    /// there was none.
    pub incumbent: Option<Levels>,
    /// The network of `instance`, ready for closed links; away while a job has it.
    tree: Option<Tree>,
}

/// The control plane's mind.
pub struct Engine {
    inventory: Arc<Inventory>,
    table: Arc<AreaTable>,
    steering: Arc<Steering>,
    checks: CheckStates,
    /// Whether something was told since the last tick that should not wait for the next.
    urgent: bool,
    /// [link]: whether its newest sample was above its watermark.
    full_links: Vec<bool>,
    priors_ms: Vec<f64>,
    options: EngineOptions,
    estimates: Estimates,
    contracts: Contracts,
    gates: Gates,
    /// Whether the last full plan was followed in part only.
    cut_short: bool,
    /// [link] -> site.
    site_of: Vec<usize>,
    /// IPv4 addresses in all known areas.
    addresses: u64,
    drains: Drains,
    serving: Option<Arc<Snapshot>>,
    /// What the map in force amounts to, for the inventory at hand; `None` when it speaks of
    /// another area table.
    in_force: Option<Arc<Plan>>,
    /// How the optimizer's part of the map in force was made; `None` after a restart or a rollback.
    tier_in_force: Option<Tier>,
    /// What the last solved map in force was made under.
    planned_under: Option<Under>,
    /// What the local tier has last looked at.
    relieved_under: Option<Under>,
    /// What the newest tick or job saw.
    newest: Option<Under>,
    holds_as_of: Timestamp,
    /// The latest time that anything was noted with.
    noted_until: Timestamp,
    /// When the first tick was.
    awake_since: Option<Timestamp>,
    edges_confirmed: Option<MapVersion>,
    pinned: Option<String>,
    last: Option<LastSolve>,
}

impl Engine {
    /// A mind with stored drains and billing samples, and the map in force if there is one.
    #[must_use]
    pub fn new(
        inventory: Arc<Inventory>,
        table: Arc<AreaTable>,
        steering: Arc<Steering>,
        options: EngineOptions,
        stored: (Vec<Drain>, Vec<SlotSample>),
        serving: Option<Arc<Snapshot>>,
    ) -> Self {
        let (drains, samples) = stored;
        let units = inventory.services.len() * table.areas().len();
        let billing = (options.slot, options.billing);
        let mut engine = Self {
            gates: Gates::new(options.publish.gates, units, inventory.sites.len()),
            cut_short: false,
            site_of: inventory.links.iter().map(|l| l.site.index()).collect(),
            contracts: Contracts::new(&inventory, units, billing, samples),
            addresses: table.areas()[1..].iter().map(|a| a.ipv4_addresses).sum(),
            priors_ms: priors(&inventory, &table),
            full_links: vec![false; inventory.links.len()],
            estimates: Estimates::new(&inventory, table.areas().len(), options.estimate),
            drains: Drains::restore(drains, options.drain.clone()),
            holds_as_of: serving
                .as_ref()
                .map(|snapshot| snapshot.created_at)
                .unwrap_or_default(),
            inventory,
            table,
            steering,
            checks: CheckStates::default(),
            urgent: false,
            options,
            serving,
            in_force: None,
            tier_in_force: None,
            planned_under: None,
            relieved_under: None,
            newest: None,
            // What was stored may be of any time.
            noted_until: Timestamp(u64::MAX),
            awake_since: None,
            edges_confirmed: None,
            pinned: None,
            last: None,
        };
        engine.in_force = engine.serves_as_plan();
        engine
    }

    /// Folds observations in. Returns billing slots that they closed, to be stored.
    pub fn observe(&mut self, observations: &[Observation]) -> Vec<SlotSample> {
        let mut closed = Vec::new();
        let newest = observations.iter().map(|observation| observation.at).max();
        self.noted_until = self.noted_until.max(newest.unwrap_or_default());
        // What links carry comes first: it tells which quality was measured through a full one.
        let (traffic, quality): (Vec<_>, Vec<_>) = observations
            .iter()
            .partition(|observation| !matches!(observation.sample, Sample::Quality { .. }));
        for observation in traffic.into_iter().chain(quality) {
            self.urgent |= self.take_in(observation);
            if let Sample::Link { link, mbps } = observation.sample {
                // What is refused is counted by the ledger; the good ones go on.
                let counted = self
                    .contracts
                    .count(&self.inventory, (link, mbps), observation.at);
                closed.extend(counted.unwrap_or_default());
            }
        }
        closed
    }

    /// Folds one observation in. Returns whether it tells something that should not wait.
    fn take_in(&mut self, observation: &Observation) -> bool {
        match observation.sample {
            Sample::Node { node, .. } => {
                let before = self.estimates.health(node).up;
                self.estimates.apply(observation);
                before != self.estimates.health(node).up
            }
            Sample::Link { link, .. } => {
                // The ledger takes samples for long. What is stale when it comes is no news: a link
                // that nothing else is known of stays unknown, and counts as silent no sooner than
                // if it had said nothing.
                let age = self.contracts.ledger().age(observation.at);
                if self.estimates.link(link).is_none() && age > self.options.estimate.stale_after {
                    return false;
                }
                self.estimates.apply(observation);
                let full = self.estimates.is_full(link, observation.at);
                let before = std::mem::replace(&mut self.full_links[link.index()], full);
                full && !before
            }
            Sample::Check { check, address, up } => self.checks.set(check.index(), address, up),
            _ => {
                self.estimates.apply(observation);
                false
            }
        }
    }

    /// Whether the next tick should not be waited for: a check changed its mind, a node went down
    /// or came back, a link became full.
    #[must_use]
    pub const fn is_urgent(&self) -> bool {
        self.urgent
    }

    /// What gates have stopped or let pass since the last call, for the audit log.
    pub fn take_stops(&mut self) -> Vec<Stop> {
        self.gates.take_news()
    }

    /// Whether, and why, an operator holds the map.
    pub fn pin(&mut self, reason: Option<String>) {
        self.pinned = reason;
    }

    /// Newest version that all known edges serve; `None` when there are none.
    pub const fn confirm_edges(&mut self, version: Option<MapVersion>) {
        self.edges_confirmed = version;
    }

    /// What exists.
    #[must_use]
    pub fn inventory(&self) -> &Inventory {
        &self.inventory
    }

    /// Drains as they stand.
    #[must_use]
    pub const fn drains(&self) -> &Drains {
        &self.drains
    }

    /// What was solved last.
    #[must_use]
    pub const fn last(&self) -> Option<&LastSolve> {
        self.last.as_ref()
    }

    /// Tells the engine that `snapshot` is in force: its `draft`, or an earlier map that an
    /// operator went back to.
    pub fn published(&mut self, snapshot: Arc<Snapshot>, draft: Option<&Draft>, now: Timestamp) {
        self.serving = Some(snapshot);
        self.holds_as_of = now;
        // One and the same plan stays one and the same, so that a solve against it is not outdated.
        let plan = self.serves_as_plan();
        if self.in_force != plan {
            let before = std::mem::replace(&mut self.in_force, plan);
            self.note_moves(before.as_deref(), now);
        }
        let Some(draft) = draft else {
            (self.planned_under, self.relieved_under) = (None, None);
            (self.tier_in_force, self.cut_short) = (None, false);
            return;
        };
        let Some(tier) = draft.tier else { return };
        self.tier_in_force = Some(tier);
        self.relieved_under = Some(draft.under.clone());
        if tier == Tier::Full {
            self.cut_short = !draft.whole;
        }
        // What was cut short counts as a change that is still to be answered.
        if tier != Tier::Local && draft.whole {
            self.planned_under = Some(draft.under.clone());
        }
    }

    fn health(&self, now: Timestamp) -> Health {
        let publish = &self.options.publish;
        let rules = HealthRules {
            stale_after: self.options.estimate.stale_after,
            frozen_after: publish.gates.frozen_after,
            silent_margin: publish.gates.silent_margin,
            down_share_max: publish.down_share_max,
        };
        health::judge(&self.inventory, &self.estimates, &rules, self.moment(now))
    }

    fn moment(&self, now: Timestamp) -> Moment {
        Moment {
            now,
            awake_since: self.awake_since.unwrap_or(now),
        }
    }

    fn serves_as_plan(&self) -> Option<Arc<Plan>> {
        let same_table =
            |snapshot: &&Arc<Snapshot>| snapshot.table.areas().len() == self.table.areas().len();
        self.serving
            .as_ref()
            .filter(same_table)
            .map(|snapshot| Arc::new(incumbent(snapshot, &self.inventory)))
    }

    /// What may be used at `now`.
    fn under(&self, health: &Health, now: Timestamp) -> Under {
        Under {
            limits: self.drains.limits(now, &self.inventory),
            nodes_up: health.nodes_up.clone(),
        }
    }

    fn facts<'a>(&'a self, health: &'a Health, incumbent: Option<&'a Plan>) -> Facts<'a> {
        Facts {
            inventory: &self.inventory,
            table: &self.table,
            priors_ms: &self.priors_ms,
            estimates: &self.estimates,
            contracts: &self.contracts,
            addresses: self.addresses,
            nodes_up: &health.nodes_up,
            margins: &health.margins,
            incumbent,
            options: self.options.model,
            threads: self.options.threads,
        }
    }
}
