//! World outside the drains as one tick knows it: plan, telemetry, publishing and spare
//! capacity.

use std::time::Duration;

use coverage::{MapVersion, SiteId, Timestamp};
use serde::{Deserialize, Serialize};

use super::target::Part;
use crate::inventory::Inventory;
use crate::limits::Limits;

/// The world as one tick sees it. Immutable while the drains are judged.
#[derive(Clone, Copy)]
pub struct World<'a> {
    /// Inventory.
    pub inventory: &'a Inventory,
    /// Traffic and capacity.
    pub facts: &'a dyn Facts,
    /// Demand now, over all areas and services, in Mbps.
    pub demand_mbps: f64,
    /// The map in service; `None` before the first.
    pub published: Option<Published>,
    /// Newest version that every known edge has acknowledged; `None` when acknowledgements are not
    /// tracked.
    pub edges_confirmed: Option<MapVersion>,
    /// Longest TTL of any answer.
    pub ttl_max: Duration,
    /// Longest time from publishing to serving on an edge, for when acknowledgements are not
    /// tracked.
    pub edge_lag_max: Duration,
}

/// The map in service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Published {
    /// Version.
    pub version: MapVersion,
    /// Time at which it was published.
    pub at: Timestamp,
    /// Time of the latest tick whose plan this map is: the tick that published it, or a later one
    /// that found nothing to change. A bound that was set after this time is not in the map yet.
    pub holds_as_of: Timestamp,
}

/// Traffic that was measured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reading {
    /// Traffic in Mbps.
    pub mbps: f64,
    /// Time since it was measured.
    pub age: Duration,
}

/// Facts to be computed from plan, telemetry and capacity. Parts belong to [`World::inventory`].
pub trait Facts {
    /// Traffic that the published map puts on `part`, in Mbps; 0 when the map does not name it at
    /// all.
    fn planned_mbps(&self, part: Part) -> f64;

    /// Latest traffic measured on `part`; `None` when nothing was.
    fn observed(&self, part: Part) -> Option<Reading>;

    /// Computes how much of today's demand times `demand_factor` could not be carried under
    /// `limits`, with `lost_site` gone altogether. What is down for other reasons is down here,
    /// too.
    fn feasibility(
        &self,
        limits: &Limits,
        lost_site: Option<SiteId>,
        demand_factor: f64,
    ) -> Feasibility;

    /// Number of of today's requests times `demand_factor` no site could answer under `limits`,
    /// whatever the bandwidth.
    fn unanswered(&self, limits: &Limits, demand_factor: f64) -> Unanswered;
}

/// Answer of [`Facts::unanswered`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Unanswered {
    /// Requests per second that find no site: exact, a maximum flow.
    pub rps: f64,
    /// Sites that are full, as targets are written.
    pub saturated: Vec<String>,
}

/// Answer of [`Facts::feasibility`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Feasibility {
    /// Demand that finds no place, in Mbps: exact, a maximum flow.
    pub unserved_mbps: f64,
    /// Bottleneck; `None` when everything is served.
    pub bottleneck: Option<Bottleneck>,
}

/// Bottleneck of the demand that finds no place: a minimum cut, by name.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Bottleneck {
    /// Regions whose demand is short, worst first.
    pub regions: Vec<String>,
    /// Links and sites that are full, as targets are written.
    pub saturated: Vec<String>,
    /// Traffic that is missing, in Mbps.
    pub missing_mbps: f64,
}

/// Most names of a bottleneck that a text lists.
const NAMES_MAX: usize = 5;

impl std::fmt::Display for Bottleneck {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{:.0} Mbps are missing", self.missing_mbps)?;
        if !self.regions.is_empty() {
            write!(out, " in {}", list_names(&self.regions))?;
        }
        if !self.saturated.is_empty() {
            write!(out, "; full: {}", list_names(&self.saturated))?;
        }
        Ok(())
    }
}

/// The first few names, and how many more there are.
pub(super) fn list_names(names: &[String]) -> String {
    let shown = names[..names.len().min(NAMES_MAX)].join(", ");
    match names.len().saturating_sub(NAMES_MAX) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}
