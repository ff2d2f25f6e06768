//! The engine on a small network in virtual time.

mod contracts;
mod gates;
mod local;
mod refused;
mod requests;
mod reserve;
mod silence;
mod tiers;

use super::*;
use crate::billing::ControlOptions;
use crate::billing::UtcOffset;
use crate::drain;
use crate::estimate::EstimateOptions;
use crate::inventory::{Contract, Endpoint, Front, Group, Link, Node, NodePort, Service, Site};
use crate::model::ModelOptions;
use crate::publish::PublishRules;
use coverage::area::AreaAttrs;
use coverage::area::AreaTableBuilder;
use coverage::catalog::Service as ServedService;
use coverage::{AreaId, Body, Digest, GroupId, LinkId, NodeId, ServiceId, SiteId};
use instance::ContractModel;
use instance::Shares;
use std::net::Ipv4Addr;
use std::time::Duration;

/// Sites, west to east, of one region; neighbours are 10 degrees of longitude apart.
const SITES: usize = 6;
/// Areas, as many per site as there are sites, each a little further east.
const AREAS: usize = 36;
/// Time at which the world begins: 2026-01-05 00:00 UTC, in ms.
const BEGIN: Timestamp = Timestamp(1_767_571_200_000);

/// An engine and what it needs to publish.
struct World {
    engine: Engine,
    now: Timestamp,
    table: Arc<AreaTable>,
    version: u64,
}

/// Six sites of one link (900 of 1000 Mbps) and two groups of two nodes of 250 Mbps.
fn inventory() -> Inventory {
    let mut inventory = Inventory::default();
    inventory.services.push(Service {
        served: ServedService {
            name: "live".to_owned(),
            domains: vec!["live.example.".to_owned()],
            redirect_hosts: Vec::new(),
            ttl_s: 60,
            addresses_max: 2,
        },
        latency_limit_ms: 50.0,
        initial_mbps: 0.0,
        rps_per_mbps: 0.0,
    });
    for index in 0..SITES {
        add_site(&mut inventory, index);
    }
    inventory
}

fn add_site(inventory: &mut Inventory, index: usize) {
    let name = format!("s{index}");
    let site = SiteId::from_index(index);
    let east = u8::try_from(index).unwrap();
    inventory.sites.push(Site {
        name: name.clone(),
        region: "south".to_owned(),
        country: "cn".to_owned(),
        province: String::new(),
        latitude: 0.0,
        longitude: f64::from(east) * 10.0,
    });
    inventory.contracts.push(Contract {
        name: format!("m{index}"),
        model: ContractModel::Month95,
        price_cny_per_mbps_month: 10.0,
        price_cny_per_gb: 0.0,
        commit_mbps: 0.0,
        utc_offset: UtcOffset::UTC,
    });
    let link = LinkId::from_index(index);
    inventory.links.push(Link {
        name: format!("{name}/ct"),
        site,
        isp: "bgp".to_owned(),
        capacity_mbps: 1000.0,
        watermark_mbps: 900.0,
        contract: index,
    });
    for letter in ["a", "b"] {
        let group = GroupId::from_index(inventory.groups.len());
        let nodes = (0..2).map(|number| {
            let id = NodeId::from_index(inventory.nodes.len());
            inventory.nodes.push(Node {
                name: format!("{name}-{letter}-{number}"),
                group,
                capacity_mbps: 250.0,
                capacity_rps: None,
            });
            id
        });
        let nodes: Vec<NodeId> = nodes.collect();
        let third = u8::try_from(group.index()).unwrap();
        let port = |last: u8| NodePort {
            ipv4: Ipv4Addr::new(198, 18, third, last),
            ipv6: None,
            authority: format!("n{last}.example"),
        };
        inventory.endpoints.push(Endpoint {
            group,
            link,
            ipv4: vec![Ipv4Addr::new(198, 18, third, 1)],
            ipv6: Vec::new(),
            nodes: vec![port(2), port(3)],
        });
        inventory.groups.push(Group {
            name: format!("{name}-{letter}"),
            site,
            front: Front::Vip,
            services: vec![ServiceId(0)],
            nodes,
        });
    }
}

/// One /16 per area.
fn table() -> Arc<AreaTable> {
    let mut builder = AreaTableBuilder::new();
    for index in 0..AREAS {
        let small = u8::try_from(index).unwrap();
        let attrs = AreaAttrs {
            country: "cn".to_owned(),
            city: format!("c{index:02}"),
            latitude: Some(0.0),
            longitude: Some(f32::from(small) * 10.0 / 6.0),
            ..AreaAttrs::default()
        };
        let start = u32::from_be_bytes([10, small, 0, 0]);
        builder.add_v4(start, start | 0xffff, &attrs);
    }
    Arc::new(builder.finish().unwrap())
}

