//! Flap damping: who comes and goes too often is not moved towards until it has been quiet (after
//! RFC 2439).
//!
//! Each time a target goes away costs a penalty that decays by half in a fixed time. Above one
//! threshold the target is suppressed, below a lower one it is used again. Suppressed targets may
//! be left at any time.

use coverage::Timestamp;
use std::time::Duration;

/// Penalty of one flap.
const PENALTY: f64 = 1000.0;
/// Penalties do not grow beyond this, so that nobody is suppressed for longer than a few
/// half-lives.
const PENALTY_MAX: f64 = 6000.0;

/// Thresholds of damping.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DampingRules {
    /// Time in which a penalty halves.
    pub half_life: Duration,
    /// Penalty from which a target is suppressed; one flap counts 1000.
    pub suppress_from: f64,
    /// Penalty below which it is used again.
    pub reuse_below: f64,
}

impl Default for DampingRules {
    fn default() -> Self {
        Self {
            half_life: Duration::from_mins(5),
            // The third flap within minutes suppresses, as routers do.
            suppress_from: 2000.0,
            reuse_below: 750.0,
        }
    }
}

/// Penalties of some targets, by index.
#[derive(Clone, Debug)]
pub(super) struct Damping {
    rules: DampingRules,
    targets: Vec<Target>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Target {
    away: bool,
    penalty: f64,
    at: Timestamp,
    suppressed: bool,
}

impl Damping {
    /// Nobody has flapped yet.
    #[must_use]
    pub(super) fn new(rules: DampingRules, targets: usize) -> Self {
        Self {
            rules,
            targets: vec![Target::default(); targets],
        }
    }

    /// Notes whether a target is away at `now`.
    pub(super) fn note(&mut self, target: usize, away: bool, now: Timestamp) {
        let rules = self.rules;
        let Some(state) = self.targets.get_mut(target) else {
            return;
        };
        state.penalty = decayed(state, &rules, now);
        state.at = state.at.max(now);
        if away && !state.away {
            state.penalty = (state.penalty + PENALTY).min(PENALTY_MAX);
        }
        state.away = away;
        if state.penalty >= rules.suppress_from {
            state.suppressed = true;
        } else if state.penalty < rules.reuse_below {
            state.suppressed = false;
        }
    }

    /// Brings what was noted under a clock that was ahead back to `now`.
    pub(super) fn not_after(&mut self, now: Timestamp) {
        for target in &mut self.targets {
            target.at = target.at.min(now);
        }
    }

    /// Tells whether a target must not be moved towards at `now`.
    #[must_use]
    pub(super) fn is_suppressed(&self, target: usize, now: Timestamp) -> bool {
        let state = self.targets.get(target).copied().unwrap_or_default();
        state.suppressed && decayed(&state, &self.rules, now) >= self.rules.reuse_below
    }
}

/// The penalty of a target at `now`. A clock that went back decays nothing.
fn decayed(state: &Target, rules: &DampingRules, now: Timestamp) -> f64 {
    let half_lives = now.since(state.at).as_secs_f64() / rules.half_life.as_secs_f64().max(1e-3);
    state.penalty * (-half_lives).exp2()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp(1_800_000_000_000 + seconds * 1000)
    }

    #[test]
    fn who_alternates_each_half_minute_is_suppressed_and_comes_back_after_a_quiet_time() {
        let mut damping = Damping::new(DampingRules::default(), 2);
        for second in (0..=150).step_by(30) {
            damping.note(0, second % 60 == 30, at(second));
            damping.note(1, false, at(second));
        }
        assert!(damping.is_suppressed(0, at(150)));
        assert!(!damping.is_suppressed(1, at(150)));
        damping.note(0, false, at(180));
        assert!(damping.is_suppressed(0, at(400)));
        // Three flaps decay from below 3000 to 750 within two half-lives.
        assert!(!damping.is_suppressed(0, at(180 + 601)));
    }

    #[test]
    fn one_failure_and_its_repair_are_no_flapping() {
        let mut damping = Damping::new(DampingRules::default(), 1);
        for (second, away) in [(0, false), (10, true), (20, true), (30, false)] {
            damping.note(0, away, at(second));
            assert!(!damping.is_suppressed(0, at(second)));
        }
    }
}
