//! Preparation of an actor: the engine as the store left it, and limits of telemetry.

use super::{Deployment, LEVELS_FLAG, PRICES_FLAG};
use crate::clock::now;
use crate::store::StateStore;
use collectors::Limits;
use coverage::observation::Directory;
use coverage::{CheckId, Snapshot};
use engine::billing::{LinkPart, SlotSample};
use engine::cycle::{Engine, EngineOptions, Stored};
use engine::inventory::Inventory;
use engine::policy::Policies;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// So many days of slots of each meter are read back after a restart, whatever the clock says: this
/// month and the one before.
const LEDGER_DAYS: u64 = 63;

/// The engine with what the store holds.
pub(super) fn restore(
    deployment: Deployment,
    options: EngineOptions,
    store: &dyn StateStore,
    serving: Option<Arc<Snapshot>>,
) -> anyhow::Result<Engine> {
    let Deployment {
        inventory,
        table,
        steering,
    } = deployment;
    let (samples, parts) = ledger(store, &inventory, options.slot)?;
    let started = now();
    let is_over = |sample: &SlotSample| sample.slot.after(options.slot) <= started;
    let (over, under_way) = samples.into_iter().partition(is_over);
    let stored = Stored {
        drains: store.drains()?,
        samples: over,
        serving,
    };
    let mut engine = Engine::new(inventory, table, steering, options, stored);
    engine.resume_ledger(under_way, parts);
    engine.pin(store.flag("pin")?);
    let bins = engine.restore_demand(store.demand(&engine.demand_digest())?);
    tracing::info!(bins, "usual demand from before the restart");
    if let Some(levels) = store.flag(LEVELS_FLAG)? {
        let restored = engine.restore_levels(&levels, now());
        tracing::info!(restored, "levels of contracts from before the restart");
    }
    if let Some(prices) = store.flag(PRICES_FLAG)? {
        // A text that does not read holds no price to compare with.
        engine.restore_prices(&serde_json::from_str(&prices).unwrap_or_default());
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

/// Limits of telemetry: samples of links may come as late as bills count them.
pub(super) fn telemetry(engine: &Engine) -> Limits {
    let limits = Limits::default();
    let late_max = engine.contracts().ledger().late_max();
    Limits {
        link_behind_max: limits.behind_max.max(late_max),
        ..limits
    }
}

/// Billing samples of the last months, and the traffic of links in those that may still change.
/// Meters and links that are gone are left out.
fn ledger(
    store: &dyn StateStore,
    inventory: &Inventory,
    slot: Duration,
) -> anyhow::Result<(Vec<SlotSample>, Vec<LinkPart>)> {
    let slots = LEDGER_DAYS * 86_400 / slot.as_secs().max(1);
    let meters = places(inventory.contracts.iter().map(|meter| meter.name.as_str()));
    let links = places(inventory.links.iter().map(|link| link.name.as_str()));
    let (mut samples, mut parts) = (Vec::new(), Vec::new());
    for row in store.ledger_newest(slots)? {
        let Some(&meter) = meters.get(row.meter.as_str()) else {
            continue;
        };
        samples.push(SlotSample {
            contract: meter,
            slot: row.slot,
            mbps: row.mbps,
        });
        let of_slot = row.parts.iter().filter_map(|(name, &(mbps_sum, samples))| {
            let &link = links.get(name.as_str())?;
            // A link that has another contract now was counted by the one that it had.
            (inventory.links[link].contract == meter).then_some(LinkPart {
                link,
                slot: row.slot,
                mbps_sum,
                samples,
            })
        });
        parts.extend(of_slot);
    }
    Ok((samples, parts))
}

/// Name -> index.
fn places<'a>(names: impl Iterator<Item = &'a str>) -> HashMap<&'a str, usize> {
    names
        .enumerate()
        .map(|(index, name)| (name, index))
        .collect()
}
