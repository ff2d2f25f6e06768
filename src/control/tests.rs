//! A whole control plane in one process, large enough that a solve takes its time.

use super::*;
use crate::keys::signing_key;
use crate::store::{LedgerRow, SqliteStore, StateStore};
use coverage::area::{AreaAttrs, AreaTableBuilder};
use coverage::catalog::Service as ServedService;
use coverage::observation::Sample;
use coverage::{GroupId, LinkId, NodeId, ServiceId, SiteId};
use engine::billing::UsualDemand;
use engine::cycle::{Engine, EngineOptions, Stored, Tier};
use engine::inventory::{Contract, Endpoint, Front, Group, Link, Node, NodePort, Service, Site};
use instance::ContractModel;
use std::net::Ipv4Addr;
use std::path::Path;
use tokio::time::{Instant, sleep, timeout};

/// Sites of one link and one group of one node.
const SITES: u8 = 60;
/// Areas that a solve takes seconds for without optimizations, and tenths of one with them.
const AREAS: u16 = 20_000;
/// The next cycle is further away than any test takes.
const CYCLE: Duration = Duration::from_secs(600);
/// Time for an answer that waits for nothing, on a busy machine.
const AT_ONCE: Duration = Duration::from_secs(2);

fn inventory() -> Inventory {
    let mut inventory = Inventory::default();
    inventory.services.push(Service {
        served: ServedService {
            name: "live".to_owned(),
            domains: Vec::new(),
            redirect_hosts: vec!["live.example".to_owned()],
            ttl_s: 60,
            addresses_max: 2,
        },
        latency_limit_ms: 150.0,
        initial_mbps: 40_000.0,
        rps_per_mbps: 0.0,
    });
    for index in 0..SITES {
        let (name, id) = (format!("s{index}"), u32::from(index));
        inventory.sites.push(Site {
            name: name.clone(),
            region: "south".to_owned(),
            country: "cn".to_owned(),
            province: String::new(),
            latitude: f64::from(index % 7) * 3.0,
            longitude: f64::from(index),
        });
        inventory.contracts.push(Contract {
            name: name.clone(),
            model: ContractModel::Month95,
            price_cny_per_mbps_month: 10.0,
            price_cny_per_gb: 0.0,
            commit_mbps: 0.0,
            utc_offset: engine::billing::UtcOffset::UTC,
        });
        inventory.links.push(Link {
            name: format!("{name}/bgp"),
            site: SiteId(id),
            isp: "bgp".to_owned(),
            capacity_mbps: 1000.0,
            watermark_mbps: 900.0,
            contract: usize::from(index),
        });
        inventory.nodes.push(Node {
            name: format!("{name}-a-1"),
            group: GroupId(id),
            capacity_mbps: 1000.0,
            capacity_rps: None,
        });
        inventory.groups.push(Group {
            name: format!("{name}-a"),
            site: SiteId(id),
            front: Front::Vip,
            services: vec![ServiceId(0)],
            nodes: vec![NodeId(id)],
        });
        inventory.endpoints.push(Endpoint {
            group: GroupId(id),
            link: LinkId(id),
            ipv4: vec![Ipv4Addr::new(198, 18, index, 1)],
            ipv6: Vec::new(),
            nodes: vec![NodePort {
                ipv4: Ipv4Addr::new(198, 18, index, 2),
                ipv6: None,
                authority: name,
            }],
        });
    }
    inventory
}

fn table(areas: u16) -> AreaTable {
    let mut builder = AreaTableBuilder::new();
    for index in 0..areas {
        let attrs = AreaAttrs {
            country: "cn".to_owned(),
            city: format!("c{index:05}"),
            latitude: Some(f32::from(index % 101) / 5.0),
            longitude: Some(f32::from(index % 601) / 10.0),
            ..AreaAttrs::default()
        };
        let start = 0x0a00_0000 + u32::from(index) * 256;
        builder.add_v4(start, start + 255, &attrs);
    }
    builder.finish().unwrap()
}

/// A node that says that it is not well.
fn unwell() -> Sample {
    Sample::Node {
        node: NodeId(30),
        healthy: false,
        load: 0.0,
        mbps: 0.0,
    }
}

