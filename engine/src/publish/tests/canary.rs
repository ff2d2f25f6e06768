//! Large changes are tried on canary areas: which ones, how far a trial that passed goes, and what
//! is taken back.

use super::super::back::Back;
use super::super::canary::{Trial, is_canary};
use super::*;
use instance::Shares;
use optimizer::Problem;

/// A scene in which a tenth of the areas or so try large changes first.
fn with_canaries() -> (Scene, usize) {
    let mut rules = open();
    rules.canary.share = 0.2;
    let canaries = (0..UNITS).filter(|unit| is_canary(&format!("a{unit}"), 0.2));
    let canaries = canaries.count();
    assert!((1..UNITS / 2).contains(&canaries));
    (Scene::new(rules), canaries)
}

#[test]
fn a_large_change_is_tried_on_canary_areas_and_then_goes_on() {
    let (mut scene, canaries) = with_canaries();
    let tried = scene.step(&all_on(0), &all_on(1), 0).unwrap().plan;
    assert_eq!(moved_to(&tried, 1), canaries);
    let waits = scene.step(&tried, &all_on(1), 30);
    assert!(matches!(waits, Err(Held::Canary(_))), "{waits:?}");
    scene.measured = Some((11.0, at(50)));
    let goes_on = scene.step(&tried, &all_on(1), 61).unwrap();
    assert_eq!(moved_to(&goes_on.plan, 1), UNITS);
}

#[test]
fn a_change_that_serves_its_canaries_worse_is_taken_back_and_not_tried_again_soon() {
    let (mut scene, canaries) = with_canaries();
    let tried = scene.step(&all_on(0), &all_on(1), 0).unwrap().plan;
    assert_eq!(moved_to(&tried, 1), canaries);
    scene.news();
    scene.measured = Some((60.0, at(50)));
    let back = scene.step(&tried, &all_on(1), 61).unwrap();
    assert_eq!(moved_to(&back.plan, 0), UNITS);
    assert_eq!(scene.news(), [(Gate::Canary, true)]);
    let refused = scene.step(&all_on(0), &all_on(1), 90);
    assert!(matches!(refused, Err(Held::Canary(_))), "{refused:?}");
    // An emergency does not wait for it.
    scene.purpose = Purpose::Relief;
    scene.instance.links[0].watermark_mbps = Some(350.0);
    let relief = scene.step(&all_on(0), &all_on(1), 91).unwrap();
    assert_eq!(moved_to(&relief.plan, 1), UNITS);
    scene.purpose = Purpose::Gain;
    scene.instance.links[0].watermark_mbps = None;
    let again = scene.step(&all_on(0), &all_on(1), 61 + 15 * 60).unwrap();
    assert_eq!(moved_to(&again.plan, 1), canaries);
}

#[test]
fn canaries_come_back_only_as_far_as_there_is_room_where_they_were() {
    let (mut scene, canaries) = with_canaries();
    let tried = scene.step(&all_on(0), &all_on(1), 0).unwrap().plan;
    scene.news();
    scene.measured = Some((60.0, at(50)));
    // Others have come to the link that they left, or it has shrunk: two of them would still fit.
    let stayed = (UNITS - canaries) as f64 * 10.0;
    scene.instance.links[0].capacity_mbps = stayed + 25.0;
    let back = scene.take_back(&tried, 61).unwrap();
    assert_eq!(moved_to(&back.plan, 0), UNITS - canaries + 2);
    assert_eq!(moved_to(&back.plan, 1), canaries - 2);
    assert!((back.moved_mbps - 20.0).abs() < 1e-9);
    let why = scene.gates.take_news().pop().unwrap().why;
    let left = format!("taken back, but {} have no room", canaries - 2);
    assert!(why.contains(&left), "{why}");
}

