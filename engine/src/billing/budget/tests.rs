//! Budgets whose best is known, and bounds that hold.

use super::*;
use coverage::LinkId;
use instance::{Contract, ContractModel, Link, Shares, Site, Unit};
use proptest::prelude::*;

fn instance(capacities: &[f64], units: &[&[(LinkId, f64)]]) -> Instance {
    Instance {
        version: 1,
        slot_seconds: 300,
        value_cny_per_gbps_ms_slot: 0.02,
        move_cost_ms: 0.0,
        regions: Vec::new(),
        links: capacities
            .iter()
            .enumerate()
            .map(|(i, mbps)| Link {
                id: format!("l{i}"),
                site: "s".into(),
                capacity_mbps: *mbps,
                watermark_mbps: None,
                contract: format!("m{i}"),
            })
            .collect(),
        sites: vec![Site {
            id: "s".into(),
            region: "r".into(),
            capacity_mbps: 1e9,
            watermark_mbps: None,
            capacity_rps: None,
        }],
        contracts: (0..capacities.len())
            .map(|i| Contract {
                id: format!("m{i}"),
                model: ContractModel::Month95,
                price_cny_per_mbps: Some(0.0),
                price_cny_per_gb: None,
                free_below_mbps: 0.0,
                burst: false,
            })
            .collect(),
        units: units
            .iter()
            .enumerate()
            .map(|(i, cand)| Unit {
                area: format!("a{i}"),
                service: "s".into(),
                mbps: 0.0,
                rps: 0.0,
                latency_limit_ms: None,
                incumbent: Shares::new(),
                cand: cand.to_vec(),
            })
            .collect(),
    }
}

fn outlook<'a>(
    instance: &'a Instance,
    scenes: &[(f64, &[f64])],
    levels: &[(f64, f64)],
) -> Outlook<'a> {
    Outlook {
        instance,
        scenes: scenes
            .iter()
            .map(|(slots, demand)| Scene {
                day: 0,
                slots: *slots,
                demand_mbps: demand.to_vec(),
            })
            .collect(),
        volume_cny_per_mbps: vec![0.0; instance.contracts.len()],
        levels: levels
            .iter()
            .enumerate()
            .map(|(contract, (price, tokens))| Level {
                contract,
                day: None,
                price_cny_per_mbps: *price,
                min_mbps: 0.0,
                max_mbps: instance.links[contract].capacity_mbps,
                tokens: *tokens,
            })
            .collect(),
        unserved_cny_per_mbps: 30.0,
    }
}

const EXACT: BudgetOptions = BudgetOptions {
    gap: 1e-4,
    rounds_max: 40_000,
    flows_max: usize::MAX,
};

fn near(a: f64, b: f64) {
    assert!((a - b).abs() <= 2e-3 * b.abs().max(1.0), "{a} is not {b}");
}

#[test]
fn without_tokens_the_peak_is_paid_where_it_is_cheapest() {
    let instance = instance(&[100.0, 100.0], &[&[(LinkId(0), 5.0), (LinkId(1), 5.0)]]);
    let plan = outlook(
        &instance,
        &[(90.0, &[50.0]), (10.0, &[120.0])],
        &[(10.0, 0.0), (20.0, 0.0)],
    )
    .plan(&EXACT)
    .unwrap();
    near(plan.level_mbps[0], 100.0);
    near(plan.level_mbps[1], 20.0);
    assert!(plan.gap() < 1e-3, "{}", plan.gap());
}

#[test]
fn contracts_take_turns_at_the_peak() {
    // 10 slots of peak 150; each of two contracts may burst in 5 of them up to 100, so each needs a
    // level of 50.
    let instance = instance(&[100.0, 100.0], &[&[(LinkId(0), 5.0), (LinkId(1), 5.0)]]);
    let plan = outlook(
        &instance,
        &[(90.0, &[40.0]), (10.0, &[150.0])],
        &[(10.0, 5.0), (10.0, 5.0)],
    )
    .plan(&EXACT)
    .unwrap();
    near(plan.level_mbps.iter().sum(), 100.0);
    near(plan.money_cny, 1000.0);
    assert!(
        plan.lower_bound_cny <= plan.cost_cny && plan.gap() < 1e-3,
        "{}",
        plan.gap()
    );
}

#[test]
fn a_level_is_never_planned_below_what_is_certain() {
    let instance = instance(&[100.0], &[&[(LinkId(0), 5.0)]]);
    let mut outlook = outlook(&instance, &[(100.0, &[30.0])], &[(10.0, 5.0)]);
    outlook.levels[0].min_mbps = 70.0;
    near(outlook.plan(&EXACT).unwrap().level_mbps[0], 70.0);
}

#[test]
fn days_have_levels_of_their_own_and_volume_is_compared_with_them() {
    let instance = instance(&[100.0, 100.0], &[&[(LinkId(0), 5.0), (LinkId(1), 5.0)]]);
    let mut outlook = outlook(&instance, &[(10.0, &[80.0]), (10.0, &[20.0])], &[]);
    outlook.scenes[1].day = 1;
    outlook.volume_cny_per_mbps[1] = 0.5;
    // By the day 1 CNY per Mbps, less than ten slots by volume.
    outlook.levels = (0..2)
        .map(|day| Level {
            contract: 0,
            day: Some(day),
            price_cny_per_mbps: 1.0,
            min_mbps: 0.0,
            max_mbps: 100.0,
            tokens: 0.0,
        })
        .collect();
    let plan = outlook.plan(&EXACT).unwrap();
    near(plan.level_mbps[0], 80.0);
    near(plan.level_mbps[1], 20.0);
}

