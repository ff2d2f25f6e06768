//! Results of solves: checked, gated, realised and checked as what they have become, or solved
//! again.

use super::draft::Part;
use super::found::Found;
use super::job::{Failure, Solved};
use super::steps::NextPlan;
use super::{Draft, Engine, Tier, Under};
use crate::limits::Limits;
use crate::model::{Facts, split_index};
use crate::publish::{Held, Reason, gate};
use crate::realise::{RunnersUp, amounts_to, catalog, patch, planned_by_site, realise};
use checker::Answers;
use coverage::map::CoverageMapBuilder;
use coverage::{Body, Timestamp};
use instance::{Instance, Plan};
use optimizer::Outcome;
use std::sync::Arc;

/// Relative gain that ends a way of several steps; less is rounding.
const GAIN_LEFT_MIN: f64 = 1e-6;

/// Verdict on a solve.
#[derive(Debug)]
pub enum Adopted {
    /// Publish this.
    Draft(Box<Draft>),
    /// The map in force stays.
    Held(Held),
    /// Solve it again: it was solved for other limits, another map in force, or other prices of a
    /// slot than those that hold now.
    Outdated,
}

impl Engine {
    /// Takes what a job found: to be published, held back, or solved again. The next job may be
    /// asked for afterwards.
    pub fn adopt(&mut self, solved: Solved, now: Timestamp) -> Adopted {
        let adopted = self.judge(solved, now);
        match &adopted {
            Adopted::Draft(_) => self.gates.note_refusal(None),
            Adopted::Held(held) => self.gates.note_refusal(Some(held)),
            Adopted::Outdated => {}
        }
        adopted
    }

    fn judge(&mut self, solved: Solved, now: Timestamp) -> Adopted {
        self.clock.note(now);
        let fresh = self.is_fresh(&solved, now);
        let Solved {
            at,
            tier,
            under,
            found,
            ..
        } = solved;
        let found = match found {
            Ok(found) => *found,
            Err(Failure::Instance(fault)) => return Adopted::Held(Held::Instance(fault)),
            Err(Failure::Tree) => return Adopted::Outdated,
        };
        if found.outcome == Outcome::Stopped {
            // Somebody had a better use for the thread.
            return Adopted::Outdated;
        }
        let admitted = match tier {
            Tier::Full => self.gates.admit(&found.instance, now),
            Tier::Local | Tier::Warm => self.gates.doubt(),
        };
        let passed = self.pass_gates(&found, tier, &under);
        if tier == Tier::Full {
            self.gates.note_verdict(&passed, found.gain_share());
        }
        // Keep only plans that the checker accepted.
        if found.verified.is_ok() {
            let (last, tree) = found.into_last(at, tier);
            (self.last, self.tree) = (Some(Arc::new(last)), tree);
        }
        if let Some(reason) = &self.pinned {
            return Adopted::Held(Held::Pinned(reason.clone()));
        }
        if !fresh {
            return Adopted::Outdated;
        }
        // Without a map, waiting for the best use of free slots is waiting for nothing.
        if tier == Tier::Full && self.in_force.snapshot.is_some() && self.asks_again() {
            return Adopted::Outdated;
        }
        // A trial is judged whether or not there is anything else to do; a rescue does not wait for
        // that.
        let back = match passed {
            Ok(Reason::Gain) | Err(_) => self.roll_back(tier, now),
            Ok(_) => None,
        };
        let next = match back {
            Some(back) => Ok(back),
            None => passed.and_then(|reason| self.take_step(tier, reason, admitted, now)),
        };
        match next.and_then(|next| self.draft(&next, &under, now)) {
            Ok(Some(draft)) => Adopted::Draft(Box::new(draft)),
            Ok(None) => {
                self.in_force.confirm(under, at);
                Adopted::Held(Held::NoGain)
            }
            Err(held) => {
                if held == Held::NoGain {
                    self.in_force.cut_short = false;
                    self.in_force.holds_as_of = at;
                }
                Adopted::Held(held)
            }
        }
    }

    /// Tells whether the newest plan asks for other prices in the slot under way.
    fn asks_again(&mut self) -> bool {
        let Some(last) = &self.last else { return false };
        self.contracts.asks_again(&last.instance, &last.plan)
    }

    /// Tells whether drains, health and the map in force are still those that it was solved under.
    fn is_fresh(&self, solved: &Solved, now: Timestamp) -> bool {
        // A ramp goes on with the clock, so limits are compared as of then.
        let limits = self.drains.limits(solved.at, &self.inventory);
        self.in_force.is_same_plan(solved.in_force.as_ref())
            && self.newest.as_ref() == Some(&solved.under)
            && limits == solved.under.limits
            && self.health(now).nodes_up == solved.under.nodes_up
    }

