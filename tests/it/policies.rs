//! Static policies beside the optimizer: the same daemon, the same map, the same tools.

use crate::harness::{Daemon, World, run, telemetry, wait_for};
use hickory_proto::rr::RecordType;
use std::net::Ipv4Addr;
use testkit::dns::ask;

const FIXED: &str = "fixed.cdn.example.";
/// China Telecom in Guangdong: within the network of a rule, and beside it.
const IN_NET: Ipv4Addr = Ipv4Addr::new(202, 96, 128, 86);
const BESIDE_NET: Ipv4Addr = Ipv4Addr::new(202, 96, 129, 86);
/// China Unicom in Beijing.
const BEIJING: Ipv4Addr = Ipv4Addr::new(202, 106, 0, 20);
/// Somewhere in Europe.
const EUROPE: Ipv4Addr = Ipv4Addr::new(81, 2, 69, 160);

const ASIA: [Ipv4Addr; 2] = [Ipv4Addr::new(203, 0, 113, 1), Ipv4Addr::new(203, 0, 113, 2)];
const WEIGHED: [Ipv4Addr; 2] = [
    Ipv4Addr::new(203, 0, 113, 11),
    Ipv4Addr::new(203, 0, 113, 12),
];

fn start(world: &World) -> Daemon {
    world.start("run", &["policies=\"policies.toml\"".to_owned()])
}

fn addresses(daemon: &mut Daemon, name: &str, client: Ipv4Addr) -> Vec<Ipv4Addr> {
    let mut reply = ask(daemon.address("dns"), name, RecordType::A, Some(client)).unwrap();
    reply.addresses.sort_unstable();
    reply.addresses
}

#[test]
fn both_kinds_of_service_live_in_one_map() {
    let world = World::new();
    let mut daemon = start(&world);
    daemon.tell(&telemetry(|_| 100.0));
    let dns = daemon.address("dns");
    assert_eq!(addresses(&mut daemon, FIXED, BESIDE_NET), ASIA);
    let beijing = addresses(&mut daemon, FIXED, BEIJING);
    assert!(
        beijing.len() == 1 && WEIGHED.contains(&beijing[0]),
        "{beijing:?}"
    );
    assert_eq!(addresses(&mut daemon, "spare.cdn.example.", EUROPE), ASIA);
    let live = addresses(&mut daemon, "live.cdn.example.", BEIJING);
    assert!(!live.is_empty(), "the optimized service goes on");
    // Clients that no rule applies to are sent to another CDN, whatever the type asked for.
    for rtype in [RecordType::A, RecordType::AAAA, RecordType::TXT] {
        for client in [EUROPE, IN_NET] {
            let reply = ask(dns, FIXED, rtype, Some(client)).unwrap();
            assert_eq!(
                reply.aliases,
                ["www.other-cdn.example."],
                "{client} {rtype}"
            );
        }
    }
}

#[test]
fn scopes_are_as_wide_as_the_policies_allow() {
    let world = World::new();
    let mut daemon = start(&world);
    daemon.tell(&telemetry(|_| 100.0));
    let dns = daemon.address("dns");
    let scope = |name, client| {
        let reply = ask(dns, name, RecordType::A, Some(client)).unwrap();
        reply.scope.expect("Client Subnet is answered")
    };
    assert_eq!(
        scope("spare.cdn.example.", EUROPE),
        0,
        "the client makes no difference"
    );
    assert_eq!(scope(FIXED, IN_NET), 24, "no longer than what is looked at");
    assert_eq!(
        scope(FIXED, BESIDE_NET),
        24,
        "its neighbour is another world"
    );
    let far = Ipv4Addr::new(126, 97, 0, 1);
    assert!(
        scope(FIXED, far) < 20,
        "neighbours that are answered alike share a scope"
    );
}

#[test]
fn checks_fail_over_at_once_though_the_optimizer_holds_its_map() {
    let world = World::new();
    let mut daemon = start(&world);
    let tell = |up: bool, daemon: &mut Daemon| {
        let line = |address: Ipv4Addr| {
            format!(r#"{{"kind":"check","check":"web","address":"{address}","up":{up}}}"#)
        };
        daemon.tell(&ASIA.map(line));
    };
    wait_for("the first answer", || {
        addresses(&mut daemon, FIXED, BESIDE_NET) == ASIA
    });
    tell(false, &mut daemon);
    wait_for("the failover", || {
        let now = addresses(&mut daemon, FIXED, BESIDE_NET);
        now.len() == 1 && WEIGHED.contains(&now[0])
    });
    let path = format!("/v1/explain?name={FIXED}&client={BESIDE_NET}");
    let story = daemon.json("GET", &path, "");
    let verdicts: Vec<_> = story["policy"]["pools"]
        .as_array()
        .unwrap()
        .iter()
        .collect();
    assert_eq!(verdicts[0]["pool"], "fixed-asia", "{story}");
    assert_eq!(verdicts[0]["verdict"], "down", "{story}");
    assert_eq!(
        verdicts[1]["verdict"], "chosen: the first that is up",
        "{story}"
    );
    tell(true, &mut daemon);
    wait_for("the return", || {
        addresses(&mut daemon, FIXED, BESIDE_NET) == ASIA
    });
    let (status, text) = daemon.call(
        "POST",
        "/v1/telemetry",
        r#"{"kind":"check","check":"web","address":"198.51.100.1","up":true}"#,
    );
    assert!(
        status == 400 && text.contains("address of that check"),
        "{status} {text}"
    );
}

#[test]
fn names_that_dns_would_refuse_are_faults_of_the_configuration() {
    let world = World::new();
    let good = std::fs::read_to_string(world.path("policies.toml")).unwrap();
    let long = format!("www.{}.example", "x".repeat(64));
    for (from, to, word) in [
        ("www.other-cdn.example", long.as_str(), "not a domain name"),
        ("www.other-cdn.example", "www..example", "not a domain name"),
        ("spare.cdn.example", "ns1.cdn.example", "claimed twice"),
        ("spare.cdn.example", "live.cdn.example", "two services"),
    ] {
        std::fs::write(world.path("policies.toml"), good.replace(from, to)).unwrap();
        let config = world.config();
        let output = run(&[
            "check",
            "-c",
            config.to_str().unwrap(),
            "--set",
            "policies=\"policies.toml\"",
        ]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{to}: {said}");
        assert!(said.contains(word), "{to}: {said}");
    }
}
