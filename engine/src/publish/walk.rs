//! The walk of one step: wishes, granted one by one while budget, ramp and room last.

use super::Gate;
use super::moves::moved_mbps;
use super::moves::{Move, StepRules};
use super::moves::{Urgency, Wish};
use super::slice::slice;
use coverage::LinkId;
use coverage::WEIGHT_TOTAL;
use instance::Plan;
use instance::Shares;
use optimizer::Problem;
use optimizer::{Loads, Place, ROUNDING};
use std::collections::BTreeMap;

/// Passes over what is left: one that leaves makes room for another.
const PASSES_MAX: usize = 4;

/// Part that goes now of a unit that is too large to go at once.
struct Part {
    shares: Shares,
    moved_mbps: f64,
    /// The gate that keeps back the rest.
    gate: Gate,
    /// True when no smaller part could go.
    is_least: bool,
}

/// A step that is being made.
#[derive(Clone)]
pub(super) struct Walk<'a> {
    pub(super) problem: &'a Problem<'a>,
    pub(super) target: &'a Plan,
    pub(super) shares: Vec<Shares>,
    /// Loads as far as this step has come.
    pub(super) loads: Loads,
    /// Most that rows may carry after it; hard and soft limits.
    most: Loads,
    pub(super) hard: Loads,
    pub(super) soft: Loads,
    /// `[site]`: most that its ramp lets it carry, Mbps.
    sites_ramp: Vec<f64>,
    /// `[site]`: most that it may gain in this step, Mbps.
    sites_gain: Vec<f64>,
    /// `[site]`: load in the target, Mbps.
    sites_target: Vec<f64>,
    budget_mbps: f64,
    pub(super) moved_mbps: f64,
    /// True when all had a place to begin with; units without one are where the target wants them.
    pub(super) is_at_home: bool,
    /// True when any unit moves that would only be served better or cheaper.
    pub(super) gains: bool,
    /// Traffic left behind of units that went in part, by the gate that cut them, Mbps.
    pub(super) cut_mbps: BTreeMap<Gate, f64>,
}

