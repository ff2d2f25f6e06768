//! Canary areas: a large change is tried on a few first, and taken back when they fare worse than
//! was promised.
//!
//! What is tried is a change, and so is what has passed: the flows from site to site that the whole
//! plan wanted when its trial began, less what has moved along them since. A later step counts as
//! more of the same while what it moves beyond these flows is not large by itself. Else it is
//! another change, to other sites or of more areas, and is tried anew.

use super::flows::Flows;

use coverage::LinkId;
use coverage::Timestamp;
use instance::{Instance, Plan, Shares};
use std::time::Duration;

/// Rules of trying a large change.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CanaryRules {
    /// Share of areas that try it; 0 switches the gate off.
    pub share: f64,
    /// Share of demand from which a change is large.
    pub large_from: f64,
    /// Least time of the trial; twice the longest TTL counts instead if that is longer.
    pub wait_min: Duration,
    /// Allowance for canaries that fare worse than promised, as a share and in ms.
    pub worse_share: f64,
    /// The same in ms.
    pub worse_ms: f64,
    /// Time for which a change that failed, or one that passed, counts as such.
    pub hold: Duration,
}

impl Default for CanaryRules {
    fn default() -> Self {
        Self {
            share: 0.01,
            large_from: 0.05,
            wait_min: Duration::from_secs(60),
            worse_share: 0.2,
            worse_ms: 5.0,
            hold: Duration::from_mins(15),
        }
    }
}

/// State of a trial.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) enum Canary {
    /// Nothing.
    #[default]
    Idle,
    /// A change, on these units.
    Trying {
        /// Since when.
        since: Timestamp,
        /// Areas on trial.
        trials: Vec<Trial>,
        /// Flows that are left of the change.
        change: Flows,
    },
    /// The last one did well.
    Passed {
        /// Until when it goes on.
        until: Timestamp,
        /// Flows that are left of it.
        change: Flows,
    },
    /// The last one did badly; no large change until then.
    Failed {
        /// Until when.
        until: Timestamp,
        /// Areas that are still to be taken back.
        trials: Vec<Trial>,
    },
}

impl Canary {
    /// Brings what was noted under a clock that was ahead back to `now`.
    pub(super) fn not_after(&mut self, now: Timestamp, hold: Duration) {
        match self {
            Self::Idle => {}
            Self::Trying { since, .. } => *since = (*since).min(now),
            Self::Passed { until, .. } | Self::Failed { until, .. } => {
                *until = (*until).min(now.after(hold));
            }
        }
    }

    /// Takes what has moved off the change that is tried or has passed.
    pub(super) fn note(&mut self, moved: &Flows) {
        let (Self::Trying { change, .. } | Self::Passed { change, .. }) = self else {
            return;
        };
        for (way, mbps) in change {
            *mbps = (*mbps - moved.get(way).copied().unwrap_or_default()).max(0.0);
        }
    }
}

/// A unit that tries a change.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Trial {
    /// Index of the unit.
    pub unit: usize,
    /// Shares that it had.
    pub before: Shares,
    /// Shares that it tries.
    pub after: Shares,
    /// Quality that the plan promised it, ms.
    pub promised_ms: f64,
}

impl Trial {
    /// Tells whether the unit still is where it tries to be, but for the rounding of weights.
    pub(super) fn is_on(&self, in_force: &Plan) -> bool {
        let now = in_force.shares.get(self.unit).cloned().unwrap_or_default();
        let mut links = self.after.iter().chain(&now).map(|share| share.0);
        links.all(|link| (self.after.on(link) - now.on(link)).abs() < WEIGHT_ROUNDING)
    }
}

/// Distance of weights from shares.
const WEIGHT_ROUNDING: f64 = 1.0 / 32.0;

/// Outcome of a trial.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Verdict {
    /// Trial that is not over.
    Wait,
    /// The canaries fare as promised.
    Passed,
    /// Worse than promised: measured and promised, ms.
    Worse {
        /// Mean over the canaries that were measured, weighted by demand.
        measured_ms: f64,
        /// The same of what was promised to them.
        promised_ms: f64,
    },
    /// Nobody has measured them since.
    Unseen,
}

/// Tells whether the units of an area try changes first: a stable choice by its name.
#[must_use]
pub(super) fn is_canary(area: &str, share: f64) -> bool {
    // FNV-1a; any hash would do as long as it stays the same.
    let hash = area.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    #[expect(clippy::cast_precision_loss, reason = "ten thousand parts")]
    let part = (hash % 10_000) as f64 / 10_000.0;
    part < share
}

