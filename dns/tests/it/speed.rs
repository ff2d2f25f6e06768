//! Cost of an answer, without the kernel. Run by hand: `cargo test --release -p watershed-dns --
//! --ignored --nocapture`.

use crate::message::{A, ask};
use crate::world;
use arc_swap::ArcSwap;
use coverage::area::{AreaAttrs, AreaTableBuilder};
use coverage::map::{AnswerSet, CoverageMapBuilder};
use coverage::{AreaId, Body, Digest, EndpointId, MapVersion, Snapshot, Timestamp};
use dns::{Arrival, DnsConfig, DnsServer, DnsView, ReplyConfig, Tally, Transport, respond};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

#[test]
#[ignore = "a measurement; meaningful in release builds only"]
fn ns_per_answer() {
    const ROUNDS: u32 = 2_000_000;
    let view = world::view();
    let config = ReplyConfig::default();
    for name in [
        "live.example.com.",
        "split.example.com.",
        "many.example.com.",
        "ns1.example.com.",
        "no.example.com.",
    ] {
        let questions: Vec<_> = (0..=255)
            .map(|third| ask(name, A).subnet(&format!("10.1.{third}.0/24")).bytes())
            .collect();
        let peer = SocketAddr::from(([10, 0, 0, 1], 53));
        let arrival = Arrival {
            peer,
            transport: Transport::Udp,
            now_s: 0,
        };
        let (mut out, mut tally, mut bytes) = ([0; 1232], Tally::default(), 0);
        let start = Instant::now();
        for round in 0..ROUNDS {
            let question = &questions[round as usize % questions.len()];
            bytes += respond(question, &arrival, &view, &config, &mut out, &mut tally).unwrap_or(0);
        }
        let ns = start.elapsed().as_nanos() / u128::from(ROUNDS);
        println!(
            "{name} A with ECS: {ns} ns per answer, {} octets on average",
            bytes / ROUNDS as usize
        );
    }
}

/// A view over a table of 2^20 ranges in 1000 areas and 100 answer sets, laid out by a fixed hash.
fn large_view() -> DnsView {
    let scatter = |seed: u32| coverage::split::mix(seed.into());
    let mut table = AreaTableBuilder::new();
    for block in 0..1_u32 << 20 {
        let attrs = AreaAttrs {
            asn: 1 + u32::try_from(scatter(block) % 1000).unwrap(),
            ..AreaAttrs::default()
        };
        table.add_v4(block << 12, block << 12 | 0xfff, &attrs);
    }
    let table = Arc::new(table.finish().unwrap());
    let mut catalog = world::catalog();
    catalog.services.truncate(1);
    let model = catalog.endpoints[0].clone();
    catalog.endpoints = vec![model; 100];
    let areas = u32::try_from(table.areas().len()).unwrap();
    let mut map = CoverageMapBuilder::new(1, areas);
    for area in 0..areas {
        let endpoint = EndpointId(u32::try_from(scatter(!area) % 100).unwrap());
        map.set(
            world::LIVE,
            AreaId(area),
            AnswerSet {
                shares: vec![(endpoint, 64)],
                runners_up: vec![],
            },
        );
    }
    let body = Body {
        catalog,
        map: map.finish().unwrap(),
    };
    let (version, digest) = (MapVersion::default(), Digest::default());
    let snapshot = Snapshot::new(version, digest, Timestamp(0), table, body).unwrap();
    DnsView::build(Arc::new(snapshot)).unwrap()
}

#[test]
#[ignore = "a measurement; meaningful in release builds only"]
fn ns_per_answer_over_a_large_table() {
    const ROUNDS: u32 = 2_000_000;
    let (view, config) = (large_view(), ReplyConfig::default());
    let mut question = ask("live.example.com.", A).subnet("10.1.1.0/24").bytes();
    let subnet_at = question.len() - 3;
    let peer = SocketAddr::from(([10, 0, 0, 1], 53));
    let arrival = Arrival {
        peer,
        transport: Transport::Udp,
        now_s: 0,
    };
    let (mut out, mut tally, mut bytes) = ([0; 1232], Tally::default(), 0);
    let start = Instant::now();
    for round in 0..ROUNDS {
        let random = coverage::split::mix(round.into()).to_be_bytes();
        question[subnet_at..].copy_from_slice(&random[..3]);
        bytes += respond(&question, &arrival, &view, &config, &mut out, &mut tally).unwrap_or(0);
    }
    let ns = start.elapsed().as_nanos() / u128::from(ROUNDS);
    println!(
        "random ECS over 2^20 ranges: {ns} ns per answer, {} octets",
        bytes / ROUNDS as usize
    );
}

/// Processor time of the UDP workers of this process so far: in user space and in the kernel, in
/// seconds.
fn worker_seconds() -> (f64, f64) {
    let mut ticks = (0, 0);
    for task in std::fs::read_dir("/proc/self/task").unwrap() {
        let stat = std::fs::read_to_string(task.unwrap().path().join("stat")).unwrap();
        let (name, rest) = stat.rsplit_once(')').unwrap();
        if name.contains("dns-udp") {
            let fields: Vec<u32> = rest
                .split(' ')
                .skip(12)
                .take(2)
                .map(|field| field.parse().unwrap())
                .collect();
            ticks = (ticks.0 + fields[0], ticks.1 + fields[1]);
        }
    }
    // The kernel counts in hundredths of a second (USER_HZ).
    (f64::from(ticks.0) / 100.0, f64::from(ticks.1) / 100.0)
}

