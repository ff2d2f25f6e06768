//! The first answer to a failure: only the units of what failed move, each to its best place that
//! has room.
//!
//! Places are ranked by the prices of the certificate in force, so that relief goes where the
//! optimizer would send the next Mbps; units with most to lose choose first, below watermarks
//! before above them. No other unit moves, and no hard limit is exceeded. It is not optimal and has
//! no certificate; it is there in milliseconds.

use coverage::LinkId;
use std::cmp::Ordering;

use crate::network::numbers::as_u32;
use crate::problem::index::Problem;
use crate::problem::loads::{AMOUNT_EPSILON_MBPS, Loads, Room};
use crate::problem::prices::{UNSERVED_PRICE, add, less, own_cost, path_prices};
use crate::problem::requests;
use instance::{Duals, Plan, Price};
use instance::{Instance, Shares};

/// Changes of a plan.
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
struct Displaced {
    unit: usize,
    lost_mbps: f64,
    /// (price, link), cheapest first; links that failed are left out.
    places: Vec<(Price, LinkId)>,
}

/// Moves what `plan` has on the links `failed` (indices) and on links and sites of no capacity.
/// `plan` and `duals` must belong to `instance` or to one that differs by capacities only. Takes
/// O(units + candidates of units that move).
#[must_use]
pub fn relieve(instance: &Instance, plan: &Plan, duals: &Duals, failed: &[LinkId]) -> Relief {
    let problem = Problem::new(instance);
    let places = problem.places().iter();
    let mut open: Vec<bool> = places.map(|place| problem.is_open(place.link)).collect();
    for &link in failed {
        if let Some(open) = open.get_mut(link.index()) {
            *open = false;
        }
    }
    let loads = Loads::of(&problem, &plan.shares);
    let mut rooms = [
        Room::between(Loads::soft_limits(&problem), &loads),
        Room::between(Loads::hard_limits(&problem), &loads),
    ];
    let mut relief = Relief::default();
    for displaced in displaced(&problem, plan, duals, &open) {
        let unit = displaced.unit;
        let mbps = instance.units[unit].mbps;
        let rps = requests::per_mbps(&instance.units[unit]);
        let kept = plan.shares[unit].iter().filter(|s| open[s.0.index()]);
        let mut shares: Shares = kept.copied().collect();
        let mut rest = displaced.lost_mbps;
        relief.lost_mbps += rest;
        for level in 0..rooms.len() {
            for &(_, link) in &displaced.places {
                if rest <= AMOUNT_EPSILON_MBPS {
                    break;
                }
                let place = problem.place(link);
                let take = rooms[level].left_mbps(place, rps).min(rest);
                if take <= AMOUNT_EPSILON_MBPS {
                    continue;
                }
                for room in &mut rooms {
                    room.take(place, take, rps);
                }
                shares.give(link, take / mbps);
                rest -= take;
            }
        }
        if mbps <= AMOUNT_EPSILON_MBPS
            && shares.is_empty()
            && let Some(&(_, link)) = displaced.places.first()
        {
            shares.push((link, 1.0));
        }
        relief.unserved_mbps += rest;
        relief.moved_mbps += displaced.lost_mbps - rest;
        shares.sort();
        relief.changes.push((as_u32(unit), shares));
    }
    relief.changes.sort_unstable_by_key(|change| change.0);
    relief
}

/// The units with traffic on closed links, those with most to lose first.
fn displaced(problem: &Problem<'_>, plan: &Plan, duals: &Duals, open: &[bool]) -> Vec<Displaced> {
    let requests = requests::by_link(problem, &duals.requests);
    let paths = path_prices(problem, duals);
    let instance = problem.instance;
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
        found.push(Displaced {
            unit: index,
            lost_mbps,
            places,
        });
    }
    found.sort_by(|a, b| order(regret(b), regret(a)).then(a.unit.cmp(&b.unit)));
    found
}

/// Loss of a unit that does not get its first choice.
fn regret(displaced: &Displaced) -> Price {
    let price = |at: usize| displaced.places.get(at).map_or(UNSERVED_PRICE, |p| p.0);
    less(price(1), price(0))
}

/// The order of levels; prices are finite.
fn order(a: Price, b: Price) -> Ordering {
    a.partial_cmp(&b).unwrap_or(Ordering::Equal)
}
