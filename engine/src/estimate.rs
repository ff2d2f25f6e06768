//! Estimates: raw observations smoothed, each with an age.
//!
//! What was never seen has a prior. What was seen and fell silent keeps its value and its age,
//! because no data is not good news.

use crate::distance::angle;
use crate::inventory::{Inventory, Link, Site};
use coverage::area::Area;
use coverage::observation::{Observation, Sample};
use coverage::{AreaId, AreaTable, GroupId, LinkId, NodeId, ServiceId, Timestamp};
use std::time::Duration;

/// Packets lost beyond this share cost quality; below it, loss is noise.
const LOSS_FREE_SHARE: f64 = 0.001;
/// Equivalent milliseconds that one per cent of loss costs: about one more round trip on a national
/// path.
const LOSS_MS_PER_PERCENT: f64 = 20.0;
/// Healthy reports in a row that bring a node back; one unhealthy report is not believed either.
const FLAPS_UP_MIN: u8 = 3;
/// Unhealthy reports in a row that take a node out.
const FLAPS_DOWN_MIN: u8 = 2;

/// Pace of estimates, and the age at which they grow stale.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EstimateOptions {
    /// Time constant of path quality.
    pub quality_tau: Duration,
    /// Time constant of demand and traffic.
    pub traffic_tau: Duration,
    /// Age beyond which an estimate counts as stale.
    pub stale_after: Duration,
}

/// A smoothed value and the time at which it was last fed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Estimate {
    /// Smoothed value, in the unit of what it estimates.
    pub(crate) value: f64,
    /// Time of the newest sample in it.
    pub(crate) at: Timestamp,
}

impl Estimate {
    /// Folds a sample in: an exponential average over irregular times, weight `1 - exp(-dt / tau)`.
    fn feed(slot: &mut Option<Self>, value: f64, at: Timestamp, tau: Duration) {
        match slot {
            Some(estimate) if at < estimate.at => {} // Late: something newer is already in.
            Some(estimate) => {
                let dt = at.since(estimate.at).as_secs_f64();
                let weight = 1.0 - (-dt / tau.as_secs_f64().max(1e-3)).exp();
                // Several samples with one time stamp still count a little.
                estimate.value += weight.max(0.05) * (value - estimate.value);
                estimate.at = at;
            }
            None => *slot = Some(Self { value, at }),
        }
    }
}

/// Health of a node after damping.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct NodeHealth {
    /// Damped verdict; nodes start out up.
    pub(crate) up: bool,
    /// Load as a share of capacity.
    pub(crate) load: f64,
    /// Time at which it last spoke; `None` if never.
    pub(crate) at: Option<Timestamp>,
    /// Time since which it has spoken without a break.
    pub(crate) since: Timestamp,
    /// Reports in a row against the verdict.
    against: u8,
}

impl NodeHealth {
    /// Takes a report in; one that comes more than `pause` after the last begins anew.
    fn feed(&mut self, healthy: bool, load: f64, at: Timestamp, pause: Duration) {
        if self.at.is_some_and(|last| at < last) {
            return;
        }
        if self.at.is_none_or(|last| at.since(last) > pause) {
            self.since = at;
        }
        self.at = Some(at);
        self.load = load;
        self.against = if healthy == self.up {
            0
        } else {
            self.against.saturating_add(1)
        };
        let needed = if self.up {
            FLAPS_DOWN_MIN
        } else {
            FLAPS_UP_MIN
        };
        if self.against >= needed {
            self.up = healthy;
            self.against = 0;
        }
    }
}

/// Count of estimates that were once fed, and of those that have fallen silent.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Freshness {
    /// Estimates that were ever fed.
    pub(crate) known: usize,
    /// Number of those that are older than the bound.
    pub(crate) stale: usize,
}

impl Freshness {
    /// Stale share of the known, 0..=1; 0 when nothing is known yet.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
    pub(crate) fn stale_share(self) -> f64 {
        if self.known == 0 {
            0.0
        } else {
            self.stale as f64 / self.known as f64
        }
    }
}

/// Estimates of pairs, such as (area, link); rows and columns are given by the inventory.
#[derive(Debug)]
struct Grid {
    columns: usize,
    /// `[row][column]`, row-major.
    cells: Vec<Option<Estimate>>,
}

impl Grid {
    fn new(rows: usize, columns: usize) -> Self {
        Self {
            columns,
            cells: vec![None; rows * columns],
        }
    }