#[test]
fn bad_records_are_named() {
    let instance = instance(&[100.0], &[&[(LinkId(0), 5.0)]]);
    let good = || outlook(&instance, &[(10.0, &[80.0])], &[(1.0, 0.0)]);
    let said = |outlook: Outlook<'_>| outlook.plan(&EXACT).unwrap_err().to_string();
    let mut bad = good();
    bad.scenes[0].demand_mbps[0] = f64::NAN;
    assert!(said(bad).contains("unit 0 in scene 0"));
    let mut bad = good();
    bad.levels[0].price_cny_per_mbps = -1.0;
    assert!(said(bad).contains("price of contract m0"));
    let mut bad = good();
    bad.scenes.clear();
    assert!(said(bad).contains("no demand history"));
    let mut other = instance.clone();
    other.links[0].contract = "other".into();
    let mut bad = good();
    bad.instance = &other;
    assert!(said(bad).contains("m0 has no link"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    /// The bound lies below every plan, and the method closes most of the gap.
    #[test]
    fn bound_and_plan_meet(
        capacities in prop::collection::vec(50.0..150.0_f64, 2..5),
        demand in prop::collection::vec(prop::collection::vec(0.0..60.0_f64, 3), 1..6),
        ms in prop::collection::vec(1.0..60.0_f64, 15),
        tokens in 0.0..4.0_f64,
    ) {
        let links = u32::try_from(capacities.len()).unwrap();
        let cands: Vec<Vec<(LinkId, f64)>> = (0..3).map(|u| (0..links).map(LinkId).map(|l| (l, ms[u * 5 + l.index()])).collect()).collect();
        let cands: Vec<&[(LinkId, f64)]> = cands.iter().map(Vec::as_slice).collect();
        let instance = instance(&capacities, &cands);
        let scenes: Vec<(f64, &[f64])> = demand.iter().map(|demand| (20.0, demand.as_slice())).collect();
        let levels = vec![(5.0, tokens); capacities.len()];
        let plan = outlook(&instance, &scenes, &levels).plan(&BudgetOptions { gap: 5e-3, rounds_max: 60_000, flows_max: usize::MAX }).unwrap();
        prop_assert!(plan.lower_bound_cny <= plan.cost_cny * (1.0 + 1e-9));
        prop_assert!(plan.gap() <= 2e-2, "gap {} after {} rounds", plan.gap(), plan.rounds);
    }
}

/// Units in a row, each with its two nearest of four links; neighbours have the same ones at a
/// little other distance.
fn row(units: u32) -> Instance {
    let cand = |unit: u32| {
        let at = f64::from(unit) * 3.0 / f64::from(units);
        let mut links: Vec<(LinkId, f64)> = (0..4)
            .map(|link| (LinkId(link), 10.0 + 4.0 * (at - f64::from(link)).abs()))
            .collect();
        links.sort_by(|a, b| a.1.total_cmp(&b.1));
        links.truncate(2);
        links
    };
    let units: Vec<Vec<(LinkId, f64)>> = (0..units).map(cand).collect();
    let units: Vec<&[(LinkId, f64)]> = units.iter().map(Vec::as_slice).collect();
    instance(&[100.0; 4], &units)
}

#[test]
fn units_with_the_same_best_links_are_planned_as_one_at_nearly_the_same_levels() {
    let instance = row(60);
    let demand = |mbps: f64| -> Vec<f64> {
        let of = |unit: usize| mbps * if unit.is_multiple_of(2) { 0.5 } else { 1.5 };
        (0..60).map(of).collect()
    };
    let (day, evening) = (demand(2.0), demand(4.5));
    let levels = [(10.0, 3.0), (12.0, 3.0), (9.0, 0.0), (11.0, 3.0)];
    let outlook = outlook(&instance, &[(80.0, &day), (20.0, &evening)], &levels);
    let one_by_one = outlook.plan(&EXACT).unwrap();
    // Of 60 units with 3 flows in 2 scenes, six bundles are left.
    let few = BudgetOptions {
        flows_max: 100,
        ..EXACT
    };
    let bundled = bundle::taken_together(&outlook, few.flows_max).unwrap();
    assert!((4..12).contains(&bundled.instance.units.len()));
    let ms = |unit: &Unit| unit.cand.iter().map(|cand| cand.1).collect::<Vec<_>>();
    let all: Vec<f64> = bundled.instance.units.iter().flat_map(ms).collect();
    assert!(all.iter().all(|ms| (10.0..16.0).contains(ms)), "{all:?}");
    for (scene, all) in bundled.scenes.iter().zip([&day, &evening]) {
        let sum = |demand: &[f64]| demand.iter().sum::<f64>();
        near(sum(&scene.demand_mbps), sum(all));
    }
    let together = outlook.plan(&few).unwrap();
    for (one, other) in one_by_one.level_mbps.iter().zip(&together.level_mbps) {
        assert!((one - other).abs() < 1.5, "{one} {other}");
    }
    let (cost, other) = (one_by_one.cost_cny, together.cost_cny);
    assert!((cost - other).abs() < 0.005 * cost, "{cost} {other}");
}

#[test]
fn a_plan_that_is_given_up_ends_within_a_round() {
    use std::sync::atomic::{AtomicUsize, Ordering};
    let instance = instance(&[100.0, 100.0], &[&[(LinkId(0), 5.0), (LinkId(1), 5.0)]]);
    let outlook = outlook(&instance, &[(90.0, &[50.0])], &[(10.0, 4.0), (20.0, 4.0)]);
    let looks = AtomicUsize::new(0);
    let expired = || looks.fetch_add(1, Ordering::Relaxed) >= 7;
    let given_up = outlook.plan_until(&EXACT, &expired).unwrap_err();
    assert_eq!(given_up, BudgetError::GivenUp);
    assert_eq!(looks.load(Ordering::Relaxed), 8);
}