/// Stores what every area usually asks for in each half-hour of the day.
fn put_usual_demand(path: &Path, units: &str, areas: u16, mbps: impl Fn(i64) -> f32) {
    let mut store = SqliteStore::open(path).unwrap();
    for bin in 0..48 {
        let usual = UsualDemand {
            bin,
            ratio: 1.0,
            mbps: vec![mbps(bin); usize::from(areas) + 1],
        };
        store.put_demand(units, &usual).unwrap();
    }
}

/// As the smallest configuration has them.
/// An engine on so many areas that has heard nothing yet.
fn engine_on(areas: u16) -> Engine {
    let (inventory, table) = (Arc::new(inventory()), Arc::new(table(areas)));
    Engine::new(
        inventory,
        table,
        Arc::default(),
        options(),
        Stored::default(),
    )
}

fn options() -> EngineOptions {
    use engine::estimate::EstimateOptions;
    use engine::model::ModelOptions;
    EngineOptions {
        estimate: EstimateOptions {
            quality_tau: Duration::from_secs(60),
            traffic_tau: Duration::from_secs(30),
            stale_after: Duration::from_secs(180),
        },
        model: ModelOptions {
            slot_seconds: 300,
            value_cny_per_gbps_ms_slot: 0.02,
            candidates_max: 20,
            move_cost_ms: 5.0,
            reserve_worst_site: false,
        },
        publish: engine::publish::PublishRules::default(),
        drain: engine::drain::Rules::default(),
        slot: Duration::from_secs(300),
        billing: engine::billing::ControlOptions::default(),
        threads: 1,
        seed: 0,
    }
}

/// A control plane that has just been started, on a database after `change`.
fn started(change: &str) -> (ControlHandle, tempfile::TempDir) {
    started_on(AREAS, |path| {
        drop(SqliteStore::open(path).unwrap());
        let database = rusqlite::Connection::open(path).unwrap();
        database.execute_batch(change).unwrap();
    })
}

/// The same with so many areas, on a database as `prepare` leaves it.
fn started_on(areas: u16, prepare: impl FnOnce(&Path)) -> (ControlHandle, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("state.db");
    prepare(&path);
    let key = signing_key(dir.path()).unwrap();
    let table = Arc::new(table(areas));
    let keys = vec![key.verifying_key()];
    let intake = Intake::new(dir.path(), keys, Some(Arc::clone(&table)));
    let store = SqliteStore::open(&path).unwrap();
    let deployment = Deployment {
        inventory: Arc::new(inventory()),
        table,
        steering: Arc::default(),
    };
    let options = ControlOptions {
        engine: options(),
        cycle: CYCLE,
        data_dir: dir.path().to_owned(),
        audit_kept: Duration::from_hours(400 * 24),
        serves: true,
    };
    let (handle, _) = start(deployment, options, Box::new(store), key, Arc::new(intake)).unwrap();
    (handle, dir)
}

