//! Steps between plans: bounded, within limits, and at their end where they were to lead.

#![allow(clippy::unwrap_used, reason = "a panic is how a test reports")]

#[path = "plan_support/mod.rs"]
mod support;

use coverage::LinkId;
use engine::baseline;
use engine::publish::{Aim, Gate, StepRules, step};
use instance::{Instance, Plan, Shares};
use optimizer::{Problem, SolveOptions, round_to_weights, solve};
use proptest::prelude::*;
use support::{Shape, random_instance};

/// An instance with a plan in force that fits and a better one.
fn case(seed: u64) -> Option<(Instance, Vec<usize>, Plan, Plan)> {
    let mut instance = random_instance(Shape::Medium, seed);
    for unit in &mut instance.units {
        unit.incumbent.clear();
        unit.mbps /= 3.0;
    }
    let target = solve(&instance, &SolveOptions::default(), None).plan;
    let target = round_to_weights(&instance, &target, 64);
    let before = baseline::rank_and_fill(&instance, seed).unwrap().plan;
    let before = round_to_weights(&instance, &before, 64);
    let fits = |plan: &Plan| {
        let found = checker::evaluate(&instance, plan);
        found.is_ok_and(|found| found.levels.unserved_mbps < 1e-9)
    };
    let whole = |plan: &Plan| plan.shares.iter().all(|shares| !shares.is_empty());
    if !fits(&before) || !fits(&target) || !whole(&before) || !whole(&target) {
        return None;
    }
    let sites = |id: &String| instance.sites.iter().position(|site| site.id == *id);
    let site_of = instance.links.iter().map(|link| sites(&link.site).unwrap());
    let site_of = site_of.collect();
    Some((instance, site_of, before, target))
}

fn moved_mbps(instance: &Instance, before: &Plan, after: &Plan) -> f64 {
    let pairs = instance
        .units
        .iter()
        .zip(before.shares.iter().zip(&after.shares));
    pairs
        .map(|(unit, (before, after))| {
            let gained = after.iter().map(|&(link, share)| {
                let old = before.iter().find(|b| b.0 == link).map_or(0.0, |b| b.1);
                (share - old).max(0.0)
            });
            unit.mbps * gained.sum::<f64>()
        })
        .sum()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, max_global_rejects: 20_000, ..ProptestConfig::default() })]

    #[test]
    fn a_step_keeps_to_its_budget_and_fits(seed in any::<u64>()) {
        let Some((instance, site_of, before, target)) = case(seed) else {
            return Err(TestCaseError::reject("a plan does not fit"));
        };
        let problem = &Problem::new(&instance);
        let rules = StepRules { share_max: 0.1, ramp_share: 100.0, ..StepRules::default() };
        let taken = step(problem, (&before, &target), &rules, |_| None, Aim::All);
        let demand: f64 = instance.units.iter().map(|unit| unit.mbps).sum();
        let moved = moved_mbps(&instance, &before, &taken.plan);
        prop_assert!((moved - taken.moved_mbps).abs() < 1e-6);
        prop_assert!(moved <= 0.1 * demand + 1e-6, "{moved} of {demand}");
        let rows = before.shares.iter().zip(&target.shares).zip(instance.units.iter());
        for (taken, ((before, target), unit)) in taken.plan.shares.iter().zip(rows) {
            // Only units larger than a whole step, or than a tenth of a small site, go in slices.
            let large = unit.mbps > 0.1 * demand
                || target.iter().any(|s| unit.mbps * s.1 > 0.1 * instance.sites[site_of[s.0.index()]].capacity_mbps);
            prop_assert!(taken == before || taken == target || large);
        }
        prop_assert!(checker::evaluate(&instance, &taken.plan).is_ok());
    }

    #[test]
    fn step_by_step_the_target_is_reached(seed in any::<u64>()) {
        let Some((instance, _, mut plan, target)) = case(seed) else {
            return Err(TestCaseError::reject("a plan does not fit"));
        };
        let problem = &Problem::new(&instance);
        let rules = StepRules { share_max: 0.3, ramp_share: 0.5, ramp_capacity_share: 0.3, ..StepRules::default() };
        for _ in 0..200 {
            if plan.shares == target.shares {
                break;
            }
            plan = step(problem, (&plan, &target), &rules, |_| None, Aim::All).plan;
        }
        prop_assert_eq!(&plan.shares, &target.shares);
    }

    #[test]
    fn what_is_forbidden_does_not_move_and_says_by_which_gate(seed in any::<u64>()) {
        let Some((instance, site_of, before, target)) = case(seed) else {
            return Err(TestCaseError::reject("a plan does not fit"));
        };
        let problem = &Problem::new(&instance);
        let rules = StepRules { share_max: 1.0, ramp_share: 100.0, ..StepRules::default() };
        let taken = step(problem, (&before, &target), &rules, |asked| (asked.to == 0).then_some(Gate::Flapping), Aim::All);
        let on_first = |plan: &Plan| -> f64 {
            let units = instance.units.iter().zip(&plan.shares);
            units.map(|(unit, shares)| {
                let here = shares.iter().filter(|share| site_of[share.0.index()] == 0);
                unit.mbps * here.map(|share| share.1).sum::<f64>()
            }).sum()
        };
        prop_assert!(on_first(&taken.plan) <= on_first(&before) + 1e-6);
    }
}

/// Unserved, overload and late traffic of a plan, Mbps.
fn soft_levels(instance: &Instance, plan: &Plan) -> [f64; 3] {
    let levels = checker::evaluate(instance, plan).unwrap().levels;
    [levels.unserved_mbps, levels.overload_mbps, levels.late_mbps]
}

