//! Tiers: who answers a change, how soon, and what moves.

use super::*;
use crate::publish::{Gate, Held, Reason};
use coverage::EndpointId;
use coverage::LinkId;
use coverage::map::CoverageMap;
use instance::Shares;
use std::collections::BTreeSet;

/// Mbps of each area in most tests: two thirds of what all sites carry below their watermarks.
const MBPS: f64 = 100.0;

/// Units whose shares differ.
fn moved(before: &[Shares], after: &[Shares]) -> Vec<usize> {
    let differs = |&unit: &usize| before[unit] != after[unit];
    (0..before.len()).filter(differs).collect()
}

/// Units with a share on a link.
fn standing_on(shares: &[Shares], link: u32) -> Vec<usize> {
    let stands = |&unit: &usize| shares[unit].iter().any(|share| share.0 == LinkId(link));
    (0..shares.len()).filter(stands).collect()
}

#[test]
fn the_first_map_is_a_full_solve() {
    let mut world = World::new();
    world.demand(MBPS);
    let cycle = world.cycle();
    assert!(
        cycle.tick.outcome.is_none(),
        "there is nothing to relieve yet"
    );
    let [(Tier::Full, Adopted::Draft(draft))] = &cycle.adopted[..] else {
        panic!("{:?}", cycle.adopted);
    };
    assert_eq!(
        (draft.tier, draft.reason),
        (Some(Tier::Full), Reason::First)
    );
    let again = world.cycle();
    assert!(matches!(
        again.adopted[..],
        [(Tier::Full, Adopted::Held(Held::NoGain))]
    ));
}

#[test]
fn a_closed_link_is_left_in_the_same_tick_and_nobody_else_moves() {
    let mut world = World::serving(MBPS);
    let before = world.shares();
    let victims = standing_on(&before, 2);
    assert!(!victims.is_empty());
    world.wait(10);
    world.demand(MBPS);
    world.close("link:s2/ct");
    let tick = world.tick();
    let Some(Ok(draft)) = &tick.outcome else {
        panic!("{:?}", tick.outcome);
    };
    assert_eq!(
        (draft.tier, draft.reason),
        (Some(Tier::Local), Reason::Limits)
    );
    let after = world.shares();
    assert_eq!(moved(&before, &after), victims);
    assert!(standing_on(&after, 2).is_empty());
    for link in 0..6 {
        assert!(world.on_link(link, MBPS) <= 1000.0 * 1.01);
    }
    // Nothing more to say until something changes.
    assert!(world.tick().outcome.is_none());
}

#[test]
fn the_warm_solve_is_no_worse_than_the_local_one_and_the_full_one_no_worse_than_that() {
    let mut world = World::serving(MBPS);
    world.wait(10);
    world.demand(MBPS);
    world.close("link:s2/ct");
    world.tick();
    let instance = world.engine.instance(false, world.now);
    let cost = |world: &World| {
        let plan = world.engine.in_force.plan.as_ref().unwrap();
        let levels = checker::evaluate(&instance, plan).unwrap().levels;
        assert!(levels.unserved_mbps < 1.0);
        (levels.overload_mbps, levels.latency_cny + levels.money_cny)
    };
    let (_, local) = cost(&world);
    let job = world.engine.job(world.now).unwrap();
    assert_eq!(job.tier(), Tier::Warm);
    let solved = job.run(None);
    let exact = {
        let found = solved.found.as_ref().unwrap();
        let verified = found.verified.as_ref().unwrap();
        assert!(verified.gap.unwrap() < 1e-6, "{verified:?}");
        (verified.levels.overload_mbps, verified.levels.cost_cny())
    };
    let incumbent = solved.found.as_ref().unwrap().incumbent.unwrap();
    assert!(exact.0 <= incumbent.overload_mbps + 1.0);
    assert!(exact.1 <= incumbent.cost_cny() + 1e-6 || exact.0 + 1.0 < incumbent.overload_mbps);
    if let Adopted::Draft(draft) = world.engine.adopt(solved, world.now) {
        assert_eq!(draft.tier, Some(Tier::Warm));
        world.put(&draft);
    }
    let job = world.engine.job(world.now).unwrap();
    assert_eq!(job.tier(), Tier::Full, "the tree has seen this link closed");
    if let Adopted::Draft(draft) = world.engine.adopt(job.run(None), world.now) {
        world.put(&draft);
    }
    let (overload, full) = cost(&world);
    assert!(overload < 1.0 && full <= local * 1.001, "{full} {local}");
}

