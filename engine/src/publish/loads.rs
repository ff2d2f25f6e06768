//! What plans put on links and sites, and what differs between two.

use super::step::Ground;
use coverage::LinkId;
use instance::{Instance, Plan, Shares, Unit};

/// Loads this little above a limit are rounding, as a share of it.
pub(super) const ROUNDING_SHARE: f64 = 1e-9;

/// Traffic of a unit that `target` wants on links, or beyond shares, that it does not have now,
/// Mbps.
pub(super) fn moved_mbps(
    instance: &Instance,
    unit: usize,
    now: &[(LinkId, f64)],
    target: &Plan,
) -> f64 {
    let gained = |&(link, share): &(LinkId, f64)| (share - share_on(now, link)).max(0.0);
    instance.units[unit].mbps * target.shares[unit].iter().map(gained).sum::<f64>()
}

/// What links, sites and limited regions carry, or may carry.
#[derive(Clone, Debug)]
pub(super) struct Rows {
    /// [link], Mbps.
    pub(super) links: Vec<f64>,
    /// [site], Mbps.
    pub(super) sites: Vec<f64>,
    /// [site], requests per second.
    pub(super) requests: Vec<f64>,
    /// [region], Mbps.
    pub(super) regions: Vec<f64>,
}

/// A link with its site and that one's region, when it has limits.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub(super) link: usize,
    pub(super) site: usize,
    pub(super) region: Option<usize>,
}

/// Where links are.
#[derive(Clone)]
pub(super) struct Places<'a> {
    site_of: &'a [usize],
    /// [site] -> its region, when that has limits.
    region_of: Vec<Option<usize>>,
}

impl<'a> Places<'a> {
    pub(super) fn new(ground: Ground<'a>) -> Self {
        Self {
            site_of: ground.site_of,
            region_of: regions(ground.instance),
        }
    }

    /// A link with its site and region.
    pub(super) fn of(&self, link: LinkId) -> Place {
        let site = self.site_of[link.index()];
        Place {
            link: link.index(),
            site,
            region: self.region_of[site],
        }
    }
}

impl Rows {
    /// What a plan with these shares puts on rows; links that do not exist carry nothing.
    pub(super) fn of(instance: &Instance, places: &Places<'_>, shares: &[Shares]) -> Self {
        let mut rows = Self::empty(instance);
        for (unit, shares) in instance.units.iter().zip(shares) {
            for &(link, share) in shares {
                if (link.index()) < places.site_of.len() {
                    rows.add(unit, share, places.of(link));
                }
            }
        }
        rows
    }

    /// Nothing on any row.
    pub(super) fn empty(instance: &Instance) -> Self {
        Self {
            links: vec![0.0; instance.links.len()],
            sites: vec![0.0; instance.sites.len()],
            requests: vec![0.0; instance.sites.len()],
            regions: vec![0.0; instance.regions.len()],
        }
    }

    /// What may be carried at all; requests are only ever too many.
    pub(super) fn hard(instance: &Instance) -> Self {
        Self {
            links: instance.links.iter().map(|l| l.capacity_mbps).collect(),
            sites: instance.sites.iter().map(|s| s.capacity_mbps).collect(),
            requests: vec![f64::INFINITY; instance.sites.len()],
            regions: instance.regions.iter().map(|r| r.capacity_mbps).collect(),
        }
    }

    /// What should be carried at most.
    pub(super) fn soft(instance: &Instance) -> Self {
        let rps = |site: &instance::Site| site.capacity_rps.unwrap_or(f64::INFINITY);
        Self {
            links: instance.links.iter().map(|l| l.watermark_mbps()).collect(),
            sites: instance.sites.iter().map(|s| s.watermark_mbps()).collect(),
            requests: instance.sites.iter().map(rps).collect(),
            regions: instance
                .regions
                .iter()
                .map(|r| r.watermark_mbps())
                .collect(),
        }
    }

    /// Changes each row by itself and the same row of `other`.
    pub(super) fn merge(&mut self, other: &Self, merged: impl Fn(f64, f64) -> f64) {
        let pairs = [
            (&mut self.links, &other.links),
            (&mut self.sites, &other.sites),
            (&mut self.requests, &other.requests),
            (&mut self.regions, &other.regions),
        ];
        for (rows, others) in pairs {
            for (row, other) in rows.iter_mut().zip(others) {
                *row = merged(*row, *other);
            }
        }
    }

    /// Adds a share of a unit, or takes it away when that is negative.
    pub(super) fn add(&mut self, unit: &Unit, share: f64, place: Place) {
        let mbps = unit.mbps * share;
        self.links[place.link] += mbps;
        self.sites[place.site] += mbps;
        self.requests[place.site] += unit.rps * share;
        if let Some(region) = place.region {
            self.regions[region] += mbps;
        }
    }

    /// The rows of a place: link, site, requests, region. A region without limits carries nothing.
    pub(super) fn at(&self, place: Place) -> [f64; 4] {
        let Place { link, site, region } = place;
        let region = region.map_or(0.0, |region| self.regions[region]);
        [
            self.links[link],
            self.sites[site],
            self.requests[site],
            region,
        ]
    }

    /// Whether any row of a place is above that of `limits` by more than rounding.
    pub(super) fn above(&self, limits: &Self, place: Place) -> bool {
        self.grown_above(limits, place, [f64::NEG_INFINITY; 4])
    }

    /// Whether any of these rows is above its limit and was less `before`.
    pub(super) fn grown_above(&self, limits: &Self, place: Place, before: [f64; 4]) -> bool {
        let rows = self.at(place).into_iter().zip(limits.at(place)).zip(before);
        let mut grown = rows
            .map(|((load, limit), before)| load > limit * (1.0 + ROUNDING_SHARE) && load > before);
        grown.any(|above| above)
    }
}

/// [site] -> its region, when that has limits.
fn regions(instance: &Instance) -> Vec<Option<usize>> {
    let of = |site: &instance::Site| {
        let same = |region: &instance::Region| region.id == site.region;
        instance.regions.iter().position(same)
    };
    instance.sites.iter().map(of).collect()
}

/// Share of a unit on a link.
pub(super) fn share_on(shares: &[(LinkId, f64)], link: LinkId) -> f64 {
    shares.iter().find(|s| s.0 == link).map_or(0.0, |s| s.1)
}
