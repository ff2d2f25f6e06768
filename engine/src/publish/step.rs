//! One step from the plan in force towards another: how much of it may happen now.
//!
//! Each unit either stays as it is or does what the target wants; one that alone is more than a step may move goes in
//! slices of 64ths. Who stands on something that is gone moves at once. Then
//! come moves that relieve what is too full, then gains, the largest first; each only while the budget of the step, the ramp
//! of its target and the room there last, and nothing forbids it. What is left over is a matter for the next tick.

use super::Gate;
use super::walk::{Urgency, Walk, Wish};
use crate::check;
use crate::plan::{Instance, Plan};
use std::collections::BTreeMap;
use std::time::Duration;

/// How far a step may go.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepRules {
    /// Share of all demand that may move in one step.
    pub share_max: f64,
    /// What a site may gain in one step, as a share of what it carries.
    pub ramp_share: f64,
    /// The same as a share of its capacity; the larger of both counts.
    pub ramp_capacity_share: f64,
    /// Least time between two moves of a unit; a longer TTL counts instead.
    pub dwell_min: Duration,
}

impl Default for StepRules {
    fn default() -> Self {
        Self {
            // A tenth of the traffic of the world on the way to new places is what caches and links are known to bear.
            share_max: 0.1,
            ramp_share: 0.25,
            ramp_capacity_share: 0.1,
            dwell_min: Duration::from_secs(60),
        }
    }
}

/// What is possible in the step: the instance, and the site of each link.
#[derive(Clone, Copy)]
pub struct Ground<'a> {
    /// Demand, limits and candidates.
    pub instance: &'a Instance,
    /// [link] -> site index.
    pub site_of: &'a [usize],
}

/// A plan between two others.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// What every unit does.
    pub plan: Plan,
    /// Traffic that moves, Mbps.
    pub moved_mbps: f64,
    /// What was held back by which gate, Mbps.
    pub withheld_mbps: BTreeMap<Gate, f64>,
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
    /// Whether that relieves what is too full.
    pub relieves: bool,
}

/// The step from `before` to `target`. `forbidden` names the gate that keeps a unit from moving; who stands beyond a hard
/// limit is not asked, because what does not fit is lost.
#[must_use]
pub fn step(
    ground: Ground<'_>,
    (before, target): (&Plan, &Plan),
    rules: &StepRules,
    forbidden: impl Fn(Move) -> Option<Gate>,
) -> Step {
    let taken = walked(ground, (before, target), rules, &forbidden, Urgency::Gain);
    if !is_worse(ground.instance, (before, target), &taken.plan) {
        return taken;
    }
    // The target is better, but not every way to it is: first only what relieves.
    let relief = walked(
        ground,
        (before, target),
        rules,
        &forbidden,
        Urgency::Overload,
    );
    if !is_worse(ground.instance, (before, target), &relief.plan) {
        return relief;
    }
    walked(ground, (before, target), rules, &forbidden, Urgency::Lost)
}

/// The step in which only moves of some urgency are made.
fn walked(
    ground: Ground<'_>,
    (before, target): (&Plan, &Plan),
    rules: &StepRules,
    forbidden: &impl Fn(Move) -> Option<Gate>,
    least: Urgency,
) -> Step {
    let mut walk = Walk::new(ground, before, target, rules);
    let mut wishes = walk.wishes();
    let later: Vec<Wish> = wishes.extract_if(.., |wish| wish.urgency > least).collect();
    let wanted = wishes.len();
    let mut withheld = BTreeMap::new();
    // All of it fits together; a part of it need not.
    if later.is_empty() && walk.may_take_all(&wishes, forbidden) {
        walk.take_all(&mut wishes);
    } else {
        withheld = walk.grant_all(&mut wishes, forbidden);
    }
    // Units that wait for each other's room would wait for ever: then soft limits are passed on the way, and if that does
    // not help all of them go at once, which is feasible because the target is.
    let stuck = |wishes: &[Wish], withheld: &BTreeMap<usize, Gate>| {
        wishes.len() == wanted && wanted > 0 && withheld.values().all(|gate| *gate == Gate::Room)
    };
    if stuck(&wishes, &withheld) {
        walk.pass_soft_limits();
        withheld = walk.grant_all(&mut wishes, forbidden);
        if later.is_empty() && stuck(&wishes, &withheld) {
            walk.take_all(&mut wishes);
        }
    }
    let mut withheld_mbps = std::mem::take(&mut walk.cut_mbps);
    let against = wishes
        .iter()
        .filter_map(|wish| Some((wish, *withheld.get(&wish.unit)?)));
    for (wish, gate) in against.chain(later.iter().map(|wish| (wish, Gate::Room))) {
        *withheld_mbps.entry(gate).or_default() += wish.moved_mbps;
    }
    Step {
        moved_mbps: walk.moved_mbps,
        plan: Plan {
            shares: walk.shares,
            input_digest: target.input_digest.clone(),
        },
        withheld_mbps,
    }
}

/// Whether a plan between two others is worse than both on the first level where it differs: unserved, overload, below the
/// floor. The target itself may be worse by what rounding onto 64ths costs. What the plan in force does on links that are
/// gone cannot be judged; nothing is worse than that.
fn is_worse(instance: &Instance, (before, target): (&Plan, &Plan), after: &Plan) -> bool {
    let levels = |plan: &Plan| {
        let found = check::evaluate(instance, plan).ok()?.levels;
        Some([
            found.unserved_mbps,
            found.overload_mbps,
            found.below_floor_mbps,
        ])
    };
    let (Some(before), Some(target)) = (levels(before), levels(target)) else {
        return false;
    };
    let Some(after) = levels(after) else {
        return true;
    };
    for ((was, wanted), is) in before.into_iter().zip(target).zip(after) {
        let rounding = was.abs().max(1.0) * 1e-6;
        if is > was.max(wanted) + rounding {
            return true;
        }
        if is < was - rounding {
            return false;
        }
    }
    false
}
