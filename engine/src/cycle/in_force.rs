//! The map in force: what it amounts to, and how it came about.

use super::draft::Draft;
use super::tier::Tier;
use crate::inventory::Inventory;
use crate::limits::Limits;
use crate::realise::incumbent;
use coverage::{AreaTable, Snapshot, Timestamp};
use instance::Plan;
use std::sync::Arc;

/// Conditions a plan is made under, and which must still hold when it is adopted.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Under {
    /// Limits that drains and refills leave.
    pub(crate) limits: Limits,
    /// Nodes that may serve, [node].
    pub(crate) nodes_up: Vec<bool>,
}

/// The map in force and all that is known of it.
#[derive(Debug, Default)]
pub(super) struct InForce {
    /// Map that is served; `None` before the first.
    pub(super) snapshot: Option<Arc<Snapshot>>,
    /// Plan that it amounts to, for the inventory at hand; `None` when it speaks of another area
    /// table. One and the same plan stays one and the same, so that a solve against it is not
    /// outdated.
    pub(super) plan: Option<Arc<Plan>>,
    /// Tier that made the optimizer's part; `None` after a restart or a rollback.
    pub(super) tier: Option<Tier>,
    /// Conditions the last solved map in force was made under.
    pub(super) planned_under: Option<Under>,
    /// Conditions the local tier has last looked at.
    pub(super) relieved_under: Option<Under>,
    /// Latest time at which it was known to be what is wanted.
    pub(super) holds_as_of: Timestamp,
    /// True when the last full plan was followed in part only.
    pub(super) cut_short: bool,
}

impl InForce {
    /// The map that was in force before a restart.
    pub(super) fn restored(
        snapshot: Option<Arc<Snapshot>>,
        inventory: &Inventory,
        table: &AreaTable,
    ) -> Self {
        Self {
            holds_as_of: snapshot
                .as_ref()
                .map(|snapshot| snapshot.created_at)
                .unwrap_or_default(),
            plan: snapshot
                .as_ref()
                .and_then(|snapshot| amounts_to(snapshot, inventory, table)),
            snapshot,
            ..Self::default()
        }
    }

    /// Puts another map in its place. Returns the plan of before when that was another one.
    pub(super) fn replace(
        &mut self,
        snapshot: Arc<Snapshot>,
        inventory: &Inventory,
        table: &AreaTable,
        now: Timestamp,
    ) -> Option<Option<Arc<Plan>>> {
        let plan = amounts_to(&snapshot, inventory, table);
        self.snapshot = Some(snapshot);
        self.holds_as_of = now;
        (self.plan != plan).then(|| std::mem::replace(&mut self.plan, plan))
    }

    /// Notes the draft that it was made from; `None` when an operator went back to it.
    pub(super) fn note_draft(&mut self, draft: Option<&Draft>) {
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
}

/// The plan that a map amounts to, when it was made for an area table of the same size.
fn amounts_to(snapshot: &Snapshot, inventory: &Inventory, table: &AreaTable) -> Option<Arc<Plan>> {
    let same_table = snapshot.table.areas().len() == table.areas().len();
    same_table.then(|| Arc::new(incumbent(snapshot, inventory)))
}
