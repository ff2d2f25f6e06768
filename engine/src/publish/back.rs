//! The way back of canary areas from a change that failed: to where they were, as far as there is
//! room.

use super::canary::Trial;
use super::moves::{may_stand, moved_mbps};
use super::step::Step;
use coverage::LinkId;
use instance::Plan;
use instance::Shares;
use optimizer::Loads;
use optimizer::Problem;
use std::collections::BTreeMap;

/// A plan in force while its canary areas are taken back.
pub(super) struct Back<'a> {
    problem: &'a Problem<'a>,
    hard: Loads,
    loads: Loads,
    plan: Plan,
    moved_mbps: f64,
    /// Areas that were tried on, and those of them that stay where they are.
    trials: (usize, usize),
}

impl<'a> Back<'a> {
    /// Takes the areas of `trials` back one by one, each if all that it stood on is still there,
    /// nothing there is `forbidden` (unit, link), and no hard limit is then exceeded for its sake.
    /// One that goes makes room for another; who has no room stays where it is.
    pub(super) fn of(
        problem: &'a Problem<'a>,
        before: &Plan,
        trials: &[Trial],
        forbidden: &dyn Fn(usize, LinkId) -> bool,
    ) -> Self {
        let mut back = Self {
            hard: Loads::hard_limits(problem),
            loads: Loads::of(problem, &before.shares),
            problem,
            plan: before.clone(),
            moved_mbps: 0.0,
            trials: (trials.len(), trials.len()),
        };
        let free = |trial: &&Trial| !trial.before.iter().any(|s| forbidden(trial.unit, s.0));
        let mut left: Vec<&Trial> = trials.iter().filter(free).collect();
        let barred = trials.len() - left.len();
        loop {
            left.retain(|trial| !back.takes(trial));
            if left.len() + barred == back.trials.1 {
                return back;
            }
            back.trials.1 = left.len() + barred;
        }
    }

    /// Takes one back, or says that it cannot.
    fn takes(&mut self, trial: &Trial) -> bool {
        let unit = trial.unit;
        let stands = |share: &(LinkId, f64)| may_stand(self.problem, unit, share.0);
        if trial.before.is_empty() || !trial.before.iter().all(stands) {
            return false;
        }
        let places = trial.before.iter().map(|share| self.problem.place(share.0));
        let was: Vec<_> = places.map(|place| (place, self.loads.at(place))).collect();
        let now = std::mem::take(&mut self.plan.shares[unit]);
        self.put(unit, &now, -1.0);
        self.put(unit, &trial.before, 1.0);
        let above = |&(place, was)| self.loads.grows_beyond(&self.hard, place, was);
        if was.iter().any(above) {
            self.put(unit, &trial.before, -1.0);
            self.put(unit, &now, 1.0);
            self.plan.shares[unit] = now;
            return false;
        }
        self.plan.shares[unit].clone_from(&trial.before);
        self.moved_mbps += moved_mbps(self.problem, unit, &now, &self.plan);
        true
    }

    /// Puts a unit somewhere, or takes it away when `times` is -1.
    fn put(&mut self, unit: usize, shares: &Shares, times: f64) {
        for &(link, share) in shares {
            let unit = &self.problem.instance.units[unit];
            self.loads
                .add(unit, share * times, self.problem.place(link));
        }
    }

    /// Tells in words what became of them.
    pub(super) fn describe(&self) -> String {
        match self.trials {
            (_, 0) => "they are taken back".to_owned(),
            (all, left) if left == all => {
                "none can be taken back, for there is no room where they were, or nothing is heard of it".to_owned()
            }
            (_, left) => format!("they are taken back, but {left} have no room where they were, or nothing is heard of it"),
        }
    }

    /// The step back; `None` when nobody goes.
    pub(super) fn step(self) -> Option<Step> {
        let (all, left) = self.trials;
        (left < all).then_some(Step {
            plan: self.plan,
            moved_mbps: self.moved_mbps,
            withheld_mbps: BTreeMap::new(),
            wanted_site: BTreeMap::new(),
            gains: false,
        })
    }
}
