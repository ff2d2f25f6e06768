//! What links, sites and regions can still take.

use coverage::LinkId;
use instance::Instance;
use std::collections::BTreeMap;

/// Room in Mbps, by the three kinds of limits that a unit of traffic counts against.
pub(super) struct Room {
    pub(super) links: Vec<f64>,
    pub(super) sites: Vec<f64>,
    pub(super) regions: Vec<f64>,
    /// `[link]` -> its site.
    pub(super) site_of: Vec<usize>,
    /// `[site]` -> its region, if that has a limit.
    pub(super) region_of: Vec<Option<usize>>,
}

impl Room {
    /// All of it, times `fill`.
    pub(super) fn of(instance: &Instance, fill: f64) -> Self {
        let sites: BTreeMap<&str, usize> = (instance.sites.iter().zip(0..))
            .map(|(site, index)| (site.id.as_str(), index))
            .collect();
        let regions: BTreeMap<&str, usize> = (instance.regions.iter().zip(0..))
            .map(|(region, index)| (region.id.as_str(), index))
            .collect();
        let site_of = |id: &str| sites.get(id).copied().unwrap_or(usize::MAX);
        Self {
            links: (instance.links.iter())
                .map(|link| link.capacity_mbps * fill)
                .collect(),
            sites: (instance.sites.iter())
                .map(|site| site.capacity_mbps * fill)
                .collect(),
            regions: (instance.regions.iter())
                .map(|region| region.capacity_mbps * fill)
                .collect(),
            site_of: (instance.links.iter())
                .map(|link| site_of(&link.site))
                .collect(),
            region_of: (instance.sites.iter())
                .map(|site| regions.get(site.region.as_str()).copied())
                .collect(),
        }
    }

    /// All of it up to soft limits.
    pub(super) fn to_watermarks(instance: &Instance) -> Self {
        let mut room = Self::of(instance, 1.0);
        for (room, link) in room.links.iter_mut().zip(&instance.links) {
            *room = room.min(link.watermark_mbps());
        }
        for (room, site) in room.sites.iter_mut().zip(&instance.sites) {
            *room = room.min(site.watermark_mbps());
        }
        for (room, region) in room.regions.iter_mut().zip(&instance.regions) {
            *room = room.min(region.watermark_mbps());
        }
        room
    }

    /// Region of a site, if that has a limit.
    pub(super) fn region(&self, site: usize) -> Option<usize> {
        *self.region_of.get(site)?
    }

    /// Mbps that may still go to a link.
    pub(super) fn left(&self, link: LinkId) -> f64 {
        let link = link.index();
        let site = self.site_of[link];
        let mut left = self.links[link].min(self.sites.get(site).copied().unwrap_or(0.0));
        if let Some(region) = self.region(site) {
            left = left.min(self.regions[region]);
        }
        left.max(0.0)
    }

    /// Takes `amount`, or gives it back when it is negative.
    pub(super) fn take(&mut self, link: LinkId, amount: f64) {
        let site = self.site_of[link.index()];
        self.links[link.index()] -= amount;
        if let Some(room) = self.sites.get_mut(site) {
            *room -= amount;
        }
        if let Some(region) = self.region(site) {
            self.regions[region] -= amount;
        }
    }
}
