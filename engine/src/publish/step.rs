//! One step from the plan in force towards another: how much of it may happen now.
//!
//! Each unit either stays as it is or does what the target wants. Who stands on something that is gone moves at once. Then
//! come moves that relieve what is too full, then gains, the largest first; each only while the budget of the step, the ramp
//! of its target and the room there last, and nothing forbids it. What is left over is a matter for the next tick.

use super::Gate;
use crate::plan::{Instance, Plan};
use std::collections::BTreeMap;
use std::time::Duration;

/// Passes over what is left: one that leaves makes room for another.
const PASSES_MAX: usize = 4;
/// Loads this little above a limit are rounding, as a share of it.
const ROUNDING_SHARE: f64 = 1e-9;

/// How far a step may go.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepRules {
    /// Share of all demand that may move in one step.
    pub share_max: f64,
    /// What a site may gain in one step, as a share of what it carries.
    pub ramp_share: f64,
    /// The same as a share of its capacity; the larger of both counts.
    pub ramp_capacity_share: f64,
    /// Least time between two moves of a unit; a longer TTL counts instead.
    pub dwell_min: Duration,
}

impl Default for StepRules {
    fn default() -> Self {
        Self {
            // A tenth of the traffic of the world on the way to new places is what caches and links are known to bear.
            share_max: 0.1,
            ramp_share: 0.25,
            ramp_capacity_share: 0.1,
            dwell_min: Duration::from_secs(60),
        }
    }
}

/// What is possible in the step: the instance, and the site of each link.
#[derive(Clone, Copy)]
pub struct Ground<'a> {
    /// Demand, limits and candidates.
    pub instance: &'a Instance,
    /// [link] -> site index.
    pub site_of: &'a [usize],
}

/// A plan between two others.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// What every unit does.
    pub plan: Plan,
    /// Traffic that moves, Mbps.
    pub moved_mbps: f64,
    /// What was held back by which gate, Mbps.
    pub withheld_mbps: BTreeMap<Gate, f64>,
}

/// Why a unit would move, most urgent first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Urgency {
    /// It stands beyond a hard limit: what does not fit is lost.
    Lost,
    /// It stands beyond a soft limit.
    Overload,
    /// It would be served better or cheaper.
    Gain,
}

/// A unit that wants to move.
struct Wish {
    unit: usize,
    urgency: Urgency,
    moved_mbps: f64,
    gain_ms: f64,
}

/// A move that is asked about: of a unit, from one site (if it stood on another) to the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Move {
    /// Index of the unit.
    pub unit: usize,
    /// Site that it leaves.
    pub from: Option<usize>,
    /// Site that it comes to.
    pub to: usize,
    /// Whether that relieves what is too full.
    pub relieves: bool,
}

/// The step from `before` to `target`. `forbidden` names the gate that keeps a unit from moving; who stands beyond a hard
/// limit is not asked, because what does not fit is lost.
#[must_use]
pub fn step(
    ground: Ground<'_>,
    (before, target): (&Plan, &Plan),
    rules: &StepRules,
    forbidden: impl Fn(Move) -> Option<Gate>,
) -> Step {
    let mut walk = Walk::new(ground, before, target, rules);
    let mut wishes = walk.wishes();
    let mut withheld = BTreeMap::new();
    if walk.may_take_all(&wishes, &forbidden) {
        walk.take_all(&mut wishes);
    } else {
        let wanted = wishes.len();
        withheld = walk.grant_all(&mut wishes, &forbidden);
        // Units that wait for each other's room would wait for ever: then soft limits are passed on the way, and if that
        // does not help all of them go at once, which is feasible because the target is.
        let stuck = |wishes: &[Wish], withheld: &BTreeMap<usize, Gate>| {
            wishes.len() == wanted && withheld.values().all(|gate| *gate == Gate::Room)
        };
        if stuck(&wishes, &withheld) {
            walk.pass_soft_limits();
            withheld = walk.grant_all(&mut wishes, &forbidden);
            if stuck(&wishes, &withheld) {
                walk.take_all(&mut wishes);
            }
        }
    }
    let mut withheld_mbps: BTreeMap<Gate, f64> = BTreeMap::new();
    for wish in &wishes {
        if let Some(gate) = withheld.get(&wish.unit) {
            *withheld_mbps.entry(*gate).or_default() += wish.moved_mbps;
        }
    }
    Step {
        moved_mbps: walk.moved_mbps,
        plan: Plan {
            shares: walk.shares,
            input_digest: target.input_digest.clone(),
        },
        withheld_mbps,
    }
}

