//! Adoption of a solve: checked, gated, realised and checked as what it has become, or solved
//! again.

use super::compose::Half;
use super::job::{Failure, Found, Solved};
use super::steps::Taken;
use super::{Draft, Engine, LastSolve, Tier, Under};
use crate::limits::Limits;
use crate::model::{Facts, split_index};
use crate::publish::{Held, Reason, gate};
use crate::realise::{RunnersUp, amounts_to, catalog, patch, planned_by_site, realise};
use checker::Answers;
use coverage::map::CoverageMapBuilder;
use coverage::{Body, Timestamp};
use instance::{Instance, Plan};
use optimizer::{Outcome, Problem};

/// Relative gain that ends a way of several steps; less is rounding.
const GAIN_LEFT_MIN: f64 = 1e-6;

/// Consequence of a solve.
#[derive(Debug)]
pub enum Adopted {
    /// Publish this.
    Draft(Box<Draft>),
    /// The map in force stays.
    Held(Held),
    /// Limits, the map in force, or the costs of a slot are not what this was solved for:
    /// solve it again.
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
        self.noted_until = self.noted_until.max(now);
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
        let verdict = self.pass_gates(&found, tier, &under);
        if tier == Tier::Full {
            self.gates.note_verdict(&verdict, found.gain_share());
        }
        if found.verified.is_ok() {
            // Keep only plans that the checker accepted.
            self.last = Some(found.into_last(at, tier));
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
        // A trial is judged whether or not there is anything else to do; who must move does not
        // wait for that.
        let back = match verdict {
            Ok(Reason::Gain) | Err(_) => self.roll_back(tier, now),
            Ok(_) => None,
        };
        let taken = match (back, verdict) {
            (Some(back), _) => Ok((back, Reason::RollBack)),
            (None, Ok(reason)) => {
                let taken = self.take_step(tier, reason, admitted, now);
                taken.map(|taken| (taken, reason))
            }
            (None, Err(held)) => Err(held),
        };
        let draft = taken.and_then(|(taken, reason)| self.draft(&taken, tier, reason, &under, now));
        match draft {
            Ok(Some(draft)) => Adopted::Draft(Box::new(draft)),
            Ok(None) => {
                self.in_force.planned_under = Some(under);
                self.in_force.holds_as_of = at;
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
        let problem = Problem::new(&last.instance);
        self.known.contracts.asks_again(&problem, &last.plan)
    }

    /// Tells whether drains, health and the map in force are still those that it was solved under.
    fn is_fresh(&self, solved: &Solved, now: Timestamp) -> bool {
        // A ramp goes on with the clock, so limits are compared as of then.
        let limits = self.drains.limits(solved.at, &self.known.inventory);
        let same_map = match (&self.in_force.plan, &solved.in_force) {
            (Some(now), Some(then)) => std::sync::Arc::ptr_eq(now, then),
            (now, then) => now.is_none() && then.is_none(),
        };
        same_map
            && self.newest.as_ref() == Some(&solved.under)
            && limits == solved.under.limits
            && self.known.health(now).nodes_up == solved.under.nodes_up
    }

    /// The checker's word and the gates'.
    fn pass_gates(&self, found: &Found, tier: Tier, under: &Under) -> Result<Reason, Held> {
        let verified = found
            .verified
            .as_ref()
            .map_err(|failure| Held::Checker(failure.to_string()))?;
        let changed = self.in_force.planned_under.as_ref().map_or_else(
            // After a restart the map in force was made under limits that are not known here;
            // drains tell most of them.
            || under.limits != Limits::default(),
            |planned| planned != under,
        );
        let unjudged = || Held::Checker("its weights are no plan for its instance".to_owned());
        let answered = found.answered.as_ref().ok_or_else(unjudged)?;
        let demand: f64 = found.instance.units.iter().map(|unit| unit.mbps).sum();
        let mut rules = self.known.options.publish;
        if self.in_force.cut_short {
            // What was worth beginning is worth ending: its last steps gain little each.
            rules.gain_min = rules.gain_min.min(GAIN_LEFT_MIN);
        }
        let (rules, plan) = (&rules, (verified, answered, demand));
        match (&self.in_force.snapshot, &found.incumbent, tier) {
            // The demand of a warm solve is that of the last full one: it only replaces what it is
            // surely better than.
            (Some(_), None, Tier::Warm) => Err(Held::NoGain),
            (_, incumbent, Tier::Warm) => gate(rules, plan, incumbent.as_ref(), false),
            // The map in force names what is gone: it must be replaced whatever it costs.
            (Some(_), None, _) => Ok(Reason::Limits),
            (_, incumbent, _) => gate(rules, plan, incumbent.as_ref(), changed),
        }
    }

    /// The draft of the newest plan as far as it is taken, checked; `None` when the map in force
    /// says the same already.
    fn draft(
        &self,
        taken: &Taken,
        tier: Tier,
        reason: Reason,
        under: &Under,
        now: Timestamp,
    ) -> Result<Option<Draft>, Held> {
        let Some(half) = self.realize(taken, tier, reason, under, now) else {
            return Ok(None);
        };
        let draft = self.finish_draft(half, under.clone())?;
        if let Some(draft) = &draft {
            self.check_answers(draft, &taken.plan)?;
        }
        Ok(draft)
    }

    /// Has the checker judge what a draft amounts to that was made from the newest plan as far as
    /// it is `taken`.
    pub(super) fn check_answers(&self, draft: &Draft, taken: &Plan) -> Result<(), Held> {
        let Some(LastSolve { instance, plan, .. }) = &self.last else {
            return Ok(());
        };
        let Body { catalog, map } = &draft.body;
        let areas = self.known.table.areas().len();
        let named = |unit: usize| {
            let (service, area) = split_index(unit, areas);
            map.get(service, area).shares.len()
        };
        let in_force = self.in_force.plan.as_deref();
        let answers = Answers {
            plan: &amounts_to(catalog, map, &self.known.inventory),
            named: &named,
            wanted: taken,
            checked: plan,
            in_force: in_force.filter(|plan| plan.shares.len() == taken.shares.len()),
        };
        let checked = checker::answers(instance, &answers);
        checked.map_err(|failure| Held::Checker(format!("as it would be answered, {failure}")))
    }

    /// The newest plan, as far as it is taken, as a map.
    fn realize(
        &self,
        taken: &Taken,
        tier: Tier,
        reason: Reason,
        under: &Under,
        now: Timestamp,
    ) -> Option<Half> {
        let last = self.last.as_ref()?;
        let health = self.known.health(now);
        let facts = self.known.facts(&health, None);
        let limits = &under.limits;
        let map = match tier {
            // It is about what closed and opened; demand and quality are for full plans to follow.
            Tier::Warm => self.rewrite(&facts, limits, &last.instance, &taken.plan),
            Tier::Local | Tier::Full => None,
        };
        let anew = || {
            let mut map = self.blank_map();
            let serving = self.in_force.snapshot.as_deref();
            realise(
                &facts,
                limits,
                &last.instance,
                &taken.plan,
                serving,
                &mut map,
            );
            map
        };
        Some(Half {
            map: map.unwrap_or_else(anew),
            catalog: catalog(&facts, limits, self.drains.active(now)),
            input_digest: last.certificate.input_digest.clone(),
            reason,
            tier: Some(tier),
            whole: taken.whole,
        })
    }

    /// The map in force with the answers of those whom `plan` has elsewhere, or who have a closed
    /// link as a runner-up. `None` when it is one of another inventory, or what groups may carry
    /// has changed since the last solved map, which concerns all.
    fn rewrite(
        &self,
        facts: &Facts<'_>,
        limits: &Limits,
        instance: &Instance,
        plan: &Plan,
    ) -> Option<CoverageMapBuilder> {
        let (serving, in_force) = (
            self.in_force.snapshot.as_ref()?,
            self.in_force.plan.as_ref()?,
        );
        let planned = &self.in_force.planned_under.as_ref()?.limits;
        if planned.services_mbps != limits.services_mbps
            || planned.groups_mbps != limits.groups_mbps
        {
            return None;
        }
        if !self.speaks_of_this(serving) {
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
