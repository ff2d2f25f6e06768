//! The whole way over real sockets: telemetry in, map out, answers by DNS, 302 and HTTPDNS, a drain
//! by command line.

use crate::harness::{Daemon, World, run, telemetry, wait_for};
use hickory_proto::op::ResponseCode;
use hickory_proto::rr::RecordType;
use std::net::Ipv4Addr;
use testkit::dns::{ask, ask_tcp};
use testkit::http;

/// China Telecom in Guangdong, China Unicom in Beijing.
const GUANGDONG: Ipv4Addr = Ipv4Addr::new(202, 96, 128, 86);
const BEIJING: Ipv4Addr = Ipv4Addr::new(202, 106, 0, 20);
const SOUTH: [Ipv4Addr; 2] = [Ipv4Addr::new(198, 18, 1, 1), Ipv4Addr::new(198, 18, 2, 1)];
const NORTH: Ipv4Addr = Ipv4Addr::new(198, 18, 3, 1);

#[test]
fn clients_are_answered_near_by_all_protocols_and_scopes_are_honest() {
    let world = World::new();
    let mut daemon = world.start("run", &[]);
    let (dns, web) = (daemon.address("dns"), daemon.address("redirect"));
    daemon.tell(&telemetry(|_| 100.0));
    let south = ask(dns, "live.cdn.example.", RecordType::A, Some(GUANGDONG)).unwrap();
    assert!(
        south
            .addresses
            .iter()
            .all(|address| SOUTH.contains(address)),
        "{south:?}"
    );
    let north = ask_tcp(dns, "LiVe.cdn.example.", RecordType::A, Some(BEIJING));
    assert_eq!(north.addresses, [NORTH]);
    // Every address within an answer's scope gets the same answer.
    let scope = south.scope.expect("Client Subnet is answered");
    for step in 0..64_u32 {
        let inside = u32::from(GUANGDONG) ^ (step.wrapping_mul(2_654_435_761) >> scope.min(31));
        let other = ask(
            dns,
            "live.cdn.example.",
            RecordType::A,
            Some(Ipv4Addr::from(inside)),
        )
        .unwrap();
        assert_eq!(
            other.addresses,
            south.addresses,
            "{} in /{scope}",
            Ipv4Addr::from(inside)
        );
    }
    let forwarded = format!("Host: dl.cdn.example\r\nX-Forwarded-For: {BEIJING}\r\n");
    let answer = http::send(web, "GET", "/a/b?c=d", &forwarded, "");
    assert_eq!(answer.status, 302, "{}", answer.head);
    let location = http::field(&answer.head, "location").expect("a Location");
    let (host, path) = location
        .strip_prefix("http://")
        .unwrap()
        .split_once('/')
        .unwrap();
    assert!(
        host.starts_with("bj1-a-") && path == "a/b?c=d",
        "{location}"
    );
    let node = ask(dns, &format!("{host}."), RecordType::A, None).unwrap();
    assert!(
        node.addresses[0].octets().starts_with(&[198, 18, 3]),
        "redirects resolve: {node:?}"
    );
    let forwarded = format!("Host: httpdns.cdn.example\r\nX-Forwarded-For: {BEIJING}\r\n");
    let path = "/httpdns/d?host=live.cdn.example&query=4";
    let answer = http::send(web, "GET", path, &forwarded, "");
    assert!(
        answer.status == 200 && answer.body.contains(&NORTH.to_string()),
        "{answer:?}"
    );
}

#[test]
fn what_is_not_tailored_is_answered_as_dns_wants_it() {
    let world = World::new();
    let mut daemon = world.start("run", &[]);
    let dns = daemon.address("dns");
    let reply = |name: &str, rtype| ask(dns, name, rtype, Some(GUANGDONG)).unwrap();
    let apex = reply("cdn.example.", RecordType::NS);
    assert_eq!((apex.code, apex.scope), (ResponseCode::NoError, Some(0)));
    let missing = reply("nobody.cdn.example.", RecordType::A);
    assert_eq!(
        (missing.code, missing.authority),
        (ResponseCode::NXDomain, vec![RecordType::SOA])
    );
    let empty = reply("empty.cdn.example.", RecordType::A);
    assert_eq!(
        (empty.code, empty.authority),
        (ResponseCode::NoError, vec![RecordType::SOA])
    );
    let no_mx = reply("live.cdn.example.", RecordType::MX);
    assert_eq!(
        (no_mx.code, no_mx.authority),
        (ResponseCode::NoError, vec![RecordType::SOA])
    );
    assert_eq!(
        reply("www.elsewhere.example.", RecordType::A).code,
        ResponseCode::Refused
    );
}

