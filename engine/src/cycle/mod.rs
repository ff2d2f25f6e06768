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
mod compose;
mod contracts;
mod draft;
mod drains;
mod found;
mod in_force;
mod insight;
mod job;
mod local;
mod observe;
mod steps;
mod tick;
mod tier;
mod tree;
mod under;
mod watch;
mod weights;

#[cfg(test)]
mod tests;

pub use adopt::Adopted;
pub use contracts::{
    Bill, Bills, ContractState, Contracts, LevelsJob, LevelsOutcome, PlannedLevels, RefusedSamples,
};
pub use draft::Draft;
pub use found::LastSolve;
pub use job::{Job, Solved};
pub use tick::{Cycle, Tick};
pub use tier::Tier;
pub use weights::OnWeights;

use crate::billing::{ControlOptions, SlotSample};
use crate::drain::{self, Drain, Drains};
use crate::estimate::{EstimateOptions, Estimates, Priors};
use crate::health::{self, Health, HealthRules, Moment};
use crate::inventory::Inventory;
use crate::model::{Facts, ModelOptions};
use crate::policy::{Policies, PolicyAreas};
use crate::publish::{Gates, PublishRules, Stop};
use coverage::{AreaTable, MapVersion, Snapshot, Timestamp};
use in_force::InForce;
use instance::Plan;
use std::sync::Arc;
use std::time::Duration;
use tree::Tree;
use under::Under;
use watch::{Clock, Watch};

/// Choices of a deployment.
///
/// ```
/// use engine::cycle::EngineOptions;
/// use engine::{billing::ControlOptions, drain::Rules, estimate::EstimateOptions};
/// use engine::{model::ModelOptions, publish::PublishRules};
/// use std::time::Duration;
/// let options = EngineOptions {
///     estimate: EstimateOptions {
///         quality_tau: Duration::from_mins(1),
///         traffic_tau: Duration::from_secs(30),
///         stale_after: Duration::from_mins(3),
///     },
///     model: ModelOptions {
///         slot_seconds: 300,
///         value_cny_per_gbps_ms_slot: 0.02,
///         candidates_max: 20,
///         move_cost_ms: 5.0,
///         reserve_worst_site: false,
///     },
///     publish: PublishRules::default(),
///     drain: Rules::default(),
///     slot: Duration::from_mins(5),
///     billing: ControlOptions::default(),
///     threads: 1,
///     seed: 7,
/// };
/// assert_eq!(options.slot.as_secs(), u64::from(options.model.slot_seconds));
/// ```
#[derive(Clone, Debug)]
pub struct EngineOptions {
    /// Pace of estimates.
    pub estimate: EstimateOptions,
    /// Making of instances.
    pub model: ModelOptions,
    /// Rules of publishing.
    pub publish: PublishRules,
    /// Rules of drains.
    pub drain: drain::Rules,
    /// Slot length of billing.
    pub slot: Duration,
    /// Use of levels and free slots of contracts.
    pub billing: ControlOptions,
    /// Threads for building an instance, solving and checking it; the result does not depend on it.
    pub threads: usize,
    /// Seed of everything drawn at random.
    pub seed: u64,
}

/// Static policies, and the preferences that every area of the table gets from them.
#[derive(Clone, Debug, Default)]
pub struct Steering {
    /// The policies.
    pub policies: Policies,
    /// Preferences of areas.
    pub areas: PolicyAreas,
}

/// State that survives a restart.
#[derive(Clone, Debug, Default)]
pub struct Stored {
    /// Drains, in any order.
    pub drains: Vec<Drain>,
    /// Billing slots that are over.
    pub samples: Vec<SlotSample>,
    /// The map in force, if there is one.
    pub serving: Option<Arc<Snapshot>>,
}

