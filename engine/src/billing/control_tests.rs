//! The controller's promises, under any optimizer and any traffic.

use super::budget::Scene;
use super::*;
use crate::inventory::{self, Inventory};
use coverage::{LinkId, SiteId, Timestamp};
use instance::{Contract, ContractModel, Instance, Link, Shares, Site, Unit};
use proptest::prelude::*;
use std::time::Duration;

const SLOT_MS: u64 = 300_000;
/// 2026-11-01T00:00Z.
const NOVEMBER: u64 = 1_793_491_200_000;

fn contracts(model: ContractModel) -> (Inventory, Instance) {
    let mut inventory = Inventory::default();
    inventory.sites.push(inventory::Site {
        name: "s".into(),
        region: "r".into(),
        country: "cn".into(),
        province: String::new(),
        latitude: 0.0,
        longitude: 0.0,
    });
    for index in 0..2 {
        inventory.contracts.push(inventory::Contract {
            name: format!("m{index}"),
            model,
            price_cny_per_mbps_month: 10.0,
            price_cny_per_gb: 0.0,
            commit_mbps: 5.0,
            utc_offset: UtcOffset::UTC,
        });
        inventory.links.push(inventory::Link {
            name: format!("l{index}"),
            site: SiteId(0),
            isp: "ct".into(),
            capacity_mbps: 100.0,
            watermark_mbps: 100.0,
            contract: index,
        });
    }
    let link = |index: usize| Link {
        id: format!("l{index}"),
        site: "s".into(),
        capacity_mbps: 100.0,
        watermark_mbps: None,
        contract: format!("m{index}"),
    };
    let contract = |index: usize| Contract {
        id: format!("m{index}"),
        model: ContractModel::Month95,
        price_cny_per_mbps: Some(0.0),
        price_cny_per_gb: None,
        free_below_mbps: 0.0,
        burst: false,
    };
    let instance = Instance {
        version: 1,
        slot_seconds: 300,
        value_cny_per_gbps_ms_slot: 0.02,
        move_cost_ms: 0.0,
        regions: Vec::new(),
        links: (0..2).map(link).collect(),
        sites: vec![Site {
            id: "s".into(),
            region: "r".into(),
            capacity_mbps: 1e6,
            watermark_mbps: None,
            capacity_rps: None,
        }],
        contracts: (0..2).map(contract).collect(),
        units: vec![Unit {
            area: "a".into(),
            service: "s".into(),
            mbps: 0.0,
            rps: 0.0,
            latency_limit_ms: None,
            incumbent: Shares::new(),
            cand: vec![(LinkId(0), 5.0), (LinkId(1), 6.0)],
        }]
        .into(),
    };
    (inventory, instance)
}

fn horizon(slots: f64, mbps: f64) -> Horizon {
    let scene = |day, slots, mbps| Scene {
        day,
        slots,
        demand_mbps: vec![mbps],
    };
    Horizon {
        scenes: vec![
            scene(0, 144.0, mbps),
            scene(1, slots * 0.9, mbps * 0.5),
            scene(1, slots * 0.1, mbps),
        ],
        days: [1.0, 29.0, 0.0],
    }
}

/// Puts a total on two contracts at the prices of the controller: first what is free, then the
/// cheaper one.
fn place(total: f64, marginals: &[Marginal]) -> Vec<f64> {
    let free = |marginal: &Marginal| {
        if marginal.burst {
            100.0
        } else {
            marginal.free_below_mbps.min(100.0)
        }
    };
    let mut load: Vec<f64> = vec![0.0; 2];
    let mut rest = total;
    for (load, marginal) in load.iter_mut().zip(marginals) {
        *load = rest.min(free(marginal));
        rest -= *load;
    }
    let cheap = usize::from(marginals[1].price_cny_per_mbps < marginals[0].price_cny_per_mbps);
    for index in [cheap, 1 - cheap] {
        let more = rest.min(100.0 - load[index]);
        load[index] += more;
        rest -= more;
    }
    load
}

#[test]
fn contracts_that_do_not_match_or_have_no_link_are_named() {
    let (inventory, mut instance) = contracts(ContractModel::Month95);
    let ledger = Ledger::new(&inventory, Duration::from_millis(SLOT_MS));
    let said = |instance: &Instance| {
        Controller::new(&ledger, instance, ControlOptions::default())
            .unwrap_err()
            .to_string()
    };
    instance.links[1].contract = "m0".into();
    assert!(said(&instance).contains("m1 has no link"));
    instance.contracts[0].id = "other".into();
    assert!(said(&instance).contains("m0 in the ledger and other"));
    instance.contracts.pop();
    assert!(said(&instance).contains("2 contracts"));
}

#[test]
fn a_month_without_history_is_refused_and_prices_fall_back_to_what_is_certain() {
    let (inventory, instance) = contracts(ContractModel::Month95);
    let ledger = Ledger::new(&inventory, Duration::from_millis(SLOT_MS));
    let mut control = Controller::new(&ledger, &instance, ControlOptions::default()).unwrap();
    let nothing = Horizon {
        scenes: vec![],
        days: [1.0, 29.0, 0.0],
    };
    let now = Timestamp(NOVEMBER);
    let fault = control.plan(&ledger, &instance, &nothing, now).unwrap_err();
    assert!(fault.to_string().contains("no demand history"), "{fault}");
    control.open(&ledger, now);
    assert_eq!(control.marginal(&ledger, 0, now), ledger.marginal(0, now));
    assert_eq!(control.judge(&[90.0, 90.0]), Verdict::Settled);
}

