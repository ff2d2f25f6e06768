//! Days of billing slots on a running engine.

use super::*;
use crate::billing::UsualDemand;
use crate::billing::{Contracts, ControlOptions, LevelsOutcome};
use std::time::Duration;

/// Slots of a day.
const SLOTS: u64 = 288;
const SLOT: Duration = Duration::from_mins(5);

/// Demand of each area in a slot of the day, Mbps: a quiet night and an evening peak of an hour and
/// a half.
fn usual(slot: u64) -> f64 {
    match slot {
        228..246 => 130.0,
        96..264 => 90.0,
        _ => 50.0,
    }
}

/// Plays slots of a day: telemetry as the map in force makes it, two ticks in each.
fn play(world: &mut World, slots: std::ops::Range<u64>, mbps: impl Fn(u64) -> f64) -> Played {
    let mut played = Played::default();
    for slot in slots {
        let mbps = mbps(slot);
        for _ in 0..2 {
            world.demand(mbps);
            for link in 0..u32::try_from(SITES).unwrap() {
                let carried = world.on_link(link, mbps);
                let (link, mbps) = (LinkId(link), carried);
                played
                    .closed
                    .extend(world.tell(Sample::Link { link, mbps }));
            }
            let cycle = world.cycle();
            played.rounds = played.rounds.max(cycle.adopted.len());
            let states = world.engine.contracts().states(world.now);
            played.bursts += states.iter().filter(|state| state.bursting).count();
            world.now = world.now.after(SLOT / 2);
        }
    }
    played
}

#[derive(Default)]
struct Played {
    closed: Vec<SlotSample>,
    /// Times that a contract was seen in a free slot.
    bursts: usize,
    /// Most solves of a cycle.
    rounds: usize,
}

fn levels(world: &World) -> Vec<Option<f64>> {
    let states = world.engine.contracts().states(world.now);
    states.iter().map(|state| state.level_mbps).collect()
}

/// A world that has seen a day and planned the second.
fn second_day() -> (World, Played) {
    let mut world = World::serving(usual(0));
    let played = play(&mut world, 0..SLOTS, usual);
    (world, played)
}

#[test]
fn levels_are_planned_once_a_day_was_seen_and_free_slots_are_spent_above_them() {
    let (mut world, first) = second_day();
    assert_eq!(first.bursts, 0);
    assert_eq!(
        levels(&world),
        vec![None; SITES],
        "nothing is planned from a part of a day"
    );
    let morning = play(&mut world, 0..SLOTS / 3, usual);
    let planned: Vec<f64> = levels(&world).into_iter().map(Option::unwrap).collect();
    assert_eq!(world.engine.contracts().fault(), "");
    // 36 areas ask for 130 Mbps at the peak, which is less than a twentieth of the slots.
    let paid: f64 = planned.iter().sum();
    assert!((36.0 * 50.0..36.0 * 130.0).contains(&paid), "{planned:?}");
    assert_eq!(morning.bursts, 0, "the morning is below all levels");
    let before = tokens(&world);
    let evening = play(&mut world, SLOTS / 3..SLOTS, usual);
    assert!(
        evening.bursts > 0,
        "the peak is above the levels {planned:?}"
    );
    let after = tokens(&world);
    assert!(after < before, "{before} {after}");
    assert!(evening.rounds <= 25, "rounds of one slot are bounded");
}

fn tokens(world: &World) -> u64 {
    let states = world.engine.contracts().states(world.now);
    states.iter().filter_map(|state| state.tokens).sum()
}

#[test]
fn without_bursts_levels_are_planned_for_the_peak() {
    let (mut world, _) = {
        let mut world = World::new();
        let mut options = options();
        options.billing.bursts = false;
        world.engine = Engine::new(
            Arc::new(inventory()),
            Arc::clone(&world.table),
            Arc::default(),
            options,
            Stored::default(),
        );
        world.demand(usual(0));
        world.cycle();
        let played = play(&mut world, 0..SLOTS, usual);
        (world, played)
    };
    let day = play(&mut world, 0..SLOTS, usual);
    assert_eq!(day.bursts, 0);
    let paid: f64 = levels(&world).into_iter().flatten().sum();
    assert!(paid >= 36.0 * 130.0 * 0.95, "{paid}");
}

