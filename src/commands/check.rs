//! `watershed check`: the whole configuration, and every fault in it.

use super::{CommandError, output};
use crate::args::Global;
use serde_json::json;
use watershed::config::Config;

/// Reads the configuration and tells what is in it.
pub(super) fn check(global: &Global) -> Result<(), CommandError> {
    let Some(path) = global.config.as_deref() else {
        return Err(CommandError::Usage(
            "name the configuration: watershed check -c watershed.toml".to_owned(),
        ));
    };
    let config = match Config::load(path, &global.set) {
        Ok(config) => config,
        Err(faults) => {
            if global.json {
                output::json(&faults)?;
            }
            return Err(CommandError::Usage(faults.to_string()));
        }
    };
    let inventory = &config.inventory;
    let counts = [
        ("sites", inventory.sites.len()),
        ("links", inventory.links.len()),
        ("groups", inventory.groups.len()),
        ("nodes", inventory.nodes.len()),
        ("services", inventory.services.len()),
        ("policies", config.policies.policies.len()),
        ("pools", config.policies.pools.len()),
        ("static services", config.policies.services.len()),
        ("zones", inventory.zones.len()),
    ];
    if global.json {
        let counts: serde_json::Map<_, _> = counts
            .iter()
            .map(|(what, n)| ((*what).to_owned(), json!(n)))
            .collect();
        return Ok(output::json(
            &json!({ "faults": [], "notices": config.notices, "inventory": counts }),
        )?);
    }
    let counts: Vec<String> = counts
        .iter()
        .map(|(what, count)| format!("{count} {what}"))
        .collect();
    for notice in &config.notices {
        output::say(&notice.to_string())?;
    }
    Ok(output::say(&format!(
        "{}: no faults; {}",
        path.display(),
        counts.join(", ")
    ))?)
}
