//! Times of the tiers at scale. Run with `cargo test --release -p watershed-engine --test
//! tiers -- --ignored --nocapture`.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test that shows what it measures"
)]

use coverage::area::{AreaAttrs, AreaTableBuilder};
use coverage::catalog::Service as ServedService;
use coverage::observation::{Observation, Sample};
use coverage::split::scatter;
use coverage::{
    AreaId, AreaTable, Body, Digest, GroupId, LinkId, MapVersion, NodeId, ServiceId, SiteId,
    Snapshot, Timestamp,
};
use engine::billing::{ControlOptions, UtcOffset};
use engine::cycle::{Adopted, Draft, Engine, EngineOptions, Stored, Tier};
use engine::estimate::EstimateOptions;
use engine::inventory::{
    Contract, Endpoint, Front, Group, Inventory, Link, Node, NodePort, Service, Site,
};
use engine::model::ModelOptions;
use engine::publish::PublishRules;
use instance::ContractModel;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::{Duration, Instant};

const SITES: u32 = 200;
const AREAS: u32 = 33_334;
const SERVICES: u32 = 3;
/// Failures, one after the other, each followed by its recovery.
const FAILURES: u32 = 20;
const NOW: Timestamp = Timestamp(1_767_571_200_000);

/// Something in 0..1 for each index and purpose, the same in every run, and for two purposes as if
/// by chance: places on one line would make all ways to two sites differ by the same.
fn spread(index: u32, by: u32) -> f64 {
    let [.., a, b, c, d] = scatter(u64::from(by) << 32 | u64::from(index)).to_be_bytes();
    f64::from(u32::from_be_bytes([a, b, c, d])) / f64::from(u32::MAX)
}

fn inventory() -> Inventory {
    let mut inventory = Inventory::default();
    for index in 0..SERVICES {
        let name = format!("s{index}");
        inventory.services.push(Service {
            served: ServedService {
                domains: vec![format!("{name}.example.")],
                name,
                redirect_hosts: Vec::new(),
                ttl_s: 60,
                addresses_max: 2,
            },
            latency_limit_ms: 100.0,
            initial_mbps: 0.0,
            rps_per_mbps: 0.0,
        });
    }
    for index in 0..SITES {
        add_site(&mut inventory, index);
    }
    inventory
}

fn add_site(inventory: &mut Inventory, index: u32) {
    let name = format!("x{index:03}");
    let capacity_mbps = 5_000.0 + 15_000.0 * spread(index, 3);
    inventory.sites.push(Site {
        name: name.clone(),
        region: format!("r{}", index % 10),
        country: "cn".to_owned(),
        province: String::new(),
        latitude: 20.0 + 25.0 * spread(index, 1),
        longitude: 80.0 + 45.0 * spread(index, 2),
    });
    inventory.contracts.push(Contract {
        name: name.clone(),
        model: ContractModel::Month95,
        price_cny_per_mbps_month: 5.0 + 10.0 * spread(index, 4),
        price_cny_per_gb: 0.0,
        commit_mbps: (0.4 + 0.4 * spread(index, 5)) * capacity_mbps,
        utc_offset: UtcOffset::UTC,
    });
    inventory.links.push(Link {
        name: format!("{name}/bgp"),
        site: SiteId(index),
        isp: "bgp".to_owned(),
        capacity_mbps,
        watermark_mbps: 0.9 * capacity_mbps,
        contract: index as usize,
    });
    inventory.nodes.push(Node {
        name: format!("{name}-1"),
        group: GroupId(index),
        capacity_mbps: 1.2 * capacity_mbps,
        capacity_rps: None,
    });
    let [.., third, last] = index.to_be_bytes();
    inventory.groups.push(Group {
        name: format!("{name}-a"),
        site: SiteId(index),
        front: Front::Vip,
        services: (0..SERVICES).map(ServiceId).collect(),
        nodes: vec![NodeId(index)],
    });
    inventory.endpoints.push(Endpoint {
        group: GroupId(index),
        link: LinkId(index),
        ipv4: vec![Ipv4Addr::new(198, 18, third, last)],
        ipv6: Vec::new(),
        nodes: vec![NodePort {
            ipv4: Ipv4Addr::new(198, 19, third, last),
            ipv6: None,
            authority: name,
        }],
    });
}

fn table() -> Arc<AreaTable> {
    let mut builder = AreaTableBuilder::new();
    for index in 0..AREAS {
        #[expect(clippy::cast_possible_truncation, reason = "degrees")]
        let degrees = |least: f64, range: f64, by| (least + range * spread(index, by)) as f32;
        let attrs = AreaAttrs {
            country: "cn".to_owned(),
            city: format!("c{index:05}"),
            latitude: Some(degrees(20.0, 25.0, 7)),
            longitude: Some(degrees(80.0, 45.0, 8)),
            ..AreaAttrs::default()
        };
        let start = 0x0a00_0000 + index * 256;
        builder.add_v4(start, start + 255, &attrs);
    }
    Arc::new(builder.finish().unwrap())
}

