//! The whole loop against responders on port 0.

use super::*;
use crate::config::{Event, RunOptions, Servers};
use crate::control::serve_lines;
use crate::population::PopulationOptions;
use crate::population::tests::table;
use crate::world::tests::small;
use crate::{dns_client, http_client};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// A daemon that answers DNS with `vip` and redirects to `authority`.
async fn config(vip: [u8; 4], authority: &str) -> SimulationConfig {
    let (dns, _) = dns_client::tests::responder(dns_client::tests::Manner::Plain, vip.into()).await;
    let (http, _) = http_client::tests::server(authority, vip.into()).await;
    let mut world = small();
    world.groups[1].endpoints[0].nodes[1].addresses.clear();
    SimulationConfig {
        world,
        servers: Servers {
            dns: Some(dns),
            redirect: Some(http),
            httpdns: Some(http),
            api: Some(http),
            api_token: "token".into(),
        },
        population: PopulationOptions {
            ipv6_share: 0.0,
            ..PopulationOptions::default()
        },
        run: RunOptions {
            tick_ms: 20,
            peak_mbps: 2000.0,
            noise: 0.0,
            utc_hour: 13.4,
            timeout_ms: 5_000,
            ..RunOptions::default()
        },
        events: Vec::new(),
    }
}

/// Ticks until `holds`; fails after a bounded number of them.
async fn until(handle: &mut Handle, holds: impl Fn(&Stats) -> bool) -> Arc<Stats> {
    for _ in 0..200 {
        let stats = handle.next_tick().await.unwrap();
        if holds(&stats) {
            return stats;
        }
    }
    panic!("never came: {:?}", handle.stats());
}

const NODE: &str = "bj1-a-1.ct.example:8080";

#[tokio::test]
async fn traffic_goes_where_answers_say() {
    let config = config([192, 0, 2, 2], NODE).await;
    let mut handle = Simulation::start(config, &table()).await.unwrap();
    let stats = until(&mut handle, |stats| stats.ticks >= 2).await;
    assert_eq!(stats.hard_errors(), 0);
    assert_eq!(
        (
            stats.areas,
            stats.dns.failures.len(),
            stats.redirect.failures.len()
        ),
        (4, 0, 0)
    );
    assert!(stats.answers() >= stats.cells as u64 / 2 && stats.dns.p99_us > 0);
    assert!(stats.unassigned_mbps < 1e-6 && stats.lost_mbps < 1e-6);
    assert!((stats.served_mbps - stats.demand_mbps).abs() < 1e-6 && stats.demand_mbps > 1000.0);
    let (live, fixed) = (
        stats.links["gz1/cu"].carried_mbps,
        stats.links["bj1/ct"].carried_mbps,
    );
    assert!(
        (live - stats.services["live"]).abs() < 1e-6
            && (fixed - stats.services["static"]).abs() < 1e-6
    );
    assert!((stats.groups["bj1-a"]["static"] - fixed).abs() < 1e-6);
    assert!(stats.links["gz1/ct"].carried_mbps.abs() < 1e-9);
    assert!(stats.telemetry.batches > 0 && stats.telemetry.failures.is_empty());
    assert_eq!(
        stats.telemetry.refused_lines, stats.telemetry.batches,
        "the server says one of each"
    );
    assert!(handle.stop().await.ticks >= 2);
}

#[tokio::test]
async fn commands_change_the_world() {
    let mut config = config([192, 0, 2, 1], NODE).await;
    config.events.push(Event {
        at_s: 0.0,
        command: "fail-node gz1-a-1".into(),
    });
    let mut handle = Simulation::start(config, &table()).await.unwrap();
    let before = until(&mut handle, |stats| stats.unassigned_mbps < 1e-6).await;
    assert_eq!(before.dead_nodes, ["gz1-a-1"]);
    handle
        .scale(
            Filter {
                service: Some("live".into()),
                area: None,
            },
            2.0,
        )
        .unwrap();
    let doubled = until(&mut handle, |stats| {
        stats.services["live"] > 1.5 * before.services["live"]
    })
    .await;
    assert!((doubled.services["static"] / before.services["static"] - 1.0).abs() < 0.1);
    handle.fail_link("gz1/ct").unwrap();
    let dead = until(&mut handle, |stats| !stats.links["gz1/ct"].up).await;
    assert!((dead.lost_mbps - doubled.services["live"]).abs() < 0.1 * dead.lost_mbps);
    handle.set_hour(20.0).unwrap();
    handle.set_speed(0.0).unwrap();
    let night = until(&mut handle, |stats| (stats.utc_hour - 20.0).abs() < 1e-9).await;
    assert!(night.demand_mbps < dead.demand_mbps);
    let unknown = handle.fail_link("gz9/ct").unwrap_err();
    assert_eq!(unknown.to_string(), "unknown link `gz9/ct`");
    let nowhere = Filter {
        service: None,
        area: Some("cn/99".into()),
    };
    assert!(handle.scale(nowhere, 2.0).is_err());
}

