//! The gates between a checked plan and a published map: whether it is worth publishing, and how
//! far it may go.
//!
//! ```text
//!   input ─> [inputs] ─> solve ─> checker ─> [gate: worth it?] ─> [canary]
//!         ─> [step: budget, ramp, dwell, stale, flaps, swings] ─> map
//! ```
//! What relieves a failure passes all of them; whoever must leave a place that is gone leaves it.

mod back;
mod canary;
mod damping;
mod flows;
mod gates;
mod inputs;
mod judge;
mod moves;
mod notes;
mod slice;
mod step;
mod swing;
mod trial;
mod walk;
mod wishes;

#[cfg(test)]
mod tests;

pub use canary::CanaryRules;
pub use damping::DampingRules;
pub use gates::{GateRules, Gates, Present, Purpose, Stop};
pub use inputs::{InputRules, Prices};
pub use moves::{Move, StepRules};
pub use step::{Aim, Step, step};
pub use swing::SwingRules;

use checker::{Bands, Verified};
use instance::Levels;

/// Rules of publishing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PublishRules {
    /// Share of known demand estimates that may be stale before the map is frozen.
    pub stale_share_max: f64,
    /// Relative gain in cost and latency below which moving traffic is not worth it (hysteresis).
    pub gain_min: f64,
    /// Overload, or traffic above the latency limit, that must be relieved to be worth a move, as a
    /// share of all demand.
    pub relief_min: f64,
    /// Excess over its watermark that a row must have, or a contract above what it has free, before
    /// that is a reason to move anybody. Plans stop at the limit, and what noise puts above it is
    /// not worth a move.
    pub bands: Bands,
    /// Largest certified gap of a plan that relieves nothing.
    pub gap_max: f64,
    /// Share of a region's capacity that may look down before the reports are not believed.
    pub down_share_max: f64,
    /// The other gates.
    pub gates: GateRules,
}

impl Default for PublishRules {
    fn default() -> Self {
        Self {
            // Reliability practice: beyond a fifth of stale inputs an optimum is a guess.
            stale_share_max: 0.2,
            // A tenth of the usual spread between a good and a plain assignment.
            gain_min: 0.005,
            // Half of what telemetry is off by anyway; limits are soft by more than that.
            relief_min: 0.001,
            bands: Bands {
                overload: 0.03,
                // Contracts count the mean of a slot, where the noise of a cycle is gone.
                level: 0.01,
            },
            gap_max: 0.01,
            // More than 30 % of a region at once is a fault of the reports, not of the region.
            down_share_max: 0.3,
            gates: GateRules::default(),
        }
    }
}

/// Reason for which a plan is published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// There was no map.
    First,
    /// Change of what may be used: a drain, a refill, a failure, a recovery.
    Limits,
    /// The map in force leaves demand unserved, overloads, or misses the floor where the plan does
    /// better.
    Relief,
    /// Gain in cost or latency above the hysteresis.
    Gain,
    /// Static services get other answers: a check, a forced state, another policy.
    Policy,
    /// Canary areas fared worse than was promised.
    RollBack,
}

/// A gate, as it is named in the audit log, in metrics and in reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Gate {
    /// The input jumped.
    Input,
    /// Too much would move in one step.
    Step,
    /// A target would gain too much in one step.
    Ramp,
    /// There is no room yet: somebody must leave first.
    Room,
    /// The unit has moved a moment ago.
    Dwell,
    /// The target comes and goes.
    Flapping,
    /// Nothing has been heard of the target for a while.
    Silent,
    /// Too much of all input is stale.
    Stale,
    /// Traffic goes to and fro between two sites.
    Swing,
    /// A large change is tried first.
    Canary,
    /// Reports are not believed.
    FailOpen,
    /// The gain is too small to move anybody.
    Hysteresis,
    /// The checker refused the plan.
    Checker,
    /// The plan is too far from what is proved.
    Gap,
    /// The instance is faulty.
    Instance,
    /// Somebody would be left without an answer.
    Uncovered,
    /// An operator holds the map.
    Pinned,
}

impl Gate {
    /// Gates that withhold moves from a step, and what that means.
    pub(super) const OF_STEPS: [(Self, &'static str); 6] = [
        (
            Self::Step,
            "more would move than may in one step; the rest follows",
        ),
        (
            Self::Ramp,
            "some sites would gain more than they may in one step; the rest follows",
        ),
        (Self::Room, "some moves wait until others have left"),
        (Self::Dwell, "some areas have moved a moment ago"),
        (
            Self::Flapping,
            "some sites come and go: nobody is moved towards them",
        ),
        (
            Self::Silent,
            "some sites are not heard of: nobody is moved towards them",
        ),
    ];

    /// Gates that refuse a plan or its map as a whole, each by the word of its [`Held`].
    pub(super) const OF_REFUSALS: [Self; 4] =
        [Self::Instance, Self::Checker, Self::Gap, Self::Uncovered];

    /// In a word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::Step => "step",
            Self::Ramp => "ramp",
            Self::Room => "room",
            Self::Dwell => "dwell",
            Self::Flapping => "flapping",
            Self::Silent => "silent",
            Self::Stale => "stale",
            Self::Swing => "swing",
            Self::Canary => "canary",
            Self::FailOpen => "fail-open",
            Self::Hysteresis => "hysteresis",
            Self::Checker => "checker",
            Self::Gap => "gap",
            Self::Instance => "instance",
            Self::Uncovered => "uncovered",
            Self::Pinned => "pinned",
        }
    }
}

