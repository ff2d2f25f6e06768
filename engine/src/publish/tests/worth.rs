//! Worth of a plan as a map.

use super::*;
use checker::Verified;
use instance::{LevelBound, Levels};

fn levels(overload_mbps: f64, cost_cny: f64) -> Levels {
    Levels {
        overload_mbps,
        latency_cny: cost_cny,
        ..Levels::default()
    }
}

/// The verdict on a plan with a gap, beside a map in force: (overload, cost) of each.
fn verdict(
    gap: f64,
    plan: (f64, f64),
    incumbent: (f64, f64),
    limits_changed: bool,
) -> Result<Reason, &'static str> {
    let plan = levels(plan.0, plan.1);
    let verified = Verified {
        levels: plan,
        bound: LevelBound::default(),
        levels_proved: 3,
        gap: Some(gap),
    };
    let incumbent = levels(incumbent.0, incumbent.1);
    let rules = PublishRules::default();
    let asked = (&verified, &plan, 1000.0);
    gate(&rules, asked, Some(&incumbent), limits_changed).map_err(|held| held.word())
}

#[test]
fn a_gain_must_be_beyond_the_hysteresis_and_proved() {
    let (narrow, wide) = (1e-4, 0.02);
    let (dear, cheap) = ((0.0, 100.0), (0.0, 90.0));
    assert_eq!(verdict(narrow, cheap, dear, false), Ok(Reason::Gain));
    assert_eq!(verdict(narrow, (0.0, 99.9), dear, false), Err("no-gain"));
    assert_eq!(verdict(wide, cheap, dear, false), Err("gap"));
}

#[test]
fn what_relieves_is_followed_however_wide_the_gap() {
    for limits_changed in [false, true] {
        let relief = verdict(0.5, (0.0, 200.0), (50.0, 100.0), limits_changed);
        let reason = if limits_changed {
            Reason::Limits
        } else {
            Reason::Relief
        };
        assert_eq!(relief, Ok(reason));
    }
}

#[test]
fn changed_limits_are_followed_at_a_loss_but_not_into_the_unproved() {
    let (dear, cheap) = ((0.0, 100.0), (0.0, 90.0));
    assert_eq!(verdict(1e-4, dear, cheap, false), Err("no-gain"));
    assert_eq!(verdict(1e-4, dear, cheap, true), Ok(Reason::Limits));
    assert_eq!(verdict(1e-4, (50.0, 90.0), cheap, true), Ok(Reason::Limits));
    assert_eq!(verdict(0.02, dear, cheap, true), Err("gap"));
    assert_eq!(verdict(0.02, (50.0, 90.0), cheap, true), Err("gap"));
    assert_eq!(verdict(1e-4, (50.0, 90.0), cheap, false), Err("no-gain"));
}

#[test]
fn what_is_not_worth_it_or_not_proved_is_said_once_and_ends_with_a_gain() {
    let mut scene = Scene::new(open());
    for _ in 0..3 {
        scene.gates.note_verdict(&Err(Held::NoGain), 0.003);
    }
    scene.gates.note_verdict(&Err(Held::NoGain), 0.0);
    assert_eq!(scene.news(), [(Gate::Hysteresis, true)]);
    scene.gates.note_verdict(&Ok(Reason::Gain), 0.01);
    assert_eq!(scene.news(), [(Gate::Hysteresis, false)]);
}

#[test]
fn what_is_refused_is_said_once_and_taken_back() {
    let mut scene = Scene::new(open());
    let refused = |why: &str| why.to_owned();
    let all = [
        (Held::Gap { gap: 0.02 }, Gate::Gap),
        (Held::Checker(refused("too much on p")), Gate::Checker),
        (Held::Instance(refused("no candidates")), Gate::Instance),
        (Held::Uncovered(refused("no answer")), Gate::Uncovered),
    ];
    for (held, gate) in all {
        for _ in 0..2 {
            scene.gates.note_refusal(Some(&held));
        }
        assert_eq!(scene.news(), [(gate, true)]);
        scene.gates.note_refusal(Some(&Held::NoGain));
        assert_eq!(scene.news(), [(gate, false)]);
    }
}
