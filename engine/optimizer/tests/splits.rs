//! Number of units that a plan splits: no more than rows are tight, and none for dust of rounding.

#![allow(clippy::unwrap_used, reason = "a panic is how a test reports")]

#[path = "../../tests/plan_support/mod.rs"]
mod support;

use instance::{Instance, Plan};
use optimizer::{SolveOptions, solve};
use proptest::prelude::*;

use support::{Numbers, Shape, crossing_instance, random_instance, with_requests};

/// A share smaller than this would be no share.
const DUST: f64 = 1e-12;

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_more_units_are_split_than_rows_are_tight(seed in any::<u64>()) {
        let crossing = crossing_instance(Shape::Medium, seed);
        for mut instance in [random_instance(Shape::Medium, seed), with_requests(crossing.clone(), seed), crossing] {
            // An incumbent share is a limit of its own.
            instance.units.iter_mut().for_each(|unit| unit.incumbent.clear());
            let solved = solve(&instance, &SolveOptions::default(), None);
            let tight = tight_rows(&instance, &solved.plan);
            prop_assert!(solved.certificate.split_units <= tight, "{} {tight}", solved.certificate.split_units);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    /// Plans are mixed where prices cannot tell places apart, and thousands of steps bring the
    /// mixture to a corner: their rounding must neither cost anything nor leave dust.
    #[test]
    fn many_steps_leave_neither_excess_nor_dust(seed in any::<u64>()) {
        let instance = scarce_requests(seed);
        let solved = solve(&instance, &SolveOptions::default(), None);
        let certificate = &solved.certificate;
        let verified = checker::verify(&instance, &solved.plan, certificate).unwrap();
        prop_assert_eq!(verified.levels_proved, 3);
        prop_assert!(verified.gap.unwrap() < 1e-5, "{:?} {}", verified.gap, certificate.objective);
        prop_assert!(certificate.lower_bound >= 0.0, "{}", certificate.lower_bound);
        let tight = tight_rows(&instance, &solved.plan);
        prop_assert!(certificate.split_units <= tight, "{} {tight}", certificate.split_units);
        prop_assert!(solved.plan.shares.iter().flatten().all(|share| share.1 >= DUST));
    }
}

/// Hundreds of units with many places that are alike, limits on requests that nothing or little
/// fits, and few contracts.
fn scarce_requests(seed: u64) -> Instance {
    let mut r = Numbers::new(seed);
    let mut instance = crossing_instance(Shape::Crowded, seed);
    instance.value_cny_per_gbps_ms_slot = [0.02, 0.0][r.below(2)];
    instance.move_cost_ms = 0.0;
    let price = [0.0, 3e-5, 50.0][r.below(3)];
    for contract in &mut instance.contracts {
        contract.price_cny_per_mbps = Some(price);
    }
    let mut total = 0.0;
    let per_mbps = [[0.0, 1.0, 60.0], [1.0, 1.0, 1.0], [0.0, 0.0, 1_000.0]][r.below(3)];
    for unit in &mut instance.units {
        unit.incumbent.clear();
        unit.rps = unit.mbps * per_mbps[r.below(3)];
        total += unit.rps;
    }
    let room_mbps: f64 = instance.sites.iter().map(|site| site.capacity_mbps).sum();
    for site in &mut instance.sites {
        let part = total * site.capacity_mbps / room_mbps;
        site.capacity_rps = [None, Some(0.0), Some(1.2 * part), Some(3.0 * part)][r.below(4)];
    }
    instance
}

/// Rows whose load is just at a watermark, a capacity, a free level or a limit on requests.
fn tight_rows(instance: &Instance, plan: &Plan) -> usize {
    let mut loads = vec![0.0; instance.links.len()];
    for (unit, shares) in instance.units.iter().zip(&plan.shares) {
        for &(link, share) in shares {
            loads[link.index()] += unit.mbps * share;
        }
    }
    let sum = |pick: &dyn Fn(&instance::Link) -> bool| -> f64 {
        let links = instance.links.iter().zip(&loads);
        links
            .filter(|(link, _)| pick(link))
            .map(|(_, load)| load)
            .sum()
    };
    let at = |load: f64, breakpoints: &[f64]| {
        let tight = |breakpoint: &f64| (load - breakpoint).abs() < 1e-5_f64.max(1e-8 * breakpoint);
        breakpoints.iter().any(tight)
    };
    let links = instance.links.iter().zip(&loads);
    let links = links.filter(|(l, load)| at(**load, &[l.watermark_mbps(), l.capacity_mbps]));
    let sites = instance.sites.iter().filter(|site| {
        let load = sum(&|link| link.site == site.id);
        at(load, &[site.watermark_mbps(), site.capacity_mbps])
    });
    let contracts = instance.contracts.iter().filter(|contract| {
        at(
            sum(&|link| link.contract == contract.id),
            &[contract.free_below_mbps],
        )
    });
    let regions = instance.regions.iter().filter(|region| {
        let sites = instance.sites.iter().filter(|s| s.region == region.id);
        let load = sites.map(|site| sum(&|link| link.site == site.id)).sum();
        at(load, &[region.watermark_mbps(), region.capacity_mbps])
    });
    let mut requests = vec![0.0; instance.sites.len()];
    for (unit, shares) in instance.units.iter().zip(&plan.shares) {
        for &(link, share) in shares {
            let site = &instance.links[link.index()].site;
            let at = instance.sites.iter().position(|s| s.id == *site).unwrap();
            requests[at] += unit.rps * share;
        }
    }
    let asked = instance.sites.iter().zip(&requests);
    let asked =
        asked.filter(|(site, load)| site.capacity_rps.is_some_and(|rps| at(**load, &[rps])));
    links.count() + sites.count() + regions.count() + contracts.count() + asked.count()
}
