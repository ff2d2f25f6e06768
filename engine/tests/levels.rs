//! Time that planning levels takes on a large deployment: about 100,000 units, 1,000 links and 52
//! contracts.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a measurement is there to be read, and what it is made of is known"
)]

use coverage::LinkId;
use engine::billing::budget::{Budget, BudgetOptions, Level, Outlook};
use engine::billing::{Forecast, Horizon, UtcOffset};
use instance::{Contract, ContractModel, INSTANCE_VERSION, Instance, Link, Shares, Site, Unit};
use std::time::Instant;

const SITES: u32 = 250;
/// Links of each site, one per ISP.
const ISPS: u32 = 4;
/// Sites whose links of one ISP have one contract.
const SITES_PER_CONTRACT: u32 = 20;
const CANDIDATES: usize = 20;
/// Capacity of a link, Mbps.
const LINK_MBPS: f64 = 10_000.0;
/// Demand at the peak, as a share of all capacity.
const LOAD: f64 = 0.55;
const SLOT_MS: u64 = 300_000;
/// Monday 2026-11-02T00:00Z.
const MONDAY: u64 = 1_793_577_600_000;

/// Numbers that look random, each a function of its place: in 0..1.
fn noise(a: u32, b: u32) -> f64 {
    let mut x = a.wrapping_mul(0x9E37_79B1) ^ b.wrapping_mul(0x85EB_CA77);
    x ^= x >> 15;
    x = x.wrapping_mul(0x2C1B_3C6D);
    x ^= x >> 12;
    x = x.wrapping_mul(0x297A_2D39);
    x ^= x >> 15;
    f64::from(x) / f64::from(u32::MAX)
}

/// A contract by the 95th percentile of the month, whose price comes later.
fn month95(id: String) -> Contract {
    Contract {
        id,
        model: ContractModel::Month95,
        price_cny_per_mbps: Some(0.0),
        price_cny_per_gb: None,
        free_below_mbps: 0.0,
        burst: false,
    }
}

/// A square country: near areas have little latency, those of another ISP some more.
fn instance(units: u32) -> Instance {
    let place = |salt: u32, index: u32| (noise(salt, index), noise(salt + 1, index));
    let links: Vec<(u32, u32)> = (0..SITES)
        .flat_map(|site| (0..ISPS).map(move |isp| (site, isp)))
        .collect();
    let contract_of = |site: u32, isp: u32| format!("m{}-{isp}", site / SITES_PER_CONTRACT);
    let unit = |index: u32| {
        let (x, y) = place(10, index);
        let own = index % ISPS;
        let quality = |&(site, isp): &(u32, u32)| {
            let (east, north) = place(20, site);
            let far = (x - east).hypot(y - north);
            8.0 + 60.0 * far + if isp == own { 0.0 } else { 25.0 }
        };
        let mut cand: Vec<(LinkId, f64)> = (0_u32..)
            .map(LinkId)
            .zip(links.iter().map(quality))
            .collect();
        cand.select_nth_unstable_by(CANDIDATES, |a, b| a.1.total_cmp(&b.1));
        cand.truncate(CANDIDATES);
        cand.sort_by(|a, b| a.1.total_cmp(&b.1));
        Unit {
            area: format!("a{index}"),
            service: "s".into(),
            mbps: 0.0,
            rps: 0.0,
            latency_limit_ms: None,
            incumbent: Shares::new(),
            cand,
        }
    };
    let mut contracts: Vec<String> = links.iter().map(|&(s, i)| contract_of(s, i)).collect();
    contracts.sort();
    contracts.dedup();
    Instance {
        version: INSTANCE_VERSION,
        slot_seconds: 300,
        value_cny_per_gbps_ms_slot: 0.02,
        move_cost_ms: 0.0,
        regions: Vec::new(),
        links: links
            .iter()
            .map(|&(site, isp)| Link {
                id: format!("s{site}/{isp}"),
                site: format!("s{site}"),
                capacity_mbps: LINK_MBPS,
                watermark_mbps: None,
                contract: contract_of(site, isp),
            })
            .collect(),
        sites: (0..SITES)
            .map(|site| Site {
                id: format!("s{site}"),
                region: "r".into(),
                capacity_mbps: LINK_MBPS * f64::from(ISPS),
                watermark_mbps: None,
                capacity_rps: None,
            })
            .collect(),
        contracts: contracts.into_iter().map(month95).collect(),
        units: (0..units).map(unit).collect::<Vec<_>>().into(),
    }
}

/// Demand of a bin of half an hour, Mbps: an evening peak that comes an hour and a half later in
/// the west.
fn demand(units: u32, bin: u32) -> Vec<f64> {
    let all = LOAD * LINK_MBPS * f64::from(SITES * ISPS);
    let size = |unit: u32| 0.1 + noise(30, unit).powi(8);
    let total: f64 = (0..units).map(size).sum();
    let of = |unit: u32| {
        let hour = f64::from(bin % 48) / 2.0 - 1.5 * noise(10, unit);
        let wave = (-(hour - 20.5).powi(2) / 8.0).exp();
        all * size(unit) / total * (0.4 + 0.6 * wave) * (0.95 + 0.1 * noise(bin, unit))
    };
    (0..units).map(of).collect()
}

fn at(bin: u32) -> coverage::Timestamp {
    coverage::Timestamp(MONDAY + u64::from(bin) * 1_800_000)
}

fn horizon(units: u32) -> Horizon {
    let mut forecast = Forecast::new(units as usize, UtcOffset::UTC, SLOT_MS);
    for bin in 0..=7 * 48 {
        forecast.observe(at(bin), &demand(units, bin)).unwrap();
    }
    let started = Instant::now();
    let horizon = forecast.horizon(at(7 * 48 + 1), at(28 * 48)).unwrap();
    println!(
        "{units} units: {} scenes in {:.2?}",
        horizon.scenes.len(),
        started.elapsed()
    );
    horizon
}

fn outlook<'a>(instance: &'a Instance, horizon: &Horizon) -> Outlook<'a> {
    let level = |contract: usize| {
        let links = instance.links.iter();
        let links = links.filter(|link| link.contract == instance.contracts[contract].id);
        let salt = u32::try_from(contract).unwrap();
        Level {
            contract,
            day: None,
            price_cny_per_mbps: 8.0 + 12.0 * noise(40, salt),
            min_mbps: 0.0,
            max_mbps: links.map(|link| link.capacity_mbps).sum(),
            tokens: 300.0,
        }
    };
    Outlook {
        instance,
        scenes: horizon.scenes.clone(),
        volume_cny_per_mbps: vec![0.0; instance.contracts.len()],
        levels: (0..instance.contracts.len()).map(level).collect(),
        unserved_cny_per_mbps: 0.5,
    }
}

fn measured(outlook: &Outlook<'_>, options: &BudgetOptions) -> Budget {
    let started = Instant::now();
    let budget = outlook.plan(options).unwrap();
    println!(
        "  flows_max {}: {:.2?}, {} rounds, gap {:.4}, {:.0} CNY of which {:.0} are money",
        options.flows_max,
        started.elapsed(),
        budget.rounds,
        budget.gap(),
        budget.cost_cny,
        budget.money_cny
    );
    budget
}

#[test]
#[ignore = "a measurement; meaningful in release builds only"]
fn planning_levels_of_a_large_deployment() {
    let units = 100_000;
    let instance = instance(units);
    let horizon = horizon(units);
    let budget = measured(&outlook(&instance, &horizon), &BudgetOptions::default());
    assert!(budget.gap() < 0.02, "{}", budget.gap());
}