impl Held {
    /// In a word, for logs and counters.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Pinned(_) => "pinned",
            Self::Stale { .. } => "stale",
            Self::Silent => "silent",
            Self::Instance(_) => "instance",
            Self::Checker(_) => "checker",
            Self::Gap { .. } => "gap",
            Self::Uncovered(_) => "uncovered",
            Self::NoGain => "no-gain",
            Self::Input(_) => "input",
            Self::Canary(_) => "canary",
            Self::Withheld(_) => "withheld",
        }
    }
}

impl Reason {
    /// In a word, for logs and counters.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Limits => "limits",
            Self::Relief => "relief",
            Self::Gain => "gain",
            Self::Policy => "policy",
            Self::RollBack => "roll-back",
        }
    }
}

/// Reason for which a plan is held back and the map in force stays.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Held {
    /// An operator pinned the map.
    #[error("the map is pinned: {0}")]
    Pinned(String),
    /// Too much of the input is stale.
    #[error(
        "{stale} of {known} demand estimates are stale: the map is frozen until telemetry returns"
    )]
    Stale {
        /// Stale estimates.
        stale: usize,
        /// Known estimates.
        known: usize,
    },
    /// No telemetry has come since the start.
    #[error("no telemetry since the start: the map in force stays until demand is reported")]
    Silent,
    /// The instance itself is faulty.
    #[error("the instance is refused: {0}")]
    Instance(String),
    /// The checker refused the plan.
    #[error("the checker refused the plan: {0}")]
    Checker(String),
    /// The certified gap is too wide.
    #[error("the gap of {gap:.4} is wider than is published")]
    Gap {
        /// Certified gap.
        gap: f64,
    },
    /// Some service would have no answer somewhere.
    #[error("{0}")]
    Uncovered(String),
    /// The input differs too much from the last.
    #[error("the input is doubted: {0}")]
    Input(String),
    /// A large change is being tried, or was taken back.
    #[error("{0}")]
    Canary(String),
    /// Gates withhold all that could be gained now.
    #[error("withheld by gates for now: {0}")]
    Withheld(String),
    /// Nothing changed enough to move anyone.
    #[error("nothing to gain: the map in force is as good")]
    NoGain,
}

/// Decides whether a verified plan replaces the map in force, whose figures under the same input
/// are `incumbent`; `plan` are those of its own map, with the same rounding to weights. Demand in
/// Mbps.
///
/// What is lost, too full or above the latency limit is relieved however far from the optimum the
/// plan is. Anything else is only followed with a gap that is narrow enough: a gain beyond the
/// hysteresis, or what changed limits ask for.
///
/// # Errors
/// [`Held`] says why not.
pub fn gate(
    rules: &PublishRules,
    (verified, plan, demand_mbps): (&Verified, &Levels, f64),
    incumbent: Option<&Levels>,
    limits_changed: bool,
) -> Result<Reason, Held> {
    let Some(incumbent) = incumbent else {
        return Ok(Reason::First);
    };
    // One Mbps of tolerance: what rounding onto 64ths may cost is no reason to move. Soft levels
    // bear more.
    let least_mbps = [
        1.0,
        rules.relief_min * demand_mbps,
        rules.relief_min * demand_mbps,
    ];
    let relieves = |had: f64, has: f64, least: f64| had > has + (had * 0.001).max(least).max(1.0);
    let gap = verified.gap.unwrap_or(f64::INFINITY);
    let narrow = |reason: Result<Reason, Held>| {
        if gap > rules.gap_max {
            Err(Held::Gap { gap })
        } else {
            reason
        }
    };
    let follows_limits = || {
        let reason = limits_changed.then_some(Reason::Limits);
        reason.ok_or(Held::NoGain)
    };
    let levels = [
        (incumbent.unserved_mbps, plan.unserved_mbps),
        (incumbent.overload_mbps, plan.overload_mbps),
        (incumbent.late_mbps, plan.late_mbps),
    ];
    for ((had, has), least) in levels.into_iter().zip(least_mbps) {
        if relieves(had, has, least) {
            let limits = limits_changed.then_some(Reason::Limits);
            return Ok(limits.unwrap_or(Reason::Relief));
        }
        if relieves(has, had, least) {
            return narrow(follows_limits());
        }
    }
    let gain = incumbent.cost_cny() - plan.cost_cny();
    let gains = gain > rules.gain_min * incumbent.cost_cny();
    narrow(if gains && !limits_changed {
        Ok(Reason::Gain)
    } else {
        follows_limits()
    })
}