#[test]
fn a_warm_solve_that_betters_what_is_in_force_is_published_as_such() {
    // What has room is far away. The local tier goes there; with all others moving up by one nobody
    // is above the latency limit.
    let mut world = World::serving(120.0);
    world.wait(10);
    world.demand(120.0);
    world.close("link:s0/ct");
    let cycle = world.cycle();
    let Some(Ok(local)) = &cycle.tick.outcome else {
        panic!("{:?}", cycle.tick.outcome);
    };
    assert_eq!(local.tier, Some(Tier::Local));
    let [(Tier::Warm, Adopted::Draft(draft)), (Tier::Full, _)] = &cycle.adopted[..] else {
        panic!("{:?}", cycle.adopted);
    };
    assert_eq!(draft.tier, Some(Tier::Warm));
    assert!(matches!(draft.reason, Reason::Relief));
    assert_eq!(world.engine.last().unwrap().tier, Tier::Full);
}

#[test]
fn a_warm_map_is_rewritten_for_those_who_move_and_stays_for_all_others() {
    let mut world = World::serving(120.0);
    world.wait(10);
    world.demand(120.0);
    world.close("link:s0/ct");
    world.tick();
    let (before, serving) = (
        world.shares(),
        world.engine.in_force.snapshot.clone().unwrap(),
    );
    let solved = world.engine.job(world.now).unwrap().run(None);
    let Adopted::Draft(draft) = world.engine.adopt(solved, world.now) else {
        panic!("the local answer can be bettered");
    };
    world.put(&draft);
    let moved = moved(&before, &world.shares());
    assert!(!moved.is_empty() && moved.len() < before.len() / 2);
    for (unit, area) in (0..before.len()).zip((0..).map(AreaId)) {
        let answers = |map: &CoverageMap| map.get(ServiceId(0), area).clone();
        let stays = answers(&serving.map).shares == answers(&draft.body.map).shares;
        assert_eq!(stays, !moved.contains(&unit), "{unit}");
        let closed = [EndpointId(0), EndpointId(1)];
        let runners_up = answers(&draft.body.map).runners_up;
        assert!(runners_up.iter().all(|id| !closed.contains(id)), "{unit}");
    }
}

#[test]
fn answers_that_nobody_gets_are_not_handed_on() {
    let mut world = World::serving(MBPS);
    world.close("link:s2/ct");
    world.tick();
    let serving = world.engine.in_force.snapshot.clone().unwrap();
    let sets = serving.map.row(ServiceId(0)).iter().map(|set| set.index());
    let used: BTreeSet<usize> = sets.collect();
    assert!(serving.map.answer_sets().len() > used.len());
    let map = world.engine.as_served().unwrap().map.finish().unwrap();
    assert_eq!(map.answer_sets().len(), used.len());
}

#[test]
fn a_reopened_link_is_warm_as_well() {
    let mut world = World::serving(MBPS);
    let id = world.close("link:s2/ct");
    world.cycle();
    let rules = world.engine.known.options.drain.clone();
    world.engine.cancel_drain(&id, world.now).unwrap();
    world.wait(rules.refill_ramp.as_secs() + 1);
    world.demand(MBPS);
    let tick = world.tick();
    assert!(matches!(tick.outcome, None | Some(Ok(_))));
    // The tree of the last full solve was built without the link, so it takes a full one to come
    // back.
    assert_eq!(world.engine.job(world.now).unwrap().tier(), Tier::Full);
    let mut world = World::serving(MBPS);
    let id = world.close("link:s2/ct");
    world.tick();
    let job = world.engine.job(world.now).unwrap();
    assert_eq!(job.tier(), Tier::Warm);
    if let Adopted::Draft(draft) = world.engine.adopt(job.run(None), world.now) {
        world.put(&draft);
    }
    world.engine.cancel_drain(&id, world.now).unwrap();
    world.wait(rules.refill_ramp.as_secs() + 1);
    world.demand(MBPS);
    world.tick();
    assert_eq!(world.engine.job(world.now).unwrap().tier(), Tier::Warm);
}