#[test]
fn a_drain_leaves_is_measured_and_comes_back() {
    let world = World::new();
    let mut daemon = world.start("run", &[]);
    let dns = daemon.address("dns");
    daemon.tell(&telemetry(|_| 100.0));
    let answered = ask(dns, "live.cdn.example.", RecordType::A, Some(GUANGDONG))
        .unwrap()
        .addresses[0];
    let (group, other) = if answered == SOUTH[0] {
        ("gz1-a", SOUTH[1])
    } else {
        ("gz2-a", SOUTH[0])
    };
    let body = format!(r#"{{"target":"group:{group}","lease":"10m","reason":"test"}}"#);
    let drain = daemon.json("POST", "/v1/drains", &body);
    let id = drain["id"].as_str().unwrap().to_owned();
    let again = daemon.json("POST", "/v1/drains", &body);
    assert_eq!(
        again["id"], drain["id"],
        "a repeated request is the same drain"
    );
    wait_for("the answer to move", || {
        ask(dns, "live.cdn.example.", RecordType::A, Some(GUANGDONG))
            .unwrap()
            .addresses
            == [other]
    });
    // Answers have moved, but traffic is still measured on the target: it is not drained.
    std::thread::sleep(std::time::Duration::from_secs(2));
    daemon.tell(&telemetry(|_| 100.0));
    let path = format!("/v1/drains/{id}");
    assert_eq!(daemon.json("GET", &path, "")["state"], "shifting");
    wait_for("drained", || {
        daemon.tell(&telemetry(|name| if name == group { 0.0 } else { 100.0 }));
        daemon.json("GET", &path, "")["state"] == "drained"
    });
    // Both others together could not stand in for a second loss: the proof names what is missing.
    let rest = if group == "gz1-a" { "gz2" } else { "gz1" };
    let (status, text) = daemon.call(
        "POST",
        "/v1/drains",
        &format!(r#"{{"target":"site:{rest}","lease":"5m","reason":"too much"}}"#),
    );
    assert!(status == 409 || text.contains("queued"), "{status} {text}");
    by_command_line(&world, &mut daemon, &id);
    wait_for("serving", || {
        daemon.json("GET", &path, "")["state"] == "serving"
    });
}

/// The same daemon by the command line: undrain, a usage fault, an explanation.
fn by_command_line(world: &World, daemon: &mut Daemon, id: &str) {
    let config = world.config();
    let api = format!("http://{}", daemon.address("api"));
    let token = daemon.data_dir.join("admin.token");
    let global = [
        "-c",
        config.to_str().unwrap(),
        "--api",
        &api,
        "--token-file",
        token.to_str().unwrap(),
    ];
    let out = run(&[&["undrain", id][..], &global].concat());
    assert!(
        out.status.success(),
        "{}",
        String::from_utf8_lossy(&out.stderr)
    );
    let out = run(&[
        &["drain", "group:nobody", "--lease", "5m", "--reason", "x"][..],
        &global,
    ]
    .concat());
    assert_eq!(
        out.status.code(),
        Some(2),
        "{}",
        String::from_utf8_lossy(&out.stderr)
    );
    let out = run(&[
        &[
            "explain",
            "--name",
            "live.cdn.example",
            "--client",
            "202.96.128.86",
            "--json",
        ][..],
        &global,
    ]
    .concat());
    let told = String::from_utf8_lossy(&out.stdout).into_owned();
    assert!(
        out.status.success() && told.contains("cn/44/ct") && told.contains("verdict"),
        "{told}"
    );
}