/// Tells whether `is` is worse than `was` on the first level where they differ; `target` may cost a
/// little rounding.
fn is_worse(was: [f64; 3], target: [f64; 3], is: [f64; 3]) -> bool {
    for ((was, target), is) in was.into_iter().zip(target).zip(is) {
        if is > was.max(target) + 1e-3 {
            return true;
        }
        if is < was - 1e-3 {
            return false;
        }
    }
    false
}

/// Loads of sites, Mbps.
fn sites_mbps(instance: &Instance, site_of: &[usize], plan: &Plan) -> Vec<f64> {
    let mut loads = vec![0.0; instance.sites.len()];
    for (unit, shares) in instance.units.iter().zip(&plan.shares) {
        for &(link, share) in shares {
            loads[site_of[link.index()]] += unit.mbps * share;
        }
    }
    loads
}

/// With the rules of a deployment, whatever the size of units: each step is within its budget and
/// the ramps, no step is worse than what was in force on any of the first three levels, and the
/// target is reached.
#[test]
fn every_step_of_the_whole_way_is_bounded_and_no_worse_and_the_way_ends() {
    let rules = StepRules::default();
    let mut cases = 0;
    for (seed, (instance, site_of, before, target)) in
        (0..3000).filter_map(|seed| case(seed).map(|found| (seed, found)))
    {
        let end = soft_levels(&instance, &target);
        if is_worse(soft_levels(&instance, &before), [0.0; 3], end) {
            continue;
        }
        cases += 1;
        let problem = &Problem::new(&instance);
        let demand: f64 = instance.units.iter().map(|unit| unit.mbps).sum();
        let mut plan = before;
        for round in 0.. {
            if plan.shares == target.shares {
                break;
            }
            assert!(round < 400, "seed {seed} never ends");
            let taken = step(problem, (&plan, &target), &rules, |_| None, Aim::All);
            let next = taken.plan;
            assert_ne!(
                next.shares, plan.shares,
                "seed {seed}: {:?}",
                taken.withheld_mbps
            );
            let moved = moved_mbps(&instance, &plan, &next);
            assert!(moved <= 0.1 * demand + 1e-6, "seed {seed}: {moved}");
            let (was, is) = (soft_levels(&instance, &plan), soft_levels(&instance, &next));
            assert!(!is_worse(was, end, is), "seed {seed}: {was:?} {is:?}");
            let loads = sites_mbps(&instance, &site_of, &plan);
            let then = sites_mbps(&instance, &site_of, &next);
            for (site, (was, is)) in instance.sites.iter().zip(loads.iter().zip(then)) {
                let gain = (was * 0.25).max(site.capacity_mbps * 0.1);
                assert!(
                    is <= was + gain + 1e-6,
                    "seed {seed}, {}: {was} {is}",
                    site.id
                );
            }
            plan = next;
        }
    }
    assert!(cases > 300, "{cases}");
}

/// Plan that answers amount to: whole 64ths already, and an answer for all units.
fn answered(instance: &Instance, plan: &Plan) -> Plan {
    let mut answered = plan.clone();
    for (shares, unit) in answered.shares.iter_mut().zip(&*instance.units) {
        if shares.is_empty() {
            shares.push((unit.cand[0].0, 1.0));
        }
    }
    answered
}

/// Steps after the loss of a link, with too little of everything or enough: the last check of
/// answers accepts each of them, as it would hold the map back for ever otherwise. And it accepts
/// no more than the steps are made of.
#[test]
fn each_step_of_a_rescue_passes_the_check_of_answers_and_a_pile_does_not() {
    let rules = StepRules::default();
    let (mut steps, mut beyond, mut piles) = (0, 0, 0);
    for seed in 0..400_u32 {
        let mut instance = random_instance(Shape::Medium, u64::from(seed));
        for unit in &mut *instance.units {
            unit.incumbent.clear();
            unit.mbps /= f64::from(1 + seed % 3);
        }
        let before = baseline::rank_and_fill(&instance, 1).unwrap().plan;
        let mut plan = answered(&instance, &round_to_weights(&instance, &before, 64));
        let lost = seed as usize % instance.links.len();
        instance.links[lost].capacity_mbps = 0.0;
        instance.links[lost].watermark_mbps = None;
        let exact = solve(&instance, &SolveOptions::default(), None).plan;
        let target = round_to_weights(&instance, &exact, 64);
        let problem = &Problem::new(&instance);
        for _ in 0..12 {
            let taken = step(problem, (&plan, &target), &rules, |_| None, Aim::All).plan;
            let next = answered(&instance, &taken);
            let of = checker::Answers {
                plan: &next,
                named: &|unit| next.shares[unit].len(),
                wanted: &taken,
                checked: &exact,
                in_force: Some(&plan),
            };
            let found = checker::answers(&instance, &of);
            assert_eq!(found, Ok(()), "seed {seed}");
            steps += 1;
            beyond += usize::from(checker::evaluate(&instance, &next).is_err());
            // All that may go there on one link.
            let mut pile = next.clone();
            let link = (lost + 1) % instance.links.len();
            for (shares, unit) in pile.shares.iter_mut().zip(&*instance.units) {
                if unit.cand.iter().any(|cand| cand.0.index() == link) {
                    *shares = Shares::whole(LinkId::from_index(link));
                }
            }
            if checker::evaluate(&instance, &pile).is_err() {
                let plan = &pile;
                piles += usize::from(
                    checker::answers(&instance, &checker::Answers { plan, ..of }).is_err(),
                );
            }
            plan = next;
        }
    }
    assert!(beyond > 100 && piles > 1000, "{steps} {beyond} {piles}");
}