#[test]
fn a_failed_site_makes_the_tick_urgent_and_is_left_at_once() {
    let mut world = World::serving(MBPS);
    let before = world.shares();
    let victims = standing_on(&before, 4);
    assert!(!world.engine.is_urgent());
    world.fail(4);
    assert!(world.engine.is_urgent());
    let tick = world.tick();
    assert!(!world.engine.is_urgent());
    assert!(matches!(&tick.outcome, Some(Ok(draft)) if draft.tier == Some(Tier::Local)));
    assert_eq!(moved(&before, &world.shares()), victims);
}

#[test]
fn a_link_that_becomes_full_is_urgent_once() {
    let mut world = World::serving(MBPS);
    let link = LinkId(3);
    world.tell(Sample::Link { link, mbps: 890.0 });
    assert!(!world.engine.is_urgent());
    world.tell(Sample::Link { link, mbps: 910.0 });
    assert!(world.engine.is_urgent());
    world.tick();
    world.tell(Sample::Link { link, mbps: 920.0 });
    assert!(!world.engine.is_urgent());
}

#[test]
fn a_failed_group_is_left_inside_its_site() {
    let mut world = World::serving(20.0);
    let before = world.shares();
    world.wait(10);
    world.demand(20.0);
    world.close("group:s1-a");
    let tick = world.tick();
    assert!(matches!(&tick.outcome, Some(Ok(draft)) if draft.tier == Some(Tier::Local)));
    assert_eq!(
        moved(&before, &world.shares()),
        [0_usize; 0],
        "links are as before"
    );
    let serving = world.engine.in_force.snapshot.as_ref().unwrap();
    let gone = world.engine.known.inventory.groups.iter();
    let gone = gone.zip(0..).find(|(group, _)| group.name == "s1-a");
    let gone = GroupId(gone.unwrap().1);
    for area in 0..=u32::try_from(AREAS).unwrap() {
        let answers = serving.map.get(ServiceId(0), AreaId(area));
        let mut groups = answers.shares.iter().map(|s| serving.endpoint(s.0).group);
        assert!(groups.all(|group| group != gone));
    }
}

#[test]
fn capacity_that_shrinks_below_its_load_sheds_the_difference_alone() {
    let mut world = World::serving(MBPS);
    let before = world.shares();
    let load = world.on_link(1, MBPS);
    assert!(load > 520.0, "{load}");
    // Three of four nodes: 250 Mbps are left.
    for _ in 0..2 {
        world.wait(1);
        for node in 4..7 {
            world.tell(Sample::Node {
                node: NodeId(node),
                healthy: false,
                load: 0.0,
                mbps: 0.0,
            });
        }
    }
    world.tick();
    let left = world.on_link(1, MBPS);
    assert!((240.0..=262.0).contains(&left), "{left}");
    let gone = moved(&before, &world.shares());
    assert!(
        gone.iter()
            .all(|unit| standing_on(&before, 1).contains(unit))
    );
}

#[test]
fn a_solve_from_before_a_further_drain_is_not_adopted() {
    let mut world = World::serving(MBPS);
    world.wait(10);
    world.demand(140.0);
    world.tick();
    let job = world.engine.job(world.now).unwrap();
    assert_eq!(job.tier(), Tier::Full);
    let solved = job.run(None);
    world.close("link:s2/ct");
    let outcome = world.engine.adopt(solved, world.now);
    assert!(matches!(outcome, Adopted::Outdated), "{outcome:?}");
    // The same when the tick that the drain needs came in between.
    world.tick();
    let stale = world.engine.job(world.now).unwrap().run(None);
    world.close("link:s3/ct");
    world.tick();
    assert!(matches!(
        world.engine.adopt(stale, world.now),
        Adopted::Outdated
    ));
    let cycle = world.cycle();
    assert!(!cycle.adopted.is_empty());
    assert!(
        standing_on(&world.shares(), 2).is_empty() && standing_on(&world.shares(), 3).is_empty()
    );
}

