//! The gates between a checked plan and a published map: whether it is worth publishing, and how far it may go.

use crate::check::Verified;
use crate::plan::Levels;

/// Rules of publishing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PublishRules {
    /// Share of known demand estimates that may be stale before the map is frozen.
    pub stale_share_max: f64,
    /// Relative gain in cost and latency below which moving traffic is not worth it (hysteresis).
    pub gain_min: f64,
    /// Largest certified gap that is published when the incumbent is no worse.
    pub gap_max: f64,
    /// Share of a region's capacity that may look down before the reports are not believed.
    pub down_share_max: f64,
}

impl Default for PublishRules {
    fn default() -> Self {
        Self {
            // Reliability practice: beyond a fifth of stale inputs an optimum is a guess.
            stale_share_max: 0.2,
            // A tenth of the usual spread between a good and a plain assignment.
            gain_min: 0.005,
            gap_max: 0.01,
            // More than 30 % of a region at once is a fault of the reports, not of the region.
            down_share_max: 0.3,
        }
    }
}

/// Why a plan is published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// There was no map.
    First,
    /// What may be used changed: a drain, a refill, a failure, a recovery.
    Limits,
    /// The map in force leaves demand unserved, overloads, or misses the floor where the plan does better.
    Relief,
    /// It is cheaper or faster by more than the hysteresis.
    Gain,
    /// Static services get other answers: a check, a forced state, another policy.
    Policy,
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
        }
    }
}

/// Why a plan is held back and the map in force stays.
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
    /// Nothing changed enough to move anyone.
    #[error("nothing to gain: the map in force is as good")]
    NoGain,
}

/// Decides whether a verified plan replaces the map in force, whose figures under the same input are `incumbent`.
///
/// # Errors
/// [`Held`] says why not.
pub fn gate(
    rules: &PublishRules,
    verified: &Verified,
    incumbent: Option<&Levels>,
    limits_changed: bool,
) -> Result<Reason, Held> {
    let plan = &verified.levels;
    let Some(incumbent) = incumbent else {
        return Ok(Reason::First);
    };
    // One Mbps of tolerance: what rounding onto 64ths may cost is no reason to move.
    let tolerance_mbps = |level: f64| (level * 0.001).max(1.0);
    let relieves = |had: f64, has: f64| had > has + tolerance_mbps(had);
    if limits_changed {
        return Ok(Reason::Limits);
    }
    let gap = verified.gap.unwrap_or(f64::INFINITY);
    if gap > rules.gap_max {
        return Err(Held::Gap { gap });
    }
    let levels = [
        (incumbent.unserved_mbps, plan.unserved_mbps),
        (incumbent.overload_mbps, plan.overload_mbps),
        (incumbent.below_floor_mbps, plan.below_floor_mbps),
    ];
    for (had, has) in levels {
        if relieves(had, has) {
            return Ok(Reason::Relief);
        }
        if relieves(has, had) {
            return Err(Held::NoGain);
        }
    }
    let gain = incumbent.cost_cny() - plan.cost_cny();
    if gain > rules.gain_min * incumbent.cost_cny() {
        Ok(Reason::Gain)
    } else {
        Err(Held::NoGain)
    }
}
