//! gdnsd's terms to Watershed's: leaves become pools, maps policies, records services.
//!
//! ```text
//!   record DYNA geoip!www --resources--> tree of datacenters
//!                         --steer--> policy, label -> pools, forced states
//! ```
//!
//! A service chooses a label by the client's place, then a pool of that label. Deeper trees are
//! spliced into these two levels.

mod model;
mod names;
mod policy;
mod pools;
mod services;
mod steer;

pub(crate) use model::{Area, Plan, Policy, Pool, Preference, Service, Steering};

use crate::fault::{Effect, Faults, ImportError};
use crate::gdnsd::{Installation, Map, Resources};
use std::collections::BTreeSet;
use std::path::PathBuf;

/// Translates everything but the zones' static records.
///
/// # Errors
/// [`ImportError`] for references that lead nowhere.
pub(crate) fn lower(installation: &Installation, faults: &mut Faults) -> Result<Plan, ImportError> {
    let area = area(&installation.maps, faults);
    let mut resources = Resources::new(installation, faults);
    let mut plan = services::services(installation, &mut resources)?;
    resources.note_unused()?;
    plan.checks = installation.services.checks().cloned().collect();
    plan.area = area;
    installation.states.note(faults);
    note_subnets(installation, faults);
    Ok(plan)
}

/// The database that places come from. Watershed has one for all policies.
fn area(maps: &[Map], faults: &mut Faults) -> Area {
    let databases: BTreeSet<&PathBuf> = maps
        .iter()
        .filter_map(|map| map.database.as_ref())
        .collect();
    let is_city = |path: &&&PathBuf| path.to_string_lossy().to_lowercase().contains("city");
    // Cities know their countries; countries do not know cities.
    let chosen = databases
        .iter()
        .find(is_city)
        .or_else(|| databases.first())
        .copied();
    for map in maps {
        if let (Some(other), Some(chosen)) = (&map.database, chosen)
            && other != chosen
        {
            faults.add(
                &map.place,
                Effect::Changed,
                format!("maps => {} => geoip2_db = {}", map.name, other.display()),
                format!(
                    "all policies look places up in one database, which is {}",
                    chosen.display()
                ),
            );
        }
    }
    Area {
        city: chosen.cloned(),
    }
}

/// Maps that look at the resolver's address alone. Watershed knows that for all services or for
/// none.
fn note_subnets(installation: &Installation, faults: &mut Faults) {
    let maps = &installation.maps;
    if installation.options.client_subnet && !ignores_subnets(maps) {
        for map in maps.iter().filter(|map| map.ignores_subnet) {
            let what = format!("maps => {} => ignore_ecs", map.name);
            let why =
                "client subnets count for all services, or with [dns] ecs = \"nobody\" for none";
            faults.add(&map.place, Effect::Changed, what, why);
        }
    }
}

/// Tells whether no map looks at client subnets.
pub(crate) fn ignores_subnets(maps: &[Map]) -> bool {
    !maps.is_empty() && maps.iter().all(|map| map.ignores_subnet)
}
