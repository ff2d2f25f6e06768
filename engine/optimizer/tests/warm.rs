//! Going on from a solved instance: the exact way and the local way.

#![allow(clippy::unwrap_used, reason = "a panic is how a test reports")]

#[path = "../../tests/plan_support/mod.rs"]
mod support;

use coverage::LinkId;
use instance::Instance;
use optimizer::{CLOSED_LINKS_MAX, SolveOptions, WarmStart, relieve, solve};
use proptest::prelude::*;

use support::{Numbers, Shape, crossing_instance, random_instance};

/// Takes the capacity of a random site and of a random link.
fn strike(instance: &mut Instance, seed: u64) {
    let mut r = Numbers::new(seed);
    let site = r.below(instance.sites.len());
    instance.sites[site].capacity_mbps = 0.0;
    instance.sites[site].watermark_mbps = None;
    let link = r.below(instance.links.len());
    instance.links[link].capacity_mbps = 0.0;
    instance.links[link].watermark_mbps = None;
}

/// A standing solve of `next` is as good as a cold one and passes the checker.
fn check_resolve(standing: &mut WarmStart, next: &Instance) {
    let options = SolveOptions::default();
    let warm = standing.resolve(next, &options).unwrap();
    let verified = checker::verify(next, &warm.plan, &warm.certificate).unwrap();
    let cold = solve(next, &options, None).certificate;
    assert_eq!(verified.levels_proved, 3, "{:?}", warm.certificate);
    assert!(verified.gap.unwrap() < 2e-6, "{:?}", verified.gap);
    let (a, b) = (&warm.certificate.levels, &cold.levels);
    for (a, b) in [
        (a.unserved_mbps, b.unserved_mbps),
        (a.overload_mbps, b.overload_mbps),
        (a.late_mbps, b.late_mbps),
        (a.cost_cny(), b.cost_cny()),
    ] {
        assert!((a - b).abs() <= 4e-6 * a.max(1.0), "{a} {b}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_standing_solve_is_as_good_as_a_cold_one(seed in any::<u64>()) {
        for instance in [random_instance(Shape::Medium, seed), crossing_instance(Shape::Medium, seed)] {
            let (_, mut standing) = WarmStart::solve(&instance, &SolveOptions::default(), None);
            let mut next = instance.clone();
            strike(&mut next, seed);
            check_resolve(&mut standing, &next);
            strike(&mut next, seed.wrapping_add(1));
            check_resolve(&mut standing, &next);
            // All comes back.
            check_resolve(&mut standing, &instance);
        }
    }

    #[test]
    fn relief_moves_only_what_must_move_and_exceeds_nothing(seed in any::<u64>()) {
        let instance = random_instance(Shape::Medium, seed);
        let solved = solve(&instance, &SolveOptions::default(), None);
        let mut next = instance.clone();
        strike(&mut next, seed);
        let relief = relieve(&next, &solved.plan, &solved.certificate.duals, &[]);
        let sum = relief.moved_mbps + relief.unserved_mbps;
        prop_assert!((sum - relief.lost_mbps).abs() < 1e-6, "{:?}", relief);
        let mut plan = solved.plan.clone();
        relief.apply(&mut plan);
        let found = checker::evaluate(&next, &plan).unwrap();
        let before = solved.certificate.levels.unserved_mbps;
        prop_assert!((found.levels.unserved_mbps - before - relief.unserved_mbps).abs() < 1e-6);
        let open = |link: LinkId| {
            let link = &next.links[link.index()];
            let site = next.sites.iter().find(|site| site.id == link.site).unwrap();
            link.capacity_mbps > 0.0 && site.capacity_mbps > 0.0
        };
        for (old, new) in solved.plan.shares.iter().zip(&plan.shares) {
            prop_assert!(new.iter().all(|share| open(share.0)));
            prop_assert!(old == new || old.iter().any(|share| !open(share.0)));
        }
    }
}

#[test]
fn other_shapes_and_too_much_at_once_are_for_a_cold_solve() {
    let options = SolveOptions::default();
    let instance = random_instance(Shape::Medium, 4);
    let (solved, mut standing) = WarmStart::solve(&instance, &options, None);
    assert_eq!(
        standing.resolve(&instance, &options).unwrap().plan,
        solved.plan
    );
    let mut other = instance.clone();
    other.units.pop();
    assert!(standing.resolve(&other, &options).is_none());
    let mut wide = random_instance(Shape::Large, 4);
    assert!(wide.links.len() > CLOSED_LINKS_MAX);
    let (_, mut standing) = WarmStart::solve(&wide, &options, None);
    for link in &mut wide.links {
        link.capacity_mbps = 0.0;
        link.watermark_mbps = None;
    }
    assert!(standing.resolve(&wide, &options).is_none());
}

#[test]
fn equal_histories_give_equal_bytes() {
    let instance = random_instance(Shape::Large, 9);
    let mut next = instance.clone();
    strike(&mut next, 9);
    let bytes = |threads| {
        let options = SolveOptions {
            threads,
            ..SolveOptions::default()
        };
        let (_, mut standing) = WarmStart::solve(&instance, &options, None);
        let solved = standing.resolve(&next, &options).unwrap();
        serde_json::to_vec(&(solved.plan, solved.certificate)).unwrap()
    };
    let one = bytes(1);
    assert_eq!(one, bytes(2));
    assert_eq!(one, bytes(8));
}
