//! `watershed status` and `watershed map show`: how the control plane is doing.

use super::connect::{connect, converse};
use super::{CommandError, output};
use crate::args::Global;
use serde::Deserialize as _;
use serde_json::{Value, json};
use watershed::api::view::{Cycle, Drain, Levels, Map};
use watershed::clock::now;

/// Map, plan and drains.
pub(super) fn status(global: &Global) -> Result<(), CommandError> {
    let client = connect(global)?;
    let (map, drains): (Value, Value) = converse(async {
        Ok((
            client.get_json("/v1/map").await?,
            client.get_json("/v1/drains").await?,
        ))
    })?;
    if global.json {
        return Ok(output::json(&json!({ "map": map, "drains": drains }))?);
    }
    let drains = Vec::<Drain>::deserialize(&drains).map_err(anyhow::Error::from)?;
    print_map(&map)?;
    let mut states = std::collections::BTreeMap::<&str, usize>::new();
    for drain in &drains {
        *states.entry(&drain.state).or_default() += 1;
    }
    let words: Vec<String> = states
        .iter()
        .map(|(state, count)| format!("{count} {state}"))
        .collect();
    let words = if words.is_empty() {
        "none".to_owned()
    } else {
        words.join(", ")
    };
    Ok(output::say(&format!("drains: {words}"))?)
}

/// The map in force.
pub(super) fn show_map(global: &Global) -> Result<(), CommandError> {
    let client = connect(global)?;
    let map: Value = converse(async { Ok(client.get_json("/v1/map").await?) })?;
    if global.json {
        return Ok(output::json(&map)?);
    }
    Ok(print_map(&map)?)
}

fn print_map(map: &Value) -> anyhow::Result<()> {
    let map = Map::deserialize(map)?;
    let cycle = &map.cycle;
    match &map.version {
        Some(version) => {
            let digest = map
                .digest
                .as_deref()
                .unwrap_or_default()
                .get(..12)
                .unwrap_or_default();
            let age = output::since(map.created_at.unwrap_or_default(), now());
            output::say(&format!("map {version} ({digest}), {age} old"))?;
        }
        None => output::say("no map is in service yet")?,
    }
    if cycle.at == 0 {
        return output::say("no cycle has run yet");
    }
    let ran = output::since(cycle.at, now());
    output::say(&format!(
        "last cycle {ran} ago, {:.0} ms: {}: {}",
        cycle.solve_ms, cycle.outcome, cycle.detail
    ))?;
    for region in &cycle.failed_open {
        output::say(&format!(
            "region {region}: too much looks down to be true; health reports are not believed"
        ))?;
    }
    if !cycle.silent_nodes.is_empty() {
        output::say(&format!(
            "silent while others of their site report, taken for down: {}",
            cycle.silent_nodes.join(", ")
        ))?;
    }
    levels(cycle)?;
    contracts(cycle)
}

/// Levels and free slots of contracts, once they are planned.
fn contracts(cycle: &Cycle) -> anyhow::Result<()> {
    if !cycle.levels_fault.is_empty() {
        output::say(&format!("levels of contracts: {}", cycle.levels_fault))?;
    }
    if cycle.meters.iter().all(|meter| meter.level_mbps.is_none()) {
        return Ok(());
    }
    let mut table = output::table(&["meter", "certain", "planned level", "free slots left", ""]);
    for meter in &cycle.meters {
        table.add_row([
            meter.name.clone(),
            output::mbps(meter.certain_mbps),
            meter.level_mbps.map(output::mbps).unwrap_or_default(),
            meter
                .tokens
                .map(|left| left.to_string())
                .unwrap_or_default(),
            if meter.bursting { "bursting" } else { "" }.to_owned(),
        ]);
    }
    output::show(&table)
}

/// The newest plan beside the map in force.
fn levels(cycle: &Cycle) -> anyhow::Result<()> {
    let Some(plan) = &cycle.plan else {
        return Ok(());
    };
    let row = |name: &str, levels: &Levels| {
        [
            name.to_owned(),
            output::mbps(levels.unserved_mbps),
            output::mbps(levels.overload_mbps),
            output::mbps(levels.below_floor_mbps),
            format!("{:.2}", levels.latency_cny),
            format!("{:.2}", levels.money_cny),
            output::mbps(levels.moved_mbps),
        ]
    };
    let heading = [
        "",
        "unserved",
        "overload",
        "below floor",
        "latency CNY",
        "money CNY",
        "moves",
    ];
    let mut table = output::table(&heading);
    table.add_row(row("newest plan", &plan.levels));
    if let Some(incumbent) = &cycle.incumbent {
        table.add_row(row("in force", incumbent));
    }
    output::show(&table)?;
    let demand = output::mbps(cycle.demand_mbps);
    let gap = plan.gap * 100.0;
    output::say(&format!(
        "demand {demand}; cost {:.2} CNY per slot, at most {gap:.4} % above the optimum",
        plan.objective
    ))
}
