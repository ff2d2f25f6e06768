//! The map in force, with all that is known of how it came to be.

use super::draft::Draft;
use super::tier::Tier;
use super::under::Under;
use crate::inventory::Inventory;
use crate::limits::Limits;
use crate::realise::incumbent;
use coverage::{AreaTable, Snapshot, Timestamp};
use instance::Plan;
use std::sync::Arc;

/// The map in force and its origin.
#[derive(Debug, Default)]
pub(super) struct InForce {
    /// The map; `None` before the first.
    pub(super) snapshot: Option<Arc<Snapshot>>,
    /// Plan that the map amounts to for the inventory at hand; `None` when the map speaks of
    /// another area table.
    pub(super) plan: Option<Arc<Plan>>,
    /// Tier that found the optimizer's part; `None` after a restart or a rollback.
    pub(super) tier: Option<Tier>,
    /// Time as of which the map is known to be right.
    pub(super) holds_as_of: Timestamp,
    /// True while the last full plan is followed in part only.
    pub(super) cut_short: bool,
    /// Parts that the last solved map was made under.
    planned_under: Option<Under>,
    /// Parts that the local tier has last looked at.
    relieved_under: Option<Under>,
}

impl InForce {
    /// The map that was in force before a restart.
    pub(super) fn restore(
        snapshot: Option<Arc<Snapshot>>,
        inventory: &Inventory,
        table: &AreaTable,
    ) -> Self {
        Self {
            plan: snapshot
                .as_deref()
                .and_then(|map| plan_of(map, inventory, table)),
            holds_as_of: snapshot
                .as_ref()
                .map_or_else(Default::default, |map| map.created_at),
            snapshot,
            ..Self::default()
        }
    }

    /// Puts a map in force. Returns the plan of the one before when that differs.
    ///
    /// An equal plan stays the same value, so that a solve against it is not outdated.
    pub(super) fn replace(
        &mut self,
        snapshot: Arc<Snapshot>,
        inventory: &Inventory,
        table: &AreaTable,
        now: Timestamp,
    ) -> Option<Arc<Plan>> {
        let plan = plan_of(&snapshot, inventory, table);
        self.snapshot = Some(snapshot);
        self.holds_as_of = now;
        if self.plan == plan {
            return None;
        }
        std::mem::replace(&mut self.plan, plan)
    }

    /// Notes where the map in force comes from: a draft, or an earlier map that an operator went
    /// back to.
    pub(super) fn note_origin(&mut self, draft: Option<&Draft>) {
        let Some(draft) = draft else {
            (self.planned_under, self.relieved_under) = (None, None);
            (self.tier, self.cut_short) = (None, false);
            return;
        };
        let Some(tier) = draft.tier else { return };
        self.tier = Some(tier);
        self.relieved_under = Some(draft.under.clone());
        if tier == Tier::Full {
            self.cut_short = !draft.whole;
        }
        // What was cut short counts as a change that is still to be answered.
        if tier != Tier::Local && draft.whole {
            self.planned_under = Some(draft.under.clone());
        }
    }

    /// Notes that a solve under `under`, of input taken at `at`, has found nothing to change.
    pub(super) fn confirm(&mut self, under: Under, at: Timestamp) {
        self.planned_under = Some(under);
        self.holds_as_of = at;
    }

    /// Tells whether the local tier has to look at `under`: it differs from what the tier has seen
    /// last, or something is away and the tier has seen nothing yet.
    pub(super) fn needs_relief(&self, under: &Under) -> bool {
        self.relieved_under.as_ref().map_or_else(
            || under.limits != Limits::default() || under.nodes_up.contains(&false),
            |seen| seen != under,
        )
    }

    /// Tells whether `under` differs from what the last solved map was made under. After a restart
    /// that is not known; drains tell most of it.
    pub(super) fn is_changed(&self, under: &Under) -> bool {
        self.planned_under.as_ref().map_or_else(
            || under.limits != Limits::default(),
            |planned| planned != under,
        )
    }

    /// Limits that the last solved map was made under.
    pub(super) fn planned_limits(&self) -> Option<&Limits> {
        self.planned_under.as_ref().map(|under| &under.limits)
    }

    /// Tells whether `plan` is the very plan in force.
    pub(super) fn is_same_plan(&self, plan: Option<&Arc<Plan>>) -> bool {
        self.plan.as_ref().map(Arc::as_ptr) == plan.map(Arc::as_ptr)
    }
}

/// Plan that a map amounts to; `None` when it speaks of another area table.
fn plan_of(snapshot: &Snapshot, inventory: &Inventory, table: &AreaTable) -> Option<Arc<Plan>> {
    let same_table = snapshot.table.areas().len() == table.areas().len();
    same_table.then(|| Arc::new(incumbent(snapshot, inventory)))
}