/// A step that is being made.
struct Walk<'a> {
    ground: Ground<'a>,
    target: &'a Plan,
    shares: Vec<Vec<(u32, f64)>>,
    links_mbps: Vec<f64>,
    sites_mbps: Vec<f64>,
    /// What sites and links may carry at most after this step.
    links_max: Vec<f64>,
    sites_max: Vec<f64>,
    sites_ramp: Vec<f64>,
    /// [site]: whether somebody has moved there in this step.
    sites_gained: Vec<bool>,
    /// What sites carry in the target.
    sites_target: Vec<f64>,
    budget_mbps: f64,
    moved_mbps: f64,
}

impl<'a> Walk<'a> {
    fn new(ground: Ground<'a>, before: &Plan, target: &'a Plan, rules: &StepRules) -> Self {
        let instance = ground.instance;
        let (target_links, target_sites) = loads(ground, &target.shares);
        // Beyond a soft limit only as far as the target itself goes.
        let most = |soft: f64, hard: f64, target: f64| soft.max(target).min(hard.max(target));
        let links = instance.links.iter().zip(&target_links);
        let sites = instance.sites.iter().zip(&target_sites);
        let demand: f64 = instance.units.iter().map(|unit| unit.mbps).sum();
        let mut walk = Self {
            ground,
            target,
            shares: before.shares.clone(),
            links_max: links
                .map(|(link, &to)| most(link.watermark_mbps(), link.capacity_mbps, to))
                .collect(),
            sites_max: sites
                .map(|(site, &to)| most(site.watermark_mbps(), site.capacity_mbps, to))
                .collect(),
            links_mbps: Vec::new(),
            sites_mbps: Vec::new(),
            sites_ramp: Vec::new(),
            sites_gained: vec![false; instance.sites.len()],
            sites_target: target_sites.clone(),
            budget_mbps: demand * rules.share_max,
            moved_mbps: 0.0,
        };
        for unit in 0..walk.shares.len() {
            if walk.is_homeless(unit) {
                walk.moved_mbps += moved_mbps(instance, unit, &walk.shares[unit], target);
                walk.shares[unit].clone_from(&target.shares[unit]);
            }
        }
        (walk.links_mbps, walk.sites_mbps) = loads(ground, &walk.shares);
        walk.sites_ramp = instance
            .sites
            .iter()
            .zip(&walk.sites_mbps)
            .map(|(site, &load)| {
                let gain = load * rules.ramp_share;
                load + gain.max(site.capacity_mbps * rules.ramp_capacity_share)
            })
            .collect();
        walk
    }

    /// Grants what can be granted; returns which gate is against each of the rest.
    fn grant_all(
        &mut self,
        wishes: &mut Vec<Wish>,
        forbidden: &impl Fn(Move) -> Option<Gate>,
    ) -> BTreeMap<usize, Gate> {
        let mut withheld = BTreeMap::new();
        for _ in 0..PASSES_MAX {
            let left = wishes.len();
            wishes.retain(|wish| match self.grant(wish, forbidden) {
                Ok(()) => {
                    withheld.remove(&wish.unit);
                    false
                }
                Err(gate) => {
                    withheld.insert(wish.unit, gate);
                    true
                }
            });
            if wishes.len() == left {
                break;
            }
        }
        withheld
    }

