//! The first answer to a failure: only the units of what failed move, each to its best place that
//! has room.
//!
//! Places are ranked by the prices of the certificate in force, so that relief goes where the
//! optimizer would send the next Mbps; units with most to lose choose first, below watermarks
//! before above them. No other unit moves, and no hard limit is exceeded. It is not optimal and has
//! no certificate; it is there in milliseconds.

use coverage::LinkId;
use std::cmp::Ordering;

use crate::network::arcs::as_u32;
use crate::problem::levels::{Loads, UNSERVED_PRICE, add, own_cost, path_price};
use crate::problem::requests;
use crate::problem::topology::Topology;
use instance::{Duals, Plan, Price};
use instance::{Instance, Shares};

/// Amounts below this are rounding, in Mbps.
pub(crate) const AMOUNT_EPSILON_MBPS: f64 = 1e-9;

/// What changes in a plan.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Relief {
    /// (unit, its new shares by rising link), by rising unit.
    pub changes: Vec<(u32, Shares)>,
    /// Traffic that stood on what failed, in Mbps.
    pub lost_mbps: f64,
    /// Part of it that found another place, in Mbps.
    pub moved_mbps: f64,
    /// The rest, in Mbps.
    pub unserved_mbps: f64,
}

impl Relief {
    /// Puts the changes into a plan.
    pub fn apply(&self, plan: &mut Plan) {
        for (unit, shares) in &self.changes {
            if let Some(old) = plan.shares.get_mut(*unit as usize) {
                old.clone_from(shares);
            }
        }
    }
}

/// A unit that lost traffic.
struct Homeless {
    unit: usize,
    lost_mbps: f64,
    /// (price, link), cheapest first; links that failed are left out.
    places: Vec<(Price, LinkId)>,
}

/// Room on links, sites and regions below one kind of limit, in Mbps.
pub(crate) struct Room {
    links: Vec<f64>,
    sites: Vec<f64>,
    regions: Vec<f64>,
    /// `[site]`: requests per second; without end where they are not limited, and where the limit
    /// is not hard.
    requests: Vec<f64>,
}

/// Moves what `plan` has on the links `failed` (indices) and on links and sites of no capacity. `plan` and `duals` must
/// belong to `instance` or to one that differs by capacities only. O(units + candidates of units that move).
#[must_use]
pub fn relieve(instance: &Instance, plan: &Plan, duals: &Duals, failed: &[LinkId]) -> Relief {
    let topology = Topology::of(instance);
    let mut open: Vec<bool> = (0..instance.links.len())
        .map(|link| {
            let site = topology.site_of[link].map_or(0.0, |s| instance.sites[s].capacity_mbps);
            instance.links[link].capacity_mbps > 0.0 && site > 0.0
        })
        .collect();
    for &link in failed {
        if let Some(open) = open.get_mut(link.index()) {
            *open = false;
        }
    }
    let loads = Loads::of(instance, &topology, plan);
    let mut rooms = [
        Room::of(instance, &loads, |soft, _| soft),
        Room::of(instance, &loads, |_, hard| hard),
    ];
    rooms[1].requests.fill(f64::MAX);
    let mut relief = Relief::default();
    for homeless in homeless(instance, &topology, plan, duals, &open) {
        let unit = homeless.unit;
        let mbps = instance.units[unit].mbps;
        let rps = requests::per_mbps(&instance.units[unit]);
        let kept = plan.shares[unit].iter().filter(|s| open[s.0.index()]);
        let mut shares: Shares = kept.copied().collect();
        let mut rest = homeless.lost_mbps;
        relief.lost_mbps += rest;
        for level in 0..rooms.len() {
            for &(_, link) in &homeless.places {
                if rest <= AMOUNT_EPSILON_MBPS {
                    break;
                }
                let take = rooms[level].left(&topology, link, rps).min(rest);
                if take <= AMOUNT_EPSILON_MBPS {
                    continue;
                }
                for room in &mut rooms {
                    room.take(&topology, link, take, rps);
                }
                shares.give(link, take / mbps);
                rest -= take;
            }
        }
        if mbps <= AMOUNT_EPSILON_MBPS
            && shares.is_empty()
            && let Some(&(_, link)) = homeless.places.first()
        {
            shares.push((link, 1.0));
        }
        relief.unserved_mbps += rest;
        relief.moved_mbps += homeless.lost_mbps - rest;
        shares.sort();
        relief.changes.push((as_u32(unit), shares));
    }
    relief.changes.sort_unstable_by_key(|change| change.0);
    relief
}

