//! What a plan puts on links, sites, regions and contracts.

use super::{CAPACITY_TOLERANCE, CheckFailure};
use instance::{Instance, RowKind};
use std::collections::BTreeMap;

/// Loads by the ids of rows.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Loads {
    /// Link id -> (index, load in Mbps).
    pub(crate) links: BTreeMap<String, (usize, f64)>,
    /// Site id -> (index, load in Mbps).
    pub(crate) sites: BTreeMap<String, (usize, f64)>,
    /// Region id -> (index, load in Mbps).
    pub(crate) regions: BTreeMap<String, (usize, f64)>,
    /// Contract id -> (index, load in Mbps).
    pub(crate) contracts: BTreeMap<String, (usize, f64)>,
}

impl Loads {
    /// From those of links, `[link]` in Mbps.
    pub(crate) fn of(instance: &Instance, links_mbps: &[f64]) -> Self {
        let mut loads = Self {
            links: rows(instance.links.iter().map(|l| &l.id)),
            sites: rows(instance.sites.iter().map(|s| &s.id)),
            regions: rows(instance.regions.iter().map(|r| &r.id)),
            contracts: rows(instance.contracts.iter().map(|m| &m.id)),
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
                (&mut loads.contracts, Some(&link.contract)),
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
    pub(crate) fn within(&self, instance: &Instance) -> Result<(), CheckFailure> {
        self.no_more_than(instance, |_, _, capacity_mbps| capacity_mbps)
    }

    /// Whether all of them are within `limit`, which says how much a row may carry from its kind,
    /// its id and its hard limit in Mbps.
    pub(crate) fn no_more_than(
        &self,
        instance: &Instance,
        limit: impl Fn(RowKind, &str, f64) -> f64,
    ) -> Result<(), CheckFailure> {
        let links = instance.links.iter();
        let links = links.map(|l| (RowKind::Link, "link", &l.id, l.capacity_mbps));
        let sites = instance.sites.iter();
        let sites = sites.map(|s| (RowKind::Site, "site", &s.id, s.capacity_mbps));
        let regions = instance.regions.iter();
        let regions = regions.map(|r| (RowKind::Region, "region", &r.id, r.capacity_mbps));
        for (kind, word, id, capacity_mbps) in links.chain(sites).chain(regions) {
            let load_mbps = self.on(kind, id);
            let most_mbps = limit(kind, id, capacity_mbps);
            if load_mbps > most_mbps + CAPACITY_TOLERANCE * most_mbps.max(1.0) {
                let row = format!("{word} {id}");
                return Err(CheckFailure::Capacity {
                    row,
                    load_mbps,
                    capacity_mbps,
                });
            }
        }
        Ok(())
    }

    /// Load of a link, site, region or contract by its id, Mbps; nothing on a row that is not known.
    pub(crate) fn on(&self, kind: RowKind, id: &str) -> f64 {
        let rows = match kind {
            RowKind::Link => &self.links,
            RowKind::Site => &self.sites,
            RowKind::Region => &self.regions,
            RowKind::Contract => &self.contracts,
            RowKind::Requests => return 0.0,
        };
        rows.get(id).map_or(0.0, |row| row.1)
    }
}

/// Row id -> (index, nothing yet).
pub(crate) fn rows<'a>(ids: impl Iterator<Item = &'a String>) -> BTreeMap<String, (usize, f64)> {
    ids.enumerate()
        .map(|(index, id)| (id.clone(), (index, 0.0)))
        .collect()
}
