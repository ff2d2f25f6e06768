//! Moves of units: what they are asked by, and how far a step may go.

use coverage::LinkId;
use instance::{Plan, Shares};
use optimizer::Problem;
use std::time::Duration;

/// Bounds of a step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepRules {
    /// Share of all demand that may move in one step.
    pub share_max: f64,
    /// Gain of a site in one step, as a share of what it carries.
    pub ramp_share: f64,
    /// The same as a share of its capacity; the larger of both counts.
    pub ramp_capacity_share: f64,
    /// Least time between two moves of a unit; a longer TTL counts instead.
    pub dwell_min: Duration,
}

impl Default for StepRules {
    fn default() -> Self {
        Self {
            // A tenth of the traffic of the world on the way to new places is what caches and links
            // are known to bear.
            share_max: 0.1,
            ramp_share: 0.25,
            ramp_capacity_share: 0.1,
            dwell_min: Duration::from_secs(60),
        }
    }
}

/// A move that is asked about: of a unit, from one site (if it stood on another) to the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Move {
    /// Index of the unit.
    pub unit: usize,
    /// Site that it leaves.
    pub from: Option<usize>,
    /// Site that it comes to.
    pub to: usize,
    /// True when that relieves what is too full.
    pub relieves: bool,
}

/// Urgency of a move, most urgent first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Urgency {
    /// Beyond a hard limit: what does not fit is lost.
    Lost,
    /// Beyond a soft limit.
    Overload,
    /// Served above the latency limit, and would be less so.
    Late,
    /// Served better or cheaper elsewhere.
    Gain,
}

/// A unit that wants to move.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wish {
    pub(super) unit: usize,
    pub(super) urgency: Urgency,
    pub(super) moved_mbps: f64,
    pub(super) gain_ms: f64,
}

/// Traffic of a unit that `target` wants on links, or beyond shares, that it does not have now,
/// Mbps.
pub(super) fn moved_mbps(problem: &Problem<'_>, unit: usize, now: &Shares, target: &Plan) -> f64 {
    let gained = |&(link, share): &(LinkId, f64)| (share - now.on(link)).max(0.0);
    problem.instance.units[unit].mbps * target.shares[unit].iter().map(gained).sum::<f64>()
}

/// Tells whether a unit may stand on a link at all: a candidate of its own that can carry anything.
pub(super) fn may_stand(problem: &Problem<'_>, unit: usize, link: LinkId) -> bool {
    let known = problem.instance.units[unit]
        .cand
        .iter()
        .any(|c| c.0 == link);
    known && problem.is_open(link)
}
