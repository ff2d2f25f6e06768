//! Gates at work in whole cycles: what they hold, what they say, and that held plans end where they
//! were to lead.

use super::*;
use crate::publish::PublishRules;
use crate::publish::{Gate, Held, Reason};
use coverage::LinkId;
use instance::Shares;
use std::time::Duration;

/// Mbps of each area.
const MBPS: f64 = 60.0;
/// Areas that a better place is found for, a quarter of all.
const MOVERS: std::ops::Range<u32> = 2..11;

/// A world with a map in force that was told the quality of each area at home and at the next site.
pub(super) fn world(change: impl Fn(&mut PublishRules)) -> World {
    let mut options = options();
    change(&mut options.publish);
    let mut world = World::with(options);
    world.demand(MBPS);
    world.cycle();
    world.wait(10);
    world.demand(MBPS);
    for area in 1..=36 {
        for site in 0..6 {
            let ms = if site == home(area) { 30.0 } else { 45.0 };
            world.quality(area, site, ms);
        }
    }
    for _ in 0..40 {
        world.wait(20);
        world.demand(MBPS);
        world.cycle();
    }
    world.engine.take_stops();
    world
}

/// The same, with a fifth of the areas as canaries and no other limit to a step.
fn with_canaries() -> World {
    world(|rules| {
        rules.gates.step.share_max = 1.0;
        rules.gates.step.ramp_share = 100.0;
        rules.gates.canary.share = 0.2;
    })
}

/// The site that an area stands next to.
fn home(area: u32) -> u32 {
    (area - 1) / 6
}

/// Returns where some areas are served better from now on.
fn better(area: u32) -> u32 {
    (home(area) + 2) % 6
}

impl World {
    fn quality(&mut self, area: u32, site: u32, rtt_ms: f64) {
        // What was known before is forgotten by the half: tell it until it is so.
        for _ in 0..40 {
            self.tell(Sample::Quality {
                area: AreaId(area),
                site: SiteId(site),
                link: None,
                rtt_ms,
                loss: 0.0,
            });
            self.now = self.now.after(Duration::from_secs(15));
        }
    }

    /// The movers are served better elsewhere.
    pub(super) fn improve(&mut self) {
        for area in MOVERS {
            self.quality(area, better(area), 1.0);
        }
        self.demand(MBPS);
    }

    pub(super) fn stops(&mut self, of: Gate) -> Vec<String> {
        let stops = self.engine.take_stops().into_iter();
        stops.filter(|s| s.gate == of).map(|s| s.why).collect()
    }

    fn moved_since(&self, before: &[Shares]) -> usize {
        let after = self.shares();
        (0..after.len()).filter(|&u| after[u] != before[u]).count()
    }
}

fn last(cycle: &Cycle) -> String {
    let Some((_, adopted)) = cycle.adopted.last() else {
        return match &cycle.tick.outcome {
            Some(Err(held)) => held.word().to_owned(),
            _ => String::new(),
        };
    };
    match adopted {
        Adopted::Draft(draft) => draft.reason.word().to_owned(),
        Adopted::Held(held) => held.word().to_owned(),
        Adopted::Outdated => "outdated".to_owned(),
    }
}

#[test]
fn what_was_cut_short_goes_on_to_its_end_though_the_last_steps_gain_little() {
    let mut open = world(|rules| {
        rules.gates.step.share_max = 1.0;
        rules.gates.step.ramp_share = 100.0;
        rules.gates.canary.share = 0.0;
    });
    let mut gated = world(|rules| {
        rules.gates.canary.share = 0.0;
    });
    open.improve();
    gated.improve();
    let before = gated.shares();
    open.cycle();
    let all = open.moved_since(&before);
    assert!(all >= 8, "{all}");
    let (mut steps, mut plan) = (0, before.clone());
    for _ in 0..20 {
        let outcome = last(&gated.cycle());
        let now = gated.shares();
        let moved = (0..now.len()).filter(|&u| now[u] != plan[u]).count();
        assert!(
            moved as f64 * MBPS <= 0.1 * 36.0 * MBPS + 1e-6,
            "{moved} at once"
        );
        steps += usize::from(moved > 0);
        plan = now;
        if outcome == "no-gain" {
            break;
        }
        gated.wait(10);
        gated.demand(MBPS);
    }
    assert!(steps >= 3, "{steps}");
    assert_eq!(gated.moved_since(&before), all);
    // Said when it began, taken back when it ended.
    let said = gated.stops(Gate::Step);
    assert!(said.len() == 2 && said[1].is_empty(), "{said:?}");
}