fn options() -> EngineOptions {
    EngineOptions {
        estimate: EstimateOptions {
            quality_tau: Duration::from_mins(1),
            traffic_tau: Duration::from_secs(30),
            stale_after: Duration::from_mins(3),
        },
        model: ModelOptions {
            slot_seconds: 300,
            value_cny_per_gbps_ms_slot: 0.02,
            candidates_max: 20,
            move_cost_ms: 5.0,
            reserve_worst_site: true,
        },
        publish: PublishRules::default(),
        drain: engine::drain::Rules::default(),
        slot: Duration::from_mins(5),
        billing: ControlOptions::default(),
        threads: 2,
        seed: 7,
    }
}

/// A draft in service.
fn put(engine: &mut Engine, table: &Arc<AreaTable>, draft: &Draft) {
    let body = Body {
        catalog: draft.body.catalog.clone(),
        map: draft.body.map.clone(),
    };
    let version = MapVersion {
        epoch: 1,
        version: 1,
    };
    let snapshot = Snapshot::new(version, Digest::default(), NOW, Arc::clone(table), body).unwrap();
    engine.note_published(Arc::new(snapshot), Some(draft), NOW);
}

/// The next job, run and adopted.
fn step(engine: &mut Engine, table: &Arc<AreaTable>) -> Tier {
    let started = Instant::now();
    let job = engine.job(NOW).unwrap();
    let (tier, made) = (job.tier(), started.elapsed());
    let started = Instant::now();
    let solved = job.run(None);
    let ran = started.elapsed();
    let started = Instant::now();
    let adopted = engine.adopt(solved, NOW);
    println!(
        "{tier:?}: job {made:?}, run {ran:?}, adopt {:?}",
        started.elapsed()
    );
    match adopted {
        Adopted::Draft(draft) => {
            println!("  {:?}", draft.reason);
            put(engine, table, &draft);
        }
        other => println!("  {other:?}"),
    }
    tier
}

#[test]
#[ignore = "measures, for a minute"]
fn tiers_at_a_hundred_thousand_units() {
    let (inventory, table) = (Arc::new(inventory()), table());
    let room: f64 = inventory.links.iter().map(|link| link.watermark_mbps).sum();
    let mut engine = Engine::new(
        inventory,
        Arc::clone(&table),
        Arc::default(),
        options(),
        Stored::default(),
    );
    let units = AREAS * SERVICES;
    let demand = |area: u32, service: u32| Observation {
        at: NOW,
        sample: Sample::Demand {
            area: AreaId(area + 1),
            service: ServiceId(service),
            mbps: 1.2 * room / f64::from(units) * spread(area, service),
            rps: None,
        },
    };
    let all: Vec<Observation> = (0..AREAS)
        .flat_map(|area| (0..SERVICES).map(move |service| demand(area, service)))
        .collect();
    engine.observe(&all);
    engine.tick(NOW);
    step(&mut engine, &table);
    let (mut local, mut warm) = (Vec::new(), Vec::new());
    for failure in 0..FAILURES {
        let node = NodeId(failure * SITES / FAILURES);
        for (healthy, reports) in [(false, 2), (true, 3)] {
            let report = |_| health(node, healthy);
            engine.observe(&(0..reports).map(report).collect::<Vec<_>>());
            let started = Instant::now();
            let tick = engine.tick(NOW);
            local.push(started.elapsed());
            if let Some(Ok(draft)) = tick.outcome {
                assert_eq!(draft.tier, Some(Tier::Local));
                put(&mut engine, &table, &draft);
            }
            if let Some(took) = warm_step(&mut engine, &table) {
                warm.push(took);
            }
        }
    }
    show("local tier, event to draft", local);
    show("warm tier, job to draft", warm);
    assert_eq!(step(&mut engine, &table), Tier::Full);
}

/// Runs the next job if it is a warm one; how long that took from asking for it to what became of
/// it.
fn warm_step(engine: &mut Engine, table: &Arc<AreaTable>) -> Option<Duration> {
    let started = Instant::now();
    let job = engine.job(NOW).filter(|job| job.tier() == Tier::Warm)?;
    let adopted = engine.adopt(job.run(None), NOW);
    let took = started.elapsed();
    if let Adopted::Draft(draft) = adopted {
        put(engine, table, &draft);
    }
    Some(took)
}

fn health(node: NodeId, healthy: bool) -> Observation {
    Observation {
        at: NOW,
        sample: Sample::Node {
            node,
            healthy,
            load: 0.0,
            mbps: 0.0,
        },
    }
}

fn show(what: &str, mut took: Vec<Duration>) {
    took.sort_unstable();
    let most = took.last().unwrap();
    println!(
        "{what}: {} times, median {:.1?}, most {most:.1?}",
        took.len(),
        took[took.len() / 2]
    );
}
