//! A trial on canary areas: its beginning and its end.

use super::back::Back;
use super::canary::{self, Canary, Verdict};
use super::flows;
use super::gates::{Gates, Present};
use super::moves::Move;
use super::step::{Aim, Step, step};
use super::{Gate, Held};
use coverage::LinkId;
use instance::Plan;
use optimizer::Problem;

impl Gates {
    /// Takes what it may of a `free` step: all of it, or what canary areas try of it first.
    ///
    /// # Errors
    /// [`Held::Canary`] while a change is being tried, or after one failed.
    pub(super) fn canaries_first(
        &mut self,
        problem: &Problem<'_>,
        (before, target): (&Plan, &Plan),
        present: &Present<'_>,
        free: Step,
    ) -> Result<Step, Held> {
        if let Canary::Trying { trials, .. } = &self.canary {
            return Err(Held::Canary(format!(
                "a large change is being tried on {} of the canary areas",
                trials.len()
            )));
        }
        let demand: f64 = problem.instance.units.iter().map(|unit| unit.mbps).sum();
        let untried_mbps = match &self.canary {
            Canary::Passed { until, change } if *until > present.now => {
                flows::beyond(&flows::between(problem, before, &free.plan), change)
            }
            _ => free.moved_mbps,
        };
        let large = untried_mbps > self.rules.canary.large_from * demand;
        Ok(match self.canary {
            Canary::Failed { until, .. } if until > present.now => {
                let left = until.since(present.now).as_secs();
                return Err(Held::Canary(format!(
                    "a large change did badly on its canary areas; the next is tried in {left} s"
                )));
            }
            _ if self.rules.canary.share <= 0.0 => free,
            // After a failure the next change is tried, however small.
            Canary::Failed { .. } => self.tried(problem, (before, target), present, free),
            _ if large => self.tried(problem, (before, target), present, free),
            _ => free,
        })
    }

    /// Ends a trial that has lasted: with the step back, as far as there is room for it, when the
    /// canaries fare worse than was promised to them. To be asked at each full solve, whether or
    /// not there is anything else to be gained.
    pub fn take_back(
        &mut self,
        problem: &Problem<'_>,
        before: &Plan,
        present: &Present<'_>,
    ) -> Option<Step> {
        if matches!(self.canary, Canary::Failed { .. }) {
            // Who could not go back at first, or whose way back was not published.
            return self.back(problem, before, present)?.step();
        }
        let Canary::Trying {
            since,
            trials,
            change,
        } = &mut self.canary
        else {
            return None;
        };
        // Who was moved elsewhere meanwhile, by a drain or a failure, tries nothing any more.
        trials.retain(|trial| trial.is_on(before));
        if trials.is_empty() {
            self.canary = Canary::Idle;
            self.say(Gate::Canary, None);
            return None;
        }
        let ttl = trials.iter().map(|trial| (present.ttl)(trial.unit)).max();
        let wait = 2 * ttl.unwrap_or_default();
        let rules = &self.rules.canary;
        let trial = (*since, trials.as_slice());
        let verdict = canary::judge(rules, trial, (wait, present.now), present.measured);
        let until = present.now.after(rules.hold);
        match verdict {
            Verdict::Wait => None,
            Verdict::Passed => {
                let change = std::mem::take(change);
                self.canary = Canary::Passed { until, change };
                // An end without a beginning after it: the trial was good.
                self.say(Gate::Canary, None);
                None
            }
            Verdict::Unseen => {
                let trials = Vec::new();
                self.canary = Canary::Failed { until, trials };
                let why = "nobody measured the canary areas: the change goes no further";
                self.say(Gate::Canary, Some(why.to_owned()));
                None
            }
            Verdict::Worse {
                measured_ms,
                promised_ms,
            } => {
                let trials = std::mem::take(trials);
                let tried = trials.len();
                self.canary = Canary::Failed { until, trials };
                let back = self.back(problem, before, present)?;
                let why = format!(
                    "{tried} canary areas got {measured_ms:.1} ms where {promised_ms:.1} were promised: {}",
                    back.describe()
                );
                self.say(Gate::Canary, Some(why));
                back.step()
            }
        }
    }

    /// The way back of those whose trial failed and who still stand where they tried to be; `None`
    /// when nobody does. They are remembered while the failure is: whoever is back by then does not
    /// stand there any more.
    fn back<'a>(
        &mut self,
        problem: &'a Problem<'a>,
        before: &Plan,
        present: &Present<'_>,
    ) -> Option<Back<'a>> {
        let Canary::Failed { until, trials } = &mut self.canary else {
            return None;
        };
        trials.retain(|trial| trial.is_on(before));
        let remembered = *until > present.now;
        let trials = std::mem::take(trials);
        if trials.is_empty() {
            return None;
        }
        let forbidden = |unit: usize, link: LinkId| {
            let asked = Move {
                unit,
                from: None,
                to: problem.place(link).site.index(),
                relieves: true,
            };
            self.forbids(present, asked).is_some()
        };
        let back = Back::of(problem, before, &trials, &forbidden);
        if remembered && let Canary::Failed { trials: left, .. } = &mut self.canary {
            *left = trials;
        }
        Some(back)
    }

    /// The part of a large step that canary areas try. Where none of them is among those who move,
    /// others are: twice as many areas each time, up to half of all. All of it when even then
    /// nobody would try it.
    fn tried(
        &mut self,
        problem: &Problem<'_>,
        (before, target): (&Plan, &Plan),
        present: &Present<'_>,
        free: Step,
    ) -> Step {
        let units = &problem.instance.units;
        let tried_by = |share: f64| {
            let few = |asked: Move| {
                if canary::is_canary(&units[asked.unit].area, share) {
                    self.forbids(present, asked)
                } else {
                    Some(Gate::Canary)
                }
            };
            let tried = step(problem, (before, target), &self.rules.step, few, Aim::All);
            let trials = canary::trials(problem.instance, before, &tried.plan);
            (!trials.is_empty()).then_some((tried, trials))
        };
        let first = self.rules.canary.share;
        let wider = (first * 2.0).min(0.5);
        let shares = std::iter::successors(Some(wider), |share| {
            (*share < 0.5).then(|| (share * 2.0).min(0.5))
        });
        let Some((tried, trials)) = std::iter::once(first).chain(shares).find_map(tried_by) else {
            return free;
        };
        let why = format!("a large change is tried on {} areas first", trials.len());
        self.say(Gate::Canary, Some(why));
        self.canary = Canary::Trying {
            since: present.now,
            trials,
            change: flows::between(problem, before, target),
        };
        tried
    }
}