#[test]
fn canaries_that_fare_worse_are_taken_back_even_if_nothing_else_is_worth_a_move() {
    let mut world = with_canaries();
    let before = world.shares();
    world.improve();
    assert_eq!(last(&world.cycle()), "gain");
    let tried: Vec<u32> = MOVERS
        .filter(|&area| world.shares()[area as usize] != before[area as usize])
        .collect();
    assert!((1..9).contains(&tried.len()), "{tried:?}");
    assert_eq!(world.stops(Gate::Canary).len(), 1);
    world.demand(MBPS);
    assert_eq!(last(&world.cycle()), "canary", "the trial is under way");
    // What they get is little worse than what they had, so that it alone would not be worth a move
    // back.
    for area in MOVERS {
        world.quality(area, better(area), 33.0);
    }
    world.demand(MBPS);
    assert_eq!(last(&world.cycle()), "roll-back");
    assert_eq!(world.shares(), before);
    let said = world.stops(Gate::Canary);
    assert!(
        said.len() == 1 && said[0].contains("taken back"),
        "{said:?}"
    );
}

#[test]
fn canaries_that_fare_well_are_followed_by_the_rest() {
    let mut world = with_canaries();
    let before = world.shares();
    world.improve();
    world.cycle();
    let tried = world.moved_since(&before);
    assert!((1..8).contains(&tried), "{tried}");
    world.wait(130);
    world.improve();
    world.cycle();
    assert!(world.moved_since(&before) >= 8);
}

#[test]
fn a_price_that_jumped_over_a_restart_holds_the_map_until_it_has_lasted() {
    let world = World::serving(20.0);
    let mut before = world.engine.believed_prices().unwrap();
    for cny in before.values_mut() {
        *cny /= 100.0;
    }
    let serving = world.engine.in_force.snapshot.clone();
    let restarted = |serving| {
        let mut restarted = World::new();
        restarted.engine.in_force.snapshot = serving;
        restarted.engine.restore_prices(&before);
        restarted
    };
    let mut fresh = restarted(None);
    fresh.demand(20.0);
    fresh.cycle();
    assert!(fresh.stops(Gate::Input).is_empty(), "nothing to lose");
    let mut world = restarted(serving);
    assert!(world.engine.believed_prices().is_none());
    world.demand(20.0);
    world.cycle();
    let said = world.stops(Gate::Input);
    assert!(
        said.len() == 1 && said[0].contains("over the restart"),
        "{said:?}"
    );
    world.wait(601);
    world.demand(20.0);
    world.cycle();
    assert!(world.engine.believed_prices().is_some());
}

#[test]
fn growth_over_hours_is_believed_at_each_step_and_a_jump_is_not() {
    let mut world = World::serving(20.0);
    let mut mbps = 20.0;
    while mbps < 60.0 {
        mbps *= 1.02;
        world.wait(60);
        world.demand(mbps);
        world.cycle();
    }
    assert!(world.stops(Gate::Input).is_empty());
    for _ in 0..5 {
        world.wait(60);
        world.demand(2.0 * mbps);
        world.cycle();
    }
    let said = world.stops(Gate::Input);
    assert!(
        said.len() == 1 && said[0].contains("demand jumped"),
        "{said:?}"
    );
}

