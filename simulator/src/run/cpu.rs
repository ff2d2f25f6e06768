//! Share of a core a simulation of usual size takes. A measurement, not a check of each build.

use super::*;
use crate::config::{RunOptions, Servers};
use crate::population::PopulationOptions;
use crate::world::tests::service;
use crate::world::{Endpoint, Group, Link, Node, NodePort, Site, Way, World};
use crate::{dns_client, http_client};
use coverage::area::{AreaAttrs, AreaTableBuilder};

/// 31 provinces x 8 ISPs.
fn table() -> AreaTable {
    let mut builder = AreaTableBuilder::new();
    for index in 0..248_u32 {
        let attrs = AreaAttrs {
            country: "cn".into(),
            province: format!("{}", 11 + index / 8),
            isp: ["ct", "cm", "cu", "a", "b", "c", "d", "e"][index as usize % 8].into(),
            ..AreaAttrs::default()
        };
        builder.add_v4(index << 20, (index << 20) + 0xf_ffff, &attrs);
    }
    builder.finish().unwrap()
}

/// 50 sites of 3 links, one group of 10 nodes each.
fn world() -> World {
    let mut world = World::default();
    for site in 0..50_u8 {
        let name = format!("s{site}");
        world.sites.push(Site {
            name: name.clone(),
            region: "r".into(),
            country: "cn".into(),
            latitude: 20.0 + f64::from(site) / 2.0,
            longitude: 80.0 + f64::from(site),
        });
        let port = |isp: &str| {
            let port = |node| NodePort {
                node: format!("{name}-{node}"),
                authority: format!("{name}-{node}.{isp}"),
                addresses: vec![],
            };
            (0..10).map(port).collect()
        };
        let endpoint = |(at, isp): (u8, &str)| Endpoint {
            link: format!("{name}/{isp}"),
            ipv4: vec![[10, 0, site, at].into()],
            ipv6: vec![],
            nodes: port(isp),
        };
        let isps = ["ct", "cm", "cu"];
        world.links.extend(isps.map(|isp| Link {
            name: format!("{name}/{isp}"),
            site: name.clone(),
            isp: isp.into(),
            capacity_mbps: 1e5,
        }));
        let nodes = (0..10)
            .map(|node| Node {
                name: format!("{name}-{node}"),
                capacity_mbps: 1e4,
            })
            .collect();
        let endpoints = (0..).zip(isps).map(endpoint).collect();
        world.groups.push(Group {
            name: format!("{name}-a"),
            site: name.clone(),
            nodes,
            endpoints,
        });
    }
    world.services = vec![
        service("live", Way::Dns, 2.0),
        service("vod", Way::Dns, 2.0),
        service("static", Way::Redirect, 1.0),
    ];
    world
}

/// CPU time of all threads whose name begins so, ms (in steps of 10 ms).
fn cpu_ms(prefix: &str) -> u64 {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    let stats = tasks
        .map(|task| std::fs::read_to_string(task.unwrap().path().join("stat")).unwrap_or_default());
    let used = |stat: String| {
        let (head, tail) = stat.rsplit_once(") ")?;
        let fields: Vec<&str> = tail.split(' ').collect();
        let ticks = fields[11].parse::<u64>().ok()? + fields[12].parse::<u64>().ok()?;
        head.split_once('(')?
            .1
            .starts_with(prefix)
            .then_some(ticks * 10)
    };
    stats.filter_map(used).sum()
}

#[test]
#[ignore = "a measurement of 20 s; run in release mode with --nocapture"]
fn a_usual_world_takes_less_than_a_quarter_of_a_core() {
    let runtime = |name: &str| {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        builder
            .worker_threads(1)
            .thread_name(name)
            .enable_all()
            .build()
            .unwrap()
    };
    let (peers, own) = (runtime("peer"), runtime("simulator"));
    let vip = [10, 0, 7, 1].into();
    let (dns, _) = peers
        .block_on(peers.spawn(dns_client::tests::responder(
            dns_client::tests::Manner::Plain,
            vip,
        )))
        .unwrap();
    let (http, _) = peers
        .block_on(peers.spawn(http_client::tests::server("s7-1.cm", vip)))
        .unwrap();
    let config = SimulationConfig {
        world: world(),
        servers: Servers {
            dns: Some(dns),
            redirect: Some(http),
            httpdns: None,
            api: Some(http),
            api_token: "t".into(),
        },
        population: PopulationOptions::default(),
        run: RunOptions::default(),
        events: Vec::new(),
    };
    let stats = own.block_on(own.spawn(async move {
        let mut handle = Simulation::start(config, &table()).await.unwrap();
        let first = handle.next_tick().await.unwrap();
        println!(
            "first tick: {} ms, {} lines told, {} answers, cpu {} ms",
            first.tick_ms,
            first.telemetry.lines,
            first.answers(),
            cpu_ms("simulator")
        );
        let (before, mut longest) = (cpu_ms("simulator"), 0);
        for _ in 0..20 {
            longest = handle.next_tick().await.unwrap().tick_ms.max(longest);
        }
        let used = cpu_ms("simulator") - before;
        println!("then {used} ms of cpu in 20 s; longest tick {longest} ms");
        assert!(used < 5_000, "{used} ms of cpu in 20 s");
        handle.stop().await
    }));
    let stats = stats.unwrap();
    assert_eq!((stats.hard_errors(), stats.areas), (0, 248));
    println!(
        "{} cells, dns {:?}, redirect {:?}, telemetry {:?}",
        stats.cells, stats.dns, stats.redirect, stats.telemetry
    );
}
