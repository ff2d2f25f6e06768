//! Whole solves through the public interface: optimality, certificates, shortages, determinism.

#![allow(clippy::unwrap_used, reason = "a panic is how a test reports")]

#[path = "plan_support/mod.rs"]
mod support;

use checker::CheckFailure;
use coverage::LinkId;
use engine::baseline;
use instance::{Instance, Shares};
use optimizer::{
    FeasibilityOptions, Limit, Movement, Outcome, SolveOptions, Solved, cut, explain_unit,
    feasibility, report, solve, write_assign,
};
use proptest::prelude::*;

use support::{Shape, crossing_instance, random_instance, reference_levels, with_requests};

fn solved(instance: &Instance) -> Solved {
    let solved = solve(instance, &SolveOptions::default(), None);
    assert_eq!(solved.outcome, Outcome::Finished);
    solved
}

/// Solves, verifies and compares with the textbook algorithm.
fn check_against_reference(instance: &Instance) {
    instance.validate().unwrap();
    let solved = solved(instance);
    let verified = checker::verify(instance, &solved.plan, &solved.certificate).unwrap();
    assert_eq!(verified.levels_proved, 3, "{:?}", solved.certificate);
    let expected = reference_levels(instance);
    let levels = &solved.certificate.levels;
    let found = [
        levels.unserved_mbps,
        levels.overload_mbps,
        levels.late_mbps,
        levels.cost_cny(),
    ];
    for (level, (found, expected)) in found.iter().zip(expected).enumerate() {
        let tolerance = 1e-6 * expected.abs().max(1.0);
        assert!(
            (found - expected).abs() < tolerance,
            "level {}: {found} {expected}",
            level + 1
        );
    }
    let gap = verified.gap.unwrap();
    assert!(gap < 1e-6, "gap {gap}");
    let least = solved.certificate.moved_min_possible_mbps.unwrap();
    assert!(
        least <= levels.moved_mbps + 1e-6,
        "{least} {}",
        levels.moved_mbps
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_plan_is_as_good_as_successive_shortest_paths(seed in any::<u64>()) {
        check_against_reference(&random_instance(Shape::Small, seed));
    }

    #[test]
    fn unserved_is_exactly_the_max_flow_deficit(seed in any::<u64>()) {
        let instance = random_instance(Shape::Short, seed);
        let solved = solved(&instance);
        let deficit = feasibility(&instance, &FeasibilityOptions::default());
        let unserved = solved.certificate.levels.unserved_mbps;
        prop_assert!((deficit.unserved_mbps - unserved).abs() < 1e-6);
        prop_assert_eq!(deficit.bottleneck.is_some(), deficit.unserved_mbps > 0.0);
        if let Some(cut) = deficit.bottleneck {
            let missing: f64 = cut.missing_by_region.iter().map(|m| m.1).sum();
            prop_assert!((missing - deficit.unserved_mbps).abs() < 1e-6);
            prop_assert!((cut.demand_mbps - cut.capacity_mbps - missing).abs() < 1e-6);
        }
    }

    #[test]
    fn contracts_across_sites_are_priced_until_plan_and_bound_meet(seed in any::<u64>()) {
        for shape in [Shape::Small, Shape::Medium] {
            let instance = crossing_instance(shape, seed);
            let solved = solved(&instance);
            let verified = checker::verify(&instance, &solved.plan, &solved.certificate).unwrap();
            prop_assert_eq!(verified.levels_proved, 3);
            let gap = verified.gap.unwrap();
            prop_assert!(gap < 2e-6, "gap {}", gap);
        }
    }

    #[test]
    fn requests_are_priced_until_plan_and_bound_meet(seed in any::<u64>()) {
        for shape in [Shape::Small, Shape::Medium] {
            for instance in [random_instance(shape, seed), crossing_instance(shape, seed)] {
                let instance = with_requests(instance, seed);
                instance.validate().unwrap();
                let solved = solved(&instance);
                let verified = checker::verify(&instance, &solved.plan, &solved.certificate).unwrap();
                prop_assert_eq!(verified.levels_proved, 3);
                let gap = verified.gap.unwrap();
                prop_assert!(gap < 1e-4, "gap {}", gap);
            }
        }
    }

    #[test]
    fn plans_are_the_same_bytes_for_any_number_of_threads(seed in any::<u64>()) {
        let instance = random_instance(Shape::Medium, seed);
        let bytes = |threads| {
            let options = SolveOptions { threads, ..SolveOptions::default() };
            let solved = solve(&instance, &options, None);
            serde_json::to_vec(&(solved.plan, solved.certificate)).unwrap()
        };
        let one = bytes(1);
        prop_assert_eq!(&one, &bytes(2));
        prop_assert_eq!(&one, &bytes(8));
    }

    #[test]
    fn a_warm_start_changes_nothing_but_the_work(seed in any::<u64>()) {
        let instance = random_instance(Shape::Medium, seed);
        let cold = solved(&instance);
        let warm = solve(&instance, &SolveOptions::default(), Some(&cold.plan));
        checker::verify(&instance, &warm.plan, &warm.certificate).unwrap();
        let (a, b) = (cold.certificate.objective, warm.certificate.objective);
        prop_assert!((a - b).abs() <= 1e-7 * a.max(1.0));
    }
}

#[test]
fn a_start_from_a_sample_ends_at_the_optimum() {
    let instance = random_instance(Shape::Large, 1);
    let cold = solved(&instance);
    let verified = checker::verify(&instance, &cold.plan, &cold.certificate).unwrap();
    assert_eq!(verified.levels_proved, 3);
    assert!(verified.gap.unwrap() < 1e-6, "{verified:?}");
    let seeded = SolveOptions {
        seed: 99,
        ..SolveOptions::default()
    };
    let other = solve(&instance, &seeded, None).certificate;
    assert!((other.objective - cold.certificate.objective).abs() < 1e-6 * other.objective);
}

#[test]
fn rows_outside_the_tree_start_from_a_sample_whatever_the_sizes_of_units() {
    let mut alike = crossing_instance(Shape::Large, 3);
    for unit in &mut alike.units {
        unit.mbps = 2.5;
    }
    // What prices are measured by is nothing here: money is all that plans cost.
    let mut near = crossing_instance(Shape::Large, 5);
    for candidate in near.units.iter_mut().flat_map(|unit| &mut unit.cand) {
        candidate.1 = 0.0;
    }
    let instances = [
        near,
        crossing_instance(Shape::Large, 1),
        with_requests(crossing_instance(Shape::Large, 2), 2),
        with_requests(random_instance(Shape::Large, 4), 4),
        alike,
    ];
    for instance in instances {
        instance.validate().unwrap();
        let solved = solved(&instance);
        let verified = checker::verify(&instance, &solved.plan, &solved.certificate).unwrap();
        assert!(verified.gap.unwrap() < 1e-4, "{verified:?}");
        let options = SolveOptions {
            threads: 8,
            ..SolveOptions::default()
        };
        assert_eq!(solve(&instance, &options, None).plan, solved.plan);
    }
}

#[test]
fn very_many_very_small_units_fill_a_limit_and_no_more() {
    // Beside something very large, whose quanta they are counted in.
    let mut r = support::Numbers::new(5);
    let mut instance = random_instance(Shape::Large, 5);
    for unit in &mut instance.units {
        unit.mbps = 1e-4 * (1.0 + r.quarter(1));
        unit.incumbent.clear();
    }
    let demand: f64 = instance.units.iter().map(|unit| unit.mbps).sum();
    let room: f64 = instance.links.iter().map(|link| link.capacity_mbps).sum();
    for link in &mut instance.links {
        link.capacity_mbps *= 1.1 * demand / room;
        link.watermark_mbps = None;
    }
    instance.regions.clear();
    instance.units[0].mbps = 1e9;
    let solved = solved(&instance);
    let verified = checker::verify(&instance, &solved.plan, &solved.certificate).unwrap();
    assert_eq!(verified.levels_proved, 3);
}

#[test]
fn a_cost_that_is_only_rounding_has_no_gap() {
    for seed in [4_738_078_068_656_613_520, 15_650_535_160_431_545_533] {
        let mut instance = crossing_instance(Shape::Small, seed);
        instance.move_cost_ms = 0.0;
        instance.regions.clear();
        let solved = solved(&instance);
        assert!((0.0..1e-12).contains(&solved.certificate.objective));
        let verified = checker::verify(&instance, &solved.plan, &solved.certificate).unwrap();
        assert_eq!((solved.certificate.gap_level, verified.gap), (4, Some(0.0)));
    }
}

#[test]
fn a_hot_region_is_named_by_the_cut() {
    let instance = Instance::read(support::HOT_EAST.as_bytes()).unwrap();
    let solved = solved(&instance);
    assert!((solved.certificate.levels.unserved_mbps - 150.0).abs() < 1e-6);
    let cut = cut(&instance).unwrap();
    assert_eq!((cut.links, cut.sites), (vec![0], vec![1]));
    assert_eq!(cut.missing_by_region.len(), 1);
    assert_eq!(cut.missing_by_region[0].0, "east");
    assert!((cut.missing_by_region[0].1 - 150.0).abs() < 1e-6);
    let report = report(&instance, &solved);
    assert_eq!(report.cut, optimizer::cut(&instance));
}

#[test]
fn removing_a_site_or_asking_for_watermarks_costs_room() {
    let instance = Instance::read(support::HOT_EAST.as_bytes()).unwrap();
    let unserved = |options| feasibility(&instance, &options).unserved_mbps;
    let base = FeasibilityOptions {
        demand_factor: 0.5,
        ..FeasibilityOptions::default()
    };
    assert!(unserved(base).abs() < 1e-9);
    assert!(
        unserved(FeasibilityOptions {
            removed_sites: &[1],
            ..base
        }) > 1.0
    );
    assert!(
        unserved(FeasibilityOptions {
            removed_links: &[2],
            ..base
        }) > 1.0
    );
    let soft = FeasibilityOptions {
        limit: Limit::Watermark,
        ..FeasibilityOptions::default()
    };
    assert!(unserved(soft) > unserved(FeasibilityOptions::default()));
}

#[test]
fn a_stopped_solve_is_feasible_and_says_so() {
    let instance = random_instance(Shape::Medium, 7);
    let at_once = || true;
    let options = SolveOptions {
        deadline: Some(&at_once),
        ..SolveOptions::default()
    };
    let stopped = solve(&instance, &options, None);
    assert_eq!(stopped.outcome, Outcome::Stopped);
    checker::verify(&instance, &stopped.plan, &stopped.certificate).unwrap();
    let best = solved(&instance);
    let quality = |s: &Solved| (s.certificate.levels.unserved_mbps, s.certificate.objective);
    assert!(quality(&stopped) >= quality(&best));
}

#[test]
fn used_candidates_have_no_reduced_cost() {
    let instance = random_instance(Shape::Medium, 11);
    let solved = solved(&instance);
    for unit in 0..instance.units.len() {
        let views = explain_unit(&instance, &solved.plan, &solved.certificate, unit);
        assert_eq!(views.len(), instance.units[unit].cand.len());
        for view in views.iter().filter(|v| v.chosen_share > 0.0) {
            let reduced = view.reduced_cost;
            assert_eq!(
                (reduced.unserved, reduced.overload, reduced.late),
                (0, 0, 0)
            );
            assert!(reduced.cny_per_mbps.abs() < 1e-9, "{view:?}");
        }
    }
    assert!(explain_unit(&instance, &solved.plan, &solved.certificate, 1 << 30).is_empty());
}

#[test]
fn assignment_rows_name_every_share() {
    let instance = random_instance(Shape::Small, 3);
    let solved = solved(&instance);
    let mut bytes = Vec::new();
    write_assign(&solved.plan, &mut bytes).unwrap();
    let text = String::from_utf8(bytes).unwrap();
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("unit,link,share"));
    let mut sums = vec![0.0; instance.units.len()];
    for line in lines {
        let mut fields = line.split(',');
        let unit: usize = fields.next().unwrap().parse().unwrap();
        let link = LinkId(fields.next().unwrap().parse().unwrap());
        assert!(instance.units[unit].cand.iter().any(|c| c.0 == link));
        sums[unit] += fields.next().unwrap().parse::<f64>().unwrap();
    }
    assert!(sums.iter().all(|s| *s <= 1.0 + 1e-9));
}