/// The trials of a step: who moved in it.
#[must_use]
pub(super) fn trials(instance: &Instance, before: &Plan, after: &Plan) -> Vec<Trial> {
    let units = 0..before.shares.len().min(after.shares.len());
    let moved = units.filter(|&unit| before.shares[unit] != after.shares[unit]);
    let promised_ms = |unit: usize| {
        let cand = &instance.units[unit].cand;
        let quality = |link: LinkId| cand.iter().find(|c| c.0 == link).map_or(0.0, |c| c.1);
        let shares = after.shares[unit].iter();
        shares.map(|&(link, share)| share * quality(link)).sum()
    };
    let trial = |unit: usize| Trial {
        unit,
        before: before.shares[unit].clone(),
        after: after.shares[unit].clone(),
        promised_ms: promised_ms(unit),
    };
    moved.map(trial).collect()
}

/// Judges trials begun at `since`. `measured` gives the quality of a unit on its present links in
/// ms with the time of its oldest measurement, and its demand in Mbps; `None` where some link was
/// never measured.
#[must_use]
pub(super) fn judge(
    rules: &CanaryRules,
    (since, trials): (Timestamp, &[Trial]),
    (wait, now): (Duration, Timestamp),
    measured: impl Fn(usize) -> Option<(f64, Timestamp, f64)>,
) -> Verdict {
    let wait = wait.max(rules.wait_min);
    if now.since(since) < wait {
        return Verdict::Wait;
    }
    let (mut sum, mut promised, mut mbps) = (0.0, 0.0, 0.0);
    for trial in trials {
        if let Some((ms, at, weight)) = measured(trial.unit)
            && at >= since
        {
            sum += ms * weight;
            promised += trial.promised_ms * weight;
            mbps += weight;
        }
    }
    if mbps <= 0.0 {
        // A missed report or two is no silence.
        return if now.since(since) < 3 * wait {
            Verdict::Wait
        } else {
            Verdict::Unseen
        };
    }
    let (measured_ms, promised_ms) = (sum / mbps, promised / mbps);
    if measured_ms > promised_ms * (1.0 + rules.worse_share) + rules.worse_ms {
        Verdict::Worse {
            measured_ms,
            promised_ms,
        }
    } else {
        Verdict::Passed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: CanaryRules = CanaryRules {
        share: 0.01,
        large_from: 0.05,
        wait_min: Duration::from_secs(60),
        worse_share: 0.2,
        worse_ms: 5.0,
        hold: Duration::from_secs(900),
    };

    fn at(seconds: u64) -> Timestamp {
        Timestamp(1_800_000_000_000 + seconds * 1000)
    }

    fn one() -> Vec<Trial> {
        vec![Trial {
            unit: 4,
            before: Shares::from([(0, 1.0)]),
            after: Shares::from([(1, 1.0)]),
            promised_ms: 20.0,
        }]
    }

    #[test]
    fn a_unit_tries_a_change_only_where_the_change_put_it() {
        let [trial] = &one()[..] else { unreachable!() };
        let on = |shares: Shares| {
            let mut plan = Plan {
                shares: vec![Shares::new(); 5],
                input_digest: String::new(),
            };
            plan.shares[trial.unit] = shares;
            trial.is_on(&plan)
        };
        assert!(on(Shares::from([(1, 1.0)])));
        assert!(on(Shares::from([(1, 63.0 / 64.0), (2, 1.0 / 64.0)])));
        assert!(
            !on(Shares::from([(0, 1.0)]))
                && !on(Shares::from([(1, 0.5), (2, 0.5)]))
                && !on(Shares::new())
        );
    }

    #[test]
    fn canaries_are_judged_after_two_ttls_by_what_was_measured_since() {
        let trials = one();
        let judged = |seconds, ms: f64, measured_at| {
            let measured = |_| Some((ms, at(measured_at), 10.0));
            let wait = (Duration::from_secs(120), at(seconds));
            judge(&RULES, (at(0), &trials), wait, measured)
        };
        assert_eq!(judged(100, 90.0, 90), Verdict::Wait);
        assert_eq!(judged(130, 28.0, 90), Verdict::Passed);
        let worse = judged(130, 31.0, 90);
        assert!(matches!(worse, Verdict::Worse { measured_ms, .. } if measured_ms > 30.0));
        // What was measured before the change says nothing of it.
        let early = |_| Some((90.0, Timestamp(at(0).0 - 1), 10.0));
        let silent = |seconds| {
            let wait = (Duration::from_secs(120), at(seconds));
            judge(&RULES, (at(0), &trials), wait, early)
        };
        assert_eq!(silent(200), Verdict::Wait);
        assert_eq!(silent(400), Verdict::Unseen);
    }

    #[test]
    fn about_the_wanted_share_of_areas_are_canaries() {
        let areas = (0..10_000).filter(|n| is_canary(&format!("cn/{n}/ct"), 0.05));
        assert!((300..700).contains(&areas.count()));
        assert!(!(0..1000).any(|n| is_canary(&format!("cn/{n}"), 0.0)));
    }
}
