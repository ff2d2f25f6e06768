//! The local tier under any demand and any closed links.

use super::*;
use coverage::LinkId;
use proptest::prelude::*;
use std::collections::BTreeSet;

/// Links that close; the rest carries 3600 Mbps below watermarks.
const CLOSED_MAX: usize = 2;
/// Demand that always fits elsewhere, Mbps.
const FITS_MBPS: f64 = 3200.0;
/// Load rounding to 64ths may add to a link, Mbps: half a step for each of a few split units.
const ROUNDING_MBPS: f64 = 20.0;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn what_stood_on_closed_links_moves_and_nothing_else(
        demand in prop::collection::vec(0.0..140.0f64, AREAS),
        closed in prop::collection::btree_set(0..SITES, 1..=CLOSED_MAX),
    ) {
        prop_assume!(demand.iter().sum::<f64>() < FITS_MBPS);
        let mut world = World::new();
        for (mbps, area) in demand.iter().zip(1..) {
            let (area, service) = (AreaId(area), ServiceId(0));
            world.tell(Sample::Demand { area, service, mbps: *mbps, rps: None });
        }
        world.cycle();
        let before = world.shares();
        for site in &closed {
            world.close(&format!("link:s{site}/ct"));
        }
        let tick = world.tick();
        let local = matches!(&tick.outcome, Some(Ok(draft)) if draft.tier == Some(Tier::Local));
        prop_assert!(local, "{:?}", tick.outcome);
        let after = world.shares();
        let closed: BTreeSet<LinkId> = closed.iter().map(|site| LinkId::from_index(*site)).collect();
        let mut loads = [0.0; SITES];
        for unit in 0..before.len() {
            let stood = before[unit].iter().any(|share| closed.contains(&share.0));
            prop_assert!(stood || before[unit] == after[unit], "unit {} moved", unit);
            // What stays of a unit stays where it is.
            for &(link, share) in before[unit].iter().filter(|share| !closed.contains(&share.0)) {
                let kept = after[unit].iter().find(|s| s.0 == link).map_or(0.0, |s| s.1);
                prop_assert!(kept >= share - 1.5 / 64.0, "unit {} left link {}", unit, link.0);
            }
            let total: f64 = after[unit].iter().map(|share| share.1).sum();
            prop_assert!((total - 1.0).abs() < 1e-9);
            for &(link, share) in &after[unit] {
                prop_assert!(!closed.contains(&link));
                loads[link.index()] += share * unit.checked_sub(1).map_or(0.0, |area| demand[area]);
            }
        }
        prop_assert!(loads.iter().all(|load| *load <= 1000.0 + ROUNDING_MBPS), "{:?}", loads);
    }
}