#[test]
fn no_baseline_beats_the_bound() {
    for seed in 0..20 {
        let instance = random_instance(Shape::Medium, seed);
        let solved = solved(&instance);
        let bound = solved.certificate.bound;
        let bound = (bound.unserved_mbps, bound.overload_mbps, bound.late_mbps);
        let found = [
            baseline::rank_and_fill(&instance, seed),
            baseline::stable(&instance),
            baseline::cost_and_spill(&instance, seed),
            baseline::pop(&instance, 3, seed),
        ]
        .map(Result::unwrap);
        for baseline in found {
            checker::evaluate(&instance, &baseline.plan).unwrap();
            let levels = baseline.levels;
            let levels = (levels.unserved_mbps, levels.overload_mbps, levels.late_mbps);
            assert!(levels.0 >= bound.0 - 1e-6, "{levels:?} {bound:?}");
        }
        let nearest = baseline::nearest(&instance).unwrap();
        assert!(
            nearest.levels.latency_cny <= solved.certificate.levels.latency_cny + 1e-9
                || solved.certificate.levels.unserved_mbps > 0.0
        );
    }
}

#[test]
fn one_part_of_a_problem_is_the_problem_and_weights_use_every_candidate() {
    for seed in 0..20 {
        let instance = random_instance(Shape::Medium, seed);
        let whole = baseline::pop(&instance, 1, seed).unwrap();
        assert_eq!(whole.plan, solved(&instance).plan);
        let spread = baseline::spread(&instance).unwrap();
        assert!(spread.levels.unserved_mbps <= whole.levels.unserved_mbps + 1e-6);
        for (unit, shares) in instance.units.iter().zip(&spread.plan.shares) {
            let sum: f64 = shares.iter().map(|share| share.1).sum();
            assert!(shares.is_empty() || (sum - 1.0).abs() < 1e-9, "{sum}");
            assert!(shares.len() <= unit.cand.len());
        }
        if spread.over_capacity_mbps < 1e-9 {
            checker::evaluate(&instance, &spread.plan).unwrap();
        }
    }
}