#[test]
fn no_hard_limit_is_passed_for_a_canary_that_comes_back() {
    type Limit = fn(&mut Instance, f64);
    let limits: [Limit; 3] = [
        |instance, mbps| instance.links[0].capacity_mbps = mbps,
        |instance, mbps| instance.sites[0].capacity_mbps = mbps,
        |instance, mbps| {
            instance.sites[1].region = "elsewhere".to_owned();
            instance.regions.push(instance::Region {
                id: "r".to_owned(),
                capacity_mbps: mbps,
                watermark_mbps: None,
            });
        },
    ];
    for limit in limits {
        let (mut scene, canaries) = with_canaries();
        let tried = scene.step(&all_on(0), &all_on(1), 0).unwrap().plan;
        scene.news();
        scene.measured = Some((60.0, at(50)));
        limit(&mut scene.instance, (UNITS - canaries) as f64 * 10.0);
        assert_eq!(scene.take_back(&tried, 61), None, "nobody fits");
        let why = scene.gates.take_news().pop().unwrap().why;
        assert!(why.contains("none can be taken back"), "{why}");
        // The change failed all the same.
        let refused = scene.step(&tried, &all_on(1), 62);
        assert!(matches!(refused, Err(Held::Canary(_))), "{refused:?}");
    }
}

#[test]
fn who_could_not_be_taken_back_is_when_there_is_room_again() {
    let (mut scene, canaries) = with_canaries();
    let tried = scene.step(&all_on(0), &all_on(1), 0).unwrap().plan;
    scene.measured = Some((60.0, at(50)));
    let room = std::mem::replace(&mut scene.instance.links[0].capacity_mbps, 1.0);
    assert_eq!(scene.take_back(&tried, 61), None);
    scene.instance.links[0].capacity_mbps = room;
    for seconds in [70, 80] {
        // The first step back was not published: it is asked for again.
        let back = scene.take_back(&tried, seconds).unwrap();
        assert_eq!(moved_to(&back.plan, 1), 0, "{canaries} of them");
    }
    assert_eq!(scene.take_back(&all_on(0), 90), None, "nobody is left");
    assert_eq!(scene.take_back(&tried, 100), None, "and nobody remembered");
}

#[test]
fn a_canary_that_comes_back_makes_room_for_another() {
    let (mut scene, _) = with_canaries();
    let trial = |unit: usize, before: u32, after: u32| Trial {
        unit,
        before: Shares::from([(before, 1.0)]),
        after: Shares::from([(after, 1.0)]),
        promised_ms: 10.0,
    };
    // The second may go back once the first has left.
    let mut in_force = all_on(0);
    in_force.shares[0] = Shares::from([(2, 1.0)]);
    in_force.shares[1] = Shares::from([(1, 1.0)]);
    scene.instance.links[1].capacity_mbps = 10.0;
    let trials = [trial(0, 1, 2), trial(1, 0, 1)];
    let problem = &Problem::new(&scene.instance);
    let back = Back::of(problem, &in_force, &trials, &|_, _| false);
    assert_eq!(back.describe(), "they are taken back");
    let plan = back.step().unwrap().plan;
    assert_eq!(
        (&plan.shares[0], &plan.shares[1]),
        (&Shares::from([(1, 1.0)]), &Shares::from([(0, 1.0)]))
    );
}

#[test]
fn canaries_come_back_also_when_nothing_else_is_worth_a_map() {
    let (mut scene, canaries) = with_canaries();
    let tried = scene.step(&all_on(0), &all_on(1), 0).unwrap().plan;
    assert_eq!(moved_to(&tried, 1), canaries);
    assert_eq!(scene.take_back(&tried, 30), None, "the trial is not over");
    scene.measured = Some((60.0, at(50)));
    let back = scene.take_back(&tried, 61).unwrap();
    assert_eq!(moved_to(&back.plan, 0), UNITS);
    assert_eq!(scene.take_back(&back.plan, 62), None, "once");
}

#[test]
fn where_no_canary_area_moves_others_try_it_first() {
    let (mut scene, _) = with_canaries();
    scene.gates.rules.canary.share = 1e-4;
    assert!((0..UNITS).all(|unit| !is_canary(&format!("a{unit}"), 1e-4)));
    let tried = scene.step(&all_on(0), &all_on(1), 0).unwrap().plan;
    assert!((1..=UNITS / 2).contains(&moved_to(&tried, 1)));
    assert_eq!(scene.news(), [(Gate::Canary, true)]);
}