/// The rules of a deployment, but for the time between two moves of an area: these tests have none
/// to wait.
fn rules() -> PublishRules {
    let mut rules = PublishRules::default();
    rules.gates.step.dwell_min = Duration::ZERO;
    rules
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
            reserve_worst_site: false,
        },
        publish: rules(),
        drain: drain::Rules::default(),
        slot: Duration::from_mins(5),
        billing: ControlOptions::default(),
        threads: 1,
        seed: 7,
    }
}

impl World {
    /// A map is in force, every area asks for `mbps`.
    fn serving(mbps: f64) -> Self {
        let mut world = Self::new();
        world.demand(mbps);
        world.cycle();
        assert!(world.engine.in_force.snapshot.is_some());
        world
    }

    fn new() -> Self {
        Self::with(options())
    }

    fn with(options: EngineOptions) -> Self {
        let table = table();
        let engine = Engine::new(
            Arc::new(inventory()),
            Arc::clone(&table),
            Arc::default(),
            options,
            Stored::default(),
        );
        Self {
            engine,
            now: BEGIN,
            table,
            version: 0,
        }
    }

    fn wait(&mut self, seconds: u64) {
        self.now = self.now.after(Duration::from_secs(seconds));
    }

    fn tell(&mut self, sample: Sample) -> Vec<SlotSample> {
        let at = self.now;
        self.engine.observe(&[Observation { at, sample }])
    }

    /// Every area asks for `mbps`.
    fn demand(&mut self, mbps: f64) {
        for area in 1..=u32::try_from(AREAS).unwrap() {
            let (area, service) = (AreaId(area), ServiceId(0));
            self.tell(Sample::Demand {
                area,
                service,
                mbps,
                rps: None,
            });
        }
    }

    /// All nodes of a site say that they are not well, as often as it takes.
    fn fail(&mut self, site: usize) {
        self.report_nodes(site, false);
    }

    /// All nodes of a site say that they are well again, as often as it takes.
    fn repair(&mut self, site: usize) {
        self.report_nodes(site, true);
    }

    fn report_nodes(&mut self, site: usize, healthy: bool) {
        for _ in 0..if healthy { 3 } else { 2 } {
            self.wait(1);
            for node in 0..4 {
                self.tell(Sample::Node {
                    node: NodeId::from_index(site * 4 + node),
                    healthy,
                    load: 0.0,
                    mbps: 0.0,
                });
            }
        }
    }

    /// A forced drain without a ramp.
    fn close(&mut self, target: &str) -> String {
        let request = drain::Request {
            target: target.parse().unwrap(),
            requester: "test".to_owned(),
            reason: "test".to_owned(),
            lease: Duration::from_hours(1),
            ramp: Some(Duration::ZERO),
            force: true,
            idempotency_key: String::new(),
        };
        self.engine.request_drain(request, self.now).unwrap().id
    }

    /// Brings a draft into service.
    fn put(&mut self, draft: &Draft) {
        let snapshot = sealed(&self.table, &mut self.version, draft, self.now);
        self.engine.note_published(snapshot, Some(draft), self.now);
    }

    fn cycle(&mut self) -> Cycle {
        let (table, version, now) = (&self.table, &mut self.version, self.now);
        self.engine
            .cycle(now, |draft| Some(sealed(table, version, draft, now)))
    }

    /// The tick alone, with its draft in service.
    fn tick(&mut self) -> Tick {
        let tick = self.engine.tick(self.now);
        if let Some(Ok(draft)) = &tick.outcome {
            self.put(draft);
        }
        tick
    }

    /// [unit] -> where the map in force sends it.
    fn shares(&self) -> Vec<Shares> {
        self.engine.in_force.plan.as_ref().unwrap().shares.clone()
    }

    /// Mbps of the map in force on a link, when every area asks for `mbps`.
    fn on_link(&self, link: u32, mbps: f64) -> f64 {
        let shares = self.shares();
        let here = shares[1..]
            .iter()
            .flatten()
            .filter(|share| share.0 == LinkId(link));
        here.map(|share| share.1 * mbps).sum()
    }
}

fn sealed(
    table: &Arc<AreaTable>,
    version: &mut u64,
    draft: &Draft,
    now: Timestamp,
) -> Arc<Snapshot> {
    *version += 1;
    let version = MapVersion {
        epoch: 1,
        version: *version,
    };
    let body = Body {
        catalog: draft.body.catalog.clone(),
        map: draft.body.map.clone(),
    };
    let table = Arc::clone(table);
    Arc::new(Snapshot::new(version, Digest::default(), now, table, body).unwrap())
}