    fn at(&self, row: usize, column: usize) -> Option<Estimate> {
        self.cells[row * self.columns + column]
    }

    fn feed(&mut self, row: usize, column: usize, value: f64, at: Timestamp, tau: Duration) {
        Estimate::feed(&mut self.cells[row * self.columns + column], value, at, tau);
    }
}

/// Estimates of one control plane.
#[derive(Debug)]
pub(crate) struct Estimates {
    options: EstimateOptions,
    /// Of (area, link), equivalent ms.
    quality_ms: Grid,
    /// Of (area, service), Mbps.
    demand_mbps: Grid,
    /// Of (area, service), requests per second.
    demand_rps: Grid,
    /// Of (group, service), Mbps.
    group_mbps: Grid,
    /// `[link]`, Mbps.
    link_mbps: Vec<Option<Estimate>>,
    /// `[node]`, Mbps.
    node_mbps: Vec<Option<Estimate>>,
    /// `[node]`.
    nodes: Vec<NodeHealth>,
    /// `[site]` -> its links.
    site_links: Vec<Vec<LinkId>>,
    /// `[link]`: the newest sample as it came, Mbps, and its time; 0 before the first.
    link_last: Vec<(f64, Timestamp)>,
    /// `[link]`, Mbps.
    watermarks_mbps: Vec<f64>,
}

impl Estimates {
    /// Estimates of an inventory of which nothing is known yet.
    #[must_use]
    pub(crate) fn new(inventory: &Inventory, areas: usize, options: EstimateOptions) -> Self {
        let (links, services) = (&inventory.links, inventory.services.len());
        let mut site_links = vec![Vec::new(); inventory.sites.len()];
        for (index, link) in links.iter().enumerate() {
            site_links[link.site.index()].push(LinkId::from_index(index));
        }
        let unheard = NodeHealth {
            up: true,
            load: 0.0,
            at: None,
            since: Timestamp::default(),
            against: 0,
        };
        Self {
            options,
            quality_ms: Grid::new(areas, links.len()),
            demand_mbps: Grid::new(areas, services),
            demand_rps: Grid::new(areas, services),
            group_mbps: Grid::new(inventory.groups.len(), services),
            link_mbps: vec![None; links.len()],
            node_mbps: vec![None; inventory.nodes.len()],
            nodes: vec![unheard; inventory.nodes.len()],
            site_links,
            link_last: vec![(0.0, Timestamp::default()); links.len()],
            watermarks_mbps: links.iter().map(|link| link.watermark_mbps).collect(),
        }
    }

    /// Folds one observation in. Ids come from the same inventory.
    pub(crate) fn apply(&mut self, observation: &Observation) {
        let at = observation.at;
        let EstimateOptions {
            quality_tau,
            traffic_tau,
            stale_after,
        } = self.options;
        match observation.sample {
            Sample::Quality {
                area,
                site,
                link,
                rtt_ms,
                loss,
            } => {
                let value = equivalent_ms(rtt_ms, loss);
                let all = &self.site_links[site.index()];
                let fed: &[LinkId] = link.as_ref().map_or(all.as_slice(), std::slice::from_ref);
                for link in fed {
                    // Above the watermark what is measured is our own doing: to believe it would
                    // empty the link, find it good again, and fill it anew. Capacity is what keeps
                    // traffic away from a full link.
                    if !self.is_full(*link, at) {
                        let (row, column) = (area.index(), link.index());
                        self.quality_ms.feed(row, column, value, at, quality_tau);
                    }
                }
            }
            Sample::Node {
                node,
                healthy,
                load,
                mbps,
            } => {
                self.nodes[node.index()].feed(healthy, load, at, stale_after);
                Estimate::feed(&mut self.node_mbps[node.index()], mbps, at, traffic_tau);
            }
            Sample::Group {
                group,
                service,
                mbps,
            } => {
                let (row, column) = (group.index(), service.index());
                self.group_mbps.feed(row, column, mbps, at, traffic_tau);
            }
            Sample::Link { link, mbps } => {
                let known = &mut self.link_mbps[link.index()];
                if known.is_none_or(|known| at >= known.at) {
                    self.link_last[link.index()] = (mbps, at);
                }
                Estimate::feed(known, mbps, at, traffic_tau);
            }
            // Checks have states of their own, without smoothing: thresholds were applied where
            // they were made.
            Sample::Check { .. } => {}
            Sample::Demand {
                area,
                service,
                mbps,
                rps,
            } => {
                let (row, column) = (area.index(), service.index());
                self.demand_mbps.feed(row, column, mbps, at, traffic_tau);
                if let Some(rps) = rps {
                    self.demand_rps.feed(row, column, rps, at, traffic_tau);
                }
            }
        }
    }