#[test]
fn a_small_change_needs_no_canary() {
    let (mut scene, _) = with_canaries();
    let mut target = all_on(0);
    target.shares[0] = Shares::from([(1, 1.0)]);
    let step = scene.step(&all_on(0), &target, 0).unwrap();
    assert_eq!(step.plan.shares, target.shares);
}

/// A plan with these units on a link, and all others on another.
fn some_on(link: u32, units: std::ops::Range<usize>, others: u32) -> Plan {
    let mut plan = all_on(others);
    for unit in units {
        plan.shares[unit] = Shares::from([(link, 1.0)]);
    }
    plan
}

impl Scene {
    /// The next step towards a plan, in force. Returns how many moved.
    fn put_step(&mut self, plan: &mut Plan, target: &Plan, seconds: u64) -> usize {
        let step = self.step(plan, target, seconds).unwrap().plan;
        let moved = (0..UNITS).filter(|&unit| step.shares[unit] != plan.shares[unit]);
        let moved = moved.count();
        self.publish(plan, &step, seconds);
        *plan = step;
        moved
    }
}

/// All but ten of the areas have tried the second site, and that has passed after a minute; half of
/// them have gone there.
fn half_way() -> (Scene, Plan, Plan) {
    let (mut scene, canaries) = with_canaries();
    scene.gates.rules.step.share_max = 0.5;
    let (mut plan, target) = (all_on(0), some_on(1, 0..30, 0));
    let tried = scene.put_step(&mut plan, &target, 0);
    assert!((1..=canaries).contains(&tried), "{tried}");
    scene.measured = Some((11.0, at(50)));
    assert_eq!(scene.put_step(&mut plan, &target, 61), 20);
    assert!(moved_to(&plan, 1) < 30, "the rest waits for the next step");
    scene.news();
    (scene, plan, target)
}

#[test]
fn what_has_passed_goes_on_step_by_step_without_another_trial() {
    let (mut scene, mut plan, target) = half_way();
    scene.put_step(&mut plan, &target, 90);
    assert_eq!(plan.shares, target.shares);
    assert!(scene.news().iter().all(|news| news.0 != Gate::Canary));
}

#[test]
fn a_trial_that_passed_says_nothing_of_another_site() {
    let (mut scene, mut plan, _) = half_way();
    // The third site has become the best for all who have not moved yet.
    let mut target = plan.clone();
    let waiting = target
        .shares
        .iter_mut()
        .filter(|s| **s == Shares::from([(0, 1.0)]));
    waiting.for_each(|shares| *shares = Shares::from([(2, 1.0)]));
    let wanted = moved_to(&target, 2);
    let tried = scene.put_step(&mut plan, &target, 90);
    assert!((1..wanted).contains(&tried), "{tried} of {wanted}");
    assert!(scene.news().contains(&(Gate::Canary, true)));
    let waits = scene.step(&plan, &target, 100);
    assert!(matches!(waits, Err(Held::Canary(_))), "{waits:?}");
}

#[test]
fn a_trial_that_passed_says_nothing_of_more_areas_than_were_to_move() {
    let (mut scene, mut plan, target) = half_way();
    scene.put_step(&mut plan, &target, 90);
    scene.news();
    // Ten more want the same as the thirty.
    let tried = scene.put_step(&mut plan, &all_on(1), 120);
    assert!((1..10).contains(&tried), "{tried}");
    assert_eq!(scene.news(), [(Gate::Canary, true)]);
}

#[test]
fn a_little_that_was_not_tried_goes_along_with_what_has_passed() {
    let (mut scene, mut plan, mut target) = half_way();
    // A fortieth of demand; a twentieth is large.
    target.shares[UNITS - 1] = Shares::from([(2, 1.0)]);
    scene.put_step(&mut plan, &target, 90);
    assert_eq!(plan.shares, target.shares);
    assert!(scene.news().iter().all(|news| news.0 != Gate::Canary));
}

#[test]
fn what_has_passed_long_ago_is_tried_again() {
    let (mut scene, mut plan, target) = half_way();
    let left = 30 - moved_to(&plan, 1);
    let tried = scene.put_step(&mut plan, &target, 61 + 15 * 60);
    assert!((1..left).contains(&tried), "{tried} of {left}");
    assert!(scene.news().contains(&(Gate::Canary, true)));
}
