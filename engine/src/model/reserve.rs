//! The room that each region keeps for the loss of its largest site.
//!
//! It is kept for one loss, and whatever is drained or down is that loss: the room is there to be
//! used then. That a further site could be lost as well, if need be to other regions, is proved
//! when a drain is admitted ([`crate::drain`]).

use super::Facts;
use crate::limits::Limits;
use instance::Region;
use std::collections::BTreeMap;

/// Capacity of the sites of a region, Mbps; of each site the less of what its nodes can serve and
/// its links can carry.
#[derive(Default)]
struct Sites {
    /// As they are built.
    built_mbps: f64,
    /// The largest of these.
    largest_mbps: f64,
    /// Capacity that is left now.
    left_mbps: f64,
    count: usize,
}

impl Facts<'_> {
    /// Limits of every region with several sites. The soft one is what the sites carry that are
    /// left when all are well and the largest is lost; the hard one is what they carry now.
    pub(crate) fn regions(&self, limits: &Limits) -> Vec<Region> {
        if !self.options.reserve_worst_site {
            return Vec::new();
        }
        let built = self.built_mbps();
        let mut links_mbps = vec![0.0; self.inventory.sites.len()];
        for (link, known) in self.links(limits).iter().zip(&self.inventory.links) {
            links_mbps[known.site.index()] += link.capacity_mbps;
        }
        let mut regions: BTreeMap<String, Sites> = BTreeMap::new();
        for ((site, links_mbps), built_mbps) in
            self.sites(limits).into_iter().zip(links_mbps).zip(built)
        {
            let region = regions.entry(site.region).or_default();
            region.built_mbps += built_mbps;
            region.largest_mbps = region.largest_mbps.max(built_mbps);
            region.left_mbps += site.capacity_mbps.min(links_mbps);
            region.count += 1;
        }
        regions.retain(|_, sites| sites.count > 1);
        let row = |(id, sites): (String, Sites)| Region {
            id,
            capacity_mbps: sites.left_mbps,
            watermark_mbps: Some(f64::min(
                sites.built_mbps - sites.largest_mbps,
                sites.left_mbps,
            )),
        };
        regions.into_iter().map(row).collect()
    }

    /// `[site]` -> what it carries when all of it is well, Mbps.
    fn built_mbps(&self) -> Vec<f64> {
        let sites = self.inventory.sites.len();
        let (mut nodes_mbps, mut links_mbps) = (vec![0.0; sites], vec![0.0; sites]);
        for node in &self.inventory.nodes {
            let group = &self.inventory.groups[node.group.index()];
            nodes_mbps[group.site.index()] += node.capacity_mbps;
        }
        for link in &self.inventory.links {
            links_mbps[link.site.index()] += link.capacity_mbps;
        }
        let usable = nodes_mbps.iter().zip(links_mbps);
        usable.map(|(nodes, links)| nodes.min(links)).collect()
    }
}
