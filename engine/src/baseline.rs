//! What others would do with the same candidates: yardsticks for the optimizer.
//!
//! Every baseline returns a plan whose levels come from the checker's evaluation, so that figures
//! compare like with like.

use std::collections::BTreeMap;

use crate::check::{self, CheckFailure};
use crate::plan::{Instance, Levels, Plan};

/// Share of a capacity that rank-and-fill uses before it goes on to the next candidate.
pub const RANK_FILL_SHARE: f64 = 0.8;

/// Amounts below this are rounding, in Mbps.
const AMOUNT_EPSILON_MBPS: f64 = 1e-9;

/// A baseline's plan in figures.
#[derive(Debug, Clone, PartialEq)]
pub struct Baseline {
    /// Where every unit goes.
    pub plan: Plan,
    /// The five levels.
    pub levels: Levels,
    /// Traffic above hard capacities, in Mbps; only nearest-first may have any.
    pub over_capacity_mbps: f64,
}

impl Baseline {
    fn of(instance: &Instance, shares: Vec<Vec<(u32, f64)>>) -> Result<Self, CheckFailure> {
        let plan = Plan {
            shares,
            input_digest: instance.digest(),
        };
        let found = check::measure(instance, &plan)?;
        let (levels, over_capacity_mbps) = (found.levels, found.over_capacity_mbps);
        Ok(Self {
            plan,
            levels,
            over_capacity_mbps,
        })
    }
}

/// Every unit at its best quality, whatever the capacity: plain geographic steering.
///
/// # Errors
/// [`CheckFailure`] when the instance is not valid.
pub fn nearest(instance: &Instance) -> Result<Baseline, CheckFailure> {
    let best = |ranked: Vec<u32>| {
        ranked
            .first()
            .map(|&link| vec![(link, 1.0)])
            .unwrap_or_default()
    };
    Baseline::of(
        instance,
        (0..instance.units.len())
            .map(|u| best(ranked(instance, u)))
            .collect(),
    )
}

/// Units in a random order, each filling its candidates by quality up to [`RANK_FILL_SHARE`] of
/// link and site capacity.
///
/// # Errors
/// [`CheckFailure`] when the instance is not valid.
pub fn rank_and_fill(instance: &Instance, seed: u64) -> Result<Baseline, CheckFailure> {
    let mut room = Room::of(instance, RANK_FILL_SHARE);
    let mut order: Vec<usize> = (0..instance.units.len()).collect();
    order.sort_by_key(|&unit| (mix(seed ^ mix(unit as u64)), unit));
    let mut shares = vec![Vec::new(); instance.units.len()];
    for unit in order {
        let demand = instance.units[unit].mbps;
        let mut rest = demand;
        for link in ranked(instance, unit) {
            let take = room.left(link).min(rest);
            if take > AMOUNT_EPSILON_MBPS || (demand <= AMOUNT_EPSILON_MBPS && rest >= 0.0) {
                room.take(link, take);
                shares[unit].push((link, share(take, demand)));
                rest -= take;
            }
            if rest <= AMOUNT_EPSILON_MBPS {
                break;
            }
        }
        shares[unit].sort_unstable_by_key(|s| s.0);
    }
    Baseline::of(instance, shares)
}

/// Stable allocation (Gale and Shapley, with divisible demand): units propose by quality, links and
/// sites keep the traffic with the best quality and hand back the rest.
///
/// # Errors
/// [`CheckFailure`] when the instance is not valid.
pub fn stable(instance: &Instance) -> Result<Baseline, CheckFailure> {
    let mut market = Market::of(instance);
    for unit in 0..instance.units.len() {
        market.propose(unit, instance.units[unit].mbps);
        while let Some((unit, amount)) = market.returned.pop() {
            market.propose(unit, amount);
        }
    }
    let mut shares = vec![Vec::new(); instance.units.len()];
    for (link, held) in market.held.iter().enumerate() {
        let Ok(link) = u32::try_from(link) else {
            continue;
        };
        for (&(_, unit), &amount) in held {
            shares[unit].push((link, share(amount, instance.units[unit].mbps)));
        }
    }
    Baseline::of(instance, shares)
}

/// An amount as a share of a demand; a unit without demand is placed whole.
fn share(amount: f64, demand: f64) -> f64 {
    if demand > AMOUNT_EPSILON_MBPS {
        (amount / demand).min(1.0)
    } else {
        1.0
    }
}

/// Candidate links of a unit, best quality first.
fn ranked(instance: &Instance, unit: usize) -> Vec<u32> {
    let mut candidates = instance.units[unit].cand.clone();
    candidates.sort_by(|a, b| a.1.total_cmp(&b.1).then(a.0.cmp(&b.0)));
    candidates.into_iter().map(|c| c.0).collect()
}

