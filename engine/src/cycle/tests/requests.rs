//! The second resource of sites in whole cycles: requests per second, reported or usual.

use super::*;
use crate::drain::{Request, State};
use coverage::LinkId;
use std::time::Duration;

/// Requests per second that each node of the second site can answer; the site plans with 90 % of
/// its four.
const NODE_RPS: f64 = 500.0;

/// A world whose second site can answer few requests; `usual` of them come with each Mbps.
fn world(usual: f64) -> World {
    let mut inventory = inventory();
    inventory.services[0].rps_per_mbps = usual;
    for node in &mut inventory.nodes {
        let second = node.name.starts_with("s1-");
        node.capacity_rps = second.then_some(NODE_RPS);
    }
    world_of(inventory)
}

fn world_of(inventory: Inventory) -> World {
    let table = table();
    World {
        engine: Engine::new(
            Arc::new(inventory),
            Arc::clone(&table),
            Arc::default(),
            options(),
            Stored::default(),
        ),
        now: BEGIN,
        table,
        version: 0,
    }
}

/// Requests per second at the second site, whose link is the second, in the plan in force.
fn at_second(world: &World, rps: impl Fn(usize) -> f64) -> f64 {
    let plan = world.engine.in_force.plan.as_ref().unwrap();
    let units = plan.shares.iter().enumerate();
    units
        .flat_map(|(unit, shares)| shares.iter().map(move |share| (unit, share)))
        .filter(|(_, share)| share.0 == LinkId(1))
        .map(|(unit, share)| share.1 * rps(unit))
        .sum()
}

#[test]
fn a_site_gets_no_more_requests_than_it_can_answer() {
    let planned = 0.9 * 4.0 * NODE_RPS;
    for usual in [1.0, 10.0] {
        let mut world = world(usual);
        world.demand(60.0);
        world.cycle();
        let here = at_second(&world, |_| 60.0 * usual);
        // Six areas of 60 Mbps are nearest to it: 360 requests per second fit, 3,600 do not.
        // Weights are 64ths.
        if usual > 1.0 {
            let step = 60.0 * usual / 64.0;
            assert!(
                (planned - 6.0 * step..=planned + 6.0 * step).contains(&here),
                "{here}"
            );
        } else {
            assert!((here - 360.0).abs() < 1e-6, "{here}");
        }
    }
}

#[test]
fn what_is_counted_goes_before_what_is_usual() {
    let mut world = world(10.0);
    for area in 1..=u32::try_from(AREAS).unwrap() {
        world.tell(Sample::Demand {
            area: AreaId(area),
            service: ServiceId(0),
            mbps: 60.0,
            rps: Some(60.0),
        });
    }
    world.cycle();
    let here = at_second(&world, |_| 60.0);
    assert!((here - 360.0).abs() < 1e-6, "{here}");
}

#[test]
fn a_drain_is_refused_when_too_few_would_be_left_to_answer() {
    for (rps, fits) in [(f64::INFINITY, true), (1_250.0, false)] {
        let mut inventory = inventory();
        inventory.services[0].rps_per_mbps = 10.0;
        for node in &mut inventory.nodes {
            node.capacity_rps = Some(rps).filter(|rps| rps.is_finite());
        }
        let mut world = world_of(inventory);
        // 21,600 requests per second; 27,000 are planned for at most, and 22,500 without one site,
        // which is too little for a tenth more.
        world.demand(60.0);
        world.cycle();
        let request = Request {
            target: "site:s0".parse().unwrap(),
            requester: "ops".to_owned(),
            reason: "test".to_owned(),
            lease: Duration::from_hours(1),
            ramp: None,
            force: false,
            idempotency_key: String::new(),
        };
        let drain = world.engine.request_drain(request, world.now).unwrap();
        let told = drain
            .refusal
            .map(|refusal| refusal.text)
            .unwrap_or_default();
        assert_eq!(drain.state != State::Refused, fits, "{told}");
        assert_eq!(told.contains("requests per second more"), !fits, "{told}");
    }
}

#[test]
fn the_local_tier_brings_nobody_to_where_requests_are_too_many_already() {
    let planned = 0.9 * 4.0 * NODE_RPS;
    let mut world = world(10.0);
    world.demand(60.0);
    world.cycle();
    // Nobody asks from the first area, which stands for what is not known.
    let rps = |unit: usize| if unit == 0 { 0.0 } else { 600.0 };
    let before = at_second(&world, rps);
    world.fail(0);
    let tick = world.tick();
    let local = matches!(&tick.outcome, Some(Ok(draft)) if draft.tier == Some(Tier::Local));
    assert!(local, "{:?}", tick.outcome);
    let after = at_second(&world, rps);
    assert!(
        after <= before.max(planned) + 600.0 / 64.0,
        "{before} {after}"
    );
}