    /// Brings what was noted under a clock that was ahead back to `now`, so that what is measured
    /// from now on counts.
    pub(crate) fn not_after(&mut self, now: Timestamp) {
        let all = [
            &mut self.quality_ms.cells,
            &mut self.demand_mbps.cells,
            &mut self.demand_rps.cells,
            &mut self.group_mbps.cells,
            &mut self.link_mbps,
            &mut self.node_mbps,
        ];
        for estimate in all.into_iter().flatten().flatten() {
            estimate.at = estimate.at.min(now);
        }
        for node in &mut self.nodes {
            node.at = node.at.map(|at| at.min(now));
            node.since = node.since.min(now);
        }
    }

    /// Measured quality from an area through a link, if it was ever measured.
    #[must_use]
    pub(crate) fn quality(&self, area: AreaId, link: LinkId) -> Option<Estimate> {
        self.quality_ms.at(area.index(), link.index())
    }

    /// Demand of (area, service), if it was ever reported, in Mbps.
    #[must_use]
    pub(crate) fn demand(&self, area: AreaId, service: ServiceId) -> Option<Estimate> {
        self.demand_mbps.at(area.index(), service.index())
    }

    /// Requests of (area, service), if they were ever reported, per second.
    #[must_use]
    pub(crate) fn demand_rps(&self, area: AreaId, service: ServiceId) -> Option<Estimate> {
        self.demand_rps.at(area.index(), service.index())
    }

    /// Traffic of a service in a group, if it was ever reported, in Mbps.
    #[must_use]
    pub(crate) fn group(&self, group: GroupId, service: ServiceId) -> Option<Estimate> {
        self.group_mbps.at(group.index(), service.index())
    }

    /// Traffic through a link, if it was ever reported, in Mbps.
    #[must_use]
    pub(crate) fn link(&self, link: LinkId) -> Option<Estimate> {
        self.link_mbps[link.index()]
    }

    /// Tells whether the newest sample of a link was above its watermark. A link that has said
    /// nothing for long is not known to be full.
    #[must_use]
    pub(crate) fn is_full(&self, link: LinkId, now: Timestamp) -> bool {
        let (mbps, at) = self.link_last[link.index()];
        mbps > self.watermarks_mbps[link.index()] && now.since(at) <= self.options.stale_after
    }

    /// Traffic of a node, if it was ever reported, in Mbps.
    #[must_use]
    pub(crate) fn node(&self, node: NodeId) -> Option<Estimate> {
        self.node_mbps[node.index()]
    }

    /// Health of a node.
    #[must_use]
    pub(crate) fn health(&self, node: NodeId) -> NodeHealth {
        self.nodes[node.index()]
    }

    /// Freshness of demand: the input without which a new map would be a guess.
    #[must_use]
    pub(crate) fn demand_freshness(&self, now: Timestamp) -> Freshness {
        let known = self.demand_mbps.cells.iter().flatten();
        let stale = |estimate: &&Estimate| now.since(estimate.at) > self.options.stale_after;
        Freshness {
            known: known.clone().count(),
            stale: known.filter(stale).count(),
        }
    }
}

/// Quality in equivalent milliseconds: round-trip time plus what loss costs.
fn equivalent_ms(rtt_ms: f64, loss: f64) -> f64 {
    rtt_ms + LOSS_MS_PER_PERCENT * 100.0 * (loss - LOSS_FREE_SHARE).max(0.0)
}

