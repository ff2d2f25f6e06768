//! Prices of contracts and requests are found whatever latency is worth.

#![allow(clippy::unwrap_used, reason = "a panic is how a test reports")]

#[path = "../../tests/plan_support/mod.rs"]
mod support;

use coverage::LinkId;
use instance::{Contract, ContractModel, Instance, Link, Shares, Site, Unit};
use optimizer::{SolveOptions, solve};

use support::Numbers;

const CANDIDATES: usize = 20;

/// Size of an instance.
#[derive(Clone, Copy)]
struct Size {
    sites: usize,
    contracts: usize,
    units: usize,
    /// Orders of magnitude that the cheapest contract lies below 50 CNY.
    decades: f64,
}

#[test]
fn contracts_alone_tell_what_a_place_is_worth() {
    let size = Size {
        sites: 64,
        contracts: 60,
        units: 800,
        decades: 7.7,
    };
    for seed in [4, 9] {
        for value in [0.0, 0.02] {
            let gap = gap_of(size, seed, value);
            assert!(gap < 1e-6, "seed {seed}, {value} CNY: {gap}");
        }
    }
}

/// The dearest contract charges more for one Mbps than the best plan pays for everything.
#[test]
fn prices_are_found_far_below_charges() {
    let size = Size {
        sites: 48,
        contracts: 40,
        units: 300,
        decades: 7.7,
    };
    for seed in [4, 6] {
        let gap = gap_of(size, seed, 0.0);
        assert!(gap < 1e-4, "seed {seed}: {gap}");
    }
}

/// Between the charge for requests and the cheapest contract lie more steps than one number of 46
/// bits has.
#[test]
fn prices_are_as_fine_as_the_cheapest_contract() {
    let size = Size {
        sites: 48,
        contracts: 40,
        units: 300,
        decades: 12.0,
    };
    for seed in 0..3 {
        for value in [1e-9, 1e-6] {
            let gap = gap_of(size, seed, value);
            assert!(gap < 1e-4, "seed {seed}, {value} CNY: {gap}");
        }
    }
}

/// The gap that the checker confirms.
fn gap_of(size: Size, seed: u64, value_cny_per_gbps_ms_slot: f64) -> f64 {
    let instance = many_contracts(size, seed, value_cny_per_gbps_ms_slot);
    instance.validate().unwrap();
    let solved = solve(&instance, &SolveOptions::default(), None);
    let verified = checker::verify(&instance, &solved.plan, &solved.certificate).unwrap();
    verified.gap.unwrap()
}

/// Sites half full, most with a limit on requests or for none at all, and contracts over links
/// drawn at random, from next to nothing to dear, of which the cheapest suffice for nearly all.
fn many_contracts(size: Size, seed: u64, value_cny_per_gbps_ms_slot: f64) -> Instance {
    let mut numbers = Numbers::new(seed);
    let mut units: Vec<Unit> = (0..size.units)
        .map(|unit| unit_of(&mut numbers, unit))
        .collect();
    let mbps: f64 = units.iter().map(|unit| unit.mbps).sum();
    let rps: f64 = units.iter().map(|unit| unit.rps).sum();
    let (mut links, mut sites) = (Vec::new(), Vec::new());
    let parts: Vec<f64> = (0..size.sites)
        .map(|_| 0.3 + 2.0 * numbers.uniform())
        .collect();
    let all: f64 = parts.iter().sum();
    for (site, part) in parts.into_iter().enumerate() {
        let capacity_mbps = 2.0 * mbps * part / all;
        let limit = [None, Some(0.0), Some(0.0), Some(4.0), Some(4.0)][numbers.below(5)];
        sites.push(Site {
            id: format!("s{site}"),
            region: "r".to_owned(),
            capacity_mbps,
            watermark_mbps: None,
            capacity_rps: limit.map(|times: f64| times * rps * part / all),
        });
        for port in 0..=numbers.below(3) {
            links.push(Link {
                id: format!("l{site}.{port}"),
                site: format!("s{site}"),
                capacity_mbps: capacity_mbps * [1.0, 0.6, 0.4][numbers.below(3)],
                watermark_mbps: None,
                contract: format!("m{}", numbers.below(size.contracts)),
            });
        }
    }
    for unit in &mut units {
        unit.cand = candidates(&mut numbers, links.len());
    }
    let free = [0.5, 0.9, 0.0][numbers.below(3)];
    let contract = |index: usize| Contract {
        id: format!("m{index}"),
        model: ContractModel::Month95,
        price_cny_per_mbps: Some(50.0 * 10.0_f64.powf(size.decades * (numbers.uniform() - 1.0))),
        price_cny_per_gb: None,
        free_below_mbps: mbps / size.contracts as f64 * free,
        burst: false,
    };
    let mut contracts: Vec<Contract> = (0..size.contracts).map(contract).collect();
    // A contract that the draw gave no link is a fault of an instance.
    contracts.retain(|contract| links.iter().any(|link| link.contract == contract.id));
    Instance {
        version: 1,
        slot_seconds: 300,
        value_cny_per_gbps_ms_slot,
        move_cost_ms: 0.0,
        contracts,
        regions: Vec::new(),
        units: units.into(),
        links,
        sites,
    }
}

/// A unit without candidates; some traffic brings a hundred times the requests of other traffic.
fn unit_of(numbers: &mut Numbers, index: usize) -> Unit {
    let mbps = 1.0 + 100.0 * numbers.uniform().powi(4);
    Unit {
        area: format!("a{index}"),
        service: "live".to_owned(),
        mbps,
        rps: mbps * [0.0, 1.0, 10.0, 100.0][numbers.below(4)],
        latency_limit_ms: None,
        incumbent: Shares::new(),
        cand: Vec::new(),
    }
}

/// Different links, and how far they are, ms.
fn candidates(numbers: &mut Numbers, links: usize) -> Vec<(LinkId, f64)> {
    let mut cand: Vec<(LinkId, f64)> = Vec::new();
    while cand.len() < CANDIDATES {
        let link = LinkId::from_index(numbers.below(links));
        if cand.iter().all(|known| known.0 != link) {
            cand.push((link, 1.0 + 149.0 * numbers.uniform()));
        }
    }
    cand.sort_unstable_by_key(|known| known.0);
    cand
}
