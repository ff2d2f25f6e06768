//! What an actor is started with: the engine as the store left it, and what telemetry may say.

use super::LEVELS_FLAG;
use crate::clock::now;
use crate::store::{LedgerRow, StateStore};
use collectors::Limits;
use coverage::observation::Directory;
use coverage::{AreaTable, CheckId, Snapshot};
use engine::billing::SlotSample;
use engine::cycle::{Engine, EngineOptions, Steering};
use engine::inventory::Inventory;
use engine::policy::Policies;
use std::sync::Arc;
use std::time::Duration;

/// So many days of slots of each meter are read back after a restart, whatever the clock says: this month and the one before.
const LEDGER_DAYS: u64 = 63;

/// The engine with what the store holds.
pub(super) fn restored(
    (inventory, table, steering): (Arc<Inventory>, Arc<AreaTable>, Arc<Steering>),
    options: EngineOptions,
    store: &dyn StateStore,
    serving: Option<Arc<Snapshot>>,
) -> anyhow::Result<Engine> {
    let samples = ledger(store, &inventory, options.slot)?;
    let stored = (store.drains()?, samples);
    let mut engine = Engine::new(inventory, table, steering, options, stored, serving);
    engine.pin(store.flag("pin")?);
    let bins = engine.restore_demand(store.demand(&engine.demand_digest())?);
    tracing::info!(bins, "usual demand from before the restart");
    if let Some(levels) = store.flag(LEVELS_FLAG)? {
        let restored = engine.restore_levels(&levels, now());
        tracing::info!(restored, "levels of contracts from before the restart");
    }
    Ok(engine)
}

/// Names that telemetry may use.
pub(super) fn directory(inventory: &Inventory, policies: &Policies) -> Directory {
    let checks = policies.checks.iter().enumerate();
    Directory {
        checks: checks
            .map(|(index, check)| {
                let id = CheckId::from_index(index);
                (check.clone(), (id, policies.probed_by(index)))
            })
            .collect(),
        ..inventory.directory()
    }
}

/// What telemetry may be like: samples of links may come as late as bills count them.
pub(super) fn telemetry(engine: &Engine) -> Limits {
    let limits = Limits::default();
    let late_max = engine.contracts().ledger().late_max();
    Limits {
        link_behind_max: limits.behind_max.max(late_max),
        ..limits
    }
}

/// Billing samples of the last months, by meter index; those of meters that are gone are left out.
fn ledger(
    store: &dyn StateStore,
    inventory: &Inventory,
    slot: Duration,
) -> anyhow::Result<Vec<SlotSample>> {
    let slots = LEDGER_DAYS * 86_400 / slot.as_secs().max(1);
    let meter = |name: &str| inventory.meters.iter().position(|meter| meter.name == name);
    let rows = store.ledger_newest(slots)?;
    let sample = |row: LedgerRow| {
        Some(SlotSample {
            meter: meter(&row.meter)?,
            slot: row.slot,
            mbps: row.mbps,
        })
    };
    Ok(rows.into_iter().filter_map(sample).collect())
}