#[test]
fn stable_allocation_keeps_what_is_better_when_a_region_is_full() {
    // Two sites of one region that together may carry 100: the nearer client stays, the farther one
    // goes elsewhere.
    let text = r#"{"version": 1, "slot_seconds": 300, "value_cny_per_gbps_ms_slot": 0.02,
      "links": [{"id": "a", "site": "a", "capacity_mbps": 100, "meter": "m"},
                {"id": "b", "site": "b", "capacity_mbps": 100, "meter": "m"},
                {"id": "c", "site": "c", "capacity_mbps": 500, "meter": "m"}],
      "sites": [{"id": "a", "region": "east", "capacity_mbps": 100}, {"id": "b", "region": "east", "capacity_mbps": 100},
                {"id": "c", "region": "west", "capacity_mbps": 500}],
      "regions": [{"id": "east", "capacity_mbps": 100}],
      "meters": [{"id": "m", "model": "flat"}],
      "units": [{"area": "far", "service": "s", "mbps": 80, "cand": [[0, 9], [2, 50]]},
                {"area": "near", "service": "s", "mbps": 60, "cand": [[1, 5], [2, 40]]}]}"#;
    let instance = Instance::read(text.as_bytes()).unwrap();
    let stable = baseline::stable(&instance).unwrap();
    checker::evaluate(&instance, &stable.plan).unwrap();
    assert_eq!(
        stable.plan.shares,
        [Shares::from([(0, 0.5), (2, 0.5)]), Shares::from([(1, 1.0)])]
    );
    let ranked = baseline::rank_and_fill(&instance, 1).unwrap();
    checker::evaluate(&instance, &ranked.plan).unwrap();
}

