//! One figure for each limit of a problem: what is carried, what may be carried, what is left.

use super::index::{Place, Problem};
use instance::{Shares, Site, Unit};

/// Part of a limit that sums of many shares may be above it where they fill it exactly.
pub const ROUNDING: f64 = 1e-9;

/// Amounts below this are rounding, in Mbps.
pub(crate) const AMOUNT_EPSILON_MBPS: f64 = 1e-9;

/// Figures by link, site, region and contract in Mbps, and requests by site: loads, or limits.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Loads {
    /// `[link]`, Mbps.
    pub links: Vec<f64>,
    /// `[site]`, Mbps.
    pub sites: Vec<f64>,
    /// `[region]`, Mbps.
    pub regions: Vec<f64>,
    /// `[contract]`, Mbps.
    pub contracts: Vec<f64>,
    /// `[site]`, requests per second.
    pub requests: Vec<f64>,
}

impl Loads {
    /// No load anywhere.
    #[must_use]
    pub fn none(problem: &Problem<'_>) -> Self {
        let instance = problem.instance;
        Self {
            links: vec![0.0; instance.links.len()],
            sites: vec![0.0; instance.sites.len()],
            regions: vec![0.0; instance.regions.len()],
            contracts: vec![0.0; instance.contracts.len()],
            requests: vec![0.0; instance.sites.len()],
        }
    }

    /// Load of a plan, `shares` by unit; links that do not exist carry nothing. O(shares + links).
    ///
    /// Sites, regions and contracts are sums over links, so that equal loads of links give equal
    /// loads everywhere.
    #[must_use]
    pub fn of(problem: &Problem<'_>, shares: &[Shares]) -> Self {
        let mut loads = Self::none(problem);
        let limits_requests = problem
            .instance
            .sites
            .iter()
            .any(|s| s.capacity_rps.is_some());
        for (unit, shares) in problem.instance.units.iter().zip(shares) {
            for &(link, share) in shares {
                let Some(place) = problem.find(link) else {
                    continue;
                };
                loads.links[link.index()] += share * unit.mbps;
                if limits_requests {
                    loads.requests[place.site.index()] += share * unit.rps;
                }
            }
        }
        for (place, &load) in problem.places().iter().zip(&loads.links) {
            loads.sites[place.site.index()] += load;
            if let Some(region) = place.region {
                loads.regions[region.index()] += load;
            }
            loads.contracts[place.contract.index()] += load;
        }
        loads
    }

    /// Hard limits; contracts and requests have none.
    #[must_use]
    pub fn hard_limits(problem: &Problem<'_>) -> Self {
        let instance = problem.instance;
        Self {
            links: instance.links.iter().map(|l| l.capacity_mbps).collect(),
            sites: instance.sites.iter().map(|s| s.capacity_mbps).collect(),
            regions: instance.regions.iter().map(|r| r.capacity_mbps).collect(),
            contracts: vec![f64::INFINITY; instance.contracts.len()],
            requests: vec![f64::INFINITY; instance.sites.len()],
        }
    }

    /// Soft limits: watermarks, and the requests that sites can answer; contracts have none.
    #[must_use]
    pub fn soft_limits(problem: &Problem<'_>) -> Self {
        let instance = problem.instance;
        let rps = |site: &Site| site.capacity_rps.unwrap_or(f64::INFINITY);
        Self {
            links: instance.links.iter().map(|l| l.watermark_mbps()).collect(),
            sites: instance.sites.iter().map(|s| s.watermark_mbps()).collect(),
            regions: instance
                .regions
                .iter()
                .map(|r| r.watermark_mbps())
                .collect(),
            contracts: vec![f64::INFINITY; instance.contracts.len()],
            requests: instance.sites.iter().map(rps).collect(),
        }
    }

    /// Adds a share of a unit at a place; takes it away when it is negative.
    pub fn add(&mut self, unit: &Unit, share: f64, place: Place) {
        self.requests[place.site.index()] += unit.rps * share;
        self.add_mbps(place, unit.mbps * share);
    }