    /// Whether the whole target is within the budget and all ramps, and nothing of it is forbidden.
    fn may_take_all(&self, wishes: &[Wish], forbidden: &impl Fn(Move) -> Option<Gate>) -> bool {
        let moved_mbps: f64 = wishes.iter().map(|wish| wish.moved_mbps).sum();
        let sites = self.sites_target.iter().zip(&self.sites_ramp);
        let within = |(&to, &ramp): (&f64, &f64)| to <= ramp * (1.0 + ROUNDING_SHARE);
        let free = |wish: &Wish| self.forbidding(wish, forbidden).is_none();
        self.moved_mbps + moved_mbps <= self.budget_mbps
            && sites.into_iter().all(within)
            && wishes.iter().all(free)
    }

    /// Lets loads grow up to hard limits.
    fn pass_soft_limits(&mut self) {
        let instance = self.ground.instance;
        for (most, link) in self.links_max.iter_mut().zip(&instance.links) {
            *most = most.max(link.capacity_mbps);
        }
        for (most, site) in self.sites_max.iter_mut().zip(&instance.sites) {
            *most = most.max(site.capacity_mbps);
        }
    }

    /// Does all that is left.
    fn take_all(&mut self, wishes: &mut Vec<Wish>) {
        for wish in wishes.drain(..) {
            self.moved_mbps += wish.moved_mbps;
            self.shares[wish.unit].clone_from(&self.target.shares[wish.unit]);
        }
    }

    /// Whether a unit has no place, or stands on one that is no candidate or can carry nothing any more.
    fn is_homeless(&self, unit: usize) -> bool {
        let instance = self.ground.instance;
        let gone = |link: u32| {
            let at = link as usize;
            let known = instance.units[unit].cand.iter().any(|c| c.0 == link);
            let open = instance.links.get(at).is_some_and(|row| {
                let site = &instance.sites[self.ground.site_of[at]];
                row.capacity_mbps > 0.0 && site.capacity_mbps > 0.0
            });
            !known || !open
        };
        let shares = &self.shares[unit];
        shares.is_empty() || shares.iter().any(|share| gone(share.0))
    }

    /// All units that the target wants elsewhere, most urgent first.
    fn wishes(&self) -> Vec<Wish> {
        let instance = self.ground.instance;
        let mut wishes = Vec::new();
        for (unit, now) in self.shares.iter().enumerate() {
            let mbps = moved_mbps(instance, unit, now, self.target);
            if *now == self.target.shares[unit] {
                continue;
            }
            let mean_ms = |shares: &[(u32, f64)]| {
                let quality = |link: u32| {
                    let cand = instance.units[unit].cand.iter().find(|c| c.0 == link);
                    cand.map_or(0.0, |c| c.1)
                };
                shares
                    .iter()
                    .map(|&(l, share)| share * quality(l))
                    .sum::<f64>()
            };
            wishes.push(Wish {
                unit,
                urgency: self.urgency(now),
                moved_mbps: mbps,
                gain_ms: mean_ms(now) - mean_ms(&self.target.shares[unit]),
            });
        }
        wishes.sort_by(|a, b| {
            let urgency = a.urgency.cmp(&b.urgency);
            urgency
                .then(b.gain_ms.total_cmp(&a.gain_ms))
                .then(a.unit.cmp(&b.unit))
        });
        wishes
    }

    fn urgency(&self, shares: &[(u32, f64)]) -> Urgency {
        let instance = self.ground.instance;
        let mut most = Urgency::Gain;
        for &(link, _) in shares {
            let (link, site) = (link as usize, self.ground.site_of[link as usize]);
            let (port, room) = (&instance.links[link], &instance.sites[site]);
            let above = |load: f64, limit: f64| load > limit * (1.0 + ROUNDING_SHARE);
            if above(self.links_mbps[link], port.capacity_mbps)
                || above(self.sites_mbps[site], room.capacity_mbps)
            {
                return Urgency::Lost;
            }
            if above(self.links_mbps[link], port.watermark_mbps())
                || above(self.sites_mbps[site], room.watermark_mbps())
            {
                most = Urgency::Overload;
            }
        }
        most
    }