#[test]
fn movement_can_be_left_out() {
    let instance = random_instance(Shape::Medium, 5);
    let options = SolveOptions {
        movement: Movement::Unbounded,
        ..SolveOptions::default()
    };
    let without = solve(&instance, &options, None);
    assert_eq!(without.certificate.moved_min_possible_mbps, None);
    assert_eq!(without.plan, solved(&instance).plan);
}

#[test]
fn the_checker_refuses_what_was_tampered_with() {
    let instance = random_instance(Shape::Medium, 2);
    let Solved {
        plan, certificate, ..
    } = solved(&instance);
    let refused = |plan: &instance::Plan, certificate: &instance::Certificate| {
        checker::verify(&instance, plan, certificate).unwrap_err()
    };
    let unit = plan.shares.iter().position(|s| !s.is_empty()).unwrap();

    let mut bad = plan.clone();
    bad.shares[unit].clear();
    assert!(matches!(
        refused(&bad, &certificate),
        CheckFailure::Claim { .. }
    ));
    bad = plan.clone();
    bad.shares[unit][0].1 = 1.5;
    assert!(matches!(
        refused(&bad, &certificate),
        CheckFailure::Share { .. }
    ));
    bad = plan.clone();
    bad.shares[unit][0].1 = f64::NAN;
    assert!(matches!(
        refused(&bad, &certificate),
        CheckFailure::Share { .. }
    ));
    bad = plan.clone();
    bad.shares[unit][0].0 = LinkId(u32::MAX);
    assert!(matches!(
        refused(&bad, &certificate),
        CheckFailure::Share { .. }
    ));
    bad = plan.clone();
    bad.shares.pop();
    assert!(matches!(
        refused(&bad, &certificate),
        CheckFailure::Length { .. }
    ));
    bad = plan.clone();
    bad.input_digest = "0".repeat(64);
    assert!(matches!(
        refused(&bad, &certificate),
        CheckFailure::Digest { .. }
    ));
    let nearest = baseline::nearest(&instance).unwrap().plan;
    assert!(matches!(
        refused(&nearest, &certificate),
        CheckFailure::Capacity { .. }
    ));
}

