//! Small months: figures that must hold whatever the seed.

use super::*;
use engine::billing::budget::BudgetOptions;

fn small(seed: u64, days: usize) -> Scenario {
    month_95(&MonthOptions {
        seed,
        days,
        ..MonthOptions::default()
    })
    .thinned(8)
}

#[test]
fn equal_seeds_give_equal_months_and_other_seeds_others() {
    let bill = |seed| play(&small(seed, 1), Policy::Latency, None, &|_| {}).unwrap();
    let (a, b) = (bill(3), bill(3));
    assert_eq!(a, b);
    assert!((a.bill_cny - bill(4).bill_cny).abs() > 1.0);
}

#[test]
fn bills_are_those_of_a_naive_sort() {
    use instance::ContractModel;
    let scenario = small(1, 1);
    let month = play(&scenario, Policy::Latency, None, &|_| {}).unwrap();
    // One day has 288 samples; a 30-day month forgives 432 of its slots.
    for (bill, terms) in month.bills.iter().zip(&scenario.inventory.contracts) {
        if bill.model == ContractModel::Month95 {
            assert!(bill.slots_above <= 432, "{}", bill.contract);
            assert!((bill.cny - bill.level_mbps * terms.price_cny_per_mbps_month).abs() < 1e-6);
        }
        assert!(bill.level_mbps >= terms.commit_mbps);
        assert!(bill.peak_mbps <= bill.capacity_mbps + 1e-6);
    }
}

#[test]
fn the_controller_serves_all_saves_money_and_stays_above_the_bound() {
    // One day has fewer slots than a month forgives: only from two on does anything cost.
    let scenario = small(1, 2);
    let options = BudgetOptions {
        gap: 5e-2,
        rounds_max: 400,
        flows_max: usize::MAX,
    };
    let known = offline(&scenario, 1.0, &options).unwrap();
    let bound = known.1.lower_bound_cny + fixed_cny(&scenario);
    let play = |policy| play(&scenario, policy, Some(&known), &|_| {}).unwrap();
    let (plain, steered, foreseen) = (
        play(Policy::NoBurst),
        play(Policy::Controlled),
        play(Policy::Foreseen),
    );
    for month in [&plain, &steered, &foreseen] {
        assert!(
            month.bill_cny + month.latency_cny >= bound * (1.0 - 1e-6),
            "{}",
            month.policy.name()
        );
        assert!(month.unserved_share < 1e-9, "{}", month.policy.name());
    }
    assert!(
        steered.bill_cny < 0.8 * plain.bill_cny,
        "{} against {}",
        steered.bill_cny,
        plain.bill_cny
    );
    let months = [plain, steered, foreseen];
    for text in [
        policies_csv(&months, |_| bound),
        contracts_csv(&months),
        hours_csv(&months),
        outages_csv(&scenario),
    ] {
        let fields: Vec<usize> = text.lines().map(|line| line.split(',').count()).collect();
        assert!(fields.len() > 1 && fields.iter().all(|count| *count == fields[0]));
        assert!(!text.contains('"') && !text.contains("Month95"));
    }
    let plots = plots(&months);
    assert!(plots.iter().all(|(_, svg)| svg.starts_with("<svg")
        && svg.ends_with("</svg>\n")
        && !svg.contains("NaN")));
    assert_eq!(
        contracts_csv(&months).lines().count(),
        1 + months.len() * scenario.inventory.contracts.len()
    );
}

#[test]
fn baselines_with_prices_serve_everything_too() {
    let scenario = small(5, 1);
    for policy in [Policy::Cheapest, Policy::CommonShare] {
        let month = play(&scenario, policy, None, &|_| {}).unwrap();
        assert!(month.unserved_share < 1e-9, "{}", policy.name());
        assert!(month.every_slot_cny >= month.bill_cny, "{}", policy.name());
        assert!(month.forecast_error_share > 0.0 && month.forecast_error_share < 0.1);
        let [middle, _, high] = month.utilisation_percentiles;
        assert!(
            middle > 0.0 && middle <= high && high <= 1.0,
            "{middle} {high}"
        );
    }
}

#[test]
fn outages_carry_nothing() {
    let mut scenario = small(2, 1);
    scenario.outages = vec![Outage {
        from: 0,
        until: scenario.slots,
        links: vec![7],
    }];
    let month = play(&scenario, Policy::Controlled, None, &|_| {}).unwrap();
    assert!(month.bills[7].peak_mbps < 1e-9);
    assert!(outages_csv(&scenario).contains(&scenario.instance.links[7].id));
}
