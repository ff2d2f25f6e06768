//! What links, sites and regions can still take.

use crate::plan::Instance;
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
        let soft =
            |watermark: Option<f64>, capacity: f64| watermark.unwrap_or(capacity).min(capacity);
        let (links, sites) = (instance.links.iter(), instance.sites.iter());
        Self {
            links: links
                .map(|l| soft(l.watermark_mbps, l.capacity_mbps))
                .collect(),
            sites: sites
                .map(|s| soft(s.watermark_mbps, s.capacity_mbps))
                .collect(),
            regions: (instance.regions.iter())
                .map(|region| soft(region.watermark_mbps, region.capacity_mbps))
                .collect(),
            ..Self::of(instance, 1.0)
        }
    }

    /// Region of a site, if that has a limit.
    pub(super) fn region(&self, site: usize) -> Option<usize> {
        *self.region_of.get(site)?
    }

    /// What may still go to a link.
    pub(super) fn left(&self, link: u32) -> f64 {
        let link = link as usize;
        let site = self.site_of[link];
        let mut left = self.links[link].min(self.sites.get(site).copied().unwrap_or(0.0));
        if let Some(region) = self.region(site) {
            left = left.min(self.regions[region]);
        }
        left.max(0.0)
    }

    /// Takes `amount`, or gives it back when it is negative.
    pub(super) fn take(&mut self, link: u32, amount: f64) {
        let site = self.site_of[link as usize];
        self.links[link as usize] -= amount;
        if let Some(room) = self.sites.get_mut(site) {
            *room -= amount;
        }
        if let Some(region) = self.region(site) {
            self.regions[region] -= amount;
        }
    }
}
