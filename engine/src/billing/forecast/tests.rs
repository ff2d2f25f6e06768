//! Forecasts from days of made-up demand.

use super::*;

const SLOT_MS: u64 = 300_000;
/// Monday 2026-11-02T00:00Z.
const MONDAY: u64 = 1_793_577_600_000;

fn at(slot: u64) -> Timestamp {
    Timestamp(MONDAY + slot * SLOT_MS)
}

/// 10 at night, 20 from noon on, twice that on weekends.
fn shape(slot: u64) -> f64 {
    let base = if slot % 288 < 144 { 10.0 } else { 20.0 };
    if slot / 288 % 7 >= 5 {
        base * 2.0
    } else {
        base
    }
}

#[test]
fn weekdays_and_weekends_are_told_apart_and_counted() {
    let mut forecast = Forecast::new(1, UtcOffset::UTC, SLOT_MS);
    assert_eq!(
        forecast.horizon(at(0), at(288)),
        None,
        "nothing is known yet"
    );
    for slot in 0..14 * 288 {
        forecast.observe(at(slot), &[shape(slot)]).unwrap();
    }
    // From Tuesday noon to the end of the Monday after.
    let horizon = forecast
        .horizon(at(15 * 288 + 144), at(21 * 288 + 288))
        .unwrap();
    let days: Vec<String> = horizon.days.iter().map(f64::to_string).collect();
    assert_eq!(days, ["1", "4", "2"]);
    let slots: f64 = horizon.scenes.iter().map(|scene| scene.slots).sum();
    assert!((slots - (144.0 + 6.0 * 288.0)).abs() < 1e-9, "{slots}");
    let peak = |day| {
        horizon
            .scenes
            .iter()
            .filter(|s| s.day == day)
            .map(|s| s.demand_mbps[0])
            .fold(0.0, f64::max)
    };
    for (day, expected) in [(0, 20.0), (1, 20.0), (2, 40.0)] {
        assert!(
            (peak(day) - expected).abs() < 0.5,
            "day {day}: {}",
            peak(day)
        );
    }
}

#[test]
fn growth_follows_the_profile() {
    let mut forecast = Forecast::new(1, UtcOffset::UTC, SLOT_MS);
    assert_eq!(forecast.growth(at(0), at(1)), [1.0]);
    for slot in 0..7 * 288 {
        forecast.observe(at(slot), &[shape(slot)]).unwrap();
    }
    assert!(forecast.growth(at(7 * 288 + 143), at(7 * 288 + 144))[0] > 1.05);
}

#[test]
fn bad_demand_is_named_and_nothing_is_lost() {
    let mut forecast = Forecast::new(2, UtcOffset::UTC, SLOT_MS);
    forecast.observe(at(0), &[1.0, 2.0]).unwrap();
    let fault = forecast.observe(at(1), &[1.0, f64::NAN]).unwrap_err();
    assert!(fault.to_string().contains("unit 1"), "{fault}");
    assert!(forecast.observe(at(1), &[1.0]).is_err());
    assert!(forecast.observe(at(1), &[1.0, f64::INFINITY]).is_err());
    forecast.observe(at(6), &[1.0, 2.0]).unwrap();
    let horizon = forecast.horizon(at(0), at(12)).unwrap();
    assert_eq!(horizon.scenes[0].demand_mbps, [1.0, 2.0]);
}

#[test]
fn what_was_learnt_comes_back_bin_by_bin() {
    let mut forecast = Forecast::new(2, UtcOffset::UTC, SLOT_MS);
    let mut kept = Vec::new();
    for slot in 0..8 * 288 {
        assert_eq!(forecast.knows_a_day(), slot > 288, "slot {slot}");
        let demand = [shape(slot) * 1.01, 3.0 + 0.25 * (slot % 7) as f64];
        forecast.observe(at(slot), &demand).unwrap();
        kept.extend(forecast.take_learnt());
    }
    assert_eq!(kept.len(), 8 * 48 - 1, "all but the bin under way");
    kept.reverse();
    let mut restored = Forecast::new(2, UtcOffset::UTC, SLOT_MS);
    assert_eq!(restored.restore(kept), 2 * 48);
    assert_eq!(restored.take_learnt(), None, "it is kept already");
    assert!(restored.knows_a_day());
    let (from, to) = (at(8 * 288), at(20 * 288));
    let [before, after] = [&forecast, &restored].map(|f| f.horizon(from, to).unwrap());
    let [days, days_after] = [&before, &after].map(|horizon| horizon.days.map(f64::to_bits));
    assert_eq!(days, days_after);
    assert_eq!(before.scenes.len(), after.scenes.len());
    for (before, after) in before.scenes.iter().zip(&after.scenes) {
        for (before, after) in before.demand_mbps.iter().zip(&after.demand_mbps) {
            assert!((before - after).abs() < 1e-5, "{before} {after}");
        }
    }
}

#[test]
fn damaged_bins_are_left_out() {
    let sane = UsualDemand {
        bin: 5,
        ratio: 1.0,
        mbps: vec![1.0, 2.0],
    };
    let changed = |change: fn(&mut UsualDemand)| {
        let mut usual = sane.clone();
        change(&mut usual);
        usual
    };
    let damaged = [
        changed(|usual| usual.mbps[1] = f32::NAN),
        changed(|usual| usual.mbps[0] = -1.0),
        changed(|usual| usual.mbps[0] = f32::INFINITY),
        changed(|usual| usual.mbps.truncate(1)),
        changed(|usual| usual.ratio = f64::NAN),
        changed(|usual| usual.ratio = f64::MAX),
    ];
    let mut forecast = Forecast::new(2, UtcOffset::UTC, SLOT_MS);
    assert_eq!(forecast.restore(damaged.to_vec()), 0);
    assert_eq!(forecast.horizon(at(0), at(288)), None);
    let far = [i64::MIN, i64::MAX].map(|bin| UsualDemand {
        bin,
        ..sane.clone()
    });
    assert_eq!(forecast.restore([&far[..], &damaged].concat()), 2);
    assert!(!forecast.knows_a_day());
}
