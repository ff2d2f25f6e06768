//! Stable allocation.

use super::{AMOUNT_EPSILON_MBPS, Baseline, share};
use checker::CheckFailure;
use coverage::LinkId;
use instance::{Instance, Shares};
use optimizer::{Loads, Problem};
use std::collections::BTreeMap;

/// Stable allocation (Gale and Shapley, with divisible demand): units propose by quality, links,
/// sites and regions keep the traffic with the best quality and hand back the rest.
///
/// # Errors
/// [`CheckFailure`] when the instance is not valid.
pub fn stable(instance: &Instance) -> Result<Baseline, CheckFailure> {
    let problem = Problem::new(instance);
    let mut market = Market::of(&problem);
    for unit in 0..instance.units.len() {
        market.propose(unit, instance.units[unit].mbps);
        while let Some((unit, amount)) = market.returned.pop() {
            market.propose(unit, amount);
        }
    }
    let mut shares = vec![Shares::new(); instance.units.len()];
    for (link, held) in market.held.iter().enumerate() {
        let link = LinkId::from_index(link);
        for (&(_, unit), &amount) in held {
            shares[unit].push((link, share(amount, instance.units[unit].mbps)));
        }
    }
    Baseline::of(instance, shares)
}

/// The state of deferred acceptance.
struct Market<'a> {
    problem: &'a Problem<'a>,
    ranked: Vec<Vec<LinkId>>,
    /// `[unit]` -> how far down its list it has come; only ever grows.
    place: Vec<usize>,
    /// `[link]` -> (quality as ordered bits, unit) -> amount held.
    held: Vec<BTreeMap<(u64, usize), f64>>,
    /// Room, negative while a row holds too much.
    room: Loads,
    /// Amounts handed back and not yet proposed again.
    returned: Vec<(usize, f64)>,
    /// `[unit]` -> (link, ordered bits of its quality), for eviction keys.
    quality: Vec<BTreeMap<LinkId, u64>>,
}

impl<'a> Market<'a> {
    fn of(problem: &'a Problem<'a>) -> Self {
        let instance = problem.instance;
        // Non-negative floats order like their bits.
        let bits = |c: &(LinkId, f64)| (c.0, (c.1 + 0.0).to_bits());
        Self {
            ranked: (0..instance.units.len())
                .map(|u| instance.units[u].ranked())
                .collect(),
            place: vec![0; instance.units.len()],
            held: vec![BTreeMap::new(); instance.links.len()],
            room: Loads::hard_limits(problem),
            problem,
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
        *self.held[link.index()].entry((bits, unit)).or_insert(0.0) += amount;
        let problem = self.problem;
        let place = problem.place(link);
        self.room.add_mbps(place, -amount);
        while self.room.links[link.index()] < -AMOUNT_EPSILON_MBPS {
            if !self.evict(link, -self.room.links[link.index()]) {
                break;
            }
        }
        let site = place.site.index();
        while self.room.sites[site] < -AMOUNT_EPSILON_MBPS {
            let worst = self.worst(problem.links_of_site(place.site).iter().copied());
            if !worst.is_some_and(|link| self.evict(link, -self.room.sites[site])) {
                break;
            }
        }
        while let Some(region) = place.region
            && self.room.regions[region.index()] < -AMOUNT_EPSILON_MBPS
        {
            let here = problem
                .places()
                .iter()
                .filter(|at| at.region == Some(region));
            let worst = self.worst(here.map(|at| at.link));
            if !worst.is_some_and(|link| self.evict(link, -self.room.regions[region.index()])) {
                break;
            }
        }
    }

    /// The link among `links` that holds the worst quality.
    fn worst(&self, links: impl Iterator<Item = LinkId>) -> Option<LinkId> {
        let worst = |link: LinkId| {
            self.held[link.index()]
                .last_key_value()
                .map(|(key, _)| (*key, link))
        };
        links.filter_map(worst).max().map(|(_, link)| link)
    }

    /// Hands back up to `excess` of the worst that `link` holds; whether there was anything.
    fn evict(&mut self, link: LinkId, excess: f64) -> bool {
        let Some(mut worst) = self.held[link.index()].last_entry() else {
            return false;
        };
        let (_, unit) = *worst.key();
        let amount = worst.get().min(excess);
        *worst.get_mut() -= amount;
        if *worst.get() <= AMOUNT_EPSILON_MBPS {
            worst.remove();
        }
        self.room.add_mbps(self.problem.place(link), amount);
        // A link that refused some of a unit's traffic refuses the rest of it as well.
        if self.ranked[unit].get(self.place[unit]) == Some(&link) {
            self.place[unit] += 1;
        }
        self.returned.push((unit, amount));
        true
    }
}
