//! Input that jumps, and input that creeps.

use super::*;

#[test]
fn input_that_jumps_is_doubted_until_it_has_stayed() {
    let mut scene = Scene::new(open());
    let believed = instance();
    let mut jumped = instance();
    for unit in &mut jumped.units {
        unit.mbps *= 1.5;
    }
    scene.gates.admit(&believed, at(0)).unwrap();
    // What was assumed at the start becomes what is measured.
    scene.gates.admit(&jumped, at(1)).unwrap();
    scene.gates.admit(&believed, at(600)).unwrap_err();
    scene.gates.trust_next_input();
    scene.gates.admit(&believed, at(600)).unwrap();
    scene.news();
    let doubted = scene.gates.admit(&jumped, at(610)).unwrap_err();
    assert!(
        doubted.to_string().contains("from 400 to 600 Mbps"),
        "{doubted}"
    );
    assert_eq!(scene.news(), [(Gate::Input, true)]);
    assert!(scene.gates.admit(&jumped, at(900)).is_err());
    assert!(scene.news().is_empty());
    scene.gates.admit(&jumped, at(1211)).unwrap();
    assert_eq!(scene.news(), [(Gate::Input, false)]);
    // Back within the settling time: nothing has happened.
    assert!(scene.gates.admit(&believed, at(1220)).is_err());
    scene.gates.admit(&jumped, at(1230)).unwrap();
    // An operator knows better.
    scene.gates.trust_next_input();
    scene.gates.admit(&believed, at(1240)).unwrap();
}

#[test]
fn a_price_that_jumped_over_a_restart_is_doubted_and_one_that_is_new_or_near_is_not() {
    let prices = |prices: &[(&str, f64)]| -> Prices {
        prices
            .iter()
            .map(|(name, cny)| ((*name).to_owned(), *cny))
            .collect()
    };
    let mut scene = Scene::new(open());
    let before = prices(&[("a", 10.0), ("b", 0.2), ("gone", 5.0)]);
    let near = prices(&[("a", 29.0), ("b", 0.1), ("new", 900.0)]);
    scene.gates.compare_prices(&before, &near);
    assert!(scene.gates.believes_prices());
    for (is, operator) in [(1000.0, false), (0.0, false), (1000.0, true)] {
        let mut scene = Scene::new(open());
        scene
            .gates
            .compare_prices(&before, &prices(&[("a", is), ("b", 0.2)]));
        let doubted = scene.gates.admit(&instance(), at(5)).unwrap_err();
        let jump = format!("the price of a jumped from 10 to {is} CNY over the restart");
        assert!(doubted.to_string().contains(&jump), "{doubted}");
        assert!(scene.gates.admit(&instance(), at(600)).is_err());
        assert!(!scene.gates.believes_prices());
        assert_eq!(scene.news(), [(Gate::Input, true)]);
        if operator {
            scene.gates.trust_next_input();
        }
        scene
            .gates
            .admit(&instance(), at(if operator { 601 } else { 605 }))
            .unwrap();
        assert!(scene.gates.believes_prices());
        assert_eq!(scene.news(), [(Gate::Input, false)]);
    }
}

#[test]
fn prices_and_best_places_that_jump_are_doubted_and_growth_is_not() {
    let mut gates = Gates::new(open(), UNITS, 3);
    gates.admit(&instance(), at(0)).unwrap();
    let mut dear = instance();
    dear.contracts[0].price_cny_per_gb = Some(0.4);
    assert!(
        gates
            .admit(&dear, at(601))
            .unwrap_err()
            .to_string()
            .contains("price")
    );
    let mut turned = instance();
    for unit in &mut turned.units {
        unit.cand[2].1 = 5.0;
    }
    let doubted = gates.admit(&turned, at(602)).unwrap_err();
    assert!(doubted.to_string().contains("best place"), "{doubted}");
    // When the best place was closed, it is clear why another one is best.
    let mut closed = instance();
    closed.sites[1].capacity_mbps = 0.0;
    for unit in &mut closed.units {
        unit.cand.remove(1);
    }
    gates.admit(&closed, at(603)).unwrap();
    let mut grown = closed;
    for unit in &mut grown.units {
        unit.mbps *= 1.2;
    }
    gates.admit(&grown, at(604)).unwrap();
}

#[test]
fn demand_that_creeps_beyond_what_may_jump_is_doubted_too() {
    let grown = |factor: f64| {
        let mut grown = instance();
        for unit in &mut grown.units {
            unit.mbps *= factor;
        }
        grown
    };
    let (mut gates, mut now) = (Gates::new(open(), UNITS, 3), 0);
    gates.admit(&grown(1.0), at(0)).unwrap();
    gates.admit(&grown(1.0), at(601)).unwrap();
    let mut factor = 1.0;
    while now < 300 && factor <= 1.3 {
        now += 20;
        factor *= 1.05;
        let admitted = gates.admit(&grown(factor), at(601 + now));
        assert_eq!(admitted.is_ok(), factor <= 1.3, "{factor} {admitted:?}");
    }
    assert!(factor > 1.3);
    // The same growth within hours is what demand does.
    let mut gates = Gates::new(open(), UNITS, 3);
    for hour in 0..40 {
        let growth = grown(1.05_f64.powi(hour));
        gates
            .admit(&growth, at(601 * (1 + u64::from(hour.unsigned_abs()))))
            .unwrap();
    }
}