#[test]
fn frozen_input_stops_solves_and_leaves_what_fails_all_the_same() {
    let mut world = World::serving(MBPS);
    let before = world.shares();
    let victims = standing_on(&before, 4);
    world.wait(600);
    world.fail(4);
    let cycle = world.cycle();
    assert!(matches!(&cycle.tick.outcome, Some(Ok(draft)) if draft.tier == Some(Tier::Local)));
    assert!(cycle.adopted.is_empty());
    assert_eq!(moved(&before, &world.shares()), victims);
    let Some(Err(Held::Stale { stale, known })) = world.cycle().tick.outcome else {
        panic!("the map is not frozen");
    };
    assert_eq!((stale, known), (AREAS, AREAS));
    assert_eq!(world.stops(Gate::Stale).len(), 1);
}

#[test]
fn after_a_restart_what_is_closed_is_left_without_any_telemetry() {
    let mut world = World::serving(MBPS);
    let before = world.shares();
    world.close("link:s2/ct");
    let drains: Vec<Drain> = world.engine.drains().iter().cloned().collect();
    let serving = world.engine.in_force.snapshot.clone();
    world.engine = Engine::new(
        Arc::new(inventory()),
        Arc::clone(&world.table),
        Arc::default(),
        options(),
        Stored {
            drains,
            serving,
            ..Stored::default()
        },
    );
    world.wait(1);
    let cycle = world.cycle();
    assert!(matches!(&cycle.tick.outcome, Some(Ok(draft)) if draft.tier == Some(Tier::Local)));
    assert!(cycle.adopted.is_empty(), "nothing is known yet");
    assert_eq!(moved(&before, &world.shares()), standing_on(&before, 2));
    assert!(matches!(world.tick().outcome, Some(Err(Held::Silent))));
    assert_eq!(world.stops(Gate::Stale).len(), 1);
}

#[test]
fn a_pinned_map_stays_whatever_fails() {
    let mut world = World::serving(MBPS);
    world.engine.pin(Some("held".to_owned()));
    let before = world.shares();
    world.fail(4);
    let cycle = world.cycle();
    assert!(matches!(cycle.tick.outcome, Some(Err(Held::Pinned(_)))));
    assert!(cycle.adopted.is_empty());
    assert_eq!(before, world.shares());
    assert_eq!(
        world.stops(Gate::Pinned),
        ["nothing is published, whatever fails: held"]
    );
    world.engine.pin(None);
    world.cycle();
    assert_eq!(world.stops(Gate::Pinned), [""]);
}

#[test]
fn equal_histories_give_equal_maps_with_any_number_of_threads() {
    let play = |threads| {
        let mut world = World::with(EngineOptions {
            threads,
            ..options()
        });
        world.demand(130.0);
        world.cycle();
        world.close("link:s0/ct");
        world.cycle();
        world.fail(4);
        world.cycle();
        let serving = world.engine.in_force.snapshot.clone().unwrap();
        (serving.map.clone(), serving.catalog.clone(), world.version)
    };
    let alone = play(1);
    assert!(alone.2 > 2, "both failures are answered");
    for threads in [1, 2, 8] {
        assert_eq!(alone, play(threads));
    }
}

#[test]
fn a_map_is_judged_as_the_weights_that_it_has() {
    let mut world = World::new();
    world.demand(MBPS);
    world.cycle();
    let last = world.engine.last().unwrap();
    let published = world.shares();
    assert_eq!(last.weights.plan.shares, published);
    for share in published.iter().flatten() {
        let steps = share.1 * 64.0;
        assert!((steps - steps.round()).abs() < 1e-9, "{share:?}");
    }
    let gap = last.weights.gap.unwrap();
    assert!((last.certificate.gap..0.01).contains(&gap), "{gap}");
}