#[test]
fn a_restart_keeps_ledger_and_levels() {
    let (mut world, first) = second_day();
    let second = play(&mut world, 0..SLOTS / 2, usual);
    let (before, left) = (levels(&world), tokens(&world));
    let certain = |world: &World| -> Vec<f64> {
        let states = world.engine.contracts().states(world.now);
        states.iter().map(|state| state.certain_mbps).collect()
    };
    let known = certain(&world);
    let kept = world.engine.take_levels().unwrap();
    let stored = first.closed.into_iter().chain(second.closed).collect();
    let serving = world.engine.in_force.snapshot.clone();
    world.engine = Engine::new(
        Arc::new(inventory()),
        Arc::clone(&world.table),
        Arc::default(),
        options(),
        Stored {
            samples: stored,
            serving,
            ..Stored::default()
        },
    );
    assert!(world.engine.restore_levels(&kept, world.now));
    world.cycle();
    assert_eq!(levels(&world), before);
    assert_eq!(certain(&world), known);
    // The slot under way is lost with the process.
    assert!(tokens(&world).abs_diff(left) <= u64::try_from(SITES).unwrap());
    assert!(!world.engine.restore_levels("{", world.now));
    let month = Timestamp(world.now.0 + 40 * 86_400_000);
    assert!(
        !world.engine.restore_levels(&kept, month),
        "of another month"
    );
    let forged = kept.replace("\"m0\"", "\"gone\"");
    assert!(world.engine.restore_levels(&forged, world.now));
}

/// A world after its second day, and what it learnt of demand, bin by bin.
fn learnt_day() -> (World, Vec<UsualDemand>) {
    let (mut world, _) = second_day();
    let mut learnt = Vec::new();
    for _ in 0..48 {
        play(&mut world, 0..6, usual);
        learnt.extend(world.engine.take_learnt_demand());
    }
    (world, learnt)
}

#[test]
fn after_a_restart_one_line_of_telemetry_replaces_no_map_that_was_measured() {
    let (world, learnt) = learnt_day();
    let serving = world.engine.in_force.snapshot.clone().unwrap();
    let now = world.now;
    let mut world = World::new();
    world.now = now;
    world.engine.restore_demand(learnt);
    world.engine.note_published(serving, None, now);
    world.tick();
    world.tell(Sample::Demand {
        area: AreaId(1),
        service: ServiceId(0),
        mbps: 1.0,
        rps: None,
    });
    assert_eq!(
        world.engine.frozen(world.now),
        Some(crate::publish::Held::Silent)
    );
    world.demand(usual(0));
    assert_eq!(world.engine.frozen(world.now), None);
}

#[test]
fn a_restart_knows_what_is_usual_and_plans_the_next_day_at_once() {
    let (world, learnt) = learnt_day();
    assert_eq!(learnt.len(), 48);
    let units = world.engine.demand_digest();
    for (known, planned) in [(learnt, true), (Vec::new(), false)] {
        let bins = known.len();
        let mut world = World::new();
        assert_eq!(world.engine.demand_digest(), units);
        assert_eq!(world.engine.restore_demand(known), bins);
        world.demand(usual(0));
        world.cycle();
        assert_eq!(levels(&world).iter().any(Option::is_some), planned);
    }
}

#[test]
fn a_clock_that_jumps_costs_no_more_than_what_it_skipped() {
    let (mut world, _) = second_day();
    play(&mut world, 0..6, usual);
    for jump in [
        -7_200_000_i64,
        86_400_000 * 3,
        -86_400_000 * 40,
        86_400_000 * 45,
    ] {
        world.now = Timestamp(world.now.0.saturating_add_signed(jump));
        let played = play(&mut world, 0..3, |_| 60.0);
        assert!(played.rounds > 0, "the map goes on");
        let sane = |level: &Option<f64>| level.is_none_or(|mbps| (0.0..=900.0).contains(&mbps));
        assert!(levels(&world).iter().all(sane), "{:?}", levels(&world));
    }
}

#[test]
fn samples_of_links_are_billed_late_and_no_news() {
    let mut world = World::serving(10.0);
    world.wait(7200);
    world.tick();
    let late_max = world.engine.contracts().ledger().late_max();
    let link = LinkId(0);
    let tell = |world: &mut World, age: Duration, mbps: f64| {
        let at = Timestamp(world.now.0 - u64::try_from(age.as_millis()).unwrap());
        let sample = Sample::Link { link, mbps };
        world.engine.observe(&[Observation { at, sample }])
    };
    let mbps = |billed: Vec<SlotSample>| billed.iter().map(|s| s.mbps).collect::<Vec<_>>();
    tell(&mut world, late_max, 940.0);
    assert_eq!(mbps(tell(&mut world, late_max, 960.0)), [950.0]);
    assert_eq!(world.engine.known.estimates.link(link), None);
    assert!(
        !world.engine.is_urgent(),
        "a link that was full is no alarm"
    );
    tell(&mut world, Duration::ZERO, 100.0);
    let known = world.engine.known.estimates.link(link);
    assert_eq!(known.map(|known| known.at), Some(world.now));
    let billed = tell(&mut world, late_max - Duration::from_mins(7), 300.0);
    assert_eq!(mbps(billed), [300.0]);
    assert_eq!(world.engine.known.estimates.link(link), known);
    let refused = |world: &World| world.engine.contracts().ledger().refused().by_reason();
    assert_eq!(refused(&world)[1], ("late", 0));
    tell(&mut world, late_max + Duration::from_mins(5), 300.0);
    assert_eq!(refused(&world)[1], ("late", 1));
}