#[test]
fn reports_that_most_of_a_region_is_down_are_not_believed_and_one_site_is() {
    let mut world = World::serving(MBPS);
    world.fail(0);
    world.demand(MBPS);
    world.tick();
    assert!(world.stops(Gate::FailOpen).is_empty());
    assert!(
        world.shares()[1..]
            .iter()
            .flatten()
            .all(|s| s.0 != LinkId(0))
    );
    let before = world.shares();
    for site in 1..4 {
        world.fail(site);
    }
    world.demand(MBPS);
    world.tick();
    let said = world.stops(Gate::FailOpen);
    assert!(said.len() == 1 && said[0].contains("south"), "{said:?}");
    assert_eq!(world.shares(), before);
    world.tick();
    assert!(world.stops(Gate::FailOpen).is_empty(), "said already");
}

#[test]
fn a_site_that_comes_and_goes_gets_nothing_back_at_once_from_whatever_tier() {
    const SITE: usize = 2;
    // A link each.
    let on_site = |world: &World| world.on_link(u32::try_from(SITE).unwrap(), MBPS);
    let warm = |world: &mut World| {
        world.tick();
        let job = world.engine.job(world.now).unwrap();
        assert_eq!(job.tier(), Tier::Warm);
        if let Adopted::Draft(draft) = world.engine.adopt(job.run(None), world.now) {
            world.put(&draft);
        }
    };
    // Latency is little beside money here; each gain in it counts.
    let mut world = world(|rules| {
        rules.gain_min = 1e-4;
        rules.gates.canary.share = 0.0;
    });
    let usual = on_site(&world);
    assert!(usual > 100.0, "{usual}");
    for flap in 1..=4 {
        world.fail(SITE);
        warm(&mut world);
        assert!(on_site(&world) < 1e-9);
        // Longer than anybody stays where the local tier put him.
        world.wait(65);
        world.demand(MBPS);
        world.repair(SITE);
        warm(&mut world);
        let back = on_site(&world);
        assert!(back < 0.9 * usual, "all of {back} Mbps is back in one step");
        assert_eq!(back < 1e-9, flap > 2, "flap {flap}: {back}");
    }
    let said = world.stops(Gate::Flapping);
    assert!(said.iter().any(|why| why.contains("s2")), "{said:?}");
}

#[test]
fn a_clock_that_was_ahead_holds_nothing_back_once_it_is_right_again() {
    let mut world = world(|rules| rules.gates.canary.share = 0.0);
    let right = world.now;
    world.wait(86_400);
    // A day ahead: measurements, moves and a failure are noted with that day.
    world.demand(MBPS);
    world.improve();
    world.cycle();
    world.fail(1);
    world.tick();
    assert!(world.on_link(1, MBPS) < 1e-9);
    world.now = right.after(Duration::from_secs(10));
    world.tick();
    // From here on all is as if the day had not been.
    world.repair(1);
    assert!(
        world
            .engine
            .known
            .health(world.now)
            .nodes_up
            .iter()
            .all(|up| *up)
    );
    for area in MOVERS {
        world.quality(area, better(area), 200.0);
    }
    let quality = world
        .engine
        .known
        .estimates
        .quality(AreaId(2), LinkId(better(2)));
    assert!(quality.unwrap().value > 100.0, "{quality:?}");
    for _ in 0..40 {
        world.wait(17);
        world.repair(1);
        world.demand(MBPS);
        world.cycle();
    }
    assert!(world.on_link(1, MBPS) > 100.0);
    world.wait(600);
    assert!(world.engine.frozen(world.now).is_some(), "silence is seen");
}

#[test]
fn a_pinned_map_stays_whatever_is_to_be_gained() {
    let mut world = world(|rules| rules.gates.canary.share = 0.0);
    let before = world.shares();
    world.engine.pin(Some("maintenance".to_owned()));
    world.improve();
    assert_eq!(last(&world.cycle()), Held::Pinned(String::new()).word());
    assert_eq!(world.shares(), before);
    world.engine.pin(None);
    world.engine.trust_next_input();
    assert_eq!(last(&world.cycle()), Reason::Gain.word());
    assert_ne!(world.shares(), before);
}
