//! The addresses of one family: who they are, in what state, and how many must be up.

use super::address::Watch;
use super::leaf::{Context, Leaf, LeafTrouble};
use super::scope::Scope;
use crate::fault::{Effect, ImportError};
use crate::vscf::Node;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// Number of addresses are given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Serve {
    All,
    One,
    First,
}

/// One address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Member {
    pub(crate) address: IpAddr,
    pub(crate) weight: u32,
    /// State whatever checks say.
    pub(crate) state: Option<bool>,
}

/// The addresses of one family.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Family {
    pub(crate) serve: Serve,
    /// Share that must be up; `None` where one is enough.
    pub(crate) up_share_min: Option<f64>,
    pub(crate) members: Vec<Member>,
}

/// One family before its states are known.
pub(super) struct Draft<'a> {
    pub(super) serve: Serve,
    /// The threshold, where there is one.
    pub(super) up_thresh: Option<f64>,
    pub(super) watch: Watch<'a>,
    /// Addresses with their weights.
    pub(super) members: Vec<(&'a Node, IpAddr, u32)>,
    /// True when states count for the threshold alone.
    pub(super) ignores_health: bool,
}

/// Share of what must be up where nothing is said.
const UP_THRESH: f64 = 0.5;

/// The threshold of a scope.
pub(super) fn threshold(scope: &Scope<'_>) -> Result<f64, ImportError> {
    let Some(node) = scope.get("up_thresh") else {
        return Ok(UP_THRESH);
    };
    let value: f64 = node.parsed("up_thresh", "a number")?;
    if value > 0.0 && value <= 1.0 {
        Ok(value)
    } else {
        Err(node.wrong("up_thresh", "must be above 0 and at most 1"))
    }
}

/// Most addresses of a family in a pool; of a weighted one.
const MEMBERS_MAX: usize = 255;
const WEIGHED_MAX: usize = 64;

/// Puts the families together and fixes states.
pub(super) fn finish(
    drafts: Vec<Draft<'_>>,
    context: &mut Context<'_>,
) -> Result<Leaf, LeafTrouble> {
    let checks: BTreeSet<String> = drafts
        .iter()
        .flat_map(|draft| draft.watch.checks.iter().cloned())
        .collect();
    let (mut v4, mut v6) = (None, None);
    for draft in &drafts {
        for (is_v6, slot) in [(false, &mut v4), (true, &mut v6)] {
            if let Some(family) = family(draft, is_v6, &checks, context)? {
                *slot = Some(family);
            }
        }
    }
    if v4.is_none() && v6.is_none() {
        return Err(LeafTrouble::Lost(format!(
            "{} has no address",
            context.name
        )));
    }
    Ok(Leaf::Addresses { checks, v4, v6 })
}

fn family(
    draft: &Draft<'_>,
    is_v6: bool,
    checks: &BTreeSet<String>,
    context: &mut Context<'_>,
) -> Result<Option<Family>, LeafTrouble> {
    let mut members: Vec<Member> = Vec::new();
    let mut at: BTreeMap<IpAddr, usize> = BTreeMap::new();
    let mut total = 0_u32;
    for (node, address, weight) in draft
        .members
        .iter()
        .filter(|(_, address, _)| address.is_ipv6() == is_v6)
    {
        let state = draft.watch.state(
            &address.to_string(),
            &node.place,
            checks,
            context.services,
            context.states,
            context.faults,
        );
        total = total.saturating_add(*weight);
        if let Some(known) = at.get(address) {
            if draft.serve == Serve::One {
                // Two chances of one address are one chance with both weights.
                members[*known].weight = members[*known].weight.saturating_add(*weight);
            } else {
                let what = format!("{} {address}", context.name);
                let why = "is listed twice and counts once, also for up_thresh";
                context.faults.add(&node.place, Effect::Changed, what, why);
                total -= weight;
            }
            continue;
        }
        at.insert(*address, members.len());
        members.push(Member {
            address: *address,
            weight: *weight,
            state,
        });
    }
    let max = if draft.serve == Serve::One {
        WEIGHED_MAX
    } else {
        MEMBERS_MAX
    };
    if members.len() > max {
        let why = format!(
            "{} has {} addresses of one family, and a pool can have {max}",
            context.name,
            members.len()
        );
        return Err(LeafTrouble::Lost(why));
    }
    if members.is_empty() {
        return Ok(None);
    }
    let shares = if draft.serve == Serve::One {
        total
    } else {
        members.len().try_into().unwrap_or(u32::MAX)
    };
    note_ignored_health(draft, &members, checks, shares, context);
    Ok(Some(Family {
        serve: draft.serve,
        up_share_min: draft.up_thresh.map(|thresh| share(thresh, shares)),
        members,
    }))
}

/// Notes that ignored health gives addresses that are down, too; a pool does so only below its
/// threshold.
fn note_ignored_health(
    draft: &Draft<'_>,
    members: &[Member],
    checks: &BTreeSet<String>,
    total: u32,
    context: &mut Context<'_>,
) {
    let may_be_down = members.iter().any(|member| match member.state {
        Some(up) => !up,
        None => !checks.is_empty(),
    });
    let all_needed = needed(draft.up_thresh.unwrap_or(1.0), total) >= f64::from(total);
    if let Some((node, ..)) = draft.members.first()
        && draft.ignores_health
        && may_be_down
        && !all_needed
    {
        let what = format!("{} ignore_health", context.name);
        let why = "addresses that are down are left out while enough others are up";
        context.faults.add(&node.place, Effect::Changed, what, why);
    }
}

/// Counts how much must be up, as gdnsd does.
fn needed(thresh: f64, total: u32) -> f64 {
    (thresh * f64::from(total)).ceil()
}

/// The share with which Watershed needs exactly as much to be up as gdnsd does: the threshold
/// itself, unless their ways of rounding its product with the total differ.
fn share(thresh: f64, total: u32) -> f64 {
    let need = needed(thresh, total);
    // Watershed forgives the last bits of a product.
    let ours = thresh.mul_add(f64::from(total), -1e-9).ceil();
    if (ours - need).abs() < 0.5 {
        thresh
    } else {
        (need - 0.5) / f64::from(total)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn exactly_as_much_must_be_up(hundredths in 1_u32..=100, total in 1_u32..100_000) {
            let thresh = f64::from(hundredths) / 100.0;
            let share = share(thresh, total);
            let need = needed(thresh, total);
            let enough = |up: f64| up >= share * f64::from(total) - 1e-9;
            prop_assert!(enough(need) && !enough(need - 1.0), "{thresh} of {total}: {need}, {share}");
        }
    }
}