#[test]
#[ignore = "a measurement; meaningful in release builds only"]
fn us_per_answer_over_udp() {
    const ROUNDS: u32 = 10_000;
    const OUTSTANDING: u32 = 64;
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let config = DnsConfig::new(vec!["127.0.0.1:0".parse().unwrap()]);
    let view = Arc::new(ArcSwap::from_pointee(world::view()));
    let inside = runtime.enter();
    let server = DnsServer::bind(config, view).unwrap();
    drop(inside);
    let socket = testkit::dns::udp(server.local_addrs()[0]);
    let question = ask("live.example.com.", A).subnet("10.1.128.0/24").bytes();
    let (start, before, mut reply) = (Instant::now(), worker_seconds(), [0; 1232]);
    for _ in 0..ROUNDS {
        for _ in 0..OUTSTANDING {
            socket.send(&question).unwrap();
        }
        for _ in 0..OUTSTANDING {
            socket.recv(&mut reply).unwrap();
        }
    }
    let (total, after) = (f64::from(ROUNDS * OUTSTANDING), worker_seconds());
    println!(
        "UDP, one worker: {:.2} us of user and {:.2} us of kernel time per answer, {:.0} answers/s",
        (after.0 - before.0) / total * 1e6,
        (after.1 - before.1) / total * 1e6,
        total / start.elapsed().as_secs_f64(),
    );
    runtime.block_on(server.shutdown());
}

/// Returns what it takes to bring a map of 1000 services and 5000 areas into service, over 300,000
/// ranges of each family: interning and finishing the map, the snapshot with its scope indices, the
/// view. `classes`: how many services answer differently.
fn large_map_into_service(classes: u32) -> String {
    const SERVICES: u32 = 1_000;
    const AREAS: u64 = 5_000;
    const RANGES: u64 = 300_000;
    let below = |seed: u64, bound: u64| u32::try_from(coverage::split::mix(seed) % bound).unwrap();
    let mut table = AreaTableBuilder::new();
    for index in 0..RANGES {
        let attrs = AreaAttrs {
            asn: 1 + below(index, AREAS),
            ..AreaAttrs::default()
        };
        // Disjoint, so that as many remain as are added.
        let first = u32::try_from(index * ((1 << 32) / RANGES)).unwrap();
        table.add_v4(first, first + 0x37ff, &attrs);
        let first = 1 << 61 | index << 40;
        table.add_v6(first, first | 0xff_ffff_ffff, &attrs);
    }
    let table = Arc::new(table.finish().unwrap());
    let mut catalog = world::catalog();
    let domain = |id: u32| format!("s{id}.example.com.");
    catalog.services = (0..SERVICES)
        .map(|id| world::service(&id.to_string(), &[&domain(id)], 2))
        .collect();
    let endpoint = |id: u32| coverage::catalog::Endpoint {
        ipv4: vec![(0xc612_0000 + id).into()],
        ..catalog.endpoints[0].clone()
    };
    catalog.endpoints = (0..2_000).map(endpoint).collect();
    let areas = u32::try_from(table.areas().len()).unwrap();
    let start = Instant::now();
    let mut map = CoverageMapBuilder::new(catalog.services.len(), areas);
    for service in 0..SERVICES {
        for area in 0..areas {
            let seed = u64::from(service % classes) << 32 | u64::from(area);
            let (first, second) = (below(seed, 1_000), 1_000 + below(!seed, 40));
            let answers = AnswerSet {
                shares: vec![(EndpointId(first), 40), (EndpointId(second), 24)],
                runners_up: vec![EndpointId(first + 1)],
            };
            map.set(coverage::ServiceId(service), AreaId(area), answers);
        }
    }
    let set = start.elapsed();
    let map = map.finish().unwrap();
    let (sets, finished) = (map.answer_sets().len(), start.elapsed() - set);
    let body = Body { catalog, map };
    let (version, digest, from) = (MapVersion::default(), Digest::default(), Instant::now());
    let snapshot = Snapshot::new(version, digest, Timestamp(0), table, body).unwrap();
    let indexed = from.elapsed();
    let from = Instant::now();
    let view = DnsView::build(Arc::new(snapshot)).unwrap();
    let said = format!(
        "{SERVICES} services in {classes} classes, {areas} areas, {sets} answer sets: set in {set:.1?}, finished in \
         {finished:.1?}, snapshot in {indexed:.1?}, view in {:.1?}, together {:.1?}",
        from.elapsed(),
        start.elapsed()
    );
    drop(view);
    said
}

#[test]
#[ignore = "a measurement; meaningful in release builds only"]
fn ms_until_a_large_map_serves() {
    println!("{}", large_map_into_service(1_000));
    println!("{}", large_map_into_service(10));
}