/// Quality assumed between an area and a link that were never measured, in ms: distance at two
/// thirds of light's speed with a detour factor, the last mile, and a surcharge for crossing ISPs
/// inside one country.
#[must_use]
pub(crate) fn prior_ms(area: &Area, site: &Site, link: &Link) -> f64 {
    const LAST_MILE_MS: f64 = 8.0;
    const MS_PER_KM: f64 = 0.016;
    /// Mean radius.
    const EARTH_RADIUS_KM: f64 = 6371.0;
    const CROSS_ISP_MS: f64 = 25.0;
    const UNKNOWN_PLACE_MS: f64 = 150.0;
    let attrs = &area.attrs;
    let known = attrs.latitude.zip(attrs.longitude);
    let distance_ms = known.map_or(UNKNOWN_PLACE_MS, |(latitude, longitude)| {
        let from = (f64::from(latitude), f64::from(longitude));
        MS_PER_KM * (EARTH_RADIUS_KM * angle(from, (site.latitude, site.longitude)))
    });
    let crosses = !attrs.isp.is_empty()
        && attrs.isp != link.isp
        && link.isp != "bgp"
        && attrs.country == site.country;
    LAST_MILE_MS + distance_ms + if crosses { CROSS_ISP_MS } else { 0.0 }
}

/// Prior quality of every (area, link), [area][link] row-major, in ms.
#[must_use]
pub fn priors(inventory: &Inventory, table: &AreaTable) -> Vec<f64> {
    let row = |area: &Area| -> Vec<f64> {
        inventory
            .links
            .iter()
            .map(|link| prior_ms(area, &inventory.sites[link.site.index()], link))
            .collect()
    };
    table.areas().iter().flat_map(row).collect()
}

/// Assumptions where nothing was measured, computed once per inventory.
#[derive(Debug)]
pub(crate) struct Priors {
    links: usize,
    /// `[area][link]`, row-major, ms.
    quality_ms: Vec<f64>,
    /// IPv4 addresses in all known areas.
    pub(crate) ipv4_addresses: u64,
}

impl Priors {
    /// Assumptions for an inventory and an area table.
    #[must_use]
    pub(crate) fn new(inventory: &Inventory, table: &AreaTable) -> Self {
        let known = table.areas().iter().skip(1);
        Self {
            links: inventory.links.len(),
            quality_ms: priors(inventory, table),
            ipv4_addresses: known.map(|area| area.ipv4_addresses).sum(),
        }
    }

    /// Quality assumed between an area and a link, ms.
    #[must_use]
    pub(crate) fn quality_ms(&self, area: AreaId, link: LinkId) -> f64 {
        self.quality_ms[area.index() * self.links + link.index()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TAU: Duration = Duration::from_secs(10);

    #[test]
    fn an_average_follows_time_not_the_number_of_samples() {
        let mut once = Some(Estimate {
            value: 0.0,
            at: Timestamp(0),
        });
        Estimate::feed(&mut once, 100.0, Timestamp(10_000), TAU);
        let mut often = Some(Estimate {
            value: 0.0,
            at: Timestamp(0),
        });
        for at in 1..=10 {
            Estimate::feed(&mut often, 100.0, Timestamp(at * 1000), TAU);
        }
        let (once, often) = (once.unwrap().value, often.unwrap().value);
        assert!((once - 63.2).abs() < 0.1, "{once}");
        assert!((once - often).abs() < 1e-9, "{once} {often}");
    }

    #[test]
    fn late_samples_change_nothing() {
        let mut estimate = Some(Estimate {
            value: 5.0,
            at: Timestamp(1000),
        });
        Estimate::feed(&mut estimate, 500.0, Timestamp(999), TAU);
        assert_eq!(
            estimate,
            Some(Estimate {
                value: 5.0,
                at: Timestamp(1000)
            })
        );
    }

    #[test]
    fn one_bad_report_does_not_take_a_node_out_and_one_good_does_not_bring_it_back() {
        let mut health = NodeHealth {
            up: true,
            load: 0.0,
            at: None,
            since: Timestamp::default(),
            against: 0,
        };
        let mut feed = |healthy, at| {
            health.feed(healthy, 0.5, Timestamp(at), TAU);
            health.up
        };
        assert!(feed(false, 1));
        assert!(feed(true, 2));
        assert!(feed(false, 3));
        assert!(!feed(false, 4));
        assert!(!feed(true, 5) && !feed(true, 6));
        assert!(feed(true, 7));
        assert!(!feed(false, 6) || feed(true, 8), "a late report is ignored");
    }

    #[test]
    fn distances_are_those_of_the_globe() {
        let (beijing, guangzhou) = ((39.90, 116.40), (23.13, 113.26));
        let km = 6371.0 * angle(beijing, guangzhou);
        assert!((1870.0..1910.0).contains(&km), "{km}");
    }
}