/// The control plane's mind.
///
/// An engine of an empty inventory publishes an empty map at once and optimizes nothing:
///
/// ```
/// use coverage::{Timestamp, area::AreaTableBuilder};
/// use engine::cycle::{Engine, EngineOptions, Stored};
/// use engine::inventory::Inventory;
/// use std::{sync::Arc, time::Duration};
/// # use engine::{billing::ControlOptions, drain::Rules, estimate::EstimateOptions};
/// # use engine::{model::ModelOptions, publish::PublishRules};
/// # let options = EngineOptions {
/// #     estimate: EstimateOptions {
/// #         quality_tau: Duration::from_mins(1),
/// #         traffic_tau: Duration::from_secs(30),
/// #         stale_after: Duration::from_mins(3),
/// #     },
/// #     model: ModelOptions {
/// #         slot_seconds: 300,
/// #         value_cny_per_gbps_ms_slot: 0.02,
/// #         candidates_max: 20,
/// #         move_cost_ms: 5.0,
/// #         reserve_worst_site: false,
/// #     },
/// #     publish: PublishRules::default(),
/// #     drain: Rules::default(),
/// #     slot: Duration::from_mins(5),
/// #     billing: ControlOptions::default(),
/// #     threads: 1,
/// #     seed: 7,
/// # };
/// let table = Arc::new(AreaTableBuilder::new().finish().unwrap());
/// let inventory = Arc::new(Inventory::default());
/// let mut engine = Engine::new(inventory, table, Arc::default(), options, Stored::default());
/// let now = Timestamp(1_767_571_200_000);
/// let tick = engine.tick(now);
/// assert!(matches!(tick.outcome, Some(Ok(_))));
/// assert!(engine.job(now).is_none());
/// assert!(engine.instance(true, now).units.is_empty());
/// ```
pub struct Engine {
    inventory: Arc<Inventory>,
    table: Arc<AreaTable>,
    steering: Arc<Steering>,
    options: EngineOptions,
    /// Assumptions where nothing was measured.
    priors: Priors,
    /// `[link]` -> site.
    site_of: Vec<usize>,
    estimates: Estimates,
    contracts: Contracts,
    watch: Watch,
    clock: Clock,
    gates: Gates,
    drains: Drains,
    in_force: InForce,
    /// Parts that could be used when the newest tick or job looked.
    newest: Option<Under>,
    edges_confirmed: Option<MapVersion>,
    /// Reason for which an operator holds the map.
    pinned: Option<String>,
    last: Option<Arc<LastSolve>>,
    /// Tree of the last solve, ready for closed links; away while a job has it.
    tree: Option<Tree>,
}

impl Engine {
    /// A mind that goes on from what was stored.
    #[must_use]
    pub fn new(
        inventory: Arc<Inventory>,
        table: Arc<AreaTable>,
        steering: Arc<Steering>,
        options: EngineOptions,
        stored: Stored,
    ) -> Self {
        let units = inventory.services.len() * table.areas().len();
        let billing = (options.slot, options.billing);
        Self {
            gates: Gates::new(options.publish.gates, units, inventory.sites.len()),
            site_of: inventory.links.iter().map(|l| l.site.index()).collect(),
            contracts: Contracts::new(&inventory, units, billing, stored.samples),
            priors: Priors::new(&inventory, &table),
            watch: Watch::new(inventory.links.len()),
            clock: Clock::default(),
            estimates: Estimates::new(&inventory, table.areas().len(), options.estimate),
            drains: Drains::restore(stored.drains, options.drain.clone()),
            in_force: InForce::restore(stored.serving, &inventory, &table),
            inventory,
            table,
            steering,
            options,
            newest: None,
            edges_confirmed: None,
            pinned: None,
            last: None,
            tree: None,
        }
    }

    /// Takes what gates have stopped or let pass since the last call, for the audit log.
    pub fn take_stops(&mut self) -> Vec<Stop> {
        self.gates.take_news()
    }

    /// Holds the map for an operator, for a reason; lets it go with `None`.
    pub fn pin(&mut self, reason: Option<String>) {
        self.pinned = reason;
    }

    /// Notes the newest version that all known edges serve; `None` when there are none.
    pub const fn confirm_edges(&mut self, version: Option<MapVersion>) {
        self.edges_confirmed = version;
    }

    /// The inventory.
    #[must_use]
    pub fn inventory(&self) -> &Inventory {
        &self.inventory
    }

    /// Drains as they stand.
    #[must_use]
    pub const fn drains(&self) -> &Drains {
        &self.drains
    }

    /// The last solve that the checker accepted.
    #[must_use]
    pub fn last(&self) -> Option<&LastSolve> {
        self.last.as_deref()
    }

    /// Notes that `snapshot` is in force: its `draft`, or an earlier map that an operator went back
    /// to.
    pub fn note_published(
        &mut self,
        snapshot: Arc<Snapshot>,
        draft: Option<&Draft>,
        now: Timestamp,
    ) {
        let before = self
            .in_force
            .replace(snapshot, &self.inventory, &self.table, now);
        if let Some(before) = before {
            self.note_moves(&before, now);
        }
        self.in_force.note_origin(draft);
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
            awake_since: self.clock.awake_since.unwrap_or(now),
        }
    }

    /// Parts that may be used at `now`.
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
            priors: &self.priors,
            estimates: &self.estimates,
            contracts: &self.contracts,
            nodes_up: &health.nodes_up,
            margins: &health.margins,
            incumbent,
            options: self.options.model,
            threads: self.options.threads,
        }
    }
}