    /// Moves a unit, or says what is against it.
    fn grant(
        &mut self,
        wish: &Wish,
        forbidden: &impl Fn(Move) -> Option<Gate>,
    ) -> Result<(), Gate> {
        if let Some(gate) = self.forbidding(wish, forbidden) {
            return Err(gate);
        }
        let target = self.target;
        let (now, then) = (self.shares[wish.unit].clone(), &target.shares[wish.unit]);
        let mbps = self.ground.instance.units[wish.unit].mbps;
        if wish.urgency != Urgency::Lost && self.moved_mbps + wish.moved_mbps > self.budget_mbps {
            return Err(Gate::Step);
        }
        self.place(&now, -mbps);
        self.place(then, mbps);
        let gate = self.too_much(wish, then);
        if let Some(gate) = gate {
            self.place(then, -mbps);
            self.place(&now, mbps);
            return Err(gate);
        }
        self.moved_mbps += wish.moved_mbps;
        if wish.moved_mbps > 0.0 {
            for &(link, _) in then {
                self.sites_gained[self.ground.site_of[link as usize]] = true;
            }
        }
        self.shares[wish.unit].clone_from(then);
        Ok(())
    }

    /// The gate that forbids a move, if one does.
    fn forbidding(&self, wish: &Wish, forbidden: &impl Fn(Move) -> Option<Gate>) -> Option<Gate> {
        if wish.urgency == Urgency::Lost {
            return None;
        }
        let (now, then) = (&self.shares[wish.unit], &self.target.shares[wish.unit]);
        let site = |link: u32| self.ground.site_of[link as usize];
        let gains = then.iter().filter(|(link, share)| {
            let before = now.iter().find(|old| old.0 == *link);
            before.is_none_or(|old| old.1 < *share)
        });
        gains
            .map(|&(link, _)| Move {
                unit: wish.unit,
                from: now
                    .iter()
                    .map(|old| site(old.0))
                    .find(|from| *from != site(link)),
                to: site(link),
                relieves: wish.urgency == Urgency::Overload,
            })
            .find_map(forbidden)
    }

    /// What is exceeded where a unit now is.
    fn too_much(&self, wish: &Wish, shares: &[(u32, f64)]) -> Option<Gate> {
        let above = |load: f64, limit: f64| load > limit * (1.0 + ROUNDING_SHARE);
        for &(link, _) in shares {
            let (link, site) = (link as usize, self.ground.site_of[link as usize]);
            if above(self.links_mbps[link], self.links_max[link])
                || above(self.sites_mbps[site], self.sites_max[site])
            {
                return Some(Gate::Room);
            }
            if wish.urgency != Urgency::Lost
                && wish.moved_mbps > 0.0
                // One unit may always go, or a large one would wait for ever.
                && self.sites_gained[site]
                && above(self.sites_mbps[site], self.sites_ramp[site])
            {
                return Some(Gate::Ramp);
            }
        }
        None
    }

    fn place(&mut self, shares: &[(u32, f64)], mbps: f64) {
        for &(link, share) in shares {
            self.links_mbps[link as usize] += share * mbps;
            self.sites_mbps[self.ground.site_of[link as usize]] += share * mbps;
        }
    }
}

/// Traffic of a unit that `target` wants on links, or beyond shares, that it does not have now, Mbps.
fn moved_mbps(instance: &Instance, unit: usize, now: &[(u32, f64)], target: &Plan) -> f64 {
    let gained = |&(link, share): &(u32, f64)| {
        let before = now
            .iter()
            .find(|old| old.0 == link)
            .map_or(0.0, |old| old.1);
        (share - before).max(0.0)
    };
    instance.units[unit].mbps * target.shares[unit].iter().map(gained).sum::<f64>()
}

/// Loads of links and sites, Mbps; links that do not exist carry nothing.
fn loads(ground: Ground<'_>, shares: &[Vec<(u32, f64)>]) -> (Vec<f64>, Vec<f64>) {
    let mut links = vec![0.0; ground.instance.links.len()];
    let mut sites = vec![0.0; ground.instance.sites.len()];
    for (unit, shares) in ground.instance.units.iter().zip(shares) {
        for &(link, share) in shares {
            if let Some(load) = links.get_mut(link as usize) {
                *load += unit.mbps * share;
                sites[ground.site_of[link as usize]] += unit.mbps * share;
            }
        }
    }
    (links, sites)
}