#[test]
fn the_checker_refuses_false_claims() {
    let instance = random_instance(Shape::Medium, 2);
    let Solved {
        plan, certificate, ..
    } = solved(&instance);
    let spoil: [fn(&mut instance::Certificate); 9] = [
        |c| c.objective *= 0.99,
        |c| c.lower_bound *= 1.001,
        |c| c.bound.unserved_mbps += 1.0,
        |c| c.levels.moved_mbps += 1.0,
        |c| c.levels.overload_mbps = f64::NAN,
        |c| c.duals.links[0].cny_per_mbps += 1.0,
        |c| c.duals.sites[0].unserved += 1,
        |c| c.split_units += 1,
        |c| c.moved_min_possible_mbps = Some(1e12),
    ];
    for (index, spoil) in spoil.into_iter().enumerate() {
        let mut bad = certificate.clone();
        spoil(&mut bad);
        assert!(
            checker::verify(&instance, &plan, &bad).is_err(),
            "case {index}"
        );
    }
    let mut bad = certificate.clone();
    bad.duals.contracts[0].cny_per_mbps = f64::INFINITY;
    assert!(matches!(
        checker::verify(&instance, &plan, &bad),
        Err(CheckFailure::Price { .. })
    ));
    bad.duals.contracts.pop();
    assert!(matches!(
        checker::verify(&instance, &plan, &bad),
        Err(CheckFailure::Length { .. })
    ));
}

/// The best mixture sends a ten-thousand-millionth of its only unit to a site that takes no
/// requests.
#[test]
fn a_share_that_rounds_to_none_goes_to_the_rest_of_its_unit() {
    let seed = 13_913_502_337_304_633_944;
    let instance = with_requests(random_instance(Shape::Small, seed), seed);
    let certificate = solved(&instance).certificate;
    assert!(certificate.gap < 1e-6, "gap {}", certificate.gap);
    assert!(
        certificate.levels.excess_rps <= 0.0,
        "{}",
        certificate.levels.excess_rps
    );
}
