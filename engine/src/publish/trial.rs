//! The end of a trial on canary areas.

use super::Gate;
use super::canary::{self, Canary, Trial, Verdict};
use super::gates::{Gates, Present};
use super::step::{Ground, Step};
use crate::plan::{Instance, Plan};
use std::collections::BTreeMap;

impl Gates {
    /// Ends a trial that has lasted: with the step back when the canaries fare worse than was promised to them. To be
    /// asked at each full solve, whether or not there is anything else to be gained.
    pub fn take_back(
        &mut self,
        ground: Ground<'_>,
        before: &Plan,
        present: &Present<'_>,
    ) -> Option<Step> {
        let Canary::Trying { since, trials } = &mut self.canary else {
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
                self.canary = Canary::Passed(until);
                // An end without a beginning after it: the trial was good.
                self.say(Gate::Canary, None);
                None
            }
            Verdict::Unseen => {
                self.canary = Canary::Failed(until);
                let why = "nobody measured the canary areas: the change goes no further";
                self.say(Gate::Canary, Some(why.to_owned()));
                None
            }
            Verdict::Worse {
                measured_ms,
                promised_ms,
            } => {
                let step = rolled_back(ground.instance, before, trials);
                let why = format!(
                    "{} canary areas got {measured_ms:.1} ms where {promised_ms:.1} were promised: \
                     they are taken back",
                    trials.len()
                );
                self.canary = Canary::Failed(until);
                self.say(Gate::Canary, Some(why));
                Some(step)
            }
        }
    }
}

/// Canary areas where they were before, as far as that still exists.
fn rolled_back(instance: &Instance, before: &Plan, trials: &[Trial]) -> Step {
    let (mut plan, mut moved_mbps) = (before.clone(), 0.0);
    for trial in trials {
        let unit = &instance.units[trial.unit];
        let usable = |&(link, _): &(u32, f64)| {
            let open = instance.links.get(link as usize);
            open.is_some_and(|row| row.capacity_mbps > 0.0)
                && unit.cand.iter().any(|cand| cand.0 == link)
        };
        if trial.before.iter().all(usable) {
            plan.shares[trial.unit].clone_from(&trial.before);
            moved_mbps += unit.mbps;
        }
    }
    Step {
        plan,
        moved_mbps,
        withheld_mbps: BTreeMap::new(),
        wanted_site: BTreeMap::new(),
        gains: false,
    }
}