    /// Adds traffic without requests at a place.
    pub fn add_mbps(&mut self, place: Place, mbps: f64) {
        self.links[place.link.index()] += mbps;
        self.sites[place.site.index()] += mbps;
        if let Some(region) = place.region {
            self.regions[region.index()] += mbps;
        }
        self.contracts[place.contract.index()] += mbps;
    }

    /// Figures of a place but for its contract: link, site, requests, region. A region without
    /// limits has 0.
    #[must_use]
    pub fn at(&self, place: Place) -> [f64; 4] {
        [
            self.links[place.link.index()],
            self.sites[place.site.index()],
            self.requests[place.site.index()],
            place
                .region
                .map_or(0.0, |region| self.regions[region.index()]),
        ]
    }

    /// Tells whether any figure of a place is above that of `limits` by more than rounding.
    #[must_use]
    pub fn exceeds(&self, limits: &Self, place: Place) -> bool {
        self.grows_beyond(limits, place, [f64::NEG_INFINITY; 4])
    }

    /// Tells whether any figure of a place is above its limit, and was less `before`.
    #[must_use]
    pub fn grows_beyond(&self, limits: &Self, place: Place, before: [f64; 4]) -> bool {
        let figures = self.at(place).into_iter().zip(limits.at(place)).zip(before);
        let mut grown =
            figures.map(|((load, limit), before)| load > limit * (1.0 + ROUNDING) && load > before);
        grown.any(|above| above)
    }

    /// Least of the figures of a place for traffic: link, site, and region where that has limits.
    #[must_use]
    pub fn least_mbps(&self, place: Place) -> f64 {
        let region = place
            .region
            .map_or(f64::INFINITY, |region| self.regions[region.index()]);
        let site = self.sites[place.site.index()];
        self.links[place.link.index()].min(site).min(region)
    }

    /// Multiplies every figure.
    pub fn scale(&mut self, factor: f64) {
        let all = [&mut self.links, &mut self.sites, &mut self.regions];
        let all = all
            .into_iter()
            .chain([&mut self.contracts, &mut self.requests]);
        all.flatten().for_each(|figure| *figure *= factor);
    }

    /// Changes every figure by itself and the same one of `other`.
    pub fn merge(&mut self, other: &Self, merged: impl Fn(f64, f64) -> f64) {
        let pairs = [
            (&mut self.links, &other.links),
            (&mut self.sites, &other.sites),
            (&mut self.regions, &other.regions),
            (&mut self.contracts, &other.contracts),
            (&mut self.requests, &other.requests),
        ];
        for (figures, others) in pairs {
            for (figure, other) in figures.iter_mut().zip(others) {
                *figure = merged(*figure, *other);
            }
        }
    }
}

/// Room that limits leave beside loads, never below 0: Mbps by link, site and region, requests by
/// site.
#[derive(Clone, Debug)]
pub struct Room(Loads);

impl Room {
    /// Returns the room that `limits` leave beside `loads`.
    #[must_use]
    pub fn between(mut limits: Loads, loads: &Loads) -> Self {
        limits.merge(loads, |limit, load| (limit - load).max(0.0));
        Self(limits)
    }

    /// Mbps that a place can still take of traffic that brings `rps_per_mbps` requests per second
    /// with each Mbps.
    #[must_use]
    pub fn left_mbps(&self, place: Place, rps_per_mbps: f64) -> f64 {
        let requests = if rps_per_mbps > 0.0 {
            self.0.requests[place.site.index()] / rps_per_mbps
        } else {
            f64::INFINITY
        };
        self.0.least_mbps(place).min(requests)
    }

    /// Takes traffic that brings `rps_per_mbps` requests per second with each Mbps.
    pub fn take(&mut self, place: Place, mbps: f64, rps_per_mbps: f64) {
        let take = |left: &mut f64, amount: f64| *left = (*left - amount).max(0.0);
        take(&mut self.0.links[place.link.index()], mbps);
        take(&mut self.0.sites[place.site.index()], mbps);
        take(
            &mut self.0.requests[place.site.index()],
            mbps * rps_per_mbps,
        );
        if let Some(region) = place.region {
            take(&mut self.0.regions[region.index()], mbps);
        }
    }
}