/// Waits until the newest report says `tier`.
async fn reported(handle: &ControlHandle, tier: Tier) -> Arc<CycleReport> {
    let mut cycle = handle.cycle();
    let seen = cycle.wait_for(|report| report.tier == Some(tier));
    let report = timeout(Duration::from_secs(120), seen).await.unwrap();
    Arc::clone(&report.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_are_answered_while_a_solve_runs_and_failures_before_the_next_cycle() {
    let (handle, _dir) = started("");
    let mut cycle = handle.cycle();
    timeout(
        Duration::from_secs(60),
        cycle.wait_for(|report| report.at.0 > 0),
    )
    .await
    .unwrap()
    .unwrap();
    let asked = Instant::now();
    handle.audit(1).await.unwrap();
    let client = Ipv4Addr::new(10, 0, 1, 1).into();
    let unknown = handle.explain("live.example", client).await.unwrap_err();
    assert!(unknown.to_string().starts_with("no map"), "{unknown}");
    assert!(asked.elapsed() < AT_ONCE, "{:?}", asked.elapsed());
    assert!(
        handle.snapshot().is_none(),
        "the first solve is still under way"
    );
    let report = reported(&handle, Tier::Full).await;
    assert_eq!(report.outcome, "published", "{}", report.detail);
    assert!(
        report.detail.ends_with("(first, full)"),
        "{}",
        report.detail
    );
    let before = handle.snapshot().unwrap();
    let mut events = handle.events();
    let told = Instant::now();
    let sample = unwell();
    let at = crate::clock::now();
    let sample = Observation { at, sample };
    handle.observe(vec![sample.clone(), sample]).unwrap();
    let report = reported(&handle, Tier::Local).await;
    assert!(told.elapsed() < AT_ONCE, "{:?}", told.elapsed());
    assert_eq!(report.outcome, "published");
    let event = loop {
        let event = timeout(AT_ONCE, events.recv()).await.unwrap().unwrap();
        // Nobody has reported any demand, which is said, too.
        if event.kind != "gate.hold" {
            break event;
        }
    };
    let audit = handle.audit(50).await.unwrap();
    let held = audit.iter().find(|entry| entry.action == "gate.hold");
    let why = held.map(|entry| (entry.who.as_str(), entry.detail.starts_with("stale: ")));
    assert_eq!(why, Some(("engine", true)), "{audit:?}");
    assert_eq!(event.kind, "map.published");
    assert!(
        event.detail.ends_with("(limits, local)"),
        "{}",
        event.detail
    );
    let after = handle.snapshot().unwrap();
    let gone = |snapshot: &Snapshot, area: u16| {
        let answers = snapshot
            .map
            .get(ServiceId(0), coverage::AreaId(area.into()));
        answers.shares.iter().any(|share| share.0.0 == 30)
    };
    for area in 0..=AREAS {
        assert!(!gone(&after, area));
        if !gone(&before, area) {
            let row = |snapshot: &Snapshot| {
                let area = coverage::AreaId(area.into());
                snapshot.map.get(ServiceId(0), area).clone()
            };
            assert_eq!(row(&before), row(&after), "area {area} moved");
        }
    }
    handle.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pin_holds_the_map_at_once_also_when_nothing_can_be_stored() {
    let (handle, _dir) = started(
        "CREATE TRIGGER full BEFORE INSERT ON flag
         BEGIN SELECT RAISE(ABORT, 'no space left'); END;",
    );
    let refused = handle.pin("ops", "something is wrong").await.unwrap_err();
    let told = refused.to_string();
    assert!(
        told.contains("pinned until a restart") && told.contains("no space left"),
        "{told}"
    );
    let mut cycle = handle.cycle();
    let held = cycle.wait_for(|report| report.outcome == "pinned");
    let held = timeout(Duration::from_secs(20), held).await;
    let report = held.expect("a report").unwrap();
    assert!(
        report.detail.contains("something is wrong"),
        "{}",
        report.detail
    );
    drop(report);
    assert!(handle.snapshot().is_none());
    handle.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn levels_that_were_planned_before_a_restart_hold_after_it() {
    let kept = format!(
        r#"{{"version": 1, "planned_at": {}, "levels": [
            {{"meter": "s7", "level_mbps": 321.5, "above_cny_per_mbps": 0.25, "slots_today": 3.0}},
            {{"meter": "gone", "level_mbps": 5.0, "above_cny_per_mbps": 0.25, "slots_today": 3.0}}]}}"#,
        crate::clock::now().0
    );
    let (handle, _dir) = started(&format!("INSERT INTO flag VALUES ('levels', '{kept}')"));
    let report = reported(&handle, Tier::Full).await;
    let level = |name: &str| {
        let meter = report.contracts.iter().find(|meter| meter.name == name);
        meter.expect("a meter").level_mbps
    };
    assert_eq!(level("s7"), Some(321.5));
    assert_eq!(level("s8"), None);
    handle.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn demand_that_was_learnt_before_a_restart_is_planned_from_after_it() {
    let areas = 20;
    let engine = engine_on(areas);
    let of_others = "0".repeat(64);
    for (units, planned) in [(engine.demand_digest(), true), (of_others, false)] {
        let (handle, _dir) = started_on(areas, |path| {
            put_usual_demand(path, &units, areas, |_| 100.0);
        });
        reported(&handle, Tier::Full).await;
        let mut cycle = handle.cycle();
        let some =
            |report: &Arc<CycleReport>| report.contracts.iter().any(|m| m.level_mbps.is_some());
        // Levels are planned beside, once there is a map: where nothing is known there is nothing
        // to wait for.
        let patience = Duration::from_secs(if planned { 60 } else { 1 });
        let seen = timeout(patience, cycle.wait_for(some)).await;
        assert_eq!(seen.is_ok(), planned);
        handle.stop();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_ledger_refuses_is_counted_by_reason() {
    let metrics = crate::metrics::Metrics::of_process();
    let (handle, _dir) = started_on(20, |_| ());
    reported(&handle, Tier::Full).await;
    let now = crate::clock::now();
    let late = Sample::Link {
        link: LinkId(0),
        mbps: 1.0,
    };
    let down = unwell();
    let told = [late, down.clone(), down].map(|sample| {
        let hours = u64::from(matches!(sample, Sample::Link { .. })) * 2;
        let at = Timestamp(now.0 - hours * 3_600_000);
        Observation { at, sample }
    });
    handle.observe(told.to_vec()).unwrap();
    reported(&handle, Tier::Local).await;
    let page = metrics.render();
    let line = r#"watershed_ledger_refused_total{reason="late"} "#;
    let count = page.lines().find_map(|text| text.strip_prefix(line));
    assert!(count.is_some_and(|count| count != "0"), "{page}");
    handle.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_sample_after_a_restart_adds_to_what_its_link_said_before_it() {
    let slot = Timestamp(crate::clock::now().0 / 300_000 * 300_000 - 600_000);
    let row = |name: &str| LedgerRow {
        meter: name.to_owned(),
        slot,
        mbps: 100.0,
        parts: [(format!("{name}/bgp"), (200.0, 2))].into(),
    };
    let (handle, dir) = started_on(20, |path| {
        let mut store = SqliteStore::open(path).unwrap();
        store
            .put_ledger(&[row("s7"), row("s8")], Duration::ZERO)
            .unwrap();
    });
    let sample = Sample::Link {
        link: LinkId(7),
        mbps: 700.0,
    };
    let at = Timestamp(slot.0 + 1);
    handle.observe(vec![Observation { at, sample }]).unwrap();
    handle.stop();
    let path = dir.path().join("state.db");
    let read = || SqliteStore::open(&path).and_then(|store| store.ledger_newest(1));
    let ends = async {
        loop {
            // Nobody else may read before the actor has ended.
            match read() {
                Ok(rows) if rows.iter().any(|row| row.mbps > 100.0) => return rows,
                _ => sleep(Duration::from_millis(20)).await,
            }
        }
    };
    let rows = timeout(Duration::from_secs(60), ends).await.unwrap();
    let prices = SqliteStore::open(&path).unwrap().flag("prices").unwrap();
    assert!(prices.is_some_and(|prices| prices.contains(r#""s7":10.0"#)));
    let mbps = |name: &str| {
        rows.iter()
            .find(|row| row.meter == name)
            .map(|row| row.mbps)
    };
    assert_eq!((mbps("s7"), mbps("s8")), (Some(300.0), Some(100.0)));
}

#[tokio::test(flavor = "multi_thread")]
async fn planning_levels_makes_way_for_what_failed() {
    let metrics = crate::metrics::Metrics::of_process();
    let engine = engine_on(AREAS);
    let units = engine.demand_digest();
    let (handle, _dir) = started_on(AREAS, |path| {
        // No two half-hours alike, so that planning takes minutes without optimizations.
        put_usual_demand(
            path,
            &units,
            AREAS,
            |bin| if bin % 2 == 0 { 1.0 } else { 1.5 },
        );
    });
    reported(&handle, Tier::Full).await;
    let sample = unwell();
    let asked = (1..=u32::from(AREAS)).map(|area| Sample::Demand {
        area: coverage::AreaId(area),
        service: ServiceId(0),
        mbps: 1.0,
        rps: None,
    });
    let at = crate::clock::now();
    let told = asked.chain([sample.clone(), sample]);
    let told = told.map(|sample| Observation { at, sample }).collect();
    handle.observe(told).unwrap();
    let report = reported(&handle, Tier::Warm).await;
    assert!(
        report
            .contracts
            .iter()
            .all(|meter| meter.level_mbps.is_none()),
        "levels were planned before the warm solve"
    );
    let page = metrics.render();
    assert!(
        page.contains(r#"watershed_levels_total{outcome="given-up"} "#),
        "{page}"
    );
    handle.stop();
}