#[test]
fn without_bursts_nothing_bursts_and_the_level_follows_the_peak() {
    let (inventory, instance) = contracts(ContractModel::Month95);
    let ledger = Ledger::new(&inventory, Duration::from_millis(SLOT_MS));
    let options = ControlOptions {
        bursts: false,
        ..ControlOptions::default()
    };
    let mut control = Controller::new(&ledger, &instance, options).unwrap();
    let now = Timestamp(NOVEMBER);
    control
        .plan(&ledger, &instance, &horizon(8000.0, 80.0), now)
        .unwrap();
    let levels = [0, 1].map(|contract| control.level_mbps(contract).unwrap());
    assert!(
        (levels.iter().sum::<f64>() - 80.0).abs() < 2.0,
        "{levels:?}"
    );
    control.open(&ledger, now);
    assert_eq!(control.judge(&[95.0, 95.0]), Verdict::Settled);
    control.close(&[95.0, 50.0]);
    assert_eq!(control.level_mbps(0), Some(95.0));
}

#[test]
fn the_rest_of_a_slot_is_asked_for_again_only_when_its_beginning_was_too_much() {
    let (inventory, instance) = contracts(ContractModel::Month95);
    let ledger = Ledger::new(&inventory, Duration::from_millis(SLOT_MS));
    let mut control = Controller::new(&ledger, &instance, ControlOptions::default()).unwrap();
    let now = Timestamp(NOVEMBER);
    control
        .plan(&ledger, &instance, &horizon(8000.0, 80.0), now)
        .unwrap();
    control.open(&ledger, now);
    let [first, second] =
        [0, 1].map(|contract| control.marginal(&ledger, contract, now).free_below_mbps);
    assert_eq!(control.judge(&[first, second]), Verdict::Settled);
    assert_eq!(
        control.reopen(0.4, &[first, second], &[first, second]),
        Verdict::Settled
    );
    // A clock or a counter that lies changes nothing.
    for passed in [f64::NAN, -1.0, 1.0, 7.0] {
        assert_eq!(
            control.reopen(passed, &[99.0, 99.0], &[99.0, 99.0]),
            Verdict::Settled
        );
    }
    assert_eq!(
        control.reopen(0.4, &[f64::NAN, second], &[99.0, second]),
        Verdict::Settled
    );
    assert!((control.marginal(&ledger, 0, now).free_below_mbps - first).abs() < 1e-9);
    let above = first + 2.0;
    assert_eq!(
        control.reopen(0.4, &[above, second], &[above, second]),
        Verdict::AskAgain
    );
    let rest = control.marginal(&ledger, 0, now).free_below_mbps;
    assert!(
        (0.4f64.mul_add(above, 0.6 * rest) - first).abs() < 1e-9,
        "{rest}"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    /// Levels never lie below what is certain; no contract bursts without a token; traffic always
    /// finds a place.
    #[test]
    fn levels_and_tokens_are_kept(
        model in prop::sample::select(vec![
            ContractModel::Month95, ContractModel::Daily95Mean, ContractModel::DailyPeakMean,
        ]),
        base in 10.0..90.0_f64,
        swings in prop::collection::vec(0.3..2.0_f64, 17),
    ) {
        let (inventory, instance) = contracts(model);
        let mut ledger = Ledger::new(&inventory, Duration::from_millis(SLOT_MS));
        let mut control = Controller::new(&ledger, &instance, ControlOptions::default()).unwrap();
        for slot in 0..3 * 288_u64 {
            let now = Timestamp(NOVEMBER + slot * SLOT_MS);
            if slot % 288 == 0 {
                #[expect(clippy::cast_precision_loss, reason = "slots of a month")]
                let left = (8640 - slot) as f64;
                control.plan(&ledger, &instance, &horizon(left, base * 1.5), now).unwrap();
            }
            control.open(&ledger, now);
            let total = (base * swings[usize::try_from(slot).unwrap() % 17]).min(200.0);
            let mut rounds = 0;
            let load = loop {
                let marginals: Vec<Marginal> = (0..2).map(|contract| control.marginal(&ledger, contract, now)).collect();
                let load = place(total, &marginals);
                rounds += 1;
                prop_assert!(rounds <= 30);
                if control.judge(&load) == Verdict::Settled {
                    break load;
                }
            };
            prop_assert!((load.iter().sum::<f64>() - total).abs() < 1e-9, "all is served");
            for contract in 0..2 {
                let level = control.level_mbps(contract).unwrap();
                prop_assert!(level >= ledger.certain_mbps(contract, now) - 1e-9);
                if control.is_bursting(contract) {
                    prop_assert!(ledger.tokens_left(contract, level, now) > 0);
                    prop_assert!(model != ContractModel::DailyPeakMean);
                }
            }
            ledger.restore((0..2).map(|contract| SlotSample { contract, slot: now, mbps: load[contract] }));
            control.close(&load);
        }
    }
}
