//! A month over a configured CDN: its real inventory, and the areas of its table that ask for most.

use super::MonthOptions;
use super::generated::template;
use super::scenario::{Scenario, UnitShape};
use crate::curve::Shape;
use coverage::{AreaTable, LinkId, ServiceId};
use engine::estimate::priors;
use engine::inventory::Inventory;
use engine::plan::Unit;

/// Areas kept; the others' demand is added to them in proportion.
const AREAS_MAX: usize = 64;
/// Candidates of a unit: the nearest links that may serve it.
const CANDIDATES: usize = 12;

/// A month over `inventory` and the areas of `table`, with as much demand in all as its services assume.
#[must_use]
pub fn configured(inventory: &Inventory, table: &AreaTable, options: &MonthOptions) -> Scenario {
    let quality_ms = priors(inventory, table);
    let links = inventory.links.len();
    let mut areas: Vec<usize> = (1..table.areas().len()).collect();
    areas.sort_by_key(|area| {
        (
            std::cmp::Reverse(table.areas()[*area].ipv4_addresses),
            *area,
        )
    });
    areas.truncate(AREAS_MAX);
    areas.sort_unstable();
    #[expect(clippy::cast_precision_loss, reason = "at most 2^32 addresses")]
    let addresses = |area: usize| table.areas()[area].ipv4_addresses as f64;
    let total: f64 = areas.iter().map(|area| addresses(*area)).sum();
    let mut units = Vec::new();
    let mut shapes = Vec::new();
    for (service, asked) in inventory.services.iter().enumerate() {
        let id = ServiceId::from_index(service);
        let serves = |link: &usize| {
            inventory
                .endpoints_for(LinkId::from_index(*link), id)
                .next()
                .is_some()
        };
        let open: Vec<usize> = (0..links).filter(serves).collect();
        for &area in &areas {
            let mut cand: Vec<(u32, f64)> = open
                .iter()
                .map(|link| {
                    (
                        u32::try_from(*link).unwrap_or(u32::MAX),
                        quality_ms[area * links + link],
                    )
                })
                .collect();
            cand.sort_by(|a, b| a.1.total_cmp(&b.1).then(a.0.cmp(&b.0)));
            cand.truncate(CANDIDATES);
            units.push(Unit {
                area: table.areas()[area].name.clone(),
                service: asked.served.name.clone(),
                mbps: 0.0,
                rps: 0.0,
                floor_ms: Some(asked.floor_ms),
                incumbent: Vec::new(),
                cand,
            });
            shapes.push(UnitShape {
                peak_mbps: asked.initial_mbps * addresses(area) / total.max(1.0),
                longitude: table.areas()[area].attrs.longitude.map_or(110.0, f64::from),
                shape: if service % 2 == 0 {
                    Shape::Evening
                } else {
                    Shape::Daytime
                },
                service,
                area,
            });
        }
    }
    let instance = template(inventory, units);
    Scenario::draw(
        "configured CDN",
        (instance, inventory.clone()),
        &shapes,
        options,
    )
}