    /// Asks the checker and the gates about a plan.
    fn pass_gates(&self, found: &Found, tier: Tier, under: &Under) -> Result<Reason, Held> {
        let verified = found
            .verified
            .as_ref()
            .map_err(|failure| Held::Checker(failure.to_string()))?;
        let unjudged = || Held::Checker("its weights are no plan for its instance".to_owned());
        let answered = found.answered.as_ref().ok_or_else(unjudged)?;
        let mut rules = self.options.publish;
        if self.in_force.cut_short {
            // What was worth beginning is worth ending: its last steps gain little each.
            rules.gain_min = rules.gain_min.min(GAIN_LEFT_MIN);
        }
        let plan = (verified, answered, found.instance.demand_mbps());
        // The demand of a warm solve is that of the last full one: it only replaces what it is
        // surely better than.
        let changed = tier != Tier::Warm && self.in_force.is_changed(under);
        match (&self.in_force.snapshot, &found.incumbent) {
            (Some(_), None) if tier == Tier::Warm => Err(Held::NoGain),
            // The map in force names what is gone: it must be replaced whatever it costs.
            (Some(_), None) => Ok(Reason::Limits),
            (_, incumbent) => gate(&rules, plan, incumbent.as_ref(), changed),
        }
    }

    /// Drafts a map of the newest plan as far as it is taken, and has it checked; `None` when the
    /// map in force says the same already.
    fn draft(&self, next: &NextPlan, under: &Under, now: Timestamp) -> Result<Option<Draft>, Held> {
        let Some(part) = self.realise(next, under, now) else {
            return Ok(None);
        };
        let draft = self.add_static_services(part, under.clone())?;
        if let Some(draft) = &draft {
            self.check_answers(draft, &next.plan)?;
        }
        Ok(draft)
    }

    /// Has the checker judge what a draft amounts to that was made from the newest plan as far as
    /// it is `taken`.
    pub(super) fn check_answers(&self, draft: &Draft, taken: &Plan) -> Result<(), Held> {
        let Some(last) = &self.last else {
            return Ok(());
        };
        let Body { catalog, map } = &draft.body;
        let areas = self.table.areas().len();
        let named = |unit: usize| {
            let (service, area) = split_index(unit, areas);
            map.get(service, area).shares.len()
        };
        let in_force = self.in_force.plan.as_deref();
        let answers = Answers {
            plan: &amounts_to(catalog, map, &self.inventory),
            named: &named,
            wanted: taken,
            checked: &last.plan,
            in_force: in_force.filter(|plan| plan.shares.len() == taken.shares.len()),
        };
        let checked = checker::answers(&last.instance, &answers);
        checked.map_err(|failure| Held::Checker(format!("as it would be answered, {failure}")))
    }

    /// Writes the newest plan as a map, as far as it is taken.
    fn realise(&self, next: &NextPlan, under: &Under, now: Timestamp) -> Option<Part> {
        let last = self.last.as_ref()?;
        let health = self.health(now);
        let facts = self.facts(&health, None);
        let limits = &under.limits;
        let map = match next.tier {
            // It is about what closed and opened; demand and quality are for full plans to follow.
            Tier::Warm => self.rewrite(&facts, limits, &last.instance, &next.plan),
            Tier::Local | Tier::Full => None,
        };
        let anew = || {
            let mut map = self.blank_map();
            let serving = self.in_force.snapshot.as_deref();
            realise(
                &facts,
                limits,
                &last.instance,
                &next.plan,
                serving,
                &mut map,
            );
            map
        };
        Some(Part {
            map: map.unwrap_or_else(anew),
            catalog: catalog(&facts, limits, self.drains.active(now)),
            input_digest: last.certificate.input_digest.clone(),
            reason: next.reason,
            tier: Some(next.tier),
            whole: next.whole,
        })
    }

    /// Rewrites the map in force for units that `plan` has elsewhere, or that have a closed link as
    /// a runner-up. `None` when the map is one of another inventory, or what groups may carry has
    /// changed since the last solved map, which concerns all.
    fn rewrite(
        &self,
        facts: &Facts<'_>,
        limits: &Limits,
        instance: &Instance,
        plan: &Plan,
    ) -> Option<CoverageMapBuilder> {
        let serving = self.in_force.snapshot.as_ref()?;
        let in_force = self.in_force.plan.as_ref()?;
        let planned = self.in_force.planned_limits()?;
        if planned.services_mbps != limits.services_mbps
            || planned.groups_mbps != limits.groups_mbps
            || !self.speaks_of_this(serving)
        {
            return None;
        }
        let mut map = self.served_map(serving);
        let moved = in_force.shares.iter().zip(&plan.shares).enumerate();
        let moved = moved.filter(|(_, (before, after))| before != after);
        let changed = moved.map(|(unit, (_, after))| (unit, after.clone()));
        let sites_mbps = planned_by_site(facts.inventory, instance, plan);
        patch(
            facts,
            limits,
            (instance, &sites_mbps),
            (plan, &changed.collect()),
            RunnersUp::Fresh,
            serving,
            &mut map,
        );
        Some(map)
    }
}