/// The units with traffic on closed links, those with most to lose first.
fn homeless(
    instance: &Instance,
    topology: &Topology,
    plan: &Plan,
    duals: &Duals,
    open: &[bool],
) -> Vec<Homeless> {
    let requests = requests::by_link(topology, &duals.requests);
    let paths: Vec<Price> = (0..instance.links.len())
        .map(|link| path_price(topology, duals, link))
        .collect();
    let mut found = Vec::new();
    for (index, (unit, shares)) in instance.units.iter().zip(&plan.shares).enumerate() {
        if shares.iter().all(|share| open[share.0.index()]) {
            continue;
        }
        let lost = shares.iter().filter(|share| !open[share.0.index()]);
        let lost_mbps = unit.mbps * lost.map(|share| share.1).sum::<f64>();
        let usable = unit.cand.iter().filter(|c| open[c.0.index()]);
        let priced = usable.map(|&(link, quality_ms)| {
            let own = own_cost(instance, unit, (link, quality_ms));
            let mut price = add(own, paths[link.index()]);
            price.cny_per_mbps += requests::price_per_mbps(unit, &requests, link);
            (price, link)
        });
        let mut places: Vec<(Price, LinkId)> = priced.collect();
        places.sort_unstable_by(|a, b| order(a.0, b.0).then(a.1.cmp(&b.1)));
        found.push(Homeless {
            unit: index,
            lost_mbps,
            places,
        });
    }
    found.sort_by(|a, b| order(regret(b), regret(a)).then(a.unit.cmp(&b.unit)));
    found
}

/// What a unit loses when it does not get its first choice.
fn regret(homeless: &Homeless) -> Price {
    let price = |at: usize| homeless.places.get(at).map_or(UNSERVED_PRICE, |p| p.0);
    let (first, second) = (price(0), price(1));
    Price {
        unserved: second.unserved - first.unserved,
        overload: second.overload - first.overload,
        late: second.late - first.late,
        cny_per_mbps: second.cny_per_mbps - first.cny_per_mbps,
    }
}

/// The order of levels; prices are finite.
fn order(a: Price, b: Price) -> Ordering {
    a.partial_cmp(&b).unwrap_or(Ordering::Equal)
}

impl Room {
    /// What the limits that `pick` chooses from (soft, hard) leave beside `loads`.
    pub(crate) fn of(instance: &Instance, loads: &Loads, pick: fn(f64, f64) -> f64) -> Self {
        let left = |soft, hard, load: &f64| (pick(soft, hard) - load).max(0.0);
        let links = instance.links.iter().zip(&loads.links);
        let sites = instance.sites.iter().zip(&loads.sites);
        let regions = instance.regions.iter().zip(&loads.regions);
        Self {
            links: links
                .map(|(l, load)| left(l.watermark_mbps(), l.capacity_mbps, load))
                .collect(),
            sites: sites
                .map(|(s, load)| left(s.watermark_mbps(), s.capacity_mbps, load))
                .collect(),
            regions: regions
                .map(|(r, load)| left(r.watermark_mbps(), r.capacity_mbps, load))
                .collect(),
            requests: instance
                .sites
                .iter()
                .zip(&loads.requests)
                .map(|(s, load)| s.capacity_rps.map_or(f64::MAX, |rps| (rps - load).max(0.0)))
                .collect(),
        }
    }

    /// What a link can still take of traffic that brings `rps` requests per second with each Mbps.
    pub(crate) fn left(&self, topology: &Topology, link: LinkId, rps: f64) -> f64 {
        let site = topology.site_of[link.index()];
        let requests = match site {
            Some(site) if rps > 0.0 => self.requests[site] / rps,
            _ => f64::MAX,
        };
        let region = site.and_then(|site| topology.region_of[site]);
        self.links[link.index()]
            .min(site.map_or(0.0, |s| self.sites[s]))
            .min(region.map_or(f64::MAX, |r| self.regions[r]))
            .min(requests)
    }

    pub(crate) fn take(&mut self, topology: &Topology, link: LinkId, mbps: f64, rps: f64) {
        let left = &mut self.links[link.index()];
        *left = (*left - mbps).max(0.0);
        if let Some(site) = topology.site_of[link.index()] {
            self.sites[site] = (self.sites[site] - mbps).max(0.0);
            self.requests[site] = (self.requests[site] - mbps * rps).max(0.0);
            if let Some(region) = topology.region_of[site] {
                self.regions[region] = (self.regions[region] - mbps).max(0.0);
            }
        }
    }
}
