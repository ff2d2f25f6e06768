//! Plans after weight rounding: whole, near, and within limits where that is possible.

#![allow(clippy::unwrap_used, reason = "a panic is how a test reports")]

#[path = "../../tests/plan_support/mod.rs"]
mod support;

use instance::{Instance, Shares};
use optimizer::{SolveOptions, round_to_weights, solve};
use proptest::prelude::*;
use support::{Shape, random_instance};

const STEPS: u8 = 64;

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn shares_become_multiples_that_sum_to_one_and_stay_near(seed in any::<u64>()) {
        let instance = random_instance(Shape::Medium, seed);
        let solved = solve(&instance, &SolveOptions::default(), None);
        let rounded = round_to_weights(&instance, &solved.plan, STEPS);
        for (exact, rounded) in solved.plan.shares.iter().zip(&rounded.shares) {
            let total: f64 = exact.iter().map(|share| share.1).sum();
            if exact.is_empty() {
                prop_assert!(rounded.is_empty());
                continue;
            }
            let sum: f64 = rounded.iter().map(|share| share.1).sum();
            prop_assert!((sum - 1.0).abs() < 1e-12, "{:?}", rounded);
            for &(link, share) in rounded {
                let steps = share * f64::from(STEPS);
                prop_assert!((steps - steps.round()).abs() < 1e-9);
                let old = exact.iter().find(|old| old.0 == link);
                prop_assert!(old.is_some(), "a link that the plan does not use");
                // Never below the whole part of the exact share.
                let floor = (old.unwrap().1 / total * f64::from(STEPS) + 1e-9).floor();
                prop_assert!(steps >= floor - 1e-9);
            }
        }
    }

    #[test]
    fn whole_units_stay_as_they_are(seed in any::<u64>()) {
        let instance = random_instance(Shape::Medium, seed);
        let solved = solve(&instance, &SolveOptions::default(), None);
        let rounded = round_to_weights(&instance, &solved.plan, STEPS);
        for (exact, rounded) in solved.plan.shares.iter().zip(&rounded.shares) {
            if let [(link, share)] = exact[..] && share > 0.999_999 {
                prop_assert_eq!(rounded, &Shares::whole(link));
            }
        }
    }
}

/// The unit fills the second link: 21.89 of 64 steps. The larger remainder is its own, but 22 steps
/// are too many for it.
#[test]
fn a_step_goes_where_it_fits() {
    let text = r#"{ "version": 1, "value_cny_per_gbps_ms_slot": 0.02,
        "links": [{"id": "a/x", "site": "a", "capacity_mbps": 102, "meter": "m"},
                  {"id": "b/x", "site": "b", "capacity_mbps": 51.3, "meter": "m"}],
        "sites": [{"id": "a", "region": "r", "capacity_mbps": 102}, {"id": "b", "region": "r", "capacity_mbps": 51.3}],
        "meters": [{"id": "m", "model": "flat"}],
        "units": [{"area": "x", "service": "s", "mbps": 150, "cand": [[0, 9], [1, 5]]}] }"#;
    let instance = Instance::read(text.as_bytes()).unwrap();
    let solved = solve(&instance, &SolveOptions::default(), None);
    let rounded = round_to_weights(&instance, &solved.plan, STEPS);
    assert_eq!(
        rounded.shares[0],
        Shares::from([(0, 43.0 / 64.0), (1, 21.0 / 64.0)])
    );
    let found = checker::evaluate(&instance, &rounded).unwrap();
    assert!(found.levels.unserved_mbps.abs() < 1e-9);
}