/// A 64-bit finalizer (Steele, Lea and Flood, SplitMix64): a fixed random order without state.
fn mix(value: u64) -> u64 {
    let value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

/// What links and sites can still take, in Mbps.
struct Room {
    links: Vec<f64>,
    sites: Vec<f64>,
    site_of: Vec<usize>,
}

impl Room {
    fn of(instance: &Instance, fill: f64) -> Self {
        let index: BTreeMap<&str, usize> = instance
            .sites
            .iter()
            .enumerate()
            .map(|(i, s)| (s.id.as_str(), i))
            .collect();
        Self {
            links: instance
                .links
                .iter()
                .map(|l| l.capacity_mbps * fill)
                .collect(),
            sites: instance
                .sites
                .iter()
                .map(|s| s.capacity_mbps * fill)
                .collect(),
            site_of: instance
                .links
                .iter()
                .map(|l| index.get(l.site.as_str()).copied().unwrap_or(usize::MAX))
                .collect(),
        }
    }

    fn left(&self, link: u32) -> f64 {
        let link = link as usize;
        let site = self.sites.get(self.site_of[link]).copied().unwrap_or(0.0);
        self.links[link].min(site).max(0.0)
    }

    fn take(&mut self, link: u32, amount: f64) {
        self.links[link as usize] -= amount;
        if let Some(site) = self.sites.get_mut(self.site_of[link as usize]) {
            *site -= amount;
        }
    }
}

/// The state of deferred acceptance.
struct Market {
    ranked: Vec<Vec<u32>>,
    /// `[unit]` -> how far down its list it has come; only ever grows.
    place: Vec<usize>,
    /// `[link]` -> (quality as ordered bits, unit) -> amount held.
    held: Vec<BTreeMap<(u64, usize), f64>>,
    /// Room, negative while a row holds too much.
    room: Room,
    /// `[site]` -> its links.
    links_of: Vec<Vec<usize>>,
    /// Amounts handed back and not yet proposed again.
    returned: Vec<(usize, f64)>,
    /// `[unit]` -> (link, ordered bits of its quality), for eviction keys.
    quality: Vec<BTreeMap<u32, u64>>,
}

impl Market {
    fn of(instance: &Instance) -> Self {
        let room = Room::of(instance, 1.0);
        let mut links_of = vec![Vec::new(); instance.sites.len()];
        for (link, &site) in room.site_of.iter().enumerate() {
            if let Some(links) = links_of.get_mut(site) {
                links.push(link);
            }
        }
        // Non-negative floats order like their bits.
        let bits = |c: &(u32, f64)| (c.0, (c.1 + 0.0).to_bits());
        Self {
            ranked: (0..instance.units.len())
                .map(|u| ranked(instance, u))
                .collect(),
            place: vec![0; instance.units.len()],
            held: vec![BTreeMap::new(); instance.links.len()],
            room,
            links_of,
            returned: Vec::new(),
            quality: instance
                .units
                .iter()
                .map(|u| u.cand.iter().map(bits).collect())
                .collect(),
        }
    }

    /// `unit` offers `amount` to its present link, which may hand back something worse.
    fn propose(&mut self, unit: usize, amount: f64) {
        let Some(&link) = self.ranked[unit].get(self.place[unit]) else {
            return;
        };
        let bits = self.quality[unit].get(&link).copied().unwrap_or(0);
        *self.held[link as usize].entry((bits, unit)).or_insert(0.0) += amount;
        self.room.take(link, amount);
        while self.room.links[link as usize] < -AMOUNT_EPSILON_MBPS {
            if !self.evict(link as usize, -self.room.links[link as usize]) {
                break;
            }
        }
        let site = self.room.site_of[link as usize];
        while self
            .room
            .sites
            .get(site)
            .is_some_and(|&r| r < -AMOUNT_EPSILON_MBPS)
        {
            let worst = |&l: &usize| self.held[l].last_key_value().map(|(key, _)| (*key, l));
            let Some((_, link)) = self.links_of[site].iter().filter_map(worst).max() else {
                break;
            };
            if !self.evict(link, -self.room.sites[site]) {
                break;
            }
        }
    }

    /// Hands back up to `excess` of the worst that `link` holds; whether there was anything.
    fn evict(&mut self, link: usize, excess: f64) -> bool {
        let Some(mut worst) = self.held[link].last_entry() else {
            return false;
        };
        let (_, unit) = *worst.key();
        let amount = worst.get().min(excess);
        *worst.get_mut() -= amount;
        if *worst.get() <= AMOUNT_EPSILON_MBPS {
            worst.remove();
        }
        let Ok(index) = u32::try_from(link) else {
            return false;
        };
        self.room.take(index, -amount);
        // A link that refused some of a unit's traffic refuses the rest of it as well.
        if self.ranked[unit].get(self.place[unit]) == Some(&index) {
            self.place[unit] += 1;
        }
        self.returned.push((unit, amount));
        true
    }
}
