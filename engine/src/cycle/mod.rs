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
mod in_force;
mod insight;
mod job;
mod known;
mod last;
mod local;
mod options;
mod steps;
mod tick;
mod tier;
mod weights;

#[cfg(test)]
mod tests;

pub use adopt::Adopted;
pub use draft::Draft;
pub use job::{Job, Solved};
pub use last::LastSolve;
pub use options::EngineOptions;
pub use tick::{Cycle, Tick};
pub use tier::Tier;
pub use weights::OnWeights;

use crate::billing::SlotSample;
use crate::drain::{Drain, Drains};
use crate::health::Health;
use crate::inventory::Inventory;
use crate::policy::{CheckStates, Policies, PolicyAreas};
use crate::publish::{Gates, Stop};
use coverage::observation::{Observation, Sample};
use coverage::{AreaTable, MapVersion, Snapshot, Timestamp};
use in_force::{InForce, Under};
use known::Known;
use std::sync::Arc;

/// Static policies, and what every area of the table gets from them.
#[derive(Clone, Debug, Default)]
pub struct Steering {
    /// The policies.
    pub policies: Policies,
    /// Policy of areas.
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
pub struct Engine {
    /// Inventory, choices and observations.
    known: Known,
    steering: Arc<Steering>,
    checks: CheckStates,
    /// True when something was told since the last tick that should not wait for the next.
    urgent: bool,
    gates: Gates,
    drains: Drains,
    in_force: InForce,
    /// Conditions the newest tick or job saw.
    newest: Option<Under>,
    /// Latest time that anything was noted with.
    noted_until: Timestamp,
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
        stored: Stored,
    ) -> Self {
        let units = inventory.services.len() * table.areas().len();
        Self {
            gates: Gates::new(options.publish.gates, units, inventory.sites.len()),
            drains: Drains::restore(stored.drains, options.drain.clone()),
            in_force: InForce::restored(stored.serving, &inventory, &table),
            known: Known::new(inventory, table, options, stored.samples),
            steering,
            checks: CheckStates::default(),
            urgent: false,
            newest: None,
            // What was stored may be of any time.
            noted_until: Timestamp(u64::MAX),
            edges_confirmed: None,
            pinned: None,
            last: None,
        }
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
            self.urgent |= match observation.sample {
                Sample::Check { check, address, up } => self.checks.set(check.index(), address, up),
                _ => self.known.take_in(observation),
            };
            if let Sample::Link { link, mbps } = observation.sample {
                // What is refused is counted by the ledger; the good ones go on.
                let counted =
                    self.known
                        .contracts
                        .count(&self.known.inventory, (link, mbps), observation.at);
                closed.extend(counted.unwrap_or_default());
            }
        }
        closed
    }

    /// Tells whether the next tick should not be waited for: a check changed its mind, a node went
    /// down or came back, a link became full.
    #[must_use]
    pub const fn is_urgent(&self) -> bool {
        self.urgent
    }

    /// Returns what gates have stopped or let pass since the last call, for the audit log.
    pub fn take_stops(&mut self) -> Vec<Stop> {
        self.gates.take_news()
    }

    /// Holds the map for a reason, or lets it go.
    pub fn pin(&mut self, reason: Option<String>) {
        self.pinned = reason;
    }

    /// Newest version that all known edges serve; `None` when there are none.
    pub const fn confirm_edges(&mut self, version: Option<MapVersion>) {
        self.edges_confirmed = version;
    }

    /// Returns what exists.
    #[must_use]
    pub fn inventory(&self) -> &Inventory {
        &self.known.inventory
    }

    /// Drains as they stand.
    #[must_use]
    pub const fn drains(&self) -> &Drains {
        &self.drains
    }

    /// Returns what was solved last.
    #[must_use]
    pub const fn last(&self) -> Option<&LastSolve> {
        self.last.as_ref()
    }

    /// Tells the engine that `snapshot` is in force: its `draft`, or an earlier map that an
    /// operator went back to.
    pub fn note_published(
        &mut self,
        snapshot: Arc<Snapshot>,
        draft: Option<&Draft>,
        now: Timestamp,
    ) {
        let (inventory, table) = (&self.known.inventory, &self.known.table);
        if let Some(before) = self.in_force.replace(snapshot, inventory, table, now) {
            self.note_moves(before.as_deref(), now);
        }
        self.in_force.note_draft(draft);
    }

    /// Returns what may be used at `now`.
    fn under(&self, health: &Health, now: Timestamp) -> Under {
        Under {
            limits: self.drains.limits(now, &self.known.inventory),
            nodes_up: health.nodes_up.clone(),
        }
    }
}