impl<'a> Walk<'a> {
    pub(super) fn new(
        problem: &'a Problem<'a>,
        (before, target): (&Plan, &'a Plan),
        rules: &StepRules,
    ) -> Self {
        let instance = problem.instance;
        let (hard, soft) = (Loads::hard_limits(problem), Loads::soft_limits(problem));
        let demand: f64 = instance.units.iter().map(|unit| unit.mbps).sum();
        let mut walk = Self {
            problem,
            target,
            shares: before.shares.clone(),
            loads: Loads::none(problem),
            most: Loads::none(problem),
            hard,
            soft,
            sites_ramp: Vec::new(),
            sites_gain: Vec::new(),
            sites_target: Vec::new(),
            budget_mbps: demand * rules.share_max,
            moved_mbps: 0.0,
            is_at_home: true,
            gains: false,
            cut_mbps: BTreeMap::new(),
        };
        let wanted = Loads::of(problem, &target.shares);
        walk.sites_target.clone_from(&wanted.sites);
        // Beyond a soft limit only as far as the target itself goes.
        walk.most.clone_from(&walk.soft);
        walk.most.merge(&wanted, f64::max);
        let mut hard = walk.hard.clone();
        hard.merge(&wanted, f64::max);
        walk.most.merge(&hard, f64::min);
        for unit in 0..walk.shares.len() {
            if walk.is_displaced(unit) {
                walk.is_at_home = false;
                walk.moved_mbps += moved_mbps(problem, unit, &walk.shares[unit], target);
                walk.shares[unit].clone_from(&target.shares[unit]);
            }
        }
        walk.loads = Loads::of(problem, &walk.shares);
        let sites = instance.sites.iter().zip(&walk.loads.sites);
        walk.sites_gain = sites
            .map(|(site, &load)| {
                (load * rules.ramp_share).max(site.capacity_mbps * rules.ramp_capacity_share)
            })
            .collect();
        let loads = walk.loads.sites.iter().zip(&walk.sites_gain);
        walk.sites_ramp = loads.map(|(load, gain)| load + gain).collect();
        walk
    }

    /// Grants what can be granted; returns which gate is against each of the rest.
    pub(super) fn grant_all(
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

    /// Tells whether the whole target is within the budget and all ramps, and nothing of it is
    /// forbidden.
    pub(super) fn may_take_all(
        &self,
        wishes: &[Wish],
        forbidden: &impl Fn(Move) -> Option<Gate>,
    ) -> bool {
        let moved_mbps: f64 = wishes.iter().map(|wish| wish.moved_mbps).sum();
        let sites = self.sites_target.iter().zip(&self.sites_ramp);
        let within = |(&to, &ramp): (&f64, &f64)| to <= ramp * (1.0 + ROUNDING);
        let free = |wish: &Wish| {
            let (now, then) = (&self.shares[wish.unit], &self.target.shares[wish.unit]);
            wish.urgency == Urgency::Lost || self.ask(wish, now, then, forbidden).is_ok()
        };
        self.moved_mbps + moved_mbps <= self.budget_mbps
            && sites.into_iter().all(within)
            && wishes.iter().all(free)
    }

    /// Lets loads grow up to hard limits.
    pub(super) fn pass_soft_limits(&mut self) {
        self.most.merge(&self.hard, f64::max);
    }

    /// Does all that is left.
    pub(super) fn take_all(&mut self, wishes: &mut Vec<Wish>) {
        for wish in wishes.drain(..) {
            self.gains |= wish.urgency == Urgency::Gain;
            self.moved_mbps += wish.moved_mbps;
            self.shares[wish.unit].clone_from(&self.target.shares[wish.unit]);
        }
    }

    /// Moves a unit, or says what is against it.
    fn grant(
        &mut self,
        wish: &Wish,
        forbidden: &impl Fn(Move) -> Option<Gate>,
    ) -> Result<(), Gate> {
        let target = self.target;
        let (now, then) = (self.shares[wish.unit].clone(), &target.shares[wish.unit]);
        if wish.urgency != Urgency::Lost {
            self.ask(wish, &now, then, forbidden)?;
        }
        let cut = self.cut(wish, &now, then);
        let (then, moved_mbps) = match &cut {
            Some(part) => (&part.shares, part.moved_mbps),
            None => (then, wish.moved_mbps),
        };
        if wish.urgency != Urgency::Lost && self.moved_mbps + moved_mbps > self.budget_mbps {
            return Err(Gate::Step);
        }
        let places = then.iter().map(|share| self.problem.place(share.0));
        let before: Vec<_> = places.map(|place| (place, self.loads.at(place))).collect();
        self.place(wish.unit, &now, -1.0);
        self.place(wish.unit, then, 1.0);
        let least = cut.as_ref().is_some_and(|part| part.is_least);
        let ramps = wish.urgency != Urgency::Lost && wish.moved_mbps > 0.0;
        if let Some(gate) = self.too_much(&before, ramps, least) {
            self.place(wish.unit, then, -1.0);
            self.place(wish.unit, &now, 1.0);
            return Err(gate);
        }
        self.gains |= wish.urgency == Urgency::Gain;
        self.moved_mbps += moved_mbps;
        self.shares[wish.unit].clone_from(then);
        if let Some(part) = cut {
            *self.cut_mbps.entry(part.gate).or_default() += wish.moved_mbps - moved_mbps;
        }
        Ok(())
    }

    /// Asks whether a unit may go where it wants.
    fn ask(
        &self,
        wish: &Wish,
        now: &Shares,
        then: &Shares,
        forbidden: &impl Fn(Move) -> Option<Gate>,
    ) -> Result<(), Gate> {
        let site = |link: LinkId| self.problem.place(link).site.index();
        for &(link, share) in then {
            if share <= now.on(link) {
                continue;
            }
            let mut leaves = now.iter().map(|share| site(share.0));
            let asked = Move {
                unit: wish.unit,
                from: leaves.find(|from| *from != site(link)),
                to: site(link),
                relieves: wish.urgency < Urgency::Gain,
            };
            if let Some(gate) = forbidden(asked) {
                return Err(gate);
            }
        }
        Ok(())
    }

    /// Cuts the part of a unit that goes now, when all of it is more than a whole step may
    /// move or one of its targets may gain: it would wait for ever.
    fn cut(&self, wish: &Wish, now: &Shares, then: &Shares) -> Option<Part> {
        if wish.urgency == Urgency::Lost {
            return None;
        }
        let mbps = self.problem.instance.units[wish.unit].mbps;
        let site = |link: LinkId| self.problem.place(link).site.index();
        let mut gains: BTreeMap<usize, f64> = BTreeMap::new();
        for &(link, share) in then {
            *gains.entry(site(link)).or_default() += share * mbps;
        }
        for &(link, share) in now {
            *gains.entry(site(link)).or_default() -= share * mbps;
        }
        let mut part = (self.budget_mbps / wish.moved_mbps, Gate::Step);
        for (site, gain) in gains {
            // A slice fills one target before the next, so all of it may come to this one.
            let ramp = self.sites_gain[site] / wish.moved_mbps;
            if gain > self.sites_gain[site] && ramp < part.0 {
                part = (ramp, Gate::Ramp);
            }
        }
        if part.0 >= 1.0 || wish.moved_mbps <= 0.0 {
            return None;
        }
        // A 64th is the least that can go; who could not go even so would wait for
        // ever.
        let least = 1.0 / f64::from(WEIGHT_TOTAL) * mbps / wish.moved_mbps;
        let is_least = part.0 < least;
        let (shares, moved) = slice(now, then, part.0.max(least).min(1.0))?;
        Some(Part {
            shares,
            moved_mbps: moved * mbps,
            gate: part.1,
            is_least,
        })
    }

    /// Returns the gate that is exceeded where a unit now is, and was less before. Sites may gain
    /// beyond their ramp by a part that could not be smaller, if they have gained nothing else.
    fn too_much(&self, before: &[(Place, [f64; 4])], ramps: bool, is_least: bool) -> Option<Gate> {
        for &(place, before) in before {
            if self.loads.grows_beyond(&self.most, place, before) {
                return Some(Gate::Room);
            }
            let (ramp, gain) = (
                self.sites_ramp[place.site.index()],
                self.sites_gain[place.site.index()],
            );
            let load = self.loads.sites[place.site.index()];
            let rounding = 1.0 + ROUNDING;
            let first = is_least && before[1] <= (ramp - gain) * rounding;
            if ramps && !first && load > ramp * rounding && load > before[1] {
                return Some(Gate::Ramp);
            }
        }
        None
    }

    /// Puts a unit somewhere, or takes it away when `times` is -1.
    fn place(&mut self, unit: usize, shares: &Shares, times: f64) {
        let unit = &self.problem.instance.units[unit];
        for &(link, share) in shares {
            let place = self.problem.place(link);
            self.loads.add(unit, share * times, place);
        }
    }
}
