//! Traffic of a plan on links, sites, regions and contracts.

use crate::failure::CheckFailure;
use crate::tolerances::CAPACITY_TOLERANCE;
use instance::{Instance, RowKind};
use std::collections::BTreeMap;

/// Load of one row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Row {
    /// Index among the rows of its kind.
    pub(crate) index: usize,
    pub(crate) load: f64,
}

/// Loads of the rows of one kind, by their ids.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Rows(BTreeMap<String, Row>);

impl Rows {
    /// Rows without load.
    pub(crate) fn of<'a>(ids: impl Iterator<Item = &'a String>) -> Self {
        let rows = ids.enumerate();
        Self(
            rows.map(|(index, id)| (id.clone(), Row { index, load: 0.0 }))
                .collect(),
        )
    }

    pub(crate) fn get(&self, id: &str) -> Option<Row> {
        self.0.get(id).copied()
    }

    /// Load of a row; 0 when it is not known.
    pub(crate) fn load(&self, id: &str) -> f64 {
        self.0.get(id).map_or(0.0, |row| row.load)
    }

    /// Adds to the load of a row, if it is known.
    pub(crate) fn add(&mut self, id: &str, load: f64) {
        if let Some(row) = self.0.get_mut(id) {
            row.load += load;
        }
    }
}

/// Loads of all rows, Mbps.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Loads {
    pub(crate) links: Rows,
    pub(crate) sites: Rows,
    pub(crate) regions: Rows,
    pub(crate) contracts: Rows,
}

impl Loads {
    /// Sums the traffic of links, `[link]` in Mbps.
    pub(crate) fn of(instance: &Instance, links_mbps: &[f64]) -> Self {
        let mut loads = Self {
            links: Rows::of(instance.links.iter().map(|l| &l.id)),
            sites: Rows::of(instance.sites.iter().map(|s| &s.id)),
            regions: Rows::of(instance.regions.iter().map(|r| &r.id)),
            contracts: Rows::of(instance.contracts.iter().map(|c| &c.id)),
        };
        let region_of: BTreeMap<&str, &String> = instance
            .sites
            .iter()
            .map(|site| (site.id.as_str(), &site.region))
            .collect();
        for (link, &load) in instance.links.iter().zip(links_mbps) {
            loads.links.add(&link.id, load);
            loads.sites.add(&link.site, load);
            if let Some(region) = region_of.get(link.site.as_str()) {
                loads.regions.add(region, load);
            }
            loads.contracts.add(&link.contract, load);
        }
        loads
    }

    /// Checks that all loads are within the hard limits.
    pub(crate) fn check_within(&self, instance: &Instance) -> Result<(), CheckFailure> {
        self.check_at_most(instance, |_, _, capacity_mbps| capacity_mbps)
    }

    /// Checks that all loads are within `limit`: the traffic that a row may carry by its kind, its
    /// id and its hard limit, in Mbps.
    pub(crate) fn check_at_most(
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

    /// Load of a link, site, region or contract by its id, Mbps; 0 on a row that is not known.
    pub(crate) fn on(&self, kind: RowKind, id: &str) -> f64 {
        self.rows(kind).map_or(0.0, |rows| rows.load(id))
    }

    /// Rows of one kind; requests are no traffic.
    pub(crate) fn rows(&self, kind: RowKind) -> Option<&Rows> {
        match kind {
            RowKind::Link => Some(&self.links),
            RowKind::Site => Some(&self.sites),
            RowKind::Region => Some(&self.regions),
            RowKind::Contract => Some(&self.contracts),
            RowKind::Requests => None,
        }
    }
}