#[tokio::test]
async fn answers_of_no_use_are_hard_errors() {
    let config = config([203, 0, 113, 1], "elsewhere.example").await;
    let mut handle = Simulation::start(config, &table()).await.unwrap();
    let stats = until(&mut handle, |stats| stats.redirect.unknown_address > 0).await;
    assert!(stats.dns.unknown_address > 0 && stats.hard_errors() > 0);
    assert!((stats.unassigned_mbps - stats.demand_mbps).abs() < 1e-6);
}

#[tokio::test]
async fn a_dead_daemon_is_counted_and_survived() {
    let mut config = config([192, 0, 2, 1], NODE).await;
    // A port that was free a moment ago: nobody listens there.
    let closed = {
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.local_addr().unwrap()
    };
    config.servers = Servers {
        dns: Some(closed),
        redirect: Some(closed),
        api: Some(closed),
        ..Servers::default()
    };
    config.run.timeout_ms = 50;
    let mut handle = Simulation::start(config, &table()).await.unwrap();
    let stats = until(&mut handle, |stats| stats.ticks >= 2).await;
    assert!(!stats.dns.failures.is_empty() && !stats.redirect.failures.is_empty());
    assert!(stats.telemetry.failures["connection"] > 0);
    assert_eq!(
        stats.hard_errors(),
        0,
        "silence is a failure, not a wrong answer"
    );
}

#[tokio::test]
async fn httpdns_clients_go_by_their_own_answers() {
    let mut config = config([192, 0, 2, 1], NODE).await;
    config.world.services[0].domain = "*.live.example".into();
    config.world.services[1].way = crate::world::Way::Httpdns;
    let mut handle = Simulation::start(config, &table()).await.unwrap();
    let stats = until(&mut handle, |stats| stats.unassigned_mbps < 1e-6).await;
    assert!(stats.httpdns.answers > 0 && stats.redirect.answers == 0);
    assert!((stats.groups["gz1-a"]["static"] - stats.services["static"]).abs() < 1e-6);
}

#[tokio::test]
async fn the_line_protocol_answers_each_line() {
    let config = config([192, 0, 2, 1], NODE).await;
    let mut handle = Simulation::start(config, &table()).await.unwrap();
    until(&mut handle, |stats| stats.ticks >= 1).await;
    let (mut near, far) = tokio::io::duplex(1 << 16);
    let (input, output) = tokio::io::split(far);
    let script = b"hour 20\nstats\nfail-link nowhere\nbogus\nstop\nhour 3\n";
    near.write_all(script).await.unwrap();
    serve_lines(&handle, input, output).await.unwrap();
    let mut text = vec![0; 1 << 16];
    let len = near.read(&mut text).await.unwrap();
    let text = String::from_utf8(text[..len].to_vec()).unwrap();
    let lines: Vec<serde_json::Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 5, "nothing is read after stop: {text}");
    assert_eq!(lines[0]["ok"], true);
    let stats: Stats = serde_json::from_value(lines[1].clone()).unwrap();
    assert!(stats.ticks >= 1);
    assert_eq!(lines[2]["error"], "unknown link `nowhere`");
    assert!(
        lines[3]["error"]
            .as_str()
            .unwrap()
            .starts_with("unknown command `bogus`")
    );
}

#[tokio::test]
async fn faults_of_the_configuration_are_named() {
    let good = config([192, 0, 2, 1], NODE).await;
    let fault = async |config: SimulationConfig| {
        let table = table();
        Simulation::start(config, &table)
            .await
            .unwrap_err()
            .to_string()
    };
    let mut bad = good.clone();
    bad.events.push(Event {
        at_s: 1.0,
        command: "fail-link gz9/ct".into(),
    });
    assert_eq!(
        fault(bad).await,
        "event `fail-link gz9/ct`: unknown link `gz9/ct`"
    );
    let mut bad = good.clone();
    bad.world.services[0].domain = "a..b".into();
    assert_eq!(fault(bad).await, "service `live`: `a..b` is no domain name");
    let text = serde_json::to_string(&good).unwrap();
    assert_eq!(
        serde_json::from_str::<SimulationConfig>(&text).unwrap(),
        good
    );
}
