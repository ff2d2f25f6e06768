//! One step from the plan in force towards another: how much of it may happen now.
//!
//! Each unit either stays as it is or does what the target wants; one that alone is more than a
//! step may move goes in slices of 64ths. Who stands on something that is gone moves at once. Then
//! come moves that relieve what is too full, then gains, the largest first; each only while the
//! budget of the step, the ramp of its target and the room there last, and nothing forbids it. What
//! is left over is a matter for the next tick.

use super::Gate;
use super::judge::{Judge, Worth};
use super::moves::{Move, StepRules, Urgency, Wish};
use super::walk::Walk;
use instance::Plan;
use optimizer::Problem;
use std::cell::LazyCell;
use std::collections::BTreeMap;

/// A plan between two others.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// Plan after the step.
    pub plan: Plan,
    /// Traffic that moves, Mbps.
    pub moved_mbps: f64,
    /// Traffic held back, by gate, Mbps.
    pub withheld_mbps: BTreeMap<Gate, f64>,
    /// The site that most of it wanted to go to, by gate.
    pub wanted_site: BTreeMap<Gate, usize>,
    /// True when it moves any unit that would only be served better or cheaper.
    pub gains: bool,
}

/// Aim of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aim {
    /// Moves of every kind that the target wants.
    All,
    /// Relief of what stands too close or on what is gone; gains, when there is nothing of that
    /// kind to do.
    ReliefFirst,
    /// The same and nothing else.
    ReliefOnly,
}

/// The step from `before` to `target`. `forbidden` names the gate that keeps a unit from moving;
/// who stands beyond a hard limit is not asked, because what does not fit is lost.
///
/// No step is worse than the plan in force where there is another way. Some units can only change
/// places by passing a soft limit; then they pass it, within the budget, as long as nothing is
/// lost.
#[must_use]
pub fn step(
    problem: &Problem<'_>,
    plans: (&Plan, &Plan),
    rules: &StepRules,
    forbidden: impl Fn(Move) -> Option<Gate>,
    aim: Aim,
) -> Step {
    let order: &[Urgency] = match aim {
        Aim::All => &[Urgency::Gain, Urgency::Late, Urgency::Overload],
        Aim::ReliefFirst => &[Urgency::Late, Urgency::Overload, Urgency::Gain],
        Aim::ReliefOnly => &[Urgency::Overload],
    };
    let judge = LazyCell::new(|| Judge::new(problem.instance, plans.0, plans.1));
    let start = Walk::new(problem, plans, rules);
    let wishes = start.wishes();
    let walk = |least| walk_to(&start, &wishes, &forbidden, least);
    let moves = |least| !start.is_at_home || wishes.iter().any(|wish| wish.urgency <= least);
    let (mut through, mut idle) = (None, None);
    for &least in order {
        if least < Urgency::Gain && !moves(least) {
            continue;
        }
        let step = walk(least);
        if step.plan.shares == plans.0.shares {
            // What keeps everybody where they are is told of the way that asked for most.
            if least == Urgency::Gain {
                idle = Some(step);
            }
            continue;
        }
        if step.plan.shares == plans.1.shares {
            // An end of the way is not worse than both.
            return step;
        }
        match judge.of(&step.plan) {
            Worth::Fine => return step,
            Worth::OnlySoft => through = through.or(Some(step)),
            Worth::Loses => {}
        }
    }
    let rescue = walk(Urgency::Lost);
    if rescue.plan.shares == plans.0.shares {
        through.or(idle).unwrap_or(rescue)
    } else {
        rescue
    }
}

/// The step in which only those of `all` wishes are granted that are as urgent as `least`.
fn walk_to(
    start: &Walk<'_>,
    all: &[Wish],
    forbidden: &impl Fn(Move) -> Option<Gate>,
    least: Urgency,
) -> Step {
    let mut walk = start.clone();
    let urgent = all.iter().filter(|wish| wish.urgency <= least);
    let mut wishes: Vec<Wish> = urgent.copied().collect();
    let wanted = wishes.len();
    let are_all = wanted == all.len();
    let mut withheld = BTreeMap::new();
    // All of it fits together; a part of it need not.
    if are_all && walk.may_take_all(&wishes, forbidden) {
        walk.take_all(&mut wishes);
    } else {
        withheld = walk.grant_all(&mut wishes, forbidden);
    }
    // Units that wait for each other's room would wait for ever: then soft limits are passed on the
    // way, and if that does not help all of them go at once, which is feasible because the target
    // is.
    let stuck = |wishes: &[Wish], withheld: &BTreeMap<usize, Gate>| {
        wishes.len() == wanted && wanted > 0 && withheld.values().all(|gate| *gate == Gate::Room)
    };
    if stuck(&wishes, &withheld) {
        walk.pass_soft_limits();
        withheld = walk.grant_all(&mut wishes, forbidden);
        if are_all && stuck(&wishes, &withheld) {
            walk.take_all(&mut wishes);
        }
    }
    let mut withheld_mbps = std::mem::take(&mut walk.cut_mbps);
    let mut wanted: BTreeMap<Gate, BTreeMap<usize, f64>> = BTreeMap::new();
    let against = wishes
        .iter()
        .filter_map(|wish| Some((wish, *withheld.get(&wish.unit)?)));
    for (wish, gate) in against {
        *withheld_mbps.entry(gate).or_default() += wish.moved_mbps;
        if let Some(site) = walk.goal(wish.unit) {
            *wanted.entry(gate).or_default().entry(site).or_default() += wish.moved_mbps;
        }
    }
    let most = |sites: BTreeMap<usize, f64>| {
        let most = sites.into_iter().max_by(|a, b| a.1.total_cmp(&b.1));
        most.map(|(site, _)| site)
    };
    let wanted = wanted.into_iter();
    Step {
        wanted_site: wanted
            .filter_map(|(gate, sites)| Some((gate, most(sites)?)))
            .collect(),
        gains: walk.gains,
        moved_mbps: walk.moved_mbps,
        plan: Plan {
            shares: walk.shares,
            input_digest: start.target.input_digest.clone(),
        },
        withheld_mbps,
    }
}
