//! What a plan puts on links, sites, regions and meters.

use super::{CAPACITY_TOLERANCE, CheckFailure};
use crate::plan::Instance;
use std::collections::BTreeMap;

/// Loads by the ids of rows.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Loads {
    /// Link id -> (index, load in Mbps).
    pub(super) links: BTreeMap<String, (usize, f64)>,
    /// Site id -> (index, load in Mbps).
    pub(super) sites: BTreeMap<String, (usize, f64)>,
    /// Region id -> (index, load in Mbps).
    pub(super) regions: BTreeMap<String, (usize, f64)>,
    /// Meter id -> (index, load in Mbps).
    pub(super) meters: BTreeMap<String, (usize, f64)>,
}

impl Loads {
    /// From those of links, `[link]` in Mbps.
    pub(super) fn of(instance: &Instance, links_mbps: &[f64]) -> Self {
        let mut loads = Self {
            links: rows(instance.links.iter().map(|l| &l.id)),
            sites: rows(instance.sites.iter().map(|s| &s.id)),
            regions: rows(instance.regions.iter().map(|r| &r.id)),
            meters: rows(instance.meters.iter().map(|m| &m.id)),
        };
        let region_of: BTreeMap<&str, &String> = instance
            .sites
            .iter()
            .map(|site| (site.id.as_str(), &site.region))
            .collect();
        for (link, load) in instance.links.iter().zip(links_mbps) {
            let rows = [
                (&mut loads.links, Some(&link.id)),
                (&mut loads.sites, Some(&link.site)),
                (
                    &mut loads.regions,
                    region_of.get(link.site.as_str()).copied(),
                ),
                (&mut loads.meters, Some(&link.meter)),
            ];
            for (rows, id) in rows {
                let Some(id) = id else { continue };
                if let Some(row) = rows.get_mut(id) {
                    row.1 += load;
                }
            }
        }
        loads
    }

    /// Whether all of them are within the hard limits.
    pub(super) fn within(&self, instance: &Instance) -> Result<(), CheckFailure> {
        let links = instance
            .links
            .iter()
            .map(|l| ("link", &l.id, l.capacity_mbps, &self.links));
        let sites = instance
            .sites
            .iter()
            .map(|s| ("site", &s.id, s.capacity_mbps, &self.sites));
        let regions = instance
            .regions
            .iter()
            .map(|r| ("region", &r.id, r.capacity_mbps, &self.regions));
        for (kind, id, capacity_mbps, loads) in links.chain(sites).chain(regions) {
            let load_mbps = loads.get(id).map_or(0.0, |row| row.1);
            if load_mbps > capacity_mbps + CAPACITY_TOLERANCE * capacity_mbps.max(1.0) {
                let row = format!("{kind} {id}");
                return Err(CheckFailure::Capacity {
                    row,
                    load_mbps,
                    capacity_mbps,
                });
            }
        }
        Ok(())
    }
}

/// Row id -> (index, nothing yet).
pub(super) fn rows<'a>(ids: impl Iterator<Item = &'a String>) -> BTreeMap<String, (usize, f64)> {
    ids.enumerate()
        .map(|(index, id)| (id.clone(), (index, 0.0)))
        .collect()
}