#[test]
fn levels_that_were_given_up_or_failed_are_tried_again_after_ten_minutes() {
    let (mut world, _) = second_day();
    let tick = |world: &mut World| {
        world.demand(usual(0));
        world.tick();
        world.engine.levels_job(world.now)
    };
    // The last half an hour of the day is learnt with the first demand after it.
    let mut job = None;
    while job.is_none() && world.now < BEGIN.after(SLOT * 300) {
        job = tick(&mut world);
        world.wait(300);
    }
    let job = job.expect("a day was seen");
    let outcome = world
        .engine
        .adopt_levels(job.run(Some(&|| true)), world.now);
    assert_eq!(outcome, LevelsOutcome::GivenUp);
    assert_eq!(levels(&world), vec![None; SITES]);
    assert_eq!(world.engine.contracts().fault(), "", "that is no fault");
    world.wait(599);
    assert!(tick(&mut world).is_none());
    world.wait(1);
    let _lost = tick(&mut world).expect("it is time to try again");
    let outcome = world.engine.fail_levels("it broke".to_owned(), world.now);
    assert_eq!(outcome, LevelsOutcome::Failed);
    assert_eq!(world.engine.contracts().fault(), "it broke");
    world.wait(599);
    assert!(tick(&mut world).is_none());
    world.wait(1);
    let job = tick(&mut world).expect("it is time to try again");
    let outcome = world.engine.adopt_levels(job.run(None), world.now);
    assert!(matches!(outcome, LevelsOutcome::Planned { .. }));
    assert!(levels(&world).iter().all(Option::is_some));
    assert_eq!(world.engine.contracts().fault(), "");
    world.wait(1200);
    assert!(tick(&mut world).is_none(), "once a day is enough");
}

#[test]
fn a_restart_keeps_what_was_spent_of_the_days_free_slots() {
    let (mut world, _) = second_day();
    let evening = play(&mut world, 0..246, usual);
    assert!(evening.bursts > 0);
    let spent = |kept: &str| -> f64 {
        let kept: serde_json::Value = serde_json::from_str(kept).unwrap();
        let contracts = kept["levels"].as_array().unwrap().iter();
        contracts.map(|m| m["spent_today"].as_f64().unwrap()).sum()
    };
    let kept = world.engine.take_levels().unwrap();
    assert!(spent(&kept) > 0.0, "{kept}");
    assert_eq!(world.engine.take_levels(), None, "nothing new in it");
    let now = world.now;
    let mut world = World::new();
    assert!(world.engine.restore_levels(&kept, now));
    assert_eq!(world.engine.take_levels(), None);
    world.engine.known.contracts.unkept = true;
    let after = world.engine.take_levels().unwrap();
    assert!((spent(&after) - spent(&kept)).abs() < 1e-9);
    // What was kept before slots were counted is still of use.
    let old = kept.replace("spent_today", "unknown");
    assert!(!world.engine.restore_levels(&old, now));
    let without = |contract: &serde_json::Value| {
        let mut contract = contract.clone();
        contract.as_object_mut().unwrap().remove("spent_today");
        contract
    };
    let mut old: serde_json::Value = serde_json::from_str(&kept).unwrap();
    old["levels"] = old["levels"]
        .as_array()
        .unwrap()
        .iter()
        .map(without)
        .collect();
    assert!(world.engine.restore_levels(&old.to_string(), now));
}

/// Two links of one contract that carry 40 Mbps each, of which the second says nothing from a slot
/// on.
fn half_silent(silent_from: u64, slots: u64) -> Vec<f64> {
    let inventory = {
        let mut inventory = inventory();
        inventory.links[1].contract = 0;
        inventory
    };
    let options = (SLOT, ControlOptions::default());
    let mut contracts = Contracts::new(&inventory, 1, options, Vec::new());
    let mut carried = Vec::new();
    for slot in 0..slots {
        let start = BEGIN.after(SLOT * u32::try_from(slot).unwrap());
        contracts.advance(start, None, &[50.0; SITES]);
        for link in 0..2 {
            if link == 0 || slot < silent_from {
                let sample = (LinkId(link), 40.0);
                contracts.count(&inventory, sample, start).unwrap();
            }
        }
        carried.push(contracts.carried_mbps(start, &[50.0; SITES])[0]);
    }
    carried
}

#[test]
fn a_silent_link_spends_free_slots_like_one_that_carries_what_it_did_and_then_what_the_map_says() {
    assert_eq!(
        half_silent(2, 8),
        [80.0, 80.0, 80.0, 80.0, 80.0, 90.0, 90.0, 90.0]
    );
}
